// Runs a program in its own process group, bounded in time and output, and ends the whole group
// when its time is over: a rollback script that hangs must not leave its children at work.
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

export type Run = {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Default: the folder that canaryd runs in. */
  readonly cwd?: string;
  readonly stdin: string;
  readonly timeoutMs: number;
  /** Of stdout and stderr together, the last bytes are kept. */
  readonly outputBytesMax: number;
  readonly signal: AbortSignal;
};

export type RunResult =
  | { readonly kind: 'exited'; readonly code: number; readonly output: string }
  | { readonly kind: 'killed'; readonly by: string; readonly output: string }
  | { readonly kind: 'timeout' | 'aborted'; readonly output: string }
  | { readonly kind: 'not_started'; readonly code: string };

/** From SIGTERM to SIGKILL. */
const KILL_AFTER_MS = 2_000;
const GROUP_POLL_MS = 25;
/** A child left behind may hold the pipes open: the program's own exit is what counts. */
const PIPES_WAIT_MS = 200;

const hasGroups = process.platform !== 'win32';

export async function run(options: Run): Promise<RunResult> {
  const [program = '', ...args] = options.argv;
  const child = start(program, args, options);
  if (typeof child === 'string') return { kind: 'not_started', code: child };
  const output = keepTail(child, options.outputBytesMax);
  const ended = endOf(child);
  // A program that does not read its input closes the pipe: that is its right.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(options.stdin);

  const done = new AbortController();
  const stop = AbortSignal.any([options.signal, done.signal]);
  const limit = sleep(options.timeoutMs, 'limit' as const, { signal: stop }).catch(
    () => 'limit' as const,
  );
  const first = await Promise.race([ended, limit]);
  done.abort();
  if (first === 'limit') {
    await killGroup(child);
    closePipes(child);
    return { kind: options.signal.aborted ? 'aborted' : 'timeout', output: output() };
  }
  if ('failed' in first) return { kind: 'not_started', code: first.failed };
  closePipes(child);
  return first.code === null
    ? { kind: 'killed', by: first.by ?? 'a signal', output: output() }
    : { kind: 'exited', code: first.code, output: output() };
}

function start(
  program: string,
  args: readonly string[],
  { env, cwd }: Pick<Run, 'env' | 'cwd'>,
): ChildProcess | string {
  try {
    return spawn(program, args, {
      shell: false,
      detached: hasGroups,
      env,
      ...(cwd === undefined ? {} : { cwd }),
      stdio: 'pipe',
      windowsHide: true,
    });
  } catch (error) {
    // Arguments that no program can be given, such as a NUL character.
    return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}

type End =
  | { readonly failed: string }
  | { readonly code: number | null; readonly by: NodeJS.Signals | null };

function endOf(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ failed: codeOf(error) }));
    child.on('exit', (code, by) => {
      // On a busy machine the time may be over before anybody has looked at the pipes: once more.
      const timer = setTimeout(() => setImmediate(resolve, { code, by }), PIPES_WAIT_MS);
      child.on('close', () => {
        clearTimeout(timer);
        resolve({ code, by });
      });
    });
  });
}

function keepTail(child: ChildProcess, bytesMax: number): () => string {
  let chunks: Buffer[] = [];
  let size = 0;
  const keep = (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size > 2 * bytesMax) {
      chunks = [Buffer.concat(chunks).subarray(-bytesMax)];
      size = bytesMax;
    }
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return () => Buffer.concat(chunks).subarray(-bytesMax).toString('utf8');
}

function closePipes(child: ChildProcess): void {
  child.stdin?.destroy();
  child.stdout?.destroy();
  child.stderr?.destroy();
}

/** SIGTERM to all, time to tidy up, then SIGKILL to whoever is left. */
async function killGroup(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined) return;
  if (!hasGroups) {
    child.kill('SIGKILL');
    return;
  }
  signalGroup(pid, 'SIGTERM');
  for (let waited = 0; waited < KILL_AFTER_MS; waited += GROUP_POLL_MS) {
    await sleep(GROUP_POLL_MS);
    if (!signalGroup(pid, 0)) return;
  }
  signalGroup(pid, 'SIGKILL');
}

/** False when no process of the group is left. */
function signalGroup(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, name);
  } catch {
    return false;
  }
}
