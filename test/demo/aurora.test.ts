import { afterEach, describe, expect, it } from 'vitest';
import { type Aurora, startAurora } from '../../src/demo/aurora.ts';
import { FAULTS, type Fault } from '../../src/demo/faults.ts';
import { AuroraSimulation } from '../../src/demo/simulation.ts';
import type { Clock } from '../../src/kit/clock.ts';
import { type Figures, figuresBetween, seriesOf, unhealthy } from './figures.ts';

const MINUTE = 60_000;

/** A minute of healthy trading, then a minute with the fault. */
async function minuteWith(fault: Fault | null, seed = 7): Promise<Figures> {
  const simulation = new AuroraSimulation({ version: '1.0.0', seed });
  simulation.step(MINUTE);
  const before = await simulation.exposition();
  simulation.fault(fault);
  simulation.step(MINUTE);
  return figuresBetween(before, await simulation.exposition(), 60);
}

/** Which figures each fault moves; the health endpoint is no figure. */
const MOVES: Readonly<Record<Fault, readonly string[]>> = {
  fill_rate: ['fillRate'],
  all_orders_fail: ['fillRate'],
  no_traffic: ['orders'],
  latency: ['p99'],
  p95_latency: ['p95', 'p99'],
  slow: ['p95'],
  loss: ['realizedPnl', 'pnl'],
  positions: ['positions'],
  xai: ['xaiMissing'],
  xai_coverage: ['xaiMissing'],
  health: [],
  health_hang: [],
  memory: ['memory'],
  cpu: ['cpu'],
  errors: ['httpErrors'],
  log_errors: ['logErrors'],
  coverage: ['lineCoverage'],
  branch_coverage: ['branchCoverage'],
  mutation: ['mutationScore'],
  security: ['critical'],
};

describe('the simulated service, healthy', () => {
  it('shows healthy figures, whatever the seed', async () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const figures = await minuteWith(null, seed);
      expect(unhealthy(figures)).toEqual([]);
      expect(figures.orders).toBe(1_200);
      expect(figures.fillRate).toBeCloseTo(0.98, 2);
      expect(figures.p95).toBeCloseTo(0.2, 1);
      expect(figures.p99).toBeCloseTo(0.45, 1);
    }
  });

  it('shows the same figures for the same seed, and others for another', async () => {
    expect(await minuteWith(null, 3)).toEqual(await minuteWith(null, 3));
    expect(await minuteWith(null, 3)).not.toEqual(await minuteWith(null, 4));
  });
});

describe('a fault of the simulated service', () => {
  it.each(FAULTS)('%s moves its own figure and no other', async (fault) => {
    expect(unhealthy(await minuteWith(fault))).toEqual(MOVES[fault]);
  });

  it('latency: more than 1 % of orders take over 2 s, and the 95th percentile does not', async () => {
    const figures = await minuteWith('latency');
    expect(figures.p99).toBeGreaterThan(2);
    expect(figures.p95).toBeLessThan(0.5);
  });

  it('slow: the 95th percentile is above 1 s, the 99th below 2 s', async () => {
    const figures = await minuteWith('slow');
    expect(figures.p95).toBeGreaterThan(1);
    expect(figures.p99).toBeLessThan(2);
  });

  it('xai: between 1 % and 5 % of traces are missing; xai_coverage: more than 5 %', async () => {
    const [xai, coverage] = [await minuteWith('xai'), await minuteWith('xai_coverage')];
    expect(xai.xaiMissing).toBeGreaterThan(0.01);
    expect(xai.xaiMissing).toBeLessThan(0.05);
    expect(coverage.xaiMissing).toBeGreaterThan(0.05);
  });

  it('loss: more than half a percent of the capital, within ten seconds', async () => {
    const simulation = new AuroraSimulation({ version: '1.0.0', deployCapital: 50_000 });
    simulation.fault('loss');
    simulation.step(10_000);
    const series = seriesOf(await simulation.exposition());
    expect(series.get('aurora_realized_pnl_usd')).toBeLessThan(-250);
  });

  it('positions: more than 120 % of what is expected', async () => {
    const simulation = new AuroraSimulation({ version: '1.0.0', expectedPositions: 20 });
    simulation.fault('positions');
    const series = seriesOf(await simulation.exposition());
    expect(series.get('aurora_open_positions')).toBeGreaterThan(24);
  });

  it('all_orders_fail from the first second leaves no series of filled orders', async () => {
    const simulation = new AuroraSimulation({ version: '1.0.0' });
    simulation.fault('all_orders_fail');
    simulation.step(MINUTE);
    const series = seriesOf(await simulation.exposition());
    expect(series.get('aurora_orders_submitted_total')).toBe(1_200);
    expect(series.has('aurora_orders_filled_total')).toBe(false);
  });

  it('ends when it is cleared', async () => {
    const simulation = new AuroraSimulation({ version: '1.0.0' });
    simulation.fault('memory');
    simulation.fault(null);
    const series = seriesOf(await simulation.exposition());
    expect(series.get('process_resident_memory_bytes')).toBeLessThan(1e9);
  });
});

