// A backtest may not make a policy look better than it is: what was never judged is said, what was
// not decided is not kept, and two policies are timed over the same deploys.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type BacktestOptions, runBacktest } from '../../src/backtest/run.ts';
import { isAllRight } from '../../src/backtest/score.ts';
import { openStateFile, type StateFile } from '../../src/backtest/state-file.ts';
import { resultText } from '../../src/cli/backtest-table.ts';
import { askOf, backtestOf, policyUnderTest } from '../support/backtest.ts';
import { T0 } from '../support/build.ts';
import { PAST_POLICY, pastDeploys, pastService, pastVersions } from '../support/past-service.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';

const MINUTE = 60_000;
const versions = pastVersions(T0, 20 * MINUTE, ['fills', null, 'latency']);
const deploys = pastDeploys(versions);
const title = hasPrometheus()
  ? 'on a real Prometheus'
  : 'on a real Prometheus (SKIPPED: the `prometheus` and `promtool` binaries are missing)';

function stateFile(): () => StateFile {
  const dir = mkdtempSync(join(tmpdir(), 'canaryd-state-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return () => {
    const opened = openStateFile(join(dir, 'state.jsonl'), 'here', () => {});
    if (opened.kind === 'failed') throw new Error(opened.detail);
    return opened.state;
  };
}

describe.skipIf(!hasPrometheus())(`a backtest ${title}`, () => {
  let server: PrometheusServer;
  beforeAll(async () => {
    const recorded = { stepMs: 5_000, beforeMs: 40 * MINUTE, afterMs: 20 * MINUTE };
    server = await startPrometheus({ history: pastService({ versions, ...recorded }) });
  });
  afterAll(async () => {
    await server.stop();
  });

  async function run(over: Partial<BacktestOptions>) {
    const end = await runBacktest(backtestOf({ ask: askOf(server.url), deploys, ...over }));
    if (end.kind !== 'done') throw new Error(JSON.stringify(end));
    return end.results;
  }

  it('of a policy whose pass can never be seen is not right, and says why', async () => {
    const text = PAST_POLICY.replaceAll('shop_log_errors_total', 'shop_log_errors_totl');
    const results = await run({ policies: [policyUnderTest(text)] });
    const [result] = results;
    expect(result?.deploys.map(({ score }) => score)).toEqual(['right', 'undecided', 'right']);
    expect(isAllRight(result?.deploys ?? [])).toBe(false);
    expect(resultText(results)).toMatch(
      /Note: success\.pass\.log_errors was blind all the time in 1 of 1 deploy \(no_series\)/,
    );
    expect(resultText(results)).toContain('is there such a metric, with these labels?');
  });

  it('says of an expression that was refused at every tick that it was', async () => {
    const text = PAST_POLICY.replace("'sum(increase(shop_log", "'sum)increase(shop_log");
    const results = await run({ policies: [policyUnderTest(text)] });
    expect(resultText(results)).toMatch(
      /immediate\.warn\.error_rate was blind all the time in 3 of 3 deploys \(rejected\)/,
    );
  });

  it('says why a deploy without label ended inconclusive', async () => {
    const text = PAST_POLICY.replaceAll('shop_log_errors_total', 'shop_log_errors_totl');
    const one = deploys.slice(1, 2).map((deploy) => ({ ...deploy, label: null }));
    const results = await run({ deploys: one, policies: [policyUnderTest(text)] });
    expect(resultText(results)).toMatch(/1\.2\.0 inconclusive:\n {2}.*log_errors.*no_series/);
  });

  it('does not keep that nothing was decided yet', async () => {
    const open = stateFile();
    const good = deploys.slice(1, 2);
    const early = { now: () => T0 + 45 * MINUTE, monotonic: () => 0, sleep: async () => {} };
    const before = open();
    const [undecided] = await run({ deploys: good, clock: early, finished: before });
    before.close();
    const after = open();
    const [decided] = await run({ deploys: good, finished: after });
    after.close();
    expect(undecided?.deploys[0]?.verdict).toBe('failed');
    expect(decided?.deploys[0]?.verdict).toBe('passed');
    expect(open().found).toBe(1);
  });

  it('times two policies over the deploys that both stopped', async () => {
    const blindToFills = PAST_POLICY.replace('below: 80%, for: 15s', 'below: 1%, for: 15s');
    const results = await run({ policies: [policyUnderTest(), policyUnderTest(blindToFills)] });
    expect(results.map(({ totals }) => totals.verdicts.stopped)).toEqual([2, 1]);
    expect(results.map(({ totals }) => totals.stopsTimed)).toEqual([1, 1]);
    expect(resultText(results)).toMatch(/longest \w+ \(1 deploy that both stopped\)/);
  });

  it('judges nothing of what was measured after a rollback', async () => {
    const replaced = { atMs: T0 + 23 * MINUTE, version: 'the version before' };
    const late = PAST_POLICY.replace('below: 80%, for: 15s', 'below: 80%, for: 4m');
    const one = deploys.slice(0, 1).map((deploy) => ({ ...deploy, replaced }));
    const [result] = await run({ deploys: one, policies: [policyUnderTest(late)] });
    expect(result?.deploys[0]).toMatchObject({
      verdict: 'superseded',
      because: ['the version before took its place after 3m, before anything was decided'],
    });
  });

  it('closes a deploy that was deployed again, in its own words', async () => {
    const replaced = { atMs: T0 + 43 * MINUTE, version: '1.2.0' };
    const one = deploys.slice(1, 2).map((deploy) => ({ ...deploy, replaced }));
    const [result] = await run({ deploys: one });
    expect(result?.deploys[0]).toMatchObject({
      verdict: 'superseded',
      because: ['1.2.0 was deployed again after 3m, before anything was decided'],
    });
  });

  it('has no rows about labels when nothing is labelled', async () => {
    const unlabelled = deploys.map((deploy) => ({ ...deploy, label: null }));
    const text = resultText(await run({ deploys: unlabelled }));
    expect(text).not.toMatch(/not labelled|False stops|Time to stop/);
    expect(text).toContain('Verdicts');
  });
});
