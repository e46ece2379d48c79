// What the CLI writes. Text of services, people and metrics is foreign: it may not move a
// terminal's cursor, nor act as a command of the CI system that reads our output.
import type { Clock } from '../kit/clock.ts';

export type CliStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
};

export type CliIo = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: CliStream;
  readonly stderr: CliStream;
  readonly signal: AbortSignal;
  readonly clock: Clock;
};

export type Output = {
  line(text: string): void;
  /** Overwritten by the next line; only on a terminal. */
  live(text: string): void;
  json(value: unknown): void;
  /** Text as it is, for exports. */
  raw(text: string): void;
  error(text: string): void;
  /** Progress goes to stderr when stdout is for JSON. */
  readonly isJson: boolean;
};

/** Control characters, escape sequences and line separators become spaces. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu, ' ').trimEnd();
}

/** GitHub reads `::x::` at the start of a line and `##[x]` anywhere as commands. */
export function harmless(line: string): string {
  return line.replace(/##\[/g, '## [').replace(/^(\s*):(?=:)/, '$1: ');
}

export function createOutput(io: CliIo, isJson: boolean): Output {
  const inActions = Boolean(io.env['GITHUB_ACTIONS']);
  const progress = isJson ? io.stderr : io.stdout;
  const isLive =
    progress.isTTY === true && !inActions && !io.env['CI'] && io.env['TERM'] !== 'dumb';
  let liveShown = false;

  function clear(): void {
    if (liveShown) progress.write('\r\u001b[2K');
    liveShown = false;
  }
  function put(stream: CliStream, text: string): void {
    clear();
    for (const line of text.split('\n')) {
      const clean = plain(line);
      stream.write(`${inActions ? harmless(clean) : clean}\n`);
    }
  }
  return {
    isJson,
    line: (text) => put(progress, text),
    error: (text) => put(io.stderr, text),
    live(text) {
      if (!isLive) return;
      clear();
      progress.write(plain(text).slice(0, Math.max(20, (progress.columns ?? 80) - 1)));
      liveShown = true;
    },
    json(value) {
      clear();
      const text = JSON.stringify(value, null, 2);
      // Inside a JSON string the escape means the same character.
      io.stdout.write(`${inActions ? text.replace(/##\[/g, '#\\u0023[') : text}\n`);
    },
    raw(text) {
      clear();
      io.stdout.write(text);
    },
  };
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map((cell) => plain(cell).slice(0, 120)));
  const widths = (clean[0] ?? []).map((_, column) =>
    Math.max(...clean.map((row) => row[column]?.length ?? 0)),
  );
  return clean
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
