// What the page knows of a watch, and how each piece of news changes it. Pure: news may come twice,
// late or out of order, from the stream and from polling at once.
/** @import { Action, Drawn, State, WatchView } from './types.d.ts' */

/** A watch has some hundred events; a page shows no more than this. */
const EVENTS_MAX = 2_000;
/** Values of one chart, until it is read anew: the oldest go when there are more. */
const POINTS_MAX = 4_000;
const GAPS_MAX = 500;
/** A hole of so many ticks is shown as one. */
const GAP_TICKS = 4;

/** @type {State} */
export const EMPTY = {
  view: null,
  events: [],
  hold: undefined,
  me: null,
  series: new Map(),
  link: 'connecting',
  heardAtMs: null,
  failure: null,
};

/**
 * @param {State} state
 * @param {Action} action
 * @returns {State}
 */
export function reduce(state, action) {
  switch (action.type) {
    case 'view':
      return withView(state, action.view);
    case 'events': {
      const known = new Set(state.events.map(({ seq }) => seq));
      const fresh = action.events.filter(({ seq }) => !known.has(seq));
      if (fresh.length === 0) return state;
      const events = [...state.events, ...fresh].sort((a, b) => a.seq - b.seq).slice(-EVENTS_MAX);
      return { ...state, events, hold: holdAfter(state.hold, fresh) };
    }
    case 'hold':
      return { ...state, hold: action.hold };
    case 'me':
      return { ...state, me: action.me };
    case 'series': {
      const { series, toAtMs } = action.series;
      const drawn = series.map(({ indicator, points, blind, gaps }) => {
        // Ticks may have come while it was read.
        const newer = state.series.get(indicator)?.points.filter(([atMs]) => atMs > toAtMs) ?? [];
        const all = { points: [...points, ...newer], blind, gaps };
        return /** @type {const} */ ([indicator, all]);
      });
      return { ...state, series: new Map(drawn) };
    }
    case 'heard':
      return { ...state, heardAtMs: action.atMs };
    case 'link':
      return { ...state, link: action.link };
    case 'failed':
      return { ...state, failure: action.failure };
  }
}

/**
 * The switch is told in the journal of each open watch, before anybody asks for it.
 * @param {State['hold']} hold
 * @param {State['events']} fresh
 */
function holdAfter(hold, fresh) {
  if (hold === undefined) return hold;
  let now = hold;
  for (const event of fresh) {
    if (event.type === 'watch.held') {
      now = { by: event.by, reason: event.reason, sinceMs: event.atMs };
    } else if (event.type === 'watch.released' && (now === null || now.sinceMs <= event.atMs)) {
      now = null;
    }
  }
  return now;
}

/**
 * @param {State} state
 * @param {WatchView} view
 * @returns {State}
 */
function withView(state, view) {
  const before = state.view;
  const isOld =
    before !== null &&
    (before.revision > view.revision ||
      (before.lastTickAt ?? '') > (view.lastTickAt ?? '') ||
      (before.phase !== 'watching' && view.phase === 'watching'));
  if (isOld) return state;
  const isNewTick = view.lastTickAt !== null && view.lastTickAt !== before?.lastTickAt;
  return {
    ...state,
    view,
    failure: null,
    series: isNewTick ? withTick(state.series, view) : state.series,
  };
}

/**
 * The chart goes on with what each judged condition shows.
 * @param {State['series']} series
 * @param {WatchView} view
 */
function withTick(series, view) {
  const atMs = Date.parse(view.lastTickAt ?? '');
  const next = new Map(series);
  const seen = new Set();
  for (const condition of view.conditions) {
    const { indicator, due, state, value, blindReason } = condition;
    const drawn = next.get(indicator) ?? { points: [], blind: [], gaps: [] };
    const lastMs = Math.max(drawn.points.at(-1)?.[0] ?? 0, drawn.blind.at(-1)?.toAtMs ?? 0);
    if (!due || seen.has(indicator) || atMs <= lastMs) continue;
    seen.add(indicator);
    // Without a baseline the limit is not known; the value is, and it is drawn.
    const isBlind = state === 'blind' && blindReason !== 'no_baseline';
    if (isBlind) next.set(indicator, withBlind(drawn, atMs, blindReason ?? 'blind'));
    else if (value !== null) {
      next.set(indicator, withValue(drawn, atMs, value, GAP_TICKS * view.intervalMs));
    }
  }
  return next;
}

/**
 * @param {Drawn} drawn
 * @param {number} atMs
 * @param {number} value
 * @param {number} gapMs
 * @returns {Drawn}
 */
function withValue({ points, blind, gaps }, atMs, value, gapMs) {
  const open = blind.at(-1);
  const lastMs = points.at(-1)?.[0];
  const wasBlind = open !== undefined && open.toAtMs > (lastMs ?? 0);
  const isGap = lastMs !== undefined && atMs - lastMs > gapMs;
  return {
    points: [...points, /** @type {const} */ ([atMs, value])].slice(-POINTS_MAX),
    blind: wasBlind ? [...blind.slice(0, -1), { ...open, toAtMs: atMs }] : blind,
    gaps: isGap ? [...gaps, /** @type {const} */ ([lastMs, atMs])].slice(-GAPS_MAX) : gaps,
  };
}

/**
 * @param {Drawn} drawn
 * @param {number} atMs
 * @param {string} reason
 * @returns {Drawn}
 */
function withBlind({ points, blind, gaps }, atMs, reason) {
  const open = blind.at(-1);
  const isSame = open?.reason === reason && open.toAtMs >= (points.at(-1)?.[0] ?? 0);
  const spans = isSame
    ? [...blind.slice(0, -1), { ...open, toAtMs: atMs }]
    : [...blind, { fromAtMs: atMs, toAtMs: atMs, reason }].slice(-GAPS_MAX);
  return { points, blind: spans, gaps };
}
