// The answers that a backtest cuts out of large ones are those that Prometheus itself gives.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Asker } from '../../src/backtest/asker.ts';
import { History } from '../../src/backtest/history.ts';
import { parseDuration } from '../../src/core/quantity.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createAsk, type QueryAnswer, type Question } from '../../src/source/prometheus-api.ts';
import { T0 } from '../support/build.ts';
import { pastService, pastVersions } from '../support/past-service.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';

const MINUTE = 60_000;
const STEP = 5_000;
const signal = new AbortController().signal;
const versions = pastVersions(T0, 8 * MINUTE, ['fills', null]);
const until = T0 + 16 * MINUTE;
const title = hasPrometheus()
  ? 'on a real Prometheus'
  : 'on a real Prometheus (SKIPPED: the `prometheus` and `promtool` binaries are missing)';

const SELECTOR = '{__name__=~"shop_open_positions|shop_orders_filled_total",job="shop"}';

describe.skipIf(!hasPrometheus())(`the history of a backtest, ${title}`, () => {
  let server: PrometheusServer;
  beforeAll(async () => {
    const recorded = { stepMs: STEP, beforeMs: 0, afterMs: 8 * MINUTE };
    server = await startPrometheus({ history: pastService({ versions, ...recorded }) });
  });
  afterAll(async () => {
    await server.stop();
  });

  function setUp(chunkMs: number) {
    const ask = createAsk({ url: server.url, timeoutMs: 30_000, clock: systemClock });
    const questions: Question[] = [];
    const asker = new Asker({
      ask: (question) => {
        questions.push(question);
        return ask(question, signal);
      },
      ...{ clock: systemClock, atOnce: 2, paceMs: 0, signal },
    });
    const history = new History({ asker, chunkMs, untilMs: until, edge: { isClosed: null } });
    const direct = async (promql: string, atMs: number) =>
      (await ask({ promql, atMs }, signal)).answer;
    return { past: history.query(STEP), direct, questions };
  }

  it.each([60 * MINUTE, 2 * MINUTE, MINUTE])(
    'gives every window, in chunks of %d ms',
    async (chunkMs) => {
      const { past, direct, questions } = setUp(chunkMs);
      const counts: number[] = [];
      for (let atMs = T0 - MINUTE; atMs < until + MINUTE; atMs += 7_500) {
        for (const range of ['5s', '35s', '1m15s300ms', '6m']) {
          const promql = `${SELECTOR}[${range}]`;
          const answer = await past(promql, atMs, signal);
          expect(answer, `${range} at ${atMs - T0}`).toEqual(await direct(promql, atMs));
          counts.push(answer.kind === 'answered' ? 1 : 0);
        }
      }
      expect(questions.length).toBeLessThan(counts.length / 5);
    },
  );

  it('asks the server once whether a range includes its left edge', async () => {
    const { past, questions } = setUp(60 * MINUTE);
    for (let atMs = T0 + MINUTE; atMs < T0 + 5 * MINUTE; atMs += STEP) {
      await past(`${SELECTOR}[30s]`, atMs, signal);
    }
    const probes = questions.filter(({ promql }) => promql.endsWith('[1s]'));
    expect(probes).toHaveLength(1);
  });

  const expressions = [
    ['one series', 'sum(shop_open_positions)', 6],
    ['several series', 'shop_open_positions', 6],
    ['none', 'no_such_metric', 6],
    ['a scalar', 'scalar(sum(shop_open_positions)) + time()', 6],
    ['a number', '42', 6],
    ['what is not finite', 'sum(shop_open_positions) / 0', 6],
    ['a rate', 'sum by (version) (rate(shop_orders_filled_total[1m]))', 6],
    ['an offset', 'sum(shop_open_positions offset 1m)', 6],
    [
      'several in one',
      'label_replace((\nsum(up)\n), "x", "a", "", "")\nor\nlabel_replace(vector(\n1\n), "x", "b", "", "")',
      6,
    ],
    ['the end of the query', 'sum(shop_open_positions @ end())', 200],
    ['a range', 'shop_open_positions[1m]', 200],
    ['a text', '"hello"', 200],
    ['a mistake', 'sum(shop_open_positions', 200],
    ['what fails while two versions are seen', 'up * on (instance) group_left () (up)', 200],
  ] as const;

  it.each(expressions)('answers %s tick by tick', async (_, promql, requestsMax) => {
    const { past, direct, questions } = setUp(60 * MINUTE);
    let differ = 0;
    for (let atMs = T0 + MINUTE; atMs <= T0 + 12 * MINUTE; atMs += STEP) {
      const [found, wanted] = [await past(promql, atMs, signal), await direct(promql, atMs)];
      expect(sorted(found), `at ${atMs - T0}`).toEqual(sorted(wanted));
      differ += 1;
    }
    expect(differ).toBe(133);
    expect(questions.length).toBeLessThanOrEqual(requestsMax);
  });

  it('asks alone what is asked between two ticks', async () => {
    const { past, direct } = setUp(60 * MINUTE);
    for (const atMs of [0, 5_000, 10_000, 12_345, 15_000, 700, 20_000].map(
      (ms) => T0 + 2 * MINUTE + ms,
    )) {
      const promql = 'sum(shop_orders_filled_total)';
      expect(await past(promql, atMs, signal)).toEqual(await direct(promql, atMs));
    }
  });
});

