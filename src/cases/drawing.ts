// A small drawing of an indicator over a case: its values, the limit, the windows, and the time
// that is meant. Text only, at most `LINES_MAX` lines of `COLUMNS_MAX` columns.
import { ALWAYS } from '../core/policy.ts';
import { formatDuration, formatValue, roughDuration } from '../core/quantity.ts';
import type { Tick } from '../core/sample.ts';
import type { ConditionView } from '../engine/control.ts';
import type { PlayedWatch } from './result.ts';

export const LINES_MAX = 12;
export const COLUMNS_MAX = 70;
const ROWS = 7;
const LABEL_MAX = 12;

type Signs = Readonly<
  Record<'dot' | 'limit' | 'axis' | 'corner' | 'line' | 'mark' | 'here' | 'blind', string>
>;

const UNICODE: Signs = {
  dot: '•',
  limit: '╌',
  axis: '┤',
  corner: '└',
  line: '─',
  mark: '┬',
  here: '▲',
  blind: '?',
};
const ASCII: Signs = {
  dot: '*',
  limit: '-',
  axis: '|',
  corner: '+',
  line: '-',
  mark: '+',
  here: '^',
  blind: '?',
};

export type DrawingOptions = {
  readonly indicator: string;
  /** Since the deploy. */
  readonly hereMs: number;
  readonly untilMs: number;
  readonly isAscii: boolean;
};

/** Empty when there is nothing to draw: no value was ever read. */
export function drawingOf(watch: PlayedWatch, options: DrawingOptions): readonly string[] {
  const { indicator, isAscii } = options;
  const signs = isAscii ? ASCII : UNICODE;
  // After a stop only what proves the rollback is read.
  const read = watch.ticks.filter(({ readings }) => readings[indicator] !== undefined);
  const points = read.map((tick) => pointOf(tick, watch.deployedAtMs, indicator));
  const values = points.flatMap(({ value }) => (value === null ? [] : [value]));
  const conditions = watch.view.conditions.filter((one) => one.indicator === indicator);
  if (values.length === 0 || conditions.length === 0) return [];
  const unit = conditions[0]?.unit ?? 'number';
  const limits = [...new Set(conditions.flatMap(({ limit }) => (limit === null ? [] : [limit])))];
  const scale = scaleOf([...values, ...limits]);
  const labels = new Map<number, string>();
  for (const value of [scale.low, scale.high, ...limits]) {
    labels.set(rowOf(value, scale), formatValue(value, unit).slice(0, LABEL_MAX));
  }
  const margin = Math.max(...[...labels.values()].map(({ length }) => length));
  const width = COLUMNS_MAX - margin - 3;
  const column = (ms: number) =>
    Math.min(width - 1, Math.max(0, Math.round((ms / Math.max(options.untilMs, 1)) * (width - 1))));
  const grid = Array.from({ length: ROWS }, () => new Array<string>(width).fill(' '));
  for (const limit of limits) grid[rowOf(limit, scale)]?.fill(signs.limit);
  for (const [index, { sinceMs, value }] of points.entries()) {
    const row = grid[value === null ? ROWS - 1 : rowOf(value, scale)];
    // A value holds until the next tick.
    const from = column(sinceMs);
    const next = points[index + 1]?.sinceMs;
    const to = next === undefined ? from + 1 : Math.max(from + 1, column(next));
    for (let at = from; row !== undefined && at < to; at += 1) {
      if (value !== null || row[at] !== signs.dot)
        row[at] = value === null ? signs.blind : signs.dot;
    }
  }
  const rows = grid.map(
    (row, index) => `${(labels.get(index) ?? '').padStart(margin)} ${signs.axis}${row.join('')}`,
  );
  return [
    titleLine(conditions),
    ...rows,
    ...axisLines(watch, options, { margin, width, column, signs }),
  ].map((line) => line.trimEnd().slice(0, COLUMNS_MAX));
}

function pointOf({ atMs, readings }: Tick, deployedAtMs: number, indicator: string) {
  const reading = readings[indicator];
  const value = reading?.kind === 'value' ? reading.value : null;
  return { sinceMs: atMs - deployedAtMs, value };
}

function titleLine(conditions: readonly ConditionView[]): string {
  const [first] = conditions;
  const rules = conditions.map(({ role, limitText }) => `${role} ${limitText}`);
  return `${first?.title ?? ''}: ${rules.join('; ')}`;
}

type Scale = { readonly low: number; readonly high: number };

function scaleOf(values: readonly number[]): Scale {
  const low = values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  return low === high ? { low: low - 1, high: high + 1 } : { low, high };
}

/** 0 is the top row. */
function rowOf(value: number, { low, high }: Scale): number {
  return Math.round(((high - value) / (high - low)) * (ROWS - 1));
}

type Frame = {
  readonly margin: number;
  readonly width: number;
  readonly column: (ms: number) => number;
  readonly signs: Signs;
};

/** The axis with a mark where a window begins, their names, and the time that is meant. */
function axisLines(
  { view, deployedAtMs }: PlayedWatch,
  { hereMs, untilMs }: DrawingOptions,
  { margin, width, column, signs }: Frame,
): readonly string[] {
  const axis = new Array<string>(width).fill(signs.line);
  let names = '';
  for (const { name, fromAt } of view.windows) {
    const fromMs = Date.parse(fromAt) - deployedAtMs;
    if (fromMs > untilMs || name === ALWAYS) continue;
    const at = column(fromMs);
    axis[at] = signs.mark;
    if (at > names.length || names === '') {
      names = `${names.padEnd(at)}${formatDuration(fromMs)} ${name} `;
    }
  }
  const end = roughDuration(untilMs);
  const room = width - end.length;
  const indent = ' '.repeat(margin + 2);
  const here = `${' '.repeat(column(hereMs))}${signs.here} ${roughDuration(hereMs)}`;
  return [
    `${' '.repeat(margin)} ${signs.corner}${axis.join('')}`,
    `${indent}${names.slice(0, room - 1).padEnd(room)}${end}`,
    `${indent}${here.length > width ? `${' '.repeat(column(hereMs))}${signs.here}` : here}`,
  ];
}
