// What a real Prometheus is asked by a real canaryd with many watches, by Prometheus's own count.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REQUESTS_AT_ONCE_MAX } from '../../src/source/prometheus-api.ts';
import { type Canaryd, startCanaryd } from '../support/daemon.ts';
import {
  manyDeploysPolicy,
  metricsOf,
  startManyDeploys,
  startWatches,
  sumOf,
} from '../support/many-deploys.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';
import { until } from '../support/until.ts';

const WATCHES = 60;
/**
 * An interval of 1 s has four slots: in each one request for the samples of all of them and one for
 * their expressions, and room for late ones.
 */
const REQUESTS_PER_TICK_MAX = 0.4;
const LOSS = '-min(aurora_realized_pnl_usd{deploy="${environment}"})';
const SECRET = 'whsec_YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2g=';

describe.runIf(hasPrometheus())(`${WATCHES} watches of the Aurora policy on one Prometheus`, () => {
  const stack = new AsyncDisposableStack();
  let prometheus: PrometheusServer;
  let canaryd: Canaryd;

  beforeAll(async () => {
    const service = await startManyDeploys(WATCHES);
    stack.defer(() => service.stop());
    prometheus = await startPrometheus({ targets: [service.host] });
    stack.defer(() => prometheus.stop());
    const policy = manyDeploysPolicy(service.host, `http://${service.host}`, [
      [['interval'], '1s'],
      [['indicators', 'realized_loss'], { title: 'Realized loss', promql: LOSS }],
    ]);
    canaryd = await startCanaryd({
      config: { sources: { prometheus: { prometheus: { url: prometheus.url } } } },
      policies: { aurora: policy },
      env: { AURORA_DISARM_SECRET: SECRET, AURORA_ROLLBACK_SECRET: SECRET },
    });
    stack.defer(() => canaryd.dispose());
  });
  afterAll(() => stack.disposeAsync());

  async function seen() {
    const [own, theirs] = await Promise.all([metricsOf(canaryd.url), metricsOf(prometheus.url)]);
    return {
      ticks: sumOf(own, 'canaryd_tick_lag_seconds_count'),
      sent: sumOf(own, 'canaryd_source_requests_total'),
      taken: sumOf(theirs, 'prometheus_http_requests_total', 'handler="/api/v1/query"'),
    };
  }

  async function untilTicks(count: number) {
    await until(async () => expect((await seen()).ticks).toBeGreaterThanOrEqual(count));
    return seen();
  }

  it('ask it well below once a tick, and it counts what canaryd counts', async () => {
    await startWatches(canaryd, WATCHES);
    // The first tick of each also looks at the time before its deploy.
    const before = await untilTicks(2 * WATCHES);
    const after = await untilTicks(before.ticks + 3 * WATCHES);
    const [ticks, taken] = [after.ticks - before.ticks, after.taken - before.taken];
    expect(taken).toBeGreaterThan(0);
    expect(taken / ticks).toBeLessThan(REQUESTS_PER_TICK_MAX);
    // What is under way is counted here and not yet there.
    expect(Math.abs(after.taken - after.sent)).toBeLessThanOrEqual(REQUESTS_AT_ONCE_MAX);
  });
});
