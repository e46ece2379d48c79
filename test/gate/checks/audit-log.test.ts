import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { carriedOut, problemsOf } from '../../support/gate-check.ts';
import { age, folderWith } from '../../support/report-folder.ts';

const SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  required: ['event_type', 'ts', 'trace_id'],
  properties: {
    event_type: { type: 'string', pattern: '^[A-Z_]+$' },
    side: { type: 'string', pattern: '^(buy|sell)$' },
    ts: { type: 'string', format: 'date-time' },
    price: { $ref: '#/$defs/price' },
  },
  $defs: { price: { type: 'number', exclusiveMinimum: 0 } },
};

const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
const event = (parts: object = {}, minutes = 1) => ({
  event_type: 'ORDER_SUBMIT',
  ts: ago(minutes),
  trace_id: 't1',
  order_id: 'o1',
  price: 101.5,
  ...parts,
});
const logOf = (events: readonly object[]) =>
  events.map((one) => `${JSON.stringify(one)}\n`).join('');

function judge(log: string | Uint8Array, fields: object = {}, schema: object | string = SCHEMA) {
  const folder = folderWith({
    'events.jsonl': log,
    'event.schema.json': typeof schema === 'string' ? schema : JSON.stringify(schema),
  });
  return carriedOut({ audit_log: { report: 'events.jsonl', ...fields } }, { folder });
}
const withSchema = { schema: 'event.schema.json' };

describe('the check audit_log: lines', () => {
  it('passes when each line is an event that matches, and keeps a summary', async () => {
    const result = await judge(logOf([event(), event({ event_type: 'FILL' })]), withSchema);
    expect(result).toMatchObject({ outcome: 'pass', text: '2 events, all valid', details: [] });
    expect(JSON.parse(String(result.exhibits[0]?.body))).toMatchObject({
      files: [{ path: 'events.jsonl', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }],
      events: 2,
    });
  });

  it.each([
    ['half a line', '{"event_type": "FI', 'is no JSON'],
    ['two in one line', '{"a":1}{"a":2}', 'is two events in one line'],
    ['a bare number', '7', 'is no JSON object'],
    ['zero bytes after a crash', '\0\0\0\0', 'holds zero bytes, as after a crash'],
    ['a text of people', '2026-11-22 INFO started', 'is no JSON'],
    ['nested without end', `{"a":${'['.repeat(50_000)}`, 'is no JSON'],
  ])('corrupt: %s', async (_, line, reason) => {
    const result = await judge(`${logOf([event()])}${line}\n${logOf([event()])}`);
    expect(result).toMatchObject({
      outcome: 'fail',
      text: '1 line is not valid (1 no JSON), at most 0 wanted',
      details: [`events.jsonl:2: ${reason}`],
    });
  });

  it('corrupt: bytes that are no UTF-8, and a line that is too long', async () => {
    const bytes = Buffer.concat([
      Buffer.from(logOf([event()])),
      Buffer.from([0xff, 0xfe, 0x80, 10]),
      Buffer.from(`{"a":"${'x'.repeat(1_000_000)}"}\n`),
      Buffer.from(logOf([event()])),
    ]);
    const reason = 'is not UTF-8, or longer than 1 MB';
    expect((await judge(bytes)).details).toEqual([
      `events.jsonl:2: ${reason}`,
      `events.jsonl:3: ${reason}`,
    ]);
  });

  it.each([
    ['NaN', '{"price": NaN}', 'holds NaN or Infinity, which is no JSON'],
    ['-Infinity in a list', '{"price": [1, -Infinity]}', 'holds NaN or Infinity'],
    ['a bare Decimal', '{"price": Decimal("1.5")}', 'holds a Decimal'],
    ['NaN as text', '{"fill": {"price": "NaN"}}', 'price holds a number that is none as text'],
    ['a Decimal as text', '{"fills": [{"p": "Decimal(\'1.5\')"}]}', 'p holds a Decimal as text'],
    ['an object', '{"o": "<aurora.Order object at 0x7f1c>"}', 'o holds an object of Python'],
    ['a number in quotes', '{"price": "101.50"}', 'price is a text; a number is wanted'],
  ])('serialized wrong: %s', async (_, line, reason) => {
    const result = await judge(`${line}\n`, { numbers: ['price'], events_min: 1 });
    expect(result.outcome).toBe('fail');
    expect(result.text).toContain('1 line is not valid (1 serialized wrong), at most 0 wanted');
    expect(result.details.join('\n')).toContain(reason);
  });

  it.each([
    [
      'a field is missing',
      { trace_id: undefined },
      "(event) must have required property 'trace_id'",
    ],
    ['a number is text', { price: '101.5' }, '/price must be number'],
    ['a time is none', { ts: 'yesterday' }, '/ts must match format "date-time"'],
    // Two patterns of one schema are two.
    ['a pattern', { side: 'SELL' }, '/side must match pattern "^(buy|sell)$"'],
  ])('not as in the schema: %s', async (_, parts, reason) => {
    const result = await judge(logOf([event(), event(parts)]), withSchema);
    expect(result).toMatchObject({
      outcome: 'fail',
      text: '1 line is not valid (1 not as in the schema), at most 0 wanted',
      details: [`events.jsonl:2: ${reason}`],
    });
  });

  it('shows no piece of an event', async () => {
    const result = await judge('{"password": "hunter2" oops}\n{"password": NaN, "a": "hunter2"}\n');
    expect(result.outcome).toBe('fail');
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });

  it('a last line without its end is corrupt, unless somebody is writing it', async () => {
    const log = `${logOf([event()])}{"event_type": "FI`;
    expect(await judge(log)).toMatchObject({ outcome: 'fail' });
    expect(await judge(log, { live: true })).toMatchObject({
      outcome: 'pass',
      text: '1 events, all valid',
      details: ['the last line is being written: not judged'],
    });
  });

  it('a limit for lines that are not valid, in writing', async () => {
    const log = `${logOf([event()])}oops\n`;
    expect(await judge(log, { invalid_max: 1 })).toMatchObject({
      outcome: 'pass',
      text: '1 events, 1 not valid',
    });
  });
});

