// Units: what an indicator's number means, and whether a written limit fits it. A limit in the
// wrong unit would fire on the first sample, or never.
import { parseQuantity, type Unit } from '../core/quantity.ts';
import { INDICATOR_KINDS, type IndicatorInput, type IndicatorKind } from './indicator-schema.ts';
import { parseSelector } from './selector.ts';

const SUFFIXES: readonly (readonly [RegExp, Unit])[] = [
  [/_seconds$/, 'seconds'],
  [/_bytes$/, 'bytes'],
  [/_ratio$/, 'ratio'],
  [/_usd$/i, 'USD'],
];
/** A share of something above this, without a percent sign, is a slip of the pen. */
const PLAIN_SHARE_MAX = 10;

/** The one kind of an indicator; null when there is none (the schema has said so). */
export function kindOf(indicator: IndicatorInput): IndicatorKind | null {
  return INDICATOR_KINDS.find((kind) => indicator[kind] !== undefined) ?? null;
}

function unitOfName(metric: string): Unit {
  const base = metric.replace(/_(total|sum|count|bucket)$/, '');
  return SUFFIXES.find(([suffix]) => suffix.test(base))?.[1] ?? 'number';
}

function metricOf(text: string): string {
  const result = parseSelector(text);
  return result.kind === 'selector' ? result.selector.metric : '';
}

/** Functions whose result is in the unit of what they are given. */
const KEEPS_UNIT: ReadonlySet<string> = new Set(
  (
    'sum min max avg abs quantile by without offset bool or and unless vector scalar ' +
    'clamp clamp_min clamp_max round ceil floor sort sort_desc topk bottomk last_over_time ' +
    'min_over_time max_over_time avg_over_time sum_over_time quantile_over_time'
  ).split(' '),
);

/** The unit of a PromQL text with one metric and only functions that keep its unit. */
function unitOfPromql(promql: string): Unit {
  const bare = promql
    .replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '')
    .replace(/\{[^}]*\}|\[[^\]]*\]/g, '')
    .replace(/\b(by|without)\s*\([^)]*\)/g, '');
  if (/[/*^%]/.test(bare)) return 'number';
  const names = new Set(bare.match(/[a-zA-Z_:][a-zA-Z0-9_:]*/g) ?? []);
  const metrics = [...names].filter((name) => !KEEPS_UNIT.has(name));
  const [metric] = metrics;
  return metric !== undefined && metrics.length === 1 ? unitOfName(metric) : 'number';
}

/** Kinds whose figure is a part of a whole, whatever its unit is called. */
export function isShareKind(kind: IndicatorKind | undefined): boolean {
  return kind === 'ratio' || kind === 'audit_log';
}

export function unitOf(indicator: IndicatorInput): Unit {
  if (indicator.unit !== undefined) return indicator.unit;
  if (indicator.ratio !== undefined || indicator.audit_log !== undefined) return 'ratio';
  if (indicator.quantile !== undefined) return unitOfName(metricOf(indicator.quantile.histogram));
  if (indicator.increase !== undefined) return unitOfName(metricOf(indicator.increase.counter));
  if (indicator.gauge !== undefined) return unitOfName(metricOf(indicator.gauge.metric));
  if (indicator.promql !== undefined) return unitOfPromql(indicator.promql);
  return 'number';
}

/** How a limit in this unit is written, for an error. */
function examples(unit: Unit): string {
  switch (unit) {
    case 'ratio':
      return 'a share such as 80% or 0.8';
    case 'seconds':
      return 'a time such as 2s or 500ms';
    case 'bytes':
      return 'a size such as 1GB or 512MiB';
    case 'number':
      return 'a plain number';
    default:
      return `a plain number of ${unit}`;
  }
}

export type LimitValue =
  | { readonly kind: 'value'; readonly value: number }
  /** What is wanted and what to do, for an error. */
  | { readonly kind: 'wrong'; readonly wanted: string };

/** A written limit in the base unit of its indicator, or as a share of what `of` names. */
export function limitNumber(
  written: string | number,
  indicator: { readonly unit: Unit; readonly kind: IndicatorKind },
  of: string | null,
): LimitValue {
  const quantity = parseQuantity(written);
  if (quantity === null) return { kind: 'wrong', wanted: examples(indicator.unit) };
  if (of !== null) return shareOf(quantity.value, quantity.unit, of);
  const fits = quantity.unit === 'number' || quantity.unit === indicator.unit;
  if (!fits) {
    const advice =
      quantity.unit === 'ratio'
        ? 'say of what with "of", or set "unit: ratio" on the indicator'
        : 'change the limit, or set "unit" on the indicator';
    return { kind: 'wrong', wanted: `${examples(indicator.unit)}; ${advice}` };
  }
  const needsUnit = indicator.unit === 'seconds' || indicator.unit === 'bytes';
  if (needsUnit && quantity.unit === 'number' && quantity.value !== 0) {
    // 300 is as likely meant in milliseconds: a limit that never fires.
    return { kind: 'wrong', wanted: `${examples(indicator.unit)}; write the unit` };
  }
  if (indicator.unit === 'ratio') return ratioLimit(quantity.value, quantity.unit, indicator.kind);
  return { kind: 'value', value: quantity.value };
}

function shareOf(value: number, unit: string, of: string): LimitValue {
  if (unit !== 'ratio' && unit !== 'number') {
    const wanted = `a share of ${of} such as 120% or 1.2; remove "of" for an absolute limit`;
    return { kind: 'wrong', wanted };
  }
  if (unit === 'number' && Math.abs(value) > PLAIN_SHARE_MAX) {
    return { kind: 'wrong', wanted: `a share of ${of}; write ${value}%` };
  }
  return { kind: 'value', value };
}

function ratioLimit(value: number, unit: string, kind: IndicatorKind): LimitValue {
  if (unit === 'number' && value > 1) {
    return { kind: 'wrong', wanted: `a share such as 80% or 0.8; write ${value}%` };
  }
  // Other kinds may have no such bounds: CPU time per second is above 100% on two cores.
  if (isShareKind(kind) && (value < 0 || value > 1)) {
    return { kind: 'wrong', wanted: 'a share from 0% to 100%; a ratio is never outside of it' };
  }
  return { kind: 'value', value };
}
