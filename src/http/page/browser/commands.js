// What a person can do to a watch now, what would happen, and why something is not possible. Only
// words: canaryd decides again when it is asked.
/** @import { Command, Hold, Me, WatchView } from './types.d.ts' */

const NO_ACT = 'this token may only read';

/**
 * @param {Me | null} me
 * @returns {string | null}
 */
export function forbidden(me) {
  if (me === null || me.scopes.includes('act')) return null;
  return me.token === null ? NO_ACT : `the token ${me.token} may only read`;
}

/**
 * @param {WatchView} view
 * @param {Hold | null} hold
 * @param {Me | null} me
 * @returns {Command[]}
 */
export function commandsFor(view, hold, me) {
  const refused = forbidden(me);
  const isOpen = view.phase === 'watching';
  /** @type {Command[]} */
  const found = [];
  if (isOpen || view.phase === 'stopped' || view.phase === 'inconclusive') {
    found.push(acknowledge(view, refused));
  }
  if (!isOpen && view.incident !== 'none') found.push(resolve(view, refused));
  if (isOpen) found.push(stop(view, hold, refused));
  found.push(holdCommand(hold, me));
  if (isOpen) found.push(extend(refused), cancel(refused));
  return found;
}

/**
 * @param {WatchView} view
 * @param {string | null} refused
 * @returns {Command}
 */
function acknowledge({ acknowledgedBy, phase, worst }, refused) {
  const isWanted = acknowledgedBy === null && (phase !== 'watching' || worst !== null);
  const taken = acknowledgedBy === null ? [] : [`${acknowledgedBy} did so before.`];
  return {
    verb: 'ack',
    label: 'Acknowledge',
    refused,
    tone: isWanted ? 'main' : 'plain',
    happens: ['The others see that you look after it. Nothing is sent to the service.', ...taken],
    confirm: 'Acknowledge',
    reasons: ['Looking into it', 'Known, watching it'],
  };
}

/**
 * @param {WatchView} view
 * @param {string | null} refused
 * @returns {Command}
 */
function resolve({ incident }, refused) {
  const calls = incident === 'critical' ? ['Nobody is called for it any more.'] : [];
  return {
    verb: 'resolve',
    label: 'Resolved',
    refused,
    tone: 'plain',
    happens: [
      'Nothing waits for a person any more: everybody is told, incidents are closed.',
      ...calls,
    ],
    confirm: 'It is resolved',
    reasons: ['Rolled back by hand', 'The service is well', 'False alarm'],
  };
}

/** @type {Readonly<Record<string, (view: WatchView) => string>>} */
const DOES = {
  disarm: () => 'the service is disarmed',
  rollback: ({ version, previousVersion }) =>
    `${version} is rolled back${previousVersion === null ? '' : ` to ${previousVersion}`}`,
};

/**
 * @param {WatchView} view
 * @param {Hold | null} hold
 * @param {string | null} refused
 * @returns {Command}
 */
function stop(view, hold, refused) {
  const { service, environment, version, mode, plan } = view;
  const steps = plan.actions.map((action) => DOES[action]?.(view) ?? action);
  const then = steps.length === 0 ? 'The watch ends as stopped; the policy has no actions.' : '';
  const what = steps.length === 0 ? then : `At once ${steps.join(', then ')}.`;
  const verified =
    plan.verifyMs === null || steps.length === 0 ? [] : ['Then canaryd verifies that it helped.'];
  const why =
    mode === 'observe'
      ? 'it only observes: roll back by hand'
      : hold === null
        ? null
        : 'hold fire is on: release it first';
  return {
    verb: 'stop',
    label: 'Stop now',
    refused: refused ?? why,
    tone: 'danger',
    happens: [`This is for ${service} in ${environment}.`, what, ...verified],
    confirm: `Stop ${service} ${version} now`,
    reasons: ['Customers are affected', 'Wrong behaviour seen'],
  };
}

/**
 * @param {string | null} refused
 * @returns {Command}
 */
function cancel(refused) {
  return {
    verb: 'cancel',
    label: 'Cancel watch',
    refused,
    tone: 'plain',
    happens: [
      'The watch ends. The version stays, nothing is rolled back, nobody watches it any more.',
    ],
    confirm: 'Cancel the watch',
    reasons: ['False alarm', 'Rolled back by hand'],
  };
}

/**
 * @param {string | null} refused
 * @returns {Command}
 */
function extend(refused) {
  return {
    verb: 'extend',
    label: 'Extend',
    refused,
    tone: 'plain',
    happens: ['The last window lasts longer: more time to pass before the watch is inconclusive.'],
    confirm: 'Extend the watch',
    reasons: ['Little traffic now'],
  };
}

/** Phases in which a signature says something about the version that runs. */
const SIGNED = ['watching', 'passed', 'inconclusive'];

/**
 * @param {WatchView} view
 * @param {WatchView['signOffs'][number]} signOff
 * @param {Me | null} me
 * @returns {Command | null} null: it is signed, or nobody signs this watch any more
 */
export function signCommand({ phase, service, environment, version }, signOff, me) {
  const { role, statement, signed } = signOff;
  if (signed !== null || !SIGNED.includes(phase)) return null;
  return {
    verb: 'sign',
    role,
    label: `Sign as ${role}`,
    refused: forbidden(me),
    tone: 'plain',
    happens: [
      `${statement}: you say so for ${service} ${version} in ${environment}.`,
      'Everybody is told. What canaryd judges stays as it is.',
    ],
    confirm: 'Sign',
    reasons: [],
  };
}

/**
 * @param {Hold | null} hold
 * @param {Me | null} me
 * @returns {Command}
 */
export function holdCommand(hold, me) {
  const refused = forbidden(me);
  if (hold === null) {
    return {
      verb: 'hold',
      label: 'Hold fire',
      refused,
      tone: 'plain',
      happens: [
        'For ALL services, until somebody releases it: canaryd only observes.',
        'Nothing is disarmed or rolled back. On-call is still told.',
      ],
      confirm: 'Hold fire everywhere',
      reasons: ['Exchange maintenance', 'Source of metrics is wrong'],
    };
  }
  return {
    verb: 'release',
    label: 'Release hold fire',
    refused,
    tone: 'main',
    happens: [
      `${hold.by} holds fire: ${hold.reason}`,
      'Afterwards policies act again, everywhere.',
    ],
    confirm: 'Release: act again',
    reasons: ['Over', 'By mistake'],
  };
}
