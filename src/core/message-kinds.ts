// The kinds of messages that a route may name.
import type { EventType } from './event.ts';

/** Events that nobody is told of: they are in the journal only. */
type Untold = 'watch.baselined' | 'window.entered';

/** Complete, or it does not compile. */
const KINDS: Readonly<Record<Exclude<EventType, Untold>, true>> = {
  'watch.started': true,
  'watch.armed': true,
  'watch.unarmed': true,
  'conditions.blinded': true,
  'conditions.sighted': true,
  'condition.warned': true,
  'condition.recovered': true,
  'condition.pre_existing': true,
  'watch.resumed': true,
  'watch.stopped': true,
  'watch.passed': true,
  'watch.inconclusive': true,
  'watch.cancelled': true,
  'watch.superseded': true,
  'watch.acknowledged': true,
  'watch.resolved': true,
  'watch.extended': true,
  'watch.sign_off_due': true,
  'watch.signed': true,
  'watch.held': true,
  'watch.released': true,
  'action.delayed': true,
  'action.accepted': true,
  'action.gave_up': true,
  'rollback.confirmed': true,
  'rollback.not_confirmed': true,
};

/** A decision of a gate: of no watch. */
export const GATE_KIND = 'gate.decided';

export const MESSAGE_KINDS: readonly string[] = [...Object.keys(KINDS), GATE_KIND];
