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

/** Two policies may ask one URL and want different answers: what a check asks and wants names it. */
export function healthKey({ url, status, json }: HttpIndicator): string {
  return JSON.stringify([url, status, json?.pointer, json?.equals]);
}

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
      const key = healthKey(indicator);
      const kept = (this.#checks.get(key) ?? []).filter(
        ({ atMs }) => nowMs - atMs < 2 * HEALTH_SPAN_MS,
      );
      this.#checks.set(key, [...kept, { atMs: nowMs, isGood }]);
    });
    await Promise.all([...scrapes, ...checks]);
  }

  /** Checks whose URL is known without a deploy, each once. */
  #endpoints(): readonly HttpIndicator[] {
    const byKey = new Map<string, HttpIndicator>();
    for (const policy of this.#options.policies) {
      for (const indicator of Object.values(policy.indicators)) {
        if (indicator.kind !== 'http') continue;
        const texts = `${indicator.url}${indicator.json?.equals ?? ''}`;
        if (placeholdersOf(texts).length === 0) byKey.set(healthKey(indicator), indicator);
      }
    }
    return [...byKey.values()];
  }

  /** Health before a time, by `healthKey`; undefined when it was not looked at for long enough. */
  healthBefore(key: string, beforeMs: number): Reading | undefined {
    const checks = (this.#checks.get(key) ?? []).filter(
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
