// Pieces of the gates' pages: foreign text that neither breaks the layout nor turns the sentence
// around, commands to copy, what people wrote.
/** @import { Child } from './dom.js' */
import { h } from './dom.js';

/** Longer text is folded. */
const LONG = 400;
const SHOWN = 200;
/** A longer word of a command may be broken. */
const WORD_KEPT = 28;

/**
 * Somebody else's words: marks of direction in them end with them.
 * @param {string} text
 */
export function foreign(text) {
  if (text.length <= LONG) return h('bdi', {}, text);
  return h(
    'details',
    { class: 'long' },
    h('summary', {}, h('bdi', {}, cut(text, SHOWN)), ` (all ${text.length} characters)`),
    h('bdi', { class: 'whole' }, text),
  );
}

/**
 * For places that hold one line.
 * @param {string} text
 * @param {number} max
 */
export function cut(text, max = SHOWN) {
  if (text.length <= max) return text;
  return `${text.slice(0, max).replace(/[\ud800-\udbff]$/, '')}…`;
}

/**
 * @param {string} text
 * @param {string} label
 */
export function command(text, label) {
  const code = h('code', { class: 'command', tabindex: '0', role: 'group', 'aria-label': label });
  code.append(h('bdi', {}, ...wordsOf(text)));
  const done = h('span', { role: 'status' });
  const onclick = async () => {
    const isDone = await copy(text);
    done.textContent = isDone ? 'Copied' : 'Select it, and copy by hand';
    if (!isDone) getSelection()?.selectAllChildren(code);
  };
  return h(
    'div',
    { class: 'copied' },
    code,
    h(
      'button',
      { type: 'button', class: 'small', 'aria-label': `Copy: ${label}`, onclick },
      'Copy',
    ),
    done,
  );
}

/** Options are not broken at their dashes. @param {string} text */
function wordsOf(text) {
  return text.split(' ').flatMap((word, index) => {
    const props = { class: word.length <= WORD_KEPT ? 'kept' : null };
    return [index > 0 && ' ', h('bdi', props, word)];
  });
}

/**
 * A browser copies only on pages that came over TLS or from this machine.
 * @param {string} text
 */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {string} tone
 * @param {string} text
 */
export function badge(tone, text) {
  return h('span', { class: `badge tone-${tone}` }, text);
}

/**
 * @param {string} title
 * @param {string} text beside it
 * @param {...Child} children
 */
export function fold(title, text, ...children) {
  return h(
    'details',
    { class: 'fold' },
    h('summary', {}, h('h3', {}, h('bdi', {}, cut(title))), h('span', { class: 'soft' }, text)),
    ...children,
  );
}
