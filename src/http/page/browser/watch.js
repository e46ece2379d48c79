// One watch, from the top down as it is needed at night: what happened, what canaryd did and will
// do, what one can do, then the evidence.
/** @import { Action, State, WatchView } from './types.d.ts' */
/** @import { Api } from './api.js' */
/** @import { ServerClock } from './server-clock.js' */
import { commandsFor, signCommand } from './commands.js';
import { conditionCards } from './condition-cards.js';
import { ask, refocus } from './dialog.js';
import { byId, fill, h, isWebUrl, setText } from './dom.js';
import { momentOf, span, timeOf } from './format.js';
import { announce, showFailure, showFoot, showHold, showLink } from './frame.js';
import { Follower } from './live.js';
import { EMPTY, reduce } from './reducer.js';
import { knownOf, lineOf } from './story.js';
import { showTimeline } from './timeline.js';
import { actionName, deeds, headline, signOffText, withoutAge } from './words.js';

/** News come in bursts: they are drawn together. Not by frames: hidden tabs have none. */
const BURST_MS = 20;

export class WatchPage {
  #id;
  #api;
  #clock;
  #live;
  #place = layout();
  #cards = conditionCards(this.#place.conditions, this.#place.others);
  /** @type {State} */
  #state = EMPTY;
  #announced = '';
  #isDrawing = false;

  /**
   * @param {string} id
   * @param {{ api: Api, clock: ServerClock }} deps
   */
  constructor(id, { api, clock }) {
    this.#id = id;
    this.#api = api;
    this.#clock = clock;
    const dispatch = (/** @type {Action} */ action) => this.#dispatch(action);
    this.#live = new Follower(id, { api, clock, dispatch });
  }

  start() {
    void this.#live.start();
    const everySecond = () => {
      if (!document.hidden) this.#show();
      setTimeout(everySecond, 1_000);
    };
    setTimeout(everySecond, 1_000);
  }

  /** @param {Action} action */
  #dispatch(action) {
    const before = this.#state;
    this.#state = reduce(before, action);
    if (this.#state === before || this.#isDrawing) return;
    this.#isDrawing = true;
    setTimeout(() => {
      this.#isDrawing = false;
      this.#show();
    }, BURST_MS);
  }

  /** @param {string} text */
  #onDone(text) {
    setText(this.#place.result, text);
    announce(text);
    void this.#live.refresh();
  }

