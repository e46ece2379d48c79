// What a chart of one condition shows, as plain data: points with gaps, bounds of the value axis,
// moments, and the same in words for those who do not see it.
/** @import { ConditionView, Drawn, WatchEvent, WatchView } from './types.d.ts' */
import { formatValue, timeOf } from './format.js';

/** Rows of the table behind a chart. */
const ROWS_MAX = 24;

/**
 * Seconds and values for the chart; null where nothing was seen for a while.
 * @param {Drawn} drawn
 * @returns {[number[], (number | null)[]]}
 */
export function columnsOf({ points, gaps }) {
  const starts = new Set(gaps.map(([fromMs]) => fromMs));
  /** @type {number[]} */
  const times = [];
  /** @type {(number | null)[]} */
  const values = [];
  let before = Number.NaN;
  for (const [atMs, value] of points) {
    if (starts.has(before)) {
      times.push((before + atMs) / 2_000);
      values.push(null);
    }
    times.push(atMs / 1_000);
    values.push(value);
    before = atMs;
  }
  return [times, values];
}

/**
 * Lowest and highest of the value axis: all values and the limit are in it, with some air.
 * @param {Drawn} drawn
 * @param {Pick<ConditionView, 'allowed' | 'unit'>} condition
 * @returns {[number, number]}
 */
export function boundsOf({ points }, { allowed, unit }) {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of [...points.map(([, value]) => value), allowed.low, allowed.high]) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  const air = (high - low || Math.abs(high) || 1) * 0.12;
  const floor = low >= 0 ? Math.max(0, low - air) : low - air;
  const isShare = unit === 'ratio' && high <= 1;
  return [floor, isShare ? Math.min(1.02, high + air) : high + air];
}

/**
 * When the condition fired, by the journal.
 * @param {string} condition
 * @param {readonly WatchEvent[]} events
 * @returns {number[]} ms
 */
export function firedAt(condition, events) {
  return events.flatMap((event) => {
    if (event.type === 'condition.warned' && event.evidence.condition === condition) {
      return [event.atMs];
    }
    const isCause =
      event.type === 'watch.stopped' &&
      event.conditions.some((evidence) => evidence.condition === condition);
    return isCause ? [event.atMs] : [];
  });
}

/**
 * The chart in one sentence.
 * @param {ConditionView} condition
 * @param {Drawn} drawn
 * @param {readonly number[]} fired
 */
export function summaryOf({ title, unit, must, limit }, { points, blind }, fired) {
  const parts = [`${title}, ${must}`];
  if (points.length === 0) parts.push('no values yet');
  else if (limit === null && isHealth(points)) {
    const bad = points.filter(([, value]) => value !== 1).length;
    parts.push(`${points.length} checks shown, ${bad} bad`);
  } else {
    const values = points.map(([, value]) => value);
    const low = values.reduce((a, b) => Math.min(a, b));
    const high = values.reduce((a, b) => Math.max(a, b));
    const latest = values.at(-1) ?? 0;
    parts.push(
      `lowest ${formatValue(low, unit)}, highest ${formatValue(high, unit)}, last ${formatValue(latest, unit)}`,
    );
  }
  // The wait for its range to fill is planned, and no blindness.
  const times = blind.filter(({ reason }) => reason !== 'too_early').length;
  if (times > 0) parts.push(`blind ${times === 1 ? 'once' : `${times} times`}`);
  if (fired.length > 0) parts.push(`fired at ${fired.map(timeOf).join(', ')}`);
  return `${parts.join('; ')}.`;
}

/** @param {Drawn['points']} points */
function isHealth(points) {
  return points.every(([, value]) => value === 0 || value === 1);
}

/**
 * Some rows of the chart, oldest first: evenly chosen, with the lowest, the highest and the last.
 * @param {Drawn} drawn
 * @param {string} unit
 * @returns {{ time: string, value: string }[]}
 */
export function rowsOf({ points, blind }, unit) {
  const step = Math.max(1, Math.ceil(points.length / ROWS_MAX));
  const lowest = indexOf(points, (a, b) => a < b);
  const highest = indexOf(points, (a, b) => a > b);
  const keep = new Set([lowest, highest, points.length - 1]);
  const rows = points.flatMap(([atMs, value], index) =>
    index % step === 0 || keep.has(index)
      ? [{ atMs, time: timeOf(atMs), value: formatValue(value, unit) }]
      : [],
  );
  const gaps = blind.slice(-ROWS_MAX).map(({ fromAtMs, toAtMs, reason }) => ({
    atMs: fromAtMs,
    time: `${timeOf(fromAtMs)} to ${timeOf(toAtMs)}`,
    value: `blind: ${reason.replaceAll('_', ' ')}`,
  }));
  return [...rows, ...gaps]
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ time, value }) => ({ time, value }));
}

/**
 * @param {Drawn['points']} points
 * @param {(a: number, b: number) => boolean} isBetter
 */
function indexOf(points, isBetter) {
  let best = 0;
  for (const [index, [, value]] of points.entries()) {
    if (isBetter(value, points[best]?.[1] ?? value)) best = index;
  }
  return best;
}

/** @type {Readonly<Record<string, number>>} */
const STATE_ORDER = { firing: 0, pending: 1, blind: 2, inactive: 4, waiting: 5 };

/**
 * What somebody should look at first: what stopped the deploy, then what is wrong, then the rest.
 * @param {WatchView} view
 * @returns {{ first: ConditionView[], rest: ConditionView[] }}
 */
export function ordered({ conditions, stop }) {
  const causes = (stop?.causes ?? []).map(({ condition }) => condition);
  /** @param {ConditionView} condition */
  const rank = ({ condition, role, state, due }) => {
    if (causes.includes(condition)) return -1;
    const isGood = role === 'pass' || role === 'verify';
    // A pass condition that fires is fulfilled.
    if (isGood) return state === 'blind' ? 2 : role === 'verify' && due ? 3 : 4.5;
    return STATE_ORDER[state] ?? 6;
  };
  const sorted = conditions
    .map((condition, index) => ({ condition, index, rank: rank(condition) }))
    .sort((a, b) => a.rank - b.rank || a.index - b.index);
  /** @param {{ condition: ConditionView, rank: number }} one */
  const isFirst = ({ condition, rank: order }) => condition.due || order === -1;
  return {
    first: sorted.filter(isFirst).map(({ condition }) => condition),
    rest: sorted.filter((one) => !isFirst(one)).map(({ condition }) => condition),
  };
}
