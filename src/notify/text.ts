// Text of a message before a channel formats it: foreign, so without control characters, and cut
// where no character is torn. Pure.
import type { Message } from '../core/delivery.ts';

/** Without control characters and half surrogates; line ends stay. */
export function clean(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n?|[\u2028\u2029]/g, '\n')
    .replace(/(?!\n)\p{Cc}|[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu, ' ')
    .trim();
}

export function oneLine(text: string): string {
  return clean(text).replace(/\s+/g, ' ');
}

/** At most `max` UTF-16 units, as most services count; what is cut off is marked. */
export function cutUnits(text: string, max: number): string {
  if (text.length <= max) return text;
  if (max < 1) return '';
  return `${text
    .slice(0, max - 1)
    .toWellFormed()
    .replace(/\ufffd$/, '')}…`;
}

const CUT = '… cut';

/** Whole lines as long as they fit, and a mark when some do not; the first is cut when none fits. */
export function cutLines(lines: readonly string[], max: number): readonly string[] {
  const size = lines.reduce((sum, line) => sum + line.length + 1, 0);
  if (size <= max) return lines;
  const kept: string[] = [];
  let room = max - CUT.length - 1;
  for (const line of lines) {
    room -= line.length + 1;
    if (room < 0) break;
    kept.push(line);
  }
  if (kept.length > 0) return [...kept, CUT];
  return max < 2 ? [] : [cutUnits(`${lines[0] ?? ''} …`, max - 1)];
}

/** One line, never empty: what a lock screen shows. */
export function headlineOf(message: Message, max: number): string {
  return cutUnits(oneLine(message.headline) || oneLine(message.kind) || 'canaryd', max);
}

/** The lines under the headline, without empty ones. */
export function linesOf({ lines }: Message): readonly string[] {
  return lines.flatMap((line) => clean(line).split('\n')).filter((line) => line.trim() !== '');
}

export const FIELDS_MAX = 10;

/** Titles and values on one line each, within these lengths. */
export function fieldsOf(
  { fields }: Message,
  titleMax = 80,
  valueMax = 300,
): readonly (readonly [title: string, value: string])[] {
  return fields
    .slice(0, FIELDS_MAX)
    .map(
      ([title, value]) =>
        [cutUnits(oneLine(title), titleMax), cutUnits(oneLine(value), valueMax)] as const,
    )
    .filter(([title, value]) => title !== '' || value !== '');
}

const LINKS_MAX = 10;
const LINK_URL_MAX = 1_500;

/** Only what a browser opens. */
export function linksOf({ links }: Message): readonly { label: string; url: string }[] {
  return links
    .slice(0, LINKS_MAX)
    .map(({ label, url }) => ({ label: cutUnits(oneLine(label), 80) || 'link', url: webUrl(url) }))
    .filter(({ url }) => url !== '');
}

function webUrl(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) return '';
  return parsed.href.length > LINK_URL_MAX ? '' : parsed.href;
}

export function nextOf({ next }: Message, max: number): string {
  return next === null ? '' : cutUnits(oneLine(next), max);
}

/** `2026-11-21 22:05:10 UTC`; empty when it is no time. */
export function utc(atMs: number): string {
  const iso = isoTime(atMs);
  return iso === null ? '' : `${iso.slice(0, 19).replace('T', ' ')} UTC`;
}

/** ISO 8601; null when it is no time that services know. */
export function isoTime(atMs: number): string | null {
  const at = new Date(atMs);
  if (Number.isNaN(at.getTime()) || atMs < 0 || atMs > Date.UTC(9999, 0)) return null;
  return at.toISOString();
}

export function watchOf({ watchId }: Message, max = 100): string {
  return cutUnits(oneLine(watchId), max);
}
