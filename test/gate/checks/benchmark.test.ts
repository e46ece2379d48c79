import { describe, expect, it } from 'vitest';
import { carriedOut, made, problemsOf } from '../../support/gate-check.ts';
import { folderWith, reportOf } from '../../support/report-folder.ts';

type Means = Readonly<Record<string, number | null>>;

/** As pytest-benchmark writes it; the fields that are looked at. */
const pytest = (means: Means, cpu = 'Fast 1', datetime = '2026-11-22T08:00:00+00:00') =>
  JSON.stringify({
    machine_info: { node: 'ci', cpu: { brand_raw: cpu } },
    benchmarks: Object.entries(means).map(([name, mean]) => ({
      group: null,
      name,
      fullname: `tests/perf/test_speed.py::${name}`,
      stats: { mean, median: mean, ops: mean === null ? null : 1 / mean },
    })),
    datetime,
    version: '5.1.0',
  });

function judge(files: Readonly<Record<string, string>>, fields: object) {
  const folder = folderWith(files);
  return carriedOut({ benchmark: { report: 'now.json', ...fields } }, { folder });
}

const limits = {
  test_order_submit_latency: { at_most: '500ms' },
  test_fill_processing: { at_most: '100ms' },
};

describe('the check benchmark', () => {
  it('a report of pytest-benchmark: each named benchmark against its limit', async () => {
    const now = reportOf('pytest-benchmark.json');
    const result = await judge({ 'now.json': now }, { limits });
    expect(result).toMatchObject({
      outcome: 'pass',
      tools: { 'pytest-benchmark': expect.any(String) },
    });
    expect(result.text).toMatch(
      /^test_order_submit_latency .* ms, at most 500ms wanted; test_fill/,
    );
  });

  it('names what is too slow', async () => {
    const now = pytest({ test_order_submit_latency: 0.51, test_fill_processing: 0.1 });
    expect(await judge({ 'now.json': now }, { limits })).toMatchObject({
      outcome: 'fail',
      text: 'test_order_submit_latency 510 ms, at most 500ms wanted',
    });
  });

  it('a benchmark that was not run is unknown', async () => {
    const now = pytest({ test_fill_processing: 0.05 });
    expect(await judge({ 'now.json': now }, { limits })).toMatchObject({
      outcome: 'unknown',
      text: 'test_order_submit_latency is not in the report',
    });
  });

  it('a name without parameters is all of them', async () => {
    const now = pytest({ 'test_fill[1]': 0.01, 'test_fill[1000]': 0.2, test_fill_all: 9 });
    const result = await judge({ 'now.json': now }, { limits: { test_fill: { below: '100ms' } } });
    expect(result).toMatchObject({
      outcome: 'fail',
      text: 'test_fill[1000] 200 ms, below 100ms wanted',
    });
  });

  it('other JSON: places with names, in the unit of the tool', async () => {
    const now = '{"latency": {"p99": 180.5}, "kpis": {"sharpe": 1.2}}';
    const result = await judge(
      { 'now.json': now },
      { values: { p99: 'latency.p99' }, scale: 'ms', limits: { p99: { below: '200ms' } } },
    );
    expect(result).toMatchObject({ outcome: 'pass', text: 'p99 180.5 ms, below 200ms wanted' });
    const kpi = { values: { sharpe: 'kpis.sharpe' }, limits: { sharpe: { above: 1.3 } } };
    expect(await judge({ 'now.json': now }, kpi)).toMatchObject({
      outcome: 'fail',
      text: 'sharpe 1.2, above 1.3 wanted',
    });
  });

  it('a place without a number is unknown', async () => {
    const kpi = { values: { sharpe: 'kpis.sharpe' }, limits: { sharpe: { above: 1.3 } } };
    const result = await judge({ 'now.json': '{"kpis": {"sharpe": "n/a"}}' }, kpi);
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain('sharpe: no number at kpis.sharpe');
  });
});

