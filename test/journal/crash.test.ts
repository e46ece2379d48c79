// kill -9 at any moment: what was acknowledged is there, and nothing is there by half.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { Journal, WatchRecord } from '../../src/journal/journal.ts';
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.ts';

const ROUNDS = 16;
const WRITER = fileURLToPath(new URL('../support/crash-writer.ts', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'canaryd-crash-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Kills the writer once it has acknowledged so many writes; returns all that it acknowledged. */
async function killAfter(writes: number, path: string, prefix: string): Promise<string[]> {
  const child = spawn(process.execPath, [WRITER, path, prefix], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
    if (printed.split('\n').length > writes) child.kill('SIGKILL');
  });
  const [, signal] = await once(child, 'close');
  expect(signal).toBe('SIGKILL');
  return printed.split('\n').slice(0, -1);
}

/** Everything that one watch left behind, and what it may be: each append whole or not there. */
async function isWhole(journal: Journal, { id, revision, phase, isActive, track }: WatchRecord) {
  const events = (await journal.events(id)).map(({ type }) => type);
  const deliveries = await journal.deliveries(id);
  const ticks = await journal.ticks(id, 0, Number.MAX_SAFE_INTEGER, 9);
  const stoppedOrNot = [
    { events: ['watch.started'], deliveries: 0, phase: 'watching', revision: 1 },
    { events: ['watch.started', 'watch.stopped'], deliveries: 3, phase: 'stopped', revision: 2 },
  ];
  expect(stoppedOrNot).toContainEqual({ events, deliveries: deliveries.length, phase, revision });
  expect([isActive, ticks.length, track === null]).toEqual([true, 1, false]);
  for (const { attempts, inFlight } of deliveries) expect(inFlight).toBe(attempts === 1);
}

describe('the journal after kill -9', () => {
  test('holds every acknowledged write, whole, and nothing by half', async () => {
    const path = join(folder, 'canaryd.db');
    const acknowledged: string[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      // Spread over the three kinds of writes; the moment within one is the scheduler's choice.
      acknowledged.push(...(await killAfter(1 + ((round * 7) % 31), path, `r${round}`)));
      await using journal = openSqliteJournal({ path });
      for (const watch of await journal.watches({ limit: 10_000 })) await isWhole(journal, watch);
    }

    await using journal = openSqliteJournal({ path });
    const found = new Set<string>();
    for (const { id, phase } of await journal.watches({ limit: 10_000 })) {
      found.add(`started ${id}`);
      if (phase === 'stopped') found.add(`stopped ${id}`);
      const attempted = (await journal.deliveries(id)).some(({ attempts }) => attempts === 1);
      if (attempted) found.add(`attempted ${id}`);
    }
    expect(acknowledged.length).toBeGreaterThan(ROUNDS);
    expect(acknowledged.filter((write) => !found.has(write))).toEqual([]);
    // Each round may have written one more than it could say.
    expect(found.size - acknowledged.length).toBeLessThanOrEqual(ROUNDS);
  }, 60_000);
});
