import { RE2JS } from 're2js';

export type Pattern = {
  /** Whether it matches the whole text. The time grows with the text, never faster. */
  readonly matches: (text: string) => boolean;
};

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
