// What can be shown of a policy: figures of a healthy service, and of one in which a chosen
// condition goes wrong, both held against the policy's own limits before anything is started.
import type { MeasuredIndicator } from '../core/measure.ts';
import type { Condition, Policy } from '../core/policy.ts';
import { formatValue } from '../core/quantity.ts';
import { isSeries, resolveIndicator } from '../core/read.ts';
import type { TemplateValues } from '../core/template.ts';
import { conditionSentence, titleOf } from '../core/wording.ts';
import {
  type Figures,
  type FiguresResult,
  figuresFor,
  histogramKey,
  type Order,
  readingOf,
  type Wanted,
} from './figures.ts';
import { allConditions, faultyValue, healthyValue, isWanted, type Parameters } from './targets.ts';

/** Events a second, at least: enough for a range of seconds to say something. */
const EVENTS_PER_SECOND_MIN = 50;
/** A range holds so many times what it needs. */
const EVENTS_SPARE = 3;
/** So many good and bad events are in a range, so that one more or less changes little. */
const EVENTS_OF_A_KIND = 5;
const EVENTS_PER_SECOND_MAX = 10_000_000;

export type Refusal = { readonly kind: 'refused'; readonly why: string };

export type Plan = {
  readonly kind: 'plan';
  readonly healthy: Figures;
  readonly faulty: Figures;
  /** Endpoints that fail, by indicator: while healthy, and once the fault is there. */
  readonly failing: { readonly healthy: ReadonlySet<string>; readonly faulty: ReadonlySet<string> };
};

/**
 * @param values placeholders; the version is the one that runs
 * @param fault null: nothing goes wrong
 */
export function planOf(
  policy: Policy,
  parameters: Parameters,
  values: TemplateValues,
  fault: Condition | null,
): Plan | Refusal {
  const conditions = allConditions(policy);
  const resolved = Object.values(policy.indicators).map((one) =>
    resolveIndicator(one, policy, values),
  );
  const healthy = new Map<string, number>();
  for (const indicator of resolved) {
    const value = healthyValue(indicator, conditions, parameters);
    if (value === null) return refused(policy, indicator.id, 'its limits leave no healthy value');
    healthy.set(indicator.id, value);
  }
  const failing = resolved.filter(({ kind, id }) => kind === 'http' && healthy.get(id) === 0);
  const failingIds = new Set(failing.map(({ id }) => id));
  const measured = resolved.filter(isMeasured);
  const base = {
    indicators: measured,
    perSecond: perSecondOf(measured, healthy),
    bounds: new Map(),
  };
  const good: Order = { ...base, first: null, wanted: wantedOf(policy, parameters, healthy) };
  const built = figuresFor(good);
  if (built.kind === 'refused') return refused(policy, built.indicator, built.why);
  // Indicators that share series have what comes out, and that is what a baseline is taken of.
  for (const one of measured) healthy.set(one.id, readingOf(one, built.figures));
  const bad = faultyOrder(policy, parameters, healthy, good, fault);
  if ('why' in bad) return bad;
  const bounds = boundsOf(measured, [built, figuresFor(bad)]);
  const figures = [good, bad].map((order) => figuresFor({ ...order, bounds }));
  const [first, second] = figures;
  for (const one of figures) {
    if (one.kind === 'refused') return refused(policy, one.indicator, one.why);
  }
  if (first?.kind !== 'figures' || second?.kind !== 'figures') throw new Error('two were made');
  const wrong = disagreement(
    policy,
    parameters,
    healthy,
    measured,
    first.figures,
    second.figures,
    fault,
  );
  if (wrong !== null) return wrong;
  const toggled = new Set(failingIds);
  if (fault !== null && policy.indicators[fault.indicator]?.kind === 'http') {
    if (!toggled.delete(fault.indicator)) toggled.add(fault.indicator);
  }
  const down = { healthy: failingIds, faulty: toggled };
  return { kind: 'plan', healthy: first.figures, faulty: second.figures, failing: down };
}

const isMeasured = (one: Policy['indicators'][string]): one is MeasuredIndicator =>
  isSeries(one) && one.kind !== 'promql';

function refused(policy: Policy, indicator: string, why: string): Refusal {
  return { kind: 'refused', why: `${titleOf(policy, indicator)} (${indicator}): ${why}` };
}

