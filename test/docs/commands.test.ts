// Every command of canaryd and npm in a document is one that exists, with options that exist.
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createProgram } from '../../src/cli/cli.ts';
import { startBody } from '../../src/http/requests.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { allFences, DOCUMENTS, inlineCode, nameOf, read } from './markdown.ts';

const nowhere = new Writable({ write: (_, __, done) => done() });
const program = createProgram(
  {
    env: {},
    stdout: nowhere,
    stderr: nowhere,
    signal: new AbortController().signal,
    clock: systemClock,
  },
  () => {},
);
const verbs = program.commands.map((command) => command.name());
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

const START = /(?:^|[\s(|&;`$])(?:canaryd|node src\/main\.ts|npx canaryd|npm run canaryd --) +/g;

type Call = { readonly verb: string; readonly options: readonly string[]; readonly text: string };

/** Calls of canaryd in a shell text; one ends at a separator, a comment or the end of its line. */
function callsIn(shell: string): readonly Call[] {
  const lines = shell
    .replaceAll(/\\\n\s*/g, ' ')
    .replaceAll(/^\s*#.*$/gm, '')
    .split('\n');
  return lines.flatMap((line) =>
    [...line.matchAll(START)].map((match) => {
      const rest = line.slice(match.index + match[0].length);
      const text = (/^(?:"[^"]*"|'[^']*'|[^|;&#`)])*/.exec(rest)?.[0] ?? '').trim();
      const words = text.replaceAll(/"[^"]*"|'[^']*'/g, 'x').split(/\s+/);
      const options = words.filter((word) => word.startsWith('--'));
      return { verb: words[0] ?? '', options: options.map((o) => o.split('=')[0] ?? ''), text };
    }),
  );
}

/** What canaryd would not understand of a call. */
function problemsOf({ verb, options, text }: Call): readonly string[] {
  if (verb === '' || /^[<[…]/.test(verb)) return [];
  // What happens in a case of `canaryd test`.
  if (/^(?:down|restarts)$/.test(verb)) return [];
  if (verb === '--help' || verb === '--version') return [];
  const group = program.commands.find((candidate) => candidate.name() === verb);
  if (group === undefined) return [`no verb '${verb}': ${text}`];
  const [, second] = text.split(' ');
  const command = group.commands.find((candidate) => candidate.name() === second) ?? group;
  const known = ['--help', ...command.options.map(({ long }) => long)];
  return options.filter((option) => !known.includes(option)).map((option) => `${option}: ${text}`);
}

const shells = allFences('sh', 'yaml', 'ini');
/** Messages and output: prose, in which some words are calls. */
const texts = allFences('text');

describe.each(DOCUMENTS)('%s', (file) => {
  const text = read(file);
  const own = shells.filter((fence) => fence.file === file).map((fence) => fence.text);
  const codes = inlineCode(text).filter((code) => /^(?:canaryd|node src\/main\.ts) /.test(code));

  it('calls canaryd with verbs and options that exist', () => {
    expect([...own, ...codes].flatMap(callsIn).flatMap(problemsOf)).toEqual([]);
  });

  it('shows messages that tell people to use options that exist', () => {
    const calls = texts.filter((fence) => fence.file === file).flatMap(({ text: t }) => callsIn(t));
    const real = calls.filter(({ verb }) => verbs.includes(verb));
    expect(real.flatMap(problemsOf)).toEqual([]);
  });

  it('names npm scripts that exist', () => {
    const names = [...text.matchAll(/\bnpm run (?:--silent )?([\w:]+)/g)].map(
      ([, name = '']) => name,
    );
    expect(names.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});

describe('requests by curl', () => {
  const bodies = allFences('sh').flatMap((fence) =>
    [...fence.text.matchAll(/\/v1\/watches["' ][^;|]*?-d '([^']+)'/g)].map(
      ([, body = '']) => [nameOf(fence), body] as const,
    ),
  );

  it.each(bodies)('in %s have a body that the API takes', (_, body) => {
    expect(startBody.safeParse(JSON.parse(body)).error).toBeUndefined();
  });

  it('are in the README', () => {
    expect(bodies.map(([name]) => name).join()).toContain('README.md');
  });
});

describe('starts of aurora in README.md and docs/judgement.md', () => {
  const asked = Object.keys(
    (parse(read('config/policies/aurora.yaml')) as { parameters: object }).parameters,
  );
  const starts = allFences('sh').filter(
    ({ file, text }) =>
      /README|judgement/.test(file) && /start aurora|"service":"aurora"/.test(text),
  );

  it.each(starts.map((fence) => [nameOf(fence), fence.text] as const))(
    'bring what the policy asks for: %s',
    (_, text) => {
      expect(asked.filter((name) => !text.includes(name))).toEqual([]);
    },
  );

  it('exist', () => {
    expect(starts.length).toBeGreaterThanOrEqual(3);
  });
});

describe('a wrong call', () => {
  it.each([
    ['canaryd begin aurora', "no verb 'begin'"],
    ['canaryd start aurora --verion 1', '--verion'],
    ['node src/main.ts list --all', '--all'],
    ['x=$(canaryd start aurora --jsonn)', '--jsonn'],
  ])('%s is found', (call, problem) => {
    expect(callsIn(call).flatMap(problemsOf).join()).toContain(problem);
  });

  it('does not hide behind a line that goes on, a pipe or a comment', () => {
    const calls = callsIn('canaryd start aurora \\\n  --version 1 | canaryd show w --json # all');
    expect(calls.map(({ verb, options }) => [verb, ...options])).toEqual([
      ['start', '--version'],
      ['show', '--json'],
    ]);
  });
});