describe('the check audit_log: traces', () => {
  const trace = { id: 'trace_id', flow: 'order_id' };
  const order = (order_id: string, types: readonly string[], parts: object = {}) =>
    types.map((event_type) => event({ event_type, order_id, trace_id: `t-${order_id}`, ...parts }));

  it('an event of an order that names neither order nor trace is untraced', async () => {
    const none = { order_id: undefined, trace_id: undefined };
    const log = [...order('a', ['SUBMIT', 'FILL']), event({ event_type: 'HEARTBEAT', ...none })];
    expect(await judge(logOf(log), { trace })).toMatchObject({ outcome: 'pass' });
    const stray = [event({ event_type: 'FILL', ...none }), ...log];
    expect(await judge(logOf(stray), { trace })).toMatchObject({
      outcome: 'fail',
      text: '50 % of 2 flows traced, at least 100% wanted',
      details: ['events.jsonl:1: FILL without order_id and trace (1 of them)'],
    });
  });

  it('all events of a flow carry one and the same trace', async () => {
    const good = [...order('a', ['SUBMIT', 'FILL']), ...order('b', ['SUBMIT'])];
    expect(await judge(logOf(good), { trace })).toMatchObject({
      outcome: 'pass',
      text: '3 events, all valid; 100 % of 2 flows traced, at least 100% wanted',
    });
    const bad = [...good, ...order('b', ['FILL'], { trace_id: '' })];
    expect(await judge(logOf(bad), { trace })).toMatchObject({
      outcome: 'fail',
      text: '50 % of 2 flows traced, at least 100% wanted',
      details: ['flow b: an event without a trace'],
    });
    const mixed = [...good, ...order('a', ['CANCEL'], { trace_id: 'other' })];
    expect((await judge(logOf(mixed), { trace })).details).toEqual([
      'flow a: two different traces',
    ]);
  });

  it('a flow is complete when all its steps are there', async () => {
    const complete = ['SUBMIT', 'RISK', 'FILL'];
    const log = logOf([...order('a', complete), ...order('b', ['SUBMIT', 'FILL'])]);
    expect(await judge(log, { trace: { ...trace, complete } })).toMatchObject({
      outcome: 'fail',
      text: '50 % of 2 flows traced, at least 100% wanted',
      details: ['flow b: no RISK'],
    });
    const half = { ...trace, complete, at_least: '50%' };
    expect(await judge(log, { trace: half })).toMatchObject({ outcome: 'pass' });
  });

  it('almost all is not shown as all', async () => {
    const many = Array.from({ length: 20_000 }, (_, at) => event({ trace_id: `t${at}` }));
    const log = logOf([...many, event({ trace_id: null })]);
    expect((await judge(log, { trace: { id: 'trace_id' } })).text).toBe(
      '99.99 % of 20001 events traced, at least 100% wanted',
    );
  });

  it('events of other types have no flow, those of the named types must', async () => {
    const log = logOf([...order('a', ['SUBMIT']), { event_type: 'HEARTBEAT' }]);
    expect(await judge(log, { trace })).toMatchObject({ outcome: 'pass' });
    const lost = logOf([...order('a', ['SUBMIT']), { event_type: 'SUBMIT', trace_id: 't' }]);
    expect(await judge(lost, { trace: { ...trace, of: ['SUBMIT'] } })).toMatchObject({
      outcome: 'fail',
      details: ['events.jsonl:2: no order_id'],
    });
  });

  it('a flow that still goes on is not judged', async () => {
    const complete = ['SUBMIT', 'FILL'];
    const log = logOf([
      ...order('a', complete, { ts: ago(30) }),
      ...order('b', ['SUBMIT'], { ts: ago(1) }),
    ]);
    const fields = { time: 'ts', trace: { ...trace, complete, settle: '5m' } };
    expect(await judge(log, fields)).toMatchObject({ outcome: 'pass' });
    const sooner = { time: 'ts', trace: { ...trace, complete, settle: '1s' } };
    expect(await judge(log, sooner)).toMatchObject({ outcome: 'fail' });
  });

  it('no flow at all is unknown, not 100 %', async () => {
    const log = logOf([{ event_type: 'HEARTBEAT' }]);
    expect(await judge(log, { trace })).toMatchObject({
      outcome: 'unknown',
      text: '0 flows to be traced, at least 1 wanted',
    });
  });
});

