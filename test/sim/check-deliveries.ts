// Deliveries: in the store before they are sent (J1), one for each watch and action under one id
// (J2), bounded and ended (J5); hold fire is respected; people are told once, and nothing is lost.
import { type Book, type EventFact, namesOf } from './book.ts';
import { RoutingChecks } from './check-routing.ts';
import type { RoutingPlan } from './plan-routing.ts';
import type { Posted, Sent } from './receivers.ts';
import type { DeliveryRow, Rows } from './rows.ts';
import { STORE_SLACK_MS } from './store.ts';
import type { Truth } from './truth.ts';

type Report = (rule: string, watchId: string | null, text: string) => void;

/** What came of an attempt, as it was handed to the store. */
export type WrittenOutcome = {
  readonly id: string;
  readonly attempt: number;
  readonly state: string;
};

/** What the row of an action says for each state of it that the events tell. */
const ROW_OF: Readonly<Record<string, string>> = {
  pending: 'pending',
  accepted: 'delivered',
  gave_up: 'gave_up',
};

/** Events that people must hear of. */
const TOLD = [
  'watch.stopped',
  'watch.passed',
  'watch.inconclusive',
  'watch.superseded',
  'rollback.confirmed',
  'rollback.not_confirmed',
];
/** Older than any view of who lives on which somebody may act: a lease and slow calls. */
const LEASE_SLACK_MS = 30_000;
const REPEATED = /restarted while sending|got no answer/;

export class DeliveryChecks {
  readonly #rows: Rows;
  readonly #truth: Truth;
  readonly #books: ReadonlyMap<string, Book>;
  readonly #report: Report;
  readonly #known = new Map<string, DeliveryRow>();
  /** Ids under which an action of a watch was sent. */
  readonly #ids = new Map<string, Set<string>>();
  readonly #sends = new Map<string, number>();
  readonly #taken = new Set<string>();
  /** How often each message was posted without a word that it may be a repetition. */
  readonly #posts = new Map<string, number>();
  readonly #endedAt = new Map<string, number>();
  #heldSince: number | null = null;
  #wasHeld = false;

  readonly routing: RoutingChecks;

  constructor(
    rows: Rows,
    truth: Truth,
    books: ReadonlyMap<string, Book>,
    report: Report,
    routing: RoutingPlan | null,
  ) {
    this.routing = new RoutingChecks({ rows, truth, books, report, plan: routing });
    this.#rows = rows;
    this.#truth = truth;
    this.#books = books;
    this.#report = report;
  }

  /** After an append: what its events imply is planned in the same transaction. */
  planned(book: Book, events: readonly EventFact[], outcomes: readonly WrittenOutcome[]): void {
    for (const outcome of outcomes) this.#overtaken(book.id, outcome);
    const rows = this.#rows.deliveries(book.id);
    this.routing.planned(book, events, rows);
    for (const row of rows) {
      this.#changed(book.id, row);
      this.#told(book, row);
    }
    for (const event of events) {
      if (event.type === 'watch.stopped') this.#stopped(book, event, rows);
      if (!TOLD.includes(event.type) || this.#isSaidBySibling(event, events)) continue;
      const isTold = rows.some((row) => row.message_kind === event.type);
      if (!isTold) this.#report('told', book.id, `nobody is told of ${event.type}`);
    }
    for (const action of ['disarm', 'rollback']) {
      const many = rows.filter((row) => row.action === action).length;
      if (many > 1) this.#report('J2', book.id, `${many} deliveries for ${action}`);
    }
  }

  /** An attempt that was overtaken says nothing of the one that is under way. */
  #overtaken(watchId: string, { id, attempt, state }: WrittenOutcome): void {
    const under = this.#known.get(id)?.attempts ?? attempt;
    if (state === 'delivered' || under === attempt) return;
    const text = `the outcome of attempt ${attempt} was written while attempt ${under} is under way`;
    this.#report('J5', watchId, `${id}: ${text}`);
  }

