// A disk that fills up under a real process: nothing acknowledged is lost, nothing is sent that could
// not be written first, it is said, and all goes on once there is room.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import type { Canaryd } from '../support/daemon.ts';
import { check } from './check.ts';
import { aStart, type Lane, openLane, type Site } from './lane.ts';

const JOURNAL_SAYS = /journal .*canaryd\.db: cannot write to it/;
/** Sweeps and ticks that had their chance to do wrong. */
const SCRAPES = 4;

const hasLimits = spawnSync('prlimit', ['--version']).status === 0;
const canMount =
  process.getuid?.() === 0 && mounted(100, (folder) => statSync(folder).isDirectory());

/** A disk of so many KB, for as long as the work takes. */
function mounted<T>(kb: number, work: (folder: string) => T): T | false {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-disk-'));
  const options = ['-t', 'tmpfs', '-o', `size=${kb}k`, 'none', folder];
  try {
    return spawnSync('mount', options).status === 0 ? work(folder) : false;
  } finally {
    spawnSync('umount', [folder]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** From now on no file of the process may grow beyond `bytes`; `unlimited` makes room again. */
function limitFiles({ pid }: Canaryd, bytes: number | 'unlimited'): void {
  const { status, stderr } = spawnSync('prlimit', ['--pid', `${pid}`, `--fsize=${bytes}:`]);
  if (status !== 0) throw new Error(stderr.toString());
}

/** The log of the journal cannot grow by a single frame. */
function fillUp({ canaryd }: Lane): void {
  limitFiles(canaryd, statSync(join(canaryd.folder, 'canaryd.db-wal')).size);
}

function aSite(lane: Lane, environment: string): Site & { seen: () => number } {
  let seen = 0;
  const site: Site = {
    environment,
    isBad: false,
    heals: true,
    slowMs: 0,
    onStep: (step) => {
      if (step === 'bad figure read') seen += 1;
    },
  };
  lane.figures.add(site);
  return Object.assign(site, { seen: () => seen });
}

async function started({ canaryd }: Lane, environment: string): Promise<string> {
  const { status, body } = await canaryd.post('/v1/watches', aStart(environment));
  if (status !== 201) throw new Error(JSON.stringify(body));
  return String(body['id']);
}

async function ready({ canaryd }: Lane): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${canaryd.url}/readyz?verbose`);
  return { status: answer.status, text: await answer.text() };
}

const reachOf = (lane: Lane) => ({ ...lane, url: lane.canaryd.url });

describe.skipIf(!hasLimits).concurrent('canaryd, when its disk is full', () => {
  it('sends nothing, says so, loses nothing, and goes on without a restart', {
    timeout: 60_000,
  }, async ({ expect, onTestFinished }) => {
    const lane = await openLane({ config: { sqlite: { path: 'canaryd.db' } }, env: {} });
    onTestFinished(() => lane.close());
    const { canaryd, receiver } = lane;
    const site = aSite(lane, 'full');
    const id = await started(lane, 'full');
    fillUp(lane);
    site.isBad = true;
    // Bad figures are read on and on, and nobody acts.
    await expect.poll(site.seen, { timeout: 20_000 }).toBeGreaterThanOrEqual(SCRAPES);
    expect(receiver.requests).toEqual([]);
    const refused = await canaryd.post('/v1/watches', aStart('other'));
    expect(refused.status).toBeGreaterThanOrEqual(500);
    expect(await ready(lane)).toMatchObject({
      status: 503,
      text: expect.stringMatching(JOURNAL_SAYS),
    });
    expect((await canaryd.watch(id)).phase).toBe('watching');

    limitFiles(canaryd, 'unlimited');
    await expect
      .poll(async () => (await canaryd.watch(id)).verification, { timeout: 20_000 })
      .toBe('confirmed');
    await expect.poll(async () => (await ready(lane)).status, { timeout: 10_000 }).toBe(200);
    const expected = { environment: 'full', isBad: true, heals: true, acknowledged: id };
    expect((await check(reachOf(lane), expected)).problems).toEqual([]);
    // What was refused is not there.
    const { body } = await canaryd.get('/v1/watches?environment=other');
    expect(body['watches']).toEqual([]);
  });

  it('and killed with kill -9: the next start knows all that was acknowledged', {
    timeout: 60_000,
  }, async ({ expect, onTestFinished }) => {
    const lane = await openLane({ config: { sqlite: { path: 'canaryd.db' } }, env: {} });
    onTestFinished(() => lane.close());
    const { canaryd, receiver } = lane;
    const site = aSite(lane, 'killed');
    const id = await started(lane, 'killed');
    fillUp(lane);
    site.isBad = true;
    await expect.poll(site.seen, { timeout: 20_000 }).toBeGreaterThanOrEqual(SCRAPES);
    await canaryd.kill9();
    expect(receiver.requests).toEqual([]);
    await canaryd.start();
    await expect
      .poll(async () => (await canaryd.watch(id)).verification, { timeout: 20_000 })
      .toBe('confirmed');
    const expected = { environment: 'killed', isBad: true, heals: true, acknowledged: id };
    expect((await check(reachOf(lane), expected)).problems).toEqual([]);
  });

  it('between the decision and the answer of a receiver: repeats under the same key at most', {
    timeout: 60_000,
  }, async ({ expect, onTestFinished }) => {
    const lane = await openLane({ config: { sqlite: { path: 'canaryd.db' } }, env: {} });
    onTestFinished(() => lane.close());
    const { canaryd, receiver } = lane;
    const site = aSite(lane, 'during');
    site.onStep = (step) => {
      if (step === 'disarm arrives') fillUp(lane);
    };
    const id = await started(lane, 'during');
    site.isBad = true;
    await expect.poll(() => receiver.requests.length, { timeout: 20_000 }).toBeGreaterThan(0);
    await expect.poll(async () => (await ready(lane)).status, { timeout: 10_000 }).toBe(503);
    // No attempt leaves that is not in the journal first.
    expect(receiver.requests.map(({ id: key }) => key)).toEqual([`${id}-disarm`]);
    limitFiles(canaryd, 'unlimited');
    await expect
      .poll(async () => (await canaryd.watch(id)).verification, { timeout: 30_000 })
      .toBe('confirmed');
    const expected = { environment: 'during', isBad: true, heals: true, acknowledged: id };
    expect((await check(reachOf(lane), expected)).problems).toEqual([]);
  });
});

describe.skipIf(!canMount).concurrent('canaryd on a small disk of its own (needs root)', () => {
  it('names the full disk, loses nothing, and goes on with room', {
    timeout: 60_000,
  }, async ({ expect, onTestFinished }) => {
    const disk = mkdtempSync(join(tmpdir(), 'canaryd-disk-'));
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4000k', 'none', disk]);
    onTestFinished(() => {
      spawnSync('umount', [disk]);
      rmSync(disk, { recursive: true, force: true });
    });
    const lane = await openLane({ config: { sqlite: { path: join(disk, 'a.db') } }, env: {} });
    onTestFinished(() => lane.close());
    const { canaryd, receiver } = lane;
    const site = aSite(lane, 'small');
    const id = await started(lane, 'small');
    // Some other program takes the rest.
    const rest = join(disk, 'rest');
    expect(() => writeFileSync(rest, Buffer.alloc(8_000_000, 1))).toThrow(/ENOSPC/);
    site.isBad = true;
    await expect.poll(site.seen, { timeout: 20_000 }).toBeGreaterThanOrEqual(SCRAPES);
    expect(receiver.requests).toEqual([]);
    expect(await ready(lane)).toMatchObject({
      status: 503,
      text: expect.stringContaining('the disk is full. Make room'),
    });
    rmSync(rest);
    await expect
      .poll(async () => (await canaryd.watch(id)).verification, { timeout: 20_000 })
      .toBe('confirmed');
    const expected = { environment: 'small', isBad: true, heals: true, acknowledged: id };
    expect((await check(reachOf(lane), expected)).problems).toEqual([]);
  });
});
