import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
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
    expect(broken.json()).toMatchObject({ ok: false });
  });
});
