// Runs the CLI in this process against a server, and keeps what it wrote.
import { Writable } from 'node:stream';
import { runCli } from '../../src/cli/cli.ts';
import type { CliIo } from '../../src/cli/output.ts';
import { type Clock, systemClock } from '../../src/kit/clock.ts';

class Kept extends Writable {
  text = '';
  isTTY = false;
  columns = 100;
  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}

/** Sleeps take no time, and time goes on by what was slept. */
export function hastyClock(onSleep: () => unknown = () => {}): Clock {
  let elapsed = 0;
  return {
    now: () => systemClock.now() + elapsed,
    monotonic: () => elapsed,
    sleep: async (ms) => {
      elapsed += ms;
      await onSleep();
      await systemClock.sleep(1);
    },
  };
}

/** Each call runs the next step; none when all have run. */
export function inTurn(...steps: readonly (() => unknown)[]): () => unknown {
  const left = [...steps];
  return () => left.shift()?.();
}

export function cli(options: {
  readonly server: string;
  readonly env?: CliIo['env'];
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  readonly isTTY?: boolean;
}) {
  const stdout = new Kept();
  const stderr = new Kept();
  stdout.isTTY = options.isTTY ?? false;
  return {
    run: (...argv: readonly string[]) =>
      runCli(argv, {
        env: { CANARYD_URL: options.server, ...options.env },
        stdout,
        stderr,
        signal: options.signal ?? new AbortController().signal,
        clock: options.clock ?? hastyClock(),
      }),
    out: () => stdout.text,
    err: () => stderr.text,
    json: () => JSON.parse(stdout.text),
  };
}
