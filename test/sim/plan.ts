// What will happen in a world, drawn from its seed before it begins: replicas, policies, deploys,
// spans of trouble, and what people do. Trouble of single calls is drawn as they come, at the
// rates that stand here.
import { Dice } from './dice.ts';
import { type RoutingPlan, routingPlanOf } from './plan-routing.ts';
import { signedBy, signingPlanOf, signingSteps } from './plan-signing.ts';
import type { PolicyPlan } from './policies.ts';

/** Trouble of one call, one scrape or one process, drawn as it comes. */
export const CALL_FAULTS = [
  'store slow',
  'store error before the effect',
  'store error after the effect',
  'store late effect',
  'store conflict',
  'hint lost',
  'hint late',
  'crash before a call',
  'crash after a call',
  'source slow',
  'source error',
  'source empty',
  'sample late',
  'sample NaN',
  'sample lies',
] as const;

/** Trouble that lasts. */
export const SPAN_FAULTS = [
  'store outage',
  'store slow span',
  'store partition',
  'replica unseen',
  'source down',
  'source hangs',
  'scrapes stop',
  'health flapping',
  'health hanging',
  'health failing',
  'action 500',
  'action 429',
  'action 410',
  'action refused',
  'action time-out after accepting',
  'action hangs',
  'chat 500',
  'chat 429',
  'chat slow',
  'chat time-out after accepting',
  'chat down',
  'chat 410',
] as const;

/** What the story holds. */
export const STORY_FAULTS = [
  'crash asleep',
  'all replicas away',
  'graceful stop',
  'clock skew',
  'clock step forward',
  'clock step back',
  'counter reset',
  'old series remain',
  'second deploy',
  'rollback deploy',
  'human stop',
  'human cancel',
  'human acknowledge',
  'human extend',
  'human sign',
  'hold fire',
  'hold released',
  'start repeated',
  'command repeated',
  'night',
  'clocks changed in the night',
  'storm',
  'call answered',
  'disarm deaf',
] as const;

export type CallFault = (typeof CALL_FAULTS)[number];
export type SpanFault = (typeof SPAN_FAULTS)[number];
export type Fault = CallFault | SpanFault | (typeof STORY_FAULTS)[number];

/** What can be wrong with a version, by what shows it. */
export const AILMENTS = ['fill_rate', 'latency', 'positions', 'health', 'pnl', 'errors'] as const;
export type Ailment = (typeof AILMENTS)[number];

export type Span = {
  readonly kind: SpanFault;
  readonly fromMs: number;
  readonly toMs: number;
  /** The replica's machine that is cut off. */
  readonly machine: number;
};

export type ServicePlan = {
  readonly policy: PolicyPlan;
  readonly deployAtMs: number;
  /** When the service is ill, and with what; null: never. */
  readonly illness: {
    readonly spans: readonly { readonly fromMs: number; readonly toMs: number }[];
    readonly ailments: readonly Ailment[];
  } | null;
  /** Pods of the old version remain beside the new one for so long. */
  readonly oldRemainsMs: number;
  /** The rollback cures it. */
  readonly isCurable: boolean;
  /** The pipeline says when it deployed; else the daemon's clock does. */
  readonly saysWhen: boolean;
  readonly namesPrevious: boolean;
};

export type Step = {
  readonly atMs: number;
  readonly service: number;
  readonly what:
    | 'second deploy'
    | 'rollback deploy'
    | 'human stop'
    | 'human cancel'
    | 'human acknowledge'
    | 'human extend'
    | 'human sign'
    | 'hold fire'
    | 'hold released'
    | 'start repeated'
    | 'counter reset'
    | 'crash asleep'
    | 'graceful stop'
    | 'all replicas away'
    | 'clock step forward'
    | 'clock step back';
  readonly machine: number;
  readonly ms: number;
  /** In which somebody signs. */
  readonly role?: string;
};

/** What somebody does soon after an action was sent: people come when something happens. */
export type Reaction = {
  readonly what: 'hold fire' | 'second deploy' | 'rollback deploy' | 'human stop' | 'human cancel';
  readonly afterMs: number;
  /** For so long fire is held. */
  readonly lastsMs: number;
};