describe('benchmarks against a baseline', () => {
  const fields = { baseline: 'before.json', worse_max: '10%' };
  const before = pytest({ test_a: 0.1, test_b: 0.2 });

  it.each([
    [{ test_a: 0.11, test_b: 0.2 }, 'pass', '10 % worse (test_a), at most 10% wanted'],
    [{ test_a: 0.05, test_b: 0.1 }, 'pass', '2 compared with the baseline, none worse, at most'],
    [{ test_a: 0.1101, test_b: 0.2 }, 'fail', 'test_a 110.1 ms, 100 ms before: 10.1 % worse'],
    [{ test_a: 0.1 }, 'unknown', 'test_b of the baseline was not run'],
    [{ test_a: 0.1, test_b: null }, 'unknown', 'test_b: no mean'],
  ])('%j: %s', async (means, outcome, text) => {
    const result = await judge({ 'now.json': pytest(means), 'before.json': before }, fields);
    expect(result.outcome).toBe(outcome);
    expect(result.text).toContain(text);
  });

  it('operations per second: more is better', async () => {
    const slower = pytest({ test_a: 0.2, test_b: 0.2 });
    const result = await judge(
      { 'now.json': slower, 'before.json': before },
      { ...fields, statistic: 'ops' },
    );
    expect(result).toMatchObject({
      outcome: 'fail',
      text: 'test_a 5, 10 before: 50 % worse, at most 10% wanted',
    });
  });

  it('tells when the baseline was measured on another processor', async () => {
    const files = { 'now.json': before, 'before.json': pytest({ test_a: 0.1 }, 'Slow 9') };
    expect((await judge(files, fields)).details).toEqual([
      'the baseline was measured on another processor: Slow 9, now Fast 1',
    ]);
  });

  it('a baseline of zero, an empty one, and one that is missing are unknown', async () => {
    const run = (body: string) => judge({ 'now.json': before, 'before.json': body }, fields);
    expect((await run(pytest({ test_a: 0 }))).text).toContain('nothing compares to it');
    expect((await run(pytest({}))).text).toBe('the baseline has no benchmark');
    const missing = await judge({ 'now.json': before }, fields);
    expect(missing.text).toContain('the baseline before.json is missing');
    expect(missing.outcome).toBe('unknown');
  });

  it('an old report fails by the time in it', async () => {
    const now = pytest({ test_a: 0.1, test_b: 0.2 }, 'Fast 1', '2020-01-01T00:00:00+00:00');
    const files = { 'now.json': now, 'before.json': before };
    expect(await judge(files, { ...fields, max_age: '24h' })).toMatchObject({ outcome: 'fail' });
  });
});

describe('a report of benchmarks that cannot be judged is unknown', () => {
  it.each([
    ['nothing', '', 'is empty'],
    ['truncated', reportOf('pytest-benchmark.json').slice(0, 900), 'is truncated JSON'],
    ['NaN', '{"benchmarks": [{"name": "a", "stats": {"mean": NaN}}]}', 'holds NaN or Infinity'],
    ['another format', '{"results": []}', 'is no JSON of pytest-benchmark'],
    ['a list', '[1]', 'is no JSON of pytest-benchmark'],
    ['a text for a number', '{"benchmarks": [{"name": "a", "stats": {"mean": "1"}}]}', 'no mean'],
  ])('%s', async (_, body, reason) => {
    const result = await judge({ 'now.json': body }, { limits: { a: { below: '1s' } } });
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain(reason);
  });
});

it('a time below 0 is unknown', async () => {
  const fields = { values: { p99: 'p99' }, scale: 'ms', limits: { p99: { below: '200ms' } } };
  const folder = folderWith({ 'now.json': '{"p99": -5}' });
  const result = await carriedOut({ benchmark: { report: 'now.json', ...fields } }, { folder });
  expect(result).toMatchObject({
    outcome: 'unknown',
    text: 'p99 is -0.01 s, which no time can be',
  });
});

describe('a mistake in benchmark', () => {
  it.each([
    [{ report: 'a' }, 'limits, worse_max or both; add one'],
    [
      { report: 'a', baseline: 'b', limits: { a: { below: 1 } } },
      'baseline and worse_max together',
    ],
    [{ report: 'a', limits: {} }, 'benchmark.limits: found a mapping; wanted a mapping of'],
    [{ report: 'a', limits: { a: 3 } }, 'benchmark.limits.a: found 3; wanted a mapping with above'],
    [{ report: 'a', values: { b: 'b' }, limits: { a: { below: 1 } } }, 'names of values'],
  ])('%j', (written, problem) => {
    expect(problemsOf({ benchmark: written }).join('\n')).toContain(problem);
  });

  it.each([
    ['of values', { values: { b: 'b' }, scale: 'ms', limits: { b: { below: 200 } } }, '200'],
    ['of pytest-benchmark', { limits: { b: { below: '0.2' } } }, '"0.2"'],
    ['of size', { limits: { b: { below: '1GB' } } }, '"1GB"'],
  ])('a time without its unit, %s', (_, written, found) => {
    expect(() => made({ benchmark: { report: 'a', ...written } })).toThrow(
      `limits.b: found ${found}; wanted a time with its unit, such as`,
    );
  });

  it('a time for a number of which nobody knows the unit', () => {
    const written = { report: 'a', values: { b: 'b' }, limits: { b: { below: '200ms' } } };
    expect(() => made({ benchmark: written })).toThrow(
      'limits.b: found "200ms"; wanted a number, or scale: ms',
    );
  });
});
