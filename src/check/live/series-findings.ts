// Findings about the series behind an indicator: whether they exist, are what they are taken for,
// and are sampled often enough.
import type { Indicator, Matcher, Selector } from '../../core/policy.ts';
import { formatDuration, formatValue } from '../../core/quantity.ts';
import type { ReadRequest, SeriesIndicator } from '../../core/read.ts';
import { select, selectorText } from '../../core/select.ts';
import type { Series } from '../../core/series.ts';
import { type About, type Finding, finding } from '../finding.ts';
import { rangeOf, SAMPLES_IN_RANGE_MIN } from '../indicators.ts';
import { aboutCondition, aboutIndicator, type Subject } from '../subject.ts';
import { metricsIn, selectorsOf } from '../words.ts';
import { nearest, nearestText } from './nearest.ts';
import type { Look, Sight, Span } from './sight.ts';

/** Names and labels of series that ended longer ago are not known any more. */
const NAMES_RANGE_MS = 3_600_000;
const VALUES_NAMED_MAX = 5;
/** A counter falls only when its process restarts. */
const FALLS_MIN = 3;
const FALLS_SHARE_MIN = 0.2;

export type Seen = {
  readonly subject: Subject;
  readonly sight: Sight;
  /** Placeholders are filled. */
  readonly indicator: SeriesIndicator;
  readonly look: Look;
  readonly request: ReadRequest;
};

export async function seriesFindings(seen: Seen): Promise<readonly Finding[]> {
  const { indicator, look, subject } = seen;
  if (indicator.kind === 'promql') return promqlFindings(seen, indicator.promql);
  const findings: Finding[] = [];
  const own: Series[] = [];
  for (const [index, selector] of selectorsOf(indicator).entries()) {
    const meant = bucketOf(indicator, selector);
    const selection = select(look.series, meant);
    const series = selection.kind === 'selected' ? selection.series : [];
    own.push(...series);
    const isPart = indicator.kind === 'ratio' && index === 0;
    if (series.length === 0) findings.push(...(await missing(seen, meant, isPart)));
    else findings.push(...(await kindFindings(seen, meant.metric, series)));
  }
  const spacingMs = spacingOf(own);
  return [
    ...findings,
    ...(indicator.kind === 'quantile' ? bucketFindings(subject, indicator.id, own) : []),
    ...spacingFindings(seen, spacingMs),
  ];
}

function bucketOf(indicator: Indicator, { metric, matchers }: Selector): Selector {
  return { metric: indicator.kind === 'quantile' ? `${metric}_bucket` : metric, matchers };
}

/** The time in which names of metrics and labels are looked for. */
export function spanOf(atMs: number, signal: AbortSignal): Span {
  return { fromMs: atMs - NAMES_RANGE_MS, toMs: atMs, signal };
}

function aboutMetric({ subject, indicator }: Seen): About {
  return aboutIndicator(subject, indicator.id, indicator.kind);
}

/** Why a selector matches nothing. */
async function missing(seen: Seen, selector: Selector, isPart: boolean): Promise<Finding[]> {
  const { sight, request } = seen;
  const about = aboutMetric(seen);
  const { metric } = selector;
  const names = await sight.metricNames(spanOf(request.atMs, request.signal));
  if (names !== null && !names.includes(metric)) return [unknownMetric(about, metric, names)];
  const name = isPart ? 'part-not-seen' : 'no-matching-series';
  for (const matcher of selector.matchers) {
    if (matcher.op.startsWith('!') || matcher.value === '') continue;
    const labels = await sight.labelNames(metric, spanOf(request.atMs, request.signal));
    if (labels !== null && !labels.includes(matcher.label)) {
      const found = `the label ${matcher.label}, which no series of ${metric} has`;
      const wanted = nearestText(matcher.label, labels);
      return [finding('no-matching-series', about, found, wanted)];
    }
    const values = await sight.labelValues(
      metric,
      matcher.label,
      spanOf(request.atMs, request.signal),
    );
    if (values === null || values.some((value) => matches(matcher, value))) continue;
    const near = new Set([...nearest(matcher.value, values), ...values]);
    const shown = [...near].slice(0, VALUES_NAMED_MAX).join(', ');
    const more = values.length > VALUES_NAMED_MAX ? ', …' : '';
    const found = `${matcher.label}${matcher.op}"${matcher.value}", which no series of ${metric} has`;
    return [finding(name, about, found, `a value that exists, such as ${shown}${more}`)];
  }
  const found = `no series of ${selectorText(selector)}`;
  return [finding(name, about, found, 'a series that is there now, and has all of these labels')];
}

function matches(matcher: Matcher, value: string): boolean {
  const series = { metric: 'm', labels: { [matcher.label]: value }, points: [] };
  const selection = select([series], { metric: 'm', matchers: [matcher] });
  return selection.kind === 'selected' && selection.series.length > 0;
}

function unknownMetric(about: About, metric: string, names: readonly string[] | null): Finding {
  const isBucket = metric.endsWith('_bucket');
  const bare = (name: string) => (isBucket ? name.replace(/_bucket$/, '') : name);
  const candidates = names?.filter((name) => !isBucket || name.endsWith('_bucket')).map(bare);
  const found = `${isBucket ? 'the histogram' : 'the metric'} ${bare(metric)}, which is not there`;
  return finding('unknown-metric', about, found, nearestText(bare(metric), candidates ?? null));
}

