// What the world looked like before a deploy, for sources that have no memory of their own: the
// services' /metrics and health endpoints are looked at now and then while nothing is watched.
import type { HttpIndicator, Policy } from '../core/policy.ts';
import type { ReadHealth, Source } from '../core/read.ts';
import type { Reading } from '../core/sample.ts';
import { placeholdersOf } from '../core/template.ts';
import type { Clock } from '../kit/clock.ts';
import { type Loop, startLoop } from '../kit/loop.ts';

/** Health before the deploy is judged over this span … */
const HEALTH_SPAN_MS = 10 * 60_000;
/** … and counts as failing only when it failed throughout, at least this long: a deploy's own
 * restart must not pass for old trouble. */
const HEALTH_FAILING_MS = 5 * 60_000;

type Check = { readonly atMs: number; readonly isGood: boolean };

export type StandByOptions = {
  readonly clock: Clock;
  readonly everyMs: number;
  readonly sources: Readonly<Record<string, Source>>;
  readonly policies: readonly Policy[];
  readonly readHealth: ReadHealth;
  readonly onError: (error: unknown) => void;
};

export class StandBy {
  readonly #checks = new Map<string, Check[]>();
  readonly #options: StandByOptions;
  #loop: Loop | null = null;

  constructor(options: StandByOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, everyMs, onError } = this.#options;
    this.#loop = startLoop({ clock, everyMs, work: (signal) => this.look(signal), onError });
  }

  async look(signal: AbortSignal): Promise<undefined> {
    const { sources, clock, readHealth } = this.#options;
    const scrapes = Object.values(sources).map((source) => source.standBy?.(signal));
    const checks = this.#endpoints().map(async (indicator) => {
      const reading = await readHealth(indicator, signal);
      const nowMs = clock.now();
      const isGood = reading.kind === 'value' && reading.value === 1;
      const kept = (this.#checks.get(indicator.url) ?? []).filter(
        ({ atMs }) => nowMs - atMs < 2 * HEALTH_SPAN_MS,
      );
      this.#checks.set(indicator.url, [...kept, { atMs: nowMs, isGood }]);
    });
    await Promise.all([...scrapes, ...checks]);
  }

  /** Endpoints whose URL is known without a deploy, each once. */
  #endpoints(): readonly HttpIndicator[] {
    const byUrl = new Map<string, HttpIndicator>();
    for (const policy of this.#options.policies) {
      for (const indicator of Object.values(policy.indicators)) {
        if (indicator.kind !== 'http') continue;
        const texts = `${indicator.url}${indicator.json?.equals ?? ''}`;
        if (placeholdersOf(texts).length === 0) byUrl.set(indicator.url, indicator);
      }
    }
    return [...byUrl.values()];
  }

  /** Health before a time; undefined when it was not looked at for long enough. */
  healthBefore(url: string, beforeMs: number): Reading | undefined {
    const checks = (this.#checks.get(url) ?? []).filter(
      ({ atMs }) => atMs <= beforeMs && beforeMs - atMs <= HEALTH_SPAN_MS,
    );
    const [first] = checks;
    const last = checks.at(-1);
    if (first === undefined || last === undefined) return undefined;
    if (checks.some(({ isGood }) => isGood)) return { kind: 'value', value: 1 };
    const failedLong = last.atMs - first.atMs >= HEALTH_FAILING_MS;
    return failedLong ? { kind: 'value', value: 0 } : undefined;
  }

  async stop(): Promise<void> {
    await this.#loop?.stop();
  }
}
