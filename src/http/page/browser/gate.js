// One decision of a gate, from the top down as a release manager needs it: GO or not and how old,
// why, what is not met, who still has to sign, what comes next, the evidence.
/** @import { DecisionRow, RecordView } from './gate-types.d.ts' */
/** @import { Answer, Failure, Link, Me } from './types.d.ts' */
/** @import { Api } from './api.js' */
/** @import { ServerClock } from './server-clock.js' */
import { refocus } from './dialog.js';
import { byId, fill, h, setText } from './dom.js';
import { ago, momentOf, span } from './format.js';
import { announce, showFailure, showFoot, showLink } from './frame.js';
import { sectionsOf, unmetOf } from './gate-criteria.js';
import { command, cut, foreign } from './gate-dom.js';
import { showHead } from './gate-head.js';
import { approvalPartsOf, signaturesOf } from './gate-people.js';
import { decisionOf, sinceText, validText, verifyCommand } from './gate-words.js';
import { Poller } from './poller.js';

/** A decision never changes; what changes is who signs, and whether a newer one is there. */
const POLL_MS = 15_000;

/** @typedef {{ gateRecords: readonly DecisionRow[] }} Records */

export class GatePage {
  #id;
  #api;
  #clock;
  #place = layout();
  #poller = new Poller(POLL_MS, (isCurrent) => this.#refresh(isCurrent));
  /** @type {RecordView | null} */
  #record = null;
  /** @type {DecisionRow | null} */
  #newer = null;
  /** @type {Me | null} */
  #me = null;
  /** @type {Link} */
  #link = 'connecting';
  /** @type {number | null} */
  #heardAtMs = null;
  /** @type {Failure | null} */
  #failure = null;
  #announced = '';

  /**
   * @param {string} id
   * @param {{ api: Api, clock: ServerClock }} deps
   */
  constructor(id, { api, clock }) {
    this.#id = id;
    this.#api = api;
    this.#clock = clock;
  }

  start() {
    const everySecond = () => {
      if (!document.hidden) this.#show();
      setTimeout(everySecond, 1_000);
    };
    void this.#poller.now().then(everySecond);
  }

