// From the journal of one replayed watch to its row in the result. Judges nothing: what is said
// here was decided by the engine, and is only counted and put into words.
import { limitValue } from '../core/limit.ts';
import type { Condition, Policy } from '../core/policy.ts';
import { roughDuration } from '../core/quantity.ts';
import type { Blind, Tick } from '../core/sample.ts';
import type { WatchState } from '../core/watch.ts';
import { conditionNow, conditionSentence, titleOf } from '../core/wording.ts';
import { absoluteLimit, allowedRange } from '../engine/view-words.ts';
import type { Replayed } from '../replay/replay.ts';
import { leftOutText, type ReplayedPolicy } from './replayed-policy.ts';
import { thin } from './report-charts.ts';
import {
  type ConditionResult,
  type DeployResult,
  type IndicatorSeries,
  type PastDeploy,
  POINTS_MAX,
} from './result.ts';
import { scoreOf } from './score.ts';

export type Judged = {
  readonly deploy: PastDeploy;
  readonly replayed: ReplayedPolicy;
  readonly watch: Replayed;
  readonly ticks: readonly Tick[];
};

export function failedResult(deploy: PastDeploy, because: readonly string[]): DeployResult {
  return {
    ...{ deploy, verdict: 'failed', afterMs: null, by: [], because, blindMs: 0, score: null },
    ...{ conditions: [], series: [] },
  };
}

export function deployResult(judged: Judged): DeployResult {
  const { deploy, replayed, ticks, watch } = judged;
  if (isNothingSeen(ticks, watch.state)) {
    const { name } = replayed.policy;
    const found = `the source has no sample of any indicator of ${name} around this deploy`;
    return failedResult(deploy, [`${found}; is it beyond the retention, or do labels differ?`]);
  }
  const { phase, deadlineAtMs, closedAtMs } = watch.state;
  if (phase === 'watching') {
    const end = new Date(deadlineAtMs).toISOString();
    return failedResult(deploy, [`nothing is decided yet: its last window ends at ${end}`]);
  }
  const isUnproved = phase === 'passed' && !replayed.mayPass;
  const verdict = isUnproved ? 'inconclusive' : phase;
  const lookedAt = ticks.map((tick) => lookAt(tick, deploy, replayed.policy, watch.state));
  return {
    deploy,
    verdict,
    afterMs: (closedAtMs ?? deploy.deployedAtMs) - deploy.deployedAtMs,
    by: isUnproved ? [] : decidedBy(watch),
    because: [
      ...(isUnproved ? ['all that can be replayed held, but that is not all of a pass'] : []),
      ...causesOf(judged),
      ...replayed.leftOut.map(leftOutText),
    ],
    blindMs: lookedAt.filter(isStopBlind).length * replayed.policy.intervalMs,
    score: scoreOf(verdict, deploy.label),
    conditions: replayed.policy.conditions.map((one) => conditionResult(one, judged, lookedAt)),
    series: seriesOf(judged),
  };
}

/**
 * Not a single series, before the deploy and after: what is wrong is not the deploy. Where there
 * were some before it, it is the deploy that never came up.
 */
export function isNothingSeen(ticks: readonly Tick[], state: WatchState): boolean {
  const readings = ticks.flatMap((tick) => Object.values(tick.readings));
  const isSeen = readings.some(
    (one) => one.kind === 'value' || (one.reason !== 'no_series' && one.reason !== 'too_early'),
  );
  const wasSeen = Object.keys(state.baseline).length > 0;
  return !isSeen && !wasSeen && readings.length > 0;
}

function decidedBy({ events }: Replayed): readonly string[] {
  return events.flatMap((event) => {
    if (event.type === 'watch.stopped') {
      return [...event.conditions, ...event.blind].map(({ condition }) => condition);
    }
    return event.type === 'watch.passed' ? event.conditions.map(({ condition }) => condition) : [];
  });
}

function causesOf({ deploy, replayed: { policy }, watch }: Judged): readonly string[] {
  return watch.events.flatMap((event) => {
    switch (event.type) {
      case 'watch.stopped':
        return [
          ...event.conditions.map((one) => conditionNow(policy, one)),
          ...event.blind.map(({ condition, reason }) => `${condition} stayed blind (${reason})`),
        ];
      case 'watch.passed':
        return event.conditions.map((one) => conditionNow(policy, one));
      case 'watch.inconclusive':
        return event.because;
      case 'watch.superseded': {
        const after = roughDuration(event.atMs - deploy.deployedAtMs);
        const next = deploy.replaced?.version ?? event.version;
        const what = next === deploy.version ? 'was deployed again' : 'took its place';
        return [`${next} ${what} after ${after}, before anything was decided`];
      }
      default:
        return [];
    }
  });
}

