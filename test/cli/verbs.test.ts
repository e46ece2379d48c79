import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { tokenMatcher } from '../../src/http/auth.ts';
import { cli, hastyClock } from '../support/cli.ts';
import { T0 } from '../support/fake-control.ts';
import { api, listening } from '../support/http-server.ts';

async function daemon() {
  const server = api();
  return { control: server.control, base: await listening(server) };
}

async function withWatch() {
  const { control, base } = await daemon();
  const { watch } = await control.start({ service: 'aurora', version: '1.4.0', parameters: {} });
  control.commands.length = 0;
  return { control, base, id: watch.id };
}

function file(content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'file');
  writeFileSync(path, content);
  return path;
}

describe('start', () => {
  it('sends everything that was said', async () => {
    const { control, base } = await daemon();
    const run = cli({ server: base });
    const argv = ['start', 'aurora', '--version', '1.4.0', '--environment', 'staging'];
    argv.push('--previous-version', '1.3.9', '--deployed-at', '2026-03-01T13:00:00+01:00');
    argv.push('--param', 'deploy_capital=1e5', '--param', 'desk=fx', '--param', 'zip="0815"');
    argv.push('--policy', 'aurora', '--observe', '--by', 'alice', '--url', 'https://ci.example/1');
    argv.push('--idempotency-key', 'run-42', '--json');
    expect(await run.run(...argv)).toBe(0);
    expect(control.commands[0]?.argument).toEqual({
      service: 'aurora',
      version: '1.4.0',
      environment: 'staging',
      previousVersion: '1.3.9',
      deployedAtMs: T0,
      parameters: { deploy_capital: 100_000, desk: 'fx', zip: '0815' },
      policy: 'aurora',
      mode: 'observe',
      by: 'alice',
      url: 'https://ci.example/1',
      idempotencyKey: 'run-42',
    });
    expect(run.json()).toMatchObject({ created: true, watch: { service: 'aurora' } });
  });

  it('takes person and link from the CI system', async () => {
    const { control, base } = await daemon();
    const env = {
      GITHUB_ACTOR: 'bob',
      GITHUB_SERVER_URL: 'https://github.example',
      GITHUB_REPOSITORY: 'a/b',
      GITHUB_RUN_ID: '7',
    };
    await cli({ server: base, env }).run('start', 'aurora', '--version', '1');
    const url = 'https://github.example/a/b/actions/runs/7';
    expect(control.commands[0]?.argument).toMatchObject({ by: 'bob', url });
  });

  it('says that the same deploy was started before', async () => {
    const { base, id } = await withWatch();
    const run = cli({ server: base });
    expect(await run.run('start', 'aurora', '--version', '1.4.0')).toBe(0);
    expect(run.out()).toContain(`watch ${id} was started before`);
  });

  it('with --wait exits with the verdict', async () => {
    const { control, base } = await daemon();
    const run = cli({
      server: base,
      clock: hastyClock(() => {
        const [id = ''] = control.entries.keys();
        control.happen(id, { type: 'watch.passed', conditions: [], coverage: {} });
      }),
    });
    expect(await run.run('start', 'aurora', '--version', '2', '--wait')).toBe(0);
    expect(run.out()).toContain('passed: aurora 2 in production');
  });

  it('shows all that the daemon refuses, and exits with 2', async () => {
    const { base } = await daemon();
    const run = cli({ server: base });
    expect(await run.run('start', 'a\tb', '--version', '', '--by', 'x')).toBe(2);
    expect(run.err()).toContain('service: ');
    expect(run.err()).toContain('version: ');
    const unknown = cli({ server: base });
    expect(await unknown.run('start', 'unknown', '--version', '1')).toBe(2);
    expect(unknown.err()).toContain('no policy for "unknown"');
  });

  it.each([
    [['--param', 'x'], '--param'],
    [['--param', 'x=1', '--param', 'x=2'], 'twice'],
    [['--deployed-at', '2026-03-01T12:00:00'], '--deployed-at'],
    [['--timeout', '5m'], '--wait'],
    [['--wait', '--timeout', '5 minutes'], '--timeout'],
    [['--server', 'localhost:7766'], '--server'],
    [['--server', 'http://user:pass@localhost'], '--token-file'],
    [['--token-file', '/nonexistent'], '--token-file'],
    [['--what'], '--what'],
  ])('%j is a usage error that names the option', async (extra, said) => {
    const { control, base } = await daemon();
    const run = cli({ server: base });
    expect(await run.run('start', 'aurora', '--version', '1', ...extra)).toBe(2);
    expect(run.err()).toContain(said);
    expect(run.err()).not.toContain('    at ');
    expect(control.commands).toEqual([]);
  });
});

