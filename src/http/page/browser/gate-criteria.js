// The criteria of a decision: each with what was wanted, what was found, who has signed and what
// exempts it. A decision never changes, so they are made once, and what somebody has opened stays so.
/** @import { CheckView, CriterionView, RecordView } from './gate-types.d.ts' */
import { h } from './dom.js';
import { span } from './format.js';
import { badge, cut, fold, foreign } from './gate-dom.js';
import {
  checkStatusOf,
  exemptionText,
  levelText,
  roleText,
  sectionText,
  sorted,
  statusOf,
} from './gate-words.js';

/** Of the hash of a file: enough to tell it from others; decision.json has all of it. */
const HASH_SHOWN = 12;

/** @param {string} id */
export const anchorOf = (id) => `criterion-${id}`;

/**
 * What decides, opened.
 * @param {RecordView} record
 * @param {number} nowMs
 */
export function unmetOf(record, nowMs) {
  const { unmet, exempt } = sorted(record.criteria);
  return [
    unmet.length > 0 && h('h2', {}, `Not met (${unmet.length})`),
    ...unmet.map((one) => criterionCard(one, true, nowMs)),
    exempt.length > 0 && h('h2', {}, `Waived or mitigated (${exempt.length})`),
    ...exempt.map((one) => criterionCard(one, true, nowMs)),
  ];
}

/**
 * Everything else, folded by section.
 * @param {RecordView} record
 * @param {number} nowMs
 */
export function sectionsOf(record, nowMs) {
  const { unmet, exempt, sections } = sorted(record.criteria);
  if (sections.length === 0) return [];
  return [
    h('h2', {}, unmet.length + exempt.length === 0 ? 'Criteria' : 'The other criteria'),
    ...sections.map((section) => {
      const cards = section.criteria.map((one) => criterionCard(one, false, nowMs));
      return fold(section.name, sectionText(section), ...cards);
    }),
  ];
}

/**
 * @param {CriterionView} criterion
 * @param {boolean} isOpen
 * @param {number} nowMs
 */
function criterionCard(criterion, isOpen, nowMs) {
  const { id, title, section, level, checks, signOffs, exemption } = criterion;
  const { tone, word } = statusOf(criterion);
  // What is wrong is read first.
  const rank = { fail: 0, unknown: 1, pass: 2 };
  const inOrder = checks.toSorted((a, b) => rank[a.outcome] - rank[b.outcome]);
  const where = [`${level}: ${levelText(level)}`, isOpen && section !== null && section, id];
  return h(
    'details',
    { class: `criterion tone-${tone}`, open: isOpen },
    h(
      'summary',
      { id: anchorOf(id) },
      badge(tone, word),
      h('h4', {}, h('bdi', { title }, cut(title))),
      h('span', { class: 'soft' }, h('bdi', {}, where.filter(Boolean).join(' · '))),
    ),
    exemption !== null &&
      h(
        'p',
        { class: 'exemption' },
        h('strong', {}, `${exemptionText(exemption, nowMs)} by `),
        foreign(exemption.by),
        ': ',
        foreign(exemption.reason),
      ),
    h('ul', { class: 'checks' }, ...inOrder.map(checkItem), ...signOffs.map(signOffItem)),
  );
}

/** @param {CheckView} check */
function checkItem(check) {
  const { id, kind, wants, text, details, tookMs, exhibits } = check;
  const { tone, word } = checkStatusOf(check);
  return h(
    'li',
    { class: `tone-${tone}` },
    h('p', { class: 'found' }, h('strong', {}, `${word}: `), foreign(text)),
    h('p', {}, h('span', { class: 'soft' }, 'wanted: '), foreign(wants)),
    details.length > 0 &&
      h('ul', { class: 'details' }, ...details.map((line) => h('li', {}, foreign(line)))),
    h(
      'p',
      { class: 'soft' },
      `${id === kind ? id : `${id} (${kind})`}, took ${span(tookMs)}`,
      ...exhibitTexts(exhibits),
    ),
  );
}

/** @param {CheckView['exhibits']} exhibits */
function exhibitTexts(exhibits) {
  return exhibits.flatMap(({ file, sha256, cut: isCut }) => [
    ' · ',
    h('bdi', {}, file),
    ` sha256 ${sha256.slice(0, HASH_SHOWN)}…${isCut ? ' (cut)' : ''}`,
  ]);
}

/** @param {CriterionView['signOffs'][number]} signOff */
function signOffItem({ role, statement, signed, text }) {
  const tone = signed === null ? 'warn' : 'good';
  return h(
    'li',
    { class: `tone-${tone}` },
    h(
      'p',
      { class: 'found' },
      h('strong', {}, signed === null ? 'not signed: ' : 'signed: '),
      foreign(text),
    ),
    h('p', {}, h('span', { class: 'soft' }, `${roleText(role)}: `), foreign(statement)),
  );
}