export type Plan = {
  readonly seed: number;
  readonly replicas: number;
  readonly skewsMs: readonly number[];
  readonly services: readonly ServicePlan[];
  readonly rates: Readonly<Record<CallFault, number>>;
  readonly spans: readonly Span[];
  readonly steps: readonly Step[];
  readonly reaction: Reaction | null;
  /** null: one channel, which is told everything at once. */
  readonly routing: RoutingPlan | null;
  /** From then on nothing fails any more. */
  readonly healAtMs: number;
};

/** Probability of one call (or scrape) in a seed that has much of this trouble. */
const RATES: Readonly<Record<CallFault, number>> = {
  'store slow': 0.05,
  'store error before the effect': 0.05,
  'store error after the effect': 0.08,
  'store late effect': 0.05,
  'store conflict': 0.15,
  'hint lost': 0.8,
  'hint late': 0.5,
  'crash before a call': 0.004,
  'crash after a call': 0.006,
  'source slow': 0.2,
  'source error': 0.15,
  'source empty': 0.1,
  'sample late': 0.2,
  'sample NaN': 0.06,
  'sample lies': 0.06,
};

const ACTION_FAULTS = SPAN_FAULTS.filter((kind) => kind.startsWith('action'));

const STEPS: readonly (readonly [Step['what'], number])[] = [
  ['second deploy', 0.12],
  ['rollback deploy', 0.12],
  ['human stop', 0.1],
  ['human cancel', 0.07],
  ['human acknowledge', 0.12],
  ['human extend', 0.12],
  ['start repeated', 0.25],
  ['counter reset', 0.15],
  ['crash asleep', 0.3],
  ['graceful stop', 0.25],
  ['all replicas away', 0.08],
  ['clock step forward', 0.12],
  ['clock step back', 0.12],
];

const FIRST_STEP_MS = 18_000;
/** Trouble lasts so long past the end of a night that is to end in trouble. */
const PAST_NIGHT_MS = 25_000;
const MORE_NAMES = ['cart', 'search', 'stock', 'mail'];

export function planOf(seed: number, replicasGiven: number | null = null): Plan {
  const dice = new Dice(seed).of('plan');
  const more = new Dice(seed ^ 0x701d).of('routing');
  const routing = routingPlanOf(more);
  const isCalm = dice.chance(0.12) || routing?.isGentle === true;
  const replicas = replicasGiven ?? dice.pick([1, 1, 2, 2, 3]);
  const named = dice.chance(0.25) ? 1 : 0;
  const names = ['shop', ...MORE_NAMES.slice(0, named + (routing?.crowd ?? 0))];
  const services = names.map((name, index) => {
    return index <= named ? serviceOf(name, dice.of(name)) : bystander(name, more.of(name));
  });
  const lastsMs = isCalm ? 0 : dice.between(50_000, dice.chance(0.3) ? 260_000 : 150_000);
  const healAtMs = Math.max(lastsMs, troubleUntilMs(routing, isCalm));
  const skews = dice.of('skews');
  const isSkewed = !isCalm && skews.chance(0.3);
  const reaction = isCalm ? null : reactionOf(dice.of('reaction'));
  const rates = ratesOf(dice.of('rates'), isCalm);
  const spans = isCalm ? [] : spansOf(dice.of('spans'), { replicas, healAtMs, reaction });
  const about = { replicas, services: names.length, healAtMs, isCalm };
  const steps = stepsOf(dice.of('steps'), about);
  const signing = signingPlanOf(seed, names.length);
  const moreSteps = routing === null ? [] : nightSteps(more.of('steps'), routing, about);
  return {
    seed,
    replicas,
    skewsMs: Array.from({ length: replicas }, () =>
      Math.round(isSkewed ? skews.between(-8_000, 8_000) : skews.between(-50, 50)),
    ),
    services: signing === null ? services : services.map((one) => signedBy(one, signing)),
    rates,
    spans: [...spans, ...stormOf(routing)],
    steps: [...steps, ...moreSteps, ...signingSteps(signing)].sort((a, b) => a.atMs - b.atMs),
    reaction,
    routing,
    healAtMs,
  };
}

