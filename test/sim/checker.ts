// The independent checker: after each write to the store, each request that leaves and each message
// that arrives, it holds what is in the raw rows against J1 to J8. It shares no rule with the code
// under test: what it believes are rows, recorded facts, and the truth of the simulated world.
import { Book, CLOSING, type DeployFact, type PolicyFact, type Reading } from './book.ts';
import { DeliveryChecks, type WrittenOutcome } from './check-deliveries.ts';
import { passViolations, stopViolations } from './check-judgement.ts';
import { readingViolations } from './check-readings.ts';
import { shownSignOffs, signingViolations, unaskedViolations } from './check-signing.ts';
import { missedViolations, overdueViolations } from './check-time.ts';
import type { RoutingPlan } from './plan-routing.ts';
import type { Rows } from './rows.ts';
import type { Truth } from './truth.ts';

export type Violation = {
  readonly rule: string;
  readonly text: string;
  readonly watchId: string | null;
  readonly atMs: number;
};

/** A tick as it was handed to the store. */
export type WrittenTick = {
  readonly atMs: number;
  readonly readings: Readonly<Record<string, Reading>>;
};

/** What a transaction was to write about one watch. */
export type Written = {
  readonly watchId: string;
  readonly tick: WrittenTick | null;
  /** The tick from whose track this one goes on. */
  readonly previousTickMs: number | null;
  readonly outcomes: readonly WrittenOutcome[];
  readonly isTickOnly: boolean;
};

type SignOffView = { readonly role: string; readonly signed: { readonly name: string } | null };

const AFTER_THE_END = [
  'action.delayed',
  'action.accepted',
  'action.gave_up',
  'rollback.confirmed',
  'rollback.not_confirmed',
  'watch.acknowledged',
  'watch.resolved',
  'watch.signed',
];

export class Checker {
  readonly rows: Rows;
  readonly books = new Map<string, Book>();
  readonly violations: Violation[] = [];
  readonly deliveries: DeliveryChecks;
  readonly #truth: Truth;

  constructor(rows: Rows, truth: Truth, routing: RoutingPlan | null) {
    this.rows = rows;
    this.#truth = truth;
    const report = (rule: string, watchId: string | null, text: string) =>
      this.violation(rule, watchId, text);
    this.deliveries = new DeliveryChecks(rows, truth, this.books, report, routing);
  }

  violation(rule: string, watchId: string | null, text: string): void {
    this.violations.push({ rule, text, watchId, atMs: this.#truth.now() });
  }

  /** A transaction has ended at this instant. */
  appended(by: string, batches: readonly Written[]): void {
    // All of them first: what one batch says of a watch may rest on another one's.
    for (const { watchId } of batches) this.#openBook(watchId);
    for (const { watchId, tick, previousTickMs, outcomes, isTickOnly } of batches) {
      const book = this.books.get(watchId);
      if (book === undefined) continue;
      if (tick !== null) this.#tick(book, by, tick, previousTickMs);
      const before = book.events.length;
      for (const row of this.rows.events(watchId, before)) this.#event(book, row);
      this.#row(book);
      if (!isTickOnly) this.deliveries.planned(book, book.events.slice(before), outcomes);
      if (tick !== null) this.#report(book, missedViolations(book, this.#truth));
      if (tick !== null) this.#report(book, unaskedViolations(book));
    }
    for (const service of this.rows.doublyOpen()) {
      this.violation('J2', null, `${service} has two open watches`);
    }
  }

  /** The store has refused all of it: nothing may be left. */
  refused(watchIds: readonly string[]): void {
    for (const id of watchIds) {
      const book = this.books.get(id);
      const left = this.rows.events(id, book?.events.length ?? 0).length;
      const isThere = book === undefined && this.rows.texts(id) !== undefined;
      if (left === 0 && !isThere) continue;
      this.violation('J7', id, `a write that was refused left ${left} events and half a watch`);
    }
  }

  #openBook(id: string): void {
    if (this.books.has(id)) return;
    const texts = this.rows.texts(id);
    if (texts === undefined) {
      this.violation('J1', id, 'was appended to and is not in the store');
      return;
    }
    const deploy = JSON.parse(texts.deploy) as DeployFact;
    this.books.set(id, new Book(id, deploy, JSON.parse(texts.policy) as PolicyFact));
  }

  #report(book: Book, found: readonly (readonly [rule: string, text: string])[]): void {
    for (const [rule, text] of found) this.violation(rule, book.id, text);
  }

  #tick(book: Book, by: string, { atMs, readings }: WrittenTick, previousMs: number | null): void {
    const { id, state, ticks, policy } = book;
    const before = ticks.at(-1);
    if ((before?.atMs ?? null) !== previousMs) {
      const text = `a tick of ${by} goes on from ${previousMs}, the last one was at ${before?.atMs}`;
      this.violation('J7', id, text);
    }
    const isVerifying = state.phase !== 'watching';
    const fact = { atMs, by, readings, writtenAt: this.#truth.now(), isVerifying };
    if (isVerifying && state.verification !== 'verifying') {
      this.violation('J4', id, `was judged although it is ${state.phase}`);
    }
    if (before !== undefined && Math.abs(atMs - before.atMs) < policy.intervalMs / 2) {
      const apart = Math.round(atMs - before.atMs);
      this.violation('twin', id, `two ticks ${apart} ms apart (${before.by}, then ${by})`);
    }
    ticks.push(fact);
    if (!this.rows.tickThere(id, atMs)) this.violation('J7', id, `the tick at ${atMs} is lost`);
    this.#report(book, readingViolations(book, fact, this.#truth));
  }

