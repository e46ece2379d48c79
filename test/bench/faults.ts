// When which deploy of `npm run bench:latency` turns bad.
import type { Dice } from '../sim/dice.ts';
import type { BenchDeploy, FaultKind } from './service.ts';

export const KINDS: readonly FaultKind[] = ['ratio', 'quantile'];
/** The middle scrape interval; the longest is three of it. */
export const STEP_MS = 5_000;
const STEPS_OF_LONGEST = 3;

export function shuffled<T>(list: readonly T[], dice: Dice): readonly T[] {
  const left = [...list];
  return list.flatMap(() => left.splice(dice.whole(0, left.length - 1), 1));
}

/**
 * One fault in each step, kinds in turn. When in its step is rolled, but from parts that are dealt out:
 * the faults of a kind are evenly spread over 1, 5 and 15 s, so that none of them, and no reader, is
 * luckier than it is on average.
 */
export function faultsOf(firstMs: number, perKind: number, dice: Dice): readonly BenchDeploy[] {
  const rounds = Math.ceil(perKind / STEPS_OF_LONGEST);
  const parts = rounds * STEPS_OF_LONGEST;
  const instants = KINDS.map((_, nth) => {
    const dealt = Array.from({ length: STEPS_OF_LONGEST }, () =>
      shuffled([...Array(rounds).keys()], dice),
    );
    return Array.from({ length: perKind }, (_unused, index) => {
      const third = index % STEPS_OF_LONGEST;
      const round = dealt[third]?.[Math.floor(index / STEPS_OF_LONGEST)] ?? 0;
      const part = round * STEPS_OF_LONGEST + third;
      const within = Math.floor((STEP_MS * (part + dice.next())) / parts);
      return firstMs + (index * KINDS.length + nth) * STEP_MS + within;
    });
  });
  const bad = Array.from({ length: perKind * KINDS.length }, (_, index): BenchDeploy => {
    const nth = index % KINDS.length;
    const atMs = instants[nth]?.[Math.floor(index / KINDS.length)] ?? 0;
    return { name: `d${String(index + 1).padStart(2, '0')}`, kind: KINDS[nth] ?? 'ratio', atMs };
  });
  const well = ['well1', 'well2'].map((name): BenchDeploy => ({ name, kind: 'ratio', atMs: null }));
  return [...bad, ...well];
}
