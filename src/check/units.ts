// Limits that seem to be in another unit than their figure. The validator refuses what cannot be;
// here is what can be, but most likely is a slip.
import { BASELINE } from '../config/policy-draft.ts';
import type { Indicator } from '../core/policy.ts';
import { formatNumber, formatValue } from '../core/quantity.ts';
import { selectorsOf } from '../core/select.ts';
import { divisorsIn, isInPercent } from './expressions.ts';
import { type Finding, finding } from './finding.ts';
import { aboutCondition, isAlarm, type Judged, type Subject } from './subject.ts';
import { isTime, wordsOf } from './words.ts';

/** A latency of ten minutes is rather one in milliseconds. */
const LATENCY_SECONDS_MAX = 600;
/** A bare latency above this is rather meant in milliseconds. */
const BARE_SECONDS_MAX = 60;
/** A limit below this on milliseconds is rather meant in seconds. */
const MILLISECONDS_MIN = 10;
const MEMORY_BYTES_MIN = 1e6;
const MEMORY_BYTES_MAX = 1e13;
/** Good events so rare are rather a percentage written twice: 0.8%. */
const GOOD_SHARE_MIN = 0.1;
/** Bad events so frequent, written as a bare number, are rather percent: 0.5. */
const BARE_BAD_SHARE_MAX = 0.5;

const MILLIS = /_(ms|msec|millis|milliseconds|us|usec|micros|microseconds|ns|nanos|nanoseconds)$/;
const PERCENT = /_(percent|percentage|pct)$/;
const MEMORY = /memory|heap|resident|rss/;
const DISK = /disk|storage/;

export function unitFindings(subject: Subject, judged: Judged): Finding[] {
  const doubt = doubtOf(judged);
  if (doubt === null) return [];
  const [why, wanted] = doubt;
  return [finding('unit-doubt', aboutCondition(subject, judged), `${judged.text}, ${why}`, wanted)];
}

type Doubt = readonly [why: string, wanted: string] | null;

function doubtOf(judged: Judged): Doubt {
  const { limit } = judged.condition;
  if (limit.kind !== 'compare' || limit.of === BASELINE || limit.value === 0) return null;
  if (limit.of !== null) return shareDoubt(judged, limit.value, limit.of);
  const { indicator } = judged;
  const value = Math.abs(limit.value);
  if (indicator.kind === 'ratio') return ratioDoubt(judged, indicator.part, value);
  if (indicator.kind === 'audit_log') return ratioDoubt(judged, 'bad', value);
  const bases = basesOf(indicator);
  return (
    millisecondDoubt(indicator, bases, value) ??
    percentDoubt(indicator, bases, value) ??
    timeDoubt(indicator, bases, value) ??
    memoryDoubt(indicator, bases, value)
  );
}

/** Names of the metrics without the endings that say what kind they are. */
function basesOf(indicator: Indicator): readonly string[] {
  const names =
    indicator.kind === 'promql'
      ? (indicator.promql.replace(/"[^"]*"/g, '').match(/[a-zA-Z_:][\w:]*/g) ?? [])
      : selectorsOf(indicator).map(({ metric }) => metric);
  return names.map((name) => name.replace(/_(total|sum|count|bucket)$/, '').toLowerCase());
}

function shareDoubt({ isBare, condition }: Judged, value: number, of: string): Doubt {
  if (!isBare || !isAlarm(condition.role) || value < 0.1 || value >= 1) return null;
  const percent = formatNumber(value * 100);
  return [
    `which is ${percent} % of ${of}`,
    `a percent sign; write ${percent}%, or ${value}% if that was meant`,
  ];
}

function ratioDoubt({ isBare, condition }: Judged, part: 'good' | 'bad', value: number): Doubt {
  if (!isAlarm(condition.role)) return null;
  if (part === 'good' && value < GOOD_SHARE_MIN) {
    return [
      'a share at which nearly everything has failed',
      `the share of good events; if ${formatNumber(value * 100, 4)} % is meant, waive this`,
    ];
  }
  if (part === 'bad' && isBare && value >= BARE_BAD_SHARE_MAX) {
    return [
      `which is ${formatNumber(value * 100)} %`,
      `a percent sign; write ${formatNumber(value * 100)}%, or ${value}% if that was meant`,
    ];
  }
  return null;
}

function millisecondDoubt(indicator: Indicator, bases: readonly string[], value: number): Doubt {
  const metric = bases.find((base) => MILLIS.test(base));
  if (metric === undefined) return null;
  if (indicator.unit === 'seconds') {
    return [
      `where ${metric} is not in seconds`,
      'the unit of the metric; set "unit: ms" and write a plain number',
    ];
  }
  if (value >= MILLISECONDS_MIN) return null;
  return [
    `where ${metric} counts fractions of a second`,
    'the limit in the unit of the metric; 2 seconds are 2000 milliseconds',
  ];
}

function percentDoubt(indicator: Indicator, bases: readonly string[], value: number): Doubt {
  const isHundredfold = indicator.kind === 'promql' && isInPercent(indicator.promql);
  const metric = isHundredfold ? indicator.id : bases.find((base) => PERCENT.test(base));
  if (metric === undefined) return null;
  if (indicator.unit === 'ratio') {
    const written = formatValue(value, 'ratio');
    return [
      `where ${metric} is from 0 to 100, and ${written} is ${formatNumber(value, 4)}`,
      'a plain number; remove "unit: ratio" and write 80 for 80 %',
    ];
  }
  if (value > 1) return null;
  return [`where ${metric} is from 0 to 100`, 'percent points; write 80 for 80 %'];
}

function timeDoubt(indicator: Indicator, bases: readonly string[], value: number): Doubt {
  const isQuantile = indicator.kind === 'quantile';
  if (indicator.unit === 'seconds' && isQuantile && value >= LATENCY_SECONDS_MAX) {
    return [`which is ${formatValue(value, 'seconds')}`, 'a latency; write ms for milliseconds'];
  }
  if (!countsTime(indicator)) return null;
  const words = [...wordsOf(indicator.id), ...bases.flatMap(wordsOf)];
  if (indicator.unit !== 'number' || !isTime(words) || value < BARE_SECONDS_MAX) return null;
  return [
    'a time without a unit; times are in seconds by convention',
    'set "unit: seconds" and write 2s or 500ms; or "unit: ms" if the metric is in milliseconds',
  ];
}

/** Seconds per second are a number of workers, and `x_seconds_count` counts events. */
export function countsTime(indicator: Indicator): boolean {
  switch (indicator.kind) {
    case 'rate':
      return false;
    case 'increase':
    case 'gauge':
      return selectorsOf(indicator).every(({ metric }) => !/_(count|bucket)$/.test(metric));
    case 'promql': {
      const { promql } = indicator;
      const isMean = divisorsIn(promql).length > 0;
      return (
        isMean ||
        /\bhistogram_quantile\b/.test(promql) ||
        !/_(sum|total|count|bucket)\b/.test(promql)
      );
    }
    default:
      return true;
  }
}

function memoryDoubt({ unit }: Indicator, bases: readonly string[], value: number): Doubt {
  const isMemory = bases.some((base) => MEMORY.test(base));
  if (unit !== 'bytes' || !(isMemory || bases.some((base) => DISK.test(base)))) return null;
  if (value >= MEMORY_BYTES_MIN && (value <= MEMORY_BYTES_MAX || !isMemory)) return null;
  return [`which is ${formatValue(value, 'bytes')}`, 'a size such as 1GB or 512MiB'];
}
