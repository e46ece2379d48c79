// A journal that moves: every read is the same before and after, in both directions, and a file
// that is cut off, altered or too new is refused with nothing written.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportJournal, importJournal } from '../../src/journal/backup.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { type JournalConfig, openArchive, openJournal } from '../../src/journal/open.ts';
import {
  aDeploy,
  aMessage,
  aMessageDelivery,
  anActionDelivery,
  aTick,
  aTrack,
  someEvidence,
  stopped,
  T0,
} from '../support/build.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '../support/postgres.ts';
import { create, next } from './contract.ts';
import { aGateMessage, aGateRecord, aSignOff } from './gate-contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'canaryd-backup-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let places = 0;
function sqlite(): JournalConfig {
  places += 1;
  return { sqlite: { path: join(folder, `${places}.db`) } };
}

async function exported(config: JournalConfig): Promise<string> {
  await using archive = await openArchive(config, 'dump');
  let text = '';
  await exportJournal(archive, async (part) => {
    text += part;
  });
  return text;
}

async function* inChunks(text: string): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += 1_000) yield text.slice(at, at + 1_000);
}

async function imported(config: JournalConfig, text: string) {
  await using archive = await openArchive(config, 'restore');
  return await importJournal(archive, inChunks(text));
}

const WATCHES = 450;

/** Every kind of row and of value, out of the order in which ids sort. */
async function fill(config: JournalConfig): Promise<void> {
  await using journal = await openJournal(config);
  const critical = { kind: 'message', channel: 'oncall', message: aMessage() } as const;
  const info = { ...critical, message: aMessage({ severity: 'info' }) };
  const deploy = aDeploy({ service: `o'hara "é" 🚀`, parameters: { '~': '~', n: -0 } });
  const odd = create('w_Z', { deliveries: [aMessageDelivery('m_1', 'w_Z', { content: info })] });
  await journal.append([
    { ...odd, ...(odd.create && { create: { ...odd.create, deploy, idempotencyKey: 'run 7' } }) },
    create('w_a', { deliveries: [aMessageDelivery('m_2', 'w_a', { content: critical })] }),
    create('w_B'),
  ]);
  const evidence = someEvidence({ value: Number.NaN, baseline: -0, detail: '~NaN \0 \u2028' });
  await journal.append([
    next('w_Z', 1, {
      events: [{ type: 'condition.warned', evidence }],
      tick: { tick: aTick(T0), track: aTrack(T0), previousAtMs: null },
    }),
    next('w_a', 1, {
      events: [stopped()],
      deliveries: [anActionDelivery('disarm', 'w_a'), anActionDelivery('rollback', 'w_a')],
      phase: 'stopped',
      isActive: true,
    }),
  ]);
  await journal.startAttempt('w_a.disarm', 1, T0, 'r_1');
  await journal.startAttempt('w_a.rollback', 1, T0, 'r_1');
  const outcome = { attempt: 1, notBeforeMs: T0, reason: 'ok', detail: 'HTTP 202' } as const;
  await journal.append([
    next('w_a', 2, {
      updates: [{ id: 'w_a.disarm', state: 'delivered', ...outcome, receipt: '{"ts":"1"}' }],
      phase: 'stopped',
      isActive: true,
    }),
  ]);
  for (let index = 0; index < WATCHES; index += 1) {
    const id = `w_${(index * 7_919) % 1_000}x`;
    await journal.append([create(id), next(id, 1, { tick: tickOf(id) })]);
  }
  await fillGates(journal);
  await journal.setHold({ by: 'ann', reason: 'moving', sinceMs: T0 });
}

const DECISIONS = 25;

/** More decisions than are in memory at a time; messages in each state. */
async function fillGates(journal: Journal): Promise<void> {
  await journal.addSignOff(aSignOff({ note: 'o"hara \0', atMs: T0 + 9 }));
  await journal.addSignOff(aSignOff({ isWithdrawn: true, via: 'oncall' }));
  for (let index = 0; index < DECISIONS; index += 1) {
    const id = `g_${(index * 7) % DECISIONS}`;
    const messages = ['oncall', 'devs'].map((channel) => aGateMessage(id, channel));
    await journal.addGateRecord(aGateRecord(id), messages);
  }
  await journal.startGateAttempt('g_1.devs', 1, T0);
  const outcome = { attempt: 1, notBeforeMs: T0, reason: 'timeout', detail: 'late' } as const;
  await journal.endGateAttempt({ id: 'g_1.devs', state: 'gave_up', ...outcome });
  await journal.startGateAttempt('g_2.devs', 1, T0);
}

const tickOf = (id: string) => ({
  tick: aTick(T0 + id.length, { [id]: { kind: 'value', value: Number.POSITIVE_INFINITY } }),
  track: aTrack(T0 + id.length),
  previousAtMs: null,
});

