import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FINDING_NAMES } from '../../src/config/finding-names.ts';
import { cli } from '../support/cli.ts';

const POLICY = `
service: aurora
source: prometheus
interval: 5s
indicators:
  fill_rate:
    title: Order fill rate
    ratio: { good: filled_total, total: submitted_total }
    over: 1m
    min_total: 20
  health: { title: Health endpoint, http: { url: "http://aurora:8080/health", timeout: 2s } }
windows:
  - name: immediate
    until: 15m
    stop:
      fill_rate: { below: 80% }
      health: { failing: 3 }
on_stop:
  - rollback: { webhook: { url: "https://ops.example/rollback", secret: $ROLLBACK_SECRET } }
`;

function file(name: string, content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-check-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

// No daemon: nothing listens there.
const OFFLINE = { server: 'http://127.0.0.1:1' };

describe('check', () => {
  it('shows each indicator with its query, and each condition as a sentence', async () => {
    const run = cli(OFFLINE);
    expect(await run.run('check', file('aurora.yaml', POLICY))).toBe(0);
    expect(run.err()).toBe('');
    expect(run.out()).toContain('policy aurora is valid');
    expect(run.out()).toContain(
      'sum(increase(filled_total[1m])) / sum(increase(submitted_total[1m]))',
    );
    expect(run.out()).toContain('GET http://aurora:8080/health');
    expect(run.out()).toContain('Stop when Order fill rate below 80 % (immediate, 0s-15m)');
    expect(run.out()).toContain('Then rollback, by webhook');
  });

  it('shows queries with the labels of the whole policy, as they are asked', async () => {
    const run = cli(OFFLINE);
    const match = 'interval: 5s\nmatch: { job: aurora, version: "${version}" }';
    await run.run('check', file('aurora.yaml', POLICY.replace('interval: 5s', match)));
    const labels = '{job="aurora",version="${version}"}[1m]';
    expect(run.out()).toContain(
      `sum(increase(filled_total${labels})) / sum(increase(submitted_total${labels}))`,
    );
  });

  it('exits with 2 and tells all problems of all files', async () => {
    const broken = POLICY.replace('below: 80%', 'below: 80 apples').replace('5s', 'often');
    const run = cli(OFFLINE);
    const files = [file('aurora.yaml', broken), file('other.yaml', 'service: [')];
    expect(await run.run('check', ...files)).toBe(2);
    expect(run.err()).toContain('interval');
    expect(run.err()).toContain('windows[0].stop.fill_rate');
    expect(run.err()).toContain('other.yaml: ');
    expect(run.out()).toBe('');
  });

  it('a file that is not there is a problem', async () => {
    const run = cli(OFFLINE);
    expect(await run.run('check', '/nonexistent/policy.yaml')).toBe(2);
    expect(run.err()).toContain('/nonexistent/policy.yaml');
  });

  it('takes the config with all its policies', async () => {
    const policy = file('aurora.yaml', POLICY);
    const source = 'sources: { prometheus: { prometheus: { url: "http://127.0.0.1:9090" } } }';
    const text = `journal: { sqlite: { path: canaryd.db } }\n${source}\npolicies: ["${policy}"]\n`;
    const config = file('canaryd.yaml', text);
    const run = cli(OFFLINE);
    expect(await run.run('check', config)).toBe(0);
    expect(run.out()).toContain('policy aurora is valid');
    // Without the secret the policy is valid, but cannot act.
    expect(run.err()).toContain('ROLLBACK_SECRET');
  });

  it('--json gives the same as data', async () => {
    const run = cli(OFFLINE);
    expect(await run.run('check', '--json', file('aurora.yaml', POLICY))).toBe(0);
    expect(run.json()).toMatchObject({
      ok: true,
      valid: true,
      files: [
        {
          problems: [],
          policies: [
            {
              name: 'aurora',
              conditions: [{ id: 'immediate.stop.fill_rate' }, { id: 'immediate.stop.health' }],
            },
          ],
        },
      ],
    });
    const broken = cli(OFFLINE);
    expect(await broken.run('check', '--json', file('a.yaml', 'service: a'))).toBe(2);
    expect(broken.json()).toMatchObject({ ok: false, valid: false });
  });
});

/** The policy above with a verify step: nothing is found in it. */
const RIGHT = `${POLICY}  - verify: { within: 10m, pass: { health: { passing: 3 } } }\n`;
const WRONG = RIGHT.replace('min_total: 20', 'min_total: 0');
const DOUBTFUL = RIGHT.replace('failing: 3', 'failing: 1');

describe('findings of check', () => {
  it('are shown under what they are about, with line and level', async () => {
    const run = cli(OFFLINE);
    expect(await run.run('check', file('aurora.yaml', WRONG))).toBe(1);
    expect(run.out()).toContain(
      'Findings in aurora: 1 error\n  fill_rate\n    error no-traffic-guard (line 10): found min_total 0; wanted',
    );
  });

  it('are none in a policy that is right', async () => {
    const run = cli(OFFLINE);
    expect(await run.run('check', '--strict', file('aurora.yaml', RIGHT))).toBe(0);
    expect(run.out()).toContain('Findings in aurora: none');
  });

  it('a warning is an error only with --strict', async () => {
    const path = file('aurora.yaml', DOUBTFUL);
    expect(await cli(OFFLINE).run('check', path)).toBe(0);
    expect(await cli(OFFLINE).run('check', path, '--strict')).toBe(1);
  });

  it('that are waived are shown with the reason, and do not count', async () => {
    const waiver = '{ finding: no-traffic-guard, of: fill_rate, reason: "each order counts" }';
    const run = cli(OFFLINE);
    const path = file('aurora.yaml', `${WRONG}waive: [${waiver}]\n`);
    expect(await run.run('check', '--strict', path)).toBe(0);
    expect(run.out()).toContain('Findings in aurora: 1 waived');
    expect(run.out()).toMatch(/waived no-traffic-guard .*\n\s+waived: each order counts/);
  });

  it('--json gives them as data', async () => {
    const run = cli(OFFLINE);
    const path = file('aurora.yaml', WRONG);
    expect(await run.run('check', '--json', path)).toBe(1);
    expect(run.json()).toMatchObject({ ok: false, valid: true });
    const [policy] = run.json().files[0].policies;
    expect(policy.live).toBeNull();
    expect(policy.findings).toEqual([
      {
        name: 'no-traffic-guard',
        level: 'error',
        policy: 'aurora',
        condition: null,
        indicator: 'fill_rate',
        subject: null,
        message: expect.stringMatching(/^found min_total 0; wanted /),
        waived: null,
        line: 10,
      },
    ]);
  });

  it('--json is ok as the exit code says', async () => {
    const run = cli(OFFLINE);
    const path = file('aurora.yaml', DOUBTFUL);
    expect(await run.run('check', '--json', path)).toBe(0);
    expect(run.json()).toMatchObject({ ok: true });
    const strict = cli(OFFLINE);
    expect(await strict.run('check', '--json', '--strict', path)).toBe(1);
    expect(strict.json()).toMatchObject({ ok: false, valid: true });
  });

  it('--format github annotates the line', async () => {
    const run = cli({ ...OFFLINE, env: { GITHUB_ACTIONS: 'true' } });
    const path = file('aurora.yaml', WRONG.replace('failing: 3', 'failing: 1'));
    expect(await run.run('check', '--format', 'github', path)).toBe(1);
    const [error, warning, ...rest] = run.out().trimEnd().split('\n');
    expect(error).toMatch(
      /^::error file=[^:,]+aurora\.yaml,line=10,title=no-traffic-guard \(fill_rate\)::found min_total 0; /,
    );
    expect(warning).toMatch(/^::warning file=\S+,line=17,title=single-check-stops /);
    expect(rest).toEqual([]);
  });

  it('--format github annotates what is not valid, too', async () => {
    const run = cli(OFFLINE);
    const broken = file('aurora.yaml', POLICY.replace('below: 80%', 'below: 80 apples'));
    const unread = file('other.yaml', 'a: 1\nservice: [');
    expect(await run.run('check', '--format', 'github', broken, unread)).toBe(2);
    expect(run.out()).toMatch(
      /^::error file=\S+aurora\.yaml,line=16,title=not valid::windows\[0\]\.stop\.fill_rate\.below: found /,
    );
    expect(run.out()).toMatch(/::error file=\S+other\.yaml,line=2,title=not valid::line 2, /);
  });

  it('of the policies of a config are annotated in their own files', async () => {
    const policy = file('aurora.yaml', WRONG);
    const source = 'sources: { prometheus: { prometheus: { url: "http://127.0.0.1:9090" } } }';
    const text = `journal: { sqlite: { path: canaryd.db } }\n${source}\npolicies: ["${policy}"]\n`;
    const good = cli(OFFLINE);
    expect(await good.run('check', '--format', 'github', file('canaryd.yaml', text))).toBe(1);
    expect(good.out()).toMatch(/^::error file=\S+aurora\.yaml,line=10,/);
    const bad = cli(OFFLINE);
    const config = file('canaryd.yaml', text.replace(policy, file('bad.yaml', 'service: a')));
    expect(await bad.run('check', '--format', 'github', config)).toBe(2);
    expect(bad.out()).toMatch(/^::error file=\S+bad\.yaml,line=1,title=not valid::/);
  });

  it('--list-findings prints every one with what to do', async () => {
    const run = cli(OFFLINE);
    expect(await run.run('check', '--list-findings')).toBe(0);
    expect(run.out()).toContain('no-traffic-guard (error)');
    expect(run.out()).toContain('unknown-metric (error, --live)');
    const data = cli(OFFLINE);
    expect(await data.run('check', '--list-findings', '--json')).toBe(0);
    expect(data.json().map(({ name }: { name: string }) => name)).toEqual(FINDING_NAMES);
  });

  it.each([
    ['--param', 'capital=1'],
    ['--version', '1.4.0'],
  ])('%s without --live is a mistake', async (...words) => {
    const run = cli(OFFLINE);
    expect(await run.run('check', ...words, file('aurora.yaml', RIGHT))).toBe(2);
    expect(run.err()).toContain('add --live');
  });
});

describe('the shipped policies', () => {
  it.each(['config/canaryd.yaml', 'config/compose/policies/aurora.yaml'])(
    '%s have no finding that counts',
    async (path) => {
      const run = cli({
        ...OFFLINE,
        env: { AURORA_DISARM_SECRET: 'x', AURORA_ROLLBACK_SECRET: 'x' },
      });
      expect(await run.run('check', '--strict', path)).toBe(0);
      expect(run.out()).not.toMatch(/\d (?:errors?|warnings?|notes?)/);
    },
  );
});
