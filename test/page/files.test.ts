// Rules about the browser's code, which the rules about TypeScript files do not see.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { MADE_OF, pageHash } from './made-of.ts';

const FOLDER = fileURLToPath(new URL('../../src/http/page/browser/', import.meta.url));
const SCRIPTS = readdirSync(FOLDER).filter((name) => name.endsWith('.js'));
const read = (name: string) => readFileSync(`${FOLDER}${name}`, 'utf8');
const bare = (name: string) => read(name).replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
const using = (pattern: RegExp) => SCRIPTS.filter((name) => pattern.test(bare(name)));

describe('the scripts of the page', () => {
  it('say first what they are for, and stay small', () => {
    expect(SCRIPTS.length).toBeGreaterThan(15);
    expect(SCRIPTS.filter((name) => !read(name).startsWith('//'))).toEqual([]);
    expect(SCRIPTS.filter((name) => read(name).split('\n').length > 400)).toEqual([]);
  });

  it('have functions of at most 60 lines', () => {
    const long = SCRIPTS.flatMap((name) => {
      const lines = read(name).split('\n');
      return lines.flatMap((line, index) => {
        const start = /^( {0,2})(?:export )?(?:async )?(?:function\b|[#\w]+\(.*\) \{$)/.exec(line);
        if (start === null || /^\s*(?:if|for|while|switch)\b/.test(line)) return [];
        const end = lines.findIndex((other, at) => at > index && other === `${start[1]}}`);
        return end - index + 1 > 60 ? [`${name}:${index + 1} has ${end - index + 1}`] : [];
      });
    });
    expect(long).toEqual([]);
  });

  it('make no markup of text, and no code', () => {
    expect(
      using(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/),
    ).toEqual([]);
  });

  it('ask canaryd in one file only, by paths only', () => {
    expect(using(/\bfetch\(|XMLHttpRequest|EventSource|sendBeacon|WebSocket/)).toEqual(['api.js']);
    expect(using(/['"`]https?:\/\//)).toEqual([]);
  });

  it("never go by the device's own clock", () => {
    expect(using(/\bDate\.now\b|\bnew Date\(\)/)).toEqual([]);
  });

  it('import what is served: files of the same folder', () => {
    const imports = SCRIPTS.flatMap((name) =>
      [...bare(name).matchAll(/\bfrom '([^']+)'/g)].map(([, specifier = '']) => specifier),
    );
    const known = [...SCRIPTS, 'uplot.js'].map((name) => `./${name}`);
    expect(imports.filter((specifier) => !known.includes(specifier))).toEqual([]);
  });
});

describe('the pictures in the docs', () => {
  it('show the page as it is (else: npm run screenshots)', () => {
    expect(readFileSync(MADE_OF, 'utf8').trim()).toBe(pageHash());
  });
});
