// What surrounds the list and a watch: the state of the line, the hold-fire banner, the question for
// a token, trouble in words, and what a screen reader is told.
/** @import { Failure, Hold, Link, Me, State } from './types.d.ts' */
/** @import { Api } from './api.js' */
import { holdCommand } from './commands.js';
import { ask, failureText } from './dialog.js';
import { byId, fill, h, setText } from './dom.js';
import { ago, momentOf, span, ZONE } from './format.js';

/** An open line that says nothing for so many intervals may be dead. */
const SILENT_INTERVALS = 3;
const SILENT_MIN_MS = 5_000;

/**
 * @param {Link} link
 * @param {number | null} heardAtMs
 * @param {number} nowMs
 * @param {number} everyMs how often news are expected
 */
export function linkText(link, heardAtMs, nowMs, everyMs = 0) {
  const silentMs = heardAtMs === null ? 0 : nowMs - heardAtMs;
  const age = heardAtMs === null ? '' : `, last data ${ago(silentMs)}`;
  switch (link) {
    case 'live': {
      const isSilent = silentMs > Math.max(SILENT_MIN_MS, SILENT_INTERVALS * everyMs);
      return isSilent ? `silent${age}` : 'live';
    }
    case 'polling':
      return `asking every few seconds${age}`;
    case 'lost':
      return heardAtMs === null ? 'no connection' : `connection lost${age}`;
    case 'over':
      return 'the watch is over';
    case 'connecting':
      return 'connecting';
    case 'refused':
      return '';
  }
}

/**
 * @param {Pick<State, 'link' | 'heardAtMs'>} state
 * @param {number} nowMs
 * @param {number} everyMs
 */
export function showLink({ link, heardAtMs }, nowMs, everyMs) {
  const place = byId('link', HTMLElement);
  const text = linkText(link, heardAtMs, nowMs, everyMs);
  place.dataset['link'] = text.startsWith('silent') ? 'polling' : link;
  setText(place, text);
}

/**
 * @param {Hold | null | undefined} hold
 * @param {{ api: Api, me: Me | null, nowMs: number, onDone: (text: string) => void }} deps
 */
export function showHold(hold, { api, me, nowMs, onDone }) {
  const place = byId('hold', HTMLElement);
  place.hidden = !hold;
  if (!hold) return;
  const age = span(nowMs - hold.sinceMs);
  fill(place, [hold, me], () => {
    const command = holdCommand(hold, me);
    const onclick = () => ask(command, null, { api, me, onDone });
    return [
      h(
        'p',
        {},
        h('strong', {}, 'Hold fire is on: '),
        'nothing is disarmed or rolled back, in any watch. ',
        h('span', {}, `By ${hold.by}: ${hold.reason} `),
        h('span', { class: 'age' }),
      ),
      command.refused === null && h('button', { type: 'button', onclick }, command.label),
    ];
  });
  const since = place.querySelector('.age');
  if (since !== null) setText(since, `(for ${age})`);
}

/**
 * @param {Failure | null} failure
 * @param {{ api: Api, onToken: () => void }} deps
 */
export function showFailure(failure, { api, onToken }) {
  const trouble = byId('trouble', HTMLElement);
  const gate = byId('gate', HTMLFormElement);
  const forget = byId('forget', HTMLButtonElement);
  const needsToken = failure?.status === 401 || failure?.status === 403;
  const isFirst = failure?.status === 401 && !api.hasToken;
  trouble.hidden = failure === null || isFirst;
  setText(trouble, failure === null || isFirst ? '' : failureText(failure));
  forget.hidden = !api.hasToken;
  forget.onclick = () => {
    api.setToken('');
    location.reload();
  };
  const wasHidden = gate.hidden;
  gate.hidden = !needsToken;
  if (!needsToken || !wasHidden) return;
  fill(gate, 'gate', () => gateFields());
  gate.onsubmit = (event) => {
    event.preventDefault();
    const input = gate.querySelector('input[type=password]');
    const keep = gate.querySelector('input[type=checkbox]');
    const problem = gate.querySelector('.problem');
    if (!(input instanceof HTMLInputElement) || problem === null) return;
    const token = input.value.trim();
    const isToken = TOKEN.test(token);
    setText(problem, isToken ? '' : 'That is no token: it has only letters, digits and signs.');
    if (!isToken) return input.focus();
    api.setToken(token, keep instanceof HTMLInputElement && keep.checked);
    input.value = '';
    onToken();
  };
  const first = gate.querySelector('input[type=password]');
  if (first instanceof HTMLInputElement) first.focus();
}

/** What a header can carry. */
const TOKEN = /^[\x21-\x7e]+$/;

/** A password manager can fill it: nobody types forty characters at night. */
function gateFields() {
  const user = { type: 'text', name: 'username', autocomplete: 'username', value: 'canaryd' };
  const password = { type: 'password', name: 'token', autocomplete: 'current-password' };
  return [
    h('h1', {}, 'A token is needed'),
    h('p', {}, 'With scope read it shows, with scope act it can act.'),
    h('input', { ...user, hidden: true, tabindex: '-1', 'aria-hidden': 'true' }),
    h('label', {}, h('span', {}, 'Token'), h('input', { ...password, required: true })),
    h(
      'label',
      { class: 'choice' },
      h('input', { type: 'checkbox', name: 'keep' }),
      h('span', {}, 'Keep it on this device; otherwise in this tab only'),
    ),
    h('p', { class: 'problem', role: 'alert' }),
    h('button', { type: 'submit', class: 'act main' }, 'Show'),
  ];
}

/** Said once to those who do not see it. @param {string} text */
export function announce(text) {
  setText(byId('live', HTMLElement), text);
}

/** @param {number} nowMs */
export function showFoot(nowMs) {
  const at = nowMs === 0 ? '' : `; the clock of canaryd says ${momentOf(nowMs, nowMs)}`;
  setText(byId('foot', HTMLElement), `Times are in ${ZONE}${at}.`);
}
