// A few rounds of real kill -9 on a journal in a file; `npm run crash` does hundreds.
import { describe, it } from 'vitest';
import { amount, SEED } from './amount.ts';
import { runRounds } from './rounds.ts';

const ROUNDS = amount(6, 48);

describe('canaryd with a file, killed with kill -9 at any moment', () => {
  it('does each action under one key, loses no watch, and tells nothing twice', {
    timeout: 180_000,
  }, async ({ expect }) => {
    const summary = await runRounds({ store: 'sqlite', rounds: ROUNDS, seed: SEED, lanes: 6 });
    expect(summary.problems, summary.line).toEqual([]);
    expect(summary.exactlyOne).toBe(ROUNDS);
    expect(summary.kills).toBeGreaterThanOrEqual(ROUNDS);
  });
});
