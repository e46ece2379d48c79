// Reading a YAML file: its value, or every mistake of its syntax with line and column.
import { readFileSync } from 'node:fs';
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml';
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

const TOO_DEEP = 'lists and mappings nested too deeply; wanted a few levels; write it flatter';

type Mistake = { readonly at: number; readonly said: string };

export function parseYaml(text: string): YamlResult {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // The library compares each key with all before it: a file of 1 MB would take minutes.
    uniqueKeys: false,
    // Warnings would go to standard error, past our log.
    logLevel: 'error',
  });
  const broken = document.errors.map(({ code, message, pos }): Mistake => {
    // The library reads nested nodes by recursion, and says how that ended.
    if (message.includes('call stack')) return { at: pos[0], said: TOO_DEEP };
    const said = ADVICE[code] ?? `broken YAML (${message}); wanted valid YAML; mend this line`;
    return { at: pos[0], said };
  });
  const mistakes = broken.length > 0 ? broken : structureMistakes(document);
  if (mistakes.length > 0) {
    const problems = mistakes.map(({ at, said }) => {
      const { line, col } = lines.linePos(at);
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

/** Keys written twice, and aliases inside of what they name: a value without an end. */
function structureMistakes(document: Document.Parsed): Mistake[] {
  const mistakes: Mistake[] = [];
  const anchors = new Map<string, Node>();
  const note = (node: Node) => {
    if (!('anchor' in node) || node.anchor === undefined) return;
    anchors.set(node.anchor, node);
  };
  visit(document, {
    Scalar: (_, scalar) => note(scalar),
    Seq: (_, list) => note(list),
    Map(_, map) {
      note(map);
      const seen = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        // `1` and `"1"` are one key of the value.
        const name = String(key.value ?? '');
        if (seen.has(name)) {
          mistakes.push({ at: key.range?.[0] ?? 0, said: ADVICE['DUPLICATE_KEY'] ?? '' });
        }
        seen.add(name);
      }
    },
    Alias(_, alias, path) {
      const target = anchors.get(alias.source);
      if (target === undefined || !path.includes(target)) return;
      const said = `the alias *${alias.source} inside of what it names; wanted a value; write it out`;
      mistakes.push({ at: alias.range?.[0] ?? 0, said });
    },
  });
  return mistakes;
}

export function readYaml(path: string): YamlResult {
  const read = readYamlText(path);
  return read.kind === 'problems' ? read : parseYaml(read.text);
}

/** The text as it is, for those who keep it or its hash. */
export function readYamlText(
  path: string,
):
  | { readonly kind: 'text'; readonly text: string; readonly bytes: Uint8Array }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] } {
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
  return { kind: 'text', text: bytes.toString('utf8'), bytes };
}

/** The line of a path, from 1; of what is around it when it is not written. Null: no file. */
export function lineFinder(path: string): (at: readonly (string | number)[]) => number | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').slice(0, FILE_BYTES_MAX);
  } catch {
    return () => null;
  }
  const lines = new LineCounter();
  const { contents } = parseDocument(text, {
    ...{ lineCounter: lines, prettyErrors: false, uniqueKeys: false, logLevel: 'error' },
  });
  return (at) => {
    let node: unknown = contents;
    let offset = 0;
    for (const part of at) {
      if (isMap(node)) {
        const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === part);
        if (pair === undefined || !isNode(pair.key)) break;
        offset = pair.key.range?.[0] ?? offset;
        node = pair.value;
      } else if (isSeq(node) && typeof part === 'number') {
        node = node.items[part];
        if (!isNode(node)) break;
        offset = node.range?.[0] ?? offset;
      } else break;
    }
    return lines.linePos(offset).line || 1;
  };
}