  #event(book: Book, row: Parameters<Book['add']>[0]): void {
    const { id, events } = book;
    const wasClosed = book.state.phase !== 'watching';
    const { type, seq } = row;
    if (seq !== events.length + 1) {
      this.violation('J7', id, `event ${events.length + 1} has seq ${seq}`);
    }
    if ((seq === 1) !== (type === 'watch.started')) this.violation('J7', id, `${type} is ${seq}`);
    if (wasClosed && !AFTER_THE_END.includes(type)) {
      this.violation('J4', id, `${type} after the watch was ${book.state.phase}`);
    }
    if (type === 'watch.stopped' && events.some((one) => one.type === type)) {
      this.violation('J2', id, 'stopped twice');
    }
    const body = JSON.parse(row.body) as Record<string, unknown>;
    this.#report(book, signingViolations(book, { seq, atMs: row.at_ms, type, body }));
    const event = book.add(row);
    if (type === 'watch.stopped') this.#report(book, stopViolations(book, event, this.#truth));
    if (type === 'watch.passed') this.#report(book, passViolations(book, event));
    if (type === 'rollback.confirmed') this.#report(book, confirmedViolations(book));
  }

  /** J7: the row of the watch says what its events say. */
  #row(book: Book): void {
    const { id, state, events, ticks } = book;
    const row = this.rows.watch(id);
    if (row === undefined) {
      this.violation('J7', id, 'its row is gone');
      return;
    }
    const shown = [row.phase, row.is_active === 1, row.revision, row.closed_at_ms];
    const wanted = [state.phase, book.isActive, events.length, state.closedAtMs];
    if (JSON.stringify(shown) !== JSON.stringify(wanted)) {
      const text = `its row says ${JSON.stringify(shown)}, its events ${JSON.stringify(wanted)}`;
      this.violation('J7', id, text);
    }
    const lastTick = ticks.at(-1);
    const trackMs = lastTick === undefined ? null : Math.ceil(lastTick.atMs);
    if (row.track_at_ms !== trackMs) {
      this.violation('J7', id, `its track is of ${row.track_at_ms}, its last tick of ${trackMs}`);
    }
  }

  /** J7: what a replica shows is what the events say. */
  shown(watchId: string, view: Readonly<Record<string, unknown>>): void {
    const book = this.books.get(watchId);
    if (book === undefined) return;
    const { state } = book;
    const isUnseen = view['acknowledgedBy'] === null;
    const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
    const wanted: Readonly<Record<string, unknown>> = {
      phase: state.phase,
      active: book.isActive,
      mode: state.mode,
      deadlineAt: iso(state.deadlineAtMs),
      closedAt: iso(state.closedAtMs),
      window: state.window,
      // After a stop nobody looks after it any more once the calls begin again.
      acknowledgedBy: state.phase === 'stopped' && isUnseen ? null : state.acknowledgedBy,
      rollbackOf: state.rollbackOf,
      reason: state.reason,
      verification: state.verification,
    };
    for (const [name, value] of Object.entries(wanted)) {
      if (view[name] === value) continue;
      this.violation('J7', watchId, `shows ${name} ${view[name]}, its events say ${value}`);
    }
    const signOffs = (view['signOffs'] ?? []) as readonly SignOffView[];
    const given = JSON.stringify(signOffs.map(({ role, signed }) => [role, signed?.name ?? null]));
    if (given !== shownSignOffs(book)) {
      this.violation('J7', watchId, `shows signatures ${given}, not ${shownSignOffs(book)}`);
    }
    const actions = (view['actions'] ?? []) as readonly { action: string; state: string }[];
    for (const { action, state: shown } of actions) {
      if (shown === state.actions[action]) continue;
      this.violation('J7', watchId, `shows ${action} ${shown}, not ${state.actions[action]}`);
    }
  }

  /** Called now and then once everything has healed. */
  look(): void {
    for (const book of this.books.values()) {
      this.#report(book, overdueViolations(book, this.#truth));
    }
    this.deliveries.routing.look();
  }

  /** At the end nothing may be left over. */
  ended(isDone: boolean): void {
    if (!isDone) {
      for (const book of this.books.values()) {
        if (book.isActive) this.violation('J8', book.id, `is still active (${book.state.phase})`);
      }
    }
    this.deliveries.ended(isDone);
    for (const book of this.books.values()) {
      const closes = book.events.filter(({ type }) => CLOSING[type] !== undefined);
      if (closes.length > 1) this.violation('J4', book.id, `closed ${closes.length} times`);
      this.#row(book);
    }
  }
}

/** A confirmation rests on values that meet every verify condition. */
function confirmedViolations(book: Book): readonly (readonly [string, string])[] {
  const evidence = book.events.at(-1)?.body['conditions'];
  const names = Array.isArray(evidence) ? evidence : [];
  if (names.length === 0) return [['J6', 'a rollback was confirmed without evidence']];
  const ticks = book.ticks.filter(({ isVerifying }) => isVerifying);
  const last = ticks.at(-1);
  if (last === undefined) return [['J6', 'a rollback was confirmed without a tick']];
  const fill = last.readings['fill_rate'];
  // What is read by version cannot be read of a version without a name.
  const isNameless = book.deploy.previousVersion === null && 'version' in book.policy.match;
  const isMet =
    isNameless || (fill?.kind === 'value' && (fill.value ?? 0) > 0 && !((fill.value ?? 0) < 0.8));
  const good = ticks.filter((tick) => tick.readings['health']?.value === 1).length;
  if (isMet && good >= 2) return [];
  return [['J6', `a rollback was confirmed on ${JSON.stringify(last.readings)}`]];
}
