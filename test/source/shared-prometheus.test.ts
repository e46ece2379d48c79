// A shared question to a real Prometheus brings each watch what its own question would have brought.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Matcher } from '../../src/core/policy.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createQuery, type QueryAnswer } from '../../src/source/prometheus-api.ts';
import { aloneOn, sharedOn } from '../../src/source/shared-raw.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';

const END_MS = Math.floor(Date.now() / 60_000) * 60_000 - 3_600_000;
/** What a label may hold: patterns, the alternation itself, quotes, other scripts, nothing. */
const VALUES = [
  '',
  'a',
  'b',
  'a|b',
  'a.c',
  'abc',
  '.*',
  '(a',
  'é',
  '漢字🚀',
  '"q"',
  'x\\y',
  'n\nl',
];

const eq = (label: string, value: string): Matcher => ({ label, op: '=', value });

const SERIES = VALUES.flatMap((environment) =>
  ['', 'v1', 'v2'].map((version) => ({
    metric: 'filled',
    labels: Object.fromEntries(
      Object.entries({ job: 'aurora', environment, version }).filter(([, value]) => value !== ''),
    ),
    points: Array.from({ length: 20 }, (_, n) => [END_MS - n * 5_000, 100 - n] as const).reverse(),
  })),
);

function need(matchers: readonly Matcher[], atMs = END_MS, lengthMs = 35_000) {
  return {
    metrics: ['filled', 'submitted'],
    selectors: [{ metric: 'filled', matchers }],
    fromMs: atMs - lengthMs,
    atMs,
  };
}

type Need = ReturnType<typeof need>;

/** In the watch's own time, in an order of its own. */
function seen(answer: QueryAnswer, { fromMs, atMs }: Need) {
  if (answer.kind !== 'answered' || answer.result.type !== 'matrix') return answer;
  return answer.result.series
    .map(({ labels, points }) => {
      const own = points.filter(([pointMs]) => pointMs >= fromMs && pointMs <= atMs);
      return JSON.stringify([Object.entries(labels).sort(), own]);
    })
    .sort();
}

describe.skipIf(!hasPrometheus())('a shared question to Prometheus', () => {
  let server: PrometheusServer;
  beforeAll(async () => {
    server = await startPrometheus({ history: SERIES });
  }, 60_000);
  afterAll(() => server.stop());

  async function both(needs: readonly Need[]) {
    const promqls: string[] = [];
    const query = createQuery({ url: server.url, timeoutMs: 5_000, clock: systemClock });
    const { signal } = new AbortController();
    const shared = sharedOn((promql, ...rest) => {
      promqls.push(promql);
      return query(promql, ...rest);
    }, systemClock);
    const together = await Promise.all(needs.map((one) => shared(one, signal)));
    const alone = await Promise.all(needs.map((one) => aloneOn(query)(one, signal)));
    return {
      questions: promqls.length,
      together: together.map((answer, index) => seen(answer, needs[index] ?? need([]))),
      alone: alone.map((answer, index) => seen(answer, needs[index] ?? need([]))),
    };
  }

  it.each<readonly [string, readonly Need[]]>([
    ['of every value', VALUES.map((value) => need([eq('environment', value)]))],
    [
      'of two labels, and never of a pair that nobody named',
      VALUES.map((value, index) =>
        need([eq('environment', value), eq('version', ['', 'v1', 'v2'][index % 3] ?? '')]),
      ),
    ],
    [
      'of a label that must be and must not be',
      VALUES.map((value) =>
        need([eq('environment', value), { label: 'version', op: '!=', value: 'v1' }]),
      ),
    ],
    [
      'of a label with a pattern beside the value',
      VALUES.map((value) =>
        need([eq('environment', value), { label: 'environment', op: '=~', value: 'a.*' }]),
      ),
    ],
    [
      'of a label named twice',
      VALUES.map((value) => need([eq('environment', value), eq('environment', 'a')])),
    ],
    ['of a label that no series has', VALUES.map((value) => need([eq('nowhere', value)]))],
    [
      'of other times',
      VALUES.map((value, index) =>
        need([eq('environment', value)], END_MS + 70 * index, 31_000 + 2_000 * index),
      ),
    ],
  ])('brings each watch its own series, %s', async (_, needs) => {
    const { questions, together, alone } = await both(needs);
    expect(alone.flat().length).toBeGreaterThan(0);
    expect(together).toEqual(alone);
    expect(questions).toBe(1);
  });

  it('that reads more samples than the server allows is asked again, and blinds nobody', async () => {
    const flags = ['--query.max-samples=60'];
    const small = await startPrometheus({ history: SERIES, flags });
    onTestFinished(() => small.stop());
    const asked: QueryAnswer['kind'][] = [];
    const query = createQuery({ url: small.url, timeoutMs: 5_000, clock: systemClock });
    const shared = sharedOn(async (...question) => {
      const answer = await query(...question);
      asked.push(answer.kind);
      return answer;
    }, systemClock);
    const { signal } = new AbortController();
    const needs = VALUES.slice(1, 5).map((value) => need([eq('environment', value)]));
    const answers = await Promise.all(needs.map((one) => shared(one, signal)));
    expect(answers.map(({ kind }) => kind)).toEqual(needs.map(() => 'answered'));
    expect(asked).toEqual(['failed', 'answered', 'answered', 'answered', 'answered']);
  }, 60_000);
});
