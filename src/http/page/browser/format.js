// Numbers and times as a person reads them. Values look as they do in messages: the same rules as
// src/core/quantity.ts, which a test holds next to these.

/** @param {number} value */
export function formatNumber(value, digits = 2) {
  if (!Number.isFinite(value)) return String(value);
  const fixed = Math.abs(value) >= 1e15 ? value.toExponential(3) : value.toFixed(digits);
  const [whole = '0', decimals] = fixed.split('.');
  const grouped = whole.includes('e') ? whole : whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  const trimmed = decimals?.replace(/0+$/, '') ?? '';
  const text = trimmed === '' ? grouped : `${grouped}.${trimmed}`;
  return text === '-0' ? '0' : text;
}

/**
 * @param {number} value in the base unit: a fraction, seconds, bytes
 * @param {string} unit
 */
export function formatValue(value, unit) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  switch (unit) {
    case 'ratio':
      return `${formatNumber(value * 100, size < 0.01 ? 3 : 2)} %`;
    case 'seconds':
      return size < 1 && value !== 0
        ? `${formatNumber(value * 1_000, 1)} ms`
        : `${formatNumber(value)} s`;
    case 'bytes':
      return formatBytes(value);
    case 'number':
      return formatNumber(value, size < 1 ? 4 : 2);
    default:
      return `${formatNumber(value)} ${unit}`;
  }
}

/** @type {readonly (readonly [string, number])[]} */
const SIZES = [
  ['TB', 1e12],
  ['GB', 1e9],
  ['MB', 1e6],
  ['kB', 1e3],
];

/** @param {number} value */
function formatBytes(value) {
  for (const [suffix, factor] of SIZES) {
    if (Math.abs(value) >= factor) return `${formatNumber(value / factor)} ${suffix}`;
  }
  return `${formatNumber(value)} B`;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * "12 s", "3 min", "2 h 5 min": at most two parts, rounded down.
 * @param {number} ms
 */
export function span(ms) {
  const size = Math.max(0, ms);
  if (size > 0 && size < 100) return `${Math.ceil(size)} ms`;
  if (size < 10 * SECOND && size % SECOND !== 0) return `${formatNumber(size / SECOND, 1)} s`;
  if (size < MINUTE) return `${Math.floor(size / SECOND)} s`;
  if (size < HOUR) return two(size, MINUTE, 'min', SECOND, 's', size < 10 * MINUTE);
  if (size < DAY) return two(size, HOUR, 'h', MINUTE, 'min', true);
  return two(size, DAY, 'd', HOUR, 'h', true);
}

/**
 * @param {number} ms
 * @param {number} big
 * @param {string} bigName
 * @param {number} small
 * @param {string} smallName
 * @param {boolean} isExact
 */
function two(ms, big, bigName, small, smallName, isExact) {
  const rest = Math.floor((ms % big) / small);
  const first = `${Math.floor(ms / big)} ${bigName}`;
  return isExact && rest > 0 ? `${first} ${rest} ${smallName}` : first;
}

/**
 * "just now", "12 s ago", "3 min ago": coarse, since it stands on a page that counts along.
 * @param {number} ms
 */
export function ago(ms) {
  if (ms < 2 * SECOND) return 'just now';
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s ago`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ago`;
  return `${span(ms)} ago`;
}

/** @param {Intl.DateTimeFormatOptions} options */
function formatter(options) {
  return new Intl.DateTimeFormat('en-GB', { hourCycle: 'h23', ...options });
}

const TIME = formatter({ hour: '2-digit', minute: '2-digit', second: '2-digit' });
const MINUTES = formatter({ hour: '2-digit', minute: '2-digit' });
const DATED = formatter({ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

/**
 * "03:14:09" in the reader's own zone.
 * @param {number} ms
 */
export const timeOf = (ms) => TIME.format(ms);

/**
 * "03:14", with the day when that is far from now.
 * @param {number} ms
 * @param {number} nowMs
 */
export function momentOf(ms, nowMs) {
  return Math.abs(ms - nowMs) < 12 * HOUR ? MINUTES.format(ms) : DATED.format(ms);
}

/**
 * Reasons are words of the code where servers say them: "blind: no_baseline (...)".
 * @param {string} text
 */
export function plain(text) {
  return text.replace(/blind: \w+/g, (found) => found.replaceAll('_', ' '));
}

export const ZONE = TIME.resolvedOptions().timeZone;
