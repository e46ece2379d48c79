import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readCourse } from '../../src/cases/course.ts';
import { expositionOf, queryOf } from '../../src/cases/offline-source.ts';
import { parseSeriesName, readHistogram } from '../../src/cases/series.ts';
import { hasPrometheus } from '../support/prometheus.ts';

const STEP = 5_000;

function courseOf(written: Parameters<typeof readCourse>[0], era: 'before' | 'after' = 'after') {
  const read = readCourse(written, STEP, era);
  if (read.kind === 'problem') throw new Error(`${read.found}; ${read.wanted}`);
  return read.course;
}

/** Values at these seconds since the deploy. */
const at = (written: Parameters<typeof readCourse>[0], ...seconds: readonly number[]) =>
  seconds.map((second) => courseOf(written).at(second * 1_000));

function refusal(written: Parameters<typeof readCourse>[0]): string {
  const read = readCourse(written, STEP, 'after');
  return read.kind === 'problem' ? `${read.found}; ${read.wanted}` : 'read';
}

describe('a course in pieces', () => {
  it('holds a number, with its unit', () => {
    expect(at(10, 0, 3, 600)).toEqual([10, 10, 10]);
    expect(at('1.2GB', 60)).toEqual([1.2e9]);
    expect(at('80%', 60)).toEqual([0.8]);
  });

  it('grows evenly from 0, and goes on where it was when the growth changes', () => {
    expect(at('+98/s', 0, 5, 10)).toEqual([0, 490, 980]);
    expect(at({ '0s': '+98/s', '10s': '+2/s' }, 10, 15)).toEqual([980, 990]);
    expect(at('+60/m', 5)).toEqual([5]);
  });

  it('starts where it is told, falls, restarts and goes away', () => {
    expect(at('1000 -2/s', 0, 10)).toEqual([1_000, 980]);
    expect(at({ '0s': '+1/s', '10s': 'reset +1/s' }, 5, 10, 15)).toEqual([5, 0, 5]);
    expect(at({ '0s': 7, '10s': 'gone', '20s': 8 }, 5, 10, 20)).toEqual([7, null, 8]);
    expect(at({ '0s': 'NaN' }, 5)).toEqual([Number.NaN]);
    expect(at({ '0s': -501 }, 5)).toEqual([-501]);
  });

  it('of the time before the deploy ends with it, and the other one begins there', () => {
    const before = courseOf({ '-10m': 5, '-5m': 6 }, 'before');
    expect([-601, -600, -300, -5, 0].map((s) => before.at(s * 1_000))).toEqual([
      null,
      5,
      6,
      6,
      null,
    ]);
    expect(at(10, -5)).toEqual([null]);
  });

  it.each([
    ['10', '10 without quotes'],
    ['fast', "promtool's notation"],
    [{ '0s': 'fast' }, 'a growth such as +98/s'],
    [{ soon: 1 }, 'a time since the deploy'],
    [{ '-5m': 1 }, 'goes into "before"'],
    [{ '1m': 1, '60s': 2 }, 'the time 60s a second time'],
    ['0+1x200000', 'at most 100000 values'],
  ])('refuses %j and says what is wanted', (written, wanted) => {
    expect(refusal(written)).toContain(wanted);
  });
});

describe('the name of a series', () => {
  it('has labels in any order, with escapes', () => {
    expect(parseSeriesName('a:b_total{x="1", path="a\\"b\\\\c"}')).toEqual({
      __name__: 'a:b_total',
      x: '1',
      path: 'a"b\\c',
    });
  });

  it.each(['{x="1"}', 'a{x=1}', 'a{x="1"', 'a{x="1" y="2"}', 'a{x="1",x="2"}', 'a b', 'a{x=~"1"}'])(
    '%s is none',
    (text) => {
      expect(parseSeriesName(text)).toBe(null);
    },
  );
});

describe('a histogram by what it observes', () => {
  it('fills the buckets at and above each observation', () => {
    const read = readHistogram(
      { __name__: 'latency_seconds' },
      '+9/s of 200ms, +1/s of 3s',
      [0.1, 0.5, 2],
      'after',
    );
    const series = read.kind === 'course' ? read.course : [];
    expect(expositionOf(series, 10_000).trim().split('\n')).toEqual([
      'latency_seconds_bucket{le="0.1"} 0',
      'latency_seconds_bucket{le="0.5"} 90',
      'latency_seconds_bucket{le="2"} 90',
      'latency_seconds_bucket{le="+Inf"} 100',
    ]);
  });
});

