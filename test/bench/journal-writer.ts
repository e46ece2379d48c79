// One replica of `npm run bench:journal`, as a process: writes decisions for some seconds, so many at
// once, each on a watch of its own, and says how long each took.
import { once } from 'node:events';
import { openPostgresJournal } from '../../src/journal/postgres/open.ts';
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.ts';
import {
  aDeploy,
  aMessageDelivery,
  aPolicy,
  aTick,
  aTrack,
  started,
  T0,
} from '../support/build.ts';

export type WriterTask = {
  readonly journal:
    | { readonly sqlite: string }
    | { readonly postgres: string; readonly password: string };
  readonly replica: number;
  readonly atOnce: number;
  readonly seconds: number;
};

export type WriterResult = { readonly tookMs: readonly number[]; readonly cpuSeconds: number };

/** Every so many decisions something has happened, and somebody is told. */
const EVENT_EVERY = 20;
const INTERVAL_MS = 5_000;

const [task] = (await once(process, 'message')) as [WriterTask];
const { journal: place, replica, atOnce, seconds } = task;
const journal =
  'sqlite' in place
    ? openSqliteJournal({ path: place.sqlite, groupsWrites: true })
    : await openPostgresJournal({ url: place.postgres, password: () => place.password });

const watches = Array.from({ length: atOnce }, (_, index) => `w_${replica}_${index}`);
for (const id of watches) {
  await journal.append([
    {
      watchId: id,
      create: {
        id,
        deploy: aDeploy({ environment: id }),
        policy: aPolicy(),
        policyHash: 'hash',
        idempotencyKey: null,
        startedAtMs: T0,
      },
      expectedRevision: 0,
      atMs: T0,
      events: [started()],
      deliveries: [],
      phase: 'watching',
      isActive: true,
    },
  ]);
}

const tookMs: number[] = [];
const cpuBefore = process.cpuUsage();
const endAt = performance.now() + seconds * 1_000;

async function decide(watchId: string): Promise<void> {
  let revision = 1;
  let previousAtMs: number | null = null;
  for (let tick = 1; performance.now() < endAt; tick += 1) {
    const atMs = T0 + tick * INTERVAL_MS;
    const isTold = tick % EVENT_EVERY === 0;
    const began = performance.now();
    const result = await journal.append([
      {
        watchId,
        expectedRevision: revision,
        atMs,
        events: isTold ? [{ type: 'watch.resumed', awayMs: 1 }] : [],
        deliveries: isTold ? [aMessageDelivery(`${watchId}.${tick}`, watchId)] : [],
        phase: 'watching',
        isActive: true,
        tick: { tick: aTick(atMs), track: aTrack(atMs), previousAtMs },
      },
    ]);
    if (result !== 'appended') throw new Error(`${watchId}: ${result}`);
    tookMs.push(performance.now() - began);
    if (isTold) revision += 1;
    previousAtMs = atMs;
  }
}

await Promise.all(watches.map(decide));
const { user, system } = process.cpuUsage(cpuBefore);
await journal[Symbol.asyncDispose]();
const result: WriterResult = { tookMs, cpuSeconds: (user + system) / 1_000_000 };
process.send?.(result, () => process.disconnect());
