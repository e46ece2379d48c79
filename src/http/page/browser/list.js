// All watches: the open ones, then those that ended lately. It asks again every few seconds, and
// less often when the answers take long: it must not be what slows canaryd down.
/** @import { Answer, Failure, Hold, Link, Me, WatchView } from './types.d.ts' */
/** @import { Api } from './api.js' */
/** @import { ServerClock } from './server-clock.js' */
import { holdCommand } from './commands.js';
import { ask } from './dialog.js';
import { byId, fill, h, setText } from './dom.js';
import { ago, plain, span } from './format.js';
import { announce, showFailure, showFoot, showHold, showLink } from './frame.js';
import { needsSomebody, phaseOf } from './words.js';

const POLL_MS = 4_000;
/** Asking takes at most a tenth of the time. */
const REST_PER_WORK = 9;
const PAGE = 200;
const OPEN_MAX = 1_000;
const RECENT = 30;
/** So many stopped ones are looked through for those that need somebody. */
const STOPPED = 50;
/** From so many on it pays to search. */
const SEARCHED = 8;
const TROUBLED = { bad: 0, warn: 1, blind: 2, calm: 3, good: 3 };

/** @typedef {{ open: WatchView[], needy: WatchView[], recent: WatchView[] }} Known */

export class ListPage {
  #api;
  #clock;
  #place = layout();
  /** @type {Known | null} */
  #known = null;
  /** @type {Hold | null} */
  #hold = null;
  /** @type {Me | null} */
  #me = null;
  /** @type {Link} */
  #link = 'connecting';
  /** @type {number | null} */
  #heardAtMs = null;
  /** @type {Failure | null} */
  #failure = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {{ api: Api, clock: ServerClock }} deps */
  constructor({ api, clock }) {
    this.#api = api;
    this.#clock = clock;
  }

