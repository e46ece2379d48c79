// Regular expressions of config and of foreign labels, as RE2 reads them. Pure.
import { RE2JS } from 're2js';

export type Pattern = {
  /** Whether it matches the whole text. The time grows with the text, never faster. */
  readonly matches: (text: string) => boolean;
};

export type Search = {
  /** The last place that it matches, then its groups (null: took no part); null: nowhere. */
  readonly last: (text: string) => readonly (string | null)[] | null;
};

/** More places than this in one text are not looked at: the first of them count. */
const PLACES_MAX = 100_000;

/** Likewise, for what stands somewhere in a text: `^` and `$` are the ends of a line. */
export function compileSearch(source: string): Search | null {
  try {
    const pattern = RE2JS.compile(source, RE2JS.MULTILINE);
    return {
      last(text) {
        const matcher = pattern.matcher(text);
        let found: readonly (string | null)[] | null = null;
        for (let place = 0; place < PLACES_MAX && matcher.find(); place += 1) {
          const groups = Array.from({ length: matcher.groupCount() + 1 }, (_, index) => index);
          found = groups.map((index) => matcher.group(index) ?? null);
        }
        return found;
      },
    };
  } catch {
    return null;
  }
}

/**
 * A regular expression as Prometheus reads it (RE2, `.` also matches a line end); null when it is
 * none. Not the language's own: that one takes other syntax, and a pattern such as `(a+)+` would
 * hold everything up for hours on a foreign label.
 */
export function compilePattern(source: string): Pattern | null {
  try {
    const pattern = RE2JS.compile(source, RE2JS.DOTALL);
    return { matches: (text) => pattern.testExact(text) };
  } catch {
    return null;
  }
}

/**
 * A pattern of a JSON Schema, found anywhere in a text; null when RE2 does not know it (it knows no
 * look-around and no back-references). The time grows with the text, never faster.
 */
export function compileSchemaPattern(source: string): ((text: string) => boolean) | null {
  try {
    const pattern = RE2JS.compile(RE2JS.translateRegExp(source));
    return (text) => pattern.test(text);
  } catch {
    return null;
  }
}
