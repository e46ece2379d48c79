// What an event does to the incident of its watch, for services that know incidents (PagerDuty,
// Alertmanager). One watch has one incident: it is open while something waits for a person.
import type { IncidentStep, Severity } from './delivery.ts';
import type { WatchEvent } from './event.ts';
import type { WatchState } from './watch.ts';

/**
 * @param state after the event
 * @returns null: the incident stays as it is
 */
export function incidentStep(
  event: WatchEvent,
  severity: Severity,
  state: WatchState,
): IncidentStep | null {
  if (severity === 'critical') return 'opens';
  switch (event.type) {
    case 'watch.unarmed':
    case 'conditions.blinded':
    case 'condition.warned':
    case 'condition.pre_existing':
    case 'watch.inconclusive':
      return 'opens';
    case 'watch.acknowledged':
      return 'acknowledges';
    case 'watch.passed':
    case 'watch.cancelled':
    case 'watch.superseded':
      return 'closes';
    case 'watch.armed':
    case 'conditions.sighted':
    case 'condition.recovered':
      return isQuiet(state) ? 'closes' : null;
    case 'rollback.confirmed':
      // A warning here: nobody checked which version runs, so somebody still has to.
      return severity === 'info' ? 'closes' : null;
    case 'rollback.not_confirmed':
      // Called off: a newer deploy is watched, with an incident of its own.
      return 'closes';
    default:
      return null;
  }
}

/** Nothing that was told is still bad. */
function isQuiet({ phase, warned, toldBlind, toldPreExisting, arming }: WatchState): boolean {
  const open = [...Object.keys(warned), ...Object.keys(toldBlind), ...toldPreExisting];
  return phase === 'watching' && open.length === 0 && arming !== 'unarmed';
}
