// What a Prometheus may do to a backtest, and what a backtest may do to it: limits, failures that
// pass and those that stay, and never more at once than was allowed.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BacktestResult } from '../../src/backtest/result.ts';
import { type BacktestEnd, type BacktestOptions, runBacktest } from '../../src/backtest/run.ts';
import { parseDuration } from '../../src/core/quantity.ts';
import type { Ask, Asked, QueryAnswer, Question } from '../../src/source/prometheus-api.ts';
import { askOf, backtestOf, found } from '../support/backtest.ts';
import { T0 } from '../support/build.ts';
import { pastDeploys, pastService, pastVersions } from '../support/past-service.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';

const MINUTE = 60_000;
const versions = pastVersions(T0, 20 * MINUTE, ['fills', null, 'errors']);
const deploys = pastDeploys(versions);
const recorded = { stepMs: 5_000, beforeMs: 40 * MINUTE, afterMs: 20 * MINUTE };
/** Enough for the windows of a few minutes, not for those of an hour. */
const SAMPLES_MAX = 1_500;
const title = hasPrometheus()
  ? 'on a real Prometheus'
  : 'on a real Prometheus (SKIPPED: the `prometheus` and `promtool` binaries are missing)';

type Failed = Extract<QueryAnswer, { kind: 'failed' }>;

function failure(over: Partial<Failed>): Asked {
  const detail = 'as the test says';
  const common = { kind: 'failed', reason: 'unreachable', fault: 'server', detail } as const;
  return { answer: { ...common, ...over }, seconds: 0.1, bytes: 0, samples: null };
}

function spanMs(question: Question): number {
  if ('fromMs' in question) return question.toMs - question.fromMs;
  return parseDuration(/\[(\w+)\]$/.exec(question.promql)?.[1] ?? '') ?? 0;
}

function done(end: BacktestEnd): BacktestResult {
  const [result] = end.kind === 'done' ? end.results : [];
  if (result === undefined) throw new Error(JSON.stringify(end));
  return result;
}

describe.skipIf(!hasPrometheus())(`a backtest ${title}`, () => {
  let server: PrometheusServer;
  let small: PrometheusServer;
  let wanted: BacktestResult;
  beforeAll(async () => {
    const history = pastService({ versions, ...recorded });
    server = await startPrometheus({ history });
    small = await startPrometheus({ history, flags: [`--query.max-samples=${SAMPLES_MAX}`] });
    wanted = done(await runBacktest(backtestOf({ ask: askOf(server.url), deploys })));
  });
  afterAll(async () => {
    await Promise.all([server.stop(), small.stop()]);
  });

  async function run(ask: Ask, over: Partial<BacktestOptions> = {}) {
    return runBacktest(backtestOf({ ask, deploys, ...over }));
  }

  /** The real one, unless something else is answered. */
  function disturbed(disturb: (question: Question, count: number) => Asked | null) {
    const real = askOf(server.url);
    const questions: Question[] = [];
    const ask: Ask = async (question, signal) => {
      questions.push(question);
      return disturb(question, questions.length) ?? real(question, signal);
    };
    return { ask, questions };
  }

  it('judges and counts', () => {
    expect(wanted.deploys.map(({ verdict, score }) => [verdict, score])).toEqual([
      ['stopped', 'right'],
      ['passed', 'right'],
      ['inconclusive', 'undecided'],
    ]);
    expect(wanted.load.requests).toBeGreaterThan(0);
    expect(wanted.load.samples).toBeGreaterThan(1_000);
    expect(wanted.load.bytes).toBeGreaterThan(10_000);
  });

  it('comes to the same where the server limits samples (HTTP 422), with more requests', async () => {
    const result = done(await run(askOf(small.url)));
    expect(found(result)).toEqual(found(wanted));
    expect(result.load.requests).toBeGreaterThan(wanted.load.requests);
  });

  it.each([
    ['answers are too large', { reason: 'rejected', fault: 'size' }],
    ['answers take too long', { fault: 'slow' }],
  ] as const)('comes to the same where %s for more than four minutes', async (_, fault) => {
    const { ask } = disturbed((question) =>
      spanMs(question) > 4 * MINUTE ? failure(fault) : null,
    );
    const result = done(await run(ask));
    expect(found(result)).toEqual(found(wanted));
  });

  it('asks again what failed and may pass', async () => {
    const { ask } = disturbed((_, count) => (count % 3 === 0 ? failure({}) : null));
    expect(found(done(await run(ask)))).toEqual(found(wanted));
  });

  it('ends when the source is lost, and says why and how far it came', async () => {
    const { ask, questions } = disturbed((_, count) => (count > 40 ? failure({}) : null));
    const end = await run(ask);
    expect(end).toEqual({ kind: 'lost', detail: 'as the test says', done: 1, total: 3 });
    // Two questions were under way, each six times.
    expect(questions.length).toBeLessThanOrEqual(40 + 12);
  });

  it('does not repeat what was refused to everybody', async () => {
    const detail = 'HTTP 403: the credentials were refused';
    const { ask, questions } = disturbed(() => failure({ reason: 'rejected', detail }));
    expect(await run(ask)).toMatchObject({ kind: 'lost', detail, done: 0 });
    // Those under way, and those that were let in before the first came back.
    expect(questions.length).toBeLessThanOrEqual(4);
  });

  it('ends when even the smallest question takes too long', async () => {
    const { ask } = disturbed(() => failure({ fault: 'slow' }));
    const end = await run(ask);
    expect(end).toMatchObject({ kind: 'lost', detail: expect.stringContaining('--timeout') });
  });

  it('asks no more at once than it may', async () => {
    const real = askOf(server.url);
    let open = 0;
    const seen = new Set<number>();
    const ask: Ask = async (question, signal) => {
      open += 1;
      seen.add(open);
      const asked = await real(question, signal);
      open -= 1;
      return asked;
    };
    await run(ask, { atOnce: 1 });
    expect([...seen]).toEqual([1]);
    await run(ask, { atOnce: 2 });
    expect([...seen].toSorted()).toEqual([1, 2]);
  });

  it('is ended by its signal between two questions', async () => {
    const stopping = new AbortController();
    const { ask } = disturbed((_, count) => {
      if (count === 30) stopping.abort(new Error('interrupted'));
      return null;
    });
    const end = await run(ask, { signal: stopping.signal });
    expect(end).toEqual({ kind: 'interrupted', done: 1, total: 3 });
  });

  it('says of a time without any sample that there is none', async () => {
    const old = deploys
      .slice(0, 1)
      .map((one) => ({ ...one, deployedAtMs: T0 - 100 * MINUTE, replaced: null }));
    const result = done(await run(askOf(server.url), { deploys: old }));
    expect(result.deploys[0]).toMatchObject({
      verdict: 'failed',
      because: [expect.stringContaining('beyond the retention')],
    });
  });

  it('says of a deploy whose windows are still open that nothing is decided', async () => {
    const clock = { now: () => T0 + 45 * MINUTE, monotonic: () => 0, sleep: async () => {} };
    const good = deploys.slice(1, 2);
    const result = done(await run(askOf(server.url), { deploys: good, clock }));
    expect(result.deploys[0]).toMatchObject({
      verdict: 'failed',
      because: [expect.stringContaining('nothing is decided yet')],
    });
  });
});
