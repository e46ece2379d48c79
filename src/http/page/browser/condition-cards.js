// The conditions of a watch, each with its words, its chart and the chart's values as a table. Cards
// are kept while their watch is shown: only what changed is drawn again.
/** @import { ConditionView, Drawn, State, WatchView } from './types.d.ts' */
import { Chart } from './chart.js';
import { firedAt, ordered, rowsOf, summaryOf } from './chart-data.js';
import { fill, h, setText } from './dom.js';
import { plain, span } from './format.js';

/** @type {Drawn} */
const NOTHING = { points: [], blind: [], gaps: [] };

/** @typedef {{ root: HTMLElement, chart: Chart, canvas: HTMLElement, table: HTMLDetailsElement, key: string }} Card */

/**
 * @param {HTMLElement} place for the conditions that count now
 * @param {HTMLDetailsElement} others for the rest
 */
export function conditionCards(place, others) {
  /** @type {Map<string, Card>} */
  const cards = new Map();
  const rest = h('div', { class: 'conditions' });
  const summary = h('summary', {});
  others.append(summary, rest);
  /** @type {(State & { view: WatchView }) | null} */
  let state = null;

  /**
   * @param {ConditionView} condition
   * @param {State & { view: WatchView }} known
   */
  function cardOf(condition, known) {
    const found = cards.get(condition.condition) ?? newCard(condition, known);
    cards.set(condition.condition, found);
    showCard(found, condition, known);
    return found.root;
  }

  /** @param {State & { view: WatchView }} known */
  function show(known) {
    state = known;
    const { first, rest: later } = ordered(known.view);
    const isAll = first.length === 0;
    arrange(
      place,
      (isAll ? later : first).map((one) => cardOf(one, known)),
    );
    others.hidden = isAll || later.length === 0;
    setText(summary, `Not judged now (${later.length})`);
    if (!isAll && others.open)
      arrange(
        rest,
        later.map((one) => cardOf(one, known)),
      );
  }

  function redraw() {
    for (const { chart } of cards.values()) chart.draw();
  }
  others.addEventListener('toggle', () => state !== null && show(state));
  new ResizeObserver(redraw).observe(place);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    for (const { chart } of cards.values()) chart.restyle();
  });
  return { show };
}

/**
 * @param {HTMLElement} place
 * @param {readonly HTMLElement[]} wanted
 */
function arrange(place, wanted) {
  const isSame =
    wanted.length === place.children.length &&
    wanted.every((card, at) => card === place.children[at]);
  if (!isSame) place.replaceChildren(...wanted);
}

/**
 * @param {ConditionView} condition
 * @param {State & { view: WatchView }} state
 * @returns {Card}
 */
function newCard(condition, state) {
  const canvas = h('div', { class: 'chart', role: 'img' });
  const table = h(
    'details',
    { class: 'values' },
    h('summary', {}, 'Values and query'),
    h('div', { class: 'table' }),
  );
  const root = h(
    'article',
    { class: 'condition' },
    h('h3', {}),
    h('p', { class: 'now' }),
    h('p', { class: 'rule' }),
    canvas,
    table,
  );
  const chart = new Chart(canvas, marksOf(condition, state));
  return { root, canvas, table, chart, key: '' };
}

/** @type {Readonly<Record<string, string>>} */
const STATES = {
  waiting: 'not judged yet',
  inactive: 'fine',
  pending: 'out of its limit',
  firing: 'fired',
  blind: 'blind',
};
/** Of pass and verify conditions: what fires is what was wanted. */
/** @type {Readonly<Record<string, string>>} */
const GOOD_STATES = {
  ...STATES,
  inactive: 'not yet',
  pending: 'good, not long enough',
  firing: 'fulfilled',
};

/**
 * @param {ConditionView} condition
 * @param {WatchView} view
 */
