// What people write into documents: dates and approvals. Read narrowly: what is not clearly there is
// not there.

const MONTHS = [
  ...['january', 'february', 'march', 'april', 'may', 'june'],
  ...['july', 'august', 'september', 'october', 'november', 'december'],
];
const DAY_MS = 86_400_000;

export type Day = { readonly startMs: number; readonly endMs: number };

const FORMS: readonly (readonly [RegExp, (groups: readonly string[]) => readonly number[]])[] = [
  [/(?<!\d)(\d{4})-(\d\d)-(\d\d)(?!\d)/, ([y, m, d]) => [Number(y), Number(m), Number(d)]],
  [
    /(?<!\d)(\d{1,2})\. ?(\d{1,2})\. ?(\d{4})(?!\d)/,
    ([d, m, y]) => [Number(y), Number(m), Number(d)],
  ],
  [
    /(?<!\d)(\d{1,2})(?:st|nd|rd|th)? ([A-Za-z]{3,9})\.?,? (\d{4})(?!\d)/,
    ([d, m, y]) => [Number(y), monthOf(m), Number(d)],
  ],
  [
    /\b([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})(?!\d)/,
    ([m, d, y]) => [Number(y), monthOf(m), Number(d)],
  ],
];

function monthOf(name = ''): number {
  const word = name.toLowerCase();
  const length = word === 'sept' ? 4 : word.length;
  return MONTHS.findIndex((month) => month.slice(0, length) === word) + 1;
}

/** The first date in a text; null: none that means one day only (3/4/2026 does not). */
export function dayIn(text: string): Day | null {
  const found = FORMS.flatMap(([form, order]) => {
    const match = form.exec(text);
    return match === null ? [] : [{ at: match.index, parts: order(match.slice(1)) }];
  }).sort((a, b) => a.at - b.at);
  for (const { parts } of found) {
    const [year = 0, month = 0, day = 0] = parts;
    const startMs = Date.UTC(year, month - 1, day);
    const date = new Date(startMs);
    if (month < 1 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) continue;
    return { startMs, endMs: startMs + DAY_MS };
  }
  return null;
}

const LINE_CHARS_MAX = 5_000;

function linesOf(text: string): readonly string[] {
  return text.split(/\r?\n/).map((line) => line.slice(0, LINE_CHARS_MAX));
}

/** The date behind a text, in the first line that has both: "Date" is no part of "Update". */
export function dayAfter(document: string, after: string): Day | null {
  const [first = '', last = ''] = [after.at(0), after.at(-1)];
  const escaped = after.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const isLetter = (one: string) => /[\p{L}\p{N}]/u.test(one);
  const [before, behind] = [
    isLetter(first) ? '(?<![\\p{L}\\p{N}])' : '',
    isLetter(last) ? '(?![\\p{L}\\p{N}])' : '',
  ];
  const pattern = new RegExp(`${before}${escaped}${behind}`, 'giu');
  for (const line of linesOf(document)) {
    for (const match of line.matchAll(pattern)) {
      const day = dayIn(line.slice(match.index + after.length));
      if (day !== null) return day;
    }
  }
  return null;
}

export type Approval = 'approved' | 'open' | 'absent' | 'other_name';

const BULLET = /^\s*(?:[-*+]|\d+[.)])\s/;
const OPEN_BOX = /^\s*(?:[-*+]|\d+[.)])?\s*\[ ?\]/;
const words = (list: string) => new RegExp(`(?<![\\w-])(?:${list})(?![\\w-])`, 'i');
const REFUSED = words(
  'no|not|no-go|nogo|never|nobody|none|n/a|n\\.a\\.|reject\\w*|declin\\w*|refus\\w*|denied|den(?:y|ies)|' +
    'veto\\w*|object\\w*|against|disapprov\\w*|unapproved|unsigned|revok\\w*|withdr\\w*|block\\w*|abstain\\w*',
);
const PENDING = words(
  'pending|await\\w*|wait\\w*|tbd|tba|todo|requir\\w*|need\\w*|must|will|should|outstanding|missing|to be|' +
    'hold|later|open|absent|unavailable|away|vacation|leave|defer\\w*|postpon\\w*|unknown|null',
);
const STATED = /\b(?:approv(?:ed|als?)|signed|signatures?|sign-?offs?)\b/i;
const AGREED = words('approv(?:ed|al)|signed|agreed|accepted|granted|confirmed|yes|ok|go');
const TICK = /[\u2713\u2714\u2705]|\[x\]/i;
/** Behind these a person is reached; nothing is approved. */
const CONTACT = /@|\b(?:tel|phone|mobile|mail|ext|slack|pager)\b|\d[\d ()/.-]{4,}\d/i;
const HEADING_CHARS_MAX = 80;

