// One watch, from the top down as it is needed at night: what happened, what canaryd did and will
// do, what one can do, then the evidence.
/** @import { Action, State, WatchView } from './types.d.ts' */
/** @import { Api } from './api.js' */
/** @import { ServerClock } from './server-clock.js' */
import { commandsFor } from './commands.js';
import { conditionCards } from './condition-cards.js';
import { ask } from './dialog.js';
import { byId, fill, h, isWebUrl, setText } from './dom.js';
import { momentOf, span, timeOf } from './format.js';
import { announce, showFailure, showFoot, showHold, showLink } from './frame.js';
import { follow } from './live.js';
import { EMPTY, reduce } from './reducer.js';
import { knownOf, lineOf } from './story.js';
import { showTimeline } from './timeline.js';
import { actionName, deeds, headline } from './words.js';

/**
 * @param {string} id
 * @param {{ api: Api, clock: ServerClock }} deps
 */
export function startWatch(id, { api, clock }) {
  /** @type {State} */
  let state = EMPTY;
  let announced = '';
  let isDrawing = false;
  const place = layout();
  const cards = conditionCards(place.conditions, place.others);
  const live = follow(id, { api, clock, dispatch });

  /** @param {Action} action */
  function dispatch(action) {
    const before = state;
    state = reduce(state, action);
    if (state === before || isDrawing) return;
    isDrawing = true;
    // News come in bursts: they are drawn together. Not by frames: hidden tabs have none.
    setTimeout(() => {
      isDrawing = false;
      show();
    }, 20);
  }

  /** @param {string} text */
  const onDone = (text) => {
    setText(place.result, text);
    announce(text);
    live.refresh();
  };

  function show() {
    const nowMs = clock.now();
    const { view, failure, hold, me } = state;
    showFailure(view === null || failure?.status === 401 ? failure : null, {
      api,
      onToken: live.restart,
    });
    showHold(hold, { api, me, nowMs, onDone });
    showLink(state, nowMs);
    showFoot(nowMs);
    place.root.hidden = view === null;
    if (view === null) return;
    const known = { ...state, view };
    showHead(place, known, nowMs);
    const commands = commandsFor(view, hold ?? null, me);
    fill(place.commands, commands, () =>
      commands.flatMap((command) =>
        commandButton(command, () => ask(command, id, { api, me, onDone })),
      ),
    );
    showTimeline(place.timeline, place.moments, view, nowMs);
    cards.show(known);
    showActions(place.actions, view);
    showJournal(place.journal, known, nowMs);
    showFacts(place.facts, view, nowMs);
    const { title } = headline(known, nowMs);
    // Without its age: a screen reader is told of changes, not of time.
    const said = `${view.service} ${view.version}: ${title.replace(/ (?:\d.* ago|just now|for .*)$/, '')}`;
    if (announced !== '' && said !== announced) announce(said);
    announced = said;
  }

  const everySecond = () => {
    if (!document.hidden) show();
    setTimeout(everySecond, 1_000);
  };
  setTimeout(everySecond, 1_000);
}

const KEY =
  'Dashed: the limit. Red: beyond it. Violet: blind. Grey: too early to judge. Triangle: fired.';

/** @typedef {ReturnType<typeof layout>} Place */

function layout() {
  const title = h('h1', {});
  const stateTitle = h('p', { class: 'headline' });
  const stateText = h('p', { class: 'detail' });
  const did = h('ul', { class: 'did' });
  const next = h('p', { class: 'next' });
  const card = h(
    'section',
    { class: 'card', 'aria-label': 'State' },
    stateTitle,
    stateText,
    did,
    next,
  );
  const commands = h('div', { class: 'commands', role: 'group', 'aria-label': 'Commands' });
  const result = h('p', { class: 'result' });
  const moments = h('p', { class: 'rule' });
  const timeline = h('ol', { class: 'timeline', 'aria-label': 'Windows' });
  const conditions = h('div', { class: 'conditions' });
  const others = h('details', { class: 'others', hidden: true });
  const actions = h('section', { 'aria-labelledby': 'actions-title', hidden: true });
  const journal = h('ol', { class: 'journal', 'aria-labelledby': 'journal-title' });
  const facts = h('dl', { class: 'facts' });
  const root = h(
    'div',
    { hidden: true },
    h('p', { class: 'crumb' }, h('a', { href: '/' }, 'All watches')),
    title,
    card,
    commands,
    result,
    h('h2', {}, 'Windows'),
    timeline,
    moments,
    h('h2', {}, 'Conditions'),
    h('p', { class: 'rule key' }, KEY),
    conditions,
    others,
    actions,
    h('h2', { id: 'journal-title' }, 'What happened'),
    journal,
    h('h2', {}, 'Details'),
    facts,
  );
  byId('content', HTMLElement).replaceChildren(root);
  return {
    root,
    title,
    card,
    stateTitle,
    stateText,
    did,
    next,
    commands,
    result,
    timeline,
    moments,
    conditions,
    others,
    actions,
    journal,
    facts,
  };
}

