// Asks before anything is done: what will happen, why, and who asks. Only the last button sends
// something, and what came of it is said in words.
/** @import { Answer, Command, Failure, Me } from './types.d.ts' */
/** @import { Api } from './api.js' */
import { byId, h } from './dom.js';

export const NAME_KEY = 'canaryd.name';
const REASON_MAX = 500;
/** It travels in a URL, in which a letter may be six. */
const RELEASE_REASON_MAX = 200;
export const NAME_MAX = 100;
/** No answer is no refusal. */
export const UNKNOWN =
  ' It may have been done all the same: look at what happened before you repeat it.';
const NO_REASON = 'Say why: it is recorded.';
const EXTENSIONS = ['30m', '1h', '2h', '6h', '24h'];

/**
 * @param {Command} command
 * @param {string | null} watchId
 * @param {{ reason: string, by: string, duration: string }} given
 * @param {Api} api
 * @returns {Promise<Answer<unknown>>}
 */
function send({ verb, role }, watchId, { reason, by, duration }, api) {
  const who = by === '' ? {} : { by };
  if (verb === 'release') {
    const query = new URLSearchParams({ reason, ...who });
    return api.act('DELETE', `/v1/hold?${query}`);
  }
  if (verb === 'hold') return api.act('POST', '/v1/hold', { reason, ...who });
  const path = `/v1/watches/${encodeURIComponent(watchId ?? '')}/${verb}`;
  if (verb === 'sign') {
    const note = reason === '' ? {} : { note: reason };
    return api.act('POST', path, { role, name: by, ...note });
  }
  const more = verb === 'extend' ? { by_duration: duration } : {};
  return api.act('POST', path, { reason, ...who, ...more });
}

/** @param {Failure} failure */
export function failureText({ title, detail }) {
  return detail === '' ? `${title}.` : `${title}: ${detail}`;
}

/**
 * @param {Command} command
 * @param {string | null} watchId
 * @param {{ api: Api, me: Me | null, onDone: (text: string) => void }} deps
 */
export function ask(command, watchId, { api, me, onDone }) {
  const dialog = byId('dialog', HTMLDialogElement);
  const isSigning = command.verb === 'sign';
  const needsName = isSigning || me === null || me.token === null;
  const { reason, name } = fields(me, needsName, command.verb);
  const duration = command.verb === 'extend' ? durations() : null;
  const problem = h('p', { class: 'problem', role: 'alert' });
  const confirm = h('button', { type: 'submit', class: `act ${command.tone}` }, command.confirm);
  const back = h('button', { type: 'button', onclick: () => dialog.close() }, 'Back');
  const form = h(
    'form',
    { novalidate: true },
    h('h2', { id: 'dialog-title' }, command.label),
    ...command.happens.map((text) => h('p', {}, text)),
    duration?.label,
    reason.label,
    !isSigning && suggestions(command.reasons, reason.input),
    name.label,
    problem,
    h('div', { class: 'choices' }, confirm, back),
  );
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const given = {
      reason: reason.input.value.trim(),
      by: name.input.value.trim(),
      duration: duration?.select.value ?? '',
    };
    problem.textContent = '';
    const isSaid = isSigning || demand(reason.input, given.reason, problem, NO_REASON);
    if (!isSaid) return;
    if (needsName && !demand(name.input, given.by, problem, 'Say who you are.')) return;
    localStorage.setItem(NAME_KEY, given.by);
    // What was sent cannot be taken back: its answer is waited for, and seen.
    confirm.disabled = true;
    back.disabled = true;
    const answer = await send(command, watchId, given, api);
    confirm.disabled = false;
    back.disabled = false;
    if (!answer.ok) {
      const isUnknown = answer.failure.kind === 'network';
      problem.textContent = `${failureText(answer.failure)}${isUnknown ? UNKNOWN : ''}`;
      confirm.focus();
      return;
    }
    dialog.close();
    onDone(`${command.label}: done, and written to the journal.`);
  });
  dialog.replaceChildren(form);
  dialog.oncancel = (event) => {
    if (confirm.disabled) event.preventDefault();
  };
  dialog.onclose = () => refocus(command.verb);
  dialog.showModal();
}

/**
 * The button that opened it may be another one by now, or gone.
 * @param {string} verb
 */
export function refocus(verb) {
  if (document.activeElement !== document.body && document.activeElement !== null) return;
  const again = document.querySelector(`button[data-verb="${CSS.escape(verb)}"]:not(:disabled)`);
  const target = again ?? document.querySelector('h1') ?? document.getElementById('main');
  if (target instanceof HTMLElement) target.focus();
}

/**
 * @param {Me | null} me
 * @param {boolean} needsName
 * @param {string} verb
 */
function fields(me, needsName, verb) {
  const isSigning = verb === 'sign';
  const reason = field(isSigning ? 'Note (optional)' : 'Reason', {
    name: 'reason',
    required: !isSigning,
    maxlength: String(verb === 'release' ? RELEASE_REASON_MAX : REASON_MAX),
    autocomplete: 'off',
    autofocus: true,
    'aria-describedby': isSigning ? null : 'dialog-reasons',
  });
  const name = field(needsName ? 'Your name' : `Your name (optional; ${me?.token} is recorded)`, {
    name: 'by',
    required: needsName,
    maxlength: String(NAME_MAX),
    autocomplete: 'name',
    value: localStorage.getItem(NAME_KEY) ?? '',
  });
  return { reason, name };
}

/**
 * @param {HTMLInputElement} input
 * @param {string} value
 * @param {HTMLElement} problem
 * @param {string} text
 */
function demand(input, value, problem, text) {
  input.setAttribute('aria-invalid', String(value === ''));
  if (value !== '') return true;
  problem.textContent = text;
  input.focus();
  return false;
}

/**
 * @param {string} text
 * @param {Readonly<Record<string, string | boolean | null>>} props
 */
function field(text, props) {
  const input = h('input', { type: 'text', ...props });
  return { input, label: h('label', {}, h('span', {}, text), input) };
}

function durations() {
  const options = EXTENSIONS.map((text) =>
    h('option', { value: text, selected: text === '1h' }, text),
  );
  const select = h('select', { name: 'duration' }, ...options);
  return { select, label: h('label', {}, h('span', {}, 'Longer by'), select) };
}

/**
 * One tap instead of typing at night.
 * @param {readonly string[]} reasons
 * @param {HTMLInputElement} input
 */
function suggestions(reasons, input) {
  const buttons = reasons.map((text) => {
    const onclick = () => {
      input.value = text;
      input.focus();
    };
    return h('button', { type: 'button', class: 'chip', onclick }, text);
  });
  const label = 'Common reasons';
  return h(
    'div',
    { class: 'chips', id: 'dialog-reasons', role: 'group', 'aria-label': label },
    ...buttons,
  );
}
