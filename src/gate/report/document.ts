// What people write into documents: dates and approvals. Read narrowly: what is not clearly there is
// not there.
import { personOf } from '../../core/signature.ts';

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
  const isLetter = (one: string) => /[\p{L}\p{N}]/u.test(one);
  const [before, behind] = [
    isLetter(first) ? '(?<![\\p{L}\\p{N}])' : '',
    isLetter(last) ? '(?![\\p{L}\\p{N}])' : '',
  ];
  const pattern = new RegExp(`${before}${escaped(after)}${behind}`, 'giu');
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
    'veto\\w*|object\\w*|against|disagree\\w*|disapprov\\w*|unapproved|unsigned|revok\\w*|withdr\\w*|abstain\\w*|' +
    "\\w+n['\u2019]t|cannot|nein|nicht|keine?|abgelehnt|" +
    'block(?:s|ed|ing|ers?)?|fail(?:s|ed|ing|ures?)?|stop(?:s|ped|ping)?',
);
/** Crosses, an empty box, a thumb down. */
const CROSSED = /[\u274c\u274e\u2717\u2718\u2716\u2610\u2612\u26d4]|\ud83d\udc4e|\ud83d\udeab/;
const PENDING = words(
  'pending|await\\w*|wait(?:s|ed|ing)?|tb[acd]|todo|requir\\w*|need(?:s|ed)?|must|will|should|' +
    'outstanding|missing|hold|later|open|absent|unavailable|away|vacation|leave|defer\\w*|' +
    'postpon\\w*|unknown|null|request\\w*|ask(?:s|ed|ing)?|want(?:s|ed)?|yet|drafts?|' +
    'in (?:progress|review)|under review|if|unless|until|once|provided|assuming|except|partly|' +
    'partially|subject to|condition\\w*|to (?:be|approve|sign|confirm|review|follow|do|come)|' +
    '(?:approval|sign-?off) process|begun|began|initiated|ongoing',
);
/** What is told beside a date is something else than an approval. */
const TOLD = words(
  'remind\\w*|notif\\w*|inform\\w*|told|invit\\w*|sent|mailed|called|contacted|schedul\\w*|due|' +
    'expected|planned|target\\w*|discuss\\w*|started',
);
const FINE = new RegExp(
  '\\b(?:no|without(?: any)?|zero) (?:(?:further|open|known|more) )?' +
    '(?:objections?|blockers?|issues?|concerns?|failures?)\\b',
  'gi',
);
/** Words of a refusal that are also names: Will Smith, Tom Leave, No Jae-won. */
const NAMED = new RegExp(
  '\\b(?:Will|Hold|Leave|Open) (?!Approv|Sign|Not|Be\\b)\\p{Lu}\\p{Ll}+|' +
    '\\bNo (?!Sign-|Go-)\\p{Lu}\\p{Ll}+-\\p{Ll}+|' +
    '\\b(?!(?:On|Still|Is|Not|Now|Remains|Currently|Will) )\\p{Lu}\\p{Ll}+ (?:Hold|Leave|Open)\\b',
  'gu',
);
const STATED = /\b(?:approv(?:ed|als?)|signed|signatures?|sign-?offs?)\b/i;
const DONE = 'approved|signed(?:[- ]off)?|agreed|accepted|granted|confirmed';
const AGREED = words(`${DONE}|yes|ok|go`);
const APPROVED_BY = new RegExp(`\\b(?:${DONE})(?: [\\w./-]+){0,4} by\\b:?([^:]*)$`, 'i');
const APPROVAL_OF = /\b(?:approvals?|signatures?|sign-?offs?) (?:by|of|from)(?: the)? *$/i;
const NEEDED_BY = /\b(?:needed|required|wanted|requested|due) by\b/i;
const TICKS = '[\u2611\u2713\u2714\u2705]\ufe0f?|\ud83d\udc4d|\\[x\\]';
const TICK = new RegExp(TICKS, 'i');
/** A box, and nothing before the role but what the box is for. */
const OWN_TICK = new RegExp(
  `^[\\s|>]*(?:[-*+]|\\d+[.)])?\\s*(?:${TICKS})[\\s|]*` +
    '(?:(?:approvals?|signatures?|sign-?offs?) (?:by|of|from) )?(?:the )?$',
  'i',
);
const SLASHED = [
  /(?<![\d/])\d{1,2}\/\d{1,2}\/(?:19|20)\d\d(?![\d/])/,
  /(?<![\d/])(?:19|20)\d\d\/\d{1,2}\/\d{1,2}(?![\d/])/,
];
const HEADING_CHARS_MAX = 80;

/** What a line stands under. */
type Context = { heading: string; tableHead: string | null };
/** A line that mentions the role; `mentioned` says nothing about its approval. */
type Said = 'approved' | 'open' | 'mentioned';
/** A line around the role; `plain` is without what only looks like a refusal. */
type Line = Readonly<Record<'text' | 'plain' | 'before' | 'after', string>>;

/**
 * Whether the document says that somebody with this role has approved. A line that is open or
 * refuses counts more than any other.
 */
