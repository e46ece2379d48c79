// Health checks that a prober recorded, judged on the past as the daemon would have judged its own.
import { describe, expect, it } from 'vitest';
import { replayDeploy } from '../../src/backtest/replay-deploy.ts';
import { replayedPolicy } from '../../src/backtest/replayed-policy.ts';
import type { PastDeploy } from '../../src/backtest/result.ts';
import { parseDuration } from '../../src/core/quantity.ts';
import type { Point } from '../../src/core/series.ts';
import type { Query } from '../../src/source/prometheus-api.ts';
import { T0 } from '../support/build.ts';
import { policyOf } from '../support/past-service.ts';

const SECOND = 1_000;
const DEPLOYED = T0 + 3 * 60 * SECOND;
const PROBE_EVERY = 15 * SECOND;
const OTHERS = `
  positions: { gauge: { metric: shop_open_positions } }`;
const policy = (recorded: string, pass = 'positions: { below: 100 }') =>
  policyOf(`service: shop
source: prometheus
interval: 5s
indicators:
  health: { http: { url: "http://127.0.0.1:8080/health"${recorded} } }${OTHERS}
windows:
  - name: immediate
    until: 5m
    stop: { health: { failing: 3 }, positions: { above: 1000 } }
  - name: success
    until: 10m
    pass: { ${pass} }
    for: 1m
`);
const RECORDED = `, recorded: 'probe_success{job="\${service}-health"}'`;

/** A check every 15 s, 3 s after a tick; those since the deploy as given, then 1 for ever. */
function checks(sinceDeploy: readonly (0 | 1 | null)[], before: 0 | 1 = 1): readonly Point[] {
  return Array.from({ length: 60 }, (_, index): Point[] => {
    const atMs = T0 + 3 * SECOND + index * PROBE_EVERY;
    const number = Math.floor((atMs - DEPLOYED) / PROBE_EVERY);
    const value = number < 0 ? before : (sinceDeploy[number] ?? (number in sinceDeploy ? null : 1));
    return value === null ? [] : [[atMs, value]];
  }).flat();
}

/** Answers range selectors only, as Prometheus 2 does. */
function recordedIn(probes: readonly (readonly Point[])[]): Query {
  const gauge: Point[] = Array.from({ length: 200 }, (_, index) => [T0 + index * 5 * SECOND, 7]);
  return async (promql, atMs) => {
    const fromMs = atMs - (parseDuration(/\[(\w+)\]$/.exec(promql)?.[1] ?? '') ?? 0);
    const all = promql.includes('job="shop-health"')
      ? probes.map((points, index) => ({ name: 'probe_success', index, points }))
      : [{ name: 'shop_open_positions', index: 0, points: gauge }];
    const series = all.map(({ name, index, points }) => ({
      labels: { __name__: name, index: String(index) },
      points: points.filter(([pointMs]) => pointMs >= fromMs && pointMs <= atMs),
      isNativeHistogram: false,
    }));
    return { kind: 'answered', result: { type: 'matrix', series }, warnings: [] };
  };
}

function play(text: ReturnType<typeof policyOf>, ...probes: readonly (readonly Point[])[]) {
  const deploy: PastDeploy = {
    ...{ service: 'shop', environment: null, version: '2', previousVersion: '1' },
    ...{ deployedAtMs: DEPLOYED, parameters: {}, label: null },
  };
  const signal = new AbortController().signal;
  const replayed = replayedPolicy(text);
  const query = recordedIn(probes);
  return replayDeploy({ deploy, replayed, hash: 'h', query, nowMs: T0 + 1e9, signal });
}

describe('a health endpoint in a backtest', () => {
  it('stops by three recorded failures in a row, one check after the other', async () => {
    const result = await play(policy(RECORDED), checks([1, 0, 0, 0]));
    expect(result).toMatchObject({ verdict: 'stopped', by: ['immediate.stop.health'] });
    // Made at 48 s, judged at the next tick: each of them counted once.
    expect(result.afterMs).toBe(50_000);
    expect(result.because[0]).toBe('Health failing, 3 checks in a row: recorded at 00:03:48 UTC');
  });

  it('does not count one failure three times', async () => {
    const result = await play(policy(RECORDED), checks([1, 0, 0, 1, 0, 1, 0, 0]));
    expect(result).toMatchObject({ verdict: 'passed', blindMs: 0 });
  });

  it('is blind where nothing was recorded, and does not pass so', async () => {
    const result = await play(policy(RECORDED), checks(Array(40).fill(null)));
    expect(result.verdict).toBe('inconclusive');
    expect(result.because.join()).toContain('immediate.stop.health');
  });

  it('holds the last good check for two minutes, not longer', async () => {
    const result = await play(policy(RECORDED), checks([1, ...Array(40).fill(null)]));
    const health = result.conditions.find(({ condition }) => condition.endsWith('.health'));
    // From two minutes after the only check, at 3 s, to the end of its window at 5m.
    expect(health).toMatchObject({ blindReason: 'stale', blindMs: 175_000 });
    expect(result).toMatchObject({ verdict: 'inconclusive', blindMs: 175_000 });
  });

  it('knows what was failing before the deploy already', async () => {
    const failing = checks(Array(30).fill(0), 0);
    const result = await play(policy(RECORDED), failing);
    expect(result).toMatchObject({ verdict: 'inconclusive', by: [] });
  });

  it('does not choose between two probers', async () => {
    const result = await play(policy(RECORDED), checks([]), checks([0, 0, 0]));
    expect(result.verdict).toBe('inconclusive');
    expect(result.because.join()).toContain('immediate.stop.health');
  });

  it('is left out by name where the policy does not say where it was recorded', async () => {
    const result = await play(policy(''), checks([0, 0, 0]));
    expect(result.verdict).toBe('passed');
    expect(result.because.at(-1)).toMatch(/^immediate\.stop\.health was not replayed: /);
    expect(result.conditions.map(({ condition }) => condition)).toEqual([
      'immediate.stop.positions',
      'success.pass.positions',
    ]);
  });

  it('keeps a deploy from passing where a pass asks for it', async () => {
    const pass = 'positions: { below: 100 }, health: { passing: 3 }';
    const result = await play(policy('', pass), checks([]));
    expect(result).toMatchObject({ verdict: 'inconclusive', by: [] });
    expect(result.because[0]).toBe('all that can be replayed held, but that is not all of a pass');
  });
});
