// Ending a process that a test started, however far it has got.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

const ENDED_WITHIN_MS = 5_000;

/** Sends the signal, and SIGKILL to one that does not follow; its exit code, null when it had ended. */
export async function endChild(
  child: ChildProcess,
  signal: NodeJS.Signals = 'SIGTERM',
  withinMs = ENDED_WITHIN_MS,
): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return null;
  const exited = once(child, 'exit');
  child.kill(signal);
  const tired = setTimeout(() => child.kill('SIGKILL'), withinMs);
  const [code] = (await exited) as [number | null];
  clearTimeout(tired);
  return code;
}
