// A few rounds of real kill -9 on a real PostgreSQL: one daemon, and three replicas that share it.
import { afterAll, beforeAll, describe, it } from 'vitest';
import { hasPostgres, type PostgresServer, startPostgres } from '../support/postgres.ts';
import { amount, SEED } from './amount.ts';
import { runReplicas } from './replicas.ts';
import { runRounds } from './rounds.ts';
import { onServer } from './stores.ts';

const ROUNDS = amount(6, 24);
const WATCHES = amount(12, 40);
const SECONDS = amount(12, 30);

let server: PostgresServer | null = null;
const store = () => {
  if (server === null) throw new Error('no server');
  return onServer(server);
};

describe.skipIf(!hasPostgres())('canaryd with PostgreSQL, killed with kill -9', () => {
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  it('does each action under one key, loses no watch, and tells nothing twice', {
    timeout: 180_000,
  }, async ({ expect }) => {
    const round = { store: 'postgres', rounds: ROUNDS, seed: SEED, lanes: 6 } as const;
    const summary = await runRounds({ ...round, on: store() });
    expect(summary.problems, summary.line).toEqual([]);
    expect(summary.exactlyOne).toBe(ROUNDS);
  });

  it('again and again as one of three replicas: each watch ends as it has to', {
    timeout: 180_000,
  }, async ({ expect }) => {
    const summary = await runReplicas({
      on: store(),
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
