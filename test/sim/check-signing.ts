// Signatures: people are asked once, when it is time and somebody is missing, and only those whom the
// policy names sign, on a version that runs. Knows nothing of src/core.
import type { Book, EventFact } from './book.ts';

type Found = readonly (readonly [rule: string, text: string])[];

const RULE = 'sign-off';
const SIGNED_IN = ['watching', 'passed', 'inconclusive'];

function needed({ policy, state }: Book): readonly string[] {
  if (state.rollbackOf !== null) return [];
  return (policy.signOffs?.needed ?? []).map(({ role }) => role);
}

function missing(book: Book): readonly string[] {
  return needed(book).filter((role) => !book.state.signed.some((one) => one.role === role));
}

/** Before the event is part of the book. */
export function signingViolations(book: Book, { type, atMs, body }: EventFact): Found {
  if (type === 'watch.signed') {
    const role = String(body['role']);
    const { phase } = book.state;
    if (!needed(book).includes(role)) return [[RULE, `was signed by ${role}, who has not to`]];
    return SIGNED_IN.includes(phase) ? [] : [[RULE, `was signed although it is ${phase}`]];
  }
  if (type !== 'watch.sign_off_due') return [];
  if (book.events.some((one) => one.type === type)) return [[RULE, 'people were asked twice']];
  const roles = (body['missing'] as readonly { role: string }[]).map(({ role }) => role);
  if (JSON.stringify(roles) !== JSON.stringify(missing(book)) || roles.length === 0) {
    return [[RULE, `${roles.join()} were asked, and ${missing(book).join()} are missing`]];
  }
  const dueAtMs = book.deploy.deployedAtMs + (book.policy.signOffs?.afterMs ?? 0);
  return atMs >= dueAtMs ? [] : [[RULE, `people were asked ${dueAtMs - atMs} ms too early`]];
}

/** After a tick: was it time? */
export function unaskedViolations(book: Book): Found {
  const { state, policy, deploy, ticks, events } = book;
  const last = ticks.at(-1);
  if (state.phase !== 'watching' || policy.signOffs === undefined || last === undefined) return [];
  const isDue = last.atMs >= deploy.deployedAtMs + policy.signOffs.afterMs;
  const isAsked = events.some(({ type }) => type === 'watch.sign_off_due');
  if (!isDue || isAsked || missing(book).length === 0) return [];
  return [[RULE, 'it is time, and nobody was asked']];
}

/** What a replica shows of them. */
export function shownSignOffs(book: Book): string {
  return JSON.stringify(
    needed(book).map((role) => [
      role,
      book.state.signed.find((one) => one.role === role)?.name ?? null,
    ]),
  );
}