/** Mostly well: what befalls it befalls all. */
function bystander(name: string, dice: Dice): ServicePlan {
  const plan = serviceOf(name, dice);
  return dice.chance(0.2) ? plan : { ...plan, illness: null };
}

function troubleUntilMs(routing: RoutingPlan | null, isCalm: boolean): number {
  if (routing === null) return 0;
  const { storm, troubleAtEnd, nightEndMs } = routing;
  const nightMs = troubleAtEnd && !isCalm ? (nightEndMs ?? 0) + PAST_NIGHT_MS : 0;
  return Math.max(storm?.toMs ?? 0, nightMs);
}

function stormOf(routing: RoutingPlan | null): readonly Span[] {
  const storm = routing?.storm ?? null;
  return storm === null ? [] : [{ kind: 'source down', machine: 0, ...storm }];
}

/** People acknowledge, and replicas die around the end of the night. */
function nightSteps(
  dice: Dice,
  routing: RoutingPlan,
  of: { replicas: number; services: number; healAtMs: number; isCalm: boolean },
): readonly Step[] {
  const step = (what: Step['what'], atMs: number, ms = 0): Step => {
    const machine = dice.whole(0, of.replicas - 1);
    return { what, atMs, ms, machine, service: dice.whole(0, of.services - 1) };
  };
  const steps: Step[] = [];
  while (dice.chance(0.4)) steps.push(step('human acknowledge', dice.between(30_000, 240_000)));
  const { nightEndMs: endMs } = routing;
  if (of.isCalm || endMs === null || endMs + 10_000 > of.healAtMs) return steps;
  while (dice.chance(0.5)) {
    const what = dice.pick(['crash asleep', 'graceful stop', 'all replicas away'] as const);
    steps.push(step(what, Math.max(0, endMs + dice.between(-20_000, 8_000)), 0));
  }
  return steps;
}

function serviceOf(service: string, dice: Dice): ServicePlan {
  const deployAtMs = dice.between(3_000, 15_000);
  return {
    policy: {
      service,
      isVersioned: dice.chance(0.5),
      mode: dice.chance(0.08) ? 'observe' : 'act',
      hasDisarm: dice.chance(0.7),
      verifies: dice.chance(0.75),
      attempts: dice.pick([1, 3, 8]),
      actionDeadlineMs: dice.pick([45_000, 120_000]),
      stopsWhenBlind: dice.chance(0.12),
      intervalMs: dice.pick([5_000, 5_000, 3_000]),
    },
    deployAtMs,
    illness: illnessOf(dice, deployAtMs),
    oldRemainsMs: dice.chance(0.3) ? dice.between(10_000, 120_000) : 0,
    isCurable: dice.chance(0.8),
    saysWhen: dice.chance(0.6),
    namesPrevious: dice.chance(0.85),
  };
}

function illnessOf(dice: Dice, deployAtMs: number): ServicePlan['illness'] {
  const ailments = AILMENTS.filter(() => dice.chance(0.25));
  if (ailments.length === 0) ailments.push(dice.pick(AILMENTS));
  const roll = dice.next();
  const forEver = Number.POSITIVE_INFINITY;
  if (roll < 0.4) return null;
  const once = (fromMs: number, toMs: number) => ({ spans: [{ fromMs, toMs }], ailments });
  if (roll < 0.62) return once(deployAtMs, forEver);
  if (roll < 0.78) return once(deployAtMs + dice.between(10_000, 120_000), forEver);
  if (roll < 0.94) return { spans: flaresOf(dice, deployAtMs), ailments };
  // Ill before the deploy already.
  return once(Number.NEGATIVE_INFINITY, forEver);
}

/** Illness that comes and goes: once for a while, or again and again for less than `for`. */
function flaresOf(dice: Dice, deployAtMs: number) {
  const isShort = dice.chance(0.7);
  let atMs = deployAtMs + dice.between(5_000, isShort ? 30_000 : 90_000);
  return Array.from({ length: isShort ? dice.whole(2, 8) : 1 }, () => {
    const fromMs = atMs;
    const toMs = fromMs + (isShort ? dice.between(3_000, 9_000) : dice.between(5_000, 25_000));
    atMs = toMs + dice.between(4_000, 20_000);
    return { fromMs, toMs };
  });
}

