// Whether this process does its work: every part that must not stop, by name, with since when it
// has hung. Asks nobody and writes nothing, so that it answers whatever hangs.
import type { Clock } from '../kit/clock.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { JournalGuard, JournalState } from './journal-guard.ts';
import type { WatchKeeper } from './watch-keeper.ts';

/** A part of which nothing was heard for this long hangs: a restart may mend it. */
export const LIVE_WITHIN_MS = 20_000;
/** So many watches are named; the rest is counted. */
const NAMED_MAX = 5;

export type Vitals = {
  /** Nothing hangs. A journal or a source that answers with errors is no reason for a restart. */
  readonly isLive: boolean;
  /** By part: `ok`, or what hangs and since when. */
  readonly checks: Readonly<
    Record<'evaluation' | 'watches' | 'deliveries' | 'journal_answers', string>
  >;
  readonly journal: JournalState;
};

export function readVitals(parts: {
  readonly clock: Clock;
  readonly keeper: Pick<WatchKeeper, 'idleMs' | 'hanging'>;
  readonly dispatcher: Pick<Dispatcher, 'idleMs'>;
  readonly guard: JournalGuard;
}): Vitals {
  const { clock, keeper, dispatcher, guard } = parts;
  const journal = guard.state();
  const since = (forMs: number) =>
    `since ${new Date(clock.now() - forMs).toISOString()} (${Math.round(forMs / 1_000)} s)`;
  const aged = (what: string, forMs: number) =>
    forMs < LIVE_WITHIN_MS ? 'ok' : `${what} ${since(forMs)}`;
  const hanging = keeper.hanging();
  const named = hanging
    .slice(0, NAMED_MAX)
    .map(({ watchId, forMs }) => `${watchId} ${since(forMs)}`);
  const more = hanging.length > NAMED_MAX ? ` and ${hanging.length - NAMED_MAX} more` : '';
  const checks = {
    evaluation: aged('no look for watches has ended', keeper.idleMs()),
    watches: hanging.length === 0 ? 'ok' : `no tick has ended: ${named.join(', ')}${more}`,
    deliveries: aged('no look for deliveries has ended', dispatcher.idleMs()),
    journal_answers: aged('no answer, not even an error,', journal.silentForMs ?? 0),
  };
  return { isLive: Object.values(checks).every((state) => state === 'ok'), checks, journal };
}
