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
    const late = new Map(this.#answered);
    this.#answered.clear();
    const open = indicators.map((indicator) => this.#ask(indicator, signal));
    const patience = new AbortController();
    const tired = this.#clock.sleep(PATIENCE_MS, patience.signal).catch(() => {});
    await Promise.race([Promise.all(open), tired]);
    patience.abort();
    const readings: Record<string, Reading> = {};
    for (const { id } of indicators) {
      const reading = first(late.get(id), this.#answered.get(id));
      if (reading === undefined) continue;
      readings[id] = reading;
      if (reading === this.#answered.get(id)) this.#answered.delete(id);
    }
    return readings;
  }

  /** What was asked before now counts no more: another version runs. */
  forget(): void {
    this.#open.clear();
    this.#answered.clear();
  }

  #ask(indicator: HttpIndicator, signal: AbortSignal): Promise<void> {
    const { id } = indicator;
    const open = this.#open.get(id);
    if (open !== undefined) return open;
    const isForgotten = () => this.#open.get(id) !== asked;
    const asked = this.#read(indicator, signal)
      .then((reading) => {
        if (!isForgotten()) this.#answered.set(id, reading);
      })
      .finally(() => {
        if (!isForgotten()) this.#open.delete(id);
      });
    this.#open.set(id, asked);
    return asked;
  }
}

/**
 * Of a late answer and a new one: the new one, unless they differ. Then the late one counts first,
 * or "three in a row" would be three with another one between.
 */
function first(late: Reading | undefined, now: Reading | undefined): Reading | undefined {
  if (late === undefined || now === undefined) return late ?? now;
  const isSame = late.kind === 'value' && now.kind === 'value' && late.value === now.value;
  return isSame ? now : late;
}
