import { describe, expect, it } from 'vitest';
import type { EventBody } from '../../src/core/event.ts';
import { evolve, isActive, type WatchState } from '../../src/core/watch.ts';
import type { Change } from '../../src/engine/control.ts';
import type { Appended } from '../../src/engine/ledger.ts';
import { Observer } from '../../src/engine/observe.ts';
import { Subscribers } from '../../src/engine/subscribers.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import {
  aConditionTrack,
  aDeploy,
  aPolicy,
  aTick,
  aTrack,
  someEvidence,
  started,
  stopped,
  T0,
} from '../support/build.ts';
import { anEngine, BAD, DELIVERED, retryable, unreachable } from '../support/engine.ts';
import { accepted, stateOf } from '../support/states.ts';

const OPEN = stateOf([0, started()]);
const STOPPED = stateOf([0, started()], [5, stopped({ verifies: true })]);

function observed() {
  const metrics = createMetrics('1.2.3');
  const subscribers = new Subscribers();
  const changes: Change[] = [];
  subscribers.add(null, (change) => void changes.push(change));
  const observer = new Observer(metrics, subscribers);
  return {
    observer,
    changes,
    /** What /metrics shows of these, without what is zero. */
    async shown(name: string): Promise<readonly string[]> {
      const text = await metrics.registry.metrics();
      return text.split('\n').filter((line) => line.startsWith(name) && !/ 0$/.test(line));
    },
  };
}

/** An append to w_1 at T0 + 20 s. */
function appended(
  before: WatchState,
  bodies: readonly EventBody[],
  over: Partial<Appended['record']> = {},
): Appended {
  const atMs = T0 + 20_000;
  const events = bodies.map((body, index) => ({ ...body, seq: 7 + index, atMs }));
  const after = events.reduce(evolve, before);
  return {
    watchId: 'w_1',
    before,
    after,
    events,
    tick: null,
    record: {
      id: 'w_1',
      deploy: aDeploy(),
      policy: aPolicy(),
      policyHash: 'hash',
      idempotencyKey: null,
      startedAtMs: T0,
      phase: after.phase,
      isActive: isActive(after),
      closedAtMs: after.closedAtMs,
      revision: 7,
      track: null,
      ...over,
    },
  };
}

