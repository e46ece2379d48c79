// A figure against a written limit. A limit that cannot be applied makes a check unknown: a number
// in the wrong unit must not pass for its size.
import { FIGURE_COMPARATORS, type FigureInput } from '../config/gate-checks/limit.ts';
import { met } from '../core/limit.ts';
import { formatNumber, formatValue, parseQuantity } from '../core/quantity.ts';
import type { TemplateValues } from '../core/template.ts';
import { FUTURE_MAX_MS } from '../kit/written-time.ts';

export type Judged =
  /** `text`: "81 %, at least 80% wanted". */
  | { readonly kind: 'judged'; readonly holds: boolean; readonly text: string }
  | { readonly kind: 'unusable'; readonly text: string };

/** A share above this was meant in percent. */
const SHARE_MAX = 10;

/**
 * A time that must be short, and is below zero: an age of something that is dated ahead. It is no
 * small age. null: it is not that.
 */
export function aheadText(comparator: string, unit: string, value: number): string | null {
  const isAge = (comparator === 'below' || comparator === 'at_most') && unit === 'seconds';
  if (!isAge || !(value * 1_000 < -FUTURE_MAX_MS)) return null;
  return `the value is ${formatValue(value, 'seconds')}: it lies in the future; set the clocks`;
}

function comparison(input: FigureInput) {
  const comparator = FIGURE_COMPARATORS.find((word) => input[word] !== undefined);
  const written = comparator === undefined ? undefined : input[comparator];
  const quantity = written === undefined ? null : parseQuantity(written);
  if (comparator === undefined || written === undefined || quantity === null) {
    throw new Error('a limit without a comparison passed the schema');
  }
  return { comparator, written, quantity };
}

/** One limit for each comparison of a mapping that may have several. */
export function comparisonOf(
  written: Partial<Pick<FigureInput, Exclude<(typeof FIGURE_COMPARATORS)[number], 'equals'>>>,
): readonly FigureInput[] {
  return FIGURE_COMPARATORS.flatMap((word) =>
    word === 'equals' || written[word] === undefined ? [] : [{ [word]: written[word] }],
  );
}

/** `at least 80% of deploy_capital` */
export function figureWords(input: FigureInput): string {
  const { comparator, written } = comparison(input);
  const of = input.of === undefined ? '' : ` of ${input.of}`;
  return `${comparator.replace('_', ' ')} ${written}${of}`;
}

/** @param value in the base unit: a share as a fraction, times in seconds, sizes in bytes */
export function judgeFigure(input: FigureInput, value: number, values: TemplateValues): Judged {
  const { comparator, quantity } = comparison(input);
  const { unit } = quantity;
  if (!Number.isFinite(value)) return { kind: 'unusable', text: `the value is ${value}` };
  const whole = input.of === undefined ? 1 : parameterOf(input.of, values);
  if (whole === null) {
    const text = `the parameter ${input.of} is no number; give it with --param ${input.of}=…`;
    return { kind: 'unusable', text };
  }
  if (unit === 'ratio' && input.of === undefined && Math.abs(value) > SHARE_MAX) {
    const number = formatNumber(quantity.value * 100);
    const text = `the value ${formatNumber(value)} is no share; write the limit as ${number}`;
    return { kind: 'unusable', text };
  }
  const ahead = input.of === undefined ? aheadText(comparator, unit, value) : null;
  if (ahead !== null) return { kind: 'unusable', text: ahead };
  const limit = quantity.value * whole;
  const holds =
    comparator === 'equals'
      ? value === limit
      : met({ kind: 'compare', comparator, value: limit, of: null }, value, limit, undefined);
  const shown = input.of === undefined ? formatValue(value, unit) : formatNumber(value);
  return { kind: 'judged', holds, text: `${shown}, ${figureWords(input)} wanted` };
}

function parameterOf(name: string, values: TemplateValues): number | null {
  const text = Object.hasOwn(values, name) ? values[name] : undefined;
  const number = text === undefined || text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(number) ? number : null;
}
