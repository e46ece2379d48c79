// A bench from its start to its end: whatever it started is ended and its folders are removed, when it
// is done, when a step fails, on Ctrl-C, and when it takes longer than it may.
import { cpus } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { NODE_FLAGS } from '../support/daemon.ts';

export type Run = {
  /** What has to be ended; last in, first out. */
  readonly stack: AsyncDisposableStack;
  /** Aborted when the bench has to end early. */
  readonly signal: AbortSignal;
  /** A line of the result. */
  say(line: string): void;
  /** A line for who waits. */
  note(line: string): void;
  /** Throws as soon as the bench has to end. */
  pause(ms: number): Promise<void>;
};

const INTERRUPTED = 130;
const MINUTE_MS = 60_000;

/** @param bench true: all went as it should */
export async function run(minutes: number, bench: (run: Run) => Promise<boolean>): Promise<void> {
  const cut = new AbortController();
  const { signal } = cut;
  const note = (line: string) => void process.stderr.write(`${line}\n`);
  let code = 1;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      // The second time is meant.
      if (signal.aborted) process.exit(INTERRUPTED);
      code = INTERRUPTED;
      note(`\n${name}: ending what was started`);
      cut.abort(new Error(name));
    });
  }
  process.on('uncaughtException', (error) => cut.abort(error));
  const tooLong = setTimeout(() => {
    cut.abort(new Error(`took longer than ${minutes} minutes (--minutes)`));
  }, minutes * MINUTE_MS);
  try {
    await using stack = new AsyncDisposableStack();
    const isWell = await bench({
      stack,
      signal,
      say: (line) => void process.stdout.write(`${line}\n`),
      note,
      pause: (ms) => pause(ms, undefined, { signal }),
    });
    code = isWell ? 0 : 1;
  } catch (error) {
    note(String(signal.aborted ? signal.reason : (error as Error).stack));
  } finally {
    clearTimeout(tooLong);
  }
  process.exit(code);
}

/** One line that says on what all figures were taken. */
export function machine(versions: Readonly<Record<string, string | null>> = {}): string {
  const found = Object.entries(versions).map(([name, version]) => `, ${name} ${version ?? '?'}`);
  const flags = NODE_FLAGS.length === 0 ? '' : ` (canaryd with ${NODE_FLAGS.join(' ')})`;
  const [cpu] = cpus();
  return `machine: ${cpus().length} × ${cpu?.model ?? 'unknown'}, node ${process.version}${flags}${found.join('')}`;
}