  start() {
    this.#place.searched.addEventListener('input', () => this.#show());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) void this.#refresh();
    });
    const everySecond = () => {
      this.#show();
      setTimeout(everySecond, 1_000);
    };
    void this.#refresh().then(everySecond);
  }

  async #refresh() {
    clearTimeout(this.#timer);
    const began = performance.now();
    const [watches, hold, me] = await Promise.all([
      readWatches(this.#api, this.#clock),
      /** @type {Promise<Answer<{ hold: Hold | null }>>} */ (this.#api.get('/v1/hold')),
      this.#me === null ? /** @type {Promise<Answer<Me>>} */ (this.#api.get('/v1/me')) : null,
    ]);
    if (me?.ok) this.#me = me.value;
    if (hold.ok) this.#hold = hold.value.hold;
    this.#failure = watches.ok ? null : watches.failure;
    this.#link = watches.ok ? 'live' : needsToken(this.#failure) ? 'refused' : 'lost';
    if (watches.ok) {
      this.#known = watches.value;
      this.#heardAtMs = this.#clock.now();
    }
    this.#show();
    if (needsToken(this.#failure) || document.hidden) return;
    const rest = Math.max(POLL_MS, REST_PER_WORK * (performance.now() - began));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#refresh(), rest);
  }

  /** @param {string} text */
  #onDone(text) {
    announce(text);
    void this.#refresh();
  }

  #show() {
    const nowMs = this.#clock.now();
    const api = this.#api;
    const me = this.#me;
    const onDone = (/** @type {string} */ text) => this.#onDone(text);
    showFailure(this.#failure, { api, onToken: () => this.#withToken() });
    showHold(this.#hold, { api, me, nowMs, onDone });
    showLink({ link: this.#link, heardAtMs: this.#heardAtMs }, nowMs, 2 * POLL_MS);
    showFoot(nowMs);
    const known = needsToken(this.#failure) ? null : this.#known;
    this.#place.root.hidden = known === null;
    if (known === null) return;
    const all = known.open.length + known.needy.length + known.recent.length;
    this.#place.search.hidden = all < SEARCHED;
    const wanted = all < SEARCHED ? '' : this.#place.searched.value.trim().toLowerCase();
    const fits = (/** @type {WatchView} */ { service, environment, version }) =>
      `${service} ${version} ${environment}`.toLowerCase().includes(wanted);
    const open = known.open.filter(fits).toSorted((a, b) => rankOf(a) - rankOf(b));
    const needy = known.needy.filter(fits);
    this.#place.needySection.hidden = needy.length === 0;
    setText(this.#place.needyTitle, `Needs somebody (${needy.length})`);
    rows(this.#place.needy, needy, nowMs, '');
    setText(this.#place.openTitle, `Open (${open.length})`);
    rows(this.#place.open, open, nowMs, 'No watch is open. A deploy starts one.');
    rows(this.#place.recent, known.recent.filter(fits), nowMs, 'None yet.');
    const command = this.#hold === null ? holdCommand(null, me) : null;
    fill(this.#place.commands, [command, me], () => {
      if (command === null) return [];
      const onclick = () => ask(command, null, { api, me, onDone });
      const title = command.refused;
      const props = {
        type: 'button',
        disabled: title !== null,
        title,
        onclick,
        'data-verb': 'hold',
      };
      return [h('button', props, command.label)];
    });
  }

  /** Another token is somebody else. */
  #withToken() {
    this.#me = null;
    void this.#refresh();
  }
}

/** @param {Failure | null} failure */
function needsToken(failure) {
  return failure?.status === 401 || failure?.status === 403;
}

/** @param {WatchView} view */
const rankOf = (view) => TROUBLED[phaseOf(view).tone];

function layout() {
  const openTitle = h('h2', { id: 'open-title' }, 'Open');
  const open = h('ul', { class: 'watches', 'aria-labelledby': 'open-title' });
  const recent = h('ul', { class: 'watches', 'aria-labelledby': 'recent-title' });
  const commands = h('div', { class: 'commands' });
  const needyTitle = h('h2', { id: 'needy-title' }, 'Needs somebody');
  const needy = h('ul', { class: 'watches', 'aria-labelledby': 'needy-title' });
  const needySection = h('div', { hidden: true }, needyTitle, needy);
  const searched = h('input', { type: 'search', name: 'search', autocomplete: 'off' });
  const search = h('label', { class: 'search', hidden: true }, h('span', {}, 'Find'), searched);
  const root = h(
    'div',
    { hidden: true },
    h('h1', { tabindex: '-1' }, 'Watches'),
    commands,
    search,
    needySection,
    openTitle,
    open,
    h('h2', { id: 'recent-title' }, 'Ended lately'),
    recent,
  );
  byId('content', HTMLElement).replaceChildren(root);
  return {
    ...{ root, openTitle, open, recent, commands },
    ...{ needyTitle, needy, needySection, search, searched },
  };
}

/** @typedef {{ watches: WatchView[], nextBefore: string | null }} Page */

/**
 * @param {Api} api
 * @param {ServerClock} clock
 * @returns {Promise<Answer<Known>>}
 */
async function readWatches(api, clock) {
  /** @type {WatchView[]} */
  const open = [];
  /** @type {string | null} */
  let before = null;
  do {
    const query = new URLSearchParams({ active: 'true', limit: String(PAGE) });
    if (before !== null) query.set('before', before);
    /** @type {Answer<Page>} */
    const page = await api.get(`/v1/watches?${query}`);
    if (!page.ok) return page;
    open.push(...page.value.watches);
    before = page.value.nextBefore;
  } while (before !== null && open.length < OPEN_MAX);
  /** @type {Answer<Page>} */
  const recent = await api.get(`/v1/watches?active=false&limit=${RECENT}`);
  if (!recent.ok) return recent;
  // Newer ones must not push out what nobody has answered.
  /** @type {Answer<Page>} */
  const stopped = await api.get(`/v1/watches?active=false&phase=stopped&limit=${STOPPED}`);
  if (!stopped.ok) return stopped;
  const known = [...open, ...recent.value.watches, ...stopped.value.watches];
  const all = new Map(known.map((view) => [view.id, view]));
  const needy = [...all.values()].filter((view) => needsSomebody(view, clock.now()));
  const ids = new Set(needy.map(({ id }) => id));
  /** @param {WatchView} view */
  const isOther = ({ id }) => !ids.has(id);
  return {
    ok: true,
    value: { open: open.filter(isOther), needy, recent: recent.value.watches.filter(isOther) },
  };
}

/**
 * Keeps the row of each watch, so that focus stays where it is.
 * @param {HTMLElement} list
 * @param {readonly WatchView[]} views
 * @param {number} nowMs
 * @param {string} none
 */
function rows(list, views, nowMs, none) {
  const old = new Map([...list.children].map((row) => [row.getAttribute('data-id'), row]));
  const wanted = views.map((view) => {
    const row = old.get(view.id) ?? h('li', { 'data-id': view.id });
    showRow(row, view, nowMs);
    return row;
  });
  if (wanted.length === 0) {
    fill(list, none, () => [h('li', { class: 'none' }, none)]);
    return;
  }
  const isSame =
    wanted.length === list.children.length && wanted.every((row, i) => row === list.children[i]);
  if (!isSame) {
    fill(
      list,
      wanted.map((row) => row.getAttribute('data-id')),
      () => wanted,
    );
  }
}

/**
 * @param {Element} row
 * @param {WatchView} view
 * @param {number} nowMs
 */
function showRow(row, view, nowMs) {
  const { id, service, environment, version, window, phase, worst, reason, active } = view;
  const { tone, text } = phaseOf(view);
  const key = [text, tone, window, worst?.text, reason, view.acknowledgedBy, view.mode];
  fill(row, key, () => {
    const why = worst?.text ?? (phase === 'stopped' ? reason : null);
    return [
      h(
        'a',
        { href: `/watches/${encodeURIComponent(id)}`, class: `watch tone-${tone}` },
        h('span', { class: 'state' }, text),
        h('span', { class: 'name' }, `${service} ${version}`),
        h(
          'span',
          { class: 'where' },
          environment,
          active && window !== null && ` · window ${window}`,
          view.mode === 'observe' && ' · observes only',
          view.acknowledgedBy !== null && ` · acknowledged by ${view.acknowledgedBy}`,
          ' · ',
          h('span', { class: 'age' }),
        ),
        why !== null && h('span', { class: 'why' }, plain(why)),
      ),
    ];
  });
  const age = row.querySelector('.age');
  const text2 = active
    ? `deployed ${ago(nowMs - Date.parse(view.deployedAt))}`
    : `ended ${ago(nowMs - Date.parse(view.closedAt ?? view.deployedAt))}, after ${span(
        Date.parse(view.closedAt ?? view.deployedAt) - Date.parse(view.deployedAt),
      )}`;
  if (age !== null) setText(age, text2);
}
