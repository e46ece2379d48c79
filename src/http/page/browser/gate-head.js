// The head of a decision's page: GO or not and how old, why, what has come since, what comes next.
/** @import { DecisionRow, RecordView } from './gate-types.d.ts' */
/** @import { Place } from './gate.js' */
import { fill, h, setText } from './dom.js';
import { ago } from './format.js';
import { anchorOf } from './gate-criteria.js';
import { command, cut, foreign } from './gate-dom.js';
import {
  againCommand,
  decisionOf,
  isMissing,
  placesOf,
  reasonsOf,
  sinceText,
} from './gate-words.js';

/** So many reasons are read at a glance. */
const REASONS_SHOWN = 8;
/** Of a name in the heading; the details have all of it. */
const NAME_SHOWN = 80;

/**
 * @param {Place} place
 * @param {RecordView} record
 * @param {DecisionRow | null} newer
 * @param {number} nowMs
 */
export function showHead(place, record, newer, nowMs) {
  const { service, version, environment } = record.deploy;
  const { tone, word } = decisionOf(record);
  fill(place.title, record.id, () => [
    h('bdi', {}, cut(`${service} ${version}`, NAME_SHOWN)),
    ' · ',
    h('bdi', {}, cut(environment, NAME_SHOWN)),
  ]);
  place.card.className = `card tone-${newer === null ? tone : 'calm'}`;
  place.word.className = `verdict tone-${tone}`;
  setText(place.word, word);
  const endedMs = Date.parse(record.endedAt);
  setText(place.age, `${ago(nowMs - endedMs)}${record.override === null ? '' : ', by override'}`);
  fill(place.what, record.id, () => [foreign(record.title)]);
  fill(place.reasons, record.id, () => reasonList(record));
  showNewer(place.newer, newer, nowMs);
  showSince(place.since, record);
  const isOver = newer !== null || sinceText(record) !== null;
  fill(place.next, [record.id, isOver], () => (isOver ? [] : nextOf(record)));
  document.title = `${word}: ${service} ${version} (${environment})`;
}

/**
 * @param {HTMLElement} place
 * @param {DecisionRow | null} newer
 * @param {number} nowMs
 */
function showNewer(place, newer, nowMs) {
  place.hidden = newer === null;
  if (newer === null) return;
  const { tone, word } = decisionOf(newer);
  fill(place, newer.id, () => [
    h(
      'p',
      {},
      h('strong', {}, 'This decision is not the newest. '),
      h(
        'a',
        { href: `/gates/${encodeURIComponent(newer.id)}` },
        'The newest is ',
        h('span', { class: `tone-${tone} word` }, word),
        ', ',
        h('span', { class: 'age' }),
      ),
    ),
  ]);
  const age = place.querySelector('.age');
  if (age !== null) setText(age, ago(nowMs - Date.parse(newer.endedAt)));
}

/**
 * @param {HTMLElement} place
 * @param {RecordView} record
 */
function showSince(place, record) {
  const text = sinceText(record);
  place.hidden = text === null;
  fill(place, text, () => [
    h('p', {}, h('strong', {}, `${text}. `), 'The decision stays as it was: run the gate again.'),
    command(againCommand(record), 'run the gate again'),
  ]);
}

/** @param {RecordView} record */
function reasonList(record) {
  const items = reasonsOf(record).map(({ level, criterion, title, text }) => {
    if (criterion === null || title === null) return h('li', {}, foreign(text));
    return h(
      'li',
      {},
      h('span', { class: `level level-${level}` }, `${level} `),
      h(
        'a',
        { href: `#${anchorOf(criterion)}`, onclick: () => reveal(criterion) },
        h('bdi', {}, cut(title)),
      ),
      ' ',
      foreign(text),
    );
  });
  const more = items.slice(REASONS_SHOWN);
  return [
    h('ul', { class: 'reasons' }, ...items.slice(0, REASONS_SHOWN)),
    more.length > 0 &&
      h(
        'details',
        {},
        h('summary', {}, `${more.length} more reasons`),
        h('ul', { class: 'reasons' }, ...more),
      ),
  ];
}

/** It may be folded twice: alone, and in its section. The link goes there. @param {string} criterion */
function reveal(criterion) {
  const found = document.getElementById(anchorOf(criterion));
  for (let at = found; at !== null; at = at.parentElement) {
    if (at instanceof HTMLDetailsElement) at.open = true;
  }
}

/** @param {RecordView} record */
function nextOf(record) {
  if (record.decision === 'go') {
    if (record.next === null) return [];
    return [h('p', {}, h('strong', {}, 'Next:')), command(record.next, 'the next step')];
  }
  const first = record.decision === 'review' ? 'approve the review, or ' : '';
  const missing = placesOf(record).filter(isMissing).length;
  const sign = [
    ' sign ',
    h('a', { href: '#signatures-title' }, `what is missing (${missing})`),
    ',',
  ];
  return [
    h(
      'p',
      { class: 'how' },
      h('strong', {}, 'Next: '),
      `${first}put right what is not met,`,
      ...(missing === 0 ? [] : sign),
      ' run the gate again:',
    ),
    command(againCommand(record), 'run the gate'),
  ];
}
