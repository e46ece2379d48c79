// What a round of real crashes does, drawn from a seed: which deploy, which end, and when the
// process is killed. The same seed and number draw the same round. Knows no process.

/** When the first kill -9 comes. */
export const MOMENTS = [
  'start asked',
  'start answered',
  'watching',
  'bad figure read',
  'disarm arrives',
  'disarm answered',
  'rollback arrives',
  'rollback answered',
  'between attempts',
  'verifying',
  'message arrives',
  'ended',
] as const;
export type Moment = (typeof MOMENTS)[number];

/** Those that a deploy which is fine goes through, too. */
const GOOD_MOMENTS: readonly Moment[] = [
  'start asked',
  'start answered',
  'watching',
  'message arrives',
  'ended',
];

/** What a receiver does with the first request of a round. */
export type Answer = 'accepts' | 'refuses' | 'accepts and hangs';

/** A further kill, so long after the process was started again. */
export type Again = { readonly afterMs: number };

export type Plan = {
  readonly number: number;
  /** The watch's own environment, so that rounds share nothing but the process. */
  readonly environment: string;
  readonly isBad: boolean;
  /** The rollback helps. */
  readonly heals: boolean;
  readonly turnsBadAfterMs: number;
  readonly moment: Moment;
  /** From the moment to the kill. */
  readonly delayMs: number;
  readonly again: readonly Again[];
  /** The receivers take so long to answer. */
  readonly slowMs: number;
  readonly disarm: Answer;
  readonly rollback: Answer;
  /** The client asks again although it was answered. */
  readonly repeatsStart: boolean;
};

/** mulberry32. */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** How long after its moment a kill may come; the short ones aim at one transaction. */
const DELAYS_MS: Readonly<Record<Moment, number>> = {
  'start asked': 12,
  'start answered': 30,
  watching: 1_500,
  'bad figure read': 15,
  'disarm arrives': 0,
  'disarm answered': 15,
  'rollback arrives': 0,
  'rollback answered': 15,
  'between attempts': 300,
  verifying: 1_200,
  'message arrives': 0,
  ended: 400,
};

export function planOf(seed: number, number: number): Plan {
  const random = dice(seed * 1_000_003 + number);
  const pick = <T>(items: readonly T[]): T => {
    const item = items[Math.floor(random() * items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  };
  // In turn, so that also a short run has them all.
  const moment = MOMENTS[number % MOMENTS.length] ?? 'watching';
  const isBad = !GOOD_MOMENTS.includes(moment) || random() < 0.5;
  const answers = ['accepts', 'accepts', 'accepts', 'refuses', 'accepts and hangs'] as const;
  const again = random() < 0.3 ? [{ afterMs: Math.floor(random() * 2_500) }] : [];
  return {
    number,
    environment: `e${number}`,
    isBad,
    heals: random() < 0.85,
    turnsBadAfterMs: Math.floor(random() * 2_000),
    moment,
    delayMs: Math.floor(random() * (DELAYS_MS[moment] + 1)),
    again: random() < 0.1 ? [...again, { afterMs: Math.floor(random() * 2_500) }] : again,
    slowMs: Math.floor(random() * 250),
    disarm: pick(answers),
    rollback: moment === 'between attempts' ? 'refuses' : pick(answers),
    repeatsStart: random() < 0.5,
  };
}
