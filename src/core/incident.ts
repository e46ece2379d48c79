// The incident of a watch: open while something waits for a person. One watch has one incident; what
// its events do to it is said here, and services that know incidents (PagerDuty, Alertmanager) are told
// the same. The journal is the truth about it, never what a message or a channel remembers.
import type { IncidentStep } from './delivery.ts';
import type { WatchEvent } from './event.ts';
import type { WatchState } from './watch.ts';

export type Incident = {
  readonly isOpen: boolean;
  /** The event that opened it last, or made it worse: steps from before it are out of date. */
  readonly openedSeq: number;
  /** Since it was opened, and since the stop. */
  readonly acknowledged: {
    readonly by: string;
    readonly seq: number;
    readonly atMs: number;
  } | null;
  readonly last: { readonly seq: number; readonly step: IncidentStep };
};

/**
 * What an event does to the incident; nothing is acknowledged or closed that is not open.
 * @param state after the event, with the incident as it was before
 * @returns null: the incident stays as it is
 */
export function incidentStep(event: WatchEvent, state: WatchState): IncidentStep | null {
  const step = stepOf(event, state);
  return step === 'opens' || state.incident?.isOpen === true ? step : null;
}

function stepOf(event: WatchEvent, state: WatchState): IncidentStep | null {
  switch (event.type) {
    case 'watch.unarmed':
    case 'conditions.blinded':
    case 'condition.warned':
    case 'condition.pre_existing':
    case 'watch.inconclusive':
    case 'watch.stopped':
    case 'action.delayed':
      return 'opens';
    case 'action.gave_up':
      return event.reason === 'superseded' ? null : 'opens';
    case 'action.accepted':
      // Taken on after it was given up.
      return state.actions[event.action] === 'gave_up' ? 'opens' : null;
    case 'rollback.not_confirmed':
      // Called off: a newer deploy is watched, with an incident of its own.
      return event.reason === 'superseded' ? 'closes' : 'opens';
    case 'watch.acknowledged':
      return 'acknowledges';
    case 'watch.passed':
    case 'watch.cancelled':
    case 'watch.superseded':
    case 'watch.resolved':
      return 'closes';
    case 'watch.armed':
    case 'conditions.sighted':
    case 'condition.recovered':
      return isQuiet(state) ? 'closes' : null;
    case 'rollback.confirmed':
      // Else somebody still has to look which version runs, or to do an action by hand.
      return event.unjudged === undefined && !hasGivenUp(state) ? 'closes' : null;
    default:
      return null;
  }
}

export function incidentAfter(event: WatchEvent, state: WatchState): WatchState['incident'] {
  const before = state.incident;
  const step = incidentStep(event, state);
  if (step === null) return before;
  const { seq, atMs } = event;
  const last = { seq, step };
  if (step === 'opens') {
    const goesOn = before?.isOpen === true && event.type !== 'watch.stopped';
    const acknowledged = goesOn ? before.acknowledged : null;
    return { isOpen: true, openedSeq: seq, acknowledged, last };
  }
  if (before === null) return null;
  if (step === 'closes') return { ...before, isOpen: false, last };
  const by = event.type === 'watch.acknowledged' ? event.by : '';
  return { ...before, acknowledged: { by, seq, atMs }, last };
}

/** Why a step is not told any more to a channel that keeps incidents; null: it is told. */
export function stepEnded(
  { incident }: WatchState,
  { step, seq }: { readonly step: IncidentStep | undefined; readonly seq: number | undefined },
): { readonly reason: 'superseded'; readonly detail: string } | null {
  if (step === undefined || step === 'opens' || seq === undefined || incident === null) return null;
  if (seq >= incident.openedSeq) return null;
  return { reason: 'superseded', detail: 'something new is open since; it was not sent' };
}

/** An action that a person has to do by hand. */
export function hasGivenUp({ actions }: Pick<WatchState, 'actions'>): boolean {
  return Object.values(actions).includes('gave_up');
}

/** Nothing that was told is still bad. */
function isQuiet({ phase, warned, toldBlind, toldPreExisting, arming }: WatchState): boolean {
  const open = [...Object.keys(warned), ...Object.keys(toldBlind), ...toldPreExisting];
  return phase === 'watching' && open.length === 0 && arming !== 'unarmed';
}