/** Prometheus promises no order of the series of one moment. */
function sorted(answer: Awaited<ReturnType<ReturnType<History['query']>>>): unknown {
  if (answer.kind === 'failed' || answer.result.type !== 'vector') return answer;
  const text = (element: unknown) => JSON.stringify(element);
  const elements = answer.result.elements.toSorted((a, b) => (text(a) < text(b) ? -1 : 1));
  return { ...answer, result: { ...answer.result, elements } };
}

describe('the history of a backtest, on a server of its own kind', () => {
  const points = Array.from({ length: 60 }, (_, index) => [T0 + index * STEP, index] as const);

  /** Prometheus 2 includes the left edge of a range, Prometheus 3 does not. */
  function answered(promql: string, atMs: number, isClosed: boolean): QueryAnswer {
    const fromMs = atMs - (parseDuration(/\[(\w+)\]$/.exec(promql)?.[1] ?? '') ?? 0);
    const own = points.filter(([at]) => at <= atMs && (at > fromMs || (isClosed && at === fromMs)));
    const labels = { __name__: 'up' };
    const series = own.length === 0 ? [] : [{ labels, points: own, isNativeHistogram: false }];
    return { kind: 'answered', result: { type: 'matrix', series }, warnings: [] };
  }

  it.each([
    ['includes', true],
    ['leaves out', false],
  ])('gives every window where a range %s its left edge', async (_, isClosed) => {
    let requests = 0;
    const asker = new Asker({
      ask: async (question) => {
        requests += 1;
        const atMs = 'atMs' in question ? question.atMs : 0;
        const answer = answered(question.promql, atMs, isClosed);
        return { answer, seconds: 0, bytes: 1, samples: null };
      },
      ...{ clock: systemClock, atOnce: 2, paceMs: 0, signal },
    });
    const edge = { isClosed: null };
    const past = new History({ asker, chunkMs: MINUTE, untilMs: T0 + 5 * MINUTE, edge }).query(
      STEP,
    );
    for (let atMs = T0; atMs <= T0 + 5 * MINUTE; atMs += STEP / 2) {
      for (const range of ['5s', '12s500ms', '1m']) {
        const promql = `{__name__="up"}[${range}]`;
        expect(await past(promql, atMs, signal)).toEqual(answered(promql, atMs, isClosed));
      }
    }
    expect(requests).toBeLessThan(30);
  });
});
