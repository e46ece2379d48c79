// Every metric of the program, in one place: names with units, few labels, never a watch id.
// Label values that are known in advance exist from the start at zero, so that an alert on
// their increase sees the first one too. Nothing here decides anything.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { BLIND_REASONS } from '../core/sample.ts';
import { PHASES } from '../core/watch.ts';

export const DELIVERY_KINDS = ['disarm', 'rollback', 'message'] as const;
export type DeliveryKind = (typeof DELIVERY_KINDS)[number];

/** How an attempt ended: `retryable` is tried again, the other two end the delivery. */
export const DELIVERY_OUTCOMES = ['delivered', 'retryable', 'gave_up'] as const;
export type DeliveryOutcome = (typeof DELIVERY_OUTCOMES)[number];

export const CONDITION_STATES = ['inactive', 'pending', 'firing', 'blind'] as const;
export type ConditionState = (typeof CONDITION_STATES)[number];

/** How a request to a metrics source ended. */
export type SourceOutcome = 'ok' | 'rejected' | 'unreachable';

/** From below one scrape of a fast source to the five minutes of a slow alerting chain. */
const STOP_LATENCY_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300];
/** 250 ms is the lag that 1,000 watches must keep to; above 5 s a tick is lost. */
const LAG_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30];
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** prom-client's defaults with a name that breaks the naming rules (`_total` on a gauge). */
const MISNAMED_DEFAULTS = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

export type Metrics = {
  readonly registry: Registry;
  /** Watches in the journal by phase. */
  readonly watches: Gauge<'phase'>;
  readonly watchesActive: Gauge;
  readonly replicas: Gauge;
  /** Set through `showConditionState` and `hideConditionState`. */
  readonly conditionState: Gauge<'service' | 'condition' | 'state'>;
  readonly stopLatency: Histogram;
  readonly deliveries: Counter<'kind' | 'outcome'>;
  readonly deliveriesPending: Gauge<'kind'>;
  readonly samples: Counter<'outcome'>;
  readonly tickLag: Histogram;
  readonly tickDuration: Histogram;
  readonly tickErrors: Counter;
  readonly lastEvaluation: Gauge;
  readonly deadManSuccess: Gauge;
  readonly sourceRequests: Counter<'source' | 'outcome'>;
  readonly sourceRequestDuration: Histogram<'source'>;
  readonly holdFire: Gauge;
  readonly verdicts: Counter<'phase'>;
  readonly rollbacksUnconfirmed: Counter;
  readonly journalErrors: Counter;
  readonly notificationFailures: Counter<'channel'>;
};

/** A registry of its own for each call: two daemons in one process do not mix. */
export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED_DEFAULTS) registry.removeSingleMetric(name);
  new Gauge({
    name: 'canaryd_build_info',
    help: 'Always 1; the label says which version runs',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1);
  const metrics: Metrics = {
    registry,
    ...watchMetrics(registry),
    ...deliveryMetrics(registry),
    ...tickMetrics(registry),
    ...sourceMetrics(registry),
  };
  createKnownLabels(metrics);
  return metrics;
}

function watchMetrics(registry: Registry) {
  const registers = [registry];
  return {
    watches: new Gauge({
      name: 'canaryd_watches',
      help: 'Watches in the journal by phase',
      labelNames: ['phase'] as const,
      registers,
    }),
    watchesActive: new Gauge({
      name: 'canaryd_watches_active',
      help: 'Watches that this replica evaluates: open, or with a verification under way',
      registers,
    }),
    replicas: new Gauge({
      name: 'canaryd_replicas',
      help: 'Replicas that share the journal, as this one sees them',
      registers,
    }),
    conditionState: new Gauge({
      name: 'canaryd_condition_state',
      help: 'Present state of each condition of an active watch (1 for the state it is in)',
      labelNames: ['service', 'condition', 'state'] as const,
      registers,
    }),
    verdicts: new Counter({
      name: 'canaryd_verdicts_total',
      help: 'Watches closed, by the phase they ended in',
      labelNames: ['phase'] as const,
      registers,
    }),
    stopLatency: new Histogram({
      name: 'canaryd_stop_latency_seconds',
      help: 'From the first breaching sample until the rollback was accepted',
      buckets: STOP_LATENCY_BUCKETS,
      registers,
    }),
    rollbacksUnconfirmed: new Counter({
      name: 'canaryd_rollbacks_unconfirmed_total',
      help: 'Stops whose rollback could not be proved to have helped',
      registers,
    }),
    holdFire: new Gauge({
      name: 'canaryd_hold_fire',
      help: 'Whether the hold-fire switch is on (1): canaryd observes and does not act',
      registers,
    }),
  };
}

