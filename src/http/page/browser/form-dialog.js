// Asks for a few words in the page's dialog before something is sent: what will happen, the fields,
// one button that does it. What came of it is said in words.
/** @import { Answer } from './types.d.ts' */
import { failureText, refocus, UNKNOWN } from './dialog.js';
import { byId, h } from './dom.js';

/**
 * @typedef {object} Asked a field
 * @property {string} name
 * @property {string} label
 * @property {number} max
 * @property {string} [value]
 * @property {boolean} [isLong] several lines
 * @property {readonly string[]} [choices] offered, others may be typed
 * @property {(given: string) => string | null} flawOf what is wrong with it, in words
 */

/**
 * @typedef {object} Question
 * @property {string} verb by which the button that asked is found again
 * @property {string} title
 * @property {readonly (Node | string)[]} lines
 * @property {readonly Asked[]} fields
 * @property {string} confirm
 * @property {'main' | 'danger' | 'plain'} tone
 */

/**
 * @param {Question} question
 * @param {(given: Readonly<Record<string, string>>) => Promise<Answer<unknown>>} send
 * @param {() => void} onDone
 */
export function askWords({ verb, title, lines, fields, confirm, tone }, send, onDone) {
  const dialog = byId('dialog', HTMLDialogElement);
  const asked = fields.map((one, index) => ({ ...one, ...fieldOf(one, index === 0) }));
  const problem = h('p', { class: 'problem', role: 'alert' });
  const send1 = h('button', { type: 'submit', class: `act ${tone}` }, confirm);
  const back = h('button', { type: 'button', onclick: () => dialog.close() }, 'Back');
  const form = h(
    'form',
    { novalidate: true },
    h('h2', { id: 'dialog-title' }, title),
    ...lines.map((line) => h('p', {}, line)),
    ...asked.map(({ label }) => label),
    problem,
    h('div', { class: 'choices' }, send1, back),
  );
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    problem.textContent = '';
    const bad = asked.find(({ input, flawOf }) => {
      const flaw = flawOf(input.value.trim());
      input.setAttribute('aria-invalid', String(flaw !== null));
      if (flaw !== null) problem.textContent = flaw;
      return flaw !== null;
    });
    if (bad !== undefined) return bad.input.focus();
    const given = Object.fromEntries(asked.map(({ name, input }) => [name, input.value.trim()]));
    // What was sent cannot be taken back: its answer is waited for, and seen.
    send1.disabled = true;
    back.disabled = true;
    const answer = await send(given);
    send1.disabled = false;
    back.disabled = false;
    if (answer.ok) {
      dialog.close();
      return onDone();
    }
    const isUnknown = answer.failure.kind === 'network';
    problem.textContent = `${failureText(answer.failure)}${isUnknown ? UNKNOWN : ''}`;
    send1.focus();
  });
  dialog.replaceChildren(form);
  dialog.oncancel = (event) => {
    if (send1.disabled) event.preventDefault();
  };
  dialog.onclose = () => refocus(verb);
  dialog.showModal();
}

/**
 * @param {Asked} asked
 * @param {boolean} isFirst
 */
function fieldOf({ name, label: text, max, value = '', isLong = false, choices = [] }, isFirst) {
  const props = { name, maxlength: String(max), autofocus: isFirst };
  const listId = `dialog-${name}-choices`;
  const input = isLong
    ? h('textarea', { ...props, rows: '4' }, value)
    : h('input', {
        ...{ ...props, type: 'text', value },
        autocomplete: name === 'name' ? 'name' : 'off',
        list: choices.length === 0 ? null : listId,
      });
  const list =
    choices.length > 0 &&
    h('datalist', { id: listId }, ...choices.map((choice) => h('option', { value: choice })));
  return { input, label: h('label', {}, h('span', {}, text), input, list) };
}
