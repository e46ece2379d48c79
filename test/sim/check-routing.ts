// Routing, held against what on-call is promised: what is critical is never held or silent (R1), what
// is held comes once, when the night is over (R2), calls end when somebody looks after it and begin
// again (R3), a storm is one message (R4), and who is to be told is told, and nobody else (R5).
import type { Routing } from '../../src/core/route.ts';
import type { Book, EventFact } from './book.ts';
import type { RoutingPlan } from './plan-routing.ts';
import type { Posted } from './receivers.ts';
import {
  Calling,
  gatheredMs,
  isSaidBeside,
  STORM_KINDS,
  STORM_MIN,
  severityOf,
  toldOf,
} from './routing-rules.ts';
import type { DeliveryRow, Rows } from './rows.ts';
import { STORE_SLACK_MS } from './store.ts';
import { T0 } from './time.ts';
import type { Truth } from './truth.ts';

type Report = (rule: string, watchId: string | null, text: string) => void;

const UNROUTED: Routing = { routes: [], quietHours: null, escalation: null };
const DIGEST = 'quiet.digest';
const STORM_MAX = 200;
const DIGEST_MAX = 1_000;
/** Nothing fails any more: replicas that died are born again, and leases are over. */
const SETTLED_MS = 20_000;
const STARTED_MS = 2_000;
/** Between a look at the clock or the journal and what is done about it, while nothing fails. */
const AT_ONCE_MS = 1_500;
/**
 * Nothing is sent although something is due; one message waits although others are sent. After a
 * storm the next one of its kind waits for a while.
 */
const LATE_MS = { gentle: 5_000, healed: 45_000, calm: 30_000, passed: 120_000 };
const NOT_NEEDED = ['acknowledged', 'resolved'];
/** May be missed rather than read twice, when canaryd ended while it was sent. */
const NOT_REPEATED = /^(?!watch\.(passed|inconclusive)|rollback\.confirmed)/;

type Parts = {
  readonly rows: Rows;
  readonly truth: Truth;
  readonly books: ReadonlyMap<string, Book>;
  readonly report: Report;
  readonly plan: RoutingPlan | null;
};

export class RoutingChecks {
  readonly #parts: Parts;
  readonly #routing: Routing;
  readonly #channels: readonly string[];
  /** When each channel got its last message. */
  readonly #postedAt = new Map<string, number>();
  readonly #calling = new Map<string, Calling>();
  /** So that one can see that it really happened. */
  readonly counts: Record<string, number> = {};

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#routing = parts.plan?.routing ?? UNROUTED;
    this.#channels = parts.plan?.channels ?? ['chat'];
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  /** What was appended implies who is told, and nothing else is planned. */
  planned(book: Book, events: readonly EventFact[], rows: readonly DeliveryRow[]): void {
    const messages = rows.filter(({ kind }) => kind === 'message');
    const calling = this.#callingOf(book.id);
    for (const event of events) {
      const own = messages.filter(({ id }) => seqOf(id) === event.seq);
      this.#toldOf(book, event, events, own);
      const calls = calling
        .follow(event, book, this.#parts.truth.now())
        .map(({ channel, atMs }) => `${channel} at ${Math.round(atMs - T0)}`);
      const chain = own.filter(({ call_seq }) => call_seq !== null);
      const found = chain.map((row) => `${row.channel} at ${row.not_before_ms - T0}`);
      const isLoud = (row: DeliveryRow) =>
        row.severity === 'critical' && row.held_until_ms === null && row.is_silent === null;
      if (!chain.every(isLoud)) this.#parts.report('R1', book.id, 'a call is held or silent');
      if (calls.sort().join() === found.sort().join()) continue;
      const text = `after ${event.type} called is ${found.join() || 'nobody'}`;
      this.#parts.report('R3', book.id, `${text}, wanted ${calls.join() || 'nobody'}`);
    }
  }

  #callingOf(watchId: string): Calling {
    const known = this.#calling.get(watchId) ?? new Calling(this.#routing.escalation);
    this.#calling.set(watchId, known);
    return known;
  }

