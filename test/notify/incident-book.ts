// What the journal tells a channel that keeps incidents, for tests: which watches are open, and the
// receipts of what the channel has delivered.
import type { Message, Outcome, Receipt, SendContext } from '../../src/core/delivery.ts';
import type { Send } from '../../src/notify/attempt.ts';
import { watchesOf } from '../../src/notify/incident-keys.ts';

export class IncidentBook {
  readonly open = new Set<string>();
  readonly #receipts: (Receipt & { readonly watchId: string })[] = [];
  readonly #send: Send;

  constructor(send: Send) {
    this.#send = send;
  }

  async tell(message: Message, deliveryId = `${message.watchId}-e1-pager`): Promise<Outcome> {
    const context: SendContext = {
      deliveryId,
      receipts: async (watchId) => this.#receipts.filter((one) => one.watchId === watchId),
      isOpen: async (watchId) => this.open.has(watchId),
    };
    const outcome = await this.#send(message, new AbortController().signal, context);
    if (outcome.kind === 'delivered' && outcome.receipt !== undefined) {
      const { receipt } = outcome;
      for (const watchId of watchesOf(message)) {
        this.#receipts.push({ watchId, kind: message.kind, receipt });
      }
    }
    return outcome;
  }
}
