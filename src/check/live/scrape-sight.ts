// A service's own `/metrics`, looked at for `check --live`. Counters need time to count: the source
// of production is read twice, and what needs more than these few seconds is said to be blind.
import type { ReadRequest } from '../../core/read.ts';
import { select, selectorsOf } from '../../core/select.ts';
import type { Series } from '../../core/series.ts';
import { send } from '../../kit/http.ts';
import { headerSecrets, redact } from '../../kit/redact.ts';
import { parseMetrics, TEXT_LENGTH_MAX, typesIn } from '../../source/metrics-text.ts';
import { createScrapeSource, type ScrapeOptions } from '../../source/scrape.ts';
import { familiesOf, kindIn, type Sight } from './sight.ts';

type Text = {
  readonly series: readonly Series[];
  readonly types: ReadonlyMap<string, string>;
  readonly ms: number;
  /** Of each target that cannot be read, why. */
  readonly failed: readonly string[];
};

export function scrapeSight(options: ScrapeOptions, pauseMs: number): Sight {
  const source = createScrapeSource(options);
  let text: Promise<Text> | null = null;
  const once = (signal: AbortSignal) => (text ??= textOf(options, signal));

  return {
    kind: 'scrape',
    async deadBecause(_, signal) {
      const { failed } = await once(signal);
      return failed.length < options.targets.length ? null : (failed[0] ?? null);
    },
    async read(request) {
      const startedMs = options.clock.monotonic();
      await source.read(request);
      const ms = Math.round(options.clock.monotonic() - startedMs);
      await options.clock.sleep(pauseMs, request.signal).catch(() => {});
      const readings = await source.read({ ...request, atMs: options.clock.now() });
      return { readings, cost: { ms, samples: (await once(request.signal)).series.length } };
    },
    async look(indicator, { signal }: ReadRequest) {
      const { series, ms } = await once(signal);
      const suffix = indicator.kind === 'quantile' ? '_bucket' : '';
      const own = selectorsOf(indicator).flatMap(({ metric, matchers }) => {
        const selection = select(series, { metric: `${metric}${suffix}`, matchers });
        return selection.kind === 'selected' ? selection.series : [];
      });
      const unique = [...new Set(own)];
      const cost = { ms, samples: series.length };
      return { series: unique, count: unique.length, cost, failure: null, warnings: [] };
    },
    hasAny: async ({ signal }) => (await once(signal)).series.length > 0,
    hasMetric: async (metric, { signal }) =>
      (await once(signal)).series.some((one) => one.metric === metric),
    metricNames: async ({ signal }) => {
      const { series } = await once(signal);
      return [...new Set(series.map(({ metric }) => metric))];
    },
    labelNames: async (metric, { signal }) => {
      const own = (await once(signal)).series.filter((one) => one.metric === metric);
      return [...new Set(own.flatMap(({ labels }) => Object.keys(labels)))];
    },
    labelValues: async (metric, label, { signal }) => {
      const own = (await once(signal)).series.filter((one) => one.metric === metric);
      return [...new Set(own.flatMap(({ labels }) => labels[label] ?? []))];
    },
    async typeOf(metric, signal) {
      const { types } = await once(signal);
      const kinds = familiesOf(metric).map((family) =>
        kindIn(metric, family, types.get(family) ?? null),
      );
      return kinds.find((one) => one !== null && !/^(unknown|untyped)$/.test(one)) ?? null;
    },
    // As often as the policy asks.
    spacingOf: async () => null,
  };
}

async function textOf(options: ScrapeOptions, signal: AbortSignal): Promise<Text> {
  const all = await Promise.all(options.targets.map((url) => oneText(url, options, signal)));
  return {
    series: all.flatMap(({ series }) => series),
    types: new Map(all.flatMap(({ types }) => [...types])),
    ms: Math.max(...all.map(({ ms }) => ms)),
    failed: all.flatMap(({ failed }) => failed),
  };
}

async function oneText(url: string, options: ScrapeOptions, signal: AbortSignal): Promise<Text> {
  const { clock, headers, timeoutMs } = options;
  const startedMs = clock.monotonic();
  const answer = await send({
    ...{ method: 'GET', url, headers, timeoutMs, signal },
    responseBytesMax: TEXT_LENGTH_MAX,
  });
  const ms = Math.round(clock.monotonic() - startedMs);
  const nothing = (why: string) => ({ series: [], types: new Map(), ms, failed: [why] });
  if (answer.kind === 'failed') return nothing(answer.detail);
  if (answer.status !== 200) return nothing(`HTTP ${answer.status}`);
  const parsed = parseMetrics(answer.body, answer.headers['content-type'], (line) =>
    redact(line, headerSecrets(headers)),
  );
  if (parsed.kind === 'bad') return nothing(parsed.detail);
  const atMs = clock.now();
  const series = parsed.samples.map(({ metric, labels, value }) => ({
    metric,
    labels,
    points: [[atMs, value] as const],
  }));
  return { series, types: typesIn(answer.body), ms, failed: [] };
}
