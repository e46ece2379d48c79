// A case's series as a source reads them: raw samples in the shape of a Prometheus's answers, or
// the text of /metrics. The reading and judging is that of production; nothing is computed here.
// Values of promql indicators are handed through as the answers to their queries.
import { compilePattern } from '../core/pattern.ts';
import { parseDuration } from '../core/quantity.ts';
import type { Source } from '../core/read.ts';
import type { Clock } from '../kit/clock.ts';
import { sourceOn } from '../source/prometheus.ts';
import type { Query, QueryAnswer } from '../source/prometheus-api.ts';
import type { MatrixSeries, VectorElement } from '../source/prometheus-result.ts';
import { INDICATOR_LABEL, RANGE_PLACEHOLDER } from '../source/promql.ts';
import { createScrapeSource } from '../source/scrape.ts';
import type { Case } from './case.ts';
import { type CaseSeries, type Labels, unescaped } from './series.ts';

/** `down`: no answer; `rejects`: an answer that is an error. */
export type Trouble = 'down' | 'rejects' | null;

export type OfflineOptions = {
  readonly one: Pick<Case, 'series' | 'values'>;
  readonly everyMs: number;
  /** Wall clock of the deploy. */
  readonly deployedAtMs: number;
  readonly clock: Clock;
  readonly trouble: () => Trouble;
};

type Failed = Extract<QueryAnswer, { kind: 'failed' }>;

const TROUBLES: Readonly<Record<Exclude<Trouble, null>, Failed>> = {
  down: { kind: 'failed', reason: 'unreachable', detail: 'connection refused', fault: 'server' },
  rejects: { kind: 'failed', reason: 'rejected', detail: 'HTTP 500', fault: 'server' },
};

export function createOfflinePrometheus(options: OfflineOptions): Source {
  const source = sourceOn(queryOf(options));
  return {
    read: (request) => {
      const indicators = request.indicators.map((indicator) =>
        indicator.kind === 'promql'
          ? { ...indicator, promql: markerOf(indicator.id, indicator.promql) }
          : indicator,
      );
      return source.read({ ...request, indicators });
    },
    forget: (watchId) => source.forget(watchId),
  };
}

const MARKER = /canaryd_case_value\{id="([^"]*)"/g;

/** What stands for an expression: asked together or alone, its value can be found by its name. */
function markerOf(id: string, promql: string): string {
  const range = promql.includes(RANGE_PLACEHOLDER) ? `, range="${RANGE_PLACEHOLDER}"` : '';
  return `canaryd_case_value{id="${id}"${range}}`;
}

export function queryOf(options: OfflineOptions): Query {
  const selected = new Map<string, readonly CaseSeries[]>();
  return async (promql, atMs) => {
    const trouble = options.trouble();
    if (trouble !== null) return TROUBLES[trouble];
    const range = /^\{(.*)\}\[([0-9a-z]+)\]$/s.exec(promql);
    if (range === null) return valuesAnswer(promql, atMs, options);
    const [, inside = '', span = ''] = range;
    // A window of a tick differs from the one before, its matchers hardly ever.
    const series = selected.get(inside) ?? select(inside, options.one.series);
    selected.set(inside, series);
    const points = matrixOf(series, atMs, parseDuration(span) ?? 0, options);
    return { kind: 'answered', result: { type: 'matrix', series: points }, warnings: [] };
  };
}

function valuesAnswer(
  promql: string,
  atMs: number,
  { one, everyMs, deployedAtMs }: OfflineOptions,
): QueryAnswer {
  const names = [...promql.matchAll(MARKER)].map(([, id = '']) => id);
  const elements = names.flatMap((id): VectorElement[] => {
    const sinceMs = Math.floor((atMs - deployedAtMs) / everyMs) * everyMs;
    const value = one.values.get(id)?.at(sinceMs) ?? null;
    return value === null ? [] : [{ labels: { [INDICATOR_LABEL]: id }, value }];
  });
  return { kind: 'answered', result: { type: 'vector', elements }, warnings: [] };
}

/** Samples after `atMs - windowMs`, up to `atMs`, as a range selector gives them. */
function matrixOf(
  series: readonly CaseSeries[],
  atMs: number,
  windowMs: number,
  { everyMs, deployedAtMs }: OfflineOptions,
): readonly MatrixSeries[] {
  const toStep = Math.floor((atMs - deployedAtMs) / everyMs);
  const fromStep = Math.floor((atMs - windowMs - deployedAtMs) / everyMs) + 1;
  return series.flatMap(({ labels, course }): MatrixSeries[] => {
    const points: [number, number][] = [];
    for (let step = fromStep; step <= toStep; step += 1) {
      const value = course.at(step * everyMs);
      if (value !== null) points.push([deployedAtMs + step * everyMs, value]);
    }
    return points.length === 0 ? [] : [{ labels, points, isNativeHistogram: false }];
  });
}

const MATCHER = /(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"/g;

function select(inside: string, series: readonly CaseSeries[]): readonly CaseSeries[] {
  const tests = [...inside.matchAll(MATCHER)].map(([, label = '', op = '', quoted = '']) => {
    const value = unescaped(quoted);
    const pattern = op.endsWith('~') ? compilePattern(value) : null;
    const wanted = !op.startsWith('!');
    return (labels: Labels) => {
      const own = Object.hasOwn(labels, label) ? (labels[label] ?? '') : '';
      return (pattern === null ? own === value : pattern.matches(own)) === wanted;
    };
  });
  return series.filter(({ labels }) => tests.every((test) => test(labels)));
}

const TARGET = 'http://case.invalid/metrics';
const TIMEOUT_MS = 1_000;

/** The service's own /metrics, without a network. */
export function createOfflineScrape(options: OfflineOptions): Source {
  const { clock, deployedAtMs, everyMs } = options;
  return createScrapeSource({
    targets: [TARGET],
    headers: {},
    timeoutMs: TIMEOUT_MS,
    clock,
    get: async () => {
      const trouble = options.trouble();
      if (trouble === 'down') {
        const detail = 'connection refused';
        return { kind: 'failed', reason: 'refused_connection', detail, tookMs: 0 };
      }
      const sinceMs = Math.floor((clock.now() - deployedAtMs) / everyMs) * everyMs;
      const status = trouble === 'rejects' ? 500 : 200;
      const headers = { 'content-type': 'text/plain; version=0.0.4' };
      const body = status === 200 ? expositionOf(options.one.series, sinceMs) : '';
      return { kind: 'answered', status, headers, body, tookMs: 0 };
    },
  });
}

export function expositionOf(series: readonly CaseSeries[], sinceMs: number): string {
  const lines = series.flatMap(({ labels: { __name__: metric = '', ...labels }, course }) => {
    const value = course.at(sinceMs);
    if (value === null) return [];
    const pairs = Object.entries(labels).map(([name, text]) => `${name}=${quoted(text)}`);
    const number = Number.isFinite(value) ? String(value) : infinite(value);
    return [`${metric}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${number}`];
  });
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function infinite(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
