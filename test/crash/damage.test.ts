// A journal that was damaged while canaryd was away: its start works with nothing acknowledged lost, or
// is refused with a clear error and the files as they were. Damage that only shows later is named,
// and costs nobody else anything.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { check } from './check.ts';
import { aStart, type Lane, openLane, SECRETS, type Site } from './lane.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const PAGE = 4_096;
const WAL_HEADER = 32;
const WAL_FRAME = PAGE + 24;
const ADVICE = /was left untouched\. Restore it from a backup/;

const FILE = { config: { sqlite: { path: 'canaryd.db' } }, env: {} };

type Paths = { readonly db: string; readonly wal: string };

function pathsIn(folder: string): Paths {
  const db = join(folder, 'canaryd.db');
  return { db, wal: `${db}-wal` };
}

/** Some bytes of a file are others from now on. */
function overwrite(path: string, at: number, bytes: Buffer): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}

/** The database and its log, by their contents; an empty log is none. */
function filesIn(folder: string): readonly string[] {
  return ['canaryd.db', 'canaryd.db-wal']
    .map((name) => join(folder, name))
    .filter((path) => existsSync(path) && statSync(path).size > 0)
    .map((path) => createHash('sha256').update(readFileSync(path)).digest('hex'));
}

/** `canaryd serve` on the files of a folder; it is expected to end by itself. */
function serve(folder: string): Promise<{ readonly code: unknown; readonly said: string }> {
  const args = [MAIN, 'serve', '--config', join(folder, 'canaryd.yaml')];
  const env = { PATH: process.env['PATH'], ...SECRETS, SLACK: 'http://127.0.0.1:9/none' };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env, timeout: 15_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : (error.code ?? error.signal);
      resolve({ code, said: stdout + stderr });
    });
  });
}

function aSite(lane: Lane, environment: string): Site {
  const site: Site = { environment, isBad: false, heals: true, slowMs: 0, onStep: () => {} };
  lane.figures.add(site);
  return site;
}

async function started(lane: Lane, environment: string): Promise<string> {
  const { status, body } = await lane.canaryd.post('/v1/watches', aStart(environment));
  if (status !== 201) throw new Error(JSON.stringify(body));
  return String(body['id']);
}

type Refusal = {
  readonly name: string;
  /** Before the damage: killed, so that the log is still there, or ended in order. */
  readonly end: 'kill9' | 'end';
  readonly damage: (paths: Paths) => void;
  readonly says: RegExp;
};

const REFUSALS: readonly Refusal[] = [
  {
    name: 'was cut off',
    end: 'end',
    damage: ({ db }) => truncateSync(db, 3 * PAGE),
    says: ADVICE,
  },
  {
    name: 'has a header of zeros',
    end: 'end',
    damage: ({ db }) => overwrite(db, 0, Buffer.alloc(100)),
    says: ADVICE,
  },
  {
    name: 'has a page of noise',
    end: 'end',
    damage: ({ db }) => overwrite(db, 2 * PAGE, Buffer.alloc(PAGE, 0xa5)),
    says: ADVICE,
  },
  {
    name: 'was emptied beside its log',
    end: 'kill9',
    damage: ({ db }) => truncateSync(db, 0),
    says: ADVICE,
  },
  {
    name: 'lost its log',
    end: 'kill9',
    damage: ({ wal }) => rmSync(wal),
    says: /canaryd\.db-wal is gone/,
  },
  {
    name: 'is the database of another program',
    end: 'end',
    damage: ({ db }) => {
      rmSync(db);
      const other = new DatabaseSync(db);
      other.exec('CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES (1)');
      other.close();
    },
    says: /is a database of another program.*left untouched/,
  },
  {
    name: 'is no database at all',
    end: 'end',
    damage: ({ db }) => writeFileSync(db, 'watches:\n- shop\n'.repeat(500)),
    says: ADVICE,
  },
];