/** What a line stands under. */
type Context = { heading: string; tableHead: string | null };
/** A line that mentions the role; `mentioned` says nothing about its approval. */
type Said = 'approved' | 'open' | 'mentioned';

/**
 * Whether the document says that somebody with this role has approved. A line that is open or
 * refuses counts more than any other.
 */
export function approvalOf(document: string, role: string, name: string | undefined): Approval {
  const word = role.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = new RegExp(`(?<![A-Za-z0-9])${word}(?![A-Za-z0-9])`, 'i');
  const context: Context = { heading: '', tableHead: null };
  const found = new Set<Said | 'other_name'>();
  for (const written of linesOf(document)) {
    const line = written.replace(/[*`]{1,3}(?=\S)|(?<=\S)[*`]{1,3}/g, '');
    const isHeading = follow(context, line);
    const match = isHeading ? null : pattern.exec(line);
    if (match === null) continue;
    const [before, after] = [line.slice(0, match.index), line.slice(match.index + match[0].length)];
    const said = saidIn(line, before, after, context);
    const isOther = name !== undefined && !line.toLowerCase().includes(name.toLowerCase());
    found.add(said === 'approved' && isOther ? 'other_name' : said);
  }
  if (found.has('open')) return 'open';
  if (found.has('approved')) return 'approved';
  if (found.has('other_name')) return 'other_name';
  return found.has('mentioned') ? 'open' : 'absent';
}

/** Keeps what the next lines stand under. @returns whether this line is a heading */
function follow(context: Context, line: string): boolean {
  const isRow = line.trim().startsWith('|');
  if (!isRow) context.tableHead = null;
  else context.tableHead ??= line;
  const text = line.trim();
  const isTitle = /^#{1,6}\s/.test(text);
  const isBare = /\p{L}/u.test(text) && !/[|:](?!$)/.test(text) && !BULLET.test(line);
  if (!isTitle && (isRow || !isBare || text.length > HEADING_CHARS_MAX)) return false;
  const isSentence = !isTitle && /[.!?]$/.test(text);
  // A statement of its own, such as "Approved by the CTO", also ends what stood above.
  context.heading = isSentence ? '' : text;
  return isTitle;
}

function saidIn(line: string, before: string, after: string, context: Context): Said {
  const isRow = before.trim().startsWith('|');
  const value = isRow ? after : valueBehind(after);
  const isForm = value !== undefined || TICK.test(line) || /\bby\s*:/i.test(before);
  if (OPEN_BOX.test(line)) return 'open';
  const isStated = STATED.test(line);
  if (REFUSED.test(line)) return isForm || isStated ? 'open' : 'mentioned';
  if (PENDING.test(line)) return isForm ? 'open' : 'mentioned';
  if (value === undefined)
    return STATED.test(before) || TICK.test(before) ? 'approved' : 'mentioned';
  if (isRow ? !isFilled(value) : isBlank(value)) return 'open';
  if (value.includes('?')) return 'open';
  if (CONTACT.test(withoutDates(value))) return 'mentioned';
  const isSaid = isStated || TICK.test(line) || AGREED.test(value);
  const heads = [context.heading, context.tableHead ?? ''];
  const isUnder = heads.some((one) => STATED.test(one) && !REFUSED.test(one) && !PENDING.test(one));
  return isSaid || isUnder ? 'approved' : 'mentioned';
}

function valueBehind(after: string): string | undefined {
  return /^\s*(?:approval|signature|sign-off)?\)?\s*(?::|=|–|—| - )(.*)$/i.exec(after)?.[1];
}

/** A row of a table: each cell behind the role is filled. */
function isFilled(after: string): boolean {
  const cells = after.split('|').slice(1);
  const filled = cells.at(-1)?.trim() === '' ? cells.slice(0, -1) : cells;
  return filled.length > 0 && filled.every((cell) => !isBlank(cell));
}

function withoutDates(value: string): string {
  const times = value.replace(/\b\d{1,2}:\d\d(?::\d\d)?\b/g, ' ');
  return FORMS.reduce((rest, [form]) => rest.replace(new RegExp(form, 'g'), ' '), times);
}

/** Lines to be filled in, and placeholders such as [Name]. */
function isBlank(value: string): boolean {
  const rest = value.replace(/\[[^\]]*\]|<[^>]*>|\((?:name|date|signature)\)/gi, '');
  return !/[\p{L}\p{N}\u2713\u2714\u2705]/u.test(
    rest.replace(/\b(?:name|date|signature)\s*:/gi, ''),
  );
}
