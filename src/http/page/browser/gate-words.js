// A decision of a gate in words and in the order in which a release manager needs them. Pure, and a
// test reads every sentence. Whether it is GO was decided elsewhere: nothing here decides again.
/** @import { CheckView, CriterionView, DecisionRow, Exemption, Place, Reason, RecordView, Signature, Status } from './gate-types.d.ts' */
import { momentOf } from './format.js';

/** @type {Readonly<Record<string, Status>>} */
const DECISIONS = {
  go: { tone: 'good', word: 'GO' },
  no_go: { tone: 'bad', word: 'NO-GO' },
  review: { tone: 'warn', word: 'REVIEW' },
};

/**
 * @param {Pick<RecordView, 'decision'>} record
 * @returns {Status}
 */
export function decisionOf({ decision }) {
  return DECISIONS[decision] ?? { tone: 'blind', word: decision };
}

/** @type {Readonly<Record<string, Status>>} */
const OUTCOMES = {
  pass: { tone: 'good', word: 'met' },
  fail: { tone: 'bad', word: 'NOT MET' },
  unknown: { tone: 'blind', word: 'UNKNOWN' },
};

/** @type {Readonly<Record<string, Status>>} */
const RED_OUTCOMES = {
  pass: { tone: 'good', word: 'does not hold' },
  fail: { tone: 'bad', word: 'HOLDS' },
  unknown: { tone: 'blind', word: 'UNKNOWN' },
};

const STRANGE = /** @type {const} */ ({ tone: 'blind', word: 'UNKNOWN' });

/**
 * @param {CriterionView} criterion
 * @returns {Status}
 */
export function statusOf(criterion) {
  const { level, outcome, exemption } = criterion;
  if (level === 'red') return RED_OUTCOMES[outcome] ?? STRANGE;
  if (outcome !== 'pass' && exemption !== null) return { tone: 'warn', word: exempted(exemption) };
  if (isUnsigned(criterion)) return { tone: 'warn', word: 'NOT SIGNED' };
  if (level === 'yellow' && outcome === 'fail') return { tone: 'warn', word: 'WARNING' };
  return OUTCOMES[outcome] ?? STRANGE;
}

/** @param {Pick<Exemption, 'kind'>} exemption */
const exempted = ({ kind }) => (kind === 'waiver' ? 'waived' : 'mitigated');

/**
 * @param {CheckView} check
 * @returns {Status}
 */
export function checkStatusOf({ outcome }) {
  if (outcome === 'fail') return { tone: 'bad', word: 'not as wanted' };
  return outcome === 'pass' ? { tone: 'good', word: 'ok' } : { tone: 'blind', word: 'unknown' };
}

/**
 * Nothing is missing but people's words.
 * @param {CriterionView} criterion
 */
function isUnsigned({ outcome, checks, signOffs }) {
  if (outcome === 'pass' || checks.some((check) => check.outcome !== 'pass')) return false;
  return signOffs.some(({ signed }) => signed === null);
}

/** @type {Readonly<Record<string, string>>} */
const LEVELS = { green: 'must be met', yellow: 'warning', red: 'stop condition' };

/** @param {string} level */
export const levelText = (level) => LEVELS[level] ?? level;

/**
 * What a criterion of that rank is to the decision: as the reasons are ordered.
 * @param {CriterionView} criterion
 */
function rankOf({ level, outcome }) {
  const byLevel = { red: 0, green: 2, yellow: 4 };
  return byLevel[level] + (outcome === 'fail' ? 0 : 1);
}

/** @param {{ section: string | null }} criterion */
const sectionOf = ({ section }) => section ?? 'Other';

/**
 * @typedef {{ name: string, criteria: readonly CriterionView[], met: number }} Section
 * @typedef {{ unmet: readonly CriterionView[], exempt: readonly CriterionView[],
 *   sections: readonly Section[] }} Sorted
 */

/**
 * What is not met comes first; what only lacks a signature stands with the signatures, and in its
 * section like everything else.
 * @param {readonly CriterionView[]} criteria
 * @returns {Sorted}
 */
export function sorted(criteria) {
  const open = criteria.filter(({ outcome }) => outcome !== 'pass');
  const exempt = open.filter(({ exemption, level }) => exemption !== null && level !== 'red');
  const unmet = open
    .filter((one) => !exempt.includes(one) && !isUnsigned(one))
    .toSorted((a, b) => rankOf(a) - rankOf(b));
  const rest = criteria.filter((one) => !unmet.includes(one) && !exempt.includes(one));
  const sections = [...Map.groupBy(rest, sectionOf)].map(([name, own]) => {
    return { name, criteria: own, met: own.filter(({ outcome }) => outcome === 'pass').length };
  });
  return { unmet, exempt, sections };
}

