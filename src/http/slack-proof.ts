// Whether Slack itself sent a request: its signature v0 over the time and the bytes of the body.
// What was wrong goes to the log; the sender only learns that it was not enough.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SlackChannelSetup } from './slack-setup.ts';

/** A signature older or newer than this may have been kept and sent again. */
const TIMESTAMP_WITHIN_MS = 5 * 60_000;

export type SlackProof =
  /** The channels whose secret signed it: several may share one app. */
  | { readonly kind: 'signed'; readonly channels: readonly SlackChannelSetup[] }
  /** For the log only. */
  | { readonly kind: 'refused'; readonly why: string };

export type SlackRequest = {
  readonly timestamp: string | undefined;
  readonly signature: string | undefined;
  readonly body: Buffer;
};

export function slackProof(
  { timestamp, signature, body }: SlackRequest,
  channels: readonly SlackChannelSetup[],
  nowMs: number,
): SlackProof {
  const refused = (why: string) => ({ kind: 'refused', why }) as const;
  if (timestamp === undefined || signature === undefined) {
    return refused('x-slack-request-timestamp or x-slack-signature is not there');
  }
  if (!/^\d{1,12}$/.test(timestamp)) {
    return refused('x-slack-request-timestamp is no time in seconds');
  }
  const given = Buffer.from(/^v0=([0-9a-f]{64})$/.exec(signature)?.[1] ?? '', 'hex');
  // All are compared: the time must not tell which secret it was.
  const signed = channels.filter(({ signingSecret }) => {
    const secret = signingSecret();
    if (secret === null) return false;
    const wanted = createHmac('sha256', secret).update(`v0:${timestamp}:`).update(body).digest();
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
  if (signed.length === 0) return refused('x-slack-signature was made with another secret');
  // Said only of what is truly signed: then it is a clock, or a request sent again.
  const isFresh = Math.abs(nowMs - Number(timestamp) * 1_000) <= TIMESTAMP_WITHIN_MS;
  if (isFresh) return { kind: 'signed', channels: signed };
  return refused('x-slack-request-timestamp is more than 5 minutes away; check the clocks');
}
