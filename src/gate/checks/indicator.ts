// One figure of the policy language against a limit, read once through the source that watches
// use. There is no deploy yet: ranges reach back from now. What is blind is unknown.
import { resolve } from 'node:path';
import { ms } from '../../config/fields.ts';
import { FIGURE_KINDS, type IndicatorCheckInput } from '../../config/gate-checks/indicator.ts';
import { limitValue, met } from '../../core/limit.ts';
import { formatValue, roughDuration } from '../../core/quantity.ts';
import {
  isSeries,
  type ReadRequest,
  resolveIndicator,
  type SeriesIndicator,
} from '../../core/read.ts';
import type { Reading } from '../../core/sample.ts';
import type { TemplateValues } from '../../core/template.ts';
import type { Clock } from '../../kit/clock.ts';
import { createPrometheusSource, sourceOn } from '../../source/prometheus.ts';
import { createQuery, type PrometheusOptions } from '../../source/prometheus-api.ts';
import { promqlOf } from '../../source/promql.ts';
import { createScrapeSource, type ScrapeOptions, SHARE_MS } from '../../source/scrape.ts';
import type { CheckResult, CheckTools } from '../check.ts';
import { aheadText } from '../figure.ts';
import type { GateSource, MadeCheck, MakeTools } from '../kinds.ts';
import { exhibit, fail, pass, unknown } from '../result.ts';
import { limitWords, type Meaning, ofPolicy, writtenHere } from './indicator-meaning.ts';
import { sourceProblem } from './source.ts';
import {
  type CountedRange,
  expressionDoubt,
  isCountedRange,
  WitnessedQuery,
} from './whole-range.ts';

const WATCH = 'gate';
const BEYOND_READ_MS = 2_000;
/** Scrapes while a range is waited for: a counter that began anew between two of them is seen. */
const SCRAPE_STEPS = 10;
const SCRAPE_STEP_MS_MAX = 15_000;

export function indicatorCheck(input: IndicatorCheckInput, make: MakeTools): MadeCheck {
  const source = make.sources.find(input.source);
  if (source === null) sourceProblem(input.source, 'prometheus or scrape', make);
  const here = input.policy === undefined ? writtenHere(input, make) : null;
  if (source?.kind === 'scrape' && here?.indicator.kind === 'promql') {
    make.report(['promql'], 'PromQL on a scrape source', 'a source of kind prometheus');
  }
  const waitMs = source?.kind === 'scrape' && here !== null ? rangeMs(here.indicator) : 0;
  return {
    kind: 'indicator',
    wants: wantsText(input, here),
    timeoutMs: ms(input.timeout) + waitMs + BEYOND_READ_MS,
    run: async (tools) => {
      if (source === null) return unknown(`there is no source ${input.source}`);
      const meant =
        here === null
          ? ofPolicy(input, resolve(tools.folder, input.policy ?? ''))
          : ({ kind: 'meant', meaning: here } as const);
      if (meant.kind === 'unusable') return unknown(meant.text);
      const { meaning } = meant;
      const indicator = resolved(meaning, make.values);
      const reading = await read(indicator, source, ms(input.stale_after), tools);
      return judged(meaning, indicator, reading, make.values, input);
    },
  };
}

function resolved({ indicator, policy }: Meaning, values: TemplateValues): SeriesIndicator {
  const filled = resolveIndicator(indicator, policy, values);
  if (!isSeries(filled)) throw new Error('a series became something else');
  return filled;
}

function rangeMs(indicator: SeriesIndicator): number {
  return indicator.kind === 'gauge' ? 0 : (indicator.overMs ?? 0);
}

async function read(
  indicator: SeriesIndicator,
  source: GateSource,
  staleAfterMs: number,
  tools: CheckTools,
): Promise<Reading> {
  const { clock, signal } = tools;
  const request = { watchId: WATCH, indicators: [indicator], staleAfterMs, previous: {}, signal };
  if (source.kind === 'scrape') return readScraped(indicator, source.options, request, tools);
  const now = { atMs: clock.now(), deployedAtMs: null };
  if (isCountedRange(indicator)) return readCounted(indicator, source.options, request, now);
  const readings = await createPrometheusSource(source.options).read({ ...request, ...now });
  const reading = readings[indicator.id] ?? notRead();
  if (reading.kind === 'blind' || indicator.kind !== 'promql') return reading;
  const query = createQuery(source.options);
  return (await expressionDoubt(query, indicator, now.atMs, signal)) ?? reading;
}

