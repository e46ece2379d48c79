// Health endpoints are asked beside the tick: one that hangs must not delay the judgement of
// everything else. A check that is still open is counted at the tick at which it has answered.
import type { HttpIndicator } from '../core/policy.ts';
import type { ReadHealth } from '../core/read.ts';
import type { Reading } from '../core/sample.ts';
import type { Clock } from '../kit/clock.ts';

/** A tick waits this long for a health endpoint; a good one answers well within. */
const PATIENCE_MS = 300;

export class HealthProbes {
  readonly #read: ReadHealth;
  readonly #clock: Clock;
  readonly #open = new Map<string, Promise<void>>();
  readonly #answered = new Map<string, Reading>();

  constructor(read: ReadHealth, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  /** Readings of the endpoints that have answered by now, each answer once. */
  async read(
    indicators: readonly HttpIndicator[],
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, Reading>>> {
    if (indicators.length === 0) return {};
    const open = indicators.map((indicator) => this.#ask(indicator, signal));
    const patience = new AbortController();
    const tired = this.#clock.sleep(PATIENCE_MS, patience.signal).catch(() => {});
    await Promise.race([Promise.all(open), tired]);
    patience.abort();
    const readings: Record<string, Reading> = {};
    for (const { id } of indicators) {
      const reading = this.#answered.get(id);
      if (reading !== undefined) readings[id] = reading;
      this.#answered.delete(id);
    }
    return readings;
  }

  #ask(indicator: HttpIndicator, signal: AbortSignal): Promise<void> {
    const open = this.#open.get(indicator.id);
    if (open !== undefined) return open;
    const asked = this.#read(indicator, signal)
      .then((reading) => {
        this.#answered.set(indicator.id, reading);
      })
      .finally(() => this.#open.delete(indicator.id));
    this.#open.set(indicator.id, asked);
    return asked;
  }
}
