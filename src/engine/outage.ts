// Tells on-call when the journal takes no writes while deploys are or may be watched: then nothing
// is judged, and nothing can be announced in the usual way.
//
// These messages are the one exception to J1: they are not in the journal first, because the journal
// is what fails. So they are kept in memory only: each replica tells for itself, a restart may tell
// again, and nothing here is ever an action.
import type { Message } from '../core/delivery.ts';
import { journalFailed, journalRecovered } from '../core/message-outage.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kit/clock.ts';
import { type Loop, startLoop } from '../kit/loop.ts';
import { within } from '../kit/within.ts';
import type { JournalState } from './journal-guard.ts';
import type { Channel } from './lanes.ts';

const LOOK_EVERY_MS = 5_000;
/** The journal is asked to write when nothing was written for this long. */
const PROVED_WITHIN_MS = 10_000;
/** A disk that is full for a moment, or a database that fails over, wakes nobody. */
export const OUTAGE_TOLD_AFTER_MS = 30_000;
export const OUTAGE_REMINDED_EVERY_MS = 15 * 60_000;
/** A channel that did not take it is asked again so much later. */
const SEND_AGAIN_MS = 30_000;
const SEND_WITHIN_MS = 20_000;
/** For the end of an outage, which is worth less. */
const RECOVERED_TRIES_MAX = 5;

export type OutageOptions = {
  readonly clock: Clock;
  readonly host: string;
  /** The guarded one: it never hangs for ever, and notes what comes of the check. */
  readonly journal: Pick<Journal, 'check'>;
  readonly state: () => JournalState;
  /** Whether deploys are or may be watched. */
  readonly mayBeActive: () => boolean;
  readonly channels: Readonly<Record<string, Channel>>;
  readonly onError: (error: unknown) => void;
};

/** What a channel has been told of the present outage. */
type Told = {
  /** When it is told next (monotonic). */
  nextAt: number;
  hasIt: boolean;
  isSending: boolean;
  recoveredTries: number;
};

export class OutageAlarm {
  readonly #options: OutageOptions;
  readonly #told = new Map<string, Told>();
  readonly #ending = new AbortController();
  readonly #sends = new Set<Promise<void>>();
  #loop: Loop | null = null;
  /** Length of the present outage, or of the last one. */
  #forMs = 0;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, onError } = this.#options;
    this.#loop = startLoop({ clock, everyMs: LOOK_EVERY_MS, work: () => this.look(), onError });
  }

  /** Never waits for a channel: one that hangs does not silence the others. */
  async look(): Promise<undefined> {
    const { journal, state, mayBeActive, onError } = this.#options;
    const { writtenAgoMs } = state();
    if (writtenAgoMs === null || writtenAgoMs > PROVED_WITHIN_MS) {
      // Already told by the guard's state; the log has it too.
      await journal.check().catch(onError);
    }
    const { failingForMs, failure } = state();
    if (failingForMs === null) {
      this.#tellRecovered();
      return;
    }
    this.#forMs = failingForMs;
    if (failingForMs < OUTAGE_TOLD_AFTER_MS) return;
    if (mayBeActive() || this.#told.size > 0) this.#tellFailed(failure ?? 'nothing');
  }

  #tellFailed(failure: string): void {
    const { clock, host, channels } = this.#options;
    for (const name of Object.keys(channels)) {
      const told = this.#told.get(name) ?? {
        ...{ nextAt: 0, hasIt: false, isSending: false, recoveredTries: 0 },
      };
      this.#told.set(name, told);
      if (told.isSending || clock.monotonic() < told.nextAt) continue;
      const times = { forMs: this.#forMs, atMs: clock.now() };
      const message = journalFailed({ host, failure, isReminder: told.hasIt, ...times });
      this.#send(name, told, message, () => {
        told.hasIt = true;
        told.nextAt = clock.monotonic() + OUTAGE_REMINDED_EVERY_MS;
      });
    }
  }

  #tellRecovered(): void {
    const { clock, host } = this.#options;
    for (const [name, told] of this.#told) {
      if (told.isSending) continue;
      if (!told.hasIt || told.recoveredTries >= RECOVERED_TRIES_MAX) {
        this.#told.delete(name);
        continue;
      }
      if (told.recoveredTries > 0 && clock.monotonic() < told.nextAt) continue;
      told.recoveredTries += 1;
      const message = journalRecovered({ host, forMs: this.#forMs, atMs: clock.now() });
      this.#send(name, told, message, () => this.#told.delete(name));
    }
  }

  #send(name: string, told: Told, message: Message, delivered: () => void): void {
    const { clock, channels, onError } = this.#options;
    told.isSending = true;
    told.nextAt = clock.monotonic() + SEND_AGAIN_MS;
    const { signal } = this.#ending;
    const work = async () => channels[name]?.send(message, signal);
    const sent = within(clock, SEND_WITHIN_MS, work, () => undefined)
      .then((outcome) => {
        if (outcome?.kind === 'delivered') return delivered();
        const detail = outcome?.detail ?? `no answer within ${SEND_WITHIN_MS / 1_000} s`;
        onError(new Error(`'${message.headline}' could not be told by ${name}: ${detail}`));
      }, onError)
      .finally(() => {
        told.isSending = false;
        this.#sends.delete(sent);
      });
    this.#sends.add(sent);
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#loop?.stop();
    await Promise.all(this.#sends);
  }
}