  /** @param {() => boolean} isCurrent */
  async #refresh(isCurrent) {
    const [answer, me] = await Promise.all([
      /** @type {Promise<Answer<RecordView>>} */ (
        this.#api.get(`/v1/gate-records/${encodeURIComponent(this.#id)}`)
      ),
      this.#me === null ? /** @type {Promise<Answer<Me>>} */ (this.#api.get('/v1/me')) : null,
    ]);
    const newer = answer.ok && !answer.value.isNewest ? await this.#findNewer(answer.value) : null;
    if (!isCurrent()) return false;
    if (me?.ok) this.#me = me.value;
    this.#failure = answer.ok ? null : answer.failure;
    const isFinal = !answer.ok && [401, 403, 404].includes(answer.failure.status);
    this.#link = answer.ok ? 'live' : isFinal ? 'refused' : 'lost';
    if (answer.ok) {
      this.#record = answer.value;
      this.#newer = newer;
      this.#heardAtMs = this.#clock.now();
    }
    this.#show();
    return !isFinal;
  }

  /**
   * @param {RecordView} record
   * @returns {Promise<DecisionRow | null>}
   */
  async #findNewer({ id, gate, deploy: { service, environment, version } }) {
    const query = new URLSearchParams({ gate, service, environment, version, limit: '20' });
    const path = `/v1/gate-records?${query}`;
    const found = await /** @type {Promise<Answer<Records>>} */ (this.#api.get(path));
    const newest = found.ok ? found.value.gateRecords.find((one) => one.isNewest) : undefined;
    return newest === undefined || newest.id === id ? null : newest;
  }

  #show() {
    const nowMs = this.#clock.now();
    const api = this.#api;
    const failure = this.#record === null || this.#link === 'refused' ? this.#failure : null;
    showFailure(failure, { api, onToken: () => void this.#withToken() });
    showLink({ link: this.#link, heardAtMs: this.#heardAtMs }, nowMs, POLL_MS);
    showFoot(nowMs);
    const record = this.#link === 'refused' ? null : this.#record;
    this.#place.root.hidden = record === null;
    if (record === null) return;
    const onDone = (/** @type {string} */ text) => this.#onDone(text);
    const deps = { api, me: this.#me, record, onDone };
    showHead(this.#place, record, this.#newer, nowMs);
    fill(this.#place.unmet, record.id, () => unmetOf(record, nowMs));
    fill(this.#place.sections, record.id, () => sectionsOf(record, nowMs));
    const focused = verbOf(document.activeElement);
    const key = [record.id, record.signedSince, this.#me, expiries(record, nowMs)];
    fill(this.#place.signatures, key, () => signaturesOf(deps, nowMs));
    fill(this.#place.approvals, key, () => approvalPartsOf(deps));
    showAges(this.#place.root, nowMs);
    if (focused !== undefined) refocus(focused);
    showEvidence(this.#place, record, nowMs);
    this.#announce(record, this.#newer);
  }

  /**
   * @param {RecordView} record
   * @param {DecisionRow | null} newer
   */
  #announce(record, newer) {
    const said = [sinceText(record), newer && `A newer decision: ${decisionOf(newer).word}`]
      .filter(Boolean)
      .join('. ');
    if (said !== this.#announced && said !== '') announce(said);
    this.#announced = said;
  }

  /** @param {string} text */
  #onDone(text) {
    setText(this.#place.result, `${text} It is in the journal. Run the gate again to count it.`);
    announce(text);
    void this.#poller.now();
  }

  /** Another token is somebody else. */
  #withToken() {
    this.#me = null;
    return this.#poller.now();
  }
}

/**
 * @param {Element | null} element
 * @returns {string | undefined}
 */
function verbOf(element) {
  return element instanceof HTMLElement ? element.dataset['verb'] : undefined;
}

/**
 * A signature may expire while somebody looks.
 * @param {RecordView} record
 * @param {number} nowMs
 */
function expiries({ criteria }, nowMs) {
  return criteria.flatMap(({ signOffs }) => signOffs.map(({ text }) => validText(text, nowMs)));
}

/**
 * @param {Element} root
 * @param {number} nowMs
 */
function showAges(root, nowMs) {
  for (const place of root.querySelectorAll('[data-at]')) {
    setText(place, ago(nowMs - Date.parse(place.getAttribute('data-at') ?? '')));
  }
}

/** @typedef {ReturnType<typeof layout>} Place */

function layout() {
  const title = h('h1', { tabindex: '-1' });
  const word = h('span', { class: 'verdict' });
  const age = h('span', { class: 'verdict-age' });
  const what = h('p', { class: 'detail' });
  const newer = h('div', { class: 'newer', hidden: true });
  const since = h('div', { class: 'newer', hidden: true });
  const reasons = h('div', { class: 'why' });
  const next = h('div', { class: 'next' });
  const card = h(
    'section',
    { class: 'card', 'aria-label': 'Decision' },
    h('p', { class: 'headline' }, word, ' ', age),
    what,
    reasons,
    next,
  );
  const result = h('p', { class: 'result' });
  const unmet = h('div', {});
  const sections = h('div', {});
  const signatures = h('section', { 'aria-label': 'Signatures' });
  const approvals = h('section', { 'aria-label': 'Approvals' });
  const evidence = h('div', {});
  const facts = h('dl', { class: 'facts' });
  const root = h(
    'div',
    { hidden: true, class: 'decision' },
    title,
    newer,
    since,
    card,
    result,
    unmet,
    signatures,
    approvals,
    sections,
    h('h2', {}, 'Evidence'),
    evidence,
    facts,
  );
  const crumb = h('p', { class: 'crumb' }, h('a', { href: '/gates' }, 'All gates'));
  byId('content', HTMLElement).replaceChildren(crumb, root);
  return {
    ...{ root, title, card, word, age, what, newer, since, reasons, next, result },
    ...{ unmet, sections, signatures, approvals, evidence, facts },
  };
}

/**
 * @param {Place} place
 * @param {RecordView} record
 * @param {number} nowMs
 */
function showEvidence(place, record, nowMs) {
  fill(place.evidence, record.id, () => {
    if (record.evidenceSha256 === null) {
      return [h('p', {}, 'Reported without evidence: nothing shows later what was found.')];
    }
    return [
      h('p', {}, 'Where the gate was carried out there is a folder. Whether it is still the same:'),
      command(verifyCommand(record), 'verify the evidence'),
    ];
  });
  fill(place.facts, record.id, () => {
    const tookMs = Date.parse(record.endedAt) - Date.parse(record.startedAt);
    /** @type {(readonly [string, string | null])[]} */
    const facts = [
      ['Gate', record.gate],
      ['Service', record.deploy.service],
      ['Version', record.deploy.version],
      ['Environment', record.deploy.environment],
      ['Decided', `${momentOf(Date.parse(record.endedAt), nowMs)}, after ${span(tookMs)}`],
      ['Received', momentOf(Date.parse(record.receivedAt), nowMs)],
      ['Reported by', record.reportedBy],
      ['Record', record.id],
      ['Gate file', `sha256 ${record.gateSha256}`],
      ...entries(record.deploy.parameters),
      ['canaryd', record.canaryd],
      ...entries(record.tools).filter(([name]) => name !== 'canaryd'),
    ];
    return facts.flatMap(([name, value]) =>
      value === null ? [] : [h('dt', {}, h('bdi', {}, cut(name))), h('dd', {}, foreign(value))],
    );
  });
}

/**
 * @param {Readonly<Record<string, string | number>>} record
 * @returns {(readonly [string, string])[]}
 */
function entries(record) {
  return Object.entries(record).map(([name, value]) => [name, String(value)]);
}