async function readCounted(
  indicator: CountedRange,
  options: PrometheusOptions,
  request: Omit<ReadRequest, 'atMs' | 'deployedAtMs'>,
  now: { readonly atMs: number; readonly deployedAtMs: null },
): Promise<Reading> {
  const witnessed = new WitnessedQuery(createQuery(options), indicator);
  const readings = await sourceOn(witnessed.ask).read({ ...request, ...now });
  const reading = readings[indicator.id] ?? notRead();
  return reading.kind === 'blind' ? reading : (witnessed.doubt(now.atMs) ?? reading);
}

/** A service knows only its present: what counts over a range is looked at until it has passed. */
async function readScraped(
  indicator: SeriesIndicator,
  options: ScrapeOptions,
  request: Omit<ReadRequest, 'atMs' | 'deployedAtMs'>,
  { clock, signal, timeoutMs }: CheckTools,
): Promise<Reading> {
  const source = createScrapeSource(options);
  const overMs = rangeMs(indicator);
  if (overMs + options.timeoutMs > timeoutMs) {
    const detail = `a range of ${roughDuration(overMs)} is waited for: give the check more timeout`;
    return { kind: 'blind', reason: 'too_early', detail };
  }
  const startedMs = clock.now();
  // Far enough before the range for nothing to be shortened.
  const deployedAtMs = startedMs - 2 * overMs - 1;
  const readNow = async () => {
    const readings = await source.read({ ...request, atMs: clock.now(), deployedAtMs });
    return readings[indicator.id] ?? notRead();
  };
  let reading = await readNow();
  if (overMs === 0) return reading;
  const stepMs = Math.max(
    2 * SHARE_MS,
    Math.min(SCRAPE_STEP_MS_MAX, Math.ceil(overMs / SCRAPE_STEPS)),
  );
  while (clock.now() <= startedMs + overMs) {
    if (!(await slept(clock, stepMs, signal))) return reading;
    reading = await readNow();
  }
  return reading;
}

function slept(clock: Clock, forMs: number, signal: AbortSignal): Promise<boolean> {
  return clock.sleep(forMs, signal).then(
    () => true,
    () => false,
  );
}

function notRead(): Reading {
  return { kind: 'blind', reason: 'unreachable', detail: 'the source gave no reading' };
}

function judged(
  { limit }: Meaning,
  indicator: SeriesIndicator,
  reading: Reading,
  values: TemplateValues,
  input: IndicatorCheckInput,
): CheckResult {
  const { title, unit } = indicator;
  const evidence = { indicator, query: promqlOf(indicator), reading };
  const parts = { exhibits: [exhibit('indicator.json', JSON.stringify(evidence, null, 2))] };
  if (reading.kind === 'blind') {
    return unknown(`${title}: ${reading.reason}: ${reading.detail}`, parts);
  }
  const absolute = limitValue(limit, numbersOf(values), undefined);
  if (absolute === null) {
    const text = `the parameter ${limit.of} is no number; give it with --param ${limit.of}=…`;
    return unknown(text, parts);
  }
  const { value, counts } = reading;
  const ahead = aheadText(limit.comparator, unit, value);
  if (ahead !== null) return unknown(`${title}: ${ahead}`, parts);
  const of = counts === undefined ? '' : ` (of ${counts.total})`;
  const text = `${title} ${formatValue(value, unit)}${of}, ${limitWords(input)} wanted`;
  return (met(limit, value, absolute, undefined) ? pass : fail)(text, parts);
}

function numbersOf(values: TemplateValues): Record<string, number> {
  const pairs = Object.entries(values).map(([name, text]) => [name, Number(text)] as const);
  const isNumber = ([name, number]: readonly [string, number]) =>
    Number.isFinite(number) && values[name]?.trim() !== '';
  return Object.fromEntries(pairs.filter(isNumber));
}

function wantsText(input: IndicatorCheckInput, here: Meaning | null): string {
  const kind = FIGURE_KINDS.find((one) => input[one] !== undefined);
  const name = here?.indicator.title ?? input.name ?? kind ?? 'indicator';
  const query = here === null ? (input.policy ?? '') : promqlOf(here.indicator);
  // Without a title it is the check's own id, which says nothing.
  const shown = input.title === undefined && input.policy === undefined ? query : name;
  const more = shown === query || query === '' ? '' : ` (${query})`;
  return `${input.source}: ${shown}${more} ${limitWords(input)}`;
}
