// Writes that share a transaction: one wait for the disk, and each stands or falls by itself.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Append } from '../../src/journal/journal.ts';
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.ts';
import { aMessageDelivery, aTick, aTrack, T0 } from '../support/build.ts';
import { create } from './contract.ts';

function journal(bytesMax?: number) {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-group-'));
  const path = join(folder, 'canaryd.db');
  const opened = openSqliteJournal({
    path,
    groupsWrites: true,
    ...(bytesMax === undefined ? {} : { bytesMax }),
  });
  onTestFinished(async () => {
    await opened[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  return opened;
}

function tick(watchId: string, over: Partial<Append> = {}): Append {
  return {
    watchId,
    expectedRevision: 1,
    atMs: T0 + 5_000,
    events: [],
    deliveries: [],
    phase: 'watching',
    isActive: true,
    tick: { tick: aTick(T0 + 5_000), track: aTrack(T0 + 5_000), previousAtMs: null },
    ...over,
  };
}

const IDS = ['w_1', 'w_2', 'w_3'] as const;

async function withWatches(bytesMax?: number) {
  const opened = journal(bytesMax);
  for (const id of IDS) {
    expect(await opened.append([create(id)])).toBe('appended');
  }
  return opened;
}

describe('writes of one turn', () => {
  it('wait for the disk once', async () => {
    const opened = await withWatches();
    const exec = vi.spyOn(DatabaseSync.prototype, 'exec');
    const all = await Promise.all(IDS.map((id) => opened.append([tick(id)])));
    expect(all).toEqual(['appended', 'appended', 'appended']);
    expect(exec.mock.calls.flat().filter((sql) => sql === 'COMMIT')).toHaveLength(1);
  });

  it('stand or fall by themselves: a conflict of one leaves the others', async () => {
    const opened = await withWatches();
    const [first, second, third] = await Promise.all([
      opened.append([tick('w_1')]),
      opened.append([tick('w_2', { expectedRevision: 7 })]),
      opened.append([tick('w_3')]),
    ]);
    expect([first, second, third]).toEqual(['appended', 'conflict', 'appended']);
    const tracks = await Promise.all(
      IDS.map(async (id) => (await opened.watch(id))?.track ?? null),
    );
    expect(tracks.map((track) => track?.atMs ?? null)).toEqual([T0 + 5_000, null, T0 + 5_000]);
  });

  it('of which a later one of the same watch sees the earlier one', async () => {
    const opened = await withWatches();
    const all = await Promise.all([opened.append([tick('w_1')]), opened.append([tick('w_1')])]);
    expect(all).toEqual(['appended', 'conflict']);
  });

  it('of which two start under one key: the second one is refused', async () => {
    const opened = journal();
    const start = (id: string) => {
      const made = create(id);
      const watch = made.create;
      return { ...made, ...(watch && { create: { ...watch, idempotencyKey: 'k' } }) };
    };
    const all = await Promise.all(IDS.map((id) => opened.append([start(id)])));
    expect(all).toEqual(['appended', 'conflict', 'conflict']);
    expect(await opened.activeIds(10)).toEqual(['w_1']);
  });

  it('of which two begin one attempt: it is begun once', async () => {
    const opened = await withWatches();
    await opened.append([tick('w_1', { deliveries: [aMessageDelivery('d_1', 'w_1')] })]);
    const all = await Promise.all(
      ['r_1', 'r_2'].map((holder) => opened.startAttempt('d_1', 1, T0, holder)),
    );
    expect(all).toEqual([true, false]);
    expect(await opened.delivery('d_1')).toMatchObject({ attempts: 1, holder: 'r_1' });
  });

  it('are written before the journal closes', async () => {
    const opened = await withWatches();
    const writing = opened.append([tick('w_1')]);
    await opened[Symbol.asyncDispose]();
    expect(await writing).toBe('appended');
  });

  it('fail each with the reason when the file may not grow, and leave nothing half-written', async () => {
    const opened = await withWatches(200_000);
    const large = 'x'.repeat(60_000);
    const big = (id: string) =>
      opened.append([
        tick(id, { events: [{ type: 'watch.acknowledged', by: 'ann', reason: large }] }),
      ]);
    const ended = await Promise.allSettled(IDS.map(big));
    const refused = ended.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const one of refused) {
      expect(String((one as PromiseRejectedResult).reason)).toContain('full');
    }
    const revisions = await Promise.all(
      IDS.map(async (id) => (await opened.watch(id))?.revision ?? 0),
    );
    expect(revisions).toEqual(ended.map(({ status }) => (status === 'fulfilled' ? 2 : 1)));
  });

  it('of which one cannot be undone are undone together: no half of it is kept', async () => {
    const opened = await withWatches();
    const exec = DatabaseSync.prototype.exec;
    const broken = vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (
      this: DatabaseSync,
      sql,
    ) {
      if (sql.startsWith('ROLLBACK TO')) throw new Error('disk I/O error');
      exec.call(this, sql);
    });
    onTestFinished(() => broken.mockRestore());
    const half = opened.append([tick('w_1'), tick('w_2', { expectedRevision: 7 })]);
    const all = await Promise.allSettled([half, opened.append([tick('w_3')])]);
    broken.mockRestore();
    expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const tracks = await Promise.all(IDS.map(async (id) => (await opened.watch(id))?.track));
    expect(tracks).toEqual([null, null, null]);
    expect(await opened.append([tick('w_1')])).toBe('appended');
  });

  it('let others in between when they are many', async () => {
    const opened = await withWatches();
    const exec = vi.spyOn(DatabaseSync.prototype, 'exec');
    const commits = () => exec.mock.calls.flat().filter((sql) => sql === 'COMMIT').length;
    const writing = Array.from({ length: 450 }, () => opened.startAttempts([], T0, 'r_1'));
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const seen = [];
    for (let turns = 0; turns < 4; turns += 1) {
      await turn();
      seen.push(commits());
    }
    await Promise.all(writing);
    expect(seen).toEqual([1, 2, 3, 3]);
  });
});
