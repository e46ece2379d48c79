// The rules of routing, as the documentation tells them to on-call, written down a second time: who
// is told of an event, when and how loud, and which calls follow. Knows nothing of src/core but the
// config and the words of the journal.
import type { Routing } from '../../src/core/route.ts';
import type { Book, EventFact } from './book.ts';
import { nightEndMs } from './local-time.ts';

export type Severity = 'critical' | 'warning' | 'info';

/** "One message" in the table of all messages. */
export const STORM_KINDS = [
  'watch.unarmed',
  'conditions.blinded',
  'conditions.sighted',
  'condition.warned',
  'condition.recovered',
  'watch.resumed',
  'watch.held',
  'watch.released',
];
const SWITCHED = ['watch.held', 'watch.released'];
const GATHERED = { atLeastMs: 3_000, atMostMs: 60_000, intervals: 1.2 };
/** Fewer of several watches are told one by one. */
export const STORM_MIN = 3;

/** So long it is waited for others: all watches have been judged once more by then. */
export function gatheredMs(kind: string, { policy }: Book): number {
  const { atLeastMs, atMostMs, intervals } = GATHERED;
  if (SWITCHED.includes(kind)) return atLeastMs;
  return Math.min(atMostMs, Math.max(atLeastMs, policy.intervalMs * intervals));
}

const UNTOLD = ['watch.baselined', 'window.entered'];
const CRITICAL = ['watch.stopped', 'action.delayed', 'action.gave_up', 'rollback.not_confirmed'];
const WARNING = [
  ...['watch.unarmed', 'conditions.blinded', 'condition.warned', 'condition.pre_existing'],
  ...['watch.resumed', 'watch.inconclusive', 'watch.held', 'watch.sign_off_due'],
];

/** @returns null: nobody is told */
export function severityOf({ type, body }: EventFact, book: Book): Severity | null {
  if (UNTOLD.includes(type)) return null;
  if (body['reason'] === 'superseded') return 'info';
  if (type === 'action.accepted' && wasGivenUp(book, body)) return 'critical';
  const isNameless = book.deploy.previousVersion === null && 'version' in book.policy.match;
  if (type === 'rollback.confirmed' && isNameless) return 'warning';
  return CRITICAL.includes(type) ? 'critical' : WARNING.includes(type) ? 'warning' : 'info';
}

function wasGivenUp({ state }: Book, body: EventFact['body']): boolean {
  return state.actions[String(body['action'])] === 'gave_up';
}

/** Another message of the same moment says it too. */
export function isSaidBeside({ type, body }: EventFact, beside: readonly EventFact[]): boolean {
  const is = (other: string) => beside.some((event) => event.type === other);
  if (type === 'conditions.sighted') return is('watch.armed');
  if (type === 'action.gave_up') return is('rollback.not_confirmed');
  if (type === 'watch.sign_off_due') return is('watch.passed') || is('watch.inconclusive');
  if (type !== 'conditions.blinded') return false;
  const unarmed = beside.filter((event) => event.type === 'watch.unarmed');
  const named = unarmed.flatMap((event) => indicatorsOf(event.body));
  return indicatorsOf(body).every((name) => named.includes(name));
}

function indicatorsOf(body: EventFact['body']): readonly unknown[] {
  const list = body['conditions'];
  return Array.isArray(list) ? list.map((one: { indicator?: unknown }) => one.indicator) : [];
}

export type Told = {
  readonly channel: string;
  readonly heldUntilMs: number | null;
  readonly isSilent: boolean;
};

/** Who is to be told of an event, and how; one entry for each channel. */
export function toldOf(
  event: EventFact,
  severity: Severity,
  book: Book,
  { routes, quietHours, neverQuiet = [] }: Routing,
  channels: readonly string[],
): readonly Told[] {
  const { service, environment } = book.deploy;
  const among = (list: readonly string[] | null, one: string) => list?.includes(one) ?? true;
  const route = routes.find(
    (one) =>
      among(one.severities, severity) &&
      among(one.kinds, event.type) &&
      among(one.services, service) &&
      among(one.environments, environment),
  );
  const endMs = quietHours === null ? null : nightEndMs(event.atMs, quietHours);
  const isLoud = severity === 'critical' || endMs === null || route?.quietHours === 'ignore';
  const isAfterStop = book.events.some(
    ({ type, seq }) => type === 'watch.stopped' && seq <= event.seq,
  );
  const isSilent = !isLoud && (isAfterStop || route?.quietHours === 'silent');
  return (route?.channels ?? channels).map((channel) => {
    if (isLoud || neverQuiet.includes(channel)) {
      return { channel, heldUntilMs: null, isSilent: false };
    }
    return { channel, heldUntilMs: isSilent ? null : endMs, isSilent };
  });
}

export type PlannedCall = { readonly channel: string; readonly atMs: number };

/** What is called for one watch: opened by what fails, until somebody looks after it. */
export class Calling {
  readonly #escalation: Routing['escalation'];
  #endsAtMs: number | null = null;
  /** Something critical is open. */
  #isOpen = false;
  /** What ended all calls that were planned before it, and when that was written. */
  readonly #ends: { readonly seq: number; readonly knownAt: number }[] = [];

  constructor(escalation: Routing['escalation']) {
    this.#escalation = escalation;
  }

  /** @returns the calls that begin with this event */
  follow(event: EventFact, book: Book, now: number): readonly PlannedCall[] {
    const { type, atMs, body, seq } = event;
    const severity = severityOf(event, book);
    const isHuman = type === 'watch.stopped' && body['cause'] === 'human';
    // Who only observes has stopped nothing.
    const isStory = type === 'watch.stopped' && body['mode'] === 'observe';
    if (severity === 'critical' && !isHuman && !isStory) {
      this.#isOpen = true;
      return this.#endsAtMs !== null && atMs < this.#endsAtMs ? [] : this.#begin(atMs);
    }
    // What has to be done by hand is not confirmed with the rest.
    const isLeft = Object.values(book.state.actions).includes('gave_up');
    const isProof = type === 'rollback.confirmed' && !isLeft;
    if (isProof || type === 'rollback.not_confirmed' || type === 'watch.resolved') {
      this.#isOpen = false;
      this.#ends.push({ seq, knownAt: now });
      this.#endsAtMs = null;
    }
    if (type !== 'watch.acknowledged' || !this.#isOpen) return [];
    this.#ends.push({ seq, knownAt: now });
    this.#endsAtMs = null;
    // Where nothing can be confirmed an acknowledgement is the last word.
    if (book.state.verification === 'none') return [];
    const { steps = [], acknowledgedForMs = 0 } = this.#escalation ?? {};
    return this.#begin(atMs + acknowledgedForMs - (steps[0]?.afterMs ?? 0));
  }

  /** True time since when a call of the chain that began with this event is not needed any more. */
  endedSince(seq: number): number | null {
    return this.#ends.find((end) => end.seq > seq)?.knownAt ?? null;
  }

  /** All rounds, one after the other; a round is as long as its last step is late. */
  #begin(sinceMs: number): readonly PlannedCall[] {
    if (this.#escalation === null) return [];
    const { steps, rounds } = this.#escalation;
    const roundMs = Math.max(...steps.map(({ afterMs }) => afterMs));
    this.#endsAtMs = sinceMs + rounds * roundMs;
    const calls: PlannedCall[] = [];
    for (let round = 0; round < rounds; round += 1) {
      for (const { afterMs, channels } of steps) {
        const atMs = sinceMs + round * roundMs + afterMs;
        calls.push(...channels.map((channel) => ({ channel, atMs })));
      }
    }
    return calls;
  }
}
