// What /livez and /readyz say. Live: nothing in this process hangs; asks nobody, writes nothing, and
// answers whatever hangs. Ready: it can also take work: the journal takes writes, and it is not
// ending. A journal that answers with errors is not ready (a restart mends no database); one that
// answers nothing at all is not live (a new process gets new connections).
import type { Control } from '../engine/control.ts';
import type { Vitals } from '../engine/vitals.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import { within } from '../kit/within.ts';

/** However many probes there are: each check is a write that is synced to the disk. */
const CHECK_EVERY_MS = 2_000;
/** Probes of an orchestrator give up after a few seconds. */
const CHECK_WITHIN_MS = 2_500;

export type HealthOptions = {
  readonly clock: Clock;
  readonly journal: Pick<Journal, 'check'>;
  readonly vitals: () => Vitals;
  readonly replica: string;
  readonly living: () => readonly string[];
  readonly isDraining: () => boolean;
};

type Check = { readonly at: number; readonly result: Promise<string>; isOpen: boolean };

export class Health {
  readonly #options: HealthOptions;
  #check: Check | null = null;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  async of(probe: 'live' | 'ready'): ReturnType<Control['health']> {
    const { vitals, isDraining, replica, living } = this.#options;
    const { isLive, checks } = vitals();
    if (probe === 'live') return { live: isLive, ready: false, checks };
    const journal = await this.#journal();
    const isEnding = isDraining();
    return {
      live: isLive,
      ready: isLive && journal === 'ok' && !isEnding,
      checks: {
        ...checks,
        journal,
        shutdown: isEnding ? 'shutting down' : 'ok',
        replica,
        replicas: living().toSorted().join(', ') || 'not known yet',
      },
    };
  }

  /** The last check while it is fresh or still open, else a new one; never waits for long. */
  #journal(): Promise<string> {
    const { clock } = this.#options;
    const known = this.#check;
    const isFresh = known !== null && clock.monotonic() - known.at < CHECK_EVERY_MS;
    const { result } = known !== null && (known.isOpen || isFresh) ? known : this.#begin();
    const seconds = CHECK_WITHIN_MS / 1_000;
    return within(
      clock,
      CHECK_WITHIN_MS,
      () => result,
      () => `no answer within ${seconds} s`,
    );
  }

  #begin(): Check {
    const { clock, journal } = this.#options;
    const result = journal.check().then(() => 'ok', messageOf);
    const check: Check = { at: clock.monotonic(), result, isOpen: true };
    this.#check = check;
    result.finally(() => {
      check.isOpen = false;
    });
    return check;
  }
}
