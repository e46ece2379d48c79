// Results of backtests for tests of those who print them: a deploy with a chart for each kind of
// condition, and totals that follow from the deploys. Needs no test runner.
import type {
  BacktestResult,
  ConditionResult,
  DeployResult,
  IndicatorSeries,
  PastDeploy,
  Score,
  Totals,
} from '../../src/backtest/result.ts';

const MINUTE = 60_000;
const FIRST_AT_MS = Date.parse('2026-11-02T09:30:00Z');

export function aPastDeploy(over: Partial<PastDeploy> = {}): PastDeploy {
  return {
    service: 'aurora',
    environment: 'testnet',
    version: '2.1.0',
    previousVersion: '2.0.0',
    deployedAtMs: FIRST_AT_MS,
    parameters: { deploy_capital: 100_000 },
    label: null,
    ...over,
  };
}

export function aConditionResult(over: Partial<ConditionResult> = {}): ConditionResult {
  return {
    condition: 'immediate.stop.fill_rate',
    indicator: 'fill_rate',
    title: 'Order fill rate',
    role: 'stop',
    sentence: 'Stop when Order fill rate below 80 % for 45s (immediate, 0s-15m)',
    fromMs: 0,
    untilMs: 15 * MINUTE,
    low: 0.8,
    high: null,
    blindMs: 0,
    blindReason: null,
    judgedMs: 15 * MINUTE,
    firedAfterMs: null,
    ...over,
  };
}

/** One value every five seconds; null where `value` gives null. */
export function aSeries(
  over: Partial<IndicatorSeries> & { readonly value?: (afterMs: number) => number | null } = {},
): IndicatorSeries {
  const { value = () => 0.97, ...rest } = over;
  const points = Array.from({ length: 181 }, (_, index) => {
    const afterMs = index * 5_000;
    return [afterMs, value(afterMs)] as const;
  });
  return { indicator: 'fill_rate', title: 'Order fill rate', unit: 'ratio', points, ...rest };
}

const wave = (afterMs: number, size: number) => Math.sin(afterMs / 40_000) * size;

/** A deploy that passed: three indicators, one of them blind for a while. */
export function aDeployResult(over: Partial<DeployResult> = {}): DeployResult {
  return {
    deploy: aPastDeploy({ label: 'good' }),
    verdict: 'passed',
    afterMs: 15 * MINUTE,
    by: ['settled.pass.fill_rate'],
    because: ['Order fill rate 97 % (1,164 of 1,200 in 1m), wanted: at least 90 %'],
    blindMs: 75_000,
    score: 'right',
    conditions: [
      aConditionResult(),
      aConditionResult({
        condition: 'always.stop.latency_p99',
        indicator: 'latency_p99',
        title: 'Latency p99',
        sentence: 'Stop when Latency p99 above 2 s for 1m (always, 0s-15m)',
        low: null,
        high: 2,
        blindMs: 75_000,
        blindReason: 'too_few',
      }),
      aConditionResult({
        condition: 'always.stop.health',
        indicator: 'health',
        title: 'Health endpoint',
        sentence: 'Stop when Health endpoint failing 3 checks in a row (always, 0s-15m)',
        low: null,
      }),
      aConditionResult({
        condition: 'settled.pass.fill_rate',
        role: 'pass',
        sentence: 'Pass needs Order fill rate at least 90 % for 5m (settled, 5m-15m)',
        fromMs: 5 * MINUTE,
        low: 0.9,
        firedAfterMs: 15 * MINUTE,
      }),
    ],
    series: [
      aSeries({ value: (afterMs) => 0.97 + wave(afterMs, 0.02) }),
      aSeries({
        indicator: 'latency_p99',
        title: 'Latency p99',
        unit: 'seconds',
        value: (afterMs) =>
          afterMs > 300_000 && afterMs < 375_000 ? null : 0.41 + wave(afterMs, 0.1),
      }),
      aSeries({ indicator: 'health', title: 'Health endpoint', unit: 'number', value: () => 1 }),
    ],
    ...over,
  };
}

/** A deploy that goes bad after three minutes, and is stopped at four. */
export function aStoppedResult(over: Partial<DeployResult> = {}): DeployResult {
  const good = aDeployResult();
  return {
    ...good,
    deploy: aPastDeploy({ version: '2.2.0', label: 'bad', deployedAtMs: FIRST_AT_MS + 86_400_000 }),
    verdict: 'stopped',
    afterMs: 4 * MINUTE,
    by: ['immediate.stop.fill_rate'],
    because: ['Order fill rate 61.25 % (735 of 1,200 in 1m), limit: below 80 %'],
    blindMs: 0,
    conditions: good.conditions.map((one) => ({
      ...one,
      blindMs: 0,
      blindReason: null,
      firedAfterMs: one.condition === 'immediate.stop.fill_rate' ? 4 * MINUTE : null,
    })),
    series: [
      aSeries({
        value: (afterMs) =>
          afterMs < 180_000 ? 0.97 : Math.max(0.61, 0.97 - (afterMs - 180_000) / 150_000),
      }),
      ...good.series.slice(1),
    ].map((series) => ({
      ...series,
      points: series.points.filter(([afterMs]) => afterMs <= 4 * MINUTE),
    })),
    ...over,
  };
}

const VERDICTS = [
  'stopped',
  'passed',
  'inconclusive',
  'cancelled',
  'superseded',
  'failed',
] as const;
const SCORES = ['right', 'false_stop', 'missed', 'undecided'] as const;

function countsOf<Key extends string>(keys: readonly Key[], found: readonly (Key | null)[]) {
  const entries = keys.map((key) => [key, found.filter((one) => one === key).length] as const);
  return Object.fromEntries(entries) as Record<Key, number>;
}

export function totalsOf(deploys: readonly DeployResult[]): Totals {
  const stops = deploys
    .filter(({ verdict, deploy }) => verdict === 'stopped' && deploy.label === 'bad')
    .map(({ afterMs }) => afterMs ?? 0)
    .sort((a, b) => a - b);
  const watchedMs = deploys.reduce((sum, { afterMs }) => sum + (afterMs ?? 0), 0);
  const blindMs = deploys.reduce((sum, one) => sum + one.blindMs, 0);
  return {
    deploys: deploys.length,
    verdicts: countsOf<DeployResult['verdict']>(
      VERDICTS,
      deploys.map(({ verdict }) => verdict),
    ),
    labelled: deploys.filter(({ deploy }) => deploy.label !== null).length,
    scores: countsOf<Score>(
      SCORES,
      deploys.map(({ score }) => score),
    ),
    stopsTimed: stops.length,
    stopAfterMedianMs: stops[Math.floor(stops.length / 2)] ?? null,
    stopAfterMaxMs: stops.at(-1) ?? null,
    blindShare: watchedMs === 0 ? 0 : blindMs / watchedMs,
  };
}

export function aBacktest(
  deploys: readonly DeployResult[] = [aDeployResult(), aStoppedResult()],
  over: Partial<BacktestResult> = {},
): BacktestResult {
  return {
    policy: { name: 'aurora', file: 'config/policies/aurora.yaml', hash: '5f1d3c9a7b2e4d60' },
    source: 'Prometheus http://prometheus.example.com:9090',
    ranAt: '2026-11-20T14:03:00Z',
    version: '0.1.0',
    deploys,
    totals: totalsOf(deploys),
    load: {
      requests: 412,
      samples: 1_250_340,
      bytes: 8_400_000,
      seconds: 34.2,
      slowestSeconds: 1.31,
    },
    ...over,
  };
}
