// A backtest judges what a live run would have judged: the same engine on the same Prometheus, once
// with the daemon's own request at every tick, once out of a few large answers.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Asker } from '../../src/backtest/asker.ts';
import { History } from '../../src/backtest/history.ts';
import { replayEndMs, replayWatch } from '../../src/backtest/replay-deploy.ts';
import { replayedPolicy } from '../../src/backtest/replayed-policy.ts';
import type { PastDeploy } from '../../src/backtest/result.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createAsk, type Query } from '../../src/source/prometheus-api.ts';
import { T0 } from '../support/build.ts';
import {
  FAULTS,
  PAST_POLICY,
  pastDeploys,
  pastService,
  pastVersions,
  policyOf,
} from '../support/past-service.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';

const MINUTE = 60_000;
const signal = new AbortController().signal;
const versions = pastVersions(T0, 20 * MINUTE, [null, ...FAULTS]);
const deploys = pastDeploys(versions);
/** canaryd was told of it after its fault had begun. */
const late = deploys.slice(0, 3).map((one) => ({ ...one, startedAtMs: one.deployedAtMs + 96_234 }));
const starts = [...deploys, ...late].map((deploy: PastDeploy) => ({
  deploy,
  name: `${deploy.version}${'startedAtMs' in deploy ? ', told late' : ''}`,
}));
const title = hasPrometheus()
  ? 'on a real Prometheus'
  : 'on a real Prometheus (SKIPPED: the `prometheus` and `promtool` binaries are missing)';

describe.skipIf(!hasPrometheus())(`a backtest, ${title}`, () => {
  let server: PrometheusServer;
  beforeAll(async () => {
    const history = pastService({
      versions,
      stepMs: 5_000,
      beforeMs: 40 * MINUTE,
      afterMs: 20 * MINUTE,
    });
    server = await startPrometheus({ history });
  });
  afterAll(async () => {
    await server.stop();
  });

  const phases = new Set<string>();
  const replayed = replayedPolicy(policyOf(PAST_POLICY));

  function asker() {
    const ask = createAsk({ url: server.url, timeoutMs: 30_000, clock: systemClock });
    return new Asker({ ask, clock: systemClock, atOnce: 2, paceMs: 0, signal });
  }

  function play(deploy: PastDeploy, query: Query) {
    return replayWatch({ deploy, replayed, hash: 'h', query, nowMs: T0 + 1e9, signal });
  }

  it.each(starts)('has the same journal and the same readings: $name', async ({ deploy }) => {
    const live = asker();
    const past = asker();
    const asked = await play(deploy, (promql, atMs) => live.ask({ promql, atMs }));
    const untilMs = replayEndMs(deploy, replayed.policy);
    const edge = { isClosed: null };
    const history = new History({ asker: past, chunkMs: 60 * MINUTE, untilMs, edge });
    const found = await play(deploy, history.query(5_000));
    const startedAtMs = deploy.startedAtMs ?? deploy.deployedAtMs;
    expect(found.ticks[0]?.atMs).toBeGreaterThanOrEqual(startedAtMs);
    expect(found.ticks).toEqual(asked.ticks);
    expect(found.watch.events).toEqual(asked.watch.events);
    expect(found.watch.messages).toEqual(asked.watch.messages);
    const [often, seldom] = [live.takeLoad().requests, past.takeLoad().requests];
    expect(seldom).toBeLessThan(often);
    phases.add(found.watch.state.phase);
  });

  it('of deploys that end in every way', () => {
    expect([...phases].toSorted()).toEqual(['inconclusive', 'passed', 'stopped']);
  });
});
