// The services that are deployed and watched: what they really do, and what their metrics and
// health endpoints say. What is true is remembered, for the checker.
import type { Dice } from './dice.ts';
import type { Ailment, ServicePlan } from './plan.ts';
import type { Sample, Samples } from './samples.ts';
import { T0, type Time } from './time.ts';

export const SCRAPE_EVERY_MS = 5_000;
const HISTORY_MS = 330_000;
const HISTORY_EVERY_MS = 15_000;
const ORDERS_PER_SECOND = 20;
const LIES = [0, 1, 1e6, -500, 1e9];

type Truth = { readonly fromMs: number; readonly ailments: ReadonlySet<Ailment> };
type Pod = { readonly version: string; readonly instance: string; counters: Counters };
type Counters = {
  submitted: number;
  filled: number;
  errors: number;
  fast: number;
  slow: number;
};

const FRESH: Counters = { submitted: 0, filled: 0, errors: 0, fast: 0, slow: 0 };

export type SampleFaults = {
  readonly dice: Dice;
  /** Whether this trouble happens now; counts it. */
  readonly strikes: (kind: 'sample late' | 'sample NaN' | 'sample lies') => boolean;
  readonly scrapesStop: () => boolean;
};

export class Service {
  readonly name: string;
  readonly plan: ServicePlan;
  readonly #time: Time;
  readonly #samples: Samples;
  readonly #faults: SampleFaults;
  /** What was wrong from each true time (ms of the world) on, oldest first. */
  readonly truths: Truth[] = [{ fromMs: Number.NEGATIVE_INFINITY, ailments: new Set() }];
  #pods: Pod[];
  #podCount = 1;
  #scrapedAt: number;
  /** Rolled back: the illness belonged to this version. */
  version = '1.0.0';
  #isIll = false;
  #isCured = false;

  constructor(plan: ServicePlan, time: Time, samples: Samples, faults: SampleFaults) {
    this.plan = plan;
    this.name = plan.policy.service;
    this.#time = time;
    this.#samples = samples;
    this.#faults = faults;
    this.#pods = [{ version: this.version, instance: `${this.name}-1`, counters: { ...FRESH } }];
    this.#scrapedAt = -HISTORY_MS;
    if (plan.illness?.spans[0]?.fromMs === Number.NEGATIVE_INFINITY) this.#fallIll();
    for (let at = -HISTORY_MS; at < 0; at += HISTORY_EVERY_MS) this.#scrapeAt(at, false);
  }

  start(): void {
    for (const { fromMs, toMs } of this.plan.illness?.spans ?? []) {
      if (fromMs > 0) this.#time.in(fromMs, () => this.#fallIll());
      if (Number.isFinite(toMs)) this.#time.in(toMs, () => this.#recover());
    }
    this.#scrapeLater(this.#faults.dice.between(0, SCRAPE_EVERY_MS));
  }

