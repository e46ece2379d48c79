import type { EventType } from '../core/event.ts';
import type { Phase } from '../core/watch.ts';
import type { Append } from './journal.ts';

/** The batch rests on a state that has moved: read again, decide again. */
export class Refused extends Error {}

const CLOSES: Readonly<Partial<Record<EventType, Phase>>> = {
  'watch.stopped': 'stopped',
  'watch.passed': 'passed',
  'watch.inconclusive': 'inconclusive',
  'watch.cancelled': 'cancelled',
  'watch.superseded': 'superseded',
};

function mayFollowTheEnd(type: EventType): boolean {
  return /^(action|rollback)\.|^watch\.(acknowledged|resolved|signed)$/.test(type);
}

/** J4: an end is final, and only what came of it may follow. */
export function checkPhase(stored: string, batch: Append): void {
  let phase = stored;
  for (const { type } of batch.events) {
    if (phase !== 'watching' && !mayFollowTheEnd(type)) throw new Refused();
    phase = CLOSES[type] ?? phase;
  }
  if (phase === batch.phase) return;
  if (stored !== 'watching') throw new Refused();
  throw new Error(
    `watch ${batch.watchId} would be stored as ${batch.phase}, but its events make it ${phase}`,
  );
}
