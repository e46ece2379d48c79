// `check --live` as a person or a pipeline calls it, on a real Prometheus.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { clockAtT, HISTORY } from '../check/live-world.ts';
import { cli as cliOf } from '../support/cli.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';

const needs = '(needs the `prometheus` and `promtool` binaries)';
const GOOD = `
service: shop
source: prometheus
parameters: { capital: { type: number, above: 0, unit: USD } }
indicators:
  fill_rate: { ratio: { good: orders_filled_total, total: orders_submitted_total } }
  loss: { gauge: { metric: pnl_usd, aggregate: sum, negate: true } }
  queue: { gauge: { metric: 'queue_length{queue="\${version}"}' } }
windows:
  - name: immediate
    until: 15m
    stop:
      fill_rate: { below: 80% }
      loss: { above: 0.5%, of: capital }
    warn:
      queue: { above: 100 }
on_stop:
  - rollback: { command: [/bin/true] }
  - verify: { within: 10m, pass: { loss: { below: 0.4%, of: capital } } }
`;
const MISSPELT = GOOD.replace('total: orders_submitted', 'total: orders_submited');
const PARAMETERS = ['--param', 'capital=100000', '--version', 'orders'] as const;

const cli = () => cliOf({ server: 'http://127.0.0.1:1', clock: clockAtT });

function file(name: string, content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-check-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe.skipIf(!hasPrometheus())(`check --live ${needs}`, () => {
  let server: PrometheusServer;
  beforeAll(async () => {
    server = await startPrometheus({ history: HISTORY });
  });
  afterAll(async () => {
    await server.stop();
  });
  const configOn = (url: string, policy: string) =>
    file(
      'canaryd.yaml',
      `journal: { sqlite: { path: canaryd.db } }
policies: ["${policy}"]
sources:
  prometheus: { prometheus: { url: "${url}" } }
`,
    );

  it('shows of each condition what it reads, its limit, what it says and costs', async () => {
    const run = cli();
    const path = file('shop.yaml', GOOD);
    expect(await run.run('check', path, '--prometheus', server.url, ...PARAMETERS)).toBe(0);
    expect(run.out()).toMatch(
      /Live: prometheus at 2026-03-01T12:00:00.000Z; a tick costs \d+ ms and/,
    );
    expect(run.out()).toMatch(/immediate\.stop\.fill_rate +96\.67 % +80 % +quiet +2 +\d+ +\d+\n/);
    expect(run.out()).toMatch(/immediate\.stop\.loss +120 USD +500 USD +quiet +1 /);
    expect(run.out()).toMatch(/immediate\.warn\.queue +40 +100 +quiet +1 /);
    expect(run.out()).toMatch(/verify\.verify\.loss +120 USD +400 USD +met +1 /);
    expect(run.out()).toContain('Findings in shop: none');
  });

  it('exits with 1 for an error, and names the nearest metric', async () => {
    const run = cli();
    const path = file('shop.yaml', MISSPELT);
    expect(await run.run('check', path, '--prometheus', server.url, ...PARAMETERS)).toBe(1);
    expect(run.out()).toMatch(/immediate\.stop\.fill_rate +- .*blind: no_series/);
    expect(run.out()).toMatch(/error unknown-metric \(line 6\): .* orders_submitted_total/);
  });

  it('takes the sources of a config, beside a policy or with all its own', async () => {
    const config = configOn(server.url, file('shop.yaml', GOOD));
    const all = cli();
    expect(await all.run('check', config, '--live', '--strict', ...PARAMETERS)).toBe(0);
    expect(all.out()).toContain('Findings in shop: none');
    const beside = cli();
    const path = file('other.yaml', MISSPELT);
    expect(await beside.run('check', path, '--live', '-c', config, ...PARAMETERS)).toBe(1);
    expect(beside.out()).toContain('unknown-metric');
  });

  it('without values it says what it did not look at, and goes on', async () => {
    const run = cli();
    const path = file('shop.yaml', GOOD);
    expect(await run.run('check', path, '--prometheus', server.url)).toBe(0);
    expect(await cli().run('check', path, '--prometheus', server.url, '--strict')).toBe(1);
    expect(run.out()).toMatch(/immediate\.stop\.loss +120 USD +- +limit not known/);
    expect(run.out()).toMatch(/immediate\.warn\.queue +- +- +not looked at/);
    expect(run.out()).toContain('note value-needed (line 14): found no value for the parameter');
    expect(run.out()).toMatch(/warning value-needed .*give --version/);
  });

  it('that could look at nothing is not green', async () => {
    const run = cli();
    const needy = GOOD.replace(
      'source: prometheus',
      'source: prometheus\nmatch: { v: "${version}" }',
    );
    const path = file('shop.yaml', needy);
    expect(await run.run('check', '--json', path, '--prometheus', server.url)).toBe(1);
    expect(run.json()).toMatchObject({ ok: false, valid: true });
    expect(run.out()).toContain('4 conditions, of which none was looked at');
  });

  it('--json has the values as numbers', async () => {
    const run = cli();
    const path = file('shop.yaml', GOOD);
    const words = ['--prometheus', server.url, ...PARAMETERS];
    expect(await run.run('check', '--json', path, ...words)).toBe(0);
    const [{ live }] = run.json().files[0].policies;
    expect(live).toMatchObject({ source: 'prometheus', at: '2026-03-01T12:00:00.000Z' });
    expect(live.conditions).toContainEqual({
      ...{ id: 'immediate.stop.loss', value: 120, limit: 500, met: false, unit: 'USD' },
      ...{ series: 1, blind: null, ms: expect.any(Number), samples: expect.any(Number) },
    });
  });

  it('a source that cannot be asked is one finding, and 4', async () => {
    const run = cli();
    const config = configOn('http://127.0.0.1:1', file('shop.yaml', GOOD));
    expect(await run.run('check', config, '--live', ...PARAMETERS)).toBe(4);
    expect(run.out()).toMatch(/Live: prometheus at .* cannot be asked: connection refused/);
    expect(run.out()).toContain(
      'Findings in shop: 1 error\n  prometheus\n    error source-unreachable (line 3)',
    );
  });

  it.each([
    ['a parameter that nobody knows', ['--param', 'capitol=1'], 'did you mean capital?'],
    ['a parameter out of its bounds', ['--param', 'capital=0'], 'a number above 0'],
  ])('%s is a mistake', async (_, words, says) => {
    const run = cli();
    const path = file('shop.yaml', GOOD);
    expect(await run.run('check', path, '--prometheus', server.url, ...words)).toBe(2);
    expect(run.err()).toContain(says);
  });

  it('a source that the config does not have is a mistake', async () => {
    const run = cli();
    const config = configOn(server.url, file('shop.yaml', GOOD));
    const path = file('other.yaml', GOOD.replace('source: prometheus', 'source: promethius'));
    expect(await run.run('check', path, '--live', '-c', config)).toBe(2);
    expect(run.err()).toContain('did you mean prometheus?');
  });

  it('an invalid policy is told, and no source is asked', async () => {
    const run = cli();
    const path = file('shop.yaml', GOOD.replace('below: 80%', 'below: 80 apples'));
    expect(await run.run('check', path, '--prometheus', 'http://127.0.0.1:1')).toBe(2);
    expect(run.err()).toContain('windows[0].stop.fill_rate.below');
  });
});
