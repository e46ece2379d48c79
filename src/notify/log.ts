// The channel for when no other is configured: a message is one structured log line.
import type { Message, Outcome } from '../core/delivery.ts';
import type { Logger } from '../kit/logger.ts';

export function createLogChannel(
  logger: Logger,
): (message: Message, signal: AbortSignal) => Promise<Outcome> {
  return async (message) => {
    const fields = {
      kind: message.kind,
      severity: message.severity,
      ...(message.watchId === '' ? {} : { watchId: message.watchId }),
      ...(message.gate === undefined
        ? {}
        : { gate: message.gate.name, record: message.gate.record }),
      at: new Date(message.atMs).toISOString(),
      headline: message.headline,
      lines: message.lines,
      // As texts: a field or link must not meet the logger's list of secret names.
      fields: message.fields.map(([title, value]) => `${title}: ${value}`),
      next: message.next,
      links: message.links.map(({ label, url }) => `${label}: ${url}`),
    };
    logger[LEVELS[message.severity]](fields, 'message');
    return { kind: 'delivered', detail: 'written to the log' };
  };
}

const LEVELS = { critical: 'error', warning: 'warn', info: 'info' } as const;
