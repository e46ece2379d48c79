// What is known of a range, on a real Prometheus: whose series prove what, and whose do not.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { GateSource } from '../../../src/gate/kinds.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { type CheckSetup, carriedOut } from '../../support/gate-check.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../../support/prometheus.ts';

const STEPS = 120;
const STEP_MS = 5_000;

describe.skipIf(!hasPrometheus())('a range before a gate', () => {
  let server: PrometheusServer;

  beforeAll(async () => {
    const nowMs = Date.now();
    /** From one step to another, of the 10 minutes. */
    const series = (
      metric: string,
      labels: Record<string, string>,
      value: (step: number) => number,
      [from, to]: readonly [number, number] = [0, STEPS],
    ) => ({
      ...{ metric, labels },
      points: Array.from({ length: STEPS + 1 }, (_, step) => step)
        .filter((step) => step >= from && step <= to)
        .map((step) => [nowMs - (STEPS - step) * STEP_MS, value(step)] as const),
    });
    const growing = (step: number) => step * 10;
    const one = () => 1;
    const three = () => 3;
    const pod = (instance: string) => ({ job: 'pods', instance });
    const late = [90, STEPS] as const;
    const early = [0, 60] as const;
    server = await startPrometheus({
      history: [
        // As they come by remote write: no job, no instance.
        series('sent_total', { service: 'them' }, growing),
        series('sent_total', { service: 'us' }, growing, late),
        series('sent_ok_total', { service: 'them' }, growing),
        series('sent_ok_total', { service: 'us' }, growing, late),
        series('up', { service: 'them' }, one),
        series('lost_total', { service: 'them' }, growing),
        series('lost_total', { service: 'us' }, three, [20, STEPS]),
        series('up', { job: 'old', instance: 'a' }, one),
        series('up', { job: 'new', instance: 'b' }, one, late),
        series('runs_total', { job: 'old', instance: 'a' }, growing),
        series('runs_total', { job: 'new', instance: 'b' }, growing, late),
        // The pod was replaced in the middle.
        series('up', pod('first'), one, early),
        series('up', pod('second'), one, [61, STEPS]),
        series('pod_errors_total', pod('second'), three, late),
      ],
    });
  });
  afterAll(() => server?.stop());

  const check = (more: object, setup: CheckSetup = {}) => {
    const options = { url: server.url, timeoutMs: 5_000, clock: systemClock };
    const sources: Readonly<Record<string, GateSource>> = {
      prometheus: { kind: 'prometheus', options },
    };
    return carriedOut(
      { indicator: { source: 'prometheus', stale_after: '5m', over: '9m', ...more } },
      { sources, ...setup },
    );
  };
  const ratio = (service: string) => ({
    ratio: {
      good: `sent_ok_total{service="${service}"}`,
      total: `sent_total{service="${service}"}`,
    },
    above: '95%',
  });

  it.each([
    ['a service by its own series', ratio('them'), 'pass', '100 %'],
    ['no service by the series of another', ratio('us'), 'unknown', 'the source knows'],
    [
      'no birth by the series of another service',
      { increase: { counter: 'lost_total{service="us"}' }, at_most: 0 },
      'unknown',
      'its target was not seen before',
    ],
  ])('without job and instance proves %s', async (_, more, outcome, text) => {
    const result = await check(more);
    expect([result.outcome, result.text]).toEqual([outcome, expect.stringContaining(text)]);
  });

  it('is known when the job was seen all the time, also when its pods were replaced', async () => {
    const more = { increase: { counter: 'pod_errors_total' }, at_most: 0 };
    const result = await check(more);
    expect([result.outcome, result.text]).toEqual(['fail', expect.stringContaining(' 3, at most')]);
  });

  it('is unknown when one of several jobs was only seen at its end', async () => {
    const result = await check({ increase: { counter: 'runs_total' }, at_least: 1 });
    expect(result.outcome).toBe('unknown');
    expect(result.text).toMatch(/the source knows .* of the 9m, at least 80 % wanted of job new;/);
  });

  it.each([
    ['min(avg_over_time(up{job="old"}[${range}]))', 'pass'],
    ['min(avg_over_time(up{job=~"old|new"}[${range}]))', 'unknown'],
    ['min(avg_over_time(up{job=~"old|new"}[ ${range} ]))', 'unknown'],
    ['min(avg_over_time(up{job=~"old|new"}[${range}:10s]))', 'unknown'],
    ['min(avg_over_time(up{job=~"old|pods"}[${range}]))', 'pass'],
  ])('%s: %s', async (promql, outcome) => {
    const result = await check({ promql, unit: 'number', at_least: 1 });
    expect([result.outcome, result.text]).toEqual([outcome, expect.any(String)]);
  });

  it.each([
    ['min(avg_over_time(up{job=~"old|new"}[9m]))', 'unknown'],
    ['min(avg_over_time(up{job=~"old|new"}[540]))', 'unknown'],
    ['min(avg_over_time(up{job=~"old|new"}[1m]))', 'pass'],
    ['min(avg_over_time(up{job="old"}[9m])) * min(avg_over_time(up{job="new"}[9m]))', 'unknown'],
    ['min(avg_over_time(up{job="old"}[9m])) + (sum(rate(nobody[9m])) or vector(0))', 'pass'],
    ['(sum(rate(nobody[9m])) or vector(0)) + 1', 'unknown'],
  ])('%s of a policy: %s', async (promql, outcome) => {
    const folder = mkdtempSync(join(tmpdir(), 'canaryd-range-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const policy = {
      ...{ service: 'app', source: 'prometheus' },
      indicators: { figure: { promql, unit: 'number' } },
      windows: [{ name: 'now', until: '30m', stop: { figure: { below: 1 } } }],
    };
    writeFileSync(join(folder, 'app.yaml'), JSON.stringify(policy));
    const more = { policy: 'app.yaml', name: 'figure', over: undefined, at_least: 1 };
    const result = await check(more, { folder });
    expect([result.outcome, result.text]).toEqual([outcome, expect.any(String)]);
  });
});
