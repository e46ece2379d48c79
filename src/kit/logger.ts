// Structured logs on stdout. Constant message, data as fields; anything worth reading tomorrow is
// a journal event, not a log line.
import { type DestinationStream, type Logger, pino } from 'pino';

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
      // Errors of libraries carry requests with headers and URLs: only class, message, stack.
      serializers: {
        err: (error: Error & { code?: string }) => ({
          type: error.name,
          message: error.message,
          code: error.code,
          stack: error.stack,
        }),
      },
    },
    typeof destination === 'string'
      ? pino.destination({ dest: destination || 1, sync: true })
      : destination,
  );
}
