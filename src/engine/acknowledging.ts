// Who looks after a watch, and for how long that holds.
import { acknowledgementLapses } from '../core/escalation.ts';
import { isIncidentOpen, type WatchState } from '../core/watch.ts';

/** Sooner, an acknowledgement of the same person is a repetition of the request. */
const ACK_AGAIN_AFTER_MS = 60_000;

export type Acknowledging = {
  readonly nowMs: number;
  /** After this the calls begin again; null: nobody is called. */
  readonly forMs: number | null;
};

/** Nobody any more when it has lapsed, and people are called again. */
export function acknowledgedBy(state: WatchState, now: Acknowledging | null): string | null {
  const atMs = state.critical?.acknowledged?.atMs ?? null;
  const forMs = now?.forMs ?? null;
  if (now === null || atMs === null || forMs === null) return state.acknowledgedBy;
  const hasLapsed = acknowledgementLapses(state) && now.nowMs >= atMs + forMs;
  return hasLapsed ? null : state.acknowledgedBy;
}

/** Once more counts from now on: a repeated request does not, nor where nobody is called. */
export function isRepeated(state: WatchState, by: string, nowMs: number): boolean {
  const { incident, critical } = state;
  if (incident === null || !isIncidentOpen(state)) return state.acknowledgedBy === by;
  const last = incident.acknowledged;
  if (last === null || last.by !== by || last.seq < incident.openedSeq) return false;
  return critical === null || nowMs - last.atMs < ACK_AGAIN_AFTER_MS;
}
