// Mistakes in a file, in one voice: where, what was found, what is wanted, what to do.
// Never shows what could be a secret: such a value is named by its kind only.
import type { z } from 'zod';
import type { Problem } from '../kit/errors.ts';

/** More mistakes than this are counted, not listed. */
const PROBLEMS_SHOWN_MAX = 100;
const FOUND_CHARS_MAX = 60;
const SECRET_SEGMENT =
  /secret|token|passw|routing_key|authoriz|credential|header|cookie|api_?key|basic_auth|^env$/i;
/** A whole URL is the secret here. */
const SECRET_FIELD = /webhook$/i;

export type Path = readonly (string | number)[];

/** `['windows', 0, 'stop']` → `windows[0].stop` */
export function pathText(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w$-]+$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(cut(part))}]`;
  }
  return text;
}

/** `windows[0].stop` → `['windows', 0, 'stop']`; what cannot be read ends it. */
export function pathOf(text: string): Path {
  const parts: (string | number)[] = [];
  for (const [, index, quoted, word] of text.matchAll(/\[(\d+)\]|\["([^"]*)"\]|\.?([\w$-]+)/gy)) {
    parts.push(index === undefined ? (quoted ?? word ?? '') : Number(index));
  }
  return parts;
}

function cut(text: string): string {
  return text.length > FOUND_CHARS_MAX ? `${text.slice(0, FOUND_CHARS_MAX - 1)}…` : text;
}

function isSecretPath(path: Path): boolean {
  const names = path.filter((part) => typeof part === 'string');
  return names.some((name) => SECRET_SEGMENT.test(name)) || SECRET_FIELD.test(names.at(-1) ?? '');
}

/** A value as an error may show it. */
export function found(value: unknown, path: Path = []): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'an empty value';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'a mapping';
  if (isSecretPath(path)) return 'a value that is not shown here';
  if (typeof value !== 'string') return cut(String(value));
  // A URL can carry a password, a key in its query, or a path that is itself the secret.
  const origin = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]*/i.exec(value)?.[0];
  if (origin === undefined) return `"${cut(value)}"`;
  return value.includes('@') ? 'a URL that is not shown here' : `a URL at ${cut(origin)}`;
}

export function problem(path: Path, foundText: string, wanted: string): Problem {
  return { path: pathText(path), message: `found ${foundText}; wanted ${wanted}` };
}

/** The candidate that was probably meant. */
export function closest(word: string, candidates: Iterable<string>): string | null {
  if (word.length > FOUND_CHARS_MAX) return null;
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `; did you mean fill_rate?` or nothing. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const candidate = closest(word, candidates);
  return candidate === null ? '' : `; did you mean ${candidate}?`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** What lies at a path of parsed YAML or JSON. */
export function valueAt(raw: unknown, path: Path): unknown {
  let value: unknown = raw;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) {
      return undefined;
    }
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** What the schema refused: its messages say what is wanted, this adds what was found and where. */
export function schemaProblems(error: z.ZodError, raw: unknown): Problem[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.filter((part) => typeof part !== 'symbol');
    if (issue.code === 'unrecognized_keys') {
      const known = issue.message.split(', ');
      return issue.keys.map((key) =>
        problem(
          [...path, key],
          'a field that does not exist here',
          `one of ${issue.message}${didYouMean(key, known)}`,
        ),
      );
    }
    if (issue.code === 'invalid_key') {
      const name = found(String(path.at(-1) ?? ''));
      return [problem(path, `the name ${name}`, issue.issues[0]?.message ?? issue.message)];
    }
    if (issue.message.startsWith('found ')) {
      return [{ path: pathText(path), message: issue.message }];
    }
    return [problem(path, found(valueAt(raw, path), path), issue.message)];
  });
}

/** One mistake per path: the first is the cause, the rest usually follow from it. */
export function uniqueProblems(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems.filter(({ path, message }) => {
    const key = `${path}\n${message}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** For the terminal: every mistake of one file, one line each. */
export function problemsText(file: string, problems: readonly Problem[]): string {
  const count = `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`;
  const lines = problems
    .slice(0, PROBLEMS_SHOWN_MAX)
    .map(({ path, message }) => `  ${path === '' ? '(whole file)' : path}: ${message}`);
  const more = problems.length - PROBLEMS_SHOWN_MAX;
  if (more > 0) lines.push(`  … and ${more} more`);
  return [`${file}: ${count}`, ...lines].join('\n');
}