/** Texts in promtool's notation, each with more scrapes than values. */
const NOTATION = [
  '0+98x6',
  '10-2.5x4',
  '1x4',
  '-2+4x3 _ 7',
  '1 2 3.5 1e3 +5 -7',
  '1 _x3 9',
  '5 stale 6 _ 7',
  '0+10x2 0+10x2',
  'NaN 1 Inf -Inf',
  '0+0.1x9',
  '.5+.5x2 1e2+1e1x2',
];
const SCRAPES = 10;

/** What promtool says is wrong with the expectation that each value is the one given. */
function promtoolSays(lines: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-promtool-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'test.yaml'), lines.join('\n'));
  const { stdout, stderr } = spawnSync('promtool', ['test', 'rules', 'test.yaml'], {
    cwd: folder,
    encoding: 'utf8',
  });
  return `${stdout}${stderr}`;
}

/** For each scrape the samples that a raw selector over it gives. */
async function expectations(name: string, values: string): Promise<readonly string[]> {
  const series = [{ labels: { __name__: name }, course: courseOf(values) }];
  const one = { series, values: new Map() };
  const clock = { now: () => 0, monotonic: () => 0, sleep: async () => {} };
  const query = queryOf({ one, everyMs: STEP, deployedAtMs: 0, clock, trouble: () => null });
  const { signal } = new AbortController();
  const lines: string[] = [];
  const selector = `last_over_time(${name}[4s])`;
  for (let scrape = 0; scrape < SCRAPES; scrape += 1) {
    const answer = await query(`{__name__="${name}"}[4s]`, scrape * STEP, signal);
    const result = answer.kind === 'answered' ? answer.result : null;
    const found = result?.type === 'matrix' ? result.series.flatMap(({ points }) => points) : [];
    const [value] = found.map(([, shown]) => shown);
    const [expr, samples] = value === undefined ? [selector, '[]'] : [isSame(selector, value), ONE];
    lines.push(`      - expr: ${expr}`, `        eval_time: ${scrape * 5}s`);
    lines.push(`        exp_samples: ${samples}`);
  }
  return lines;
}

const ONE = '[{ labels: "{}", value: 1 }]';

/** An expression that is 1 when the selector gives this value; promtool adds up, we multiply. */
function isSame(selector: string, value: number): string {
  if (Number.isNaN(value)) return `${selector} != bool ${selector}`;
  if (!Number.isFinite(value)) return `${selector} == bool ${value > 0 ? 'Inf' : '-Inf'}`;
  return `abs(${selector} - (${value})) < bool 1e-12`;
}

async function testFile(texts: readonly string[]): Promise<readonly string[]> {
  const names = texts.map((_, index) => `series_${index}`);
  const wanted = await Promise.all(
    texts.map((text, index) => expectations(names[index] ?? '', text)),
  );
  return [
    'evaluation_interval: 5s',
    'tests:',
    '  - interval: 5s',
    '    input_series:',
    ...texts.map((text, index) => `      - { series: ${names[index]}, values: '${text}' }`),
    '    promql_expr_test:',
    ...wanted.flat(),
  ];
}

const title = hasPrometheus()
  ? "promtool's notation"
  : "promtool's notation (SKIPPED against the real one: `promtool` is missing)";

describe(title, () => {
  it.skipIf(!hasPrometheus()).each(NOTATION)(
    'gives the values of promtool for %s',
    async (text) => {
      expect(promtoolSays(await testFile([text]))).toContain('SUCCESS');
    },
  );

  it.skipIf(!hasPrometheus())('would be found out by promtool', async () => {
    const lines = await testFile(['0+98x6']);
    const wrong = lines.map((line) => line.replace('- (196)', '- (195)'));
    expect(promtoolSays(wrong)).toContain('FAILED');
  });

  it.skipIf(!hasPrometheus()).each(['1+', '1x', 'stalex3', '1,2', '1+2x-3', 'x3'])(
    '%s is refused by both',
    (text) => {
      const file = ['tests:', '  - interval: 5s', '    input_series:'];
      const series = `      - { series: a, values: '${text}' }`;
      expect(promtoolSays([...file, series])).toContain('FAILED');
      expect(refusal(text)).toContain("promtool's notation");
    },
  );

  it('of the time before the deploy ends at the last scrape before it', () => {
    const course = courseOf('1 2 3', 'before');
    expect([-20, -15, -10, -5, 0].map((s) => course.at(s * 1_000))).toEqual([null, 1, 2, 3, null]);
  });
});