  /** A version is rolled out. */
  deploy(version: string, oldRemainsMs: number): void {
    const old = this.#pods;
    this.version = version;
    this.#podCount += 1;
    const isInPlace = this.#faults.dice.chance(0.4);
    const instance = isInPlace ? (old[0]?.instance ?? '') : `${this.name}-${this.#podCount}`;
    this.#pods = [{ version, instance, counters: { ...FRESH } }];
    if (oldRemainsMs === 0 || isInPlace) return;
    this.#pods.push(...old);
    this.#time.in(oldRemainsMs, () => {
      this.#pods = this.#pods.filter((pod) => !old.includes(pod));
    });
  }

  reset(): void {
    for (const pod of this.#pods) pod.counters = { ...FRESH };
  }

  #fallIll(): void {
    const { illness } = this.plan;
    if (illness === null || this.#isIll || this.#isCured) return;
    this.#isIll = true;
    const ailments = new Set(illness.ailments);
    // Ill before the world began: also for a machine whose clock is behind it.
    const isFirst = illness.spans[0]?.fromMs === Number.NEGATIVE_INFINITY && this.#time.now === 0;
    if (isFirst) this.truths.splice(0, 1, { fromMs: Number.NEGATIVE_INFINITY, ailments });
    else this.truths.push({ fromMs: this.#time.now, ailments });
  }

  /** For good: the illness went with the version that had it. */
  cure(): void {
    this.#isCured = true;
    this.#recover();
  }

  #recover(): void {
    if (!this.#isIll) return;
    this.#isIll = false;
    this.truths.push({ fromMs: this.#time.now, ailments: new Set() });
  }

  ails(ailment: Ailment): boolean {
    return this.truths.at(-1)?.ailments.has(ailment) ?? false;
  }

  /** Whether it was ill in this way at any time of the span (ms of the world). */
  ailedWithin(ailment: Ailment, fromMs: number, toMs: number): boolean {
    return this.truths.some(({ fromMs: began, ailments }, index) => {
      const ended = this.truths[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
      return ailments.has(ailment) && began <= toMs && ended >= fromMs;
    });
  }

  /** Since when it is ill in this way without a break; null when it is not. */
  illSince(ailment: Ailment): number | null {
    let since: number | null = null;
    for (const { fromMs, ailments } of this.truths) {
      since = ailments.has(ailment) ? (since ?? fromMs) : null;
    }
    return since;
  }

  #scrapeLater(inMs: number): void {
    this.#time.in(inMs, () => {
      if (!this.#faults.scrapesStop()) this.#scrapeAt(this.#time.now, true);
      this.#scrapeLater(SCRAPE_EVERY_MS);
    });
  }

  #scrapeAt(at: number, mayFail: boolean): void {
    const seconds = (at - this.#scrapedAt) / 1_000;
    this.#scrapedAt = at;
    const atMs = Math.round(T0 + at);
    const isLate = mayFail && this.#faults.strikes('sample late');
    const visibleAtMs = atMs + (isLate ? this.#faults.dice.between(1_000, 15_000) : 0);
    for (const pod of this.#pods) {
      this.#count(pod, seconds);
      this.#write(pod, { atMs, visibleAtMs }, mayFail);
    }
  }

  #count({ counters, version }: Pod, seconds: number): void {
    const orders = Math.round((ORDERS_PER_SECOND * seconds) / this.#pods.length);
    const isIll = (ailment: Ailment) => this.ails(ailment) && version === this.version;
    counters.submitted += orders;
    counters.filled += Math.round(orders * (isIll('fill_rate') ? 0.4 : 0.99));
    const slow = Math.round(orders * (isIll('latency') ? 0.6 : 0.01));
    counters.slow += slow;
    counters.fast += orders - slow;
    counters.errors += Math.round(orders * (isIll('errors') ? 0.6 : 0.01));
  }

  #write(pod: Pod, at: Pick<Sample, 'atMs' | 'visibleAtMs'>, mayFail: boolean): void {
    const { counters, version, instance } = pod;
    const labels = { service: this.name, instance, version };
    const isCurrent = version === this.version;
    const isBroken = mayFail && this.#faults.strikes('sample NaN');
    const liar = mayFail && this.#faults.strikes('sample lies') ? this.#faults.dice : null;
    const metrics: readonly (readonly [string, number, Record<string, string>?])[] = [
      ['orders_submitted_total', counters.submitted],
      ['orders_filled_total', counters.filled],
      ['errors_total', counters.errors],
      ['order_seconds_bucket', counters.fast, { le: '0.5' }],
      ['order_seconds_bucket', counters.fast + counters.slow, { le: '5' }],
      ['order_seconds_bucket', counters.fast + counters.slow, { le: '+Inf' }],
      ['open_positions', this.ails('positions') && isCurrent ? 500 : 20],
      ['pnl_usd', this.ails('pnl') && isCurrent ? -5_000 : 100],
    ];
    const lying = liar === null ? -1 : liar.whole(0, metrics.length - 1);
    metrics.forEach(([metric, value, own], index) => {
      const isLie = index === lying;
      const said = isLie && liar !== null ? liar.pick(LIES) : isBroken ? Number.NaN : value;
      this.#samples.add(metric, { ...labels, ...own }, { ...at, value: said, isLie });
    });
  }
}
