import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { escapeData, escapeMarkdown } from '../../src/cli/github.ts';
import { harmless, plain } from '../../src/cli/output.ts';
import { cli } from '../support/cli.ts';
import { conditionView } from '../support/fake-control.ts';
import { api, listening } from '../support/http-server.ts';

const EVIL = 'x\n::set-output name=a::b\r##[error]y | <b> `c` @team https://evil.example\u001b[2J';

function actions() {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-github-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = (name: string) => join(folder, name);
  writeFileSync(file('output'), '');
  writeFileSync(file('summary'), '');
  return {
    env: {
      GITHUB_ACTIONS: 'true',
      GITHUB_OUTPUT: file('output'),
      GITHUB_STEP_SUMMARY: file('summary'),
    },
    outputs: () => readFileSync(file('output'), 'utf8'),
    summary: () => readFileSync(file('summary'), 'utf8'),
  };
}

async function withWatch(version = '1.4.0') {
  const server = api();
  const { watch } = await server.control.start({ service: 'aurora', version, parameters: {} });
  return { control: server.control, id: watch.id, base: await listening(server) };
}

describe('in GitHub Actions', () => {
  it('a pass is a notice, with outputs and a summary', async () => {
    const { control, id, base } = await withWatch();
    control.happen(id, { type: 'watch.passed', conditions: [], coverage: {} });
    const github = actions();
    const run = cli({ server: base, env: github.env });
    expect(await run.run('wait', id)).toBe(0);
    expect(run.out()).toContain('\n::notice title=canaryd::passed: aurora 1.4.0 in production');
    expect(github.outputs()).toBe(`watch=${id}\nphase=passed\n`);
    expect(github.summary()).toContain('### canaryd: passed: aurora 1.4.0 in production');
    expect(github.summary()).toContain('| inactive | Order fill rate |');
  });

  it.each(['stop', 'cancel'] as const)('a %s is an error', async (verb) => {
    const { control, id, base } = await withWatch();
    await control[verb](id, { by: 'alice', reason: 'wrong' });
    const run = cli({ server: base, env: actions().env });
    await run.run('wait', id);
    expect(run.out()).toMatch(/^::error title=canaryd::/m);
  });

  it('a start without --wait leaves the id for later steps', async () => {
    const { id, base } = await withWatch();
    const github = actions();
    await cli({ server: base, env: github.env }).run('start', 'aurora', '--version', '1.4.0');
    expect(github.outputs()).toBe(`watch=${id}\nphase=watching\n`);
  });

  it('text from outside acts as no command, output or Markdown', async () => {
    const { control, id, base } = await withWatch(EVIL);
    const entry = control.entries.get(id);
    entry?.conditions.push(conditionView({ title: EVIL, text: EVIL }));
    await control.cancel(id, { by: EVIL, reason: EVIL });
    const github = actions();
    const run = cli({ server: base, env: github.env });
    await run.run('wait', id);
    const commands = run.out().match(/^\s*::.*/gm);
    expect(commands).toHaveLength(1);
    expect(commands?.[0]).toMatch(/^::error title=canaryd::/);
    expect(run.out().replace(/^::error.*/m, '')).not.toContain('##[');
    expect(run.out()).not.toContain('\u001b');
    expect(github.outputs()).toBe(`watch=${id}\nphase=cancelled\n`);
    expect(github.summary()).not.toMatch(/<b>|@team|https:\/\//);
  });

  it('a file that cannot be written changes no verdict', async () => {
    const { control, id, base } = await withWatch();
    control.happen(id, { type: 'watch.passed', conditions: [], coverage: {} });
    const env = { ...actions().env, GITHUB_OUTPUT: '/nonexistent/output' };
    const run = cli({ server: base, env });
    expect(await run.run('wait', id)).toBe(0);
    expect(run.err()).toContain('GITHUB_OUTPUT');
  });

  it('elsewhere nothing of this is written', async () => {
    const { control, id, base } = await withWatch();
    control.happen(id, { type: 'watch.passed', conditions: [], coverage: {} });
    const run = cli({ server: base });
    await run.run('wait', id);
    expect(run.out()).not.toContain('::');
  });
});

describe('escaping', () => {
  it('of annotation data', () => {
    expect(escapeData('50%\r\n')).toBe('50%25%0D%0A');
  });
  it('of Markdown', () => {
    expect(escapeMarkdown('a|b [c](d) <e> *f*')).toBe('a\\|b \\[c\\]\\(d\\) &lt;e&gt; \\*f\\*');
  });
  it('of what would mention somebody or link, so that it reads as it was written', () => {
    expect(escapeMarkdown('ask @ops at https://x.test #1')).toBe(
      'ask &#64;ops at https&#58;//x.test \\#1',
    );
  });
  it('of lines', () => {
    expect(harmless('  ::error::x')).toBe('  : :error::x');
    expect(harmless('a ##[error]x')).toBe('a ## [error]x');
    expect(plain('a\u001b[31m\tb\u2028c')).toBe('a [31m b c');
  });
});
