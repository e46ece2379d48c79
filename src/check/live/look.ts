// A policy held against its source, now: every indicator is read as a watch would read it, as if
// a deploy had been made long enough ago that all ranges are full and nothing had changed.

import type { AuditLogIndicator, Condition, HttpIndicator, Indicator } from '../../core/policy.ts';
import {
  type AuditLogs,
  isSeries,
  type ReadHealth,
  type Readings,
  type ReadRequest,
  resolveIndicator,
  type SeriesIndicator,
} from '../../core/read.ts';
import type { Reading } from '../../core/sample.ts';
import { placeholdersOf, type TemplateValues } from '../../core/template.ts';
import type { Clock } from '../../kit/clock.ts';
import { type About, type Finding, finding } from '../finding.ts';
import { rangeOf } from '../indicators.ts';
import { aboutCondition, aboutIndicator, type Judged, type Subject, waitOf } from '../subject.ts';
import { counterFindings } from './kind-findings.ts';
import type { Seen } from './seen.ts';
import { seriesFindings, spanOf } from './series-findings.ts';
import type { Cost, Look, Sight } from './sight.ts';
import { blindFindings, type Verdict, valueFindings, verdictOf } from './value-findings.ts';

/** The assumed deploy was at least so long ago. */
const DEPLOYED_AGO_MS = 15 * 60_000;
/** Indicators that are looked at at the same time. */
const LOOKS_AT_ONCE = 3;
const SLOW_MS = 2_000;
const SAMPLES_MAX = 1_000_000;
const SERIES_MAX = 2_000;
/** Warnings of the source that are shown. */
const WARNINGS_MAX = 3;

export type LiveCondition = {
  readonly id: string;
  readonly role: Condition['role'];
  readonly reading: Reading | null;
  readonly verdict: Verdict;
  readonly unit: string;
  readonly series: number | null;
  readonly cost: Cost | null;
};

export type LiveReport = {
  readonly source: string;
  readonly atMs: number;
  /** Why the source could not be asked; then nothing else is known. */
  readonly dead: string | null;
  readonly conditions: readonly LiveCondition[];
  /** All indicators at once, as each tick asks. */
  readonly tick: Cost | null;
  readonly findings: readonly Finding[];
  /** Indicators of which the source says whether they read counters or gauges. */
  readonly settled: readonly string[];
};

export type LiveOptions = {
  readonly sight: Sight;
  readonly readHealth: ReadHealth;
  readonly auditLogs?: AuditLogs;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Checked against the policy, defaults filled in. */
  readonly parameters: Readonly<Record<string, number | string>>;
  readonly version: string | null;
};

export async function lookAt(subject: Subject, options: LiveOptions): Promise<LiveReport> {
  const { policy } = subject;
  const { sight, clock, signal } = options;
  const atMs = clock.now();
  const nothing = { ...NOTHING, source: policy.source, atMs };
  const values = valuesOf(subject, options);
  const [known, needing] = resolved(subject, values);
  const series = known.filter(isSeries);
  const dead = series.length === 0 ? null : await sight.deadBecause(atMs, signal);
  if (dead !== null) return { ...nothing, dead, findings: [unreachable(subject, dead)] };
  const hasAny = series.length === 0 || (await sight.hasAny(spanOf(atMs, signal)));
  if (hasAny === false) {
    const about = aboutSource(subject);
    const found = `no metric at all in the source ${policy.source}`;
    const wanted = 'those of the service; check its url or tenant, and that it scrapes';
    return { ...nothing, findings: [finding('source-empty', about, found, wanted)] };
  }
  const request: ReadRequest = {
    ...{ watchId: 'check', indicators: series, atMs, signal, previous: {} },
    deployedAtMs: atMs - agoMs(known),
    staleAfterMs: policy.staleAfterMs,
  };
  const tick = series.length === 0 ? null : await sight.read(request);
  const health = await healthOf(known, options);
  const logged = await logsOf(known, request, options);
  const readings: Readings = { ...tick?.readings, ...health, ...logged };
  const looks = await looksOf(series, sight, request);
  const refused = refusalOf([...looks.values()], Object.values(tick?.readings ?? {}));
  if (refused !== null) {
    return { ...nothing, dead: refused, findings: [unreachable(subject, refused)] };
  }
  const findings: Finding[] = [...needing, ...warningsOf(subject, looks)];
  const settled: string[] = [];
  for (const indicator of known) {
    const own = await indicatorFindings(subject, indicator, { readings, looks, sight, request });
    findings.push(...own.findings);
    if (own.isSettled) settled.push(indicator.id);
  }
  const conditions: LiveCondition[] = [];
  for (const judged of subject.judged) {
    const reading = readings[judged.condition.indicator] ?? null;
    const verdict = conditionVerdict(judged, reading, options);
    if (reading !== null) findings.push(...valueFindings(subject, judged, reading, verdict));
    findings.push(...neededLimit(subject, judged, options));
    const look = looks.get(judged.condition.indicator);
    conditions.push(conditionOf(judged, { reading, verdict, look }));
  }
  findings.push(...noneSeen(subject, conditions));
  const cost = tick?.cost ?? null;
  return { ...nothing, conditions, tick: cost, findings: eachOnce(findings), settled };
}