describe('a daemon', () => {
  const verbs = [
    ['start', 'a', '--version', '1'],
    ['list'],
    ['show', 'w_1'],
    ['stop', 'w_1', '--reason', 'x'],
    ['hold', '--reason', 'x'],
    ['release', '--reason', 'x'],
    ['journal', 'w_1'],
  ];
  it.each(verbs)('that is not there is 4 for %s', async (...argv) => {
    const server = api();
    const base = await listening(server);
    await server.app.close();
    const run = cli({ server: base });
    expect(await run.run(...argv)).toBe(4);
    expect(run.err()).toContain('connection refused');
  });

  it('that cannot write its journal is 4', async () => {
    const { control, base } = await daemon();
    control.failWith('journal_failed', 'disk full');
    const run = cli({ server: base });
    expect(await run.run('list')).toBe(4);
    expect(run.err()).toContain('disk full');
  });

  it('that is something else is 2', async () => {
    const other = createServer((_, response) => void response.end('<html>'));
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const address = other.address() as { port: number };
    const run = cli({ server: `http://127.0.0.1:${address.port}` });
    expect(await run.run('list')).toBe(2);
    expect(run.err()).toContain('that canaryd would not give');
  });

  it('is asked with the token of a file or of the environment', async () => {
    const token = { name: 'ci', scopes: ['read' as const], matches: tokenMatcher('s3cret') };
    const base = await listening(api({ tokens: [token] }));
    expect(await cli({ server: base }).run('list')).toBe(2);
    expect(await cli({ server: base, env: { CANARYD_TOKEN: 's3cret' } }).run('list')).toBe(0);
    expect(await cli({ server: base }).run('list', '--token-file', file('s3cret\n'))).toBe(0);
    const wrong = cli({ server: base, env: { CANARYD_TOKEN: 'wrong-one' } });
    expect(await wrong.run('list')).toBe(2);
    expect(wrong.err()).not.toContain('wrong-one');
  });
});

describe('list and show', () => {
  it('list prints a table, and JSON', async () => {
    const { base, id } = await withWatch();
    const run = cli({ server: base });
    expect(await run.run('list', '--active', '--service', 'aurora')).toBe(0);
    expect(run.out()).toMatch(new RegExp(`^WATCH .*\n${id} +aurora +1.4.0 +production +watching`));
    const json = cli({ server: base });
    await json.run('list', '--json');
    expect(json.json()).toMatchObject({
      watches: [{ id, policy_hash: 'abc123' }],
      next_before: null,
    });
    const none = cli({ server: base });
    await none.run('list', '--phase', 'passed');
    expect(none.out()).toBe('no watches\n');
  });

  it('list refuses a phase or limit that does not exist', async () => {
    const { base } = await daemon();
    expect(await cli({ server: base }).run('list', '--phase', 'red')).toBe(2);
    expect(await cli({ server: base }).run('list', '--limit', '0')).toBe(2);
  });

  it('show prints the conditions in words, and JSON', async () => {
    const { base, id } = await withWatch();
    const run = cli({ server: base });
    expect(await run.run('show', id)).toBe(0);
    expect(run.out()).toContain('98.2 % of 1,204 in 1m, must not be below 80 %');
    expect(run.out()).toMatch(/^query +fill_rate +sum\(rate\(orders_total\[1m\]\)\)$/m);
    const json = cli({ server: base });
    await json.run('show', id, '--json');
    expect(json.json().conditions[0].limit_text).toBe('below 80 %');
  });
});

