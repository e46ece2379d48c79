// Tells systemd how canaryd is: ready, alive, ending. Node has no unix datagram sockets, so the
// program `systemd-notify` speaks for it (the unit needs NotifyAccess=all). Without NOTIFY_SOCKET
// nothing happens. The watchdog is fed only while nothing hangs: then systemd restarts the service.
import { execFile } from 'node:child_process';
import type { Vitals } from '../engine/vitals.ts';
import type { Clock } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/logger.ts';
import { type Loop, startLoop } from '../kit/loop.ts';

const PROGRAM = 'systemd-notify';
const NOTIFY_WITHIN_MS = 5_000;
/** Without a watchdog the status is told at this pace. */
const STATUS_EVERY_MS = 60_000;

export type SystemdOptions = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly clock: Clock;
  readonly vitals: () => Vitals;
  /** How many deploys are watched here. */
  readonly watches: () => number;
  readonly logger: Pick<Logger, 'warn'>;
};

export class Systemd {
  readonly #options: SystemdOptions;
  #loop: Loop | null = null;
  #hasFailed = false;

  constructor(options: SystemdOptions) {
    this.#options = options;
  }

  /** The API answers; from now on the watchdog is fed. */
  async ready(): Promise<void> {
    const { clock, env } = this.#options;
    if (!env['NOTIFY_SOCKET']) return;
    await this.#notify('READY=1', this.#status());
    const everyMs = this.#watchdogMs();
    this.#loop = startLoop({
      clock,
      everyMs: everyMs ?? STATUS_EVERY_MS,
      work: () => this.#feed(everyMs !== null),
      onError: (error) => this.#failed(messageOf(error)),
    });
  }

  async stopping(): Promise<void> {
    if (!this.#options.env['NOTIFY_SOCKET']) return;
    await this.#loop?.stop();
    await this.#notify('STOPPING=1', 'STATUS=shutting down');
  }

  async #feed(isWatched: boolean): Promise<undefined> {
    const isFed = isWatched && this.#options.vitals().isLive;
    await this.#notify(...(isFed ? ['WATCHDOG=1'] : []), this.#status());
  }

  #status(): string {
    const { vitals, watches } = this.#options;
    const { checks } = vitals();
    const [hanging] = Object.entries(checks).filter(([, state]) => state !== 'ok');
    if (hanging === undefined) return `STATUS=watching ${watches()} deploys`;
    return `STATUS=hangs: ${hanging.join(': ')}`;
  }

  /** Half of what the unit allows; null: the watchdog is off, or meant for another process. */
  #watchdogMs(): number | null {
    const { env, pid } = this.#options;
    const { WATCHDOG_USEC: usec, WATCHDOG_PID: forPid } = env;
    if (forPid !== undefined && forPid !== String(pid)) return null;
    const ms = Number(usec) / 2_000;
    return Number.isFinite(ms) && ms >= 1 ? ms : null;
  }

  /** Never rejects and never waits for long. */
  #notify(...states: readonly string[]): Promise<void> {
    const { NOTIFY_SOCKET, PATH } = this.#options.env;
    const env = { NOTIFY_SOCKET, PATH };
    const options = { env, timeout: NOTIFY_WITHIN_MS, killSignal: 'SIGKILL' } as const;
    return new Promise((resolve) => {
      execFile(PROGRAM, [...states], options, (error) => {
        if (error !== null) this.#failed(messageOf(error));
        resolve();
      });
    });
  }

  /** Once: it fails again every few seconds. */
  #failed(detail: string): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const text = 'systemd cannot be notified: is systemd-notify installed, NotifyAccess=all set?';
    this.#options.logger.warn({ detail }, text);
  }
}
