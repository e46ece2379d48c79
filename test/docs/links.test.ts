import { existsSync, globSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchorsOf, DOCUMENTS, inlineCode, linksOf, read, root } from './markdown.ts';

/** First folders of paths in this repository. */
const TOP = /^(?:src|config|docs|test|prometheus|grafana|\.ci)\//;

/** What is wrong with a link to a place in this repository; null when it leads somewhere. */
function broken(file: string, target: string): string | null {
  if (/^(?:https?:|mailto:)/.test(target)) return null;
  const [path = '', anchor] = target.split('#');
  const to = path === '' ? file : normalize(join(dirname(file), path));
  if (to.startsWith('..') || !existsSync(join(root, to))) return `${target}: no such file`;
  if (anchor === undefined) return null;
  if (statSync(join(root, to)).isDirectory()) return `${target}: a folder has no anchors`;
  return anchorsOf(read(to)).has(anchor) ? null : `${target}: no such heading`;
}

/** Paths in backquotes: `src/core/decide.ts`, `test/scenario/`, `config/*.schema.json`. */
function missingPaths(file: string): readonly string[] {
  const paths = inlineCode(read(file)).filter((code) => TOP.test(code) && !/[\s<>$]/.test(code));
  return paths.filter((path) => {
    const bare = path.replace(/:\d+$/, '').replace(/\/$/, '');
    if (/[*{]/.test(bare)) return globSync(bare, { cwd: root }).length === 0;
    return !existsSync(join(root, bare));
  });
}

describe.each(DOCUMENTS)('%s', (file) => {
  it('links to places that exist', () => {
    const problems = linksOf(read(file)).flatMap(({ target }) => broken(file, target) ?? []);
    expect(problems).toEqual([]);
  });

  it('names paths that exist', () => {
    expect(missingPaths(file)).toEqual([]);
  });
});

describe('a broken link', () => {
  it.each(['docs/nowhere.md', 'docs/api.md#nowhere', '#nowhere', '../outside.md'])(
    'to %s is found',
    (target) => {
      expect(broken('README.md', target)).toContain(target);
    },
  );
});

describe('the documents', () => {
  it('are all reached from the README', () => {
    const seen = new Set<string>(['README.md']);
    for (const file of seen) {
      if (!file.endsWith('.md')) continue;
      for (const { target } of linksOf(read(file))) {
        const [path = ''] = target.split('#');
        if (path === '' || /^\w+:/.test(path)) continue;
        const to = normalize(join(dirname(file), path));
        if (DOCUMENTS.includes(to)) seen.add(to);
      }
    }
    expect(DOCUMENTS.filter((file) => !seen.has(file))).toEqual([]);
  });
});
