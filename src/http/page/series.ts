// Many ticks as few points: what a chart needs of a day. A step keeps its first, lowest, highest and
// last value at their own times, so that no peak is lost whatever the size of the chart.
import type { BlindReason, Tick } from '../../core/sample.ts';

export type Series = {
  readonly fromAtMs: number;
  readonly toAtMs: number;
  readonly stepMs: number;
  readonly ticks: number;
  readonly series: readonly {
    readonly indicator: string;
    readonly points: readonly Point[];
    readonly blind: readonly BlindSpan[];
    /** Between two values: nothing was seen, or nobody looked. No line may join them. */
    readonly gaps: readonly Gap[];
  }[];
};

type Point = [atMs: number, value: number];
type Gap = [fromAtMs: number, toAtMs: number];
type BlindSpan = {
  readonly fromAtMs: number;
  readonly toAtMs: number;
  readonly reason: BlindReason;
};

const KEPT_PER_STEP = 4;
/** A late tick does not end a blindness. */
const JOINED_TICKS = 3;
/** A hole that is smaller cannot be seen on a chart of this many steps. */
const GAP_STEPS = 1 / 8;
/** The longest ones. */
const GAPS_MAX = 200;

type Step = { first: Point; low: Point; high: Point; last: Point };

class Thinner {
  readonly #stepMs: number;
  readonly #joinMs: number;
  readonly #points: Point[] = [];
  readonly #blind: { fromAtMs: number; toAtMs: number; reason: BlindReason }[] = [];
  readonly #gaps: Gap[] = [];
  #step: Step | null = null;
  #lastValueMs: number | null = null;
  #lastWasBlind = false;

  /** @param joinMs spans of one blindness that are closer than this are one */
  constructor(stepMs: number, joinMs: number) {
    this.#stepMs = stepMs;
    this.#joinMs = joinMs;
  }

  value(atMs: number, value: number): void {
    const open = this.#blind.at(-1);
    // Nobody knows when it ended: it is shown up to the sample that shows the end.
    if (this.#lastWasBlind && open !== undefined) open.toAtMs = atMs;
    this.#lastWasBlind = false;
    this.#gap(atMs);
    this.#lastValueMs = atMs;
    const point: Point = [atMs, value];
    const step = this.#step;
    if (step === null || atMs >= step.first[0] + this.#stepMs) {
      this.#close();
      this.#step = { first: point, low: point, high: point, last: point };
      return;
    }
    if (value < step.low[1]) step.low = point;
    if (value > step.high[1]) step.high = point;
    step.last = point;
  }

  #gap(atMs: number): void {
    const fromMs = this.#lastValueMs;
    if (fromMs === null || atMs - fromMs <= Math.max(this.#joinMs, GAP_STEPS * this.#stepMs))
      return;
    this.#close();
    this.#gaps.push([fromMs, atMs]);
    if (this.#gaps.length <= GAPS_MAX) return;
    const lengths = this.#gaps.map(([from, to]) => to - from);
    this.#gaps.splice(lengths.indexOf(Math.min(...lengths)), 1);
  }

  blind(atMs: number, reason: BlindReason): void {
    const open = this.#blind.at(-1);
    // With a value in between they are one only where a chart could not tell them apart.
    const joinMs = this.#lastWasBlind ? Math.max(this.#stepMs, this.#joinMs) : this.#stepMs;
    this.#lastWasBlind = true;
    if (open !== undefined && atMs - open.toAtMs <= joinMs && open.reason === reason) {
      open.toAtMs = atMs;
    } else {
      this.#blind.push({ fromAtMs: atMs, toAtMs: atMs, reason });
    }
  }

  end(): { points: readonly Point[]; blind: readonly BlindSpan[]; gaps: readonly Gap[] } {
    this.#close();
    return { points: this.#points, blind: this.#blind, gaps: this.#gaps };
  }

  #close(): void {
    if (this.#step === null) return;
    const { first, low, high, last } = this.#step;
    const kept = [...new Set([first, low, high, last])].sort(([a], [b]) => a - b);
    this.#points.push(...kept);
    this.#step = null;
  }
}

/** Takes ticks in their order, and then tells the series. */
export class SeriesBuilder {
  readonly #fromAtMs: number;
  readonly #toAtMs: number;
  readonly #stepMs: number;
  readonly #joinMs: number;
  readonly #thinners = new Map<string, Thinner>();
  #ticks = 0;

  constructor(fromAtMs: number, toAtMs: number, points: number, intervalMs: number) {
    this.#joinMs = JOINED_TICKS * intervalMs;
    this.#fromAtMs = fromAtMs;
    this.#toAtMs = Math.max(fromAtMs, toAtMs);
    const steps = Math.max(1, Math.floor(points / KEPT_PER_STEP));
    this.#stepMs = Math.ceil((this.#toAtMs - fromAtMs) / steps);
  }

  add({ atMs, readings }: Tick): void {
    this.#ticks += 1;
    for (const [indicator, reading] of Object.entries(readings)) {
      let thinner = this.#thinners.get(indicator);
      if (thinner === undefined) {
        thinner = new Thinner(this.#stepMs, this.#joinMs);
        this.#thinners.set(indicator, thinner);
      }
      if (reading.kind === 'value') thinner.value(atMs, reading.value);
      else thinner.blind(atMs, reading.reason);
    }
  }

  build(): Series {
    return {
      fromAtMs: this.#fromAtMs,
      toAtMs: this.#toAtMs,
      stepMs: this.#stepMs,
      ticks: this.#ticks,
      series: [...this.#thinners].map(([indicator, thinner]) => ({
        indicator,
        ...thinner.end(),
      })),
    };
  }
}
