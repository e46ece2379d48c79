// Logs on a real disk, read as a watch reads them. Times are those that the events carry.
import {
  appendFile,
  copyFile,
  mkdir,
  open,
  rename,
  rm,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { READ_BYTES_MAX } from '../../src/source/audit-log/follower.ts';
import { TAIL_BYTES_MAX } from '../../src/source/audit-log/log-file.ts';
import { counts, event, following, lines, untraced } from '../support/audit-log.ts';
import { T0 } from '../support/build.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

describe('an audit log', () => {
  it('gives the share of events without a trace, with the counts behind it', async () => {
    const log = await following();
    await writeFile(
      log.path,
      lines(event(1_000), untraced(2_000), event(3_000, { trace_id: null }), event(4_000)),
    );
    expect(await log.read(5_000)).toEqual({
      ...{ kind: 'value', value: 0.5, rangeMs: 5_000, shortened: true },
      ...{ counts: { part: 2, total: 4 }, sinceDeploy: { part: 2, total: 4 } },
    });
  });

  it('counts no event from before the deploy, and none from after the query time', async () => {
    const log = await following();
    await writeFile(log.path, lines(untraced(-1), event(0), untraced(5_001), event(5_000)));
    expect(await log.read(5_000)).toMatchObject(counts(0, 2));
    expect(await log.read(6_000)).toMatchObject(counts(1, 3));
  });

  it('reads the time before the deploy for a baseline', async () => {
    const log = await following();
    await writeFile(log.path, lines(untraced(-50_000), event(-40_000), event(1_000)));
    const [now, before] = await Promise.all([
      log.read(5_000),
      log.read(-10_000, { deployedAtMs: null }),
    ]);
    expect(now).toMatchObject(counts(0, 1));
    expect(before).toMatchObject(counts(1, 2));
  });

  it('forgets what has left the range', async () => {
    const log = await following();
    await writeFile(log.path, lines(untraced(1_000)));
    expect(await log.read(5_000)).toMatchObject(counts(1, 1));
    await appendFile(log.path, lines(event(70_000)));
    expect(await log.read(80_000)).toMatchObject({
      ...counts(0, 1),
      sinceDeploy: { part: 1, total: 2 },
    });
  });

  it('counts only the types that are asked for', async () => {
    const trace = { id: '/ctx/trace', type: 'kind', of: ['trade'] };
    const log = await following({ trace });
    const trade = { kind: 'trade', trace_id: undefined };
    await writeFile(
      log.path,
      lines(
        event(1_000, { ...trade, ctx: { trace: 'a' } }),
        event(1_000, trade),
        event(1_000, { kind: 'heartbeat' }),
      ),
    );
    expect(await log.read(5_000)).toMatchObject(counts(1, 2));
  });

  it('counts what is no valid event, by the same rules as the gate', async () => {
    const log = await following({
      bad: 'invalid',
      trace: null,
      schema: 'schema.json',
      numbers: ['price'],
    });
    const schema = { type: 'object', required: ['trace_id'] };
    await writeFile(log.at('schema.json'), JSON.stringify(schema));
    await writeFile(
      log.path,
      lines(
        event(1_000),
        event(1_000, { trace_id: undefined }),
        event(1_000, { price: '1.50' }),
        event(1_000, { qty: 'Decimal("1")' }),
        '{"ts": NaN}',
        'not json',
      ),
    );
    expect(await log.read(5_000)).toMatchObject(counts(5, 6));
  });

  it('dates what has no time by the line before, and never by the old version', async () => {
    const log = await following({ bad: 'invalid', trace: null });
    await writeFile(log.path, lines('broken', event(-5_000), 'broken', event(1_000), 'broken'));
    expect(await log.read(2_000)).toMatchObject(counts(1, 2));
    await appendFile(log.path, lines('broken', '{"ts":"soon"}'));
    expect(await log.read(4_000)).toMatchObject(counts(3, 4));
  });

  it('takes a time far in the future for none', async () => {
    const log = await following({ bad: 'invalid', trace: null });
    await writeFile(log.path, lines(event(1_000), event(3_600_000)));
    expect(await log.read(5_000)).toMatchObject(counts(1, 2));
  });

  it('goes on from the counts of an earlier process', async () => {
    const log = await following();
    await writeFile(log.path, lines(untraced(1_000), event(2_000)));
    await log.read(3_000);
    await appendFile(log.path, lines(event(4_000)));
    log.restart();
    const previous = { trail: { atMs: T0 + 3_000, counts: { part: 1, total: 2 } } };
    expect(await log.read(5_000, { previous })).toMatchObject({
      ...counts(1, 3),
      sinceDeploy: { part: 1, total: 3 },
    });
  });
});

describe('a log that is written', () => {
  it('is read on: each event once, and a torn line when its rest has come', async () => {
    const log = await following();
    const torn = untraced(3_000);
    await writeFile(log.path, `${lines(event(1_000))}${torn.slice(0, 20)}`);
    expect(await log.read(2_000)).toMatchObject(counts(0, 1));
    expect(await log.read(3_000)).toMatchObject(counts(0, 1));
    await appendFile(log.path, `${torn.slice(20)}\n${lines(event(3_500))}`);
    expect(await log.read(4_000)).toMatchObject(counts(1, 3));
    expect(await log.read(5_000)).toMatchObject(counts(1, 3));
  });

  it('is read to its end when it was renamed away', async () => {
    const log = await following();
    await writeFile(log.path, lines(event(1_000)));
    await log.read(2_000);
    await appendFile(log.path, lines(untraced(2_500)));
    await rename(log.path, log.at('events.jsonl.1'));
    // Between the two there is no file for a moment.
    expect(await log.read(3_000)).toMatchObject(counts(1, 2));
    await writeFile(log.path, lines(event(3_500)));
    await appendFile(log.at('events.jsonl.1'), lines(untraced(3_400)));
    expect(await log.read(4_000)).toMatchObject(counts(2, 4));
    await appendFile(log.path, lines(event(4_500)));
    expect(await log.read(5_000)).toMatchObject(counts(2, 5));
  });

  it('is read from its beginning when it was truncated, also when it has grown since', async () => {
    const log = await following();
    await writeFile(log.path, lines(event(1_000), event(1_100)));
    await log.read(2_000);
    await truncate(log.path, 0);
    await appendFile(log.path, lines(untraced(2_500)));
    expect(await log.read(3_000)).toMatchObject(counts(1, 3));
    await truncate(log.path, 0);
    await appendFile(log.path, lines(event(3_100), event(3_200), untraced(3_300), event(3_400)));
    expect(await log.read(4_000)).toMatchObject(counts(2, 7));
  });

  it('is not counted twice when a copy takes its place', async () => {
    const log = await following();
    await writeFile(log.path, lines(untraced(1_000), event(1_100)));
    await log.read(2_000);
    await copyFile(log.path, log.at('copy'));
    await appendFile(log.at('copy'), lines(event(2_500)));
    await rename(log.at('copy'), log.path);
    expect(await log.read(3_000)).toMatchObject(counts(1, 3));
  });

  it('may begin anew for each session: the one written last is read', async () => {
    const log = await following({ report: 'session_*/events.jsonl' });
    for (const name of ['session_9', 'session_10']) await mkdir(log.at(name));
    await writeFile(log.at('session_9/events.jsonl'), lines(untraced(1_000)));
    await utimes(log.at('session_9/events.jsonl'), T0 / 1_000, T0 / 1_000);
    expect(await log.read(2_000)).toMatchObject(counts(1, 1));
    await writeFile(log.at('session_10/events.jsonl'), lines(event(2_500)));
    expect(await log.read(3_000)).toMatchObject(counts(1, 2));
    await utimes(log.at('session_9/events.jsonl'), T0 / 1_000, 4e9);
    expect(await log.read(4_000)).toMatchObject(counts(1, 2));
  });

  it('may come back after it was given up: it is not counted again', async () => {
    const log = await following({ report: '*.jsonl', overMs: 10 * MINUTE });
    const written = (name: string, atMs: number) => utimes(log.at(name), atMs, atMs / 1_000);
    for (const index of [0, 1, 2, 3, 4, 5, 6]) {
      await writeFile(log.at(`${index}.jsonl`), lines(untraced(1_000 + index)));
      await written(`${index}.jsonl`, T0 + index * SECOND);
      expect(await log.read(2_000 + index)).toMatchObject(counts(index + 1, index + 1));
    }
    expect(await log.read(3 * MINUTE)).toMatchObject(counts(7, 7));
    await appendFile(log.at('0.jsonl'), lines(event(3_000)));
    await written('0.jsonl', T0 + MINUTE);
    expect(await log.read(5 * MINUTE)).toMatchObject(counts(7, 8));
  });
});

describe('a log that cannot be judged', () => {
  const blind = (reason: string, ...words: readonly string[]) => ({
    kind: 'blind',
    reason,
    detail: expect.stringMatching(new RegExp(words.join('.*'))),
  });

  it('is missing: no_series, and good as soon as it is there', async () => {
    const log = await following();
    expect(await log.read(1_000)).toMatchObject(blind('no_series', 'events.jsonl is missing'));
    await writeFile(log.path, lines(event(1_500)));
    expect(await log.read(2_000)).toMatchObject(counts(0, 1));
  });

  it('has gone: a minute later it is missing', async () => {
    const log = await following();
    await writeFile(log.path, lines(event(1_000)));
    await log.read(2_000);
    await rm(log.path);
    expect(await log.read(30_000)).toMatchObject(counts(0, 1));
    expect(await log.read(70_000)).toMatchObject(blind('no_series', 'is missing'));
  });

  it.each([
    ['no match', { report: 'session_*/x.jsonl' }, blind('no_series', 'no file matches')],
    ['a path that the deploy cannot fill', { report: '' }, blind('rejected', 'path of the log')],
    ['a folder', { report: '.' }, blind('no_series', 'no regular file')],
    ['no schema', { schema: 'none.json' }, blind('rejected', 'none.json is missing')],
  ])('%s', async (_, over, wanted) => {
    const log = await following(over);
    await writeFile(log.path, lines(event(1_000)));
    expect(await log.read(2_000)).toMatchObject(wanted);
  });

  it.each([
    ['empty', '', blind('no_series', 'no event with a time at ts')],
    ['of the old version', lines(event(-9_000)), blind('stale', 'from before the deploy, 14s old')],
    ['few', lines(event(1_000)), blind('too_few', '1 of at least 2 events in 5s')],
    ['of no events', lines(event(1), 'x', 'x'), blind('too_few', '1 of at least 2', '2 lines are')],
    ['compressed', Buffer.from([0x1f, 0x8b, 8, 0]), blind('rejected', 'is compressed')],
  ])('%s', async (_, content, wanted) => {
    const log = await following({ minTotal: 2 });
    await writeFile(log.path, content);
    expect(await log.read(5_000)).toMatchObject(wanted);
  });

  it('is old: after max_age, else when nothing is left in the range', async () => {
    const [strict, lax] = [await following({ maxAgeMs: 10_000 }), await following()];
    for (const { path } of [strict, lax]) await writeFile(path, lines(event(1_000)));
    expect(await strict.read(20_000)).toMatchObject(blind('stale', '19s old, at most 10s'));
    expect(await lax.read(20_000)).toMatchObject(counts(0, 1));
    expect(await lax.read(90_000)).toMatchObject(blind('stale', '1m29s old, at most 1m'));
  });

  it('waits for a whole range where the policy says so', async () => {
    const log = await following({ early: 'wait' });
    await writeFile(log.path, lines(event(1_000)));
    expect(await log.read(20_000)).toMatchObject(blind('too_early', 'waits 40s more'));
  });

  it('is on a disk that hangs: nothing waits for it, and it is read when it answers', async () => {
    let isPatient = false;
    const sleep = () => (isPatient ? new Promise<void>(() => {}) : Promise.resolve());
    const log = await following({}, sleep);
    await writeFile(log.path, lines(event(1_000)));
    expect(await log.read(2_000)).toMatchObject(blind('unreachable', 'not read within 2 s'));
    expect(await log.read(3_000)).toMatchObject(blind('unreachable', 'not read within 2 s'));
    isPatient = true;
    expect(await log.read(4_000)).toMatchObject(counts(0, 1));
  });

  it('shows no piece of a line', async () => {
    const log = await following({ bad: 'invalid', trace: null, minTotal: 99 });
    await writeFile(
      log.path,
      lines('hunter2', '{"password":"hunter2"', event(1, { a: 'hunter2' })),
    );
    expect(JSON.stringify(await log.read(2_000))).not.toContain('hunter2');
  });
});

describe('a hostile log', () => {
  it('may hold lines without an end: one invalid line each, however long', async () => {
    const log = await following({ bad: 'invalid', trace: null });
    await writeFile(log.path, `${lines(event(1_000))}${'x'.repeat(3_000_000)}`);
    expect(await log.read(2_000)).toMatchObject(counts(1, 2));
    await appendFile(log.path, `${'y'.repeat(3_000_000)}\n${lines(event(2_500))}`);
    expect(await log.read(3_000)).toMatchObject(counts(1, 3));
  });

  it('may be deep, no UTF-8, or have fields of objects', async () => {
    const log = await following({ bad: 'invalid', trace: null });
    const deep = `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    const bytes = Buffer.concat([Buffer.from([0xc3, 0x28, 10]), Buffer.from(lines(deep))]);
    await writeFile(log.path, lines(event(1_000, { constructor: 1 }), '{"__proto__":{"ts":1}}'));
    await appendFile(log.path, bytes);
    expect(await log.read(2_000)).toMatchObject(counts(3, 4));
  });

  it('of 100 MB is read back only as far as it is asked for', async () => {
    const log = await following();
    const handle = await open(log.path, 'w');
    const old = lines(...Array.from({ length: 8_000 }, () => event(-3 * 3_600_000)));
    for (let size = 0; size < 100_000_000; size += old.length) await handle.write(old);
    await handle.write(lines(untraced(1_000), event(2_000)));
    await handle.close();
    expect(await log.read(5_000)).toMatchObject(counts(1, 2));
  });

  it('of 100 MB within the range is blind until what was left out has left the range', async () => {
    const log = await following();
    const handle = await open(log.path, 'w');
    const filler = 'x'.repeat(10_000);
    const part = (sinceMs: number) =>
      lines(...Array.from({ length: 100 }, () => event(sinceMs, { filler })));
    for (let since = 0; since < 100; since += 1) await handle.write(part(since * 100));
    await handle.close();
    // A line that is torn by the bound of one reading is read again by the next one.
    for (let read = 0; read * READ_BYTES_MAX < TAIL_BYTES_MAX; read += 1) {
      expect(await log.read(10_000 + read)).toMatchObject(blindOf('not read to its end'));
    }
    expect(await log.read(11_000)).toMatchObject(blindOf('too large to be read back'));
    await appendFile(log.path, lines(event(64_000)));
    expect(await log.read(65_000)).toMatchObject({ kind: 'value', value: 0 });
  });

  const blindOf = (words: string) => ({
    ...{ kind: 'blind', reason: 'unreachable' },
    detail: expect.stringContaining(words),
  });
});