describe('the check audit_log: time and size', () => {
  it('the newest event is at most so old, also when the file was copied', async () => {
    const log = logOf([event({}, 300), event({}, 90)]);
    expect(await judge(log, { time: 'ts', max_age: '1h' })).toMatchObject({
      outcome: 'fail',
      text: 'the newest event is 1h30m old, at most 1h wanted',
    });
    expect((await judge(log, { time: 'ts', max_age: '2h' })).text).toBe(
      '2 events, all valid; the newest 1h30m old',
    );
  });

  it('without a time in the events, the file counts', async () => {
    const folder = folderWith({ 'events.jsonl': logOf([event()]) });
    age(folder, 'events.jsonl', 2);
    const written = { audit_log: { report: 'events.jsonl', max_age: '1h' } };
    expect(await carriedOut(written, { folder })).toMatchObject({
      outcome: 'fail',
      text: 'the newest event is 2h old, at most 1h wanted',
    });
  });

  it('an event from the future is unknown', async () => {
    const result = await judge(logOf([event({}, -60)]), { time: 'ts', max_age: '1h' });
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain('in the future');
  });

  it('last: what is older is not judged, broken lines among it neither', async () => {
    const log = `${logOf([event({ price: 'NaN' }, 600)])}oops\n${logOf([event()])}`;
    expect(await judge(log, { time: 'ts', last: '1h' })).toMatchObject({
      outcome: 'pass',
      text: '1 events, all valid',
    });
    const late = `${log}oops\n`;
    expect(await judge(late, { time: 'ts', last: '1h' })).toMatchObject({ outcome: 'fail' });
  });

  it.each([
    ['in seconds', 1],
    ['in milliseconds', 1e3],
    ['in microseconds', 1e6],
  ])('a time as a number %s', async (_, factor) => {
    const ts = Math.floor((Date.now() / 1_000 - 600) * factor);
    const result = await judge(logOf([event({ ts })]), { time: 'ts', max_age: '5m' });
    expect(result.text).toBe('the newest event is 10m old, at most 5m wanted');
  });

  it('an event without its time is not valid', async () => {
    const result = await judge(logOf([event(), event({ ts: null })]), { time: 'ts' });
    expect(result.details).toEqual(['events.jsonl:2: has no time at ts']);
  });

  it('of a large log the end is read, and that is said', async () => {
    const old = `oops\n${logOf(Array.from({ length: 2_000 }, () => event()))}`;
    const result = await judge(`${old}${logOf([event(), event()])}`, { tail: '1kB' });
    expect(result.outcome).toBe('pass');
    expect(result.text).toMatch(/^[789] events in the last 1kB, all valid$/);
  });

  it('lines of the end count from where it begins', async () => {
    const log = `${logOf(Array.from({ length: 50 }, () => event()))}oops\n`;
    const { length } = logOf([event()]);
    // Half of the line before is in the part, too.
    const tail = `${Math.floor(length * 1.5) + 5}B`;
    expect((await judge(log, { tail })).details).toEqual([
      'events.jsonl:2: is no JSON',
      'lines count from the part that was read',
    ]);
  });

  it('flows that began before the part that is read do not count', async () => {
    const padding = logOf(Array.from({ length: 100 }, () => ({ event_type: 'HEARTBEAT' })));
    const at = (event_type: string, order_id: string) => event({ event_type, order_id });
    const log = [
      logOf([at('SUBMIT', 'a')]),
      padding,
      logOf([at('FILL', 'a'), at('SUBMIT', 'b'), at('FILL', 'b')]),
    ].join('');
    const trace = { id: 'trace_id', flow: 'order_id', complete: ['SUBMIT', 'FILL'] };
    expect((await judge(log, { trace, tail: '1kB' })).text).toContain('100 % of 1 flows traced');
    expect((await judge(log, { trace })).text).toContain('100 % of 2 flows traced');
  });
});

