// The figures behind the charts of a report, within a size: each series once, thinned to what the
// file may hold. What was left out is counted, so that the report can say it.
import type { DeployResult } from './result.ts';

/** Points of all charts together: about 6 MB of file. */
export const REPORT_POINTS_MAX = 400_000;
/** With fewer a chart says nothing: rather leave charts out. */
const SERIES_POINTS_MIN = 48;
/** At most so many of a step are kept: its ends, its extremes, where blindness begins and ends. */
const KEPT_PER_STEP = 6;

type Points = readonly (readonly [afterMs: number, value: number | null])[];

/** Short names: there are many of them. Times in seconds since the deploy. */
type WireSeries = {
  readonly unit: string;
  readonly t: readonly number[];
  readonly v: readonly (number | null)[];
};

type WireChart = {
  readonly series: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly from: number;
  readonly until: number;
  readonly fired: number | null;
  readonly verdict: number | null;
};

export type WireCharts = {
  readonly series: readonly WireSeries[];
  readonly charts: readonly WireChart[];
};

export type Thinned = {
  /** Series that have fewer points than were given. */
  readonly series: number;
  /** Series without a chart. */
  readonly leftOut: number;
  readonly pointsEach: number;
};

/** Hands out chart numbers while the body is written, then tells the figures. */
export class ChartBook {
  readonly #series: WireSeries[] = [];
  readonly #charts: WireChart[] = [];
  readonly #known = new Map<object, number | null>();
  readonly #pointsEach: number;
  readonly #seriesMax: number;
  #thinned = 0;
  #leftOut = 0;

  /** @param deploys all that will be asked for; the first asked for get the room */
  constructor(deploys: readonly DeployResult[], pointsMax = REPORT_POINTS_MAX) {
    const counts = deploys.flatMap(({ series }) => series.map(({ points }) => points.length));
    const total = counts.reduce((sum, count) => sum + count, 0);
    this.#pointsEach =
      total <= pointsMax
        ? Number.POSITIVE_INFINITY
        : Math.max(SERIES_POINTS_MIN, Math.floor(pointsMax / counts.length));
    this.#seriesMax =
      total <= pointsMax ? Number.POSITIVE_INFINITY : Math.floor(pointsMax / this.#pointsEach);
  }

  /** @returns the chart's number; null: there is nothing to draw, or no room */
  chartOf(
    result: DeployResult,
    condition: DeployResult['conditions'][number],
  ): { readonly chart: number } | { readonly none: 'no_values' | 'no_room' } {
    const given = result.series.find(({ indicator }) => indicator === condition.indicator);
    if (given === undefined || given.points.length === 0) return { none: 'no_values' };
    const series = this.#seriesOf(given);
    if (series === null) return { none: 'no_room' };
    this.#charts.push({
      series,
      low: condition.low,
      high: condition.high,
      from: seconds(condition.fromMs),
      until: seconds(condition.untilMs),
      fired: condition.firedAfterMs === null ? null : seconds(condition.firedAfterMs),
      verdict: result.afterMs === null ? null : seconds(result.afterMs),
    });
    return { chart: this.#charts.length - 1 };
  }

  get data(): WireCharts {
    return { series: this.#series, charts: this.#charts };
  }

  get thinned(): Thinned {
    return { series: this.#thinned, leftOut: this.#leftOut, pointsEach: this.#pointsEach };
  }

  #seriesOf(given: DeployResult['series'][number]): number | null {
    const known = this.#known.get(given);
    if (known !== undefined) return known;
    let number: number | null = null;
    if (this.#series.length < this.#seriesMax) {
      const points = thin(given.points, this.#pointsEach);
      if (points.length < given.points.length) this.#thinned += 1;
      number = this.#series.length;
      this.#series.push({
        unit: given.unit,
        t: points.map(([afterMs]) => seconds(afterMs)),
        v: points.map(([, value]) => (value === null ? null : Number(value.toPrecision(7)))),
      });
    } else {
      this.#leftOut += 1;
    }
    this.#known.set(given, number);
    return number;
  }
}

const seconds = (ms: number) => Math.round(ms / 100) / 10;

/** At most so many points; each step keeps its ends, its extremes and the borders of blindness. */
export function thin(points: Points, max: number): Points {
  if (points.length <= max) return points;
  const steps = Math.max(1, Math.floor(max / KEPT_PER_STEP));
  const size = Math.ceil(points.length / steps);
  const kept: (typeof points)[number][] = [];
  for (let from = 0; from < points.length; from += size) {
    kept.push(...keptOf(points.slice(from, from + size)));
  }
  return kept;
}

function keptOf(step: Points): Points {
  let low = -1;
  let high = -1;
  for (const [index, [, value]] of step.entries()) {
    if (value === null) continue;
    if (low === -1 || value < (step[low]?.[1] ?? value)) low = index;
    if (high === -1 || value > (step[high]?.[1] ?? value)) high = index;
  }
  const blindFrom = step.findIndex(([, value]) => value === null);
  const blindTo = step.findIndex(([, value], index) => index > blindFrom && value !== null);
  const keep = new Set([0, low, high, blindFrom, blindFrom === -1 ? -1 : blindTo, step.length - 1]);
  return step.filter((_, index) => keep.has(index));
}
