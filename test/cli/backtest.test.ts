import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.ts';
import { T0 } from '../support/build.ts';
import { cli, hastyClock } from '../support/cli.ts';
import { api, listening } from '../support/http-server.ts';
import { PAST_POLICY, pastDeploys, pastService, pastVersions } from '../support/past-service.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';

const MINUTE = 60_000;
const EVERY = 20 * MINUTE;
/** The last one takes the second one back within its windows. */
const versions = [
  ...pastVersions(T0, EVERY, ['fills', null, 'latency', null]),
  { version: '1.3.0', atMs: T0 + 4 * EVERY + 4 * MINUTE, fault: null },
].map((one, index) => (index === 4 ? { ...one, fault: 'errors' as const } : one));
const deploys = pastDeploys(versions.slice(0, 4));
const dead = 'http://127.0.0.1:9';
const title = hasPrometheus()
  ? 'on a real Prometheus'
  : 'on a real Prometheus (SKIPPED: the `prometheus` and `promtool` binaries are missing)';

function folder() {
  const dir = mkdtempSync(join(tmpdir(), 'canaryd-backtest-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const listed = deploys.map((one) => ({
    version: one.version,
    previous_version: one.previousVersion,
    deployed_at: new Date(one.deployedAtMs).toISOString(),
    label: one.label,
  }));
  return {
    file,
    at: (name: string) => join(dir, name),
    policy: file('shop.yaml', PAST_POLICY),
    deploys: file('deploys.json', JSON.stringify({ deploys: listed })),
  };
}

const GONE = { recursive: true, force: true };

const HEALTH_ONLY = `service: shop
source: prometheus
indicators:
  health: { http: { url: "http://127.0.0.1:9/health" } }
windows:
  - name: early
    until: 5m
    stop: { health: { failing: 3 } }
  - name: success
    until: 15m
    pass: { health: { passing: 3 } }
    for: 30s
`;

type Json = { readonly results: readonly Record<string, unknown>[] };

/** Without what depends on when and how it was fetched. */
function lasting({ results }: Json) {
  return results.map(({ ran_at: _at, load: _load, ...rest }) => rest);
}