function reactionOf(dice: Dice): Reaction | null {
  if (!dice.chance(0.35)) return null;
  const what = dice.pick([
    ...(['hold fire', 'hold fire', 'second deploy', 'second deploy'] as const),
    ...(['rollback deploy', 'human stop', 'human cancel'] as const),
  ]);
  return { what, afterMs: dice.between(0, 15_000), lastsMs: dice.between(10_000, 90_000) };
}

function ratesOf(dice: Dice, isCalm: boolean): Plan['rates'] {
  const rates = CALL_FAULTS.map((kind) => {
    const isThere = !isCalm && dice.chance(0.4);
    return [kind, isThere ? RATES[kind] * dice.next() ** 2 : 0];
  });
  return Object.fromEntries(rates) as Plan['rates'];
}

function spansOf(
  dice: Dice,
  of: { replicas: number; healAtMs: number; reaction: Reaction | null },
): readonly Span[] {
  const { replicas, healAtMs, reaction } = of;
  const many = dice.whole(0, 7);
  const spans = Array.from({ length: many }, () => {
    const kind = dice.pick(dice.chance(0.35) ? ACTION_FAULTS : SPAN_FAULTS);
    // Actions are rare: what troubles them has to last, to be there when they come.
    const isLong = dice.chance(/^action|flapping|unseen/.test(kind) ? 0.9 : 0.3);
    const fromMs = dice.between(0, healAtMs);
    const lasts = isLong ? dice.between(30_000, 120_000) : dice.between(2_000, 30_000);
    const toMs = Math.min(healAtMs, fromMs + lasts);
    return { kind, fromMs, toMs, machine: dice.whole(0, replicas - 1) };
  });
  // People come when an action fails, not when all goes well.
  if (reaction !== null && dice.chance(0.7)) {
    spans.push({ kind: dice.pick(ACTION_FAULTS), fromMs: 0, toMs: healAtMs, machine: 0 });
  }
  if (replicas > 1 && dice.chance(0.4)) spans.push(...splitOf(dice, replicas, healAtMs));
  return spans;
}

/** Replicas that do not see each other all believe that the work is theirs; best while it drags. */
function splitOf(dice: Dice, replicas: number, healAtMs: number): readonly Span[] {
  const fromMs = dice.between(0, healAtMs / 2);
  const toMs = Math.min(healAtMs, fromMs + dice.between(20_000, 120_000));
  const unseen = Array.from({ length: replicas }, (_, machine): Span => {
    return { kind: 'replica unseen', fromMs, toMs, machine };
  });
  const slow: Span = { kind: 'store slow span', fromMs, toMs, machine: 0 };
  return dice.chance(0.6) ? [...unseen, slow] : unseen;
}

function stepsOf(
  dice: Dice,
  of: { replicas: number; services: number; healAtMs: number; isCalm: boolean },
): readonly Step[] {
  const { replicas, services, healAtMs, isCalm } = of;
  const endMs = Math.max(healAtMs, 60_000);
  const steps: Step[] = [];
  const add = (what: Step['what'], atMs: number, ms: number, machine: number) =>
    steps.push({ atMs, what, ms, machine, service: dice.whole(0, services - 1) });
  for (const [what, probability] of STEPS) {
    const isTrouble = /crash|graceful|away|clock|counter/.test(what);
    if (isTrouble && (isCalm || healAtMs < FIRST_STEP_MS)) continue;
    const untilMs = isTrouble ? healAtMs : endMs;
    while (dice.chance(probability)) {
      const ms = what.startsWith('clock') ? dice.between(1_000, 60_000) : dice.between(0, 20_000);
      add(what, dice.between(FIRST_STEP_MS, untilMs), ms, dice.whole(0, replicas - 1));
    }
  }
  if (!isCalm && dice.chance(0.12)) {
    const atMs = dice.between(10_000, endMs);
    add('hold fire', atMs, 0, 0);
    add('hold released', Math.min(endMs, atMs + dice.between(5_000, 90_000)), 0, 0);
  }
  return steps.sort((a, b) => a.atMs - b.atMs);
}
