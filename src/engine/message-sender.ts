// What a channel is given for messages that were written as begun: one message, whatever it stands
// for, with what the journal says now. Writes nothing.
import type { Delivery, Message, Outcome } from '../core/delivery.ts';
import { callLines } from '../core/escalation.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kit/clock.ts';
import { type Barred, NOT_SENT, STANDS_FOR_MS } from './action-sender.ts';
import { type Channel, joined, type MessageContent, repeatMarked, sendContext } from './lanes.ts';
import type { Ledger } from './ledger.ts';
import type { Share } from './share.ts';

export type BegunMessage = Delivery & { readonly content: MessageContent };

type Options = {
  readonly clock: Clock;
  readonly share: Pick<Share, 'isCurrent'>;
  readonly journal: Journal;
  readonly ledger: Ledger;
  readonly channels: Readonly<Record<string, Channel>>;
};

export class MessageSender {
  readonly #options: Options;

  readonly #barred: (delivery: Delivery) => Promise<Barred | null>;

  constructor(options: Options, barred: (delivery: Delivery) => Promise<Barred | null>) {
    this.#options = options;
    this.#barred = barred;
  }

  /** @param lookedAt monotonic time before it was found that nothing bars them */
  async send(
    begun: readonly [BegunMessage, ...BegunMessage[]],
    lookedAt: number,
    signal: AbortSignal,
  ): Promise<Outcome> {
    if (!(await this.#stillStand(begun, lookedAt))) return NOT_SENT;
    const [first, ...others] = begun;
    const wanted = first.content.channel;
    const name = this.#nameOf(first.content);
    const channel = name === null ? undefined : this.#options.channels[name];
    if (name === null || channel === undefined) {
      const detail = `the config no longer defines the channel '${wanted}'`;
      return { kind: 'refused', reason: 'misconfigured', detail };
    }
    const open = await this.#openOf(begun);
    const contents = [first.content, ...others.map((one) => one.content)] as const;
    const message = joined(contents, (watchId) => open.has(watchId));
    const current = await this.#current(first, message);
    const told = name === wanted ? current : redirected(current, wanted);
    const context = sendContext(first.id, name, this.#options);
    const outcome = await channel.send(repeatMarked(told, begun), signal, context);
    if (outcome.kind !== 'delivered' || name === wanted) return outcome;
    // Another channel gave it out: it is not shown to the one it was for.
    return { kind: 'delivered', detail: outcome.detail };
  }

  /**
   * The journal may have answered late, or the process been stopped for a while: meanwhile somebody
   * may have acknowledged, or another replica taken over.
   */
  async #stillStand(begun: readonly BegunMessage[], lookedAt: number): Promise<boolean> {
    const { clock, journal, share } = this.#options;
    if (clock.monotonic() - lookedAt < STANDS_FOR_MS) return true;
    const found = await Promise.all(
      begun.map(async (one) => {
        const stored = await journal.delivery(one.id);
        const isOurs = stored?.state === 'pending' && stored.attempts === one.attempts;
        return isOurs && (await this.#barred({ ...one, inFlight: false })) === null;
      }),
    );
    return share.isCurrent() && found.every(Boolean);
  }

  /** Where it goes; null: nowhere. A channel that is gone takes no stop and no night with it. */
  #nameOf({ channel, message, heldUntilMs }: MessageContent): string | null {
    const { channels } = this.#options;
    if (Object.hasOwn(channels, channel)) return channel;
    if (message.severity !== 'critical' && heldUntilMs === undefined) return null;
    return Object.keys(channels).find((name) => channels[name]?.isRead !== false) ?? null;
  }

  /** The watches of a night in which something still waits for a person. */
  async #openOf(begun: readonly BegunMessage[]): Promise<ReadonlySet<string>> {
    const open = new Set<string>();
    const held = begun.filter(({ content }) => content.heldUntilMs !== undefined);
    for (const watchId of new Set(held.map((one) => one.watchId))) {
      if (await this.#options.ledger.isOpen(watchId)) open.add(watchId);
    }
    return open;
  }

  /** A call says how far things have come when it is made, not when it was planned. */
  async #current({ content, watchId }: BegunMessage, message: Message): Promise<Message> {
    if (content.call === undefined) return message;
    const loaded = await this.#options.ledger.load(watchId);
    if (loaded === null) return message;
    const { record, state } = loaded;
    return { ...message, lines: callLines({ watchId, policy: record.policy, state }) };
  }
}

function redirected(message: Message, wanted: string): Message {
  const line = `This was for the channel '${wanted}', which the config no longer has.`;
  return { ...message, lines: [...message.lines, line] };
}
