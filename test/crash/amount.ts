// How much the test command does: a little on a desk, more where machines wait. The long runs are by
// hand: `npm run crash`.
export function amount(onDesk: number, inCi: number): number {
  return process.env['CI'] === undefined ? onDesk : inCi;
}

/** Another one each day, so that over time all kinds of rounds are seen; it is in every message. */
export const SEED = Math.floor(Date.now() / 86_400_000);