async function promqlFindings(seen: Seen, promql: string): Promise<readonly Finding[]> {
  const { sight, request } = seen;
  const metrics = metricsIn(promql);
  const names = await sight.metricNames(spanOf(request.atMs, request.signal));
  const about = aboutMetric(seen);
  const unknown = names === null ? [] : metrics.filter((metric) => !names.includes(metric));
  const known = metrics.find((metric) => names?.includes(metric));
  const spacingMs = known === undefined ? null : await sight.spacingOf(known, request);
  return [
    ...unknown.map((metric) => unknownMetric(about, metric, names)),
    ...spacingFindings(seen, spacingMs),
  ];
}

/** A gauge that is counted, or a counter that is read as it is. */
async function kindFindings(
  seen: Seen,
  metric: string,
  series: readonly Series[],
): Promise<readonly Finding[]> {
  const { sight, indicator, request } = seen;
  const about = aboutMetric(seen);
  if (indicator.kind === 'quantile') return [];
  const type = await sight.typeOf(metric, request.signal);
  if (indicator.kind === 'gauge') {
    // By its name it was found without the source.
    if (type !== 'counter' || /_total$/.test(metric)) return [];
    const found = `${metric}, which the source calls a counter, as a gauge`;
    return [finding('counter-as-gauge', about, found, 'rate or increase; a counter only grows')];
  }
  const wanted = 'a counter; use gauge for this metric, or name the counter';
  if (type === 'gauge') {
    const found = `${metric}, which the source calls a gauge, as a counter`;
    return [finding('gauge-as-counter', about, found, wanted)];
  }
  if (type !== null) return [];
  const { falls, steps } = fallsIn(series);
  if (falls < FALLS_MIN || falls < FALLS_SHARE_MIN * steps) return [];
  const found = `${metric} as a counter, which falls at ${falls} of ${steps} samples`;
  return [finding('gauge-as-counter', about, found, wanted)];
}

function fallsIn(series: readonly Series[]): { readonly falls: number; readonly steps: number } {
  let [falls, steps] = [0, 0];
  for (const { points } of series) {
    for (const [index, [, value]] of points.entries()) {
      const before = points[index - 1];
      if (before === undefined) continue;
      steps += 1;
      if (value < before[1]) falls += 1;
    }
  }
  return { falls, steps };
}

/** Median time between two samples; null: too few to tell. */
function spacingOf(series: readonly Series[]): number | null {
  const gaps = series.flatMap(({ points }) =>
    points.slice(1).map(([atMs], index) => atMs - (points[index]?.[0] ?? atMs)),
  );
  return gaps.length < 2 ? null : (gaps.sort((a, b) => a - b)[gaps.length >> 1] ?? null);
}

function spacingFindings(seen: Seen, spacingMs: number | null): readonly Finding[] {
  const { subject, indicator } = seen;
  if (spacingMs === null) return [];
  const findings: Finding[] = [];
  // Samples come at about the same time, not exactly.
  const every = formatDuration(Math.max(1_000, Math.round(spacingMs / 1_000) * 1_000));
  const rangeMs = rangeOf(indicator);
  const leastMs = SAMPLES_IN_RANGE_MIN * spacingMs * 0.95;
  if (rangeMs !== null && rangeMs < leastMs) {
    const about = aboutIndicator(subject, indicator.id, 'over');
    const found = `a range of ${formatDuration(rangeMs)}, and a sample every ${every}`;
    const wanted = `at least ${SAMPLES_IN_RANGE_MIN} samples; lengthen "over"`;
    findings.push(finding('range-under-four-scrapes', about, found, wanted));
  }
  const { staleAfterMs, name } = subject.policy;
  if (staleAfterMs < 2 * spacingMs * 0.95) {
    const about = { policy: name, path: ['stale_after'], indicator: indicator.id };
    const found = `stale_after ${formatDuration(staleAfterMs)}, and a sample every ${every}`;
    const wanted = 'more than two samples; raise stale_after';
    findings.push(finding('stale-before-scrape', about, found, wanted));
  }
  return findings;
}

/** Limits that lie between bucket edges, or beyond them. */
function bucketFindings(subject: Subject, id: string, series: readonly Series[]): Finding[] {
  const edges = [...new Set(series.map(({ labels }) => Number(labels['le'])))]
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const largest = edges.at(-1);
  if (largest === undefined) return [];
  return subject.judged.flatMap((judged) => {
    const { limit, indicator } = judged.condition;
    if (indicator !== id || limit.kind !== 'compare' || limit.of !== null) return [];
    const { value } = limit;
    const shown = (edge: number) => formatValue(edge, judged.indicator.unit);
    const about = aboutCondition(subject, judged);
    // At the largest edge itself "above" cannot fire: no quantile is beyond it.
    const isBeyond = value > largest || (value === largest && limit.comparator === 'above');
    if (isBeyond) {
      const found = `${judged.text}, where the largest bucket ends at ${shown(largest)}`;
      const wanted = `a limit below ${shown(largest)}, or larger buckets; no quantile is beyond it`;
      return [finding('limit-beyond-buckets', about, found, wanted)];
    }
    const isEdge = edges.some((edge) => Math.abs(edge - value) <= 1e-9 * Math.abs(value));
    if (isEdge) return [];
    const below = edges.findLast((edge) => edge < value);
    const above = edges.find((edge) => edge > value);
    const near = [below, above].filter((edge) => edge !== undefined).map(shown);
    const found = `${judged.text}, with no bucket edge there`;
    return [finding('no-bucket-at-limit', about, found, `an edge, such as ${near.join(' or ')}`)];
  });
}
