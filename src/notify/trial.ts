// The message of `canaryd notify test`: it says of itself that it is a trial, so that nobody acts on
// it. Pure.
import type { Message } from '../core/delivery.ts';

const TRIAL_KIND = 'notify.test';

export function isTrial({ kind }: Message): boolean {
  return kind === TRIAL_KIND;
}

export function trialMessage(options: {
  readonly isCritical: boolean;
  readonly channels: number;
  readonly atMs: number;
}): Message {
  const { isCritical, channels, atMs } = options;
  const loud = isCritical ? 'It is marked critical, as a stop would be. ' : '';
  const many = channels === 1 ? 'one channel' : `${channels} channels`;
  return {
    kind: TRIAL_KIND,
    severity: isCritical ? 'critical' : 'info',
    headline: "This is a test of canaryd's channels: nothing has happened",
    lines: [`${loud}It went to ${many}. Who reads this would also be told of a bad deploy.`],
    fields: [['Sent by', 'canaryd notify test']],
    next: 'Nothing is to be done.',
    links: [],
    watchId: `test-${atMs}`,
    atMs,
    ...(isCritical ? { incident: 'opens' as const } : {}),
  };
}
