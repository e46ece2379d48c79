// A small Prometheus: series of raw samples, each visible from some time on, and the answers to
// the queries that canaryd asks. It knows only the forms that canaryd writes.
import type { QueryAnswer } from '../../src/source/prometheus-api.ts';

export type Sample = {
  /** True wall time of the scrape. */
  readonly atMs: number;
  readonly value: number;
  /** Seen by queries from this true wall time on. */
  readonly visibleAtMs: number;
  /** Not what the service said. */
  readonly isLie: boolean;
};

export type SampleSeries = {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: Sample[];
};

type Matcher = { readonly label: string; readonly test: (value: string) => boolean };

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
/** How far an instant selector looks back. */
const LOOKBACK_MS = 300_000;

export class Samples {
  readonly #series = new Map<string, SampleSeries>();
  readonly #matchers = new Map<string, readonly Matcher[]>();

  add(metric: string, labels: Readonly<Record<string, string>>, sample: Sample): void {
    const key = `${metric} ${Object.values(labels).join(' ')}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { metric, labels, samples: [] };
      this.#series.set(key, series);
    }
    series.samples.push(sample);
  }

  all(): readonly SampleSeries[] {
    return [...this.#series.values()];
  }

  /** Series of these metrics and labels; every one of them a label must have. */
  find(metric: string, labels: Readonly<Record<string, string>>): readonly SampleSeries[] {
    return this.all().filter(
      (one) =>
        one.metric === metric &&
        Object.entries(labels).every(([label, value]) => one.labels[label] === value),
    );
  }

  answer(promql: string, atMs: number, wallMs: number): QueryAnswer {
    const range = /^\{(.*)\}\[([0-9a-z]+)\]$/s.exec(promql);
    if (range !== null) {
      const [, inside = '', span = ''] = range;
      const fromMs = atMs - durationMs(span);
      const series = this.#select(inside).flatMap((one) => {
        const points = one.samples
          .filter((s) => s.atMs > fromMs && s.atMs <= atMs && s.visibleAtMs <= wallMs)
          .map((s) => [s.atMs, s.value] as const);
        if (points.length === 0) return [];
        const labels = { __name__: one.metric, ...one.labels };
        return [{ labels, points, isNativeHistogram: false }];
      });
      return { kind: 'answered', result: { type: 'matrix', series }, warnings: [] };
    }
    const least = /^min\((\w+)\{(.*)\}\)$/.exec(promql);
    if (least === null) throw new Error(`the simulated Prometheus does not know: ${promql}`);
    const [, metric = '', inside = ''] = least;
    const values = this.#select(`__name__="${metric}",${inside}`).flatMap((one) => {
      const newest = one.samples.findLast((s) => s.atMs <= atMs && s.visibleAtMs <= wallMs);
      return newest !== undefined && newest.atMs > atMs - LOOKBACK_MS ? [newest.value] : [];
    });
    const elements = values.length === 0 ? [] : [{ labels: {}, value: Math.min(...values) }];
    return { kind: 'answered', result: { type: 'vector', elements }, warnings: [] };
  }

  #select(inside: string): readonly SampleSeries[] {
    const matchers = this.#matchers.get(inside) ?? parse(inside);
    this.#matchers.set(inside, matchers);
    return this.all().filter((one) =>
      matchers.every(({ label, test }) =>
        test(label === '__name__' ? one.metric : (one.labels[label] ?? '')),
      ),
    );
  }
}

function parse(inside: string): readonly Matcher[] {
  const found = inside.matchAll(/(\w+)(=~|!=|=)"((?:[^"\\]|\\.)*)"/g);
  return [...found].map(([, label = '', op = '', quoted = '']) => {
    const value = quoted.replaceAll('\\\\', '\\').replaceAll('\\"', '"');
    if (op === '=') return { label, test: (text: string) => text === value };
    if (op === '!=') return { label, test: (text: string) => text !== value };
    const pattern = new RegExp(`^(?:${value})$`);
    return { label, test: (text: string) => pattern.test(text) };
  });
}

function durationMs(text: string): number {
  let sum = 0;
  for (const [, amount, unit = ''] of text.matchAll(/(\d+)(ms|s|m|h|d)/g)) {
    sum += Number(amount) * (UNITS[unit] ?? 0);
  }
  return sum;
}
