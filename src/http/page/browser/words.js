// Where a watch stands, in the words that somebody needs who was just woken: what happened, what
// canaryd did, what it will do and when. Pure, and a test reads every sentence.
/** @import { Hold, State, Tone, WatchEvent, WatchView } from './types.d.ts' */
import { ago, momentOf, plain, span } from './format.js';

/** @param {string | null} iso */
const ms = (iso) => Date.parse(iso ?? '');

const PHASES = {
  watching: 'Watching',
  stopped: 'Stopped',
  passed: 'Passed',
  inconclusive: 'Inconclusive',
  cancelled: 'Cancelled',
  superseded: 'Superseded',
};

/**
 * The phase in words, for a list.
 * @param {WatchView} view
 * @returns {{ tone: Tone, text: string }}
 */
export function phaseOf(view) {
  const { phase, verification, stop, worst } = view;
  if (phase === 'watching') {
    if (worst === null) return { tone: 'calm', text: PHASES.watching };
    const tone = worst.state === 'blind' ? 'blind' : 'warn';
    return { tone, text: worst.state === 'blind' ? 'Watching, blind' : 'Watching, not well' };
  }
  if (phase === 'stopped') {
    if (stop !== null && stop.mode !== 'act') return { tone: 'bad', text: 'Would have stopped' };
    const proof = VERIFIED[verification];
    return { tone: 'bad', text: proof === undefined ? 'Stopped' : `Stopped, ${proof}` };
  }
  const tone = phase === 'passed' ? 'good' : phase === 'inconclusive' ? 'warn' : 'calm';
  return { tone, text: PHASES[phase] };
}

/** @type {Readonly<Record<string, string>>} */
const VERIFIED = {
  waiting: 'rolling back',
  verifying: 'verifying the rollback',
  confirmed: 'rollback confirmed',
  not_confirmed: 'rollback NOT confirmed',
};

/**
 * What stands on top of the page.
 * @param {State & { view: WatchView }} state
 * @param {number} nowMs
 * @returns {{ tone: Tone, title: string, text: string }}
 */
export function headline({ view, events }, nowMs) {
  if (view.phase === 'watching') return watchingHeadline(view, nowMs);
  const when = view.closedAt === null ? '' : ` ${ago(nowMs - ms(view.closedAt))}`;
  switch (view.phase) {
    case 'stopped': {
      const would = view.stop !== null && view.stop.mode !== 'act';
      const word = would ? 'Would have stopped' : 'Stopped';
      return { tone: 'bad', title: `${word}${when}`, text: whyStopped(view) };
    }
    case 'passed':
      return { tone: 'good', title: `Passed${when}`, text: 'All conditions held long enough.' };
    case 'inconclusive': {
      const end = last(events, 'watch.inconclusive');
      const because = end?.because.join('; ') ?? '';
      return { tone: 'warn', title: `Inconclusive${when}`, text: sentence(because) };
    }
    case 'cancelled': {
      const end = last(events, 'watch.cancelled');
      const text = end === undefined ? '' : `By ${end.by}: ${end.reason}`;
      return { tone: 'calm', title: `Cancelled${when}`, text };
    }
    case 'superseded': {
      const end = last(events, 'watch.superseded');
      const text = end === undefined ? '' : `Version ${end.version} was deployed.`;
      return { tone: 'calm', title: `Superseded${when}`, text };
    }
  }
}

/** @param {WatchView} view */
function whyStopped(view) {
  if (view.stop?.cause === 'human') return `By ${view.stop.by}: ${view.reason ?? ''}`;
  return view.worst?.text ?? view.reason ?? '';
}

/**
 * @param {WatchView} view
 * @param {number} nowMs
 * @returns {{ tone: Tone, title: string, text: string }}
 */
function watchingHeadline(view, nowMs) {
  const { worst, armed, conditions, lastTickAt, intervalMs } = view;
  const silentMs = lastTickAt === null ? 0 : nowMs - ms(lastTickAt);
  if (silentMs > Math.max(30_000, 4 * intervalMs)) {
    const text = `canaryd judges every ${span(intervalMs)}, but not since ${span(silentMs)}: is it running?`;
    return { tone: 'blind', title: `Not judged for ${span(silentMs)}`, text };
  }
  if (worst?.state === 'blind') {
    const blind = conditions.filter(({ state, due }) => due && state === 'blind');
    const title = blind.length > 1 ? `Blind on ${blind.length} conditions` : 'Blind on a condition';
    return { tone: 'blind', title, text: `${plain(worst.text)}. Blindness never rolls back.` };
  }
  if (worst !== null) {
    const found = conditions.find(({ condition }) => condition === worst.condition);
    const since = found?.stateSince ? ` for ${span(nowMs - ms(found.stateSince))}` : '';
    const isStop = found?.role === 'stop';
    const title = worst.state === 'pending' || isStop ? 'Out of its limit' : 'Warning';
    return { tone: 'warn', title: `${title}${since}`, text: worst.text };
  }
  if (lastTickAt === null) {
    return { tone: 'calm', title: 'Starting', text: 'Nothing has been measured yet.' };
  }
  const since = span(nowMs - ms(view.deployedAt));
  const title = `Watching, all well`;
  const seen =
    armed.seen === armed.total
      ? `All ${armed.total} stop conditions are armed`
      : `${armed.seen} of ${armed.total} stop conditions are armed`;
  return { tone: 'good', title, text: `${seen}, ${since} after the deploy.` };
}