const NOTHING = { dead: null, conditions: [], tick: null, settled: [] };

function aboutSource({ policy }: Subject): About {
  return { policy: policy.name, path: ['source'], subject: policy.source };
}

function unreachable(subject: Subject, why: string): Finding {
  const found = `no use of the source ${subject.policy.source}: ${why}`;
  const wanted = 'an answer; check its url, credentials, limits and network';
  return finding('source-unreachable', aboutSource(subject), found, wanted);
}

/** Why no query at all was answered, unless it is the fault of the queries; else null. */
function refusalOf(looks: readonly Look[], readings: readonly Reading[]): string | null {
  const failures = looks.flatMap(({ failure }) => failure ?? []);
  const areAll = failures.length === looks.length && readings.every(({ kind }) => kind === 'blind');
  return areAll ? (failures.find(({ isOfQuery }) => !isOfQuery)?.detail ?? null) : null;
}

/** A source may say the same of every answer. */
function warningsOf(subject: Subject, looks: ReadonlyMap<string, Look>): Finding[] {
  const all = new Set([...looks.values()].flatMap(({ warnings }) => warnings));
  return [...all].slice(0, WARNINGS_MAX).map((text) => {
    const wanted = 'a whole answer; check again when the source is whole';
    return finding('source-warns', aboutSource(subject), `a warning: ${text}`, wanted);
  });
}

function noneSeen(subject: Subject, conditions: readonly LiveCondition[]): Finding[] {
  if (conditions.some(({ reading }) => reading !== null)) return [];
  const found = `${conditions.length} conditions, of which none was looked at`;
  const wanted = 'values for their placeholders, as said below each indicator';
  return [finding('value-needed', aboutSource(subject), found, wanted, 'error')];
}

/** A ratio may say the same of its part and of its total. */
function eachOnce(findings: readonly Finding[]): readonly Finding[] {
  return [...new Map(findings.map((one) => [JSON.stringify(one), one])).values()];
}

function conditionVerdict({ condition }: Judged, reading: Reading | null, options: LiveOptions) {
  if (reading === null) return { limit: null, isMet: null };
  return verdictOf(condition, reading, options.parameters);
}

function conditionOf(
  { condition, indicator }: Judged,
  seen: { reading: Reading | null; verdict: Verdict; look: Look | undefined },
): LiveCondition {
  return {
    id: condition.id,
    role: condition.role,
    reading: seen.reading,
    verdict: seen.verdict,
    unit: indicator.unit,
    series: seen.look?.count ?? null,
    cost: seen.look?.cost ?? null,
  };
}

function valuesOf({ policy }: Subject, { parameters, version }: LiveOptions): TemplateValues {
  const texts = Object.entries(parameters).map(([name, value]) => [name, `${value}`]);
  return {
    ...Object.fromEntries(texts),
    service: policy.service,
    environment: policy.environment ?? 'production',
    watch: 'w_0000000000000000',
    // What runs now is what a deploy would replace, and what a rollback would bring back.
    ...(version === null ? {} : { version, previous_version: version }),
  };
}

/** Indicators with their placeholders filled, and notes about those that miss a value. */
function resolved(
  subject: Subject,
  values: TemplateValues,
): readonly [readonly Indicator[], readonly Finding[]] {
  const { policy } = subject;
  const known: Indicator[] = [];
  const needing: Finding[] = [];
  for (const indicator of Object.values(policy.indicators)) {
    const isMatched = isSeries(indicator) && indicator.kind !== 'promql';
    const text = JSON.stringify([indicator, isMatched ? policy.match : {}]);
    const lacking = [...new Set(placeholdersOf(text))].filter(
      (name) => name !== 'range' && values[name] === undefined,
    );
    if (lacking.length === 0) {
      known.push(resolveIndicator(indicator, policy, values));
      continue;
    }
    const names = lacking.map((name) =>
      /version$/.test(name) ? '--version' : `--param ${name}=…`,
    );
    const found = `no value for ${lacking.map((name) => `\${${name}}`).join(' and ')}`;
    const wanted = `one to look at ${indicator.id}; give ${[...new Set(names)].join(' ')}`;
    needing.push(finding('value-needed', aboutIndicator(subject, indicator.id), found, wanted));
  }
  return [known, needing];
}

function neededLimit(subject: Subject, judged: Judged, { parameters }: LiveOptions): Finding[] {
  const { limit } = judged.condition;
  if (limit.kind !== 'compare' || limit.of === null || limit.of === 'baseline') return [];
  if (parameters[limit.of] !== undefined) return [];
  const wanted = `one, to know the limit; give --param ${limit.of}=…`;
  const about = aboutCondition(subject, judged);
  const found = `no value for the parameter ${limit.of}`;
  return [finding('value-needed', about, found, wanted, 'note')];
}