describe.skipIf(!hasPrometheus())(`canaryd backtest, ${title}`, () => {
  let server: PrometheusServer;
  beforeAll(async () => {
    const recorded = { stepMs: 5_000, beforeMs: 40 * MINUTE, afterMs: EVERY };
    server = await startPrometheus({ history: pastService({ versions, ...recorded }) });
  });
  afterAll(async () => {
    await server.stop();
  });

  async function run(...argv: readonly string[]) {
    const one = cli({ server: dead });
    const code = await one.run('backtest', ...argv, '--prometheus', server.url, '--pace', '0s');
    return { ...one, code };
  }

  it('prints a row for each deploy, the sums and the load', async () => {
    const { policy, deploys: list } = folder();
    const { code, out } = await run(policy, '--deploys', list);
    expect(code).toBe(0);
    expect(out()).toMatch(
      /shop 1\.1\.0 .* stopped +1m\w+ +immediate\.stop\.fill_rate .* bad +right/,
    );
    expect(out()).toMatch(/shop 1\.2\.0 .* passed +7m .* good +right/);
    expect(out()).toContain('shop: 3 of 3 right');
    expect(out()).toMatch(/Load on the source +\d+ requests, [\d,]+ samples/);
    expect(out()).toContain('2/3 shop 1.2.0: passed after 7m');
  });

  it('shows on a terminal how far it is', async () => {
    const { policy, deploys: list } = folder();
    const one = cli({ server: dead, isTTY: true });
    await one.run('backtest', policy, '--deploys', list, '--prometheus', server.url);
    expect(one.out()).toMatch(/\[#{8}·{16}\] 1 of 3 {2}1\.2\.0 \+\d+m/);
    expect(one.out()).toContain('2/3 shop 1.2.0: passed');
  });

  it('exits with 1 when a labelled deploy was judged wrong, and says what was seen', async () => {
    const { file, policy } = folder();
    const at = new Date(T0 + EVERY).toISOString();
    const csv = file('deploys.csv', `version,deployed_at,label\n1.1.0,${at},good\n`);
    const { code, out } = await run(policy, '--deploys', csv);
    expect(code).toBe(1);
    expect(out()).toMatch(/1\.1\.0 stopped:\n {2}Fill rate \d\d\.?\d* % \([\d,]+ of [\d,]+ in/);
    expect(out()).toMatch(/False stops +1 of 1/);
  });

  it('puts a second policy beside the first, differences first', async () => {
    const { file, policy, deploys: list } = folder();
    const loose = file('loose.yaml', PAST_POLICY.replace('above: 2s', 'above: 9s'));
    const { code, out } = await run(policy, '--deploys', list, '--compare', loose);
    expect(code).toBe(0);
    const [header = '', first = ''] = out().slice(out().indexOf('deploy  ')).split('\n');
    expect(header).toMatch(/difference +A +B/);
    expect(first).toMatch(/^shop 1\.3\.0 .* stopped → passed .*passed after \w+, missed/);
    expect(out()).toMatch(/Missed +0 of 3 +1 of 3/);
  });

  it('writes JSON with snake case, and a report', async () => {
    const { at, policy, deploys: list } = folder();
    const report = at('report.html');
    const { code, json } = await run(policy, '--deploys', list, '--json', '--report', report);
    expect(code).toBe(0);
    const { results } = json() as Json;
    expect(results[0]).toMatchObject({
      policy: { name: 'shop' },
      deploys: [{ verdict: 'stopped', after_ms: expect.any(Number), score: 'right' }, {}, {}],
      totals: { labelled: 3, scores: { right: 3 } },
      load: { requests: expect.any(Number) },
    });
    expect(readFileSync(report, 'utf8')).toMatch(/^<!doctype html>/i);
  });

  it('prints the result when the report cannot be written at the end', async () => {
    const { at, policy, deploys: list } = folder();
    const report = at('sub/report.html');
    mkdirSync(at('sub'));
    const one = cli({ server: dead, clock: hastyClock(() => rmSync(at('sub'), GONE)) });
    const argv = ['backtest', policy, '--deploys', list, '--report', report];
    const code = await one.run(...argv, '--prometheus', server.url, '--pace', '1ms');
    expect(code).toBe(2);
    expect(one.err()).toMatch(/--report .*report\.html: cannot be written: ENOENT/);
    expect(one.out()).toContain('shop: 3 of 3 right');
    expect(readdirSync(at('')).filter((name) => name.includes('part'))).toEqual([]);
  });

  it('finds deploys by a version label, and knows a rollback when it sees one', async () => {
    const { policy } = folder();
    const find = ['--find', 'up{job="shop"}', '--since', '3h', '--rolled-back-is-bad'];
    const until = new Date(T0 + 6 * EVERY).toISOString();
    const { code, out, json } = await run(policy, ...find, '--until', until, '--json');
    const { deploys: found } = (json() as Json).results[0] as { deploys: unknown[] };
    expect(found).toMatchObject([
      { deploy: { version: '1.1.0', previous_version: '1.0.0', label: null } },
      { deploy: { version: '1.2.0', label: null } },
      { deploy: { version: '1.3.0', label: null } },
      { deploy: { version: '1.4.0', label: 'bad' }, verdict: 'superseded', score: 'undecided' },
    ]);
    const times = found.map((one) => (one as { deploy: { deployed_at_ms: number } }).deploy);
    expect(times.map((one) => one.deployed_at_ms - T0)).toEqual(
      versions.slice(1, 5).map(({ atMs }) => atMs - T0),
    );
    expect(code).toBe(1);
    expect(out()).not.toContain('found');
  });

  it('takes the deploys that canaryd has watched out of its journal', async () => {
    const { at, policy } = folder();
    const path = at('canaryd.db');
    await watched(path);
    const { code, out, err } = await run(policy, '--journal', path);
    expect(err()).toBe('');
    expect(code).toBe(0);
    expect(out()).toContain('1 deploy of shop');
    expect(out()).toMatch(/shop 1\.1\.0 .* stopped/);
    const { json } = await run(policy, '--journal', path, '--json');
    const [{ deploys: rows }] = (json() as Json).results as [{ deploys: unknown[] }];
    // The rollback is no deploy, but ends the time of the one it took back.
    expect(rows).toMatchObject([
      {
        deploy: {
          version: '1.1.0',
          replaced: { at_ms: T0 + EVERY + 10 * MINUTE, version: '1.0.0' },
          started_at_ms: T0 + EVERY + 2_000,
        },
      },
    ]);
  });

  it('goes on after kill -9 where it was, with the same result', async () => {
    const { at, policy, deploys: list } = folder();
    const state = at('state.jsonl');
    const argv = [policy, '--deploys', list, '--json'];
    const whole = await run(...argv);
    const slowly = ['--prometheus', server.url, '--pace', '100ms', '--state', state];
    const child = spawn(process.execPath, ['src/main.ts', 'backtest', ...argv, ...slowly]);
    const ended = once(child, 'exit');
    await vi.waitFor(() => expect(linesOf(state)).toBeGreaterThanOrEqual(2), 20_000);
    child.kill('SIGKILL');
    await ended;
    expect(linesOf(state)).toBeLessThan(4);
    // As if the kill had cut off the line that was being written.
    writeFileSync(state, `${readFileSync(state, 'utf8')}{"key":"half`);
    const rest = await run(...argv, '--state', state);
    expect(rest.err()).toMatch(/goes on: [12] replays? of earlier runs/);
    expect(lasting(rest.json() as Json)).toEqual(lasting(whole.json() as Json));
    const again = await run(...argv, '--state', state);
    expect(again.err()).toContain('goes on: 3 replays');
    expect(lasting(again.json() as Json)).toEqual(lasting(whole.json() as Json));
  });

  it('says on an interruption how to go on', async () => {
    const { at, policy, deploys: list } = folder();
    const state = at('state.jsonl');
    const argv = ['--deploys', list, '--prometheus', server.url, '--pace', '100ms'];
    const main = ['src/main.ts', 'backtest', policy, ...argv, '--state', state];
    const child = spawn(process.execPath, main);
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8');
    });
    const ended = once(child, 'exit');
    await vi.waitFor(() => expect(linesOf(state)).toBeGreaterThanOrEqual(2), 20_000);
    child.kill('SIGINT');
    expect(await ended).toEqual([130, null]);
    expect(said).toMatch(/interrupted: [12] of 3 replays are done; the same command again goes on/);
  });
});

function linesOf(path: string): number {
  try {
    return readFileSync(path, 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}

async function watched(path: string): Promise<void> {
  const { aDeploy, aPolicy, started } = await import('../support/build.ts');
  await using journal = openSqliteJournal({ path });
  const policy = aPolicy();
  const bad = aDeploy({ version: '1.1.0', previousVersion: '1.0.0', deployedAtMs: T0 + EVERY });
  const rollback = { ...bad, version: '1.0.0', deployedAtMs: T0 + EVERY + 10 * MINUTE };
  const over = { type: 'watch.cancelled', by: 'mara', reason: 'a test' } as const;
  const both = [
    { id: 'w_1', deploy: bad, events: [started({ deploy: bad }), over] },
    {
      id: 'w_2',
      deploy: rollback,
      events: [started({ deploy: rollback, rollbackOf: 'w_1' }), over],
    },
  ];
  for (const { id, deploy, events } of both) {
    const startedAtMs = deploy.deployedAtMs + 2_000;
    const known = { id, deploy, policy, policyHash: 'h', idempotencyKey: null };
    const create = { ...known, startedAtMs };
    const phase = { phase: 'cancelled', isActive: false } as const;
    await journal.append([
      { watchId: id, create, expectedRevision: 0, atMs: T0, events, deliveries: [], ...phase },
    ]);
  }
}

describe('canaryd backtest', () => {
  async function refused(...argv: readonly string[]) {
    const one = cli({ server: dead });
    return { code: await one.run('backtest', ...argv), err: one.err() };
  }

  it('says with exit code 4 that the Prometheus cannot be asked', async () => {
    const { policy, deploys: list } = folder();
    const { code, err } = await refused(policy, '--deploys', list, '--prometheus', dead);
    expect(code).toBe(4);
    expect(err).toMatch(/the source cannot be asked: connection refused; 0 of 3 replays are done/);
  });

  it.each([
    [[], /found none of --deploys, --find and --journal/],
    [['--deploys', 'x.yaml', '--find', 'up'], /found several of/],
    [['--deploys', 'missing.yaml'], /found no readable file/],
    [['--find', 'up', '--label', 'a-b'], /--label: found "a-b"/],
    [['--find', 'up', '--since', 'long'], /--since: found "long"/],
    [['--journal', 'missing.db'], /--journal: cannot read missing\.db/],
    [['--deploys', 'x.yaml', '--since', '9d'], /--since: wanted only with --find/],
    [['--journal', 'x.db', '--label', 'v'], /--label: wanted only with --find/],
    [['--deploys', 'x.yaml', '--rolled-back-is-bad'], /--rolled-back-is-bad: wanted only/],
    [
      ['--journal', 'x.db', '--token-file', 'x'],
      /--token-file: wanted only with --journal and the/,
    ],
    [['--find', 'up', '--since', '9000d'], /--since: found 9000d, wanted at most 732d/],
    [
      ['--deploys', 'x.yaml', '--report', '/nowhere/r.html'],
      /--report \/nowhere\/r.html: cannot be/,
    ],
    [
      ['--deploys', 'x.yaml', '--report', '/dev/null'],
      /--report \/dev\/null: found what is no file/,
    ],
    [['--deploys', 'x.yaml', '--limit', '0'], /--limit: found "0"/],
    [['--deploys', 'x.yaml', '--chunk', '1s'], /--chunk: found 1s/],
    [['--deploys', 'x.yaml', '--at-once', '99'], /--at-once: found "99"/],
  ])('refuses %j with exit code 2', async (argv, text) => {
    const { policy } = folder();
    const { code, err } = await refused(policy, ...argv, '--prometheus', dead);
    expect(code).toBe(2);
    expect(err).toMatch(text);
  });

  it('refuses a policy of which nothing can be replayed, and says why', async () => {
    const { file, deploys: list } = folder();
    const health = file('health.yaml', HEALTH_ONLY);
    const { code, err } = await refused(health, '--deploys', list, '--prometheus', dead);
    expect(code).toBe(2);
    expect(err).toMatch(/found no condition that can be replayed; wanted at least one/);
    expect(err).toContain('early.stop.health was not replayed: a health endpoint cannot');
  });

  it('is interrupted while it looks for deploys, with exit code 130', async () => {
    const { policy } = folder();
    const stopping = new AbortController();
    const server = createServer(() => stopping.abort());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    onTestFinished(() => server.closeAllConnections());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const one = cli({ server: dead, signal: stopping.signal });
    const code = await one.run('backtest', policy, '--find', 'up', '--prometheus', url);
    expect(code).toBe(130);
    expect(one.err()).toBe('interrupted: no deploy was replayed yet\n');
    expect(one.out()).toContain('looking for changes of version in 30d of up');
  });

  it('refuses a source without a past, and says what to do', async () => {
    const { policy, deploys: list } = folder();
    const config = ['-c', 'config/canaryd.yaml'];
    const { code, err } = await refused(policy, '--deploys', list, ...config);
    expect(code).toBe(2);
    expect(err).toMatch(/sources\.prometheus: found no such source.*--prometheus URL/);
  });

  it('refuses to write its state into a file of another kind', async () => {
    const { file, policy, deploys: list } = folder();
    const state = file('notes.txt', 'mine\n');
    const argv = ['--deploys', list, '--prometheus', dead, '--state', state];
    const { code, err } = await refused(policy, ...argv);
    expect(code).toBe(2);
    expect(err).toContain('it is no state of a backtest');
  });

  it('refuses to compare policies of different services', async () => {
    const { file, policy, deploys: list } = folder();
    const other = file('other.yaml', PAST_POLICY.replace('service: shop', 'service: bakery'));
    const argv = ['--deploys', list, '--compare', other, '--prometheus', dead];
    const { code, err } = await refused(policy, ...argv);
    expect(code).toBe(2);
    expect(err).toContain('found a policy of bakery, wanted one of shop');
  });

  it('takes the deploys of a daemon, page by page, with a token', async () => {
    const { at, file, policy } = folder();
    const token = 'a-token-of-the-test';
    const tokens = [
      { name: 'ci', scopes: ['read'] as const, matches: (it: string) => it === token },
    ];
    const daemon = api({ tokens });
    for (let number = 1; number <= 250; number += 1) {
      const version = `1.${number}.0`;
      await daemon.control.start({ service: 'shop', version, parameters: {} });
    }
    await daemon.control.start({ service: 'bakery', version: '9.0.0', parameters: {} });
    const url = await listening(daemon);
    const argv = [policy, '--journal', url, '--limit', '500', '--prometheus', dead];
    const one = cli({ server: dead });
    const code = await one.run('backtest', ...argv, '--token-file', file('token', token));
    expect(one.out()).toContain('250 deploys of shop');
    expect(code).toBe(4);
    const refusal = await refused(...argv, '--token-file', at('none'));
    expect(refusal).toMatchObject({ code: 2, err: expect.stringContaining('--token-file') });
  });
});
