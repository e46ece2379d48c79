// All gates: the newest decision on the newest version of each, then on the versions before it.
/** @import { DecisionRow } from './gate-types.d.ts' */
/** @import { Answer, Failure, Link } from './types.d.ts' */
/** @import { Api } from './api.js' */
/** @import { ServerClock } from './server-clock.js' */
import { byId, fill, h, setText } from './dom.js';
import { ago } from './format.js';
import { showFailure, showFoot, showLink } from './frame.js';
import { command, cut } from './gate-dom.js';
import { decisionOf, newestOf } from './gate-words.js';
import { Poller } from './poller.js';

const POLL_MS = 15_000;
const PAGE = 50;
/** So many decisions are looked through for the newest of each gate. */
const LOOKED_THROUGH = 200;
/** From so many on it pays to search. */
const SEARCHED = 8;

/** @typedef {{ gateRecords: readonly DecisionRow[], nextBefore: string | null }} Records */

export class GatesPage {
  #api;
  #clock;
  #place = layout();
  #poller = new Poller(POLL_MS, (isCurrent) => this.#refresh(isCurrent));
  /** @type {ReturnType<typeof newestOf> | null} */
  #known = null;
  /** @type {Link} */
  #link = 'connecting';
  /** @type {number | null} */
  #heardAtMs = null;
  /** @type {Failure | null} */
  #failure = null;

  /** @param {{ api: Api, clock: ServerClock }} deps */
  constructor({ api, clock }) {
    this.#api = api;
    this.#clock = clock;
  }

  start() {
    this.#place.searched.addEventListener('input', () => this.#show());
    const everySecond = () => {
      if (!document.hidden) this.#show();
      setTimeout(everySecond, 1_000);
    };
    void this.#poller.now().then(everySecond);
  }

  /** @param {() => boolean} isCurrent */
  async #refresh(isCurrent) {
    const answer = await readRecords(this.#api);
    if (!isCurrent()) return false;
    this.#failure = answer.ok ? null : answer.failure;
    const isFinal = !answer.ok && [401, 403].includes(answer.failure.status);
    this.#link = answer.ok ? 'live' : isFinal ? 'refused' : 'lost';
    if (answer.ok) {
      this.#known = newestOf(answer.value);
      this.#heardAtMs = this.#clock.now();
    }
    this.#show();
    return !isFinal;
  }

  #show() {
    const nowMs = this.#clock.now();
    const { root, now, before, beforeTitle, none, search, searched } = this.#place;
    const onToken = () => void this.#poller.now();
    showFailure(this.#failure, { api: this.#api, onToken });
    showLink({ link: this.#link, heardAtMs: this.#heardAtMs }, nowMs, POLL_MS);
    showFoot(nowMs);
    const known = this.#link === 'refused' ? null : this.#known;
    root.hidden = known === null;
    if (known === null) return;
    const all = known.now.length + known.before.length;
    search.hidden = all < SEARCHED;
    const wanted = all < SEARCHED ? '' : searched.value.trim().toLowerCase();
    const fits = (/** @type {DecisionRow} */ { gate, title, deploy }) =>
      [deploy.service, deploy.version, deploy.environment, gate, title]
        .join(' ')
        .toLowerCase()
        .includes(wanted);
    const older = known.before.filter(fits);
    none.hidden = all > 0;
    beforeTitle.hidden = older.length === 0;
    rows(now, known.now.filter(fits), nowMs);
    rows(before, older, nowMs);
    document.title = 'Gates';
  }
}

/**
 * @param {Api} api
 * @returns {Promise<Answer<DecisionRow[]>>}
 */
async function readRecords(api) {
  /** @type {DecisionRow[]} */
  const found = [];
  /** @type {string | null} */
  let before = null;
  do {
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (before !== null) query.set('before', before);
    /** @type {Answer<Records>} */
    const page = await api.get(`/v1/gate-records?${query}`);
    if (!page.ok) return page;
    found.push(...page.value.gateRecords);
    before = page.value.nextBefore;
  } while (before !== null && found.length < LOOKED_THROUGH);
  return { ok: true, value: found };
}

function layout() {
  const now = h('ul', { class: 'watches', 'aria-label': 'Newest decisions' });
  const beforeTitle = h(
    'h2',
    { id: 'before-title', hidden: true },
    'Other versions, decided before',
  );
  const before = h('ul', { class: 'watches', 'aria-labelledby': 'before-title' });
  const searched = h('input', { type: 'search', name: 'search', autocomplete: 'off' });
  const search = h('label', { class: 'search', hidden: true }, h('span', {}, 'Find'), searched);
  const none = h(
    'div',
    { hidden: true },
    h(
      'p',
      { class: 'none' },
      'No gate has told its decision yet. One that is carried out tells it:',
    ),
    command('canaryd gate aurora-testnet --version 2.1.0 --daemon', 'carry out a gate'),
  );
  const root = h(
    'div',
    { hidden: true, class: 'gates' },
    h('h1', { tabindex: '-1' }, 'Gates'),
    search,
    none,
    now,
    beforeTitle,
    before,
  );
  byId('content', HTMLElement).replaceChildren(root);
  return { root, now, before, beforeTitle, none, search, searched };
}

/**
 * Keeps the row of each decision, so that focus stays where it is.
 * @param {HTMLElement} list
 * @param {readonly DecisionRow[]} records
 * @param {number} nowMs
 */
function rows(list, records, nowMs) {
  const old = new Map([...list.children].map((row) => [row.getAttribute('data-id'), row]));
  const wanted = records.map((record) => old.get(record.id) ?? rowOf(record));
  fill(
    list,
    records.map(({ id }) => id),
    () => wanted,
  );
  for (const [index, record] of records.entries()) {
    const age = wanted[index]?.querySelector('.age');
    if (age instanceof Element) setText(age, ago(nowMs - Date.parse(record.endedAt)));
  }
}

/** @param {DecisionRow} record */
function rowOf(record) {
  const { service, version, environment } = record.deploy;
  const { tone, word } = decisionOf(record);
  // The first says how the rule counts, the second what decided.
  const [counts, decided] = record.reasons;
  return h(
    'li',
    { 'data-id': record.id },
    h(
      'a',
      { href: `/gates/${encodeURIComponent(record.id)}`, class: `watch tone-${tone}` },
      h('span', { class: 'state' }, word),
      h('span', { class: 'name' }, h('bdi', {}, cut(`${service} ${version}`))),
      h(
        'span',
        { class: 'where' },
        h('span', { class: 'age' }),
        ' · ',
        h('bdi', {}, cut(`${environment} · ${record.title}`)),
      ),
      counts !== undefined && h('span', { class: 'why' }, h('bdi', {}, cut(counts))),
      decided !== undefined &&
        record.decision !== 'go' &&
        h('span', { class: 'why' }, h('bdi', {}, cut(decided))),
    ),
  );
}
