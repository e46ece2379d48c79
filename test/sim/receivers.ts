// Who gets what canaryd sends: the receivers of actions and the channel of chat. Each does what its
// span of trouble says, and remembers what it took on and under which id.
import type { Delivery, Message, Outcome } from '../../src/core/delivery.ts';
import type { DeliveryReason } from '../../src/core/event.ts';
import type { Dice } from './dice.ts';
import type { Caller } from './store.ts';
import type { Time } from './time.ts';
import type { Trouble } from './trouble.ts';

export type Sent = {
  readonly atMs: number;
  readonly by: string;
  readonly id: string;
  readonly watchId: string;
  readonly attempt: number;
  readonly name: string;
};

export type Posted = {
  readonly atMs: number;
  /** When it left. */
  readonly sentAtMs: number;
  readonly channel: string;
  readonly message: Message;
};

export type ReceiversOptions = {
  readonly time: Time;
  readonly trouble: Trouble;
  readonly dice: Dice;
  /** Nobody takes on a disarm. */
  readonly isDisarmDeaf: boolean;
  /** A request leaves a replica. */
  readonly onSent: (sent: Sent) => void;
  /** A receiver has taken an action on. */
  readonly onTaken: (sent: Sent) => void;
  readonly onPosted: (posted: Posted) => void;
  /** A channel did not take a message on, and may be left alone for so long. */
  readonly onUnposted: (channel: string, untilMs: number) => void;
};

const NEVER = new Promise<never>(() => {});
const CHAT_TIMEOUT_MS = 5_000;
/** Longest pause after a failure, and the longest that a channel may ask for. */
const PAUSE_MAX_MS = 60_000;
const ASKED_MAX_MS = 300_000;

function again(reason: DeliveryReason, more: Partial<Outcome> = {}): Outcome {
  const detail = `simulated: ${reason}`;
  const base = { kind: 'retryable', reason, detail, retryAfterMs: null, maybeDelivered: false };
  return { ...base, ...more } as Outcome;
}

export class Receivers {
  readonly #options: ReceiversOptions;

  constructor(options: ReceiversOptions) {
    this.#options = options;
  }

  /** One attempt of an action. What has left arrives, also when the sender dies. */
  async send(caller: Caller, delivery: Delivery, signal: AbortSignal, timeoutMs: number) {
    const { content, id, watchId, attempts } = delivery;
    if (content.kind !== 'action' || !caller.isAlive()) return NEVER;
    const { time, dice, onSent } = this.#options;
    if (this.#crashes(caller, 'crash before a call', `send ${id}`)) return NEVER;
    const sent = { by: caller.id, id, watchId, attempt: attempts, name: content.action };
    onSent({ ...sent, atMs: time.now });
    const outcome = this.#receive({ ...sent, atMs: time.now }, timeoutMs, signal);
    if (this.#crashes(caller, 'crash after a call', `send ${id}`)) return NEVER;
    const result = await outcome;
    if (!caller.isAlive()) return NEVER;
    if (dice.chance(0.2)) await time.wait(dice.between(0, 50));
    return caller.isAlive() ? result : NEVER;
  }

  #crashes(caller: Caller, kind: 'crash before a call' | 'crash after a call', where: string) {
    if (!this.#options.trouble.strikes(kind, `${caller.id} ${where}`, 12)) return false;
    caller.kill(`${kind}: ${where}`);
    return true;
  }

  async #receive(sent: Sent, timeoutMs: number, signal: AbortSignal): Promise<Outcome> {
    const { time, trouble, dice, onTaken, isDisarmDeaf } = this.#options;
    const { id, name } = sent;
    await time.wait(dice.between(1, 80));
    if (isDisarmDeaf && name === 'disarm') {
      trouble.happened('disarm deaf', id);
      return again('server_error');
    }
    const strikes = (kind: Parameters<Trouble['during']>[0]) => trouble.during(kind, id);
    if (strikes('action refused')) return again('refused_connection');
    if (strikes('action 500')) return again('server_error');
    if (strikes('action 429')) {
      return again('rate_limited', { retryAfterMs: dice.pick([1_000, 5_000, 600_000]) });
    }
    if (strikes('action 410')) {
      return { kind: 'refused', reason: 'client_error', detail: 'simulated: HTTP 410' };
    }
    if (strikes('action hangs')) return this.#silence(timeoutMs, signal);
    onTaken(sent);
    if (strikes('action time-out after accepting')) return this.#silence(timeoutMs, signal);
    return { kind: 'delivered', detail: 'HTTP 202' };
  }

  /** No answer until the sender loses patience, or is told to end. */
  async #silence(timeoutMs: number, signal: AbortSignal): Promise<Outcome> {
    const { time } = this.#options;
    const aborted = new Promise<'aborted'>((resolve) => {
      if (signal.aborted) resolve('aborted');
      signal.addEventListener('abort', () => resolve('aborted'), { once: true });
    });
    const first = await Promise.race([time.wait(timeoutMs).then(() => 'late' as const), aborted]);
    const reason = first === 'late' ? 'timeout' : 'interrupted';
    return again(reason, { maybeDelivered: true });
  }

  async post(
    caller: Caller,
    channel: string,
    message: Message,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { time, onUnposted } = this.#options;
    if (!caller.isAlive()) return NEVER;
    const where = `${message.kind} of ${message.watchId}`;
    if (this.#crashes(caller, 'crash before a call', `post ${where}`)) return NEVER;
    const answer = this.#posted(channel, message, where, signal);
    if (this.#crashes(caller, 'crash after a call', `post ${where}`)) return NEVER;
    const result = await answer;
    if (result.kind === 'retryable') {
      const asked = Math.min(result.retryAfterMs ?? 0, ASKED_MAX_MS);
      onUnposted(channel, time.now + Math.max(asked, PAUSE_MAX_MS));
    }
    return caller.isAlive() ? result : NEVER;
  }

  async #posted(
    channel: string,
    message: Message,
    where: string,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { time, trouble, dice, onPosted } = this.#options;
    const sentAtMs = time.now;
    await time.wait(dice.between(1, 100));
    const strikes = (kind: Parameters<Trouble['during']>[0]) => trouble.during(kind, where);
    if (strikes('chat down')) return again('network');
    if (strikes('chat 500')) return again('server_error');
    if (strikes('chat 429')) {
      return again('rate_limited', { retryAfterMs: dice.pick([1_000, 30_000, 900_000]) });
    }
    if (strikes('chat 410')) {
      return { kind: 'refused', reason: 'client_error', detail: 'simulated: HTTP 410' };
    }
    if (strikes('chat slow')) await time.wait(dice.between(500, CHAT_TIMEOUT_MS - 500));
    onPosted({ atMs: time.now, sentAtMs, channel, message });
    if (strikes('chat time-out after accepting')) return this.#silence(CHAT_TIMEOUT_MS, signal);
    return { kind: 'delivered', detail: 'HTTP 200' };
  }
}