export function approvalOf(document: string, role: string, name: string | undefined): Approval {
  const pattern = new RegExp(`(?<![A-Za-z0-9])${escaped(role)}(?![A-Za-z0-9])`, 'i');
  const context: Context = { heading: '', tableHead: null };
  const found = new Set<Said | 'other_name'>();
  for (const written of linesOf(document.replace(/<!--[\s\S]*?(?:-->|$)/g, ''))) {
    const text = withoutStruck(written).replace(/[*`]{1,3}(?=\S)|(?<=\S)[*`]{1,3}/g, '');
    const isHeading = follow(context, text);
    const match = isHeading ? null : pattern.exec(text);
    if (match === null) continue;
    const [before, after] = [text.slice(0, match.index), text.slice(match.index + match[0].length)];
    const said = saidIn({ text, plain: plainOf(text, name), before, after }, context);
    const isOther = name !== undefined && !isNamed(text, name);
    found.add(said === 'approved' && isOther ? 'other_name' : said);
  }
  if (found.has('open')) return 'open';
  if (found.has('approved')) return 'approved';
  if (found.has('other_name')) return 'other_name';
  return found.has('mentioned') ? 'open' : 'absent';
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function withoutStruck(line: string): string {
  return line.replace(/(?<!~)~~[^~]*~~(?!~)|<(del|s|strike)>[^<]*<\/\1>/gi, '');
}

/** Names and "no objections" are no refusal. */
function plainOf(text: string, name: string | undefined): string {
  const own = name === undefined ? text : text.replaceAll(name, ' ');
  return own.replaceAll(NAMED, ' ').replaceAll(FINE, ' ');
}

/** Whole words beside each other are this person's name. */
function isNamed(text: string, name: string): boolean {
  const wanted = personOf(name);
  const parts = text
    .split(/[\s|,;:=/()<>[\]–—]+/)
    .map(personOf)
    .filter(Boolean);
  return parts.some((_, first) => {
    let joined = '';
    for (let at = first; at < parts.length && joined.length < wanted.length; at += 1) {
      joined += parts[at];
    }
    return joined === wanted;
  });
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

function saidIn({ text, plain, before, after }: Line, context: Context): Said {
  const isRow = before.trim().startsWith('|');
  const value = isRow ? after : valueBehind(after);
  const isTicked = OWN_TICK.test(before) && (value !== undefined || isTickEnd(after));
  const isList = /\bby\s*:/i.test(before) && !NEEDED_BY.test(before);
  const isForm = value !== undefined || isTicked || isList;
  if (OPEN_BOX.test(text)) return 'open';
  const isStated = STATED.test(text);
  if (REFUSED.test(plain) || CROSSED.test(text)) return isForm || isStated ? 'open' : 'mentioned';
  if (PENDING.test(plain)) return isForm ? 'open' : 'mentioned';
  const isTold = TOLD.test(plain);
  const isDated = !isTold && hasDate(text);
  if (value === undefined) {
    const isOf = APPROVAL_OF.test(before) && isDated;
    return isTicked || isOf || isApprovedBy(before) ? 'approved' : 'mentioned';
  }
  if (isRow ? !isFilled(value) : isBlank(value)) return 'open';
  if (value.includes('?') || /(?:^|\|)\s*x\s*(?:[|,]|$)/i.test(value)) return 'open';
  const isTick = !isTold && (isTicked || TICK.test(value));
  const heads = [context.heading, context.tableHead ?? ''];
  const isUnder = isStated || heads.some(isSignedHead);
  return isTick || AGREED.test(value) || (isUnder && isDated) ? 'approved' : 'mentioned';
}

function valueBehind(after: string): string | undefined {
  const form = /^\s*(?:approval|signature|sign-off)?(?:\s*\([^()]*\))?\)?\s*(?::|=|–|—| - )(.*)$/i;
  return form.exec(after)?.[1];
}

/** Under it a name with a date is an approval. */
function isSignedHead(head: string): boolean {
  const isOpen = REFUSED.test(head) || PENDING.test(head) || /\bcontacts?\b/i.test(head);
  return STATED.test(head) && !isOpen;
}

/** Behind a role with a box: names, dates or the word itself, not what was done with the person. */
function isTickEnd(after: string): boolean {
  if (TOLD.test(after)) return false;
  return (
    AGREED.test(after) || areNames(after.replace(/^\s*(?:approval|signature|sign-?off)\b/i, ''))
  );
}

/** "Approved by: CTO, DevOps Lead": between the word and the role stand others, if anything. */
function isApprovedBy(before: string): boolean {
  const between = APPROVED_BY.exec(before)?.[1];
  return between !== undefined && areNames(between.replace(/\b(?:the|our|and|a)\b/gi, ' '));
}

function areNames(text: string): boolean {
  const parts = withoutDates(text).split(/[\s,;/()|.&]+/);
  return parts.every((one) => one === '' || /^\p{Lu}/u.test(one));
}

function hasDate(text: string): boolean {
  return dayIn(text) !== null || SLASHED.some((form) => form.test(text));
}

/** A row of a table: each cell behind the role is filled. */
function isFilled(after: string): boolean {
  const cells = after.split('|').slice(1);
  const filled = cells.at(-1)?.trim() === '' ? cells.slice(0, -1) : cells;
  return filled.length > 0 && filled.every((cell) => !isBlank(cell));
}

function withoutDates(value: string): string {
  const forms = [...FORMS.map(([form]) => form), ...SLASHED];
  return forms.reduce((rest, form) => rest.replace(new RegExp(form, 'g'), ' '), value);
}

/** Lines to be filled in, and placeholders such as [Name]. */
function isBlank(value: string): boolean {
  if (TICK.test(value)) return false;
  const rest = value.replace(/\[[^\]]*\]|<[^>]*>|\((?:name|date|signature)\)/gi, '');
  return !/[\p{L}\p{N}]/u.test(rest.replace(/\b(?:name|date|signature)\s*:/gi, ''));
}
