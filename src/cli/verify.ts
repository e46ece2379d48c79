// Holds the journal of one watch against the rules that every journal keeps. Written without
// looking at the code that decides, so that it can catch it.
import type { WatchEvent } from '../core/event.ts';
import { fold, type Phase } from '../core/watch.ts';

export type Violation = { readonly rule: string; readonly text: string };

type SentAction = {
  readonly id: string;
  readonly action: string | null;
  readonly state: string;
  readonly attempts: number;
  readonly attemptsMax: number;
};

export type Evidence = {
  readonly events: readonly WatchEvent[];
  readonly deliveries: readonly SentAction[];
  readonly shown: { readonly phase: Phase; readonly active: boolean };
};

/** The events of a tick carry its start: what a person did while it read is earlier in the order. */
const TICK_MAX_MS = 60_000;
const CLOSING = [
  'watch.stopped',
  'watch.passed',
  'watch.inconclusive',
  'watch.cancelled',
  'watch.superseded',
];
/** What may still happen to a watch that is closed. */
const AFTER_CLOSE = [
  'action.delayed',
  'action.accepted',
  'action.gave_up',
  'rollback.confirmed',
  'rollback.not_confirmed',
  'watch.acknowledged',
  'watch.resolved',
  'watch.signed',
  'watch.resumed',
  'conditions.blinded',
  'conditions.sighted',
];

export function violations({ events, deliveries, shown }: Evidence): readonly Violation[] {
  return [
    ...orderViolations(events),
    ...closeViolations(events),
    ...evidenceViolations(events),
    ...deliveryViolations(events, deliveries),
    ...foldViolations(events, shown),
  ];
}

function orderViolations(events: readonly WatchEvent[]): Violation[] {
  const found: Violation[] = [];
  if (events[0]?.type !== 'watch.started') {
    found.push({ rule: 'order', text: 'the first event is not watch.started' });
  }
  events.forEach((event, index) => {
    const before = events[index - 1];
    if (event.seq !== index + 1) {
      found.push({ rule: 'order', text: `event ${index + 1} has seq ${event.seq}` });
    }
    if (index > 0 && event.type === 'watch.started') {
      found.push({ rule: 'order', text: `started again at seq ${event.seq}` });
    }
    if (before !== undefined && event.atMs < before.atMs - TICK_MAX_MS) {
      found.push({ rule: 'order', text: `seq ${event.seq} is earlier than seq ${before.seq}` });
    }
  });
  return found;
}

function closeViolations(events: readonly WatchEvent[]): Violation[] {
  const found: Violation[] = [];
  const stops = events.filter(({ type }) => type === 'watch.stopped');
  if (stops.length > 1) found.push({ rule: 'J2', text: `stopped ${stops.length} times` });
  const closedAt = events.findIndex(({ type }) => CLOSING.includes(type));
  if (closedAt < 0) return found;
  for (const { type, seq } of events.slice(closedAt + 1)) {
    if (AFTER_CLOSE.includes(type)) continue;
    found.push({ rule: 'J4', text: `${type} at seq ${seq}, after the watch was closed` });
  }
  return found;
}

/** J3: no decision rests on a sample from before the deploy or from the future. */
function evidenceViolations(events: readonly WatchEvent[]): Violation[] {
  const [first] = events;
  const deployedAtMs = first?.type === 'watch.started' ? first.deploy.deployedAtMs : 0;
  return events.flatMap((event) => {
    if (event.type !== 'watch.stopped' && event.type !== 'watch.passed') return [];
    return event.conditions
      .filter(({ sinceMs, atMs }) => sinceMs < deployedAtMs || atMs > event.atMs)
      .map(({ condition }) => ({
        rule: 'J3',
        text: `${event.type} rests on a sample of ${condition} outside the watch`,
      }));
  });
}

function deliveryViolations(
  events: readonly WatchEvent[],
  deliveries: readonly SentAction[],
): Violation[] {
  const found: Violation[] = [];
  const actions = deliveries.filter(({ action }) => action !== null);
  const stop = events.find((event) => event.type === 'watch.stopped');
  for (const { action, id } of actions) {
    if (actions.filter((other) => other.action === action).length > 1) {
      found.push({ rule: 'J2', text: `delivery ${id}: ${action} is planned more than once` });
    }
    const isDecided =
      stop?.type === 'watch.stopped' && stop.actions.some((name) => name === action);
    if (!isDecided) found.push({ rule: 'J1', text: `delivery ${id}: no stop decided ${action}` });
  }
  for (const { id, attempts, attemptsMax } of deliveries) {
    if (attempts <= attemptsMax) continue;
    found.push({
      rule: 'J5',
      text: `delivery ${id}: ${attempts} attempts, at most ${attemptsMax}`,
    });
  }
  return found;
}

/** J7: what the journal says is what the daemon shows. */
function foldViolations(events: readonly WatchEvent[], shown: Evidence['shown']): Violation[] {
  const { phase } = fold(events);
  if (phase === shown.phase) return [];
  return [{ rule: 'J7', text: `the journal says ${phase}, the daemon shows ${shown.phase}` }];
}
