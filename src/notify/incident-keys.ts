// What else a channel has opened for a watch besides its own incident: a storm that stands for many
// watches, a call. It is written into receipts, and read when the incident of a watch ends. Whether
// something is open the journal says, not this channel's memory.
import type { Message, SendContext } from '../core/delivery.ts';
import { objectOf } from './attempt.ts';

type Opened = { readonly key: string; readonly watches: readonly string[] };

/** Of one message, each once. */
export function watchesOf({ merged, watchId }: Message): readonly string[] {
  return merged === undefined ? [watchId] : [...new Set(merged.map((part) => part.watchId))];
}

export function receiptFor(key: string, message: Message): string {
  return JSON.stringify({ key, watches: watchesOf(message) } satisfies Opened);
}

/** No context: a trial, or news of canaryd itself, which are told in their order. */
export async function isOver(watchId: string, context: SendContext | undefined): Promise<boolean> {
  return context?.isOpen !== undefined && !(await context.isOpen(watchId));
}

export async function areOver(
  watches: readonly string[],
  context: SendContext | undefined,
): Promise<boolean> {
  for (const watchId of watches) if (!(await isOver(watchId, context))) return false;
  return true;
}

/** Of the watch alone (its calls). */
export async function ownKeys(message: Message, context: SendContext | undefined) {
  const opened = await openedFor(message, context);
  return opened.filter(({ watches }) => watches.length === 1).map(({ key }) => key);
}

/** What nobody has to look after any more: of none of its watches anything is open. */
export async function endedKeys(message: Message, context: SendContext | undefined) {
  const keys: string[] = [];
  for (const { key, watches } of await openedFor(message, context)) {
    const others = watches.filter((watchId) => watchId !== message.watchId);
    if (await areOver(others, context)) keys.push(key);
  }
  return keys;
}

async function openedFor({ watchId }: Message, context: SendContext | undefined) {
  const receipts = (await context?.receipts(watchId)) ?? [];
  const opened = new Map<string, Opened>();
  for (const { receipt } of receipts) {
    const { key, watches } = objectOf(receipt);
    if (typeof key !== 'string' || !Array.isArray(watches)) continue;
    opened.set(key, { key, watches: watches.filter((one) => typeof one === 'string') });
  }
  return [...opened.values()];
}
