// J3: what is read at a tick is from after the deploy and not from the future. Counted again from
// the raw samples of the simulated Prometheus.
import type { Book, Reading, TickFact } from './book.ts';
import { labelsOf } from './check-judgement.ts';
import { STALE_AFTER_MS } from './policies.ts';
import type { Sample, SampleSeries } from './samples.ts';
import type { Truth } from './truth.ts';

type Found = readonly (readonly [rule: string, text: string])[];

export function readingViolations(book: Book, tick: TickFact, truth: Truth): Found {
  if (tick.isVerifying) return [];
  const { deployedAtMs } = book.deploy;
  const found: (readonly [string, string])[] = [];
  for (const [indicator, reading] of Object.entries(tick.readings)) {
    if (reading.kind !== 'value' || indicator === 'health' || indicator === 'pnl') continue;
    if (tick.atMs < deployedAtMs) {
      found.push(['J3', `${indicator} has a value before the deploy`]);
    }
    if ((reading.rangeMs ?? 0) > tick.atMs - deployedAtMs + 1) {
      found.push(['J3', `the range of ${indicator} reaches back before the deploy`]);
    }
    const wrong = valueViolation(book, tick, indicator, reading, truth);
    if (wrong !== null) found.push(['J3', wrong]);
  }
  return found;
}

function valueViolation(
  book: Book,
  tick: TickFact,
  indicator: string,
  reading: Reading,
  truth: Truth,
): string | null {
  const labels = labelsOf(book);
  const { deployedAtMs } = book.deploy;
  if (indicator === 'positions') {
    const series = truth.samples('open_positions', labels);
    const fromMs = Math.max(deployedAtMs, tick.atMs - STALE_AFTER_MS);
    const sums = sumsOf(series, fromMs, tick.atMs);
    if (sums.has(reading.value ?? Number.NaN)) return null;
    return `positions is ${reading.value}, samples since the deploy say ${[...sums].join(', ')}`;
  }
  if (indicator !== 'fill_rate' || reading.counts === undefined) return null;
  const all = truth.samples('orders_submitted_total', labels);
  const part = truth.samples('orders_filled_total', labels);
  const latestMs = Math.max(...book.ticks.map(({ atMs }) => atMs));
  const fromMs = Math.max(deployedAtMs, tick.atMs - (reading.rangeMs ?? 0));
  const most = increaseOf(all, part, { fromMs, toMs: tick.atMs, deployedAtMs });
  if (reading.counts.total > most) {
    return `${reading.counts.total} orders in the range, and only ${most} were counted there`;
  }
  const span = { fromMs: deployedAtMs, toMs: latestMs, deployedAtMs };
  const mostSince = increaseOf(all, part, span);
  const total = reading.sinceDeploy?.total ?? 0;
  return total > mostSince
    ? `${total} orders since the deploy, and only ${mostSince} were counted since then`
    : null;
}

/** Sums that fresh samples of these gauges can give, whichever of them are seen. */
function sumsOf(series: readonly SampleSeries[], fromMs: number, toMs: number): Set<number> {
  let sums = new Set([0]);
  for (const { samples } of series) {
    const values = new Set<number>([0]);
    for (let index = samples.length - 1; index >= 0; index -= 1) {
      const sample = samples[index];
      if (sample === undefined || sample.atMs < fromMs) break;
      if (sample.atMs <= toMs && Number.isFinite(sample.value)) values.add(sample.value);
    }
    sums = new Set([...sums].flatMap((sum) => [...values].map((value) => sum + value)));
  }
  return sums;
}

/**
 * The most that can be counted between two times: a fall of either counter of a process is a
 * restart of both. What was counted around the deploy by the same process belongs to neither side.
 */
function increaseOf(
  totals: readonly SampleSeries[],
  parts: readonly SampleSeries[],
  span: { readonly fromMs: number; readonly toMs: number; readonly deployedAtMs: number },
): number {
  const { fromMs, toMs, deployedAtMs } = span;
  let sum = 0;
  for (const { labels, samples } of totals) {
    const same = (one: SampleSeries) => one.labels['instance'] === labels['instance'];
    const falls = [...totals, ...parts].filter(same).flatMap(fallsOf);
    let bases: readonly Sample[] = [];
    for (const sample of samples.filter(({ value }) => Number.isFinite(value))) {
      const { atMs, value } = sample;
      if (atMs > toMs) break;
      const steps = bases.map((base) => {
        const hasFallen = falls.some((fallMs) => fallMs > base.atMs && fallMs <= atMs);
        if (value < base.value || hasFallen) return value;
        return base.atMs < deployedAtMs ? 0 : value - base.value;
      });
      if (atMs >= fromMs) sum += Math.max(0, ...(bases.some(isOnTime) ? steps : [value, ...steps]));
      // What came late may not have been there yet: then an earlier sample was the base.
      bases = atMs < fromMs && !isOnTime(sample) ? [...bases, sample] : [sample];
    }
  }
  return sum;
}

function isOnTime({ atMs, visibleAtMs }: Sample): boolean {
  return visibleAtMs <= atMs;
}

function fallsOf({ samples }: SampleSeries): readonly number[] {
  const falls: number[] = [];
  let before = Number.NEGATIVE_INFINITY;
  for (const { atMs, value } of samples) {
    if (!Number.isFinite(value)) continue;
    if (value < before) falls.push(atMs);
    before = value;
  }
  return falls;
}
