// The author's policy made fit for a rehearsal: ranges, waits and windows that fit minutes, and every
// address and command replaced by one on this machine. What is judged, and by which limits, stays.
import type { LimitInput, PolicyInput } from '../config/policy-schema.ts';
import { ALWAYS, type Condition, type Policy } from '../core/policy.ts';
import { formatDuration, parseDuration } from '../core/quantity.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
export const REHEARSED = {
  intervalMs: SECOND,
  overMs: 10 * SECOND,
  forMs: 5 * SECOND,
  /** A window that only has to be gone through. */
  windowMs: 15 * SECOND,
  /** The window in which something happens. */
  longWindowMs: 5 * MINUTE,
  verifyWithinMs: MINUTE,
} as const;
/** Shorter ranges hold too few samples, one a second. */
const OVER_MIN_MS = 5 * SECOND;
const WINDOW_MIN_MS = 5 * SECOND;
/** A pass must not come before the fault. */
const LATE_PASS_MS = 4 * MINUTE;
const BEFORE_MIN_MS = 6 * SECOND;
const BEFORE_MAX_MS = 5 * MINUTE;
/** After this the deploy goes bad: ranges are full, and all has been seen healthy. */
const GOOD_FOR_MS = 12 * SECOND;

export type Addresses = {
  healthUrl(indicator: string): string;
  readonly disarmUrl: string;
  readonly rollbackUrl: string;
};

export type Pace = {
  /** Ends of the windows; null: as `speed`, or as it fits. */
  readonly untilsMs: readonly number[] | null;
  /** All times of the policy by this; null: as it fits. */
  readonly speed: number | null;
};

export type Rehearsal = {
  readonly input: PolicyInput;
  /** The old version is looked at for this long: that is the state before the deploy. */
  readonly beforeMs: number;
  /** Since the deploy. */
  readonly goesWrongAtMs: number;
  /** Since the deploy: nothing is left to be judged. */
  readonly endsAtMs: number;
};

export const SOURCE = 'simulated';
/** Name of the key that signs requests to the receivers. */
export const SIGNING_KEY = 'SIMULATE_SECRET';

export function rehearse(options: {
  readonly input: PolicyInput;
  readonly policy: Policy;
  readonly fault: Condition | null;
  readonly pace: Pace;
  readonly addresses: Addresses;
  /** Events a second of a service that cannot give more; null: it gives what is needed. */
  readonly perSecondMax: number | null;
}): Rehearsal {
  const { input, policy, fault, pace, addresses } = options;
  const untils = untilsOf(policy, fault, pace);
  const scaled = scaler(pace.speed);
  const limits = (map: Readonly<Record<string, LimitInput>> | undefined) =>
    map && limitsOf(map, scaled);
  const windows = input.windows.map((window, index) => {
    const { stop, warn, pass, for: passFor, ...rest } = window;
    const [fromMs, untilMs] = [untils[index - 1] ?? 0, untils[index] ?? 0];
    const passForMs = passForOf(
      passFor,
      untilMs - fromMs,
      fault !== null && pace.speed === null,
      scaled,
    );
    return {
      ...rest,
      until: formatDuration(untilMs),
      ...maps({ stop: limits(stop), warn: limits(warn), pass: limits(pass) }),
      ...(pass === undefined ? {} : { for: formatDuration(passForMs) }),
    };
  });
  const always = input.always && {
    ...maps({ stop: limits(input.always.stop), warn: limits(input.always.warn) }),
  };
  // No gate decides on a made-up deploy, and nobody signs it.
  const { runbook, dashboard, environment, mode, requires, sign_offs, ...kept } = input;
  const [fromMs, untilMs] = spanOf(policy, fault, untils);
  return {
    input: {
      ...kept,
      ...(environment === undefined ? {} : { environment }),
      mode: 'act',
      source: SOURCE,
      interval: formatDuration(REHEARSED.intervalMs),
      indicators: indicatorsOf(options, scaled),
      windows,
      ...(always === undefined ? {} : { always }),
      on_stop: input.on_stop.map((step) => stepOf(step, addresses, limits, scaled)),
    },
    beforeMs: beforeOf(policy, scaled),
    goesWrongAtMs: Math.max(
      Math.min(GOOD_FOR_MS, (untilMs - fromMs) / 2),
      fromMs + Math.min(3 * SECOND, (untilMs - fromMs) / 3),
    ),
    endsAtMs: untils.at(-1) ?? 0,
  };
}

/** The longest range must be full. */
function beforeOf({ indicators }: Policy, scaled: Scaled): number {
  const ranges = Object.values(indicators).map((one) =>
    'overMs' in one && one.overMs !== null ? scaled(one.overMs, REHEARSED.overMs, OVER_MIN_MS) : 0,
  );
  return Math.min(BEFORE_MAX_MS, Math.max(BEFORE_MIN_MS, ...ranges.map((ms) => ms + 3 * SECOND)));
}

