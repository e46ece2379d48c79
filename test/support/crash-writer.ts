// Run by test/journal/crash.test.ts and killed in the middle: appends decisions with their
// deliveries, round after round, and prints each one only when the journal has acknowledged it.
import { writeSync } from 'node:fs';
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.ts';
import {
  aDeploy,
  aMessageDelivery,
  anActionDelivery,
  aPolicy,
  aTick,
  aTrack,
  started,
  stopped,
  T0,
} from './build.ts';

/** More than any test waits for: the child ends by itself should its parent be gone. */
const ROUNDS_MAX = 5_000;

const [path = '', prefix = ''] = process.argv.slice(2);
const journal = openSqliteJournal({ path });
const acknowledge = (what: string) => writeSync(1, `${what}\n`);

for (let round = 1; round <= ROUNDS_MAX; round += 1) {
  const watchId = `${prefix}_${round}`;
  const deploy = aDeploy({ environment: watchId });
  const common = { watchId, atMs: T0, deliveries: [], isActive: true } as const;
  const create = {
    id: watchId,
    deploy,
    policy: aPolicy(),
    policyHash: 'hash',
    idempotencyKey: watchId,
    startedAtMs: T0,
  };
  await journal.append([
    {
      ...common,
      create,
      expectedRevision: 0,
      events: [started({ deploy })],
      phase: 'watching',
      tick: { tick: aTick(T0), track: aTrack(T0), previousAtMs: null },
    },
  ]);
  acknowledge(`started ${watchId}`);
  await journal.append([
    {
      ...common,
      expectedRevision: 1,
      events: [stopped()],
      deliveries: [
        anActionDelivery('disarm', watchId),
        anActionDelivery('rollback', watchId),
        aMessageDelivery(`${watchId}.message`, watchId),
      ],
      phase: 'stopped',
    },
  ]);
  acknowledge(`stopped ${watchId}`);
  await journal.startAttempt(`${watchId}.rollback`, 1, T0, 'r_1');
  acknowledge(`attempted ${watchId}`);
}
