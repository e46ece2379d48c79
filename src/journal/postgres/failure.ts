// What errors of PostgreSQL and of the way to it mean: whether to try again, and what to tell an
// operator. Never the text of the URL, never a password.
import { DatabaseError } from 'pg';
import { CanarydError, messageOf } from '../../kit/errors.ts';

/** The server answers, but is a standby: after a failover the name leads elsewhere soon. */
export class WrongServer extends Error {
  constructor() {
    super('it is a standby, which takes no writes');
  }
}

export class Failed extends Error {
  override readonly cause: unknown;
  /** Certainly nothing was kept. */
  readonly isUndone: boolean;

  constructor(cause: unknown, isUndone: boolean) {
    super(messageOf(cause));
    this.cause = cause;
    this.isUndone = isUndone;
  }
}

const UNIQUE_VIOLATION = '23505';
const READ_ONLY = '25006';
export const NO_PRIVILEGE = '42501';
const TIMED_OUT = ['57014', '55P03'];
const NO_SPACE = ['53100', '53200'];
const WRONG_PASSWORD = ['28P01', '28000'];
const NO_DATABASE = '3D000';
const DAMAGED = ['XX001', 'XX002'];

/** Serialization, deadlock, shut-down, start-up, too many connections; 08 is the connection. */
const TRANSIENT = ['40001', '40P01', '57P01', '57P02', '57P03', '53300', READ_ONLY];
const TRANSIENT_OF_SYSTEM = ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN'];
const TIME_OUTS = [
  'Query read timeout',
  'timeout exceeded',
  'connection timeout',
  'timeout expired',
];

export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  return typeof code === 'string' ? code : '';
}

export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Failed && codeOf(error.cause) === UNIQUE_VIOLATION;
}

function isTimeOut(error: unknown): boolean {
  return TIME_OUTS.some((text) => messageOf(error).includes(text));
}

/** The connection is of no more use: cut, silent, or never made. */
export function isGone(error: unknown): boolean {
  if (error instanceof DatabaseError || !(error instanceof Error)) return false;
  return (
    isTimeOut(error) ||
    /^E[A-Z_]+$/.test(codeOf(error)) ||
    /^(?:Connection terminated|Client (?:was closed|has encountered)|This socket)/.test(
      error.message,
    )
  );
}

/** Worth another attempt at once, on another connection; a time-out has waited enough. */
export function isTransient(error: unknown): boolean {
  if (error instanceof WrongServer) return true;
  const code = codeOf(error);
  if (error instanceof DatabaseError) return TRANSIENT.includes(code) || code.startsWith('08');
  if (!isGone(error) || isTimeOut(error)) return false;
  return TRANSIENT_OF_SYSTEM.includes(code) || messageOf(error).startsWith('Connection terminated');
}

export function refuse(place: string, problem: string, cause?: unknown): CanarydError {
  return new CanarydError('journal_failed', `journal ${place}: ${problem}`, { cause });
}

/** What went wrong with the store, for an operator. */
export function failure(place: string, doing: string, error: unknown): CanarydError {
  if (error instanceof CanarydError) return error;
  const cause = error instanceof Failed ? error.cause : error;
  const isUndone = !(error instanceof Failed) || error.isUndone;
  const told = doing.startsWith('write') ? written(isUndone) : '';
  return refuse(place, `cannot ${doing}: ${words(cause, told)}`, cause);
}

function written(isUndone: boolean): string {
  if (isUndone) return '; nothing was written';
  return (
    '; the connection was lost before the answer, so that nobody knows whether it was written; ' +
    'canaryd reads again what is there'
  );
}

/** @param told what became of a write */
function words(error: unknown, told: string): string {
  const text = messageOf(error);
  const code = codeOf(error);
  if (WRONG_PASSWORD.includes(code)) return `${text}. Check user and password.`;
  if (code === NO_DATABASE) return `${text}. Create it, or correct the URL.`;
  if (code === NO_PRIVILEGE) return `${text}. ${GRANT}`;
  if (NO_SPACE.includes(code)) {
    return `${text}. Make room on the server; what was written before is safe.`;
  }
  if (DAMAGED.includes(code)) return `its data is damaged (${text}). Restore it from a backup.`;
  if (code === READ_ONLY || error instanceof WrongServer) {
    const advice = 'Lead the URL to the primary, or end its read-only mode.';
    return `the server takes no writes (${text}). ${advice}`;
  }
  if (TIMED_OUT.includes(code)) {
    return `the server took too long (${text})${told}. Look at its load and locks.`;
  }
  if (['ENOTFOUND', 'EAI_AGAIN'].includes(code)) {
    return `its host name is not known (${text}). Correct the URL, or mend the name service.`;
  }
  if (isTimeOut(error)) return `the server did not answer in time${told}. ${REACH}`;
  if (isGone(error) || isTransient(error))
    return `the connection failed (${text})${told}. ${REACH}`;
  if (text.startsWith('Cannot use a pool')) return 'it is closed.';
  return `${text}.`;
}

const REACH = 'See whether the server runs and can be reached from here.';
const GRANT = 'As its owner, run: GRANT USAGE, CREATE ON SCHEMA … TO … (see docs/operations.md).';
