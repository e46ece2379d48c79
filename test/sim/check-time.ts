// What must have happened by now: an open watch is closed in time (J8), a verification ends, and a
// service that is clearly ill, with nothing in the way, is stopped.
import type { Book } from './book.ts';
import { AILMENTS } from './plan.ts';
import { T0 } from './time.ts';
import type { Truth } from './truth.ts';

type Found = readonly (readonly [rule: string, text: string])[];

/** Grace after the deadline, a lease, and a few ticks. */
const OVERDUE_MS = 90_000;
/** Within this a calm canaryd stops what is clearly ill: ranges, `for`, scrapes, ticks. */
export const STOP_WITHIN_MS = 45_000;
const VERIFY_OVERDUE_MS = 90_000;

export function overdueViolations(book: Book, truth: Truth): Found {
  const calmSince = truth.calmSince();
  if (calmSince === null) return [];
  const { state, policy } = book;
  const now = truth.now();
  if (state.phase === 'watching') {
    const dueAt = Math.max(calmSince, state.deadlineAtMs - T0) + OVERDUE_MS;
    return now > dueAt ? [['J8', `is open ${Math.round(now - dueAt)} ms too long`]] : [];
  }
  if (state.verification !== 'verifying') return [];
  const accepted = book.events.findLast(({ type }) => type === 'action.accepted');
  const sinceMs = Math.max(calmSince, (accepted?.atMs ?? T0) - T0);
  const dueAt = sinceMs + (policy.verify?.withinMs ?? 0) + VERIFY_OVERDUE_MS;
  return now > dueAt ? [['J8', 'its verification does not end']] : [];
}

/** At a tick that did not stop the watch: should it have? */
export function missedViolations(book: Book, truth: Truth): Found {
  const calmSince = truth.calmSince();
  const { state, policy, deploy } = book;
  if (calmSince === null || state.phase !== 'watching') return [];
  if (deploy.version !== truth.versionOf(deploy.service)) return [];
  const now = truth.now();
  const deployedAt = deploy.deployedAtMs - T0;
  const first = book.ticks[0]?.writtenAt ?? now;
  for (const condition of policy.conditions) {
    const window = policy.windows.find(({ name }) => name === condition.window);
    const ailment = AILMENTS.find((one) => one === condition.indicator);
    if (condition.role !== 'stop' || window === undefined || ailment === undefined) continue;
    const illSince = truth.illSince(deploy.service, ailment);
    if (illSince === null || illSince < deployedAt - 1_000) continue;
    const dueSince = Math.max(illSince, calmSince, first, deployedAt + window.fromMs);
    if (now - dueSince <= STOP_WITHIN_MS || now > deployedAt + window.untilMs) continue;
    const seconds = Math.round((now - dueSince) / 1_000);
    return [['missed', `${condition.id} is breached for ${seconds} s and nothing is stopped`]];
  }
  return [];
}