function perSecondOf(
  indicators: readonly MeasuredIndicator[],
  healthy: ReadonlyMap<string, number>,
): number {
  const needed = indicators.flatMap((one) => {
    if (one.kind !== 'ratio' && one.kind !== 'quantile') return [];
    const share = one.kind === 'ratio' ? (healthy.get(one.id) ?? 0) : one.q;
    const rare = Math.min(share, 1 - share);
    const ofAKind = rare > 0 ? EVENTS_OF_A_KIND / rare : 0;
    return [Math.max(EVENTS_SPARE * one.minTotal, ofAKind) / (one.overMs / 1_000)];
  });
  return Math.min(EVENTS_PER_SECOND_MAX, Math.max(EVENTS_PER_SECOND_MIN, ...needed));
}

function wantedOf(
  policy: Policy,
  parameters: Parameters,
  healthy: ReadonlyMap<string, number>,
): ReadonlyMap<string, Wanted> {
  const conditions = allConditions(policy);
  const entries = [...healthy].map(([id, value]) => {
    const own = conditions.filter(({ indicator }) => indicator === id);
    const accepts = (given: number) => own.every((one) => isWanted(one, given, parameters, given));
    return [id, { value, accepts }] as const;
  });
  return new Map(entries);
}

function faultyOrder(
  policy: Policy,
  parameters: Parameters,
  healthy: ReadonlyMap<string, number>,
  good: Order,
  fault: Condition | null,
): Order | Refusal {
  const indicator = fault === null ? undefined : policy.indicators[fault.indicator];
  if (fault === null || indicator === undefined) return good;
  const base = healthy.get(fault.indicator) ?? 0;
  const value = faultyValue(indicator, fault, parameters, base);
  if (value === null) {
    const why = `no value makes it fire: ${conditionSentence(fault, policy)}`;
    return refused(policy, fault.indicator, why);
  }
  const accepts = (given: number) => !isWanted(fault, given, parameters, base);
  const wanted = new Map([...good.wanted, [fault.indicator, { value, accepts }]]);
  return { ...good, wanted, first: fault.indicator };
}

/** Bounds of buckets that both have: a process keeps those it was started with. */
function boundsOf(
  indicators: readonly MeasuredIndicator[],
  results: readonly FiguresResult[],
): ReadonlyMap<string, readonly number[]> {
  const bounds = new Map<string, readonly number[]>();
  for (const one of indicators) {
    if (one.kind !== 'quantile') continue;
    const found = results.flatMap((result) =>
      result.kind === 'figures'
        ? result.figures.histograms
            .filter(({ metric }) => metric === one.histogram.metric)
            .flatMap(({ buckets }) => buckets.map(({ bound }) => bound))
        : [],
    );
    bounds.set(histogramKey(one), found);
  }
  return bounds;
}

/** Indicators that share series may pull in two directions: then the service cannot be made. */
function disagreement(
  policy: Policy,
  parameters: Parameters,
  healthy: ReadonlyMap<string, number>,
  indicators: readonly MeasuredIndicator[],
  good: Figures,
  bad: Figures,
  fault: Condition | null,
): Refusal | null {
  for (const condition of allConditions(policy)) {
    const indicator = indicators.find(({ id }) => id === condition.indicator);
    if (indicator === undefined) continue;
    const value = readingOf(indicator, good);
    const base = healthy.get(indicator.id) ?? 0;
    if (isWanted(condition, value, parameters, base)) continue;
    const shown = Number.isNaN(value) ? 'nothing' : formatValue(value, indicator.unit);
    const why = `it shares series with others, and reads ${shown} when they are healthy: ${conditionSentence(condition, policy)}`;
    return refused(policy, indicator.id, why);
  }
  const broken = indicators.find(({ id }) => id === fault?.indicator);
  if (fault === null || broken === undefined) return null;
  const value = readingOf(broken, bad);
  if (!isWanted(fault, value, parameters, healthy.get(broken.id) ?? 0)) return null;
  return refused(policy, broken.id, 'it shares series with others, and cannot be made to fire');
}

/** What each stop and warn condition would do: null where it can be shown, else why not. */
export function failures(
  policy: Policy,
  parameters: Parameters,
  values: TemplateValues,
): readonly { readonly condition: Condition; readonly why: string | null }[] {
  return policy.conditions
    .filter(({ role }) => role === 'stop' || role === 'warn')
    .map((condition) => {
      const plan = planOf(policy, parameters, values, condition);
      return { condition, why: plan.kind === 'refused' ? plan.why : null };
    });
}
