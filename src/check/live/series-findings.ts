// Findings about the series behind an indicator: whether they exist, are what they are taken for,
// and are sampled often enough.
import type { Indicator, Matcher, Selector } from '../../core/policy.ts';
import { formatDuration, formatValue } from '../../core/quantity.ts';
import { select, selectorsOf, selectorText } from '../../core/select.ts';
import type { Series } from '../../core/series.ts';
import { type About, type Finding, finding } from '../finding.ts';
import { rangeOf, SAMPLES_IN_RANGE_MIN } from '../indicators.ts';
import { aboutCondition, aboutIndicator, type Subject } from '../subject.ts';
import { metricsIn } from '../words.ts';
import { gaugeFindings } from './kind-findings.ts';
import { alike, nearest, nearestText } from './nearest.ts';
import { aboutMetric, type Seen } from './seen.ts';
import { medianGapOf, type Span } from './sight.ts';

/** Names and labels of series that ended longer ago are not known any more. */
const NAMES_RANGE_MS = 3_600_000;
const VALUES_NAMED_MAX = 5;
/** Of one expression; more are not asked for. */
const METRICS_MAX = 20;

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
    else findings.push(...(await gaugeFindings(seen, meant.metric, series)));
  }
  const spacingMs = medianGapOf(own);
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

/** Why a selector matches nothing. */
async function missing(seen: Seen, selector: Selector, isPart: boolean): Promise<Finding[]> {
  const { sight, indicator, request, look } = seen;
  // Where data is missing, what is not seen may still be there.
  if (look.warnings.length > 0) return [];
  const about = aboutMetric(seen);
  const { metric } = selector;
  const span = spanOf(request.atMs, request.signal);
  if ((await sight.hasMetric(metric, span)) === false) {
    const base = metric.replace(/_bucket$/, '');
    if (indicator.kind === 'quantile' && (await sight.hasMetric(base, span)) === true) {
      const found = `${base} without buckets: a native histogram or a summary`;
      const wanted = 'promql for it, such as histogram_quantile(0.95, sum(rate(…[5m])))';
      return [finding('no-matching-series', about, found, wanted)];
    }
    const names = await sight.metricNames(span);
    const isOwn = isPart && !(indicator.kind === 'ratio' && indicator.total.metric === metric);
    return [isOwn ? unseenPart(seen, metric, names) : unknownMetric(about, metric, names)];
  }
  const name = isPart ? 'part-not-seen' : 'no-matching-series';
  for (const matcher of selector.matchers) {
    if (matcher.op.startsWith('!') || matcher.value === '') continue;
    const origin = isOfMatch(seen, matcher) ? ' of match' : '';
    const labels = await sight.labelNames(metric, span);
    if (labels !== null && !labels.includes(matcher.label)) {
      const found = `the label ${matcher.label}${origin}, which no series of ${metric} has`;
      const wanted = nearestText(matcher.label, labels);
      return [finding('no-matching-series', about, found, wanted)];
    }
    const values = await sight.labelValues(metric, matcher.label, span);
    if (values === null || values.some((value) => matches(matcher, value))) continue;
    const near = new Set([...nearest(matcher.value, values), ...values]);
    const shown = [...near].slice(0, VALUES_NAMED_MAX).join(', ');
    const more = values.length > VALUES_NAMED_MAX ? ', …' : '';
    const text = `${matcher.label}${matcher.op}"${matcher.value}"${origin}`;
    const found = `${text}, which no series of ${metric} has`;
    return [finding(name, about, found, `a value that exists, such as ${shown}${more}`)];
  }
  const found = `no series of ${selectorText(selector)}`;
  return [finding(name, about, found, 'a series that is there now, and has all of these labels')];
}

/** Labels of the whole policy are not to be seen on the indicator. */
function isOfMatch({ subject: { policy }, indicator }: Seen, { label }: Matcher): boolean {
  const written = policy.indicators[indicator.id];
  const own = written === undefined ? [] : selectorsOf(written);
  const isOwn = own.some(({ matchers }) => matchers.some((one) => one.label === label));
  return policy.match[label] !== undefined && !isOwn;
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

/**
 * The counter of the failures of a service often begins with the first failure. Never its own total
 * or its opposite is named: a part that is all is worse than one that is 0.
 */
function unseenPart(seen: Seen, metric: string, names: readonly string[] | null): Finding {
  const about = aboutMetric(seen);
  const { indicator } = seen;
  const total = indicator.kind === 'ratio' ? indicator.total.metric : null;
  const others = alike(metric, names ?? []).filter((name) => name !== total);
  if (others.length > 0) return unknownMetric(about, metric, others);
  const found = `the metric ${metric}, which is not there`;
  const wanted = 'it with the first such event; until then it counts as 0: look at its name twice';
  return finding('part-not-seen', about, found, wanted);
}

async function promqlFindings(seen: Seen, promql: string): Promise<readonly Finding[]> {
  const { sight, request, look, reading } = seen;
  const span = spanOf(request.atMs, request.signal);
  const metrics = metricsIn(promql).slice(0, METRICS_MAX);
  const areThere = await Promise.all(metrics.map((metric) => sight.hasMetric(metric, span)));
  const unknown = metrics.filter((_, index) => areThere[index] === false);
  const known = metrics.find((_, index) => areThere[index] === true);
  const isPartial = look.warnings.length > 0;
  const names = unknown.length === 0 || isPartial ? null : await sight.metricNames(span);
  const spacingMs = known === undefined ? null : await sight.spacingOf(known, request);
  // What gives a value does not need all of its metrics: `a or b`, `errors or vector(0)`.
  const isPart = reading?.kind === 'value' && known !== undefined;
  const told = unknown.map((metric) =>
    isPart ? unseenPart(seen, metric, null) : unknownMetric(aboutMetric(seen), metric, names),
  );
  return [...(isPartial ? [] : told), ...spacingFindings(seen, spacingMs)];
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