function agoMs(indicators: readonly Indicator[]): number {
  const ranges = indicators.map((one) => Math.max(rangeOf(one) ?? 0, waitOf(one)));
  return Math.max(DEPLOYED_AGO_MS, ...ranges) + 1_000;
}

async function healthOf(indicators: readonly Indicator[], options: LiveOptions): Promise<Readings> {
  const http = indicators.filter((one): one is HttpIndicator => one.kind === 'http');
  const read = async (one: HttpIndicator) =>
    [one.id, await options.readHealth(one, options.signal)] as const;
  return Object.fromEntries(await Promise.all(http.map(read)));
}

async function logsOf(
  indicators: readonly Indicator[],
  request: ReadRequest,
  { auditLogs }: LiveOptions,
): Promise<Readings> {
  const logs = indicators.filter((one): one is AuditLogIndicator => one.kind === 'audit_log');
  if (logs.length === 0 || auditLogs === undefined) return {};
  const readings = await auditLogs.read({ ...request, indicators: logs });
  auditLogs.forget(request.watchId);
  return readings;
}

async function looksOf(
  indicators: readonly SeriesIndicator[],
  sight: Sight,
  request: ReadRequest,
): Promise<ReadonlyMap<string, Look>> {
  const looks = new Map<string, Look>();
  const waiting = [...indicators];
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      looks.set(next.id, await sight.look(next, request));
    }
  };
  await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, lane));
  return looks;
}

type Known = {
  readonly readings: Readings;
  readonly looks: ReadonlyMap<string, Look>;
  readonly sight: Sight;
  readonly request: ReadRequest;
};

async function indicatorFindings(
  subject: Subject,
  indicator: Indicator,
  { readings, looks, sight, request }: Known,
): Promise<{ readonly findings: readonly Finding[]; readonly isSettled: boolean }> {
  const reading = readings[indicator.id];
  const users = subject.judged.filter(({ condition }) => condition.indicator === indicator.id);
  // Where it hurts most is where it is told, once.
  const user = users.find(({ condition }) => condition.role === 'stop') ?? users[0];
  const look = looks.get(indicator.id);
  const seen: Seen | null =
    !isSeries(indicator) || look === undefined || isRefused(look, reading)
      ? null
      : { subject, sight, indicator, look, reading, request };
  const ofSeries = seen === null ? [] : await seriesFindings(seen);
  const ofKind = seen === null ? UNSETTLED : await counterFindings(seen);
  const isExplained = ofSeries.some(({ name }) => EXPLAINS.has(name));
  const blind =
    reading === undefined || user === undefined
      ? []
      : blindFindings(subject, user, reading, { isExplained, isBrief: sight.kind === 'scrape' });
  const cost = look === undefined ? [] : costFindings(subject, indicator, look);
  const findings = [...ofSeries, ...ofKind.findings, ...blind, ...cost];
  return { findings, isSettled: ofKind.isSettled };
}

const UNSETTLED = { findings: [], isSettled: false };

/** Then nothing is known of the series, and the reading says why. */
function isRefused({ failure }: Look, reading: Reading | undefined): boolean {
  const isBlind = reading?.kind === 'blind';
  const isOfSource = isBlind && (reading.reason === 'unreachable' || reading.reason === 'rejected');
  return failure !== null || isOfSource;
}

/** Findings about series that say why nothing is seen. */
const EXPLAINS: ReadonlySet<string> = new Set(['unknown-metric', 'no-matching-series']);

function costFindings(subject: Subject, { id }: Indicator, look: Look): Finding[] {
  const about = aboutIndicator(subject, id);
  if (look.failure !== null && !look.failure.isOfQuery) {
    const wanted = 'an answer; its series were not looked at, check again';
    return [finding('source-warns', about, `no answer: ${look.failure.detail}`, wanted)];
  }
  if (look.failure !== null || look.cost === null) return [];
  const { ms, samples } = look.cost;
  const findings: Finding[] = [];
  const mostMs = Math.min(SLOW_MS, subject.policy.intervalMs / 2);
  if (ms > mostMs) {
    const wanted = `at most ${mostMs} ms; narrow the labels or shorten the range`;
    findings.push(finding('slow-query', about, `an answer after ${ms} ms`, wanted));
  }
  if ((samples ?? 0) > SAMPLES_MAX || look.count > SERIES_MAX) {
    const found = `${look.count} series and ${samples ?? 'unknown'} samples read`;
    const wanted = `at most ${SERIES_MAX} and ${SAMPLES_MAX}; narrow the labels or shorten the range`;
    findings.push(finding('expensive-query', about, found, wanted));
  }
  return findings;
}
