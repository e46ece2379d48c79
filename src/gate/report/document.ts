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

const OPEN_BOX = /^\s*(?:[-*+]|\d+[.)])?\s*\[ ?\]/;
const NEGATIVE_WORDS = [
  ...[
    'not',
    'no-go',
    'reject\\w*',
    'declin\\w*',
    'refus\\w*',
    'denied',
    'pending',
    'await\\w*',
    'tbd',
  ],
  ...[
    'todo',
    'requir\\w*',
    'need\\w*',
    'must',
    'will',
    'should',
    'outstanding',
    'missing',
    'to be',
  ],
];
const NEGATIVE = new RegExp(`\\b(?:${NEGATIVE_WORDS.join('|')})\\b`, 'i');
const STATED = /\b(?:approv(?:ed|als?)|signed|sign-?off)\b/i;

/** Whether a line says that somebody with this role has approved. */
export function approvalOf(document: string, role: string, name: string | undefined): Approval {
  let best: Approval = 'absent';
  const word = role.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = new RegExp(`(?<![A-Za-z0-9])${word}(?![A-Za-z0-9])`, 'i');
  for (const written of linesOf(document)) {
    const line = written.replace(/[*`]/g, '');
    const match = pattern.exec(line);
    if (match === null) continue;
    const [before, after] = [line.slice(0, match.index), line.slice(match.index + match[0].length)];
    const isOpen = OPEN_BOX.test(line) || NEGATIVE.test(before) || NEGATIVE.test(after);
    if (isOpen || !isApproved(before, after)) {
      if (best === 'absent') best = 'open';
    } else if (name !== undefined && !after.toLowerCase().includes(name.toLowerCase())) {
      best = 'other_name';
    } else {
      return 'approved';
    }
  }
  return best;
}

function isApproved(before: string, after: string): boolean {
  // A row of a table: each cell behind the role is filled.
  if (before.trim().startsWith('|')) {
    const cells = after.split('|').slice(1);
    const filled = cells.at(-1)?.trim() === '' ? cells.slice(0, -1) : cells;
    return filled.length > 0 && filled.every((cell) => !isBlank(cell));
  }
  const value = /^\s*(?:approval|signature|sign-off)?\)?\s*(?::|=|–|—| - )(.*)$/i.exec(after)?.[1];
  return value === undefined ? STATED.test(before) : !isBlank(value);
}

/** Lines to be filled in, and placeholders such as [Name]. */
function isBlank(value: string): boolean {
  const rest = value.replace(/\[[^\]]*\]|<[^>]*>|\((?:name|date|signature)\)/gi, '');
  return !/[\p{L}\p{N}\u2713\u2714\u2705]/u.test(
    rest.replace(/\b(?:name|date|signature)\s*:/gi, ''),
  );
}