/**
 * @param {Place} place
 * @param {State & { view: WatchView }} state
 * @param {number} nowMs
 */
function showHead(place, state, nowMs) {
  const { view } = state;
  const { tone, title, text } = headline(state, nowMs);
  setText(place.title, `${view.service} ${view.version} · ${view.environment}`);
  place.card.className = `card tone-${tone}`;
  setText(place.stateTitle, title);
  setText(place.stateText, text);
  const { did, next } = deeds(state, nowMs);
  fill(place.did, did, () => did.map((deed) => h('li', {}, deed)));
  fill(place.next, next, () => [h('strong', {}, 'Next: '), next]);
  document.title = `${title.replace(/ \d.*$/, '')}: ${view.service} ${view.version}`;
}

/**
 * @param {import('./types.d.ts').Command} command
 * @param {() => void} onclick
 */
function commandButton({ label, refused, tone, verb }, onclick) {
  const why = refused === null ? null : `why-${verb}`;
  const props = { type: 'button', class: `act ${tone}`, 'aria-describedby': why };
  return [
    h('button', { ...props, disabled: refused !== null, onclick }, label),
    why !== null && h('span', { class: 'refused', id: why }, `${label}: ${refused}`),
  ].filter((child) => child !== false);
}

/**
 * @param {HTMLElement} place
 * @param {WatchView} view
 */
function showActions(place, { actions }) {
  place.hidden = actions.length === 0;
  fill(place, actions, () => [
    h('h2', { id: 'actions-title' }, 'Actions'),
    h(
      'ul',
      { class: 'actions' },
      ...actions.map(({ action, state, attempts, detail }) =>
        h(
          'li',
          { class: `action-${state}` },
          h('strong', {}, `${actionName(action)}: ${state.replace('_', ' ')}`),
          ` ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`,
          detail !== null && ` · ${detail}`,
        ),
      ),
    ),
  ]);
}

/**
 * @param {HTMLElement} place
 * @param {State & { view: WatchView }} state
 * @param {number} nowMs
 */
function showJournal(place, { events, view }, nowMs) {
  const deployed = Date.parse(view.deployedAt);
  fill(place, [events.length, events.at(-1)?.seq, view.conditions.length], () => {
    const known = knownOf(view.conditions);
    return events.toReversed().map((event) => {
      const { tone, title, text } = lineOf(event, known);
      const since = `T+${span(event.atMs - deployed)}`;
      const day = momentOf(event.atMs, nowMs).includes(' ') ? momentOf(event.atMs, nowMs) : '';
      return h(
        'li',
        { class: `tone-${tone}` },
        h(
          'span',
          { class: 'when' },
          h('time', { datetime: new Date(event.atMs).toISOString() }, day || timeOf(event.atMs)),
          ` ${since}`,
        ),
        h('span', { class: 'what' }, h('strong', {}, title), text !== '' && ` ${text}`),
      );
    });
  });
}

/**
 * @param {HTMLElement} place
 * @param {WatchView} view
 * @param {number} nowMs
 */
function showFacts(place, view, nowMs) {
  fill(place, [view.id, view.deadlineAt, view.acknowledgedBy, view.links, view.armed], () => {
    const at = (/** @type {string} */ iso) => momentOf(Date.parse(iso), nowMs);
    /** @type {[string, string | null][]} */
    const facts = [
      ['Watch', view.id],
      ['Previous version', view.previousVersion],
      [
        'Deployed',
        `${at(view.deployedAt)}${view.deployedBy === null ? '' : ` by ${view.deployedBy}`}`,
      ],
      ['Ends at the latest', at(view.deadlineAt)],
      ['Armed', `${view.armed.seen} of ${view.armed.total} stop conditions`],
      ['Policy', `${view.policy}, judged every ${span(view.intervalMs)}`],
      ['Acknowledged', view.acknowledgedBy],
      ...Object.entries(view.parameters).map(([name, value]) => {
        return /** @type {[string, string]} */ ([name, String(value)]);
      }),
    ];
    const links = view.links.filter(({ url }) => isWebUrl(url));
    const rel = 'noreferrer noopener';
    return [
      ...facts.flatMap(([name, value]) =>
        value === null ? [] : [h('dt', {}, name), h('dd', {}, value)],
      ),
      ...links.flatMap(({ label, url }) => [
        h('dt', {}, label),
        h('dd', {}, h('a', { href: url, rel }, url)),
      ]),
    ];
  });
}