/**
 * What canaryd did, oldest first, and what it does next.
 * @param {State & { view: WatchView }} state
 * @param {number} nowMs
 * @returns {{ did: string[], next: string }}
 */
export function deeds({ view, events, hold }, nowMs) {
  /** @type {string[]} */
  const did = [];
  for (const event of events) {
    const deed = deedOf(event);
    if (deed !== null) did.push(deed);
  }
  return { did, next: nextOf(view, hold ?? null, nowMs) };
}

/** @type {Readonly<Record<string, string>>} */
const ACTIONS = { disarm: 'Disarm', rollback: 'Rollback' };

/** @param {string} action */
export const actionName = (action) => ACTIONS[action] ?? action;

/**
 * @param {WatchEvent} event
 * @returns {string | null}
 */
function deedOf(event) {
  switch (event.type) {
    case 'action.accepted': {
      const tries = event.attempts === 1 ? '' : `, at attempt ${event.attempts}`;
      return `${actionName(event.action)} accepted after ${span(event.afterMs)}${tries}`;
    }
    case 'action.delayed':
      return `${actionName(event.action)} delayed: ${event.attempts} attempts failed (${event.detail})`;
    case 'action.gave_up':
      return `${actionName(event.action)} GIVEN UP after ${event.attempts} attempts (${event.detail})`;
    case 'rollback.confirmed':
      return `${actionName(event.action)} confirmed after ${span(event.afterMs)}`;
    case 'rollback.not_confirmed':
      return `${actionName(event.action)} NOT CONFIRMED: ${event.because.join('; ')}`;
    case 'watch.stopped':
      if (event.mode === 'act') return null;
      return `Nothing was sent: ${event.mode === 'hold' ? 'hold fire was on' : 'observe mode'}`;
    default:
      return null;
  }
}

/** @param {readonly string[]} actions */
function stopWords(actions) {
  if (actions.length === 0) return 'tells on-call';
  return actions
    .map((action) => (action === 'rollback' ? 'rolls back' : 'disarms'))
    .join(', then ');
}

/**
 * @param {WatchView} view
 * @param {Hold | null} hold
 * @param {number} nowMs
 */
function nextOf(view, hold, nowMs) {
  const { phase, verification, mode, plan, stop, verifyUntil } = view;
  if (phase === 'watching') {
    const until = momentOf(ms(view.deadlineAt), nowMs);
    if (mode === 'observe') return `Nothing but watch, until ${until}: observe mode.`;
    if (hold !== null) return `Nothing but watch, until ${until}: hold fire is on.`;
    return `Watches until ${until}; when a stop condition holds, canaryd ${stopWords(plan.actions)}.`;
  }
  if (phase !== 'stopped') return 'Nothing: the watch is over.';
  if (stop !== null && stop.mode !== 'act') {
    const why = stop.mode === 'hold' ? 'hold fire was on' : 'observe mode';
    return `Nothing: ${why}. If it is bad, disarm and roll back by hand.`;
  }
  if (verification === 'verifying' && verifyUntil !== null) {
    const unmet = view.conditions
      .filter(({ role, state }) => role === 'verify' && state !== 'firing')
      .map(({ title, must }) => `${title} ${must}`);
    const what = unmet.length === 0 ? '' : `: ${unmet.join('; ')}`;
    return `Verifies the rollback until ${momentOf(ms(verifyUntil), nowMs)}${what}.`;
  }
  if (verification === 'waiting') return 'Repeats the rollback until it is accepted.';
  if (verification === 'not_confirmed') return 'Nothing more by itself. Look at the service now.';
  const open = view.actions.filter(({ state }) => state === 'pending').map(({ action }) => action);
  if (open.length > 0) return `Repeats until it is accepted: ${open.join(', ')}.`;
  if (verification === 'confirmed') return 'Nothing: the rollback helped.';
  return 'Nothing more; whether it helped is not verified.';
}

/** @param {string} text */
function sentence(text) {
  return text === '' ? '' : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/**
 * @template {WatchEvent['type']} T
 * @param {readonly WatchEvent[]} events
 * @param {T} type
 * @returns {Extract<WatchEvent, { type: T }> | undefined}
 */
export function last(events, type) {
  const found = events.findLast((event) => event.type === type);
  return /** @type {Extract<WatchEvent, { type: T }> | undefined} */ (found);
}
