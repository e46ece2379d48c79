// What `check --live` concludes when a source answers only in part: never more than was seen.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LiveReport } from '../../src/check/live/look.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';
import { type Answer, type Hindrance, hindered } from './hindrance.ts';
import { clockAtT, HISTORY, liveOf, policyOn } from './live-world.ts';

const needs = '(needs the `prometheus` and `promtool` binaries)';

/** Two indicators that are right: what is found is the fault of the source. */
const RIGHT = {
  ...policyOn({}, {}),
  indicators: {
    fills: { ratio: { good: 'orders_filled_total', total: 'orders_submitted_total' } },
    queue: { promql: 'max(queue_length)' },
  },
  windows: [
    { name: 'all', until: '30m', stop: { fills: { below: '80%' }, queue: { above: 100 } } },
  ],
};

const refused = (status: number, errorType: string, error: string): Answer => ({
  status,
  body: { status: 'error', errorType, error },
});
const isProbe = (text: string) => text === 'vector(1)';
const told = ({ findings }: LiveReport) => findings.map(({ name, message }) => [name, message]);

describe.skipIf(!hasPrometheus())(`check --live on a source that is hindered ${needs}`, () => {
  let server: PrometheusServer;
  beforeAll(async () => {
    server = await startPrometheus({ history: HISTORY });
  });
  afterAll(async () => {
    await server.stop();
  });
  const behind = (hinder: Hindrance) => hindered(server.url, hinder);

  it.each([
    [429, 'HTTP 429 too_many: slow down', refused(429, 'too_many', 'slow down')],
    [422, 'HTTP 422 execution: too many samples', refused(422, 'execution', 'too many samples')],
  ])('that refuses every query with %i is one finding with the reason', async (_, why, answer) => {
    const { url } = await behind(({ path, text }) =>
      path === '/query' && !isProbe(text) ? answer : undefined,
    );
    const report = await liveOf(url, RIGHT);
    expect(report.dead).toBe(why);
    expect(told(report)).toEqual([['source-unreachable', expect.stringContaining(why)]]);
  });

  it.each([
    ['the expression', 'max(queue_length)'],
    ['the raw samples', 'orders_filled_total|'],
  ])('that refuses %s says so of its condition, and nothing of its series', async (_, part) => {
    const { url } = await behind(({ path, text }) =>
      path === '/query' && text.includes(part) ? refused(429, 'too_many', 'slow down') : undefined,
    );
    const report = await liveOf(url, RIGHT);
    expect(report.dead).toBeNull();
    expect(told(report)[0]).toEqual([
      'blind-now',
      expect.stringContaining('HTTP 429 too_many: slow down'),
    ]);
    expect(new Set(report.findings.map(({ name }) => name))).toEqual(
      new Set(['blind-now', 'source-warns']),
    );
  });

  it('that refuses only the second look is noted', async () => {
    let looks = 0;
    const { url } = await behind(({ text }) => {
      looks += text.includes('max(queue_length)') ? 1 : 0;
      const isSecond = text.includes('max(queue_length)') && looks > 1;
      return isSecond ? refused(429, 'too_many', 'slow down') : undefined;
    });
    const report = await liveOf(url, RIGHT);
    expect(told(report)).toEqual([
      ['source-warns', expect.stringContaining('its series were not looked at')],
    ]);
  });

  const MANY = Array.from({ length: 50_001 }, (_, index) => `a_filler_${index}_total`);
  const crowded: Hindrance = ({ path, text }) =>
    path === '/label/__name__/values' && !text.includes('match[]')
      ? { body: { status: 'success', data: MANY } }
      : undefined;

  it('with more names than can be compared still knows which metrics exist', async () => {
    const { url } = await behind(crowded);
    expect(told(await liveOf(url, RIGHT))).toEqual([]);
  });

  it('with more names than can be compared names none of them', async () => {
    const { url } = await behind(crowded);
    const policy = policyOn({ promql: 'max(queue_len)' }, { above: 100 });
    expect(told(await liveOf(url, policy))).toEqual([
      ['unknown-metric', expect.stringContaining('names of the source are not known, or too many')],
    ]);
  });

  it('whose names hang is waited for once', async () => {
    const { url, asked } = await behind(({ path }) =>
      path.startsWith('/label') ? 'hangs' : undefined,
    );
    const policy = {
      ...RIGHT,
      indicators: {
        ...RIGHT.indicators,
        fills: { ratio: { good: 'orders_filed_total', total: 'orders_submitted_total' } },
      },
    };
    const report = await liveOf(url, policy, { timeoutMs: 200 });
    expect(asked.filter(({ path }) => path.startsWith('/label'))).toHaveLength(1);
    expect(report.findings.map(({ name }) => name)).toContain('part-not-seen');
  });

  it('is asked for its names once', async () => {
    const { url, asked } = await behind(() => undefined);
    await liveOf(url, {
      ...RIGHT,
      indicators: {
        fills: { ratio: { good: 'orders_filed_total', total: 'orders_submited_total' } },
        queue: { promql: 'max(queue_len)' },
      },
    });
    const names = asked.filter(
      ({ path, text }) => path === '/label/__name__/values' && !/match|limit/.test(text),
    );
    expect(names).toHaveLength(1);
  });

  it('that warns of a part is noted once, and what it does not show may be there', async () => {
    const { url } = await behind((_, truth) => ({
      body: { ...(truth as object), warnings: ['partial: one store did not answer'] },
    }));
    const indicators = {
      ...RIGHT.indicators,
      fills: { ratio: { good: 'orders_filed_total', total: 'orders_submitted_total' } },
    };
    const names = told(await liveOf(url, { ...RIGHT, indicators })).filter(
      ([name]) => name !== 'would-stop-now',
    );
    expect(names).toEqual([
      ['source-warns', expect.stringContaining('partial: one store did not answer')],
    ]);
  });

  it('with a native histogram has no metric that is missing', async () => {
    const { url } = await behind(({ text }) => {
      const isName = text.includes('match[]=lat_seconds&') || text.endsWith('match[]=lat_seconds');
      return isName ? { body: { status: 'success', data: ['lat_seconds'] } } : undefined;
    });
    const policy = policyOn({ quantile: { q: 0.9, histogram: 'lat_seconds' } }, { above: '1s' });
    expect(told(await liveOf(url, policy))).toEqual([
      ['no-matching-series', expect.stringContaining('lat_seconds without buckets: a native')],
    ]);
  });

  it('that gives no number for an expression says nothing of its metrics', async () => {
    const metric = { __name__: 'lat_seconds' };
    const data = { resultType: 'vector', result: [{ metric, histogram: [1, {}] }] };
    const { url } = await behind(({ text }) =>
      text.includes('lat_seconds') ? { body: { status: 'success', data } } : undefined,
    );
    const policy = policyOn({ promql: 'sum(lat_seconds)' }, { above: '1s' });
    expect(told(await liveOf(url, policy))).toEqual([
      ['query-rejected', expect.stringContaining('a native histogram is no number')],
    ]);
  });

  it('that is asked two questions at once costs as long as the longer one', async () => {
    let ms = 0;
    // Each look at the clock is 1 ms later: at the start and end of the tick and of each question.
    const clock = { ...clockAtT, monotonic: () => (ms += 1) };
    const { tick } = await liveOf(server.url, RIGHT, { clock });
    expect(tick?.ms).toBe(5);
  });
});