function stateOf({ role, state, condition, due }, { stop }) {
  const isGood = role === 'pass' || role === 'verify';
  const isCause = stop?.causes.some((cause) => cause.condition === condition);
  if (isCause) return { word: 'fired', tone: 'bad' };
  const word = (isGood ? GOOD_STATES : STATES)[state] ?? state;
  if (!due && !isGood && state === 'inactive') return { word: 'was fine', tone: 'calm' };
  if (state === 'blind') return { word, tone: 'blind' };
  if (isGood) return { word, tone: state === 'firing' ? 'good' : 'calm' };
  const tone =
    state === 'firing' && role === 'stop' ? 'bad' : state === 'inactive' ? 'good' : 'warn';
  return { word, tone: state === 'waiting' ? 'calm' : tone };
}

/**
 * @param {Card} card
 * @param {ConditionView} condition
 * @param {State & { view: WatchView }} state
 */
function showCard(card, condition, state) {
  const { root, canvas, table, chart } = card;
  const { word, tone } = stateOf(condition, state.view);
  const drawn = state.series.get(condition.indicator) ?? NOTHING;
  const fired = firedAt(condition.condition, state.events);
  root.className = `condition tone-${tone}`;
  const [title, now, rule] = root.children;
  const { preExisting, must, stateSince } = condition;
  const since =
    stateSince === null ? '' : Date.parse(state.view.lastTickAt ?? '') - Date.parse(stateSince);
  const age =
    typeof since === 'number' && since > 0 && tone !== 'good' ? ` for ${span(since)}` : '';
  if (title)
    fill(title, [condition.title, word, tone, age], () => [
      condition.title,
      h('span', { class: 'badge' }, `${word}${fired.length > 0 ? '' : age}`),
    ]);
  if (now)
    setText(
      now,
      `${plain(condition.now)}, ${must}${preExisting ? '; red before the deploy already' : ''}`,
    );
  if (rule) setText(rule, condition.sentence);
  const key = JSON.stringify([
    drawn.points.length,
    drawn.points.at(-1),
    drawn.blind.at(-1),
    fired,
    condition.allowed,
    drawn.gaps.length,
  ]);
  if (key !== card.key || canvas.childElementCount === 0) {
    card.key = key;
    canvas.setAttribute('aria-label', `Chart. ${summaryOf(condition, drawn, fired)}`);
    // After the card is in the page: a chart is as wide as its place.
    queueMicrotask(() => chart.update(marksOf(condition, state)));
  }
  if (table.open) showTable(table, condition, drawn);
  table.ontoggle = () => showTable(table, condition, drawn);
}

/**
 * @param {HTMLDetailsElement} details
 * @param {ConditionView} condition
 * @param {Drawn} drawn
 */
function showTable(details, { title, unit, query }, drawn) {
  const place = details.querySelector('.table');
  if (place === null || !details.open) return;
  const rows = rowsOf(drawn, unit);
  // Apart, so that a query that is being copied stays selected.
  fill(place, query, () => [
    query !== null && h('pre', { tabindex: '0' }, query),
    h('div', { class: 'rows' }),
  ]);
  const body = place.querySelector('.rows');
  if (body === null) return;
  fill(body, rows, () => [
    h(
      'table',
      {},
      h('caption', {}, `${title}: some of its values`),
      h(
        'thead',
        {},
        h('tr', {}, h('th', { scope: 'col' }, 'Time'), h('th', { scope: 'col' }, 'Value')),
      ),
      h(
        'tbody',
        {},
        ...rows.map(({ time, value }) => h('tr', {}, h('td', {}, time), h('td', {}, value))),
      ),
    ),
  ]);
}

/**
 * @param {ConditionView} condition
 * @param {State & { view: WatchView }} state
 */
function marksOf(condition, { view, series, events }) {
  const lastTickMs = Date.parse(view.lastTickAt ?? view.startedAt);
  return {
    condition,
    drawn: series.get(condition.indicator) ?? NOTHING,
    deployedAtMs: Date.parse(view.deployedAt),
    toMs: lastTickMs,
    bordersMs: view.windows.slice(1).map(({ fromAt }) => Date.parse(fromAt)),
    firedMs: firedAt(condition.condition, events),
  };
}