/**
 * @param {Section} section
 */
export function sectionText({ criteria, met }) {
  const all = criteria.length;
  if (met === all && criteria.every(({ level }) => level === 'red')) {
    return all === 1 ? 'does not hold' : `none of ${all} holds`;
  }
  if (met === all) return all === 1 ? 'met' : `all ${all} met`;
  return `${met} of ${all} met, ${all - met} not signed`;
}

/**
 * Reasons name criteria by their ids; people know them by their titles.
 * @param {Pick<RecordView, 'reasons' | 'criteria'>} record
 * @returns {Reason[]}
 */
export function reasonsOf({ reasons, criteria }) {
  const titles = new Map(criteria.map(({ id, title }) => [id, title]));
  return reasons.map((text) => {
    const [, level = '', id = '', rest = ''] = /^(green|yellow|red) (\S+) (.*)$/s.exec(text) ?? [];
    const title = titles.get(id);
    if (title === undefined) return { level: null, criterion: null, title: null, text };
    return { level, criterion: id, title, text: rest };
  });
}

const UNSEEN = /[\s\p{P}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/gu;

/**
 * Names are compared as src/core/signature.ts does.
 * @param {string} name
 */
function personOf(name) {
  return name.normalize('NFKC').replaceAll(UNSEEN, '').toLowerCase();
}

/**
 * @param {Signature} a
 * @param {Signature} b
 */
function isSamePlace(a, b) {
  const same = a.criterion === b.criterion && a.role === b.role;
  return same && personOf(a.name) === personOf(b.name);
}

/**
 * The last word of each person.
 * @param {readonly Signature[]} signatures
 */
function lastWords(signatures) {
  const inTime = signatures.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
  return inTime.filter((one, index) => {
    return !inTime.slice(index + 1).some((later) => isSamePlace(one, later));
  });
}

/**
 * Signatures that stand, which the decision has not seen.
 * @param {Pick<RecordView, 'signedSince'>} record
 */
export function standing({ signedSince }) {
  return lastWords(signedSince).filter(({ withdrawn }) => withdrawn !== true);
}

/**
 * @param {Signature} signed
 * @param {Pick<RecordView, 'signedSince'>} record
 */
export function isTakenBack(signed, { signedSince }) {
  const last = lastWords(signedSince).find((one) => isSamePlace(one, signed));
  return last?.withdrawn === true;
}

/**
 * Each signature that the gate wants, the missing ones first.
 * @param {RecordView} record
 * @returns {Place[]}
 */
export function placesOf(record) {
  const since = standing(record);
  const places = record.criteria.flatMap(({ id, title, signOffs }) =>
    signOffs.map(({ role, statement, signed, text }) => ({
      ...{ key: `${id}/${role}`, criterion: id, title, role, statement, signed, text },
      since: since.filter((one) => one.criterion === id && one.role === role),
      isWithdrawn: signed !== null && isTakenBack(signed, record),
    })),
  );
  const rank = (/** @type {Place} */ place) => Number(!isMissing(place));
  return places.toSorted((a, b) => rank(a) - rank(b));
}

/** @param {Place} place */
export function isMissing({ signed, since, isWithdrawn }) {
  return (signed === null || isWithdrawn) && since.length === 0;
}

/** @param {readonly Place[]} places */
export function placesText(places) {
  const missing = places.filter(isMissing).length;
  const all = places.length;
  return missing === 0 ? `all ${all} given` : `${missing} of ${all} missing`;
}

/**
 * @param {string} title
 * @param {string} statement
 */
export function saysAgain(title, statement) {
  return title.toLowerCase().includes(statement.toLowerCase());
}

/** @param {string} role */
export const roleText = (role) => role.replaceAll('_', ' ');

/**
 * Until when a signature that was found counts, out of the words of the record.
 * @param {string} text
 * @param {number} nowMs
 */
export function validText(text, nowMs) {
  const [, until = ''] = /valid until (\S+)$/.exec(text) ?? [];
  const untilMs = Date.parse(until);
  if (Number.isNaN(untilMs)) return '';
  const moment = momentOf(untilMs, nowMs);
  return untilMs > nowMs ? `counts until ${moment}` : `has expired since: ${moment}`;
}

/**
 * @param {Exemption} exemption
 * @param {number} nowMs
 */
export function exemptionText({ kind, until }, nowMs) {
  const untilMs = Date.parse(until);
  const word = kind === 'waiver' ? 'Waived' : 'Mitigated';
  const moment = momentOf(untilMs, nowMs);
  return untilMs > nowMs ? `${word} until ${moment}` : `${word} until ${moment}: over since`;
}

/**
 * What changed since the decision; a decision that was made stays as it is.
 * @param {RecordView} record
 */
export function sinceText(record) {
  const given = standing(record).length;
  const decided = [
    ...record.criteria.flatMap(({ signOffs }) => signOffs.flatMap(({ signed }) => signed ?? [])),
    ...record.approvals,
    ...(record.override?.approvals ?? []),
  ];
  const back = decided.filter((one) => isTakenBack(one, record)).length;
  const parts = [
    given > 0 && `${given} ${given === 1 ? 'signature' : 'signatures'} given`,
    back > 0 && `${back} ${back === 1 ? 'signature' : 'signatures'} taken back`,
  ].filter((part) => part !== false);
  return parts.length === 0 ? null : `Since this decision: ${parts.join(', ')}`;
}

/** Ids of the lines that an approval is about. @param {RecordView} record */
export function openOf({ criteria }) {
  return criteria
    .filter((one) => one.level === 'green' && one.outcome !== 'pass' && one.exemption === null)
    .map(({ id }) => id);
}

/** @typedef {{ id: 'review' | 'override', roles: readonly string[], wanted: string | null, refused: string | null }} Approval */

/**
 * How people may turn this decision into GO. The record does not hold the gate's rule: what is
 * wanted is known when a reason says so.
 * @param {RecordView} record
 * @returns {Approval[]}
 */
export function approvalsOf(record) {
  if (record.decision === 'go') return [];
  const isRed = record.criteria.some(({ level, outcome }) => level === 'red' && outcome !== 'pass');
  /** @type {Approval[]} */
  const found = [];
  if (record.decision === 'review') {
    const wanted = textAfter(record.reasons, 'review: ');
    found.push({ id: 'review', roles: rolesIn(wanted), wanted, refused: null });
  }
  const wanted = textAfter(record.reasons, 'override not complete: ');
  const refused = isRed ? 'a stop condition holds or is unknown, and nothing overrides that' : null;
  found.push({ id: 'override', roles: rolesIn(wanted), wanted, refused });
  return found;
}

/**
 * @param {readonly string[]} reasons
 * @param {string} start
 */
function textAfter(reasons, start) {
  return reasons.find((text) => text.startsWith(start))?.slice(start.length) ?? null;
}

/**
 * "approval wanted of 1 cto, 2 senior_engineer", "0 of 1 cto, 1 of 2 senior_engineer (…)"
 * @param {string | null} wanted
 */
function rolesIn(wanted) {
  const [counts = ''] = (wanted ?? '').split('(');
  const found = [...counts.matchAll(/\d+ (?!of )([a-z]\w*)/gi)];
  return [...new Set(found.map(([, role = '']) => role))];
}

/**
 * One word of a command, as shells read it.
 * @param {string} text
 */
export function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** @param {RecordView} record */
export function againCommand({ gate, deploy }) {
  const { service, environment, version, parameters } = deploy;
  const given = Object.entries(parameters).map(
    ([name, value]) => `--param ${quoted(`${name}=${value}`)}`,
  );
  return [
    `canaryd gate ${quoted(gate)} --version ${quoted(version)}`,
    `--service ${quoted(service)} --environment ${quoted(environment)}`,
    ...given,
    '--daemon',
  ].join(' ');
}

/** @param {RecordView} record */
export function verifyCommand({ gate, startedAt, evidenceSha256 }) {
  const time = startedAt.replace(/\.\d+Z$/, 'Z').replaceAll(/[-:]/g, '');
  return `canaryd gate verify ${quoted(`evidence/${gate}-${time}`)} --hash ${evidenceSha256}`;
}

/**
 * The newest of each gate, service, environment and version, as canaryd says it (else the one that
 * came last); then, of these, what is the newest version, and what was before it.
 * @template {DecisionRow} T
 * @param {readonly T[]} rows newest first
 * @returns {{ now: T[], before: T[] }}
 */
export function newestOf(rows) {
  const placeOf = (/** @type {T} */ { gate, deploy }) => [gate, deploy.service, deploy.environment];
  // Each version stands where its newest decision does, not where one arrived late.
  const byNewest = rows.toSorted((a, b) => Number(b.isNewest) - Number(a.isNewest));
  const found = firstOf(byNewest, (row) => [...placeOf(row), row.deploy.version]);
  const versions = rows.filter((row) => found.includes(row));
  const now = firstOf(versions, placeOf);
  return { now, before: versions.filter((row) => !now.includes(row)) };
}

/**
 * @template T
 * @param {readonly T[]} rows
 * @param {(row: T) => readonly string[]} keyOf
 * @returns {T[]}
 */
function firstOf(rows, keyOf) {
  const groups = Map.groupBy(rows, (row) => JSON.stringify(keyOf(row)));
  return [...groups.values()].flatMap(([first]) => (first === undefined ? [] : [first]));
}
