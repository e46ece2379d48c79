import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { BLIND_REASONS } from '../../src/core/sample.ts';
import { PHASES } from '../../src/core/watch.ts';
import {
  createMetrics,
  hideConditionState,
  type Metrics,
  showConditionState,
} from '../../src/metrics/metrics.ts';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

/** A metric set as a daemon has it after some work, so that every metric has a sample. */
function usedMetrics(): Metrics {
  const metrics = createMetrics('1.2.3');
  showConditionState(metrics, 'aurora', 'immediate.stop.fill_rate', 'firing');
  metrics.stopLatency.observe(3);
  metrics.tickLag.observe(0.01);
  metrics.tickDuration.observe(0.02);
  metrics.sourceRequests.inc({ source: 'prometheus', outcome: 'ok' });
  metrics.sourceRequestDuration.observe({ source: 'prometheus' }, 0.003);
  metrics.notificationFailures.inc({ channel: 'slack' });
  return metrics;
}

async function lines(metrics: Metrics, start: string): Promise<readonly string[]> {
  const text = await metrics.registry.metrics();
  return text.split('\n').filter((line) => line.startsWith(start));
}

describe('createMetrics', () => {
  it('says which version runs', async () => {
    expect(await lines(createMetrics('1.2.3'), 'canaryd_build_info')).toEqual([
      'canaryd_build_info{version="1.2.3"} 1',
    ]);
  });

  it('has every known label value at zero from the start', async () => {
    const metrics = createMetrics('1.2.3');
    expect(await lines(metrics, 'canaryd_watches{')).toHaveLength(PHASES.length);
    expect(await lines(metrics, 'canaryd_verdicts_total{')).toHaveLength(PHASES.length - 1);
    expect(await lines(metrics, 'canaryd_deliveries_total{')).toHaveLength(9);
    expect(await lines(metrics, 'canaryd_deliveries_pending{')).toHaveLength(3);
    const samples = await lines(metrics, 'canaryd_samples_total{');
    expect(samples).toEqual(
      ['value', ...BLIND_REASONS].map((reason) => `canaryd_samples_total{outcome="${reason}"} 0`),
    );
    expect(await lines(metrics, 'canaryd_rollbacks_unconfirmed_total')).toEqual([
      'canaryd_rollbacks_unconfirmed_total 0',
    ]);
  });

  it('keeps two daemons of one process apart', async () => {
    const [one, other] = [createMetrics('1'), createMetrics('2')];
    one.journalErrors.inc();
    expect(await lines(other, 'canaryd_journal_errors_total')).toEqual([
      'canaryd_journal_errors_total 0',
    ]);
  });

  it('never labels by watch', async () => {
    const text = await usedMetrics().registry.metrics();
    const names = new Set([...text.matchAll(/[{,](\w+)="/g)].map(([, name]) => name ?? ''));
    expect([...names]).toContain('service');
    expect([...names].filter((name) => /watch|deploy|id$/.test(name))).toEqual([]);
  });

  it('shows one state per condition, and none after the watch has ended', async () => {
    const metrics = createMetrics('1.2.3');
    showConditionState(metrics, 'aurora', 'immediate.stop.loss', 'pending');
    showConditionState(metrics, 'aurora', 'immediate.stop.loss', 'firing');
    expect(await lines(metrics, 'canaryd_condition_state{')).toEqual([
      'canaryd_condition_state{service="aurora",condition="immediate.stop.loss",state="firing"} 1',
    ]);
    hideConditionState(metrics, 'aurora', 'immediate.stop.loss');
    expect(await lines(metrics, 'canaryd_condition_state{')).toEqual([]);
  });

  it.skipIf(!hasPromtool)(
    'passes promtool check metrics without findings (needs promtool)',
    async () => {
      const input = await usedMetrics().registry.metrics();
      const result = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
      expect(`${result.stdout}${result.stderr}`).toBe('');
      expect(result.status).toBe(0);
    },
  );
});
