// Reading a YAML file: its value, or every mistake of its syntax with line and column.
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import type { Problem } from '../kit/errors.ts';

const FILE_BYTES_MAX = 1_000_000;
/** Aliases multiply; a policy has no need for many. */
const ALIASES_MAX = 100;

export type YamlResult =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

const ADVICE: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'the same key twice in one mapping; wanted each key once; remove or rename one',
  MULTIPLE_DOCS: 'a second document; wanted one document in a file; remove the --- line',
  TAB_AS_INDENT: 'a tab as indentation; wanted spaces; replace the tab',
};

export function parseYaml(text: string): YamlResult {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ code, message, pos }) => {
      const { line, col } = lines.linePos(pos[0]);
      const said = ADVICE[code] ?? `broken YAML (${message}); wanted valid YAML; mend this line`;
      return { path: `line ${line}, column ${col}`, message: `found ${said}` };
    });
    return { kind: 'problems', problems };
  }
  try {
    return { kind: 'value', value: document.toJS({ maxAliasCount: ALIASES_MAX }) };
  } catch {
    const message =
      `found an alias that cannot be resolved; wanted at most ${ALIASES_MAX} uses of ` +
      'anchors set before; write the value out';
    return { kind: 'problems', problems: [{ path: '', message }] };
  }
}

export function readYaml(path: string): YamlResult {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const message = `found no readable file (${code}); wanted a YAML file; check the path`;
    return { kind: 'problems', problems: [{ path: '', message }] };
  }
  if (bytes.length > FILE_BYTES_MAX) {
    const message = `found ${bytes.length} bytes; wanted at most ${FILE_BYTES_MAX}; split the file`;
    return { kind: 'problems', problems: [{ path: '', message }] };
  }
  return parseYaml(bytes.toString('utf8'));
}
