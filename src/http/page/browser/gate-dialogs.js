// What a person says about a decision of a gate: signs, takes a signature back, approves. Each is
// written to the journal; none changes a decision that was made.
/** @import { Approval } from './gate-words.js' */
/** @import { Place, RecordView, Signature } from './gate-types.d.ts' */
/** @import { Answer, Me } from './types.d.ts' */
/** @import { Api } from './api.js' */
import { NAME_KEY, NAME_MAX } from './dialog.js';
import { h } from './dom.js';
import { askWords } from './form-dialog.js';
import { foreign } from './gate-dom.js';
import { openOf, roleText, saysAgain } from './gate-words.js';

const NOTE_MAX = 2_000;
const ROLE_MAX = 100;
const LATER = 'It counts when the gate is run again: this decision stays as it is.';

/** @typedef {{ api: Api, me: Me | null, record: RecordView, onDone: (text: string) => void }} Deps */

/**
 * @param {Deps} deps
 * @param {{ criterion: string, role: string, name: string, note: string, withdrawn?: true,
 *   statement?: string, covers?: readonly string[] }} given
 * @returns {Promise<Answer<unknown>>}
 */
async function post({ api, record }, { note, ...given }) {
  const { service, environment, version } = record.deploy;
  const answer = await api.act('POST', '/v1/sign-offs', {
    ...{ gate: record.gate, service, environment, version, ...given },
    ...(note === '' ? {} : { note }),
  });
  if (answer.ok && given.withdrawn !== true) localStorage.setItem(NAME_KEY, given.name);
  return answer;
}

/** @param {string} text */
const needed = (text) => (/** @type {string} */ given) => (given === '' ? text : null);

/** @param {Me | null} me */
function nameField(me) {
  const token = me?.token ?? null;
  return {
    name: 'name',
    label: token === null ? 'Your name' : `Your name (the token ${token} is recorded too)`,
    max: NAME_MAX,
    value: localStorage.getItem(NAME_KEY) ?? '',
    flawOf: needed('Say who you are: a signature has a name.'),
  };
}

/** @param {RecordView} record */
function whatFor({ deploy: { service, version, environment } }) {
  return foreign(`${service} ${version} in ${environment}`);
}

/**
 * @param {string} text
 */
function statementLine(text) {
  return h('span', { class: 'statement' }, foreign(text));
}

/**
 * @param {Place} place
 * @param {Deps} deps
 */
export function askSign({ key, criterion, role, title, statement }, deps) {
  const as = roleText(role);
  askWords(
    {
      verb: `sign ${key}`,
      title: `Sign as ${as}`,
      lines: [
        ...(saysAgain(title, statement) ? [] : [foreign(title)]),
        h('span', {}, 'You sign, for ', whatFor(deps.record), ':'),
        statementLine(statement),
        LATER,
      ],
      fields: [
        nameField(deps.me),
        { name: 'note', label: 'Note (optional)', max: NOTE_MAX, flawOf: () => null },
      ],
      confirm: `Sign as ${as}`,
      tone: 'main',
    },
    ({ name = '', note = '' }) => post(deps, { criterion, role, name, note, statement }),
    () => deps.onDone(`Signed as ${as}.`),
  );
}

/**
 * @param {Signature} signature
 * @param {Deps} deps
 */
export function askWithdraw({ criterion, role, name: signer }, deps) {
  const as = roleText(role);
  askWords(
    {
      verb: `withdraw ${criterion}/${role}/${signer}`,
      title: 'Take a signature back',
      lines: [
        h('span', {}, 'The signature of ', foreign(signer), ` as ${as} for `, whatFor(deps.record)),
        'The journal keeps both. It counts when the gate is run again.',
      ],
      fields: [
        {
          ...nameField(deps.me),
          flawOf: (given) =>
            given === signer ? null : `Only who has signed takes it back: type ${signer}.`,
        },
        { name: 'note', label: 'Why', max: NOTE_MAX, flawOf: needed('Say why: it is recorded.') },
      ],
      confirm: 'Take it back',
      tone: 'danger',
    },
    ({ name = '', note = '' }) => post(deps, { criterion, role, name, note, withdrawn: true }),
    () => deps.onDone(`The signature as ${as} is taken back.`),
  );
}

/**
 * @param {Approval} approval
 * @param {Deps} deps
 */
export function askApprove({ id, roles }, deps) {
  const isOverride = id === 'override';
  const role = {
    name: 'role',
    label: 'Your role, as the gate names it',
    max: ROLE_MAX,
    value: roles.length === 1 ? (roles[0] ?? '') : '',
    choices: roles,
    flawOf: needed('Say in which role: the gate names who may approve.'),
  };
  const note = {
    name: 'note',
    label: isOverride ? 'The risk, in writing' : 'Note (optional)',
    max: NOTE_MAX,
    isLong: isOverride,
    flawOf: isOverride ? needed('Write down the risk: without it no override counts.') : () => null,
  };
  askWords(
    {
      verb: `approve ${id}`,
      title: isOverride ? 'Override the NO-GO' : 'Approve the review',
      lines: [
        h('span', {}, 'For ', whatFor(deps.record), isOverride && ', although it is not GO.'),
        isOverride
          ? 'It counts with all approvals that the gate wants, each of another person, when the gate is run again.'
          : foreign(`It covers what is open now: ${openOf(deps.record).join(', ')}.`),
        !isOverride && LATER,
      ].filter((line) => line !== false),
      fields: [role, nameField(deps.me), note],
      confirm: isOverride ? 'Approve the override' : 'Approve',
      tone: isOverride ? 'danger' : 'main',
    },
    (given) => {
      const { role: own = '', name = '', note: text = '' } = given;
      const covers = isOverride ? {} : { covers: openOf(deps.record) };
      return post(deps, { criterion: id, role: own, name, note: text, ...covers });
    },
    () => deps.onDone(isOverride ? 'Override approved.' : 'Review approved.'),
  );
}
