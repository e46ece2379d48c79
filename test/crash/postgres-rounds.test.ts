// A few rounds of real kill -9 on a real PostgreSQL: one daemon, and three replicas that share it.
import { afterAll, beforeAll, describe, it } from 'vitest';
import { hasPostgres, startPostgres } from '../support/postgres.ts';
import { amount, SEED } from './amount.ts';
import { runReplicas } from './replicas.ts';
import { runRounds } from './rounds.ts';
import { onServer, type Store } from './stores.ts';

const ROUNDS = amount(4, 24);
const WATCHES = amount(12, 40);
const SECONDS = amount(10, 30);

/** One for both: no journal is used twice. */
let store: Store | null = null;
const opened = () => {
  if (store === null) throw new Error('no server');
  return store;
};

describe.skipIf(!hasPostgres())('canaryd with PostgreSQL, killed with kill -9', () => {
  beforeAll(async () => {
    store = onServer(await startPostgres());
  });
  afterAll(() => store?.close());

  it('does each action under one key, loses no watch, and tells nothing twice', {
    timeout: 180_000,
  }, async ({ expect }) => {
    const round = { store: 'postgres', rounds: ROUNDS, seed: SEED, lanes: 6 } as const;
    const summary = await runRounds({ ...round, on: opened() });
    expect(summary.problems, summary.line).toEqual([]);
    expect(summary.exactlyOne).toBe(ROUNDS);
  });

  it('again and again as one of three replicas: each watch ends as it has to', {
    timeout: 180_000,
  }, async ({ expect }) => {
    const summary = await runReplicas({
      on: opened(),
      replicas: 3,
      watches: WATCHES,
      seconds: SECONDS,
      seed: SEED,
      how: 'kill',
      intervalS: 1,
    });
    expect(summary.problems, summary.line).toEqual([]);
    expect(summary.exactlyOne).toBe(WATCHES);
    expect(summary.ends).toBeGreaterThan(0);
  });
});
