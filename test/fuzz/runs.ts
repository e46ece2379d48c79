// Hostile and clumsy input, made up by fast-check. Every property has a named number of runs, small
// enough for each change. A long run by hand, and the same run again from what a failure prints:
//
//   CANARYD_FUZZ_RUNS=20000 npx vitest run --config test/vitest.config.ts --testTimeout 0 test/fuzz
//   CANARYD_FUZZ_SEED=<seed> npx vitest run --config test/vitest.config.ts test/fuzz/<file> -t <name>
//
// CANARYD_FUZZ_RUNS counts the runs of each property; it never makes a run shorter. How long the
// event loop stands still under the largest inputs is measured by `node test/fuzz/loop-delay.ts`.
import type fc from 'fast-check';

/** Parameters of a property that is run so many times in the usual suite. */
export function times(runs: number): fc.Parameters<unknown> {
  const more = Number(process.env['CANARYD_FUZZ_RUNS'] ?? 0);
  const seed = process.env['CANARYD_FUZZ_SEED'];
  return {
    numRuns: Math.max(runs, more),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  };
}
