// The only loop in the program: periodic, can be poked, never twice at a time, stops on abort.
import type { Clock } from './clock.ts';

export type Loop = {
  /** Run soon, without waiting for the period. A poke during a run makes one more run. */
  poke(): void;
  /** Resolves when the present run has ended and no more will start. */
  stop(): Promise<void>;
};

/** A slot that comes sooner after a run than this part of the period is left out. */
const SOONEST = 0.6;

/**
 * When a run follows one at `lastAt`. With an offset, runs come at multiples of the period and so
 * much (monotonic): loops with the same figures run together.
 */
export function nextRunAt(
  lastAt: number,
  { everyMs, offsetMs }: { readonly everyMs: number; readonly offsetMs?: number },
): number {
  if (offsetMs === undefined) return lastAt + everyMs;
  const soonest = lastAt + SOONEST * everyMs;
  return Math.ceil((soonest - offsetMs) / everyMs) * everyMs + offsetMs;
}

/**
 * Runs `work` now, then every `everyMs` (or after the time that `work` returns), counted from the
 * planned start so that it does not drift; a run that overruns skips, it does not pile up.
 * The period is correctness; a poke only saves latency. Errors go to `onError`; the loop goes on.
 */
export function startLoop(options: {
  readonly clock: Clock;
  readonly everyMs: number;
  /** See `nextRunAt`. */
  readonly offsetMs?: number;
  readonly work: (signal: AbortSignal) => Promise<number | undefined>;
  readonly onError: (error: unknown) => void;
}): Loop {
  const { clock, work, onError } = options;
  const stopping = new AbortController();
  let wake: (() => void) | null = null;
  let poked = false;

  async function run(): Promise<void> {
    let plannedAt = clock.monotonic();
    while (!stopping.signal.aborted) {
      const isExtra = poked && clock.monotonic() < plannedAt;
      poked = false;
      let nextIn: number | undefined;
      try {
        nextIn = await work(stopping.signal);
      } catch (error) {
        if (!stopping.signal.aborted) onError(error);
      }
      const now = clock.monotonic();
      // A run beside the plan does not move it: many pokes must not put off the next period.
      if (nextIn !== undefined) plannedAt = now + nextIn;
      else plannedAt = Math.max(isExtra ? plannedAt : nextRunAt(plannedAt, options), now);
      if (!poked && !stopping.signal.aborted) await pause(plannedAt - now);
    }
  }

  // One signal per pause, never a composite of the long-lived one: those pile up over days.
  async function pause(ms: number): Promise<void> {
    const woken = new AbortController();
    wake = () => woken.abort();
    try {
      await clock.sleep(ms, woken.signal);
    } catch {
      // Woken by a poke or by stop(): both are wanted.
    } finally {
      wake = null;
    }
  }

  const done = run();
  return {
    poke() {
      poked = true;
      wake?.();
    },
    async stop() {
      stopping.abort();
      wake?.();
      await done;
    },
  };
}
