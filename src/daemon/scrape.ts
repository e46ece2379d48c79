// What /metrics answers. It answers always: when the journal is away, the alerts about that need
// what this process knows by itself. Figures of the journal are left out then, not shown stale.
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kit/clock.ts';
import { CanarydError } from '../kit/errors.ts';
import { within } from '../kit/within.ts';
import type { Metrics } from '../metrics/metrics.ts';

/** Far less than a scraper waits for the whole answer. */
const JOURNAL_WITHIN_MS = 1_500;
const PENDING_MAX = 10_000;

type Logger = { warn(fields: object, message: string): void };

export type ScrapeOptions = {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly journal: Journal;
  /** What this replica knows without the journal. */
  readonly here: () => { readonly watches: number; readonly replicas: number };
  readonly logger: Logger;
};

export class Scrape {
  readonly #options: ScrapeOptions;
  /** One at a time, however many ask: a journal that hangs collects no calls. */
  #reading: Promise<boolean> | null = null;
  #isMissing = false;

  constructor(options: ScrapeOptions) {
    this.#options = options;
  }

  async text(): Promise<{ readonly contentType: string; readonly body: string }> {
    const { clock, metrics, here } = this.#options;
    const { watches, replicas } = here();
    metrics.watchesActive.set(watches);
    metrics.replicas.set(replicas);
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    const reading = this.#reading;
    const isRead = await within(
      clock,
      JOURNAL_WITHIN_MS,
      () => reading,
      () => false,
    );
    if (!isRead) this.#forget();
    const { registry } = metrics;
    return { contentType: registry.contentType, body: await registry.metrics() };
  }

  async #read(): Promise<boolean> {
    const { journal, metrics, logger } = this.#options;
    try {
      const hold = await journal.hold();
      const counts = await journal.counts();
      // Damaged rows are told by who sends them.
      const deliveries = await journal.pendingDeliveries(PENDING_MAX, undefined, () => {});
      const pending = { disarm: 0, rollback: 0, message: 0 };
      for (const { content } of deliveries) {
        pending[content.kind === 'action' ? content.action : 'message'] += 1;
      }
      metrics.holdFire.set(hold === null ? 0 : 1);
      for (const [phase, count] of Object.entries(counts)) metrics.watches.set({ phase }, count);
      for (const [kind, count] of Object.entries(pending)) {
        metrics.deliveriesPending.set({ kind }, count);
      }
      this.#isMissing = false;
      return true;
    } catch (error) {
      if (error instanceof CanarydError) metrics.journalErrors.inc();
      // Once for each outage: a scraper comes every few seconds.
      const text = 'journal cannot be read for /metrics; its figures are left out until it can';
      if (!this.#isMissing) logger.warn({ err: error }, text);
      this.#isMissing = true;
      return false;
    }
  }

  #forget(): void {
    const { watches, holdFire, deliveriesPending } = this.#options.metrics;
    watches.reset();
    deliveriesPending.reset();
    // A gauge without labels would be reset to 0, which says that canaryd acts.
    holdFire.remove();
  }
}