function deliveryMetrics(registry: Registry) {
  const registers = [registry];
  return {
    deliveries: new Counter({
      name: 'canaryd_deliveries_total',
      help: 'Attempts to deliver an action or a message, by how they ended',
      labelNames: ['kind', 'outcome'] as const,
      registers,
    }),
    deliveriesPending: new Gauge({
      name: 'canaryd_deliveries_pending',
      help: 'Deliveries that are planned and have not ended',
      labelNames: ['kind'] as const,
      registers,
    }),
    notificationFailures: new Counter({
      name: 'canaryd_notification_failures_total',
      help: 'Messages that were given up, by channel',
      labelNames: ['channel'] as const,
      registers,
    }),
    journalErrors: new Counter({
      name: 'canaryd_journal_errors_total',
      help: 'Operations that the journal failed (a full disk, a lost database)',
      registers,
    }),
  };
}

function tickMetrics(registry: Registry) {
  const registers = [registry];
  return {
    samples: new Counter({
      name: 'canaryd_samples_total',
      help: 'Readings of indicators: a value, or the reason why it was blind',
      labelNames: ['outcome'] as const,
      registers,
    }),
    tickLag: new Histogram({
      name: 'canaryd_tick_lag_seconds',
      help: 'From the planned to the real start of a tick',
      buckets: LAG_BUCKETS,
      registers,
    }),
    tickDuration: new Histogram({
      name: 'canaryd_tick_duration_seconds',
      help: 'Time that one tick of one watch took, reading included',
      buckets: DURATION_BUCKETS,
      registers,
    }),
    tickErrors: new Counter({
      name: 'canaryd_tick_errors_total',
      help: 'Ticks that failed before anything was decided',
      registers,
    }),
    lastEvaluation: new Gauge({
      name: 'canaryd_last_evaluation_timestamp_seconds',
      help: 'When a watch was last evaluated, in seconds since 1970',
      registers,
    }),
    deadManSuccess: new Gauge({
      name: 'canaryd_dead_man_success_timestamp_seconds',
      help: 'When the dead-man monitor last took a ping, in seconds since 1970; 0 without one',
      registers,
    }),
  };
}

function sourceMetrics(registry: Registry) {
  const registers = [registry];
  return {
    sourceRequests: new Counter({
      name: 'canaryd_source_requests_total',
      help: 'Requests to a metrics source, by how they ended',
      labelNames: ['source', 'outcome'] as const,
      registers,
    }),
    sourceRequestDuration: new Histogram({
      name: 'canaryd_source_request_duration_seconds',
      help: 'Time that a metrics source took to answer',
      labelNames: ['source'] as const,
      buckets: DURATION_BUCKETS,
      registers,
    }),
  };
}

function createKnownLabels(metrics: Metrics): void {
  for (const phase of PHASES) {
    metrics.watches.set({ phase }, 0);
    if (phase !== 'watching') metrics.verdicts.inc({ phase }, 0);
  }
  for (const kind of DELIVERY_KINDS) {
    metrics.deliveriesPending.set({ kind }, 0);
    for (const outcome of DELIVERY_OUTCOMES) metrics.deliveries.inc({ kind, outcome }, 0);
  }
  for (const outcome of ['value', ...BLIND_REASONS]) metrics.samples.inc({ outcome }, 0);
}

/** One series per condition: the state it is in. The states it is not in have none. */
export function showConditionState(
  metrics: Metrics,
  service: string,
  condition: string,
  state: ConditionState,
): void {
  hideConditionState(metrics, service, condition);
  metrics.conditionState.set({ service, condition, state }, 1);
}

/** The watch has ended: its conditions have no state any more. */
export function hideConditionState(metrics: Metrics, service: string, condition: string): void {
  for (const state of CONDITION_STATES) {
    metrics.conditionState.remove({ service, condition, state });
  }
}
