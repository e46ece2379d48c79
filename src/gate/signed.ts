// Whose signature counts: for this gate, service, version and environment, by the role that is
// wanted, not taken back, not from the future and not expired. Pure. What does not count is named
// with the reason.
import type { GateDeploy, SignOff } from '../core/gate-record.ts';
import { formatDuration } from '../core/quantity.ts';
import { nameFlaw, personOf, takenBackBy } from '../core/signature.ts';
import { cutEnd, printable } from '../kit/redact.ts';
import type { Approvals, SignOffNeeded } from './gate.ts';

/** Clocks of two machines may differ by so much. */
const SKEW_MS = 5 * 60_000;
const STATEMENT_SHOWN_MAX = 200;

export type Signatures = {
  readonly gate: string;
  readonly deploy: GateDeploy;
  /** Oldest first. */
  readonly signOffs: readonly SignOff[];
  readonly nowMs: number;
};

export type Signed = { readonly signed: SignOff | null; readonly text: string };

export function timeText(atMs: number): string {
  return Number.isFinite(atMs) && Math.abs(atMs) <= 8.64e15
    ? new Date(atMs).toISOString().replace(/\.\d{3}Z$/, 'Z')
    : 'a time that is none';
}

/**
 * What is wrong with a signature; null: it counts.
 * @param entries signatures of its criterion, and what takes some of them back
 */
function flawOf(
  signOff: SignOff,
  validForMs: number,
  { deploy, nowMs }: Signatures,
  entries: readonly SignOff[],
): string | null {
  const { name, service, version, environment, atMs } = signOff;
  const unfit = nameFlaw(name);
  if (unfit !== null) return `the name ${name} ${unfit}`;
  if (version !== deploy.version) return `${name} has signed version ${version}, not this one`;
  if (environment !== deploy.environment) {
    return `${name} has signed for ${environment}, not for ${deploy.environment}`;
  }
  if (service !== undefined && service !== deploy.service) {
    return `${name} has signed for the service ${service}, not for ${deploy.service}`;
  }
  const back = takenBackBy(signOff, entries);
  if (back !== null) {
    const why = back.note === null ? '' : `: ${back.note}`;
    return `${name} has taken the signature back on ${timeText(back.atMs)}${why}`;
  }
  if (!(atMs <= nowMs + SKEW_MS)) return `${name} has signed in the future: ${timeText(atMs)}`;
  if (atMs + validForMs > nowMs) return null;
  const ended = timeText(atMs + validForMs);
  return `the signature of ${name} has expired: valid ${formatDuration(validForMs)}, until ${ended}`;
}

/** Whoever has signed other words has not signed these. Blanks are none. */
function otherWords({ name, statement }: SignOff, wanted: string): string | null {
  if (statement === undefined || printable(statement) === printable(wanted)) return null;
  return `${name} has signed other words: "${cutEnd(printable(statement), STATEMENT_SHOWN_MAX)}"`;
}

/** The newest signature that counts for a criterion, or why there is none. */
export function signedOf(needed: SignOffNeeded, criterion: string, signatures: Signatures): Signed {
  const { role, validForMs, statement } = needed;
  const entries = signatures.signOffs
    .filter((one) => one.gate === signatures.gate && one.criterion === criterion)
    .filter((one) => one.role === role);
  const candidates = entries
    .filter(({ isWithdrawn }) => isWithdrawn !== true)
    .toSorted((a, b) => b.atMs - a.atMs);
  const flaw = (one: SignOff) =>
    flawOf(one, validForMs, signatures, entries) ?? otherWords(one, statement);
  const signed = candidates.find((one) => flaw(one) === null);
  if (signed !== undefined) {
    const until = timeText(signed.atMs + validForMs);
    return { signed, text: `signed by ${signed.name} as ${role}, valid until ${until}` };
  }
  const [newest] = candidates;
  const nobody = `nobody has signed as ${role}`;
  return { signed: null, text: newest === undefined ? nobody : `${nobody}: ${flaw(newest)}` };
}

export type Approved = {
  /** All that are wanted, one for each place; null: not complete. */
  readonly approvals: readonly SignOff[] | null;
  /** What is there and what is missing; null: nobody has approved anything. */
  readonly text: string | null;
};

/**
 * Whether the approvals of a review or an override are complete, each by another person: two
 * signatures of one count once.
 * @param besides what else may be wrong with one
 */
export function approvedOf(
  wanted: Approvals,
  criterion: string,
  signatures: Signatures,
  besides: (signOff: SignOff) => string | null,
): Approved {
  const entries = signatures.signOffs.filter(
    (one) => one.gate === signatures.gate && one.criterion === criterion,
  );
  const own = entries.filter(({ isWithdrawn }) => isWithdrawn !== true);
  const flawed = own.map(
    (one) => flawOf(one, wanted.validForMs, signatures, entries) ?? besides(one),
  );
  const flaws = flawed.filter((flaw) => flaw !== null);
  const valid = own.filter((_, index) => flawed[index] === null);
  const places = wanted.approvals.flatMap(({ role, people }) =>
    Array.from({ length: people }, () => role),
  );
  const found = assign(places, valid);
  const rank = ({ role }: SignOff) => places.indexOf(role);
  const approvals = found
    .flatMap((one) => one ?? [])
    .toSorted((a, b) => rank(a) - rank(b) || a.atMs - b.atMs);
  if (approvals.length === places.length) return { approvals, text: null };
  if (own.length === 0) return { approvals: null, text: null };
  const counts = wanted.approvals.map(({ role, people }) => {
    const have = places.filter((place, index) => place === role && found[index] != null).length;
    return `${have} of ${people} ${role}`;
  });
  const [flaw] = flaws;
  const because = flaw === undefined ? 'each a different person' : flaw;
  return { approvals: null, text: `${counts.join(', ')} (${because})` };
}

/**
 * People to places: as many places as possible are taken. Somebody who has signed for two roles
 * takes the one that nobody else can.
 */
function assign(
  places: readonly string[],
  signOffs: readonly SignOff[],
): readonly (SignOff | null)[] {
  const newest = signOffs.toSorted((a, b) => b.atMs - a.atMs);
  const placeOf = new Map<string, number>();
  const taken: (SignOff | null)[] = places.map(() => null);
  const take = (place: number, tried: Set<string>): boolean => {
    const isHeld = ({ name }: SignOff) => Number(placeOf.has(personOf(name)));
    for (const signOff of newest.toSorted((a, b) => isHeld(a) - isHeld(b))) {
      const person = personOf(signOff.name);
      if (signOff.role !== places[place] || tried.has(person)) continue;
      tried.add(person);
      const held = placeOf.get(person);
      if (held !== undefined && !take(held, tried)) continue;
      placeOf.set(person, place);
      taken[place] = signOff;
      return true;
    }
    return false;
  };
  for (const place of places.keys()) take(place, new Set());
  return taken;
}
