// What the engine asks of a source, and how policies become what a source can read.
import type { AuditLogIndicator, Indicator, Policy, Selector } from './policy.ts';
import type { Counts, Reading } from './sample.ts';
import {
  escapeLabelValue,
  fill,
  fillPath,
  fillSegment,
  placeholdersOf,
  type TemplateValues,
} from './template.ts';

/** Indicators that are read from a metrics source (all but health endpoints and audit logs). */
export type SeriesIndicator = Exclude<Indicator, { kind: 'http' | 'audit_log' }>;

export function isSeries(indicator: Indicator): indicator is SeriesIndicator {
  return indicator.kind !== 'http' && indicator.kind !== 'audit_log';
}

export type ReadRequest<Of = SeriesIndicator> = {
  /** Sources may keep history per watch, until `forget`. */
  readonly watchId: string;
  /** Placeholders filled, policy-wide matchers added (`resolveIndicator`). */
  readonly indicators: readonly Of[];
  /** The one query time of the tick. */
  readonly atMs: number;
  /** Ranges never reach back before this; null: a reading of the time before the deploy. */
  readonly deployedAtMs: number | null;
  readonly staleAfterMs: number;
  /** Counts since the deploy as of the previous tick, per indicator. */
  readonly previous: Readonly<Record<string, { readonly atMs: number; readonly counts: Counts }>>;
  readonly signal: AbortSignal;
};

export type Readings = Readonly<Record<string, Reading>>;

/** Reads indicators. Never rejects: what cannot be read is blind, with a cause. */
export interface Source<Of = SeriesIndicator> {
  /** One reading for every indicator asked. */
  read(request: ReadRequest<Of>): Promise<Readings>;
  /** By its own limits a read has ended after so long. */
  readonly readWithinMs?: number;
  /** The watch has ended: drop what is kept for it. */
  forget(watchId: string): void;
  /** Called now and then while nothing is watched, so that the time before a deploy is known. */
  standBy?(signal: AbortSignal): Promise<void>;
}

/** Audit logs are files: they belong to the policy, whatever its source is. */
export type AuditLogs = Source<AuditLogIndicator>;

/**
 * Reads one health endpoint: value 1 or 0. Blind only when there is no URL to ask, or when canaryd
 * itself cut the check off.
 */
export type ReadHealth = (
  indicator: Extract<Indicator, { kind: 'http' }>,
  signal: AbortSignal,
) => Promise<Reading>;

/** A version such as `1.2+3` is meant literally, also inside a regular expression. */
function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

export function filledSelector({ metric, matchers }: Selector, values: TemplateValues): Selector {
  const filled = matchers.map((matcher) => ({
    ...matcher,
    value: fill(matcher.value, values, matcher.op.endsWith('~') ? escapeRegex : undefined),
  }));
  return { metric, matchers: filled };
}

function resolveSelector(selector: Selector, policy: Policy, values: TemplateValues): Selector {
  const own = filledSelector(selector, values).matchers;
  const shared = Object.entries(policy.match)
    .filter(([label]) => !own.some((matcher) => matcher.label === label))
    .map(([label, value]) => ({ label, op: '=' as const, value: fill(value, values) }));
  return { metric: selector.metric, matchers: [...own, ...shared] };
}

/** Empty, which cannot be requested, when a value would lead out of its path segment. */
export function filledUrl(template: string, values: TemplateValues): string {
  const [, start = '', path = '', query = ''] =
    /^([a-z]+:\/\/[^/?#]*)?([^?#]*)(.*)$/is.exec(template) ?? [];
  const segments = path.split('/').map((segment) => fillSegment(segment, values));
  if (segments.includes(null)) return '';
  return `${start}${segments.join('/')}${fill(query, values, encodeURIComponent)}`;
}

/** Fills the placeholders of one indicator and adds the policy's `match` labels. */
export function resolveIndicator(
  indicator: Indicator,
  policy: Policy,
  values: TemplateValues,
): Indicator {
  const resolve = (selector: Selector) => resolveSelector(selector, policy, values);
  switch (indicator.kind) {
    case 'ratio':
      return {
        ...indicator,
        numerator: resolve(indicator.numerator),
        total: resolve(indicator.total),
      };
    case 'quantile':
      return { ...indicator, histogram: resolve(indicator.histogram) };
    case 'rate':
    case 'increase':
      return { ...indicator, counter: resolve(indicator.counter) };
    case 'gauge':
      return { ...indicator, metric: resolve(indicator.metric) };
    case 'promql':
      // `${range}` is no deploy field: it stays for the source.
      return { ...indicator, promql: fill(indicator.promql, values, escapeLabelValue) };
    case 'http':
      return {
        ...indicator,
        url: filledUrl(indicator.url, values),
        json: indicator.json && {
          pointer: indicator.json.pointer,
          equals: fill(indicator.json.equals, values),
        },
        ...(indicator.recorded === undefined
          ? {}
          : { recorded: filledSelector(indicator.recorded, values) }),
      };
    case 'audit_log': {
      const { report, schema } = indicator;
      return {
        ...indicator,
        report: fillPath(report, values),
        schema: schema === null ? null : fillPath(schema, values),
      };
    }
    default:
      return indicator satisfies never;
  }
}

/**
 * Values for reading the version before the deploy: the time before it, and whether a rollback
 * helped. There `${version}` is the previous version.
 */
export function previousVersionValues(values: TemplateValues): TemplateValues {
  return { ...values, version: values['previous_version'] ?? '' };
}

/** Whether an indicator of the old version can only be read when its name is known. */
export function needsPreviousVersion(policy: Policy, indicatorId: string): boolean {
  const indicator = policy.indicators[indicatorId];
  if (indicator === undefined) return false;
  const isMatched = isSeries(indicator) && indicator.kind !== 'promql';
  const text = JSON.stringify([indicator, isMatched ? policy.match : {}]);
  const names = placeholdersOf(text);
  return names.includes('version') || names.includes('previous_version');
}
