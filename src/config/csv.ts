// Rows of a CSV text, each with the line it began on, or what is broken about it.
import type { Problem } from '../kit/errors.ts';

export type CsvRow = { readonly line: number; readonly cells: readonly string[] };

export type CsvResult =
  | { readonly kind: 'rows'; readonly rows: readonly CsvRow[] }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

/** A quoted cell, or a bare one, with what ends it; the last alternative is a broken quoted one. */
const CELL = /(?:"((?:[^"]|"")*)"(?=,|\n|$)|([^",\n][^,\n]*|)(?=,|\n|$)|("))(,|\n|$)?/gy;

/** A cell in double quotes may hold commas, line breaks and doubled quotes. Empty lines are none. */
export function csvRows(text: string): CsvResult {
  const rows: CsvRow[] = [];
  let [line, startLine] = [1, 1];
  let cells: string[] = [];
  for (const [all, quoted, bare = '', broken, end = ''] of text
    .replace(/\r\n?/g, '\n')
    .matchAll(CELL)) {
    if (broken !== undefined) {
      const message =
        'found a quoted cell that does not end; wanted "…" up to the next comma, a quote in it doubled; mend it';
      return { kind: 'problems', problems: [{ path: `line ${line}`, message }] };
    }
    cells.push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
    line += all.split('\n').length - 1;
    if (end === ',') continue;
    if (cells.some((cell) => cell.trim() !== '')) rows.push({ line: startLine, cells });
    startLine = line;
    cells = [];
  }
  return { kind: 'rows', rows };
}