  #show() {
    const nowMs = this.#clock.now();
    const { view, failure, hold, me } = this.#state;
    const api = this.#api;
    const onDone = (/** @type {string} */ text) => this.#onDone(text);
    const onToken = () => void this.#live.start();
    const shownFailure = view === null || failure?.status === 401 ? failure : null;
    showFailure(shownFailure, { api, onToken });
    showHold(hold, { api, me, nowMs, onDone });
    showLink(this.#state, nowMs, view?.intervalMs ?? 0);
    showFoot(nowMs);
    this.#place.root.hidden = view === null;
    if (view === null) return;
    const known = { ...this.#state, view };
    showHead(this.#place, known, nowMs);
    const commands = commandsFor(view, hold ?? null, me);
    const open = (/** @type {import('./types.d.ts').Command} */ command) => {
      setText(this.#place.result, '');
      ask(command, this.#id, { api, me, onDone });
    };
    const focused = verbOf(document.activeElement);
    fill(this.#place.commands, [commands, me], () =>
      commands.flatMap((command) => commandButton(command, () => open(command))),
    );
    if (focused !== undefined) refocus(focused);
    showTimeline(this.#place.timeline, this.#place.moments, view, nowMs);
    this.#cards.show(known);
    showSignOffs(this.#place.signOffs, known, nowMs, open);
    showActions(this.#place.actions, view);
    showJournal(this.#place.journal, known, nowMs);
    showFacts(this.#place.facts, view, nowMs);
    this.#announce(view, headline(known, nowMs).title);
  }

  /**
   * @param {WatchView} view
   * @param {string} title
   */
  #announce({ service, version }, title) {
    const said = `${service} ${version}: ${withoutAge(title)}`;
    if (this.#announced !== '' && said !== this.#announced) announce(said);
    this.#announced = said;
  }
}

/**
 * @param {Element | null} element
 * @returns {string | undefined}
 */
function verbOf(element) {
  return element instanceof HTMLElement ? element.dataset['verb'] : undefined;
}

const KEY =
  'Dashed: the limit. Red: beyond it. Violet: blind. Grey: too early to judge. Triangle: fired.';

/** @typedef {ReturnType<typeof layout>} Place */

function stateCard() {
  const stateTitle = h('p', { class: 'headline' });
  const stateText = h('p', { class: 'detail' });
  const withoutGo = h('p', { class: 'without-go', hidden: true });
  const did = h('ul', { class: 'did' });
  const next = h('p', { class: 'next' });
  const card = h(
    'section',
    { class: 'card', 'aria-label': 'State' },
    stateTitle,
    stateText,
    withoutGo,
    did,
    next,
  );
  return { card, stateTitle, stateText, withoutGo, did, next };
}

function layout() {
  const title = h('h1', { tabindex: '-1' });
  const state = stateCard();
  const commands = h('div', { class: 'commands', role: 'group', 'aria-label': 'Commands' });
  const result = h('p', { class: 'result' });
  const moments = h('p', { class: 'rule' });
  const timeline = h('ol', { class: 'timeline', 'aria-label': 'Windows' });
  const conditions = h('div', { class: 'conditions' });
  const others = h('details', { class: 'others', hidden: true });
  const signOffs = h('section', { 'aria-labelledby': 'sign-offs-title', hidden: true });
  const actions = h('section', { 'aria-labelledby': 'actions-title', hidden: true });
  const journal = h('ol', { class: 'journal', 'aria-labelledby': 'journal-title' });
  const facts = h('dl', { class: 'facts' });
  const root = h(
    'div',
    { hidden: true },
    title,
    state.card,
    commands,
    result,
    signOffs,
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
  const crumb = h('p', { class: 'crumb' }, h('a', { href: '/' }, 'All watches'));
  byId('content', HTMLElement).replaceChildren(crumb, root);
  return {
    root,
    title,
    ...state,
    commands,
    result,
    timeline,
    moments,
    conditions,
    others,
    signOffs,
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
  place.withoutGo.hidden = view.withoutGo === null;
  setText(place.withoutGo, `Started WITHOUT a GO: found ${view.withoutGo}.`);
  const { did, next } = deeds(state, nowMs);
  fill(place.did, did, () => did.map((deed) => h('li', {}, deed)));
  fill(place.next, next, () => [h('strong', {}, 'Next: '), next]);
  document.title = `${withoutAge(title)}: ${view.service} ${view.version}`;
}

/**
 * @param {import('./types.d.ts').Command} command
 * @param {() => void} onclick
 */
function commandButton({ label, refused, tone, verb, role = '' }, onclick) {
  const why = refused === null ? null : `why-${verb}${role}`;
  const props = {
    ...{ type: 'button', class: `act ${tone}`, 'aria-describedby': why, 'data-verb': verb },
  };
  return [
    h('button', { ...props, disabled: refused !== null, onclick }, label),
    why !== null && h('span', { class: 'refused', id: why }, `${label}: ${refused}`),
  ].filter((child) => child !== false);
}

/**
 * @param {HTMLElement} place
 * @param {State & { view: WatchView }} state
 * @param {number} nowMs
 * @param {(command: import('./types.d.ts').Command) => void} open
 */
function showSignOffs(place, { view, me }, nowMs, open) {
  const { signOffs, phase } = view;
  place.hidden = signOffs.length === 0;
  const isDue = signOffs.some(({ dueAt }) => Date.parse(dueAt) <= nowMs);
  fill(place, [signOffs, phase, me, isDue], () => [
    h('h2', { id: 'sign-offs-title' }, 'Signatures'),
    h(
      'ul',
      { class: 'sign-offs' },
      ...signOffs.map((signOff) => {
        const command = signCommand(view, signOff, me);
        const text = signOffText(signOff, nowMs);
        return h(
          'li',
          { class: signOff.signed === null && isDue ? 'due' : null },
          h('strong', {}, signOff.role),
          ` ${signOff.statement}. ${text}`,
          ...(command === null ? [] : commandButton(command, () => open(command))),
        );
      }),
    ),
  ]);
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
