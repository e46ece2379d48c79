// States of watches, made as the journal makes them: by folding events.
import type { EventBody, WatchEvent } from '../../src/core/event.ts';
import { fold, type WatchState } from '../../src/core/watch.ts';
import { T0 } from './build.ts';

/** Events at these seconds since the deploy, numbered. */
export function eventsOf(...bodies: readonly (readonly [atS: number, body: EventBody])[]) {
  return bodies.map(
    ([atS, body], index): WatchEvent => ({ ...body, seq: index + 1, atMs: T0 + atS * 1_000 }),
  );
}

export function stateOf(
  ...bodies: readonly (readonly [atS: number, body: EventBody])[]
): WatchState {
  return fold(eventsOf(...bodies));
}

export function accepted(action: 'disarm' | 'rollback'): EventBody {
  return { type: 'action.accepted', action, attempts: 1, detail: 'HTTP 202', afterMs: 800 };
}
