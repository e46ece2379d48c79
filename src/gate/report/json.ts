// JSON reports: parsed once, then looked at piece by piece, so that nothing in them can surprise.
import { isMapping } from '../../kit/json.ts';
import { decode, type Refused, type ReportFile, refused } from './read.ts';

export type Json = { readonly kind: 'json'; readonly value: unknown } | Refused;

export function parseReport({ path, bytes }: Pick<ReportFile, 'path' | 'bytes'>): Json {
  const text = decode(bytes);
  if (text === null) return refused(`${path} is neither UTF-8 nor UTF-16; write it again`);
  if (text.trim() === '') return refused(`${path} is empty; the tool wrote nothing`);
  try {
    return { kind: 'json', value: JSON.parse(text) };
  } catch {
    return refused(`${path} ${jsonProblem(text)}`);
  }
}

/** Never the parser's own message: it shows a piece of the text. */
function jsonProblem(text: string): string {
  if (/[[:,]\s*-?(?:NaN|Infinity)\b/.test(text)) return 'holds NaN or Infinity, which is no JSON';
  const begins = /^\ufeff?\s*[{[]/.test(text);
  return !begins || /[}\]]$/.test(text.trimEnd())
    ? 'is no JSON; write it again'
    : 'is truncated JSON; write it again';
}

/** A field of its own; undefined when there is none. */
export function field(value: unknown, name: string): unknown {
  return isMapping(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

export function textIn(value: unknown, name: string): string | null {
  const found = field(value, name);
  return typeof found === 'string' ? found : null;
}

export function numberIn(value: unknown, name: string): number | null {
  const found = field(value, name);
  return typeof found === 'number' && Number.isFinite(found) ? found : null;
}

/** A count: a whole number, not negative. */
export function countIn(value: unknown, name: string): number | null {
  const found = numberIn(value, name);
  return found !== null && Number.isSafeInteger(found) && found >= 0 ? found : null;
}

export function listIn(value: unknown, name: string): readonly unknown[] {
  const found = field(value, name);
  return Array.isArray(found) ? found : [];
}

export function entriesIn(value: unknown): readonly (readonly [string, unknown])[] {
  return isMapping(value) ? Object.entries(value) : [];
}

/** A number, also one that a tool wrote as text; null: none. */
export function numberOf(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string' || !/^\s*-?\d+(\.\d+)?([eE][+-]?\d+)?\s*%?\s*$/.test(value)) {
    return null;
  }
  const parsed = Number(value.replace('%', ''));
  return Number.isFinite(parsed) ? parsed : null;
}
