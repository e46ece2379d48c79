// What health endpoints and receivers answer in a case: `ok 4m, HTTP 503 2m, no answer 1m, slow 3s`
// and `times out 2x, accepted`.
import type { Outcome } from '../core/delivery.ts';
import { formatDuration, parseDuration } from '../core/quantity.ts';
import { parseTime } from './time.ts';

export type HealthAnswer =
  | { readonly kind: 'ok' }
  | { readonly kind: 'no_answer' }
  | { readonly kind: 'slow'; readonly ms: number }
  | { readonly kind: 'http'; readonly status: number; readonly body: string };

export type HealthCourse = readonly { readonly fromMs: number; readonly answer: HealthAnswer }[];

export const WANTED_HEALTH =
  'ok, no answer, slow 3s, HTTP 503 or HTTP 200 {"version":"1.0.0"}, with how long each lasts ' +
  '("ok 4m, HTTP 503 2m, ok") or by time ({ 0s: ok, 4m: HTTP 503 })';

export function healthAnswerOf(text: string): HealthAnswer | null {
  const trimmed = text.trim();
  if (trimmed === 'ok') return { kind: 'ok' };
  if (trimmed === 'no answer') return { kind: 'no_answer' };
  const slow = /^slow (\S+)$/.exec(trimmed)?.[1];
  if (slow !== undefined) {
    const ms = parseDuration(slow);
    return ms === null ? null : { kind: 'slow', ms };
  }
  const http = /^HTTP ([1-5]\d\d)(?:\s+(\S.*))?$/s.exec(trimmed);
  if (http === null) return null;
  return { kind: 'http', status: Number(http[1]), body: http[2] ?? '' };
}

/** null: something in it cannot be read. */
export function healthCourseOf(
  written: string | Readonly<Record<string, string>>,
): HealthCourse | null {
  if (typeof written === 'string') return inTurn(written);
  const course: { fromMs: number; answer: HealthAnswer }[] = [];
  for (const [when, text] of Object.entries(written)) {
    const fromMs = parseTime(when);
    const answer = healthAnswerOf(text);
    if (fromMs === null || answer === null) return null;
    course.push({ fromMs, answer });
  }
  return course.sort((a, b) => a.fromMs - b.fromMs);
}

/** A comma within the braces of a body divides nothing. */
function inTurn(text: string): HealthCourse | null {
  const course: { fromMs: number; answer: HealthAnswer }[] = [];
  let fromMs = 0;
  const parts = text.split(/,(?![^{]*\})/);
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    const lasting = /^(.*\S)\s+(\d\S*)\s*$/s.exec(part);
    const forMs = lasting === null ? null : parseDuration(lasting[2] ?? '');
    // `slow 3s` and `HTTP 503` end with what is no duration of theirs.
    const own = forMs === null ? null : healthAnswerOf(lasting?.[1] ?? '');
    const answer = own ?? (isLast ? healthAnswerOf(part) : null);
    if (answer === null) return null;
    course.push({ fromMs, answer });
    if (own !== null) fromMs += forMs ?? 0;
  }
  return course;
}

/** Before its first piece, and where nothing is said: ok. */
export function healthAt(course: HealthCourse | undefined, sinceMs: number): HealthAnswer {
  return course?.findLast(({ fromMs }) => fromMs <= sinceMs)?.answer ?? { kind: 'ok' };
}

const RECEIVER_WORDS = ['accepted', 'fails', 'refused', 'times out'] as const;
export type ReceiverWord = (typeof RECEIVER_WORDS)[number];

export const WANTED_RECEIVER = `${RECEIVER_WORDS.join(', ')}, each with how often: "times out 2x, accepted"`;
const TIMES_MAX = 100;

export function receiverWordsOf(text: string): readonly ReceiverWord[] | null {
  const words: ReceiverWord[] = [];
  for (const part of text.split(',')) {
    const [, written = '', times] = /^\s*(.*?)(?:\s+(\d+)x)?\s*$/.exec(part) ?? [];
    const word = RECEIVER_WORDS.find((known) => known === written);
    const count = Number(times ?? 1);
    if (word === undefined || count < 1 || count > TIMES_MAX) return null;
    for (let index = 0; index < count; index += 1) words.push(word);
  }
  return words;
}

/** How an attempt ends that was answered so. */
export function outcomeOf(word: ReceiverWord, timeoutMs: number): Outcome {
  const again = { retryAfterMs: null, maybeDelivered: false };
  switch (word) {
    case 'accepted':
      return { kind: 'delivered', detail: 'HTTP 202' };
    case 'refused':
      return { kind: 'refused', reason: 'client_error', detail: 'HTTP 404' };
    case 'fails':
      return { kind: 'retryable', reason: 'server_error', detail: 'HTTP 503', ...again };
    case 'times out': {
      const detail = `no answer within ${formatDuration(timeoutMs)}`;
      return { kind: 'retryable', reason: 'timeout', detail, ...again, maybeDelivered: true };
    }
    default:
      return word satisfies never;
  }
}