describe('Observer.appended', () => {
  it('tells listeners of each event, and of the tick', () => {
    const { observer, changes } = observed();
    const events: EventBody[] = [{ type: 'watch.armed', armed: 2, total: 2 }];
    observer.appended({ ...appended(OPEN, events), tick: aTick(T0) });
    expect(changes).toMatchObject([
      { kind: 'event', watchId: 'w_1', event: { type: 'watch.armed', seq: 7 } },
      { kind: 'tick', watchId: 'w_1', tick: { atMs: T0 } },
    ]);
  });

  it('counts a verdict once, when the watch closes', async () => {
    const { observer, shown } = observed();
    observer.appended(appended(OPEN, [stopped()]));
    observer.appended(appended(STOPPED, [accepted('disarm')]));
    expect(await shown('canaryd_verdicts_total')).toEqual([
      'canaryd_verdicts_total{phase="stopped"} 1',
    ]);
  });

  it('measures the stop from the first breach to the acceptance of the rollback', async () => {
    const { observer, shown } = observed();
    const late = someEvidence({ sinceMs: T0 + 19_000 });
    const first = someEvidence({ sinceMs: T0 + 17_000 });
    const before = stateOf([0, started()], [19, stopped({ conditions: [late, first] })]);
    observer.appended(appended(before, [accepted('disarm')]));
    expect(await shown('canaryd_stop_latency_seconds_count')).toEqual([]);
    observer.appended(appended(before, [accepted('rollback')]));
    expect(await shown('canaryd_stop_latency_seconds_sum')).toEqual([
      'canaryd_stop_latency_seconds_sum 3',
    ]);
  });

  it('measures no latency of a stop by a human', async () => {
    const { observer, shown } = observed();
    const before = stateOf([0, started()], [19, stopped({ cause: 'human', conditions: [] })]);
    observer.appended(appended(before, [accepted('rollback')]));
    expect(await shown('canaryd_stop_latency_seconds_count')).toEqual([]);
  });

  it.each([
    ['not_verified', ['canaryd_rollbacks_unconfirmed_total 1']],
    ['not_accepted', ['canaryd_rollbacks_unconfirmed_total 1']],
    ['superseded', []],
  ] as const)('counts a rollback that was not confirmed (%s)', async (reason, expected) => {
    const { observer, shown } = observed();
    const type = 'rollback.not_confirmed' as const;
    observer.appended(appended(STOPPED, [{ type, action: 'rollback', reason, because: [] }]));
    expect(await shown('canaryd_rollbacks_unconfirmed_total')).toEqual(expected);
  });

  it('shows the state of each condition, and nothing after the end', async () => {
    const { observer, shown } = observed();
    const conditions = { 'immediate.stop.fill_rate': aConditionTrack({ state: 'firing' }) };
    const track = aTrack(T0, { conditions });
    observer.appended({ ...appended(OPEN, [], { track }), tick: aTick(T0) });
    expect(await shown('canaryd_condition_state')).toEqual([
      'canaryd_condition_state{service="shop",condition="immediate.stop.fill_rate",state="firing"} 1',
    ]);
    observer.appended(appended(OPEN, [{ type: 'watch.cancelled', by: 'ann', reason: 'x' }]));
    expect(await shown('canaryd_condition_state')).toEqual([]);
  });

  it('leaves the next watch of the service visible when a closed one is told of late', async () => {
    const { observer, shown } = observed();
    const track = aTrack(T0);
    observer.appended({ ...appended(OPEN, [], { track }), tick: aTick(T0) });
    const closed = stateOf([0, started()], [5, { type: 'watch.cancelled', by: 'a', reason: 'b' }]);
    observer.appended(appended(closed, []));
    expect(await shown('canaryd_condition_state')).toHaveLength(1);
  });
});

describe('Observer', () => {
  it('counts readings by what they were, and times ticks in seconds', async () => {
    const { observer, shown } = observed();
    observer.ticked(T0, 250, 1_500, { health: BAD, fill_rate: unreachable() });
    expect(await shown('canaryd_samples_total')).toEqual([
      'canaryd_samples_total{outcome="value"} 1',
      'canaryd_samples_total{outcome="unreachable"} 1',
    ]);
    expect(await shown('canaryd_tick_lag_seconds_sum')).toEqual([
      'canaryd_tick_lag_seconds_sum 0.25',
    ]);
    expect(await shown('canaryd_tick_duration_seconds_sum')).toEqual([
      'canaryd_tick_duration_seconds_sum 1.5',
    ]);
    expect(await shown('canaryd_last_evaluation_timestamp_seconds')).toEqual([
      `canaryd_last_evaluation_timestamp_seconds ${T0 / 1_000}`,
    ]);
  });

  it('counts attempts by how they ended, and the messages that nobody got', async () => {
    const { observer, shown } = observed();
    const engine = anEngine();
    await engine.watch();
    await engine.commands.stop('w_1', { by: 'ann', reason: 'test' });
    const rollback = await engine.delivery('w_1-rollback');
    const message = await engine.delivery('w_1-e1-oncall');
    observer.attempted(rollback, retryable(), null);
    observer.attempted(rollback, DELIVERED, null);
    observer.attempted(message, retryable(), 'attempts_exhausted');
    expect((await shown('canaryd_deliveries_total')).toSorted()).toEqual([
      'canaryd_deliveries_total{kind="message",outcome="gave_up"} 1',
      'canaryd_deliveries_total{kind="rollback",outcome="delivered"} 1',
      'canaryd_deliveries_total{kind="rollback",outcome="retryable"} 1',
    ]);
    expect(await shown('canaryd_notification_failures_total')).toEqual([
      'canaryd_notification_failures_total{channel="oncall"} 1',
    ]);
  });
});