  /** J7: the row of an action says what the events say of it. */
  #told({ id, state }: Book, { action, state: stored, id: deliveryId }: DeliveryRow): void {
    const told = action === null ? undefined : state.actions[action];
    if (told === undefined || ROW_OF[told] === stored) return;
    this.#report('J7', id, `${deliveryId} is ${stored}, and the events say ${told}`);
  }

  #isSaidBySibling({ type }: EventFact, events: readonly EventFact[]): boolean {
    return type === 'action.gave_up' && events.some((e) => e.type === 'rollback.not_confirmed');
  }

  #stopped({ id, state }: Book, { body }: EventFact, rows: readonly DeliveryRow[]): void {
    const actions = namesOf(body['actions']);
    const found = rows.flatMap(({ action }) => (action === null ? [] : [action])).sort();
    if (JSON.stringify(found) !== JSON.stringify([...actions].sort())) {
      this.#report(
        'J1',
        id,
        `the stop implies ${actions.join('+')}, planned is ${found.join('+')}`,
      );
    }
    if (state.mode === 'observe' && actions.length > 0) {
      this.#report('observe', id, 'a watch that only observes acts');
    }
    if (actions.length > 0 && this.#isHeldLong()) {
      this.#report('hold', id, 'a stop acts although hold fire is on');
    }
  }

  #isHeldLong(): boolean {
    return this.#heldSince !== null && this.#truth.now() - this.#heldSince > STORE_SLACK_MS;
  }

  holdSet(isOn: boolean): void {
    this.#heldSince = isOn ? (this.#heldSince ?? this.#truth.now()) : null;
    if (isOn) this.#wasHeld = true;
  }

  /** J5: attempts only grow, within bounds; an end is an end, for a reason that can be true. */
  #changed(watchId: string, row: DeliveryRow): void {
    const { id, state, attempts } = row;
    const before = this.#known.get(id);
    this.#known.set(id, row);
    if (before !== undefined && before.state !== 'pending') {
      if (before.state !== state || before.attempts !== attempts) {
        this.#report('J5', watchId, `delivery ${id} had ended ${before.state} and is ${state} now`);
      }
      return;
    }
    if (attempts > row.attempts_max) {
      this.#report('J5', watchId, `${id}: attempt ${attempts} of ${row.attempts_max}`);
    }
    if (before !== undefined && attempts < before.attempts) {
      this.#report('J5', watchId, `${id}: attempts fell from ${before.attempts} to ${attempts}`);
    }
    if (state === 'pending') return;
    this.#endedAt.set(id, this.#truth.now());
    if (state === 'delivered') this.#delivered(watchId, row);
    else this.#gaveUp(watchId, row);
  }

  #delivered(watchId: string, row: DeliveryRow): void {
    const { id, kind } = row;
    const isThere =
      kind === 'action' ? this.#taken.has(id) : this.#posts.has(postKey(watchId, row));
    if (!isThere) this.#report('J1', watchId, `${id} is called delivered and never arrived`);
  }

  #gaveUp(watchId: string, row: DeliveryRow): void {
    const { id, last_reason: reason, attempts, attempts_max: max } = row;
    const wrong = (text: string) => this.#report('J5', watchId, `${id} was given up: ${text}`);
    if (reason === 'attempts_exhausted' && attempts < max) wrong(`${attempts} of ${max} attempts`);
    if (reason === 'hold_fire' && !this.#wasHeld) wrong('hold fire was never on');
    if (reason === 'superseded' && this.#books.size < 2) wrong('no newer deploy is there');
    if (reason === 'interrupted' && attempts === 0) wrong('interrupted before its first attempt');
    if (row.kind === 'message') this.routing.gaveUp(watchId, row);
  }

  attemptBegan(by: string, id: string, attempt: number, began: boolean): void {
    if (!began) return;
    const row = this.#rows.delivery(id);
    if (row === undefined) {
      this.#report('J1', null, `${id} was begun and is not planned`);
      return;
    }
    const watchId = watchOf(id);
    this.#lease(watchId, by, attempt, this.#known.get(id));
    this.#changed(watchId, row);
    if (row.attempts !== attempt) {
      this.#report('J5', watchId, `${id}: attempt ${attempt} began as attempt ${row.attempts}`);
    }
    if ((row.attempted_at_ms ?? 0) > row.deadline_at_ms) {
      this.#report('J5', watchId, `${id}: attempt ${attempt} began after the deadline (${by})`);
    }
    if (row.kind === 'message') this.routing.began(watchId, row);
    if (row.kind === 'action' && this.#isHeldLong()) {
      this.#report('hold', watchId, `${id}: attempt ${attempt} began although hold fire is on`);
    }
  }

  /** What a replica has begun is left to it for as long as the others know that it lives. */
  #lease(watchId: string, by: string, attempt: number, before: DeliveryRow | undefined): void {
    const holder = before?.in_flight === 1 ? before.holder : null;
    if (holder === null || holder === by) return;
    const since = this.#truth.livesSince(holder);
    if (since === null || this.#truth.now() - since < LEASE_SLACK_MS) return;
    const text = `${by} began attempt ${attempt} while ${holder} lives and has one under way`;
    this.#report('lease', watchId, `${before?.id}: ${text}`);
  }

  /** J1: at this instant a request leaves. */
  sent({ id, watchId, attempt, name, by }: Sent): void {
    const row = this.#rows.delivery(id);
    const what = `${id} (attempt ${attempt}, ${by})`;
    if (row === undefined || row.action !== name) {
      this.#report('J1', watchId, `${what} is sent and not in the store`);
      return;
    }
    if (row.attempts < attempt) {
      this.#report('J1', watchId, `${what} is sent, but begun are ${row.attempts} attempts`);
    }
    const endedAt = this.#endedAt.get(id);
    if (endedAt !== undefined && this.#truth.now() - endedAt > STORE_SLACK_MS) {
      this.#report('J5', watchId, `${what} is sent although it ended ${row.state}`);
    }
    const key = `${watchId} ${name}`;
    const ids = this.#ids.get(key) ?? new Set();
    ids.add(id);
    this.#ids.set(key, ids);
    if (ids.size > 1) this.#report('J2', watchId, `${name} was sent as ${[...ids].join(' and ')}`);
    const sends = (this.#sends.get(id) ?? 0) + 1;
    this.#sends.set(id, sends);
    if (sends > row.attempts_max) {
      this.#report('J5', watchId, `${id} was sent ${sends} times, at most ${row.attempts_max}`);
    }
  }

  taken({ id }: Sent): void {
    this.#taken.add(id);
  }

  /** A message stands in the channel now: for itself, or for all that it puts together. */
  posted(posted: Posted): void {
    const { message, channel } = posted;
    const { lines, merged = [message] } = message;
    const rows = merged.flatMap((part) => this.#postedOne(part, channel, lines) ?? []);
    this.routing.posted(posted, rows);
  }

  /** @returns its row */
  #postedOne(
    message: Pick<Posted['message'], 'watchId' | 'headline' | 'kind' | 'atMs'>,
    channel: string,
    lines: readonly string[],
  ): DeliveryRow | undefined {
    const { watchId, headline, kind, atMs } = message;
    const told = { channel, headline, told_at_ms: atMs };
    const key = postKey(watchId, told);
    const planned = this.#rows
      .deliveries(watchId)
      .filter((row) => row.kind === 'message' && postKey(watchId, row) === key);
    if (!planned.some(({ attempts }) => attempts > 0)) {
      this.#report('J1', watchId, `"${headline}" is posted to ${channel} and was not begun`);
    }
    // The one that says so may arrive before the one it repeats: two replicas sent them.
    const isSaid = lines.some((line) => REPEATED.test(line));
    const posts = (this.#posts.get(key) ?? 0) + (isSaid ? 0 : 1);
    this.#posts.set(key, posts);
    if (!isSaid && posts > planned.length) {
      this.#report('told', watchId, `${kind} is posted again and does not say so: "${headline}"`);
    }
    return planned[0];
  }

  ended(isDone: boolean): void {
    for (const [watchId, book] of this.#books) {
      const rows = this.#rows.deliveries(watchId);
      for (const row of rows) this.#changed(watchId, row);
      for (const { id, state, attempts } of rows) {
        if (isDone || state !== 'pending') continue;
        this.#report('J5', watchId, `${id} is still pending after ${attempts} attempts`);
      }
      const stops = book.events.filter(({ type }) => type === 'watch.stopped');
      for (const { body } of stops) {
        const wanted = namesOf(body['actions']).length;
        const planned = rows.filter(({ kind }) => kind === 'action').length;
        if (wanted !== planned) this.#report('J2', watchId, `${planned} of ${wanted} actions`);
      }
    }
  }
}

function postKey(
  watchId: string,
  row: Pick<DeliveryRow, 'channel' | 'headline' | 'told_at_ms'>,
): string {
  return `${watchId} ${row.channel} ${row.told_at_ms} ${row.headline}`;
}

function watchOf(deliveryId: string): string {
  return deliveryId.split('-')[0] ?? '';
}
