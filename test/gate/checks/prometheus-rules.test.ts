import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { CheckResult } from '../../../src/gate/check.ts';
import type { GateSource } from '../../../src/gate/kinds.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { startFakeService } from '../../support/fake-service.ts';
import { carriedOut, made, problemsOf } from '../../support/gate-check.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../../support/prometheus.ts';

const at = (url: string): Readonly<Record<string, GateSource>> => ({
  prometheus: { kind: 'prometheus', options: { url, timeoutMs: 2_000, clock: systemClock } },
});

const rules = {
  groups: [
    {
      name: 'aurora',
      rules: [
        { alert: 'AuroraFillRate', expr: 'vector(0) > 1' },
        { alert: 'AuroraLatency', expr: 'vector(0) > 1' },
        { record: 'aurora:recorded', expr: 'vector(1)' },
      ],
    },
    {
      name: 'other',
      rules: [
        { alert: 'Watchdog', expr: 'vector(1)' },
        // It matches two series on the one side: each evaluation fails.
        {
          alert: 'Broken',
          expr: 'vector(1) * on() (vector(1) or label_replace(vector(1), "a", "b", "", ""))',
        },
      ],
    },
  ],
};

describe.skipIf(!hasPrometheus())('the check prometheus_rules, on a real Prometheus', () => {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-rules-'));
  let server: PrometheusServer;

  beforeAll(async () => {
    const path = join(folder, 'rules.yml');
    writeFileSync(path, JSON.stringify(rules));
    server = await startPrometheus({ config: { rule_files: [path] } });
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  const check = (more: object): Promise<CheckResult> =>
    carriedOut(
      { prometheus_rules: { source: 'prometheus', ...more } },
      { sources: at(server.url) },
    );

  it('fails while an alert is firing, or a rule is broken', async () => {
    await vi.waitFor(
      async () => {
        const result = await check({ at_least: 3 });
        expect(result.details).toContain('Watchdog is firing (1 alert)');
        expect(result.details.join()).toContain('Broken (other) is broken: ');
        expect(result.outcome).toBe('fail');
      },
      { timeout: 10_000, interval: 100 },
    );
  });

  it('passes when enough rules are there, and only excepted ones fire', async () => {
    const result = await check({ at_least: 3, name: '^(Aurora|Watch)', except: ['Watchdog'] });
    expect(result).toMatchObject({
      outcome: 'pass',
      details: ['3 alerting rules, at least 3 wanted', 'none of 2 firing'],
    });
    expect(String(result.exhibits[0]?.body)).toContain('AuroraFillRate');
  });

  it('passes without a look at what fires', async () => {
    const result = await check({ name: 'Watchdog', none_firing: false });
    expect(result).toMatchObject({ outcome: 'pass' });
  });

  it('fails for too few rules of a group: recording rules do not count', async () => {
    expect(await check({ at_least: 3, group: '^aurora$' })).toMatchObject({
      outcome: 'fail',
      text: '2 alerting rules, at least 3 wanted',
    });
  });

  it('does not count a rule that is broken, and says so first', async () => {
    const result = await check({ at_least: 4, none_firing: false });
    expect(result.text).toMatch(/^Broken \(other\) is broken: .* \(and 1 more\)$/);
    expect(result.details[1]).toBe('3 alerting rules, at least 4 wanted');
  });

  it('fails for a rule that is missing by name', async () => {
    const result = await check({ group: '^aurora$', names: ['AuroraLatency', 'AuroraLoss'] });
    expect(result).toMatchObject({ outcome: 'fail', text: 'the alert AuroraLoss is missing' });
  });
});

describe('the check prometheus_rules is unknown', () => {
  const prometheus_rules = { source: 'prometheus' };

  it('when Prometheus is not reachable', async () => {
    const result = await carriedOut({ prometheus_rules }, { sources: at('http://127.0.0.1:1') });
    expect(result).toMatchObject({ outcome: 'unknown', text: '127.0.0.1:1: connection refused' });
  });

  it('when the answer is nonsense, an error or never comes', async () => {
    const service = await startFakeService(() => ({ status: 200, body: '<html>' }));
    onTestFinished(() => service.close());
    const sources = at(service.url);
    const ask = (more: object = {}) =>
      carriedOut({ prometheus_rules: { ...prometheus_rules, ...more } }, { sources });
    expect((await ask()).text).toContain('no shape of the rules API');
    service.respondOnce(200, { status: 'success', data: { groups: [{ rules: 3 }] } });
    expect((await ask()).text).toContain('no shape of the rules API');
    service.respondOnce(401, 'no');
    expect((await ask()).text).toContain('HTTP 401: the credentials were refused');
    service.respondOnce(503, { status: 'error', error: 'replaying WAL' });
    expect((await ask()).text).toContain('HTTP 503: replaying WAL');
    service.hang();
    const result = await ask({ timeout: '100ms' });
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain('no answer within 100 ms');
    expect(service.requests[0]?.path).toBe('/api/v1/rules?type=alert');
  });

  it('does not count recording rules of a server that tells them all the same', async () => {
    const recording = { type: 'recording', name: 'a:b', health: 'ok' };
    const data = { groups: [{ name: 'a', rules: [recording] }] };
    const service = await startFakeService(() => ({
      status: 200,
      body: { status: 'success', data },
    }));
    onTestFinished(() => service.close());
    const result = await carriedOut({ prometheus_rules }, { sources: at(service.url) });
    expect(result).toMatchObject({
      outcome: 'fail',
      text: '0 alerting rules, at least 1 wanted',
    });
  });

  it('when a rule has not been evaluated yet', async () => {
    const rule = { type: 'alerting', name: 'New', health: 'unknown', state: 'unknown' };
    const data = { groups: [{ name: 'a', rules: [rule] }] };
    const service = await startFakeService(() => ({
      status: 200,
      body: { status: 'success', data },
    }));
    onTestFinished(() => service.close());
    const result = await carriedOut({ prometheus_rules }, { sources: at(service.url) });
    expect(result).toMatchObject({ outcome: 'unknown' });
    expect(result.text).toContain('New was not evaluated yet');
  });
});

describe('the check prometheus_rules as it is written', () => {
  it('says in a sentence what is wanted', () => {
    const check = made(
      { prometheus_rules: { source: 'prometheus', at_least: 5, name: '^A', except: ['W'] } },
      { sources: at('http://127.0.0.1:1') },
    );
    expect(check.wants).toBe('prometheus: at least 5 alerting rules named ^A, none firing but W');
  });

  it('refuses a source that is not there, or cannot have rules', () => {
    const sources = {
      ...at('http://127.0.0.1:1'),
      app: {
        kind: 'scrape',
        options: { targets: [], headers: {}, timeoutMs: 1, clock: systemClock },
      },
    } as const;
    expect(() => made({ prometheus_rules: { source: 'promtheus' } }, { sources })).toThrow(
      /source: found "promtheus", which canaryd.yaml does not have; .*did you mean prometheus\?/,
    );
    expect(() => made({ prometheus_rules: { source: 'app' } }, { sources })).toThrow(
      'source: found a scrape source; wanted a source of kind prometheus',
    );
  });

  it.each([
    [{}, 'prometheus_rules.source: found nothing'],
    [{ source: 'a', at_least: 0 }, 'at_least: found 0; wanted a whole number from 1'],
    [{ source: 'a', name: '(' }, 'name: found "("; wanted a regular expression'],
    [{ source: 'a', except: [] }, 'except: found a list of 0; wanted a list of 1 to 200'],
  ])('refuses %o', (prometheus_rules, problem) => {
    expect(problemsOf({ prometheus_rules }).join('\n')).toContain(problem);
  });
});
