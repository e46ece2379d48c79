// How often a Prometheus is asked, counted at the door: by the engine and the source of production,
// on virtual time.
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadPolicyFile } from '../../src/config/load.ts';
import { BASELINE_LEADS_MS } from '../../src/core/decide.ts';
import type { Indicator, Policy } from '../../src/core/policy.ts';
import { sharedAsks, sourceOn } from '../../src/source/prometheus.ts';
import type { Query, QueryAnswer } from '../../src/source/prometheus-api.ts';
import { SHARED_MAX } from '../../src/source/shared-query.ts';
import { aCondition, aPolicy, aRatio } from '../support/build.ts';
import { anEngine } from '../support/engine.ts';
import { TogetherClock } from '../support/together-clock.ts';

const MINUTE = 60_000;
const FOLDER = fileURLToPath(new URL('../../config/policies/', import.meta.url));
const FILES = globSync('**/*.yaml', { cwd: FOLDER }).filter((name) => !/\.test\.yaml$/.test(name));

/** A Prometheus that has one series of each metric for each deploy, and one for each expression. */
class FakePrometheus {
  readonly questions: string[] = [];
  readonly #clock: TogetherClock;

  constructor(clock: TogetherClock) {
    this.#clock = clock;
  }

  readonly query: Query = async (promql, atMs) => {
    this.questions.push(promql);
    const result = promql.startsWith('{__name__=') ? raw(promql, atMs) : expressions(promql);
    return { kind: 'answered', result, warnings: [] };
  };

