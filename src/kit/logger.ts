// Structured logs on stdout. Constant message, data as fields; anything worth reading tomorrow is
// a journal event, not a log line.
import { type DestinationStream, type Logger, pino } from 'pino';
import { messageOf } from './errors.ts';

export type { Logger };

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

/** Errors of libraries carry requests with headers and URLs: only class, message, code, stack. */
function serialized(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: messageOf(error) };
  const { code } = error as { code?: string };
  return { type: error.name, message: error.message, code, stack: error.stack };
}
