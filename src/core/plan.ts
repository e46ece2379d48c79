// From events to the deliveries they imply; both are written in one transaction (J1).
import {
  type ActionPayload,
  type Message,
  type NewDelivery,
  ROLLBACK_WAITS_FOR_DISARM_MS,
  type Severity,
} from './delivery.ts';
import { planCalls } from './escalation.ts';
import type { WatchEvent } from './event.ts';
import { gatherMs } from './merge.ts';
import { tell } from './message.ts';
import type { TellContext } from './message-draft.ts';
import type { ActionName } from './policy.ts';
import { loudnessOf, NO_ROUTING, type Routing, reachedBy, wayOf } from './route.ts';
import { evolve, type WatchState } from './watch.ts';

const MINUTE_MS = 60_000;
/** A critical message is worth sending for a day, anything else for an hour. */
const MESSAGE_DEADLINES_MS = {
  critical: 24 * 60 * MINUTE_MS,
  warning: 60 * MINUTE_MS,
  info: 60 * MINUTE_MS,
};
/** A bound on the journal only: at the shortest waits the deadline comes first. */
const MESSAGE_ATTEMPTS_MAX = { critical: 3_000, warning: 150, info: 150 };

/** How long, and how often at most, a message is tried. */
export function messageTerms(severity: Severity) {
  return {
    deadlineMs: MESSAGE_DEADLINES_MS[severity],
    attemptsMax: MESSAGE_ATTEMPTS_MAX[severity],
  };
}

/** The same after a crash: receivers drop repeats by it. No dots: they separate signed fields. */
export function actionDeliveryId(watchId: string, action: ActionName): string {
  return `${watchId}-${action}`;
}

/** @param channels names of the channels that are told what no route fits */
export function planDeliveries(
  event: WatchEvent,
  context: TellContext,
  channels: readonly string[],
  siblings: readonly WatchEvent[],
  routing: Routing = NO_ROUTING,
): readonly NewDelivery[] {
  const actions = event.type === 'watch.stopped' ? planActions(event, context) : [];
  const calls = planCalls(event, context, routing.escalation);
  if (isSaidBySibling(event, siblings)) return [...actions, ...calls];
  const told = tell(event, context);
  if (told === null) return [...actions, ...calls];
  const loud = loudnessOf(told, routing);
  const { seq, step } = stepTold(event, context, siblings);
  const message = step === null ? loud : { ...loud, incident: step };
  return [
    ...actions,
    ...planMessages(event.seq, seq, message, context, channels, routing),
    ...calls,
  ];
}

/** What the message says of the incident: also for the events of its turn that it speaks for. */
function stepTold(event: WatchEvent, { state }: TellContext, siblings: readonly WatchEvent[]) {
  let after = state;
  let told: NonNullable<WatchState['incident']>['last'] | null = null;
  for (const one of [event, ...siblings.filter(({ seq }) => seq > event.seq)]) {
    if (one !== event) after = evolve(after, one);
    const isTold = one === event || isSaidBySibling(one, [event]);
    if (isTold && after.incident?.last.seq === one.seq) told = after.incident.last;
  }
  return told ?? { seq: event.seq, step: null };
}

function planMessages(
  number: number,
  seq: number,
  message: Message,
  { watchId, state, policy }: TellContext,
  channels: readonly string[],
  routing: Routing,
): readonly NewDelivery[] {
  const way = wayOf(message, state, channels, routing);
  const { neverQuiet = [], incidentChannels = [] } = routing;
  // What was opened there by another route would stay open.
  const ends = message.incident === 'closes' || message.incident === 'acknowledges';
  const reached = ends ? reachedBy(message, channels, routing) : [];
  const also = incidentChannels.filter((name) => reached.includes(name));
  const { deadlineMs, attemptsMax } = messageTerms(message.severity);
  return [...new Set([...way.channels, ...also])].map((channel): NewDelivery => {
    const isLoud = neverQuiet.includes(channel) || incidentChannels.includes(channel);
    const heldUntilMs = isLoud ? null : way.heldUntilMs;
    const held = heldUntilMs === null ? {} : { heldUntilMs };
    const told = way.isSilent && !isLoud ? { ...message, isSilent: true } : message;
    const notBeforeMs = heldUntilMs ?? message.atMs + gatherMs(message, policy.intervalMs);
    return {
      id: `${watchId}-e${number}-${channel}`,
      watchId,
      content: { kind: 'message', channel, message: told, seq, ...held },
      createdAtMs: message.atMs,
      notBeforeMs,
      afterDelivery: null,
      // From its release: a night must not eat it up.
      deadlineAtMs: notBeforeMs + deadlineMs,
      attemptsMax,
    };
  });
}

/** One message for one turn of events: "armed" says "seen again", "not confirmed" says "gave up". */
function isSaidBySibling(event: WatchEvent, siblings: readonly WatchEvent[]): boolean {
  if (event.type === 'conditions.blinded') {
    const unarmed = siblings.flatMap((one) => (one.type === 'watch.unarmed' ? one.conditions : []));
    const named = new Set(unarmed.map(({ indicator }) => indicator));
    return event.conditions.every(({ indicator }) => named.has(indicator));
  }
  const says = (type: WatchEvent['type']) => siblings.some((sibling) => sibling.type === type);
  if (event.type === 'conditions.sighted') return says('watch.armed');
  if (event.type === 'action.gave_up') return says('rollback.not_confirmed');
  // The verdict names who is missing.
  if (event.type === 'watch.sign_off_due')
    return says('watch.passed') || says('watch.inconclusive');
  return false;
}

function planActions(
  event: Extract<WatchEvent, { type: 'watch.stopped' }>,
  { watchId, policy, state, publicUrl }: TellContext,
): readonly NewDelivery[] {
  const { deploy } = state;
  if (deploy === null) return [];
  const disarmId = actionDeliveryId(watchId, 'disarm');
  return event.actions.flatMap((name) => {
    const action = policy.actions.find((candidate) => candidate.name === name);
    if (action === undefined) return [];
    const waits = name === 'rollback' && event.actions.includes('disarm');
    const payload: ActionPayload = {
      type: `canaryd.${name}`,
      timestamp: new Date(event.atMs).toISOString(),
      data: {
        watch: watchId,
        service: deploy.service,
        environment: deploy.environment,
        version: deploy.version,
        previous_version: deploy.previousVersion,
        conditions: event.conditions.map((evidence) => ({
          condition: evidence.condition,
          indicator: evidence.indicator,
          value: evidence.value,
          limit: evidence.limit,
          since: new Date(evidence.sinceMs).toISOString(),
          samples: evidence.samples,
        })),
        reason: event.reason,
        url: publicUrl === null ? null : `${publicUrl}/v1/watches/${watchId}`,
      },
    };
    return [
      {
        id: actionDeliveryId(watchId, name),
        watchId,
        content: { kind: 'action', action: name, payload },
        createdAtMs: event.atMs,
        notBeforeMs: event.atMs + (waits ? ROLLBACK_WAITS_FOR_DISARM_MS : 0),
        afterDelivery: waits ? disarmId : null,
        deadlineAtMs: event.atMs + action.deadlineMs,
        attemptsMax: action.attempts,
      },
    ];
  });
}
