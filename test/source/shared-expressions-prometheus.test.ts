// Watches that ask a real Prometheus together read what each would have read by itself.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PromqlIndicator } from '../../src/core/policy.ts';
import type { Readings, Source } from '../../src/core/read.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { sharedAsks, sourceOn } from '../../src/source/prometheus.ts';
import { createQuery, type Query } from '../../src/source/prometheus-api.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';

const END_MS = Math.floor(Date.now() / 60_000) * 60_000 - 3_600_000;
const points = (value: number) =>
  Array.from({ length: 60 }, (_, n) => [END_MS - n * 5_000, value + 60 - n] as const).reverse();

const HISTORY = [
  ...['a', 'b', 'c'].map((env) => ({
    metric: 'filled',
    labels: { job: 'aurora', env },
    points: points(env.charCodeAt(0)),
  })),
  // Only our own label tells these apart.
  ...['1', 'i0'].map((canaryd_indicator) => ({
    metric: 'marked',
    labels: { canaryd_indicator },
    points: points(7),
  })),
];

/** What alone is answered, in every way, and not. */
const TEXTS = [
  'sum(filled)',
  'sum(filled) * 2',
  'sum(filled) # all of them',
  'filled',
  'filled{env="a"}',
  'filled{env="a"} + 1',
  '{__name__=~"filled",env="b"}',
  'sum(filled) / 0',
  '(sum(filled) - sum(filled)) / 0',
  'nowhere',
  'scalar(sum(filled))',
  '42',
  'vector(1)',
  'sum(increase(filled{env="c"}[${range}]))',
  'sum(filled) > 1e9',
  'sum(filled) or vector(0)',
  '"$1"',
  'filled[1m]',
  'sum(',
  'filled + on (job) filled',
  'marked',
  'marked{canaryd_indicator="i0"}',
  'sum by (canaryd_indicator) (marked) * 3',
  'max(filled{env="日本"}) or sum(filled{env="b"})',
];

const indicator = (id: string, promql: string): PromqlIndicator => {
  return { kind: 'promql', id, title: id, unit: 'number', promql, overMs: null, waitMs: 0 };
};

/** One text each, and mixed: two of the good, three of any, the same one twice. */
const WATCHES: readonly (readonly string[])[] = [
  ...TEXTS.map((text) => [text]),
  ...TEXTS.map((text, index) => [text, TEXTS[(index + 7) % TEXTS.length] ?? '', 'sum(filled)']),
  ['sum(filled)', 'sum(filled)'],
  ['vector(1)', 'sum(filled) * 2', 'scalar(sum(filled))'],
];

function reading(source: Source, tick: number): Promise<readonly Readings[]> {
  return Promise.all(
    WATCHES.map((texts, watch) =>
      source.read({
        watchId: `w_${watch}`,
        indicators: texts.map((promql, index) => indicator(`i${index}`, promql)),
        // No sample comes between the oldest and the newest of them.
        atMs: END_MS - 60_000 + tick * 5_000 + watch,
        deployedAtMs: END_MS - 90_000,
        staleAfterMs: 30_000,
        previous: {},
        signal: new AbortController().signal,
      }),
    ),
  );
}

describe.skipIf(!hasPrometheus())('watches that ask a Prometheus for expressions together', () => {
  let server: PrometheusServer;
  beforeAll(async () => {
    server = await startPrometheus({ history: HISTORY });
  }, 60_000);
  afterAll(() => server.stop());

  it('read what each reads by itself, tick after tick, at a fraction of the requests', async () => {
    const asked = { together: 0, alone: 0 };
    const query = createQuery({ url: server.url, timeoutMs: 5_000, clock: systemClock });
    const counted =
      (who: keyof typeof asked): Query =>
      (...question) => {
        asked[who] += 1;
        return query(...question);
      };
    const together = sourceOn(query, sharedAsks(counted('together'), systemClock));
    const alone = sourceOn(counted('alone'));
    const kinds = new Set<string>();
    for (let tick = 0; tick < 4; tick += 1) {
      // The first ticks find out what is refused.
      if (tick === 2) Object.assign(asked, { together: 0, alone: 0 });
      const [these, those] = [await reading(together, tick), await reading(alone, tick)];
      expect(these).toEqual(those);
      for (const one of those.flatMap((all) => Object.values(all))) {
        kinds.add(one.kind === 'blind' ? one.reason : one.kind);
      }
    }
    expect([...kinds].toSorted()).toEqual([
      'many_series',
      'no_series',
      'not_finite',
      'rejected',
      'value',
    ]);
    expect(asked).toEqual({ together: 2 * 9, alone: 2 * 54 });
  }, 60_000);
});