/** Every read of the interface. */
async function allOf(config: JournalConfig) {
  await using journal = await openJournal(config);
  const watches = await journal.watches({ limit: 1_000 });
  return {
    watches,
    paged: await journal.watches({ limit: 20, beforeId: 'w_B' }),
    keyed: await journal.watchByIdempotencyKey('run 7'),
    active: await journal.activeIds(1_000),
    counts: await journal.counts(),
    hold: await journal.hold(),
    pending: await journal.pendingDeliveries(99),
    actions: await journal.pendingDeliveries(99, 'action'),
    messages: await journal.pendingDeliveries(99, 'message'),
    signOffs: await journal.signOffs({ gate: 'testnet', limit: 99 }),
    decisions: await journal.gateRecords({ limit: 99 }),
    told: await journal.gateMessages('g_1'),
    untold: await journal.pendingGateMessages(99),
    parts: await Promise.all(watches.map(({ id }) => partsOf(journal, id))),
  };
}

async function partsOf(journal: Journal, id: string) {
  return [
    await journal.watch(id),
    await journal.events(id),
    await journal.deliveries(id),
    await journal.ticks(id, 0, T0 * 2, 99),
  ];
}

describe('an export', () => {
  test('is the same again after it was imported elsewhere', async () => {
    const [from, to] = [sqlite(), sqlite()];
    await fill(from);
    const text = await exported(from);
    const counts = await imported(to, text);
    expect(counts).toMatchObject({ watches: WATCHES + 3, deliveries: 4, settings: 1 });
    expect(counts).toMatchObject({ gate_sign_offs: 2, gate_records: 25, gate_messages: 50 });
    expect(await exported(to)).toBe(text);
    expect(await allOf(to)).toEqual(await allOf(from));
  });

  test('is written beside a daemon that runs, and shows one moment', async () => {
    const config = sqlite();
    await using journal = await openJournal(config);
    await journal.append([create('w_1'), create('w_2')]);
    await using archive = await openArchive(config, 'dump');
    const rows: string[] = [];
    await exportJournal(archive, async (line) => {
      rows.push(line);
      await journal.append([create(`later_${rows.length}`)]);
    });
    // What came before the first row is in it.
    expect(rows.at(-1)).toContain('{"end":{"watches":3,"events":3,');
  });

  test('of the time before gates is read as ever', async () => {
    const from = sqlite();
    await using journal = await openJournal(from);
    await journal.append([create('w_1')]);
    const gates = /,"gate_sign_offs":0,"gate_records":0,"gate_messages":0/;
    const now = await exported(from);
    const before = now.replace('{"canaryd_journal":2}', '{"canaryd_journal":1}').replace(gates, '');
    expect(before).not.toContain('gate_');
    const to = sqlite();
    expect(await imported(to, before)).toMatchObject({ watches: 1, gate_records: 0 });
    expect(await exported(to)).toBe(now);
  });

  const MOVED = [
    ['signature', '{"gate_sign_offs":{"ordinal":1,"gate":"live",', 'gate: it is another one'],
    ['decision', '"decision":"go","received_at_ms"', 'decision: it is another one'],
  ] as const;

  test.each(MOVED)('with a %s that says something else is refused', async (_what, put, words) => {
    const from = sqlite();
    await using journal = await openJournal(from);
    await fillGates(journal);
    const place = put.replace('"live"', '"testnet"').replace('"go"', '"no_go"');
    const text = (await exported(from)).replace(place, put);
    await expect(imported(sqlite(), text)).rejects.toThrow(`${words} in the body`);
  });

  async function onlyGates(to: () => JournalConfig): Promise<void> {
    const from = sqlite();
    const [signed, decided] = [to(), to()];
    await using empty = await openJournal(from);
    await empty.append([create('w_1')]);
    const text = await exported(from);
    await (async () => {
      await using journal = await openJournal(signed);
      await journal.addSignOff(aSignOff());
      await using other = await openJournal(decided);
      await other.addGateRecord(aGateRecord('g_1'), []);
    })();
    await expect(imported(signed, text)).rejects.toThrow('or decisions of gates');
    await expect(imported(decided, text)).rejects.toThrow('or decisions of gates');
  }

  test('is not imported into a journal that holds what is kept of gates', async () => {
    await onlyGates(sqlite);
  });

  const REFUSED: readonly (readonly [string, (lines: string[]) => string[], string])[] = [
    ['cut off', (lines) => lines.slice(0, -1), 'without its last line'],
    ['empty', () => [], 'it ends after line 0'],
    ['short of a line', (lines) => lines.toSpliced(3, 1), 'counts other rows than there are'],
    [
      'short of an event, with the count mended',
      (lines) =>
        lines
          .filter((line) => !line.includes('"seq":1'))
          .map((line) => line.replace('"events":3', '"events":1')),
      'events of watch w_1 are missing',
    ],
    ['cut inside a line', (lines) => lines.with(2, '{"watches"'), 'line 3: it is no JSON object'],
    ['longer than its end', (lines) => [...lines, '{"x":1}'], 'comes after the end'],
    ['of a newer canaryd', (lines) => lines.with(0, '{"canaryd_journal":99}'), 'newer canaryd'],
    ['something else', (lines) => lines.with(0, '{"a":1}'), 'its first line is not that'],
    [
      'with an altered policy',
      (lines) => lines.with(1, lines[1]?.replace('"policy":{', '"policy":{"name":7,"x":{') ?? ''),
      'line 2:',
    ],
    [
      'with a field of the wrong kind',
      (lines) => lines.with(1, lines[1]?.replace('"revision":2', '"revision":"2"') ?? ''),
      'line 2: watches.revision: wanted integer; nothing was imported',
    ],
    [
      'with a field too many',
      (lines) => lines.with(1, lines[1]?.replace('"ordinal"', '"colour":1,"ordinal"') ?? ''),
      'line 2: watches: unknown field colour',
    ],
    [
      'out of order',
      (lines) => lines.toSpliced(2, 1).toSpliced(4, 0, lines[2] ?? ''),
      'line 5: watches out of order',
    ],
  ];

  async function refusals(to: () => JournalConfig) {
    const from = sqlite();
    await using journal = await openJournal(from);
    const event = { type: 'watch.resumed', awayMs: 1 } as const;
    await journal.append([create('w_1'), next('w_1', 1, { events: [event] }), create('w_2')]);
    const lines = (await exported(from)).trimEnd().split('\n');
    const told: [string, string][] = [];
    const target = to();
    for (const [name, spoil] of REFUSED) {
      const spoilt = spoil(lines).join('\n');
      const error: unknown = await imported(target, spoilt).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name: 'CanarydError', code: 'journal_failed' });
      told.push([name, (error as Error).message]);
    }
    // The last one is good: nothing of the others was kept.
    expect(await imported(target, lines.join('\n'))).toMatchObject({ watches: 2, events: 3 });
    await expect(imported(target, lines.join('\n'))).rejects.toThrow('there are watches in it');
    return told;
  }
  const wanted = REFUSED.map(([name, , words]) => [name, expect.stringContaining(words)]);

  test('that is damaged, foreign or too new is refused by SQLite, and nothing is kept', async () => {
    expect(await refusals(sqlite)).toEqual(wanted);
  });

  describe.runIf(hasPostgres())('between SQLite and PostgreSQL', () => {
    let server: PostgresServer;
    beforeAll(async () => {
      server = await startPostgres();
    });
    afterAll(() => server?.stop());

    function postgres(): JournalConfig {
      places += 1;
      return { postgres: { url: server.url, password: null, schema: `s${places}` } };
    }

    test('reads the same everywhere, there and back, and goes on from there', async () => {
      const [first, second, third] = [sqlite(), postgres(), sqlite()];
      await fill(first);
      const text = await exported(first);
      await imported(second, text);
      expect(await exported(second)).toBe(text);
      const reads = await allOf(first);
      expect(await allOf(second)).toEqual(reads);

      await using journal = await openJournal(second);
      const more = create('w_more', { deliveries: [aMessageDelivery('m_more', 'w_more')] });
      expect(await journal.append([more])).toBe('appended');
      expect((await journal.pendingDeliveries(99)).at(-1)?.id).toBe('m_more');
      await journal.addSignOff(aSignOff({ name: 'Zoe' }));
      expect((await journal.signOffs({ gate: 'testnet', limit: 9 })).at(-1)?.name).toBe('Zoe');
      await journal.addGateRecord(aGateRecord('g_more'), [aGateMessage('g_more', 'oncall')]);
      expect((await journal.gateRecords({ limit: 9 }))[0]?.id).toBe('g_more');
      expect((await journal.pendingGateMessages(99)).at(-1)?.id).toBe('g_more.oncall');

      await imported(third, text);
      expect(await exported(third)).toBe(text);
      expect(await allOf(third)).toEqual(reads);
    });

    test('that is damaged, foreign or too new is refused, and nothing is kept', async () => {
      expect(await refusals(postgres)).toEqual(wanted);
    });

    test('is not imported into a journal that holds what is kept of gates', async () => {
      await onlyGates(postgres);
    });

    test('is one moment of a journal that is written meanwhile', async () => {
      const config = postgres();
      await using journal = await openJournal(config);
      await journal.append([create('w_1'), create('w_2')]);
      await using archive = await openArchive(config, 'dump');
      const rows: string[] = [];
      await exportJournal(archive, async (line) => {
        rows.push(line);
        await journal.append([create(`later_${rows.length}`)]);
      });
      // What came before the first row is in it.
      expect(rows.at(-1)).toContain('{"end":{"watches":3,"events":3,');
    });

    test('is not imported under a canaryd that runs', async () => {
      const [from, to] = [sqlite(), postgres()];
      await fill(from);
      await using journal = await openJournal(to);
      await journal.announce({ id: 'r_1', takesWork: true }, 60_000);
      await expect(imported(to, await exported(from))).rejects.toThrow(
        'a canaryd is running on it',
      );
    });
  });
});
