// `canaryd notify test`: one marked message by each road of each channel at once, directly, without
// the journal. Nothing is repeated, and nothing stands in for what fails: what is said is the result.
import type { Outcome } from '../core/delivery.ts';
import type { Clock } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import { trialMessage } from '../notify/trial.ts';
import type { Road } from './channels.ts';

export type TrialResult = {
  readonly channel: string;
  /** Of the road: a channel may have two webhooks. */
  readonly name: string;
  readonly outcome: Outcome;
  readonly tookMs: number;
};

/** Each channel's own limits are shorter; two webhooks with two forms of a message come near it. */
const TRIAL_LIMIT_MS = 300_000;

export async function tryRoads(
  roads: readonly Road[],
  options: { readonly isCritical: boolean; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<readonly TrialResult[]> {
  const { isCritical, clock } = options;
  const channels = new Set(roads.map(({ channel }) => channel)).size;
  const message = trialMessage({ isCritical, channels, atMs: clock.now() });
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(TRIAL_LIMIT_MS)]);
  return Promise.all(
    roads.map(async ({ channel, name, send }): Promise<TrialResult> => {
      const began = clock.monotonic();
      const outcome = await send(message, signal).catch(bug);
      return { channel, name, outcome, tookMs: Math.round(clock.monotonic() - began) };
    }),
  );
}

function bug(error: unknown): Outcome {
  const detail = `canaryd itself failed: ${messageOf(error)}`;
  return { kind: 'refused', reason: 'not_started', detail };
}
