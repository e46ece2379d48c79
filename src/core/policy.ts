// A policy after validation: what to measure after a deploy, what to conclude, what to do.
// Plain data with every default filled in, so that a watch can keep the very policy it was
// started with, whatever happens to the file afterwards.
import type { Requires } from './gate-needed.ts';
import type { Unit } from './quantity.ts';
import type { SignOffDemand } from './sign-off.ts';

/** `metric{label="value"}`: which series of the service are meant. */
export type Selector = {
  readonly metric: string;
  readonly matchers: readonly Matcher[];
};

export type Matcher = {
  readonly label: string;
  readonly op: '=' | '!=' | '=~' | '!~';
  /** May contain `${version}` and the other placeholders of `template.ts`. */
  readonly value: string;
};

/** How several series become one number. `one`: exactly one series is meant. */
export type Aggregate = 'sum' | 'min' | 'max' | 'avg' | 'one';

type IndicatorCommon = {
  readonly id: string;
  /** For people: "Order fill rate". */
  readonly title: string;
  readonly unit: Unit;
};

/** Share of good (or bad) events: two counters, judged as raw increments. */
export type RatioIndicator = IndicatorCommon & {
  readonly kind: 'ratio';
  /** Whether `numerator` counts the good or the bad events; the value is its share of `total`. */
  readonly part: 'good' | 'bad';
  readonly numerator: Selector;
  readonly total: Selector;
  readonly overMs: number;
  /** Fewer events than this in the range: `too_few`. */
  readonly minTotal: number;
  readonly early: Early;
};

/** A quantile of a classic histogram (`<metric>_bucket`), interpolated as Prometheus does. */
export type QuantileIndicator = IndicatorCommon & {
  readonly kind: 'quantile';
  readonly q: number;
  /** Base name without `_bucket`. */
  readonly histogram: Selector;
  readonly overMs: number;
  readonly minTotal: number;
  readonly early: Early;
};

/** Increments of a counter per second. */
export type RateIndicator = IndicatorCommon & {
  readonly kind: 'rate';
  readonly counter: Selector;
  readonly aggregate: Aggregate;
  readonly overMs: number;
  readonly early: Early;
};

/** Increments of a counter; `overMs: null` counts since the deploy. */
export type IncreaseIndicator = IndicatorCommon & {
  readonly kind: 'increase';
  readonly counter: Selector;
  readonly overMs: number | null;
  readonly early: Early;
};

/** The present value of a gauge; `negate` turns a profit into a loss. */
export type GaugeIndicator = IndicatorCommon & {
  readonly kind: 'gauge';
  readonly metric: Selector;
  readonly aggregate: Aggregate;
  readonly negate: boolean;
};

/** Any PromQL that gives one number. Only a Prometheus source can read it. */
export type PromqlIndicator = IndicatorCommon & {
  readonly kind: 'promql';
  /** May contain `${range}` (time since the deploy, at most `overMs`) and template placeholders. */
  readonly promql: string;
  readonly overMs: number | null;
  /** The longest fixed range in the text: the indicator waits this long after the deploy. */
  readonly waitMs: number;
};

/** A health endpoint: value 1 when it answers as wanted, 0 when it does not. Never blind. */
export type HttpIndicator = IndicatorCommon & {
  readonly kind: 'http';
  readonly url: string;
  readonly timeoutMs: number;
  /** Accepted status codes; empty: any 2xx. */
  readonly status: readonly number[];
  /** A field of the JSON body that must have this value. */
  readonly json: { readonly pointer: string; readonly equals: string } | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Where a prober recorded the same check, 1 or 0: for backtests; a live watch asks itself. */
  readonly recorded?: Selector;
};

/** Share of bad events in a log of JSON lines, by the events' own times. */
export type AuditLogIndicator = IndicatorCommon & {
  readonly kind: 'audit_log';
  /** A path, or a pattern: every match that is written is read. Relative to where canaryd runs. */
  readonly report: string;
  /** `untraced`: events without a trace; `invalid`: lines that are no event as it should be. */
  readonly bad: 'untraced' | 'invalid';
  /** `of`: only events of these types count; null: all. */
  readonly trace: {
    readonly id: string;
    readonly type: string;
    readonly of: readonly string[] | null;
  } | null;
  /** Where in an event its time is. */
  readonly time: string;
  /** Path of a JSON Schema; null: none. */
  readonly schema: string | null;
  /** Fields that must not be text. */
  readonly numbers: readonly string[];
  /** The newest event may be so old; null: as old as the range. */
  readonly maxAgeMs: number | null;
  readonly overMs: number;
  readonly minTotal: number;
  readonly early: Early;
};

export type Indicator =
  | RatioIndicator
  | QuantileIndicator
  | RateIndicator
  | IncreaseIndicator
  | GaugeIndicator
  | PromqlIndicator
  | HttpIndicator
  | AuditLogIndicator;

/** What an indicator does while its range still reaches back before the deploy. */
export type Early = 'shorten' | 'wait';

