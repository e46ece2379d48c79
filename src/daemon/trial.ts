// `canaryd notify test`: one marked message through each channel at once, directly, without the
// journal. Nothing is repeated; what a channel says is the result.
import type { Outcome } from '../core/delivery.ts';
import type { Channel } from '../engine/lanes.ts';
import type { Clock } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import { trialMessage } from '../notify/trial.ts';

export type TrialResult = {
  readonly channel: string;
  readonly outcome: Outcome;
  readonly tookMs: number;
};

/** Each channel's own limits are shorter; two webhooks with two forms of a message come near it. */
const TRIAL_LIMIT_MS = 300_000;

export async function tryChannels(
  channels: Readonly<Record<string, Channel>>,
  options: { readonly isCritical: boolean; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<readonly TrialResult[]> {
  const { isCritical, clock } = options;
  const entries = Object.entries(channels);
  const message = trialMessage({ isCritical, channels: entries.length, atMs: clock.now() });
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(TRIAL_LIMIT_MS)]);
  return Promise.all(
    entries.map(async ([channel, { send }]): Promise<TrialResult> => {
      const began = clock.monotonic();
      const outcome = await send(message, signal).catch(bug);
      return { channel, outcome, tookMs: Math.round(clock.monotonic() - began) };
    }),
  );
}

function bug(error: unknown): Outcome {
  const detail = `canaryd itself failed: ${messageOf(error)}`;
  return { kind: 'refused', reason: 'not_started', detail };
}