  source() {
    const source = sourceOn(this.query, sharedAsks(this.query, this.#clock));
    return {
      ...source,
      read: (request: Parameters<typeof source.read>[0]) =>
        this.#clock.standingStill(source.read(request)),
    };
  }
}

type Result = Extract<QueryAnswer, { kind: 'answered' }>['result'];

function valuesOf(label: string, promql: string): readonly string[] {
  return new RegExp(`${label}=~?"([^"]*)"`).exec(promql)?.[1]?.split('|') ?? [];
}

function raw(promql: string, atMs: number): Result {
  const deploys = valuesOf('deploy', promql).map((deploy) => ({ deploy }));
  const series = valuesOf('__name__', promql).flatMap((metric) =>
    (deploys.length === 0 ? [{}] : deploys).map((labels) => ({
      labels: { __name__: metric, ...labels },
      points: [[atMs - 2_000, 1] as const],
      isNativeHistogram: false,
    })),
  );
  return { type: 'matrix', series };
}

function expressions(promql: string): Result {
  const ids = [...promql.matchAll(/"canaryd_indicator", "([^"]+)"/g)].map(([, id = '']) => id);
  const labels = ids.length === 0 ? [{}] : ids.map((id) => ({ canaryd_indicator: id }));
  return { type: 'vector', elements: labels.map((one) => ({ labels: one, value: 1 })) };
}

function watching(policy: Policy, slotMs?: number) {
  const clock = new TogetherClock();
  const prometheus = new FakePrometheus(clock);
  const { requires: _needsNoGate, ...rest } = policy;
  const engine = anEngine({
    clock,
    policies: [rest],
    sources: { [policy.source]: prometheus.source() },
    ...(slotMs === undefined ? {} : { slotMs }),
  });
  const parameters = Object.fromEntries(Object.keys(policy.parameters).map((name) => [name, 100]));
  const { service } = policy;
  engine.start();
  return {
    prometheus,
    start: (over: { readonly environment?: string } = {}) =>
      engine.watch({ service, previousVersion: '1.9.0', parameters, ...over }),
    /** What was asked meanwhile, and how many ticks there were. */
    async during(ms: number) {
      const [asked, ticked] = [prometheus.questions.length, engine.ticks.length];
      await clock.advance(ms);
      expect(engine.errors).toEqual([]);
      return {
        questions: prometheus.questions.slice(asked),
        ticks: engine.ticks.length - ticked,
      };
    },
  };
}

/** So many conditions, each on an indicator of its own. */
function aLargePolicy(indicators: readonly Indicator[]): Policy {
  return aPolicy({
    indicators: Object.fromEntries(indicators.map((one) => [one.id, one])),
    conditions: indicators.map(({ id }) =>
      aCondition({ id: `immediate.stop.${id}`, indicator: id }),
    ),
  });
}

const ratios = (count: number) =>
  Array.from({ length: count }, (_, index) => {
    const matchers = [{ label: 'route', op: '=', value: `/r${index}` }] as const;
    return aRatio({
      id: `ratio_${index}`,
      numerator: { metric: `answers_${index}_total`, matchers },
      total: { metric: 'requests_total', matchers },
    });
  });

const expressionsOf = (count: number, deploy: string | null = null) =>
  Array.from({ length: count }, (_, index): Indicator => {
    const id = `expression_${index}`;
    const promql = `max(queue_${index}${deploy === null ? '' : `{deploy="${deploy}"}`})`;
    return { kind: 'promql', id, title: id, unit: 'number', promql, overMs: null, waitMs: 0 };
  });

/** Until all of its expressions are asked: ranges must not reach back before the deploy. */
function waitOf({ indicators }: Policy): number {
  const waits = Object.values(indicators).map((one) => (one.kind === 'promql' ? one.waitMs : 0));
  return Math.max(MINUTE, ...waits);
}

/** Requests of a tick, of each policy that is shipped. */
const PER_TICK: readonly (readonly [file: string, perTick: number])[] = [
  ['aurora.yaml', 1],
  ['examples/aurora-runbook.yaml', 2],
  ['examples/http-api.yaml', 1],
  ['examples/lunia.yaml', 1],
  ['examples/mech-exo.yaml', 2],
  ['examples/spark.yaml', 2],
];

describe('one watch', () => {
  it.each(PER_TICK)('of %s asks %i times a tick', async (file, perTick) => {
    const policy = loadPolicyFile(`${FOLDER}${file}`);
    const { start, during } = watching(policy);
    await start();
    // Expressions look back: they are asked when the deploy is older than their range.
    await during(10 * MINUTE);
    const { questions, ticks } = await during(20 * policy.intervalMs);
    expect(ticks).toBe(20);
    expect(questions).toHaveLength(20 * perTick);
  });

  it('is counted here for every policy that is shipped', () => {
    expect(FILES.toSorted()).toEqual([
      'aurora.yaml',
      'examples/aurora-runbook.yaml',
      'examples/http-api.yaml',
      'examples/lunia.yaml',
      'examples/mech-exo.yaml',
      'examples/spark.yaml',
    ]);
  });

  it.each([
    ['20 ratios', ratios(20), 1],
    ['20 expressions', expressionsOf(20), 1],
    ['20 ratios and 20 expressions', [...ratios(20), ...expressionsOf(20)], 2],
  ])('with conditions on %s asks no more often than with one', async (_, indicators, perTick) => {
    const { start, during } = watching(aLargePolicy(indicators));
    await start();
    await during(MINUTE);
    const { questions, ticks } = await during(50_000);
    expect(ticks).toBe(10);
    expect(questions).toHaveLength(10 * perTick);
  });

  it('asks once more for each look at the time before the deploy, in its first tick', async () => {
    const { start, during } = watching(aLargePolicy(ratios(20)));
    await start();
    const { questions, ticks } = await during(4_000);
    expect(ticks).toBe(1);
    // The moment of the deploy is looked at, too.
    expect(questions).toHaveLength(1 + BASELINE_LEADS_MS.length + 1);
  });
});

describe('many watches of one policy', () => {
  const aurora: Policy = {
    ...loadPolicyFile(`${FOLDER}aurora.yaml`),
    environment: null,
    match: { deploy: '${environment}' },
  };
  const { intervalMs } = aurora;
  const TICKS = 3;

  async function many(count: number, slotMs: number, policy = aurora) {
    const watched = watching(policy, slotMs);
    for (let index = 0; index < count; index += 1)
      await watched.start({ environment: `e${index}` });
    await watched.during(2 * intervalMs);
    return watched.during(TICKS * intervalMs);
  }

  it.each([1, SHARED_MAX, SHARED_MAX + 1, 60])(
    'that tick together, %i of them, ask once for each 50',
    async (count) => {
      const { questions, ticks } = await many(count, intervalMs);
      expect(ticks).toBe(TICKS * count);
      expect(questions).toHaveLength(TICKS * Math.ceil(count / SHARED_MAX));
    },
  );

  it('ask for each of them, and for each once', async () => {
    const { questions } = await many(60, intervalMs);
    const named = questions.slice(0, 2).flatMap((promql) => valuesOf('deploy', promql));
    const all = Array.from({ length: 60 }, (_, index) => `e${index}`);
    expect(named.toSorted()).toEqual(all.toSorted());
  });

  it('ask once for their samples and once for their expressions', async () => {
    const policy = { ...aLargePolicy([...ratios(2), ...expressionsOf(2)]), intervalMs };
    const { questions } = await many(60, intervalMs, policy);
    const raws = questions.filter((promql) => promql.startsWith('{__name__='));
    expect(raws).toHaveLength(TICKS);
    expect(questions).toHaveLength(TICKS * 2);
  });

  it('whose expressions name the deploy ask once for each 50', async () => {
    const policy = { ...aLargePolicy(expressionsOf(2, '${environment}')), intervalMs };
    const { questions } = await many(60, intervalMs, policy);
    expect(questions).toHaveLength(TICKS * 2);
    const named = questions
      .slice(0, 2)
      .join()
      .matchAll(/queue_[01]\{deploy="(e\d+)"\}/g);
    const all = Array.from({ length: 60 }, (_, index) => [`e${index}`, `e${index}`]).flat();
    expect([...named].map(([, one]) => one).toSorted()).toEqual(all.toSorted());
  });

  it.each(PER_TICK)('of %s, 60 of them, ask %i times a tick', async (file, perTick) => {
    const policy = loadPolicyFile(`${FOLDER}${file}`);
    const watched = watching({ ...policy, environment: null }, policy.intervalMs);
    for (let index = 0; index < 60; index += 1) await watched.start({ environment: `e${index}` });
    await watched.during(waitOf(policy) + 2 * policy.intervalMs);
    const { questions, ticks } = await watched.during(TICKS * policy.intervalMs);
    expect(ticks).toBe(TICKS * 60);
    expect(questions).toHaveLength(TICKS * perTick);
  });

  it('that are spread over the slots of an interval ask once in each slot', async () => {
    const { questions, ticks } = await many(60, 250);
    expect(ticks).toBe(TICKS * 60);
    expect(questions).toHaveLength(TICKS * (intervalMs / 250));
  });
});
