// One event of an audit log: whether it is JSON, whole, and free of what a serializer leaves behind
// when it was given something that JSON does not have.
import { isMapping, jsonAt, type Mapping } from '../../kit/json.ts';

const WORD_CHARS_MAX = 200;

export const FAULTS = ['no JSON', 'serialization', 'schema', 'time'] as const;
export type Fault = (typeof FAULTS)[number];

export type Event =
  | { readonly kind: 'event'; readonly value: Mapping }
  | { readonly kind: 'fault'; readonly fault: Fault; readonly reason: string };

function fault(kind: Fault, reason: string): Event {
  return { kind: 'fault', fault: kind, reason };
}

/** Why it is none, without a piece of it: a log may hold what nobody else should read. */
export function readEvent(text: string | null): Event {
  if (text === null) return fault('no JSON', 'is not UTF-8, or longer than 1 MB');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    if (/[[:,]\s*-?(?:NaN|Infinity)\b/.test(text)) {
      return fault('serialization', 'holds NaN or Infinity, which is no JSON');
    }
    if (/[[:,]\s*Decimal\(/.test(text)) return fault('serialization', 'holds a Decimal');
    if (text.includes('\0')) return fault('no JSON', 'holds zero bytes, as after a crash');
    return fault('no JSON', /\}\s*\{/.test(text) ? 'is two events in one line' : 'is no JSON');
  }
  return isMapping(value) ? { kind: 'event', value } : fault('no JSON', 'is no JSON object');
}

/** Texts that a serializer writes for numbers and objects that it does not know. */
const LEFT_BEHIND: readonly (readonly [RegExp, string])[] = [
  [/^(?:NaN|nan|-?Infinity|-?inf)$/, 'a number that is none'],
  [/^Decimal\(/, 'a Decimal'],
  [/^<[^<>]{1,200} object at 0x[0-9a-fA-F]+>$/, 'an object of Python'],
  [/^datetime\.\w+\(/, 'a datetime of Python'],
  [/^\[object [A-Z]\w*\]$/, 'an object of JavaScript'],
];
const LEFT_BEHIND_CHARS_MAX = 300;

/** null: none. */
export function serializationProblem(event: Mapping, numbers: readonly string[]): string | null {
  for (const place of numbers) {
    const value = jsonAt(event, place);
    if (typeof value === 'string') return `${place} is a text; a number is wanted`;
  }
  const left: (readonly [string, unknown])[] = [['', event]];
  for (let item = left.pop(); item !== undefined; item = left.pop()) {
    const [name, value] = item;
    if (typeof value === 'string' && value.length <= LEFT_BEHIND_CHARS_MAX) {
      const known = LEFT_BEHIND.find(([pattern]) => pattern.test(value));
      if (known !== undefined) return `${name} holds ${known[1]} as text`;
    } else if (Array.isArray(value)) {
      for (const one of value) left.push([name, one]);
    } else if (isMapping(value)) {
      for (const [key, one] of Object.entries(value)) left.push([key.slice(0, 60), one]);
    }
  }
  return null;
}

/** A text or number that says something. */
export function wordOf(value: unknown): string | null {
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string' || value.trim() === '') return null;
  return value.slice(0, WORD_CHARS_MAX);
}
