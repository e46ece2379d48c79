// Numbers with units, as people write them in a policy and read them in a message.
// Inside canaryd a quantity is a plain number in the base unit: ratios as a fraction (0.8),
// durations in seconds, sizes in bytes. Times of our own are always milliseconds (`…Ms`).

/** What an indicator's number means. Any other word is a custom unit, such as `USD`. */
export type Unit = 'ratio' | 'seconds' | 'bytes' | 'number' | (string & {});

/** A quantity as written: the number in its base unit, and the unit its spelling implies. */
export type Quantity = {
  readonly value: number;
  /** `number` when no unit was written: it fits every unit. */
  readonly unit: 'ratio' | 'seconds' | 'bytes' | 'number';
};

const DURATION_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const SIZES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** `"1h30m"`, `"500ms"`, `"0s"` → milliseconds; `null` when the text is no duration. */
export function parseDuration(text: string): number | null {
  if (!/^(\d+(\.\d+)?(ms|[smhdw]))+$/.test(text)) return null;
  let total = 0;
  for (const [, amount, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|[smhdw])/g)) {
    total += Number(amount) * DURATION_MS[unit as keyof typeof DURATION_MS];
  }
  return Math.round(total);
}

/** Milliseconds → the shortest exact spelling that `parseDuration` reads back: `90_000` → `1m30s`. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`;
  let rest = Math.round(ms);
  if (rest === 0) return '0s';
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms'] as const) {
    const amount = Math.floor(rest / DURATION_MS[unit]);
    if (amount === 0) continue;
    text += `${amount}${unit}`;
    rest -= amount * DURATION_MS[unit];
  }
  return text;
}

/** For people: at most two parts, no milliseconds beyond a second: `93_412` → `1m33s`. */
export function roughDuration(ms: number): string {
  if (Math.abs(ms) < 1_000) return formatDuration(ms);
  const step = Math.abs(ms) < 3_600_000 ? 1_000 : 60_000;
  return formatDuration(Math.round(ms / step) * step);
}

/** `"80%"`, `"2s"`, `"1GB"`, `0.01`, `"0.01"` → a quantity; `null` when it is none of these. */
export function parseQuantity(written: string | number): Quantity | null {
  if (typeof written === 'number') {
    return Number.isFinite(written) ? { value: written, unit: 'number' } : null;
  }
  const text = written.trim();
  if (/^-?\d+(\.\d+)?$/.test(text)) return { value: Number(text), unit: 'number' };
  const percent = /^(-?\d+(?:\.\d+)?)\s*%$/.exec(text);
  if (percent) return { value: Number(percent[1]) / 100, unit: 'ratio' };
  const size = /^(\d+(?:\.\d+)?)\s*([kKMGT]?i?B)$/.exec(text);
  const factor = size?.[2] === undefined ? undefined : SIZES[size[2]];
  if (size && factor !== undefined) return { value: Number(size[1]) * factor, unit: 'bytes' };
  const ms = parseDuration(text);
  return ms === null ? null : { value: ms / 1_000, unit: 'seconds' };
}

/** Thousands separated, at most `digits` decimals, no trailing zeros. */
export function formatNumber(value: number, digits = 2): string {
  if (!Number.isFinite(value)) return String(value);
  const fixed = Math.abs(value) >= 1e15 ? value.toExponential(3) : value.toFixed(digits);
  const [whole = '0', decimals] = fixed.split('.');
  const grouped = whole.includes('e') ? whole : whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  const trimmed = decimals?.replace(/0+$/, '') ?? '';
  const text = trimmed === '' ? grouped : `${grouped}.${trimmed}`;
  return text === '-0' ? '0' : text;
}

/** A value as a person reads it: `0.724` as ratio → `72.4 %`, `2.31` as seconds → `2.31 s`. */
export function formatValue(value: number, unit: Unit): string {
  if (!Number.isFinite(value)) return String(value);
  switch (unit) {
    case 'ratio':
      return `${formatNumber(value * 100, Math.abs(value) < 0.01 ? 3 : 2)} %`;
    case 'seconds':
      return Math.abs(value) < 1 && value !== 0
        ? `${formatNumber(value * 1_000, 1)} ms`
        : `${formatNumber(value)} s`;
    case 'bytes':
      return formatBytes(value);
    case 'number':
      return formatNumber(value, Math.abs(value) < 1 ? 4 : 2);
    default:
      return `${formatNumber(value)} ${unit}`;
  }
}

function formatBytes(value: number): string {
  for (const [suffix, factor] of [
    ['TB', 1e12],
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const) {
    if (Math.abs(value) >= factor) return `${formatNumber(value / factor)} ${suffix}`;
  }
  return `${formatNumber(value)} B`;
}
