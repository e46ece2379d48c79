// The documents as the tests see them: their links, code fences and inline code. Knows just the
// Markdown that our documents use.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Every document of the repository; under test/ any other file is what a test reads. */
export const DOCUMENTS = globSync(['*.md', 'docs/**/*.md', 'src/**/*.md', 'test/**/README.md'], {
  cwd: root,
})
  .map(String)
  .sort();

export type Fence = {
  readonly file: string;
  readonly line: number;
  readonly language: string;
  readonly text: string;
};

export function fencesOf(file: string, text = read(file)): readonly Fence[] {
  const fences: Fence[] = [];
  for (const match of text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^ *```$/gm)) {
    const [, indent = '', language = '', body = ''] = match;
    const line = text.slice(0, match.index).split('\n').length;
    const own = body.replaceAll(new RegExp(`^ {${indent.length}}`, 'gm'), '');
    fences.push({ file, line, language, text: own });
  }
  return fences;
}

export function allFences(...languages: readonly string[]): readonly Fence[] {
  return DOCUMENTS.flatMap((file) => fencesOf(file)).filter(({ language }) =>
    languages.includes(language),
  );
}

export const nameOf = ({ file, line }: Fence) => `${file}:${line}`;

export function withoutFences(text: string): string {
  return text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '');
}

/** Texts between single backquotes. */
export function inlineCode(text: string): readonly string[] {
  return [...withoutFences(text).matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
}

export type Link = { readonly text: string; readonly target: string };

export function linksOf(text: string): readonly Link[] {
  const inline = [...withoutFences(text).matchAll(/\[([^\]]*)\]\(([^)\s]+)\)/g)];
  const html = [...text.matchAll(/\b(?:src|href|srcset)="([^"]+)"/g)];
  return [
    ...inline.map(([, words = '', target = '']) => ({ text: words, target })),
    ...html.map(([, target = '']) => ({ text: '', target })),
  ];
}

/** Anchors of a document's headings, as GitHub and most renderers make them. */
export function anchorsOf(text: string): ReadonlySet<string> {
  const headings = [...withoutFences(text).matchAll(/^#{1,6} +(.+)$/gm)];
  return new Set(headings.map(([, words = '']) => anchorOf(words)));
}

function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-');
}

/** The part of a document between two markers that `generated.ts` writes. */
export function sectionBetween(text: string, name: string): string | null {
  const [open, close] = markersOf(name);
  const from = text.indexOf(open);
  const to = text.indexOf(close);
  return from === -1 || to < from ? null : text.slice(from + open.length, to).trim();
}

export function withSection(text: string, name: string, section: string): string {
  const [open, close] = markersOf(name);
  const from = text.indexOf(open) + open.length;
  const to = text.indexOf(close);
  if (to < from) throw new Error(`no markers for ${name}`);
  return `${text.slice(0, from)}\n\n${section}\n\n${text.slice(to)}`;
}

const markersOf = (name: string) =>
  [`<!-- generated: ${name} -->`, `<!-- end: ${name} -->`] as const;
