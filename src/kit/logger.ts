// Structured logs on stdout. Constant message, data as fields; anything worth reading tomorrow is
// a journal event, not a log line.
import { setTimeout } from 'node:timers/promises';
import { type DestinationStream, type Logger, pino } from 'pino';
import { messageOf } from './errors.ts';

export type { Logger };

const STDOUT = 1;
/** Some ten thousand lines. */
const WAITING_BYTES_MAX = 4 * 1_024 * 1_024;
/** About a second in all. */
const FLUSH_LOOKS_MAX = 100;
const FLUSH_LOOK_MS = 10;
const SECRET_FIELDS = ['authorization', 'password', 'secret', 'token', 'url', 'webhook'];

/** @param destination a stream, or the path of a file; default standard output */
export function createLogger(level: string, destination: DestinationStream | string = ''): Logger {
  return pino(
    {
      level,
      base: { app: 'canaryd' },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
        censor: '[redacted]',
      },
      serializers: { err: serialized },
    },
    typeof destination === 'string'
      ? pino.destination({ dest: destination || 1, sync: true })
      : destination,
  );
}

export type Log = {
  readonly logger: Logger;
  /** Writes out what waits, for a bounded time; what is logged later is dropped. */
  close(): Promise<void>;
};

/**
 * The log of a daemon. A reader of standard output that hangs must not stop it: lines wait in
 * memory up to a limit, then they are dropped and counted.
 * @param path of a file, written at once; default standard output
 */
export function openLog(level: string, path: string | undefined): Log {
  if (path !== undefined) return { logger: createLogger(level, path), close: async () => {} };
  return openPipeLog(level, STDOUT);
}

/** @param fd a pipe, a terminal or a file */
export function openPipeLog(level: string, fd: number): Log {
  const state = { isWriting: false, isStalled: false, isClosed: false, dropped: 0 };
  // Before pino's own: at the end of the process it would wait for a reader that hangs.
  const atExit = () => {
    if (state.isStalled) pipe.destroy();
  };
  process.once('exit', atExit);
  const pipe = pino.destination({
    dest: fd,
    sync: false,
    maxLength: WAITING_BYTES_MAX,
    // Full is asked again later, but not when we are about to end.
    retryEAGAIN: () => {
      state.isStalled = true;
      return !state.isClosed;
    },
  });
  const write = (line: string) => {
    if (state.isClosed) return;
    state.isWriting = true;
    pipe.write(line);
  };
  const logger = createLogger(level, { write });
  pipe.on('drop', () => {
    state.dropped += 1;
  });
  pipe.on('write', () => {
    state.isStalled = false;
  });
  pipe.on('drain', () => {
    state.isWriting = false;
    const { dropped } = state;
    state.dropped = 0;
    if (dropped > 0) logger.warn({ dropped }, 'log lines were dropped: their reader was too slow');
  });
  // Nobody reads any more, or the disk is full: the log is the wrong place to say so.
  pipe.on('error', (error: NodeJS.ErrnoException) => {
    state.isWriting = false;
    if (error.code === 'EPIPE') state.isClosed = true;
  });
  const close = async () => {
    for (let look = 0; state.isWriting && look < FLUSH_LOOKS_MAX; look += 1) {
      await setTimeout(FLUSH_LOOK_MS);
    }
    state.isClosed = true;
    if (state.isWriting) pipe.destroy();
    process.off('exit', atExit);
  };
  return { logger, close };
}

/** Errors of libraries carry requests with headers and URLs: only class, message, code, stack. */
function serialized(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: messageOf(error) };
  const { code } = error as { code?: string };
  return { type: error.name, message: error.message, code, stack: error.stack };
}
