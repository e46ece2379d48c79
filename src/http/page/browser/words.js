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
  const { phase, stop, worst } = view;
  if (phase === 'watching') {
    if (worst === null) return { tone: 'calm', text: PHASES.watching };
    const tone = worst.state === 'blind' ? 'blind' : 'warn';
    return { tone, text: worst.state === 'blind' ? 'Watching, blind' : 'Watching, not well' };
  }
  if (phase === 'stopped') {
    if (stop !== null && stop.mode !== 'act') return { tone: 'bad', text: 'Would have stopped' };
    return { tone: 'bad', text: ['Stopped', howFar(view)].filter(Boolean).join(', ') };
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
 * How far a stop has come; what needs hands comes first.
 * @param {WatchView} view
 */
function howFar({ verification, actions }) {
  const undone = actions.filter(({ state }) => state === 'gave_up').map(({ action }) => action);
  if (undone.length > 0) return `${undone.join(' and ')} NOT DONE`;
  return VERIFIED[verification] ?? '';
}

/** An unanswered stop of last week is no news any more. */
const NEEDED_MS = 7 * 24 * 3_600_000;

/**
 * A watch that ended, or is being rolled back, and that somebody has to look after.
 * @param {WatchView} view
 * @param {number} nowMs
 */
export function needsSomebody(view, nowMs) {
  const { incident, closedAt, acknowledgedBy } = view;
  if (closedAt === null || nowMs - ms(closedAt) > NEEDED_MS || incident === 'none') return false;
  return acknowledgedBy === null || needsHands(view);
}

/** @param {WatchView} view */
function needsHands({ phase, verification, stop, actions, incident }) {
  if (phase !== 'stopped' || stop?.mode !== 'act' || incident !== 'critical') return false;
  return verification === 'not_confirmed' || actions.some(({ state }) => state === 'gave_up');
}

/**
 * A headline without its age: a screen reader is told of changes, not of time.
 * @param {string} title
 */
export function withoutAge(title) {
  return title.replace(/ (?:\d[^,]* ago|just now)(?=,|$)| for \d.*$/, '');
}

/**
 * What stands on top of the page.
 * @param {State & { view: WatchView }} state
 * @param {number} nowMs
 * @returns {{ tone: Tone, title: string, text: string }}
 */
export function headline({ view, events, link, heardAtMs }, nowMs) {
  if (view.phase === 'watching') return watchingHeadline(view, { link, heardAtMs }, nowMs);
  const when = view.closedAt === null ? '' : ` ${ago(nowMs - ms(view.closedAt))}`;
  switch (view.phase) {
    case 'stopped': {
      const would = view.stop !== null && view.stop.mode !== 'act';
      if (would) return { tone: 'bad', title: `Would have stopped${when}`, text: whyStopped(view) };
      const far = howFar(view);
      const title = `Stopped${when}${far === '' ? '' : `, ${far}`}`;
      const act = needsHands(view) ? ': act now' : '';
      return { tone: 'bad', title: `${title}${act}`, text: whyStopped(view) };
    }
    case 'passed':
      return { tone: 'good', title: `Passed${when}`, text: 'All conditions held long enough.' };
    case 'inconclusive': {
      const end = last(events, 'watch.inconclusive');
      const because = titled(end?.because.join('; ') ?? '', view);
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
  const [cause] = view.stop?.causes ?? [];
  return cause?.text ?? view.worst?.text ?? view.reason ?? '';
}

/**
 * @param {WatchView} view
 * @param {Pick<State, 'link' | 'heardAtMs'>} line
 * @param {number} nowMs
 * @returns {{ tone: Tone, title: string, text: string }}
 */
function watchingHeadline(view, { link, heardAtMs }, nowMs) {
  const { worst, armed, conditions, lastTickAt, intervalMs } = view;
  const silentMs = lastTickAt === null ? 0 : nowMs - ms(lastTickAt);
  const isLong = silentMs > Math.max(30_000, 4 * intervalMs);
  if (isLong && link === 'lost') {
    const at = heardAtMs === null ? '' : ` At ${momentOf(heardAtMs, nowMs)} it was: `;
    const known = watchingHeadline(view, { link, heardAtMs }, ms(lastTickAt));
    const text = `This device does not reach canaryd; the watch goes on.${at}${known.title}.`;
    return { tone: 'blind', title: `No connection for ${span(silentMs)}`, text };
  }
  if (isLong) {
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
  const [, ...others] = view.stop?.causes ?? [];
  for (const { text } of others) did.push(`Also: ${text}`);
  for (const event of events) {
    const deed = deedOf(event);
    if (deed !== null) did.push(deed);
  }
  const acknowledged = last(events, 'watch.acknowledged');
  if (view.acknowledgedBy !== null && acknowledged !== undefined) {
    const { by, reason, atMs } = acknowledged;
    did.push(`Acknowledged by ${by} ${ago(nowMs - atMs)}: ${reason}`);
  }
  return { did, next: nextOf(view, events, hold ?? null, nowMs) };
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
 * @param {readonly WatchEvent[]} events may be ahead of the view
 * @param {Hold | null} hold
 * @param {number} nowMs
 */
function nextOf(view, events, hold, nowMs) {
  const { phase, verification, mode, plan, stop, verifyUntil } = view;
  if (phase === 'watching') {
    const until = momentOf(ms(view.deadlineAt), nowMs);
    if (mode === 'observe') return `Nothing but watch, until ${until}: observe mode.`;
    if (hold !== null) return `Nothing but watch, until ${until}: hold fire is on.`;
    const firesAtMs = firesAt(view);
    if (firesAtMs !== null) {
      const left = firesAtMs - nowMs;
      const when = left < 1_000 ? 'now' : `in ${span(Math.floor(left / 1_000) * 1_000)}`;
      return `${capital(stopWords(plan.actions))} ${when}, unless it recovers.`;
    }
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
  if (verification === 'waiting') {
    const isAccepted = events.some(
      (event) => event.type === 'action.accepted' && event.action === 'rollback',
    );
    return isAccepted ? 'Verifies the rollback.' : 'Repeats the rollback until it is accepted.';
  }
  if (verification === 'not_confirmed') return 'Nothing more by itself. Look at the service now.';
  const open = view.actions.filter(({ state }) => state === 'pending').map(({ action }) => action);
  if (open.length > 0) return `Repeats until it is accepted: ${open.join(', ')}.`;
  if (verification === 'confirmed') return 'Nothing: the rollback helped.';
  return 'Nothing more; whether it helped is not verified.';
}

/**
 * When the next stop condition fires, if it stays out of its limit.
 * @param {WatchView} view
 */
function firesAt({ conditions }) {
  const times = conditions
    .filter(({ role, due, firesAt: at }) => role === 'stop' && due && at !== null)
    .map(({ firesAt: at }) => ms(at));
  return times.length === 0 ? null : Math.min(...times);
}

/**
 * Conditions by what they are called, not by their ids.
 * @param {string} text
 * @param {WatchView} view
 */
function titled(text, { conditions }) {
  return conditions.reduce((said, { condition, title }) => said.replaceAll(condition, title), text);
}

/** @param {string} text */
function capital(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** @param {string} text */
function sentence(text) {
  return text === '' ? '' : `${capital(text)}.`;
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

/**
 * "Signed by Ada at 12:17: looked at the dashboards", "Due since 12:15".
 * @param {WatchView['signOffs'][number]} signOff
 * @param {number} nowMs
 */
export function signOffText({ signed, dueAt }, nowMs) {
  if (signed !== null) {
    const note = signed.note === null ? '' : `: ${signed.note}`;
    return `Signed by ${signed.name} at ${momentOf(ms(signed.at), nowMs)}${note}`;
  }
  const when = ms(dueAt) <= nowMs ? 'since' : 'at';
  return `Due ${when} ${momentOf(ms(dueAt), nowMs)}`;
}
