// Trouble as it strikes: drawn at the rates of the plan, or because its span is on. Everything that
// strikes is counted, so that one can see that it really happened.
import { Dice } from './dice.ts';
import { CALL_FAULTS, type CallFault, type Fault, type Plan, type SpanFault } from './plan.ts';
import type { Time } from './time.ts';

/** What is told of a seed that fails. */
const LAST_MAX = 40;

export class Trouble {
  readonly #plan: Plan;
  readonly #time: Time;
  readonly #dice: Readonly<Record<CallFault, Dice>>;
  readonly counts = new Map<Fault, number>();
  readonly last: string[] = [];
  /** For the log of a world that is compared with another run of it. */
  readonly onStrike: (line: string) => void;

  constructor(plan: Plan, time: Time, onStrike: (line: string) => void) {
    this.#plan = plan;
    this.#time = time;
    this.onStrike = onStrike;
    const root = new Dice(plan.seed ^ 0x5eed);
    const dice = CALL_FAULTS.map((kind) => [kind, root.of(kind)]);
    this.#dice = Object.fromEntries(dice) as Record<CallFault, Dice>;
  }

  get isHealed(): boolean {
    return this.#time.now >= this.#plan.healAtMs;
  }

  /** @param weight how much likelier than usual */
  strikes(kind: CallFault, where: string, weight = 1): boolean {
    const rate = this.#plan.rates[kind];
    if (rate === 0 || this.isHealed) return false;
    if (!this.#dice[kind].chance(Math.min(0.9, rate * weight))) return false;
    this.happened(kind, where);
    return true;
  }

  /** Whether a span of this trouble is on; `where` is what it strikes. */
  during(kind: SpanFault, where: string, machine: number | null = null): boolean {
    const { now } = this.#time;
    for (const span of this.#plan.spans) {
      if (span.kind !== kind || now < span.fromMs || now >= span.toMs) continue;
      if (machine !== null && span.machine !== machine) continue;
      this.happened(kind, where);
      return true;
    }
    return false;
  }

  happened(kind: Fault, where: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const line = `${(this.#time.now / 1_000).toFixed(3)}s ${kind}: ${where}`;
    this.last.push(line);
    if (this.last.length > LAST_MAX) this.last.shift();
    this.onStrike(line);
  }
}
