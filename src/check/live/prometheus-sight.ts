// A Prometheus, looked at for `check --live`: read by the very source of production, while every
// question is counted.
import type { SeriesIndicator } from '../../core/read.ts';
import { sourceOn } from '../../source/prometheus.ts';
import {
  type Asked,
  createAsk,
  type PrometheusOptions,
  type QueryAnswer,
} from '../../source/prometheus-api.ts';
import { createLookup } from '../../source/prometheus-lookup.ts';
import type { QueryResult } from '../../source/prometheus-result.ts';
import { selectorText } from '../../source/promql.ts';
import { type Cost, familiesOf, kindIn, type Look, medianGapOf, type Sight } from './sight.ts';

/** How far back the spacing of samples is looked at. */
const SPACING_RANGE_S = 600;

export function prometheusSight(options: PrometheusOptions): Sight {
  const ask = createAsk(options);
  const lookup = createLookup(options);

  /** The source of production, and what it asked. */
  function counted() {
    const asked: Asked[] = [];
    const source = sourceOn(async (promql, atMs, signal) => {
      const one = await ask({ promql, atMs, withStats: true }, signal);
      asked.push(one);
      return one.answer;
    });
    return { source, asked };
  }

  return {
    kind: 'prometheus',
    async deadBecause(atMs, signal) {
      const { answer } = await ask({ promql: 'vector(1)', atMs }, signal);
      return answer.kind === 'failed' ? answer.detail : null;
    },
    async read(request) {
      const { source, asked } = counted();
      const startedMs = options.clock.monotonic();
      const readings = await source.read(request);
      // Its questions are asked side by side.
      const ms = Math.round(options.clock.monotonic() - startedMs);
      return { readings, cost: { ...costOf(asked), ms } };
    },
    async look(indicator, request) {
      const { source, asked } = counted();
      await source.read({ ...request, indicators: [indicator] });
      return lookOf(indicator, asked);
    },
    hasAny: (span) => lookup.hasAny(span),
    hasMetric: (metric, span) =>
      lookup.hasMetric(metric, selectorText({ metric, matchers: [] }), span),
    metricNames: (span) => lookup.labelValues('__name__', null, span),
    labelNames: (metric, span) => lookup.labelNames(selectorText({ metric, matchers: [] }), span),
    labelValues: (metric, label, span) =>
      lookup.labelValues(label, selectorText({ metric, matchers: [] }), span),
    async typeOf(metric, signal) {
      for (const family of familiesOf(metric)) {
        const kind = kindIn(metric, family, await lookup.typeOf(family, signal));
        if (kind !== null) return kind;
      }
      return null;
    },
    spacingOf: (metric, { atMs, signal }) =>
      spacingOf(metric, async (promql) => (await ask({ promql, atMs }, signal)).answer),
  };
}

/** Of one series, the one with the most samples: a metric may have thousands. */
async function spacingOf(
  metric: string,
  query: (promql: string) => Promise<QueryAnswer>,
): Promise<number | null> {
  const range = `[${SPACING_RANGE_S}s]`;
  const all = selectorText({ metric, matchers: [] });
  const fullest = await query(`topk(1, count_over_time(${all}${range}))`);
  const labels = resultOf(fullest, 'vector')?.elements[0]?.labels;
  if (labels === undefined) return null;
  const matchers = Object.entries(labels)
    .filter(([label]) => label !== '__name__')
    .map(([label, value]) => ({ label, op: '=' as const, value }));
  const raw = await query(`${selectorText({ metric, matchers })}${range}`);
  return medianGapOf(resultOf(raw, 'matrix')?.series ?? []);
}

function resultOf<T extends QueryResult['type']>(answer: QueryAnswer, type: T) {
  const result = answer.kind === 'answered' ? answer.result : null;
  return result?.type === type ? (result as Extract<QueryResult, { type: T }>) : null;
}

function costOf(asked: readonly Asked[]): Cost {
  const known = asked.map(({ samples }) => samples).filter((samples) => samples !== null);
  return {
    ms: Math.round(asked.reduce((sum, { seconds }) => sum + seconds * 1_000, 0)),
    samples: known.length === 0 ? null : known.reduce((sum, samples) => sum + samples, 0),
  };
}

function lookOf({ kind }: SeriesIndicator, asked: readonly Asked[]): Look {
  const cost = asked.length === 0 ? null : costOf(asked);
  const answer = asked.at(-1)?.answer;
  const result = answer?.kind === 'answered' ? answer.result : null;
  const failure =
    answer?.kind === 'failed'
      ? { detail: answer.detail, isOfQuery: kind === 'promql' && answer.fault === 'query' }
      : null;
  const warnings = answer?.kind === 'answered' ? answer.warnings : [];
  const common = { cost, failure, warnings };
  if (kind === 'promql') return { series: [], count: countOf(result), ...common };
  const series =
    result?.type === 'matrix'
      ? result.series.map(({ labels: { __name__: metric = '', ...labels }, points }) => ({
          metric,
          labels,
          points,
        }))
      : [];
  return { series, count: series.length, ...common };
}

function countOf(result: QueryResult | null): number {
  if (result?.type === 'vector') return result.elements.length;
  return result?.type === 'scalar' ? 1 : 0;
}