describe('commands of people', () => {
  it.each([
    ['stop', 'stop'],
    ['cancel', 'cancel'],
    ['ack', 'acknowledge'],
    ['resolve', 'resolve'],
  ])('%s passes on who and why', async (verb, name) => {
    const { control, base, id } = await withWatch();
    const run = cli({ server: base });
    expect(await run.run(verb, id, '--reason', 'wrong prices', '--by', 'alice')).toBe(0);
    const argument = { by: 'alice', reason: 'wrong prices' };
    expect(control.commands).toEqual([{ name, argument }]);
  });

  it('extend passes on for how long', async () => {
    const { control, base, id } = await withWatch();
    const argv = ['extend', id, '--by-duration', '2h', '--reason', 'little traffic'];
    expect(await cli({ server: base, env: { USER: 'eve' } }).run(...argv)).toBe(0);
    expect(control.commands[0]?.argument).toEqual({
      by: 'eve',
      reason: 'little traffic',
      byMs: 7_200_000,
    });
    const long = ['extend', id, '--by-duration', '8d', '--reason', 'x'];
    expect(await cli({ server: base }).run(...long)).toBe(2);
  });

  it('need a reason', async () => {
    const { base, id } = await withWatch();
    const run = cli({ server: base });
    expect(await run.run('stop', id)).toBe(2);
    expect(run.err()).toContain('--reason');
  });

  it('on a closed watch are refused with 2', async () => {
    const { control, base, id } = await withWatch();
    await control.cancel(id, { by: 'a', reason: 'b' });
    const run = cli({ server: base });
    expect(await run.run('stop', id, '--reason', 'x')).toBe(2);
    expect(run.err()).toContain('is cancelled already');
  });

  it('hold and release switch, and print JSON', async () => {
    const { control, base } = await daemon();
    const hold = cli({ server: base });
    expect(await hold.run('hold', '--reason', 'maintenance', '--by', 'alice', '--json')).toBe(0);
    expect(hold.json()).toEqual({ hold: { by: 'alice', reason: 'maintenance', since_ms: T0 } });
    const release = cli({ server: base });
    expect(await release.run('release', '--reason', 'over')).toBe(0);
    expect(release.out()).toBe('released: policies act again\n');
    expect(await control.hold()).toBeNull();
  });
});

describe('journal', () => {
  it('reads as a story', async () => {
    const { control, base, id } = await withWatch();
    await control.cancel(id, { by: 'alice', reason: 'enough' });
    const run = cli({ server: base });
    expect(await run.run('journal', id)).toBe(0);
    expect(run.out()).toBe(
      'T+1s      started: aurora 1.4.0 in production, act\nT+2s      CANCELLED by alice: enough\n',
    );
  });

  it('exports JSON Lines and JSON', async () => {
    const { control, base, id } = await withWatch();
    for (let index = 0; index < 1_100; index += 1) {
      control.happen(id, { type: 'watch.resumed', awayMs: index });
    }
    const lines = cli({ server: base });
    expect(await lines.run('journal', id, '--jsonl')).toBe(0);
    expect(lines.out().trimEnd().split('\n')).toHaveLength(1_101);
    expect(lines.out().split('\n')[1]).toContain('"away_ms":0');
    const json = cli({ server: base });
    await json.run('journal', id, '--json');
    expect(json.json().events).toHaveLength(1_101);
  });

  it('--verify says that no rule is broken', async () => {
    const { control, base, id } = await withWatch();
    await control.stop(id, { by: 'alice', reason: 'x' });
    const run = cli({ server: base });
    expect(await run.run('journal', id, '--verify')).toBe(0);
    expect(run.out()).toContain('2 events, no rule broken');
  });

  it('--verify finds a journal that stops twice and goes on after its end', async () => {
    const { control, base, id } = await withWatch();
    await control.stop(id, { by: 'alice', reason: 'x' });
    const events = control.entries.get(id)?.events ?? [];
    for (const stopped of events.slice(1)) control.happen(id, stopped);
    const run = cli({ server: base });
    expect(await run.run('journal', id, '--verify', '--json')).toBe(1);
    const rules = run.json().violations.map(({ rule }: { rule: string }) => rule);
    expect(rules).toEqual(expect.arrayContaining(['J2', 'J4']));
  });
});

describe('help', () => {
  it('and version exit with 0', async () => {
    const run = cli({ server: 'http://127.0.0.1:1' });
    expect(await run.run('--version')).toBe(0);
    expect(run.out()).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(await run.run('--help')).toBe(0);
  });

  it('without a verb, or with one that does not exist, is a usage error', async () => {
    expect(await cli({ server: '' }).run()).toBe(2);
    expect(await cli({ server: '' }).run('strat')).toBe(2);
  });
});