type Scaled = (ms: number, asItFits: number, least: number) => number;

const scaler =
  (speed: number | null): Scaled =>
  (ms, asItFits, least) =>
    speed === null ? Math.min(ms, asItFits) : Math.min(ms, Math.max(least, Math.round(ms / speed)));

const msOf = (text: string) => parseDuration(text) ?? 0;

function untilsOf(policy: Policy, fault: Condition | null, pace: Pace): readonly number[] {
  if (pace.untilsMs !== null) return pace.untilsMs;
  const windows = policy.windows.filter(({ name }) => name !== ALWAYS);
  const shown = Math.max(
    0,
    windows.findIndex(({ name }) => name === fault?.window),
  );
  const last = fault === null ? windows.length - 1 : shown;
  let beforeMs = 0;
  return windows.map(({ fromMs, untilMs }, index) => {
    const fitting = index === last ? REHEARSED.longWindowMs : REHEARSED.windowMs;
    const length = untilMs - fromMs;
    const { speed } = pace;
    beforeMs +=
      speed === null
        ? Math.min(length, fitting)
        : Math.max(WINDOW_MIN_MS, Math.round(length / speed));
    return beforeMs;
  });
}

/** The span in which the condition is judged. */
function spanOf(
  policy: Policy,
  fault: Condition | null,
  untils: readonly number[],
): readonly [fromMs: number, untilMs: number] {
  const windows = policy.windows.filter(({ name }) => name !== ALWAYS);
  const index = windows.findIndex(({ name }) => name === fault?.window);
  if (index === -1) return [0, untils.at(-1) ?? 0];
  return [untils[index - 1] ?? 0, untils[index] ?? 0];
}

function passForOf(text: string | undefined, lengthMs: number, isLate: boolean, scaled: Scaled) {
  // Shorter than its window, or it could never be reached.
  const mostMs = lengthMs - SECOND;
  if (isLate) return Math.min(LATE_PASS_MS, mostMs);
  return Math.min(scaled(msOf(text ?? '0s'), REHEARSED.forMs, SECOND), mostMs);
}

function limitsOf(
  map: Readonly<Record<string, LimitInput>>,
  scaled: Scaled,
): Record<string, LimitInput> {
  return Object.fromEntries(
    Object.entries(map).map(([id, limit]) => {
      if (limit.for === undefined) return [id, limit];
      const forMs = scaled(msOf(limit.for), REHEARSED.forMs, SECOND);
      return [id, { ...limit, for: formatDuration(forMs) }];
    }),
  );
}

/** Without those that are not there. */
function maps<Name extends string>(
  given: Readonly<Record<Name, Record<string, LimitInput> | undefined>>,
): Partial<Record<Name, Record<string, LimitInput>>> {
  const kept = Object.entries(given).filter(([, map]) => map !== undefined);
  return Object.fromEntries(kept) as Partial<Record<Name, Record<string, LimitInput>>>;
}

function indicatorsOf(
  options: Parameters<typeof rehearse>[0],
  scaled: Scaled,
): PolicyInput['indicators'] {
  const { input, policy, addresses, perSecondMax } = options;
  const rehearsed = Object.entries(input.indicators).map(([id, given]) => {
    const known = policy.indicators[id];
    if (known?.kind === 'http' && given.http !== undefined) {
      // Headers may hold secrets, and nobody here wants them.
      const { headers, ...http } = given.http;
      return [id, { ...given, http: { ...http, url: addresses.healthUrl(id) } }] as const;
    }
    if (known === undefined || !('overMs' in known) || known.overMs === null) {
      return [id, given] as const;
    }
    const overMs = scaled(known.overMs, REHEARSED.overMs, OVER_MIN_MS);
    const most = perSecondMax === null ? null : Math.floor((perSecondMax * overMs) / 2_500);
    const needed =
      'minTotal' in known && most !== null ? { min_total: Math.min(known.minTotal, most) } : {};
    return [id, { ...given, over: formatDuration(overMs), ...needed }] as const;
  });
  return Object.fromEntries(rehearsed);
}

type Step = PolicyInput['on_stop'][number];

/** Whatever an action does, here it is a signed request to our own receiver. */
function stepOf(
  step: Step,
  { disarmUrl, rollbackUrl }: Addresses,
  limits: (map: Readonly<Record<string, LimitInput>>) => Record<string, LimitInput> | undefined,
  scaled: Scaled,
): Step {
  const to = (url: string) => ({ webhook: { url, secret: `$${SIGNING_KEY}` } });
  if (step.disarm !== undefined) return { disarm: to(disarmUrl) };
  if (step.rollback !== undefined) return { rollback: to(rollbackUrl) };
  if (step.verify === undefined) return step;
  const withinMs = scaled(msOf(step.verify.within), REHEARSED.verifyWithinMs, 30 * SECOND);
  const pass = limits(step.verify.pass) ?? {};
  return { verify: { within: formatDuration(withinMs), pass } };
}