type Sight = { readonly condition: Condition; readonly blind: Pick<Blind, 'reason'> | null };

/** The conditions that are due at this tick, and whether they could be judged. */
function lookAt(
  tick: Tick,
  { deployedAtMs }: PastDeploy,
  { conditions, windows }: Policy,
  { baseline, deploy }: WatchState,
): readonly Sight[] {
  const sinceMs = tick.atMs - deployedAtMs;
  const due = new Set(
    windows.filter((one) => sinceMs >= one.fromMs && sinceMs < one.untilMs).map((one) => one.name),
  );
  return conditions
    .filter(({ window }) => due.has(window))
    .map((condition) => {
      const { limit, indicator } = condition;
      const reading = tick.readings[indicator];
      const isLimitKnown =
        limit.kind !== 'compare' ||
        limitValue(limit, deploy?.parameters ?? {}, baseline[indicator]) !== null;
      if (reading?.kind === 'blind') return { condition, blind: reading };
      return { condition, blind: isLimitKnown ? null : { reason: 'no_baseline' } };
    });
}

/** Waiting for a range to fill is planned: no blindness. */
function isBlind({ blind }: Sight): boolean {
  return blind !== null && blind.reason !== 'too_early';
}

function isStopBlind(sights: readonly Sight[]): boolean {
  return sights.some((one) => one.condition.role === 'stop' && isBlind(one));
}

function conditionResult(
  condition: Condition,
  { deploy, replayed: { policy }, watch }: Judged,
  lookedAt: readonly (readonly Sight[])[],
): ConditionResult {
  const { id, indicator, role, limit } = condition;
  const window = policy.windows.find(({ name }) => name === condition.window);
  const sights = lookedAt.flat().filter((one) => one.condition.id === id);
  const blind = sights.filter(isBlind);
  const judged = sights.filter((one) => one.blind === null);
  const baseline = watch.state.baseline[indicator];
  const parameters = watch.state.deploy?.parameters ?? {};
  const absolute = absoluteLimit(limit, null, parameters, baseline);
  const firedAtMs = firstFiring(watch, id);
  return {
    condition: id,
    indicator,
    title: titleOf(policy, indicator),
    role,
    sentence: conditionSentence(condition, policy),
    fromMs: window?.fromMs ?? 0,
    untilMs: window?.untilMs ?? 0,
    ...allowedRange(condition, absolute, baseline),
    blindMs: blind.length * policy.intervalMs,
    judgedMs: judged.length * policy.intervalMs,
    blindReason: mostFrequent(blind.map((one) => one.blind?.reason ?? '')),
    firedAfterMs: firedAtMs === null ? null : firedAtMs - deploy.deployedAtMs,
  };
}

function firstFiring({ events }: Replayed, id: string): number | null {
  for (const event of events) {
    switch (event.type) {
      case 'watch.stopped':
      case 'watch.passed':
        if (event.conditions.some(({ condition }) => condition === id)) return event.atMs;
        break;
      case 'condition.warned':
        if (event.evidence.condition === id) return event.atMs;
        break;
      default:
    }
  }
  return null;
}

function mostFrequent(words: readonly string[]): string | null {
  const counts = Map.groupBy(words, (word) => word);
  const [first] = [...counts].toSorted(([, a], [, b]) => b.length - a.length);
  return first?.[0] ?? null;
}

function seriesOf({ deploy, replayed: { policy }, ticks }: Judged): readonly IndicatorSeries[] {
  const used = [...new Set(policy.conditions.map(({ indicator }) => indicator))];
  return used.map((id) => {
    const points = ticks.flatMap(({ atMs, readings }) => {
      const reading = readings[id];
      if (reading === undefined) return [];
      const value = reading.kind === 'value' ? reading.value : null;
      return [[atMs - deploy.deployedAtMs, value] as const];
    });
    const unit = policy.indicators[id]?.unit ?? 'number';
    return {
      indicator: id,
      title: titleOf(policy, id),
      unit,
      points: thin(points, POINTS_MAX),
    };
  });
}
