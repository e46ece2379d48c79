// What all channels share: the shape of an attempt, its name at the service, answers in JSON.
import { createHash } from 'node:crypto';
import type { Message, Outcome, SendContext } from '../core/delivery.ts';

export type Send = (
  message: Message,
  signal: AbortSignal,
  context?: SendContext,
) => Promise<Outcome>;

/** JSON that is an object, or nothing. */
export function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : {};
  } catch {
    return {};
  }
}

/**
 * Names the delivery at the service: the same for each attempt, so that a repetition can be told.
 * No dots: they separate what a signature covers.
 */
export function deliveryKey(message: Message, channel: string, context?: SendContext): string {
  if (context !== undefined) return context.deliveryId;
  // The lines are left out: a repetition may say in them that it is one.
  const { watchId, kind, atMs, headline } = message;
  const text = JSON.stringify([channel, watchId, kind, atMs, headline]);
  return `msg-${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
}