describe('a deploy of the simulated service', () => {
  it('starts the counters from zero, with the new version and without the fault', async () => {
    const simulation = new AuroraSimulation({ version: '1.0.0' });
    simulation.fault('security');
    simulation.step(MINUTE);
    simulation.deploy('2.0.0');
    const series = seriesOf(await simulation.exposition());
    expect(series.get('aurora_orders_submitted_total')).toBe(0);
    expect(series.get('aurora_security_findings{severity="CRITICAL"}')).toBe(0);
    expect(series.get('aurora_build_info{version="2.0.0"}')).toBe(1);
    expect(series.has('aurora_build_info{version="1.0.0"}')).toBe(false);
    expect(simulation.previousVersion).toBe('1.0.0');
    expect(simulation.trading).toBe(true);
  });

  it('stays disarmed over a deploy, until it is armed', async () => {
    const simulation = new AuroraSimulation({ version: '1.0.0' });
    const orders = async () =>
      seriesOf(await simulation.exposition()).get('aurora_orders_submitted_total');
    simulation.disarm();
    simulation.deploy('2.0.0');
    simulation.step(MINUTE);
    expect([simulation.trading, await orders()]).toEqual([false, 0]);
    simulation.arm();
    simulation.step(MINUTE);
    expect([simulation.trading, await orders()]).toEqual([true, 1_200]);
  });

  it('fills its orders a second after they were submitted', async () => {
    const simulation = new AuroraSimulation({ version: '1.0.0' });
    const seen = async () => {
      const series = seriesOf(await simulation.exposition());
      const name = (part: string) => `aurora_orders_${part}_total`;
      return [series.get(name('submitted')), series.get(name('filled'))];
    };
    simulation.step(1_000);
    expect(await seen()).toEqual([20, undefined]);
    simulation.step(1_000);
    expect(await seen()).toEqual([40, 20]);
    simulation.disarm();
    simulation.step(1_000);
    expect(await seen()).toEqual([40, 39]);
  });

  it('disarmed, sends no orders and keeps its positions', async () => {
    const simulation = new AuroraSimulation({ version: '1.0.0' });
    simulation.disarm();
    simulation.step(MINUTE);
    const series = seriesOf(await simulation.exposition());
    expect(series.get('aurora_orders_submitted_total')).toBe(0);
    expect(series.get('aurora_open_positions')).toBe(10);
  });
});

/** Time stands still: figures move only by `step`. */
const stillClock: Clock = {
  now: () => 0,
  monotonic: () => 0,
  sleep: (_ms, signal) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    }),
};

describe('startAurora', () => {
  let aurora: Aurora;

  afterEach(() => aurora.close());

  it('serves metrics, health and version over HTTP', async () => {
    aurora = await startAurora({ version: '1.0.0', clock: stillClock });
    aurora.step(1_000);
    const metrics = await fetch(`${aurora.url}/metrics`);
    expect(metrics.headers.get('content-type')).toContain('text/plain');
    // One slice of 100 ms was traded at the start, before time stood still.
    expect(seriesOf(await metrics.text()).get('aurora_orders_submitted_total')).toBe(22);
    const health = await fetch(`${aurora.url}/health`);
    expect(health.status).toBe(200);
    expect(await health.json()).toEqual({ status: 'ok', version: '1.0.0' });
    expect(await (await fetch(`${aurora.url}/version`)).json()).toEqual({ version: '1.0.0' });
    expect((await fetch(`${aurora.url}/nothing`)).status).toBe(404);
  });

  it('trades by itself as time goes by', async () => {
    aurora = await startAurora({ version: '1.0.0' });
    const orders = async () => {
      const text = await (await fetch(`${aurora.url}/metrics`)).text();
      return seriesOf(text).get('aurora_orders_submitted_total');
    };
    await expect.poll(orders, { timeout: 10_000 }).toBeGreaterThan(4);
  });

  it('answers 503 under the health fault', async () => {
    aurora = await startAurora({ version: '1.0.0', clock: stillClock });
    aurora.fault('health');
    const response = await fetch(`${aurora.url}/health`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ status: 'failing', version: '1.0.0' });
  });

  it('does not answer under the hanging fault, and still closes', async () => {
    aurora = await startAurora({ version: '1.0.0', clock: stillClock });
    aurora.fault('health_hang');
    const asked = fetch(`${aurora.url}/health`).then(
      () => 'answered',
      () => 'cut off',
    );
    // The server has taken both requests once it has answered this later one.
    await fetch(`${aurora.url}/version`);
    await aurora.close();
    expect(await asked).toBe('cut off');
  });

  it('keeps its port over a deploy', async () => {
    aurora = await startAurora({ version: '1.0.0', clock: stillClock });
    aurora.deploy('2.0.0');
    expect(await (await fetch(`${aurora.url}/version`)).json()).toEqual({ version: '2.0.0' });
  });

  it('can be controlled over HTTP only when that was asked for', async () => {
    aurora = await startAurora({ version: '1.0.0', clock: stillClock });
    expect((await fetch(`${aurora.url}/fault/loss`, { method: 'POST' })).status).toBe(405);
    expect(aurora.activeFault).toBe(null);
    await aurora.close();
    aurora = await startAurora({ version: '1.0.0', clock: stillClock, controls: true });
    const post = async (path: string) =>
      (await fetch(aurora.url + path, { method: 'POST' })).status;
    expect(await post('/fault/loss')).toBe(200);
    expect(aurora.activeFault).toBe('loss');
    expect(await post('/fault/none')).toBe(200);
    expect(aurora.activeFault).toBe(null);
    expect(await post('/fault/lunch')).toBe(404);
    aurora.disarm();
    expect(await post('/deploy/2.0.0')).toBe(200);
    expect(aurora.trading).toBe(false);
    expect(await post('/arm')).toBe(200);
    expect(aurora.trading).toBe(true);
    expect(aurora.version).toBe('2.0.0');
    expect(await post('/deploy/%3Cscript%3E')).toBe(404);
  });
});
