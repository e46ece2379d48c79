import { readFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/cli.ts';
import { PROBLEMS } from '../../src/http/problem.ts';
import { STREAM_LIMITS } from '../../src/http/routes/events.ts';
import { allRoutes } from '../../src/http/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createLogger } from '../../src/kit/logger.ts';
import { FakeControl } from '../support/fake-control.ts';
import { NO_GATES } from '../support/gate-desk.ts';

const read = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
const nowhere = new Writable({ write: (_, __, done) => done() });
const PROGRAM = createProgram(
  {
    env: {},
    stdout: nowhere,
    stderr: nowhere,
    signal: new AbortController().signal,
    clock: systemClock,
  },
  () => {},
);
const ROUTES = allRoutes(
  {
    control: new FakeControl(),
    gates: NO_GATES,
    metricsText: async () => ({ contentType: '', body: '' }),
    logger: createLogger('silent'),
    version: '1',
    clock: systemClock,
  },
  { open: new Set() },
  STREAM_LIMITS,
);

describe('docs/cli.md', () => {
  const text = read('cli.md');

  it('has a section for every verb that exists, and for no other', () => {
    const verbs = PROGRAM.commands.map((command) => command.name());
    const sections = [...text.matchAll(/^### (\S+)/gm)].map(([, name]) => name);
    expect(sections.sort()).toEqual(verbs.sort());
  });

  it.each(PROGRAM.commands.map((command) => [command.name(), command] as const))(
    'names every option of %s',
    (name, command) => {
      const section = text.split(/^### /m).find((part) => part.startsWith(name)) ?? '';
      const everywhere = ['--server', '--token-file', '--json'];
      const options = [command, ...command.commands].flatMap((one) => one.options);
      const own = options.map(({ long }) => long ?? '');
      const missing = own.filter(
        (option) => !everywhere.includes(option) && !section.includes(option),
      );
      expect(missing).toEqual([]);
    },
  );
});

describe('docs/api.md', () => {
  const text = read('api.md');

  it('lists every route', () => {
    const routes = ROUTES.map(({ method, url }) => `${method} ${url.replace(/:(\w+)/g, '{$1}')}`);
    expect(routes.filter((route) => !text.includes(`\`${route}\``))).toEqual([]);
  });

  it('lists every problem with its status', () => {
    const rows = Object.entries(PROBLEMS).map(([kind, [status]]) => `| \`${kind}\` | ${status} |`);
    expect(rows.filter((row) => !text.includes(row))).toEqual([]);
  });
});