describe('an audit log that cannot be judged is unknown', () => {
  it.each([
    ['nothing in it', '', {}, '0 events, at least 1 wanted'],
    ['only blank lines', '\n\n', {}, '0 events, at least 1 wanted'],
    ['compressed', gzipSync(logOf([event()])), {}, 'is compressed; unpack it first'],
    ['UTF-16', Buffer.from(`\ufeff${logOf([event()])}`, 'utf16le'), {}, 'is UTF-16'],
    ['too few', logOf([event()]), { events_min: 2 }, '1 events, at least 2 wanted'],
  ])('%s', async (_, log, fields, reason) => {
    const result = await judge(log, fields);
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain(reason);
  });

  it.each([
    ['no JSON', 'oops', 'event.schema.json is no JSON; write it again'],
    ['of another file', { $ref: 'https://example.com/a.json' }, 'refers to another file or URL'],
    ['of an old draft', { $schema: 'http://json-schema.org/draft-04/schema#' }, 'draft before 07'],
    ['of its own kind', { $schema: 'https://example.com/own' }, '$schema that is not known'],
    ['wrong', { type: 'sturdy' }, 'is no valid JSON Schema'],
    ['with a look-ahead', { properties: { a: { pattern: '(?=a)b' } } }, 'RE2 does not know'],
    ['a list', [], 'is no JSON Schema'],
  ])('a schema that is %s', async (_, schema, reason) => {
    const result = await judge(logOf([event()]), withSchema, schema);
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain(reason);
  });

  it('a pattern that would hold up the language’s own engine does not', async () => {
    const schema = { properties: { a: { pattern: '^(a+)+$' } } };
    const log = logOf([{ a: `${'a'.repeat(50_000)}!` }]);
    expect(await judge(log, withSchema, schema)).toMatchObject({ outcome: 'fail' });
  });

  it('an event that is nested without end does not match', async () => {
    const schema = { properties: { a: { $ref: '#' } } };
    const log = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}\n`;
    expect(await judge(log, withSchema, schema)).toMatchObject({
      outcome: 'fail',
      details: ['events.jsonl:1: (event) is nested too deeply'],
    });
  });

  it('a missing log, a missing schema, a pattern without a match', async () => {
    expect((await judge('', { report: 'none.jsonl' })).text).toContain('none.jsonl is missing');
    expect((await judge('', { report: 'logs/*.jsonl' })).text).toBe('no file matches logs/*.jsonl');
    const result = await judge(logOf([event()]), { schema: 'none.json' });
    expect(result.text).toContain('none.json is missing');
  });

  it('cut off in time', async () => {
    const folder = folderWith({ 'events.jsonl': logOf([event()]) });
    const signal = AbortSignal.abort();
    const result = await carriedOut({ audit_log: { report: 'events.jsonl' } }, { folder, signal });
    expect(result).toMatchObject({
      outcome: 'unknown',
      text: 'events.jsonl was not read to its end: cut off',
    });
  });
});

describe('a mistake in audit_log', () => {
  it.each([
    [{ report: 'a', last: '1h' }, 'the field time, as last and settle need it; add it'],
    [{ report: 'a', trace: { id: 't', complete: ['a'] } }, 'flow, as complete needs it; add it'],
    [{ report: 'a', tail: 'all' }, 'audit_log.tail: found "all"; wanted a size such as 200MB'],
    [{ report: 'a', trace: {} }, 'audit_log.trace.id: found nothing; wanted a field'],
  ])('%j', (written, problem) => {
    expect(problemsOf({ audit_log: written }).join('\n')).toContain(problem);
  });
});