  #toldOf(
    book: Book,
    event: EventFact,
    beside: readonly EventFact[],
    own: readonly DeliveryRow[],
  ): void {
    const { report } = this.#parts;
    const severity = severityOf(event, book);
    const isTold = severity !== null && !isSaidBeside(event, beside);
    const wanted = isTold ? toldOf(event, severity, book, this.#routing, this.#channels) : [];
    const told = own.filter(({ call_seq }) => call_seq === null);
    const names = (list: readonly { readonly channel: string | null }[]) =>
      list.map(({ channel }) => channel ?? '').sort();
    if (names(wanted).join() !== names(told).join()) {
      const text = `${event.type} goes to ${names(told).join()}, wanted ${names(wanted).join()}`;
      report('R5', book.id, text);
    }
    for (const row of told) {
      const one = wanted.find(({ channel }) => channel === row.channel);
      if (one === undefined) continue;
      const { heldUntilMs, isSilent } = one;
      const isCritical = severity === 'critical';
      const rule = isCritical ? 'R1' : 'R2';
      if (row.severity !== severity) report(rule, book.id, `${row.id} is ${row.severity}`);
      if (row.held_until_ms !== heldUntilMs) {
        report(rule, book.id, `${row.id} is held until ${row.held_until_ms}, not ${heldUntilMs}`);
      }
      if ((row.is_silent === 1) !== isSilent) {
        report(rule, book.id, `${row.id} is ${isSilent ? 'loud' : 'silent'}, and must not be`);
      }
      const isGathered = !isCritical && heldUntilMs === null && STORM_KINDS.includes(event.type);
      const dueMs = heldUntilMs ?? event.atMs + (isGathered ? gatheredMs(event.type, book) : 0);
      if (row.not_before_ms !== Math.ceil(dueMs)) {
        report(
          isGathered ? 'R4' : rule,
          book.id,
          `${row.id} goes out at ${row.not_before_ms}, wanted is ${dueMs}`,
        );
      }
      if (heldUntilMs !== null) this.#count('held');
      if (isSilent) this.#count('silent');
    }
  }

  /** An attempt begins: is it time, and is it still needed? */
  began(watchId: string, row: DeliveryRow): void {
    const { report, truth } = this.#parts;
    const rule = ruleOf(row);
    // By the clock that was ahead the furthest: what is due by it may begin while it is set right.
    const latest = T0 + truth.now() + truth.aheadMs();
    // Of a storm also what has come just now goes along.
    const mayBeEarly = ruleOf(row) === 'R4';
    // Planned at a time that the clock has left behind: its wait is over all the same.
    const wasSetBack = row.created_at_ms > latest + 10_000;
    const isEarly = latest + 1 < row.not_before_ms && !wasSetBack;
    if (row.attempts === 1 && !mayBeEarly && isEarly) {
      report(rule, watchId, `${row.id} is sent ${row.not_before_ms - latest} ms too early`);
    }
    if (row.attempts > 1 && this.#isWell(row)) {
      report(rule, watchId, `${row.id} is sent again although nothing failed`);
    }
    if (row.call_seq === null) return;
    const since = this.#callingOf(watchId).endedSince(row.call_seq);
    if (since === null) return;
    const isCalm = this.#wellSince() !== null && since > (this.#wellSince() ?? 0);
    if (truth.now() - since <= (isCalm ? AT_ONCE_MS : STORE_SLACK_MS)) return;
    const ago = Math.round(truth.now() - since);
    report('R3', watchId, `${row.id} is called ${ago} ms after somebody looked after it`);
  }

  gaveUp(watchId: string, row: DeliveryRow): void {
    const { id, last_reason: reason, call_seq: seq, attempts, attempts_max: max } = row;
    const rule = ruleOf(row);
    const wrong = (text: string) => this.#parts.report(rule, watchId, `${id}: ${text}`);
    if (NOT_NEEDED.includes(reason ?? '')) {
      this.#count('calls not needed');
      const isSo = seq !== null && this.#callingOf(watchId).endedSince(seq) !== null;
      if (!isSo) wrong(`is called off as ${reason}, and nobody looks after it`);
      return;
    }
    const isMissable = NOT_REPEATED.test(row.message_kind ?? '') && row.severity !== 'critical';
    if (reason === 'interrupted' && attempts < max && !(isMissable && row.held_until_ms === null)) {
      wrong('is lost: it was interrupted and is not repeated');
    }
    const { truth } = this.#parts;
    // One that has failed is given up when its next try would come too late.
    const isUntried = reason === 'deadline' && attempts === 0;
    if (isUntried && T0 + truth.now() + truth.aheadMs() <= row.deadline_at_ms) {
      wrong('is given up before its deadline');
    }
    const isTight = row.deadline_at_ms - dueMsOf(row) < LATE_MS.gentle;
    if (this.#isWell(row) && !isTight) wrong(`is given up (${reason}) although nothing failed`);
  }

  #wellSince(): number | null {
    const since = this.#parts.truth.wellSince();
    if (since === null) return null;
    return since + (this.#isGentle ? STARTED_MS : SETTLED_MS);
  }

  get #isGentle(): boolean {
    return this.#parts.plan?.isGentle === true;
  }

  /** From when it was due until now nothing has failed that it needs. */
  #isWell(row: DeliveryRow): boolean {
    const since = this.#wellSince();
    const { truth } = this.#parts;
    // The clock by which it was planned may have been ahead.
    const due = dueMsOf(row) - T0 - truth.aheadMs();
    return since !== null && due > since && truth.blockedUntil(row.channel ?? '') < due;
  }

  /** A message arrives; `rows` is all that it stands for. */
  posted({ message, channel, atMs, sentAtMs }: Posted, rows: readonly DeliveryRow[]): void {
    const { report } = this.#parts;
    this.#postedAt.set(channel, atMs);
    const { kind, isSilent = false, merged, watchId } = message;
    if (kind === 'escalation.called') this.#count('calls');
    if (isSilent && rows.some(({ severity }) => severity === 'critical')) {
      report('R1', watchId, `a critical message is silent: "${message.headline}"`);
    }
    if (merged !== undefined) {
      this.#count(kind === DIGEST ? 'digests' : 'storms');
      this.#together(kind, channel, watchId, rows);
    }
    const [first] = rows;
    if (first !== undefined) this.#leftOut(first, rows, sentAtMs);
  }

  #together(kind: string, channel: string, watchId: string, rows: readonly DeliveryRow[]): void {
    const isDigest = kind === DIGEST;
    const rule = isDigest ? 'R2' : 'R4';
    const wrong = (text: string) => this.#parts.report(rule, watchId, `${kind}: ${text}`);
    if (channel === 'pager') wrong('messages are put together for a pager');
    if (rows.some(({ severity }) => severity === 'critical')) wrong('it contains what is critical');
    if (rows.some(({ held_until_ms: held }) => (held !== null) !== isDigest)) {
      wrong('what was held and what was not are put together');
    }
    if (rows.length > (isDigest ? DIGEST_MAX : STORM_MAX)) wrong(`it is of ${rows.length}`);
    if (isDigest) return;
    const isOne = rows.every((row) => row.message_kind === kind) && STORM_KINDS.includes(kind);
    if (!isOne) wrong(`it is of ${rows.map((row) => row.message_kind).join()}`);
  }

  /** One digest for a night, one message for a storm: what was there by then had to go along. */
  #leftOut(first: DeliveryRow, sent: readonly DeliveryRow[], sentAtMs: number): void {
    const { rows, report } = this.#parts;
    const key = companyOf(first);
    if (key === null || first.channel === 'pager' || !sent.every((row) => this.#isWell(row)))
      return;
    const pending = rows.pendingMessages().filter(({ channel }) => channel === first.channel);
    // What happened before in the same watch is told before.
    const waits = (row: (typeof pending)[number]) =>
      pending.slice(0, pending.indexOf(row)).some((other) => other.watch_id === row.watch_id);
    const left = pending.filter((row) => {
      const due = dueMsOf(row) - T0;
      if (companyOf(row) !== key || row.attempts > 0 || !this.#isWell(row)) return false;
      return due <= sentAtMs - AT_ONCE_MS && (row.held_until_ms !== null || !waits(row));
    });
    const watches = new Set([...sent, ...left].map(({ id }) => id.split('-')[0]));
    const isFew = first.held_until_ms === null && sent.length + left.length < STORM_MIN;
    if (isFew && watches.size > 1) return;
    for (const row of left) {
      report(ruleOf(row), row.watch_id, `${row.id} was there and is left out of ${key}`);
    }
  }

  /** What is due is sent, while the channel works. */
  look(): void {
    const well = this.#wellSince();
    const { rows, truth, report } = this.#parts;
    if (well === null) return;
    const now = truth.now();
    for (const row of rows.pendingMessages()) {
      const channel = row.channel ?? '';
      const due = row.not_before_ms - T0;
      if (due > now) continue;
      const calmMs = companyOf(row)?.startsWith('the storm') ? LATE_MS.calm : 0;
      const lateMs = (this.#isGentle ? LATE_MS.gentle : LATE_MS.healed) + calmMs;
      // What waits for its retry holds those behind it until the wall time that was written down.
      // By a clock that was ahead and is set right in that wait, it comes later by as much: only
      // what seems longer than the longest wait there is counts as over (`isDue`).
      const blockedUntil = truth.blockedUntil(channel) + truth.aheadMs();
      const from = Math.max(due, well, blockedUntil);
      const lastMs = this.#postedAt.get(channel) ?? 0;
      const wantedBy = Math.min(Math.max(from, lastMs) + lateMs, from + LATE_MS.passed);
      if (now <= wantedBy) continue;
      const seconds = Math.round((now - due) / 1_000);
      report(ruleOf(row), row.watch_id, `${row.id} is due for ${seconds} s and not sent`);
    }
  }
}

/** The event that a message tells, or with which a chain of calls begins. */
function seqOf(deliveryId: string): number | null {
  const seq = /-e(\d+)-/.exec(deliveryId)?.[1];
  return seq === undefined ? null : Number(seq);
}

/** When it may be sent first, by the clock of the replica that planned it. */
function dueMsOf(row: DeliveryRow): number {
  if (row.held_until_ms !== null) return row.held_until_ms;
  if (row.call_seq !== null) return row.told_at_ms ?? row.created_at_ms;
  return row.created_at_ms;
}

function companyOf({ held_until_ms, message_kind, severity }: DeliveryRow): string | null {
  if (held_until_ms !== null) return 'the digest';
  const isStorm = severity !== 'critical' && STORM_KINDS.includes(message_kind ?? '');
  return isStorm ? `the storm of ${message_kind}` : null;
}

function ruleOf(row: DeliveryRow): string {
  if (row.severity === 'critical') return row.call_seq === null ? 'R1' : 'R3';
  if (row.held_until_ms !== null) return 'R2';
  return companyOf(row) === null ? 'told' : 'R4';
}
