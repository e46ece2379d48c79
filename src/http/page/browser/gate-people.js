// What people add to a gate: the signatures it wants, who gave them, and the approvals that turn a
// review or a NO-GO into GO. What was signed since the decision is told apart from what it counted.
/** @import { Approval } from './gate-words.js' */
/** @import { Deps } from './gate-dialogs.js' */
/** @import { Place, Signature } from './gate-types.d.ts' */
import { forbidden } from './commands.js';
import { h } from './dom.js';
import { askApprove, askSign, askWithdraw } from './gate-dialogs.js';
import { badge, cut, foreign } from './gate-dom.js';
import {
  approvalsOf,
  isMissing,
  isTakenBack,
  placesOf,
  placesText,
  roleText,
  saysAgain,
  standing,
  validText,
} from './gate-words.js';

/**
 * @param {Deps} deps
 * @param {number} nowMs
 */
export function signaturesOf(deps, nowMs) {
  const places = placesOf(deps.record);
  if (places.length === 0) return [];
  const refused = forbidden(deps.me);
  const isRefused = refused !== null;
  const missing = places.filter(isMissing);
  const given = places.filter((place) => !isMissing(place));
  const named = { 'aria-labelledby': 'signatures-title' };
  return [
    h('h2', { id: 'signatures-title', tabindex: '-1' }, `Signatures (${placesText(places)})`),
    isRefused && h('p', { class: 'refused' }, `Signing: ${refused}.`),
    missing.length > 0 &&
      h(
        'ul',
        { class: 'places', ...named },
        ...missing.map((place) => missingItem(place, isRefused, deps)),
      ),
    given.length > 0 &&
      h(
        'ul',
        { class: 'places given', ...named },
        ...given.map((place) => givenItem(place, isRefused, deps, nowMs)),
      ),
  ];
}

/**
 * @param {Place} place
 * @param {boolean} isRefused
 * @param {Deps} deps
 */
function missingItem(place, isRefused, deps) {
  const { key, title, role, signed, text, isWithdrawn } = place;
  const as = roleText(role);
  const sign = {
    ...{ type: 'button', class: 'act main', 'data-verb': `sign ${key}`, disabled: isRefused },
    'aria-label': `Sign as ${as}: ${cut(title)}`,
    onclick: () => askSign(place, deps),
  };
  const isKnown = isWithdrawn || text === `nobody has signed as ${role}`;
  return h(
    'li',
    { class: 'place tone-warn' },
    h(
      'div',
      { class: 'place-what' },
      h('p', {}, badge('warn', 'missing'), h('strong', {}, as)),
      ...statementLines(place),
      !isKnown && h('p', { class: 'soft' }, foreign(text)),
      signed !== null && signatureLine(signed, '', isRefused, deps),
    ),
    h('button', sign, 'Sign'),
  );
}

/**
 * @param {Place} place
 * @param {boolean} isRefused
 * @param {Deps} deps
 * @param {number} nowMs
 */
function givenItem(place, isRefused, deps, nowMs) {
  const { signed, since, text } = place;
  return h(
    'li',
    {},
    ...statementLines(place),
    signed !== null && signatureLine(signed, validText(text, nowMs), isRefused, deps),
    ...since.map((one) => signatureLine(one, NOT_COUNTED, isRefused, deps)),
  );
}

const NOT_COUNTED = 'since the decision, not yet counted';

/** Titles often say the statement again. @param {Place} place */
function statementLines({ title, statement }) {
  return saysAgain(title, statement)
    ? [h('p', {}, foreign(title))]
    : [h('p', {}, foreign(title), ': ', h('span', { class: 'soft' }, foreign(statement)))];
}

/**
 * Its age is told by the page, second by second: what is open or has the focus stays.
 * @param {Signature} signature
 * @param {string} more
 * @param {boolean} isRefused
 * @param {Deps} deps
 */
function signatureLine(signature, more, isRefused, deps) {
  const { criterion, role, name, note, at, via } = signature;
  const isBack = isTakenBack(signature, deps.record);
  const props = {
    ...{ type: 'button', class: 'textlike', 'data-verb': `withdraw ${criterion}/${role}/${name}` },
    'aria-label': `Take back the signature of ${cut(name)} as ${roleText(role)}`,
    onclick: () => askWithdraw(signature, deps),
  };
  const said = isBack ? 'taken back since' : more;
  return h(
    'div',
    { class: 'signature' },
    h(
      'p',
      {},
      badge(isBack ? 'warn' : 'good', isBack ? 'taken back' : 'signed'),
      h('strong', {}, foreign(name)),
      ' as ',
      h('bdi', {}, roleText(role)),
      ', ',
      h('span', { 'data-at': at }),
      said !== '' && `, ${said}`,
      via !== undefined && ', by the token ',
      via !== undefined && h('bdi', {}, via),
      note !== null && note !== '' && h('span', { class: 'note' }, ' “', foreign(note), '”'),
    ),
    !isRefused && !isBack && h('button', props, 'Take back'),
  );
}

/**
 * Approvals that counted, those given since, and how to approve.
 * @param {Deps} deps
 */
export function approvalPartsOf(deps) {
  const { record } = deps;
  const refused = forbidden(deps.me);
  const ways = approvalsOf(record);
  const counted = record.override?.approvals ?? record.approvals;
  const since = standing(record).filter(({ criterion }) => APPROVALS.includes(criterion));
  if (ways.length === 0 && counted.length === 0 && since.length === 0) return [];
  const isRefused = refused !== null;
  const lines = [
    ...counted.map((one) => signatureLine(one, '', isRefused, deps)),
    ...since.map((one) => signatureLine(one, sinceWords(one), isRefused, deps)),
  ];
  const title = record.override === null ? 'Approvals' : 'Emergency override';
  return [
    h('h2', { id: 'approvals-title' }, title),
    record.override !== null &&
      h('p', { class: 'risk' }, h('strong', {}, 'The risk: '), foreign(record.override.risk)),
    ...lines,
    ...ways.map((way) => approvalWay(way, refused, deps)),
  ];
}

const APPROVALS = ['review', 'override'];

/** @param {Signature} signature */
const sinceWords = ({ criterion }) => `for the ${criterion}, ${NOT_COUNTED}`;

/**
 * @param {Approval} way
 * @param {string | null} refused
 * @param {Deps} deps
 */
function approvalWay(way, refused, deps) {
  const { id, wanted } = way;
  const isOverride = id === 'override';
  const why = way.refused ?? refused;
  const whyId = `why-${id}`;
  const props = {
    ...{ type: 'button', class: isOverride ? 'act' : 'act main', disabled: why !== null },
    ...{ 'data-verb': `approve ${id}`, 'aria-describedby': whyId },
    onclick: () => askApprove(way, deps),
  };
  const text = isOverride
    ? 'Only if the gate has an override: with its approvals and the risk in writing it becomes GO.'
    : 'With the approval that the gate wants it becomes GO.';
  return h(
    'div',
    { class: 'way' },
    h('button', props, isOverride ? 'Approve an override…' : 'Approve the review…'),
    h(
      'p',
      { class: 'soft', id: whyId },
      why === null ? text : `Not possible: ${why}.`,
      wanted !== null && ' ',
      wanted !== null && foreign(`The decision says: ${wanted}`),
    ),
  );
}