const root = mkdtempSync(join(tmpdir(), 'canaryd-damage-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Folders of a daemon with an open watch, once killed and once ended in order. */
beforeAll(async () => {
  const lane = await openLane(FILE);
  aSite(lane, 'before');
  await started(lane, 'before');
  await lane.canaryd.kill9();
  cpSync(lane.canaryd.folder, join(root, 'kill9'), { recursive: true });
  await lane.canaryd.start();
  await lane.canaryd.end();
  cpSync(lane.canaryd.folder, join(root, 'end'), { recursive: true });
  await lane.close();
});

describe('canaryd refuses to start on a journal that', () => {
  it.for(REFUSALS)(
    '$name, with code 2, and leaves it as it is',
    async ({ name, end, damage, says }) => {
      const folder = join(root, name.replaceAll(' ', '-'));
      cpSync(join(root, end), folder, { recursive: true });
      damage(pathsIn(folder));
      const left = filesIn(folder);
      const refused = await serve(folder);
      expect(refused.said).toMatch(says);
      expect(refused.code).toBe(2);
      expect(filesIn(folder)).toEqual(left);
    },
  );
});

/** What a power cut may leave at the end of the log: a frame that was begun and never committed. */
function tear({ wal }: Paths, ending: 'half a frame' | 'a whole frame that does not add up'): void {
  const { size } = statSync(wal);
  const last = readFileSync(wal).subarray(size - WAL_FRAME, size);
  overwrite(wal, size, ending === 'half a frame' ? last.subarray(0, 2_000) : Buffer.from(last));
}

describe('canaryd starts on a journal whose log ends in the middle of a write', () => {
  it('with all that was acknowledged, and goes on', { timeout: 40_000 }, async () => {
    const lane = await openLane(FILE);
    onTestFinished(() => lane.close());
    const site = aSite(lane, 'torn');
    const id = await started(lane, 'torn');
    for (const ending of ['half a frame', 'a whole frame that does not add up'] as const) {
      await lane.canaryd.kill9();
      const paths = pathsIn(lane.canaryd.folder);
      expect((statSync(paths.wal).size - WAL_HEADER) % WAL_FRAME).toBe(0);
      tear(paths, ending);
      await lane.canaryd.start();
      expect((await lane.canaryd.watch(id)).phase).toBe('watching');
    }
    site.isBad = true;
    await expect
      .poll(async () => (await lane.canaryd.watch(id)).verification, { timeout: 20_000 })
      .toBe('confirmed');
    const expected = { environment: 'torn', isBad: true, heals: true, acknowledged: id };
    const reach = { ...lane, url: lane.canaryd.url };
    expect((await check(reach, expected)).problems).toEqual([]);
  });
});

/** Rows of the watch's policy continue on pages of their own: the first one's link is broken. */
function breakChainOf(path: string, marker: string): void {
  const bytes = readFileSync(path);
  const at = bytes.indexOf(marker);
  if (at < 0) throw new Error(`${marker} is not in the file`);
  overwrite(path, Math.floor(at / PAGE) * PAGE, Buffer.alloc(4, 0xee));
}

/** Beyond this size a start does not read the whole file. */
function pad(path: string): void {
  const db = new DatabaseSync(path);
  db.exec('CREATE TABLE padding (empty BLOB) STRICT');
  db.exec('INSERT INTO padding VALUES (zeroblob(66000000))');
  db.close();
}

/** A policy that needs several pages, with the marker somewhere in the middle. */
function longPolicy(marker: string): Readonly<Record<string, unknown>> {
  const gauge = { metric: 'shop_failures' };
  const more = Array.from({ length: 40 }, (_, index) => `more_${index}`);
  const indicators = more.map((id, index) => [id, { title: index === 20 ? marker : id, gauge }]);
  const stop = { failures: { above: 0 } };
  const warn = Object.fromEntries(more.map((id) => [id, { above: 9 }]));
  return {
    indicators: {
      failures: { title: 'Failures', gauge },
      ...Object.fromEntries(indicators),
    },
    windows: [{ name: 'immediate', until: '30s', stop, warn }],
  };
}

describe('canaryd, on a journal with a bad page that only shows while it runs', () => {
  it('names it, judges nothing by it, and watches the others', {
    timeout: 60_000,
  }, async () => {
    const marker = 'a-title-on-a-page-of-its-own';
    const lane = await openLane(FILE, longPolicy(marker));
    onTestFinished(() => lane.close());
    const hurt = aSite(lane, 'hurt');
    const sound = aSite(lane, 'sound');
    const id = await started(lane, 'hurt');
    await lane.canaryd.end();
    const { db } = pathsIn(lane.canaryd.folder);
    pad(db);
    breakChainOf(db, marker);
    await lane.canaryd.start();
    const other = await started(lane, 'sound');
    hurt.isBad = true;
    sound.isBad = true;
    await expect
      .poll(async () => (await lane.canaryd.watch(other)).verification, { timeout: 20_000 })
      .toBe('confirmed');
    const keys = new Set(lane.receiver.requests.map((request) => request.id));
    expect([...keys].toSorted()).toEqual([`${other}-disarm`, `${other}-rollback`]);
    expect(lane.canaryd.log()).toMatch(/canaryd\.db: the file is damaged/);
    const shown = await lane.canaryd.get(`/v1/watches/${id}`);
    expect(shown.status).toBeGreaterThanOrEqual(500);
  });
});
