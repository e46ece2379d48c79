// The dead-man ping: a monitor outside hears from canaryd only while it really does its work, and
// rings when it hears nothing any more. Needs no journal and decides nothing; a monitor that is slow
// or down costs a line in the log.
import type { Secret } from '../config/secrets.ts';
import type { Vitals } from '../engine/vitals.ts';
import type { Clock } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import { send } from '../kit/http.ts';
import type { Logger } from '../kit/logger.ts';
import { type Loop, startLoop } from '../kit/loop.ts';

const LOOK_EVERY_MS = 1_000;
const PING_WITHIN_MS = 10_000;
const ANSWER_BYTES_MAX = 64_000;
/** The journal took a write within this time; it is asked to every ten seconds at least. */
const WRITTEN_WITHIN_MS = 60_000;

export type DeadManOptions = {
  readonly clock: Clock;
  readonly url: Secret;
  readonly everyMs: number;
  readonly vitals: () => Vitals;
  readonly onSuccess: (atMs: number) => void;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
};

export class DeadMan {
  readonly #options: DeadManOptions;
  #loop: Loop | null = null;
  #nextAt = Number.NEGATIVE_INFINITY;
  /** What was last logged; empty before the first ping. */
  #state = '';

  constructor(options: DeadManOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock } = this.#options;
    this.#loop = startLoop({
      clock,
      everyMs: LOOK_EVERY_MS,
      work: (signal) => this.#look(signal),
      onError: (error) => this.#say('warn', messageOf(error)),
    });
  }

  async #look(signal: AbortSignal): Promise<undefined> {
    const { clock, everyMs, vitals } = this.#options;
    if (clock.monotonic() < this.#nextAt) return;
    const trouble = troubleOf(vitals());
    // Looked at again at once: the ping goes out as soon as the work goes on.
    if (trouble !== null) return this.#say('warn', `withheld: ${trouble}`);
    this.#nextAt = clock.monotonic() + everyMs;
    await this.#ping(signal);
  }

  async #ping(signal: AbortSignal): Promise<void> {
    const { clock, url, onSuccess } = this.#options;
    const answer = await send({
      method: 'GET',
      url: url.reveal(),
      timeoutMs: PING_WITHIN_MS,
      responseBytesMax: ANSWER_BYTES_MAX,
      signal,
    });
    if (signal.aborted) return;
    if (answer.kind === 'failed') return void this.#say('warn', `failed: ${answer.detail}`);
    if (answer.status < 200 || answer.status >= 300) {
      return void this.#say('warn', `failed: HTTP ${answer.status}`);
    }
    onSuccess(clock.now());
    this.#say('info', 'sent');
  }

  /** Once per change: a monitor that is down for a night is one line. */
  #say(level: 'info' | 'warn', state: string): undefined {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.logger[level]({ state }, 'dead-man ping');
  }

  async stop(): Promise<void> {
    await this.#loop?.stop();
  }
}

/** Why canaryd is not at work, in the words of the check; null: it is. Sources do not count. */
function troubleOf({ isLive, checks, journal }: Vitals): string | null {
  if (!isLive) {
    return Object.keys(checks)
      .filter((name) => checks[name as keyof typeof checks] !== 'ok')
      .join(', ');
  }
  if (journal.failingForMs !== null) return 'the journal takes no writes';
  const { writtenAgoMs } = journal;
  const isProved = writtenAgoMs !== null && writtenAgoMs < WRITTEN_WITHIN_MS;
  return isProved ? null : 'no write to the journal lately';
}