export type Comparator = 'above' | 'below' | 'at_least' | 'at_most' | 'within';

export type Limit =
  | {
      readonly kind: 'compare';
      readonly comparator: Comparator;
      /** In the indicator's base unit, or a fraction of what `of` names. */
      readonly value: number;
      /** A parameter's name, `baseline` (the value before the deploy), or null: absolute. */
      readonly of: string | null;
    }
  /** `failing`: so many checks in a row failed; `passing`: so many in a row succeeded. */
  | { readonly kind: 'failing' | 'passing'; readonly times: number };

export type Role = 'stop' | 'warn' | 'pass' | 'verify';

/** An indicator against a limit, in a window. */
export type Condition = {
  /** `<window>.<role>.<indicator>`: stable, used in the journal and in the API. */
  readonly id: string;
  readonly indicator: string;
  readonly window: string;
  readonly role: Role;
  readonly limit: Limit;
  /** How long the limit must be breached (or met) without a gap before the condition fires. */
  readonly forMs: number;
  /** `stop`: staying blind beyond `blindAfterMs` fires this condition, on purpose. */
  readonly onBlind: 'hold' | 'stop';
};

/** Name of the window that holds from the deploy to the end of the last window. */
export const ALWAYS = 'always';

export type Window = {
  readonly name: string;
  /** Since the deploy's own time. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** All pass conditions together must hold this long. */
  readonly passForMs: number;
};

export type ParameterSpec = {
  readonly type: 'number' | 'string';
  readonly above: number | null;
  readonly atLeast: number | null;
  readonly unit: Unit;
  readonly default: number | string | null;
};

export type ActionName = 'disarm' | 'rollback';

/** `$NAME` in a policy: the name of an environment variable or secret file, never the secret. */
export type SecretRef = { readonly secret: string };

export type WebhookVia = {
  readonly kind: 'webhook';
  readonly url: string;
  readonly secret: SecretRef | null;
  readonly headers: Readonly<Record<string, string | SecretRef>>;
};

/** A command of the operator's: argv without a shell. */
export type CommandVia = {
  readonly kind: 'command';
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | SecretRef>>;
};

export type Action = {
  readonly name: ActionName;
  readonly via: WebhookVia | CommandVia;
  /** One attempt's time limit. */
  readonly timeoutMs: number;
  /** Attempts in all; 1 means never repeated, not even after a crash with unknown outcome. */
  readonly attempts: number;
  /** No attempt starts later than this after the stop. */
  readonly deadlineMs: number;
};

export type Verify = {
  /** After the rollback was accepted. */
  readonly withinMs: number;
  readonly conditions: readonly Condition[];
};

export type Mode = 'act' | 'observe';

export type Policy = {
  readonly name: string;
  readonly service: string;
  /** null: any environment. */
  readonly environment: string | null;
  readonly source: string;
  readonly intervalMs: number;
  readonly mode: Mode;
  readonly parameters: Readonly<Record<string, ParameterSpec>>;
  /** Label matchers added to every structured indicator: `{ version: "${version}" }`. */
  readonly match: Readonly<Record<string, string>>;
  readonly indicators: Readonly<Record<string, Indicator>>;
  readonly windows: readonly Window[];
  readonly conditions: readonly Condition[];
  readonly actions: readonly Action[];
  readonly verify: Verify | null;
  /** Tell on-call when a condition has been blind this long. */
  readonly blindAfterMs: number;
  /** Say which stop conditions never had a sample, this long after the start. */
  readonly armWithinMs: number;
  /** A sample older than this is `stale`. */
  readonly staleAfterMs: number;
  /** Share of a window's ticks in which each stop condition must have been judged, for a pass. */
  readonly coverage: number;
  /** A pre-existing breach fires only when worse by this share of the limit or of its own value. */
  readonly worseBy: number;
  /** Absent: the watch starts without a gate. Older journals know neither of these two. */
  readonly requires?: Requires;
  /** Absent: nobody signs. */
  readonly signOffs?: SignOffDemand;
  readonly runbook: string | null;
  readonly dashboard: string | null;
};

/** The stop, warn and pass conditions that are judged at this time since the deploy. */
export function conditionsAt(policy: Policy, sinceDeployMs: number): readonly Condition[] {
  const names = new Set(
    policy.windows
      .filter((window) => sinceDeployMs >= window.fromMs && sinceDeployMs < window.untilMs)
      .map((window) => window.name),
  );
  return policy.conditions.filter((condition) => names.has(condition.window));
}

/** The window (other than `always`) that contains this time since the deploy. */
export function windowAt(policy: Policy, sinceDeployMs: number): Window | null {
  return (
    policy.windows.find(
      (window) =>
        window.name !== ALWAYS && sinceDeployMs >= window.fromMs && sinceDeployMs < window.untilMs,
    ) ?? null
  );
}

/** End of the last window, since the deploy. */
export function policyEndMs(policy: Policy): number {
  return Math.max(...policy.windows.map((window) => window.untilMs));
}
