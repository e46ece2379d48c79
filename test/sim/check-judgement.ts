// Verdicts: a stop rests on a run of breaches that is as long as the policy wants and that the
// service, or a source that lied, gave reason for; a pass rests on coverage and positive evidence.
import type { Book, ConditionFact, EventFact, TickFact } from './book.ts';
import { AILMENTS } from './plan.ts';
import { BLIND_AFTER_MS, OVER_MS, STALE_AFTER_MS } from './policies.ts';
import { T0 } from './time.ts';
import type { Truth } from './truth.ts';

type Found = readonly (readonly [rule: string, text: string])[];
type EvidenceFact = {
  readonly condition: string;
  readonly sinceMs: number;
  readonly atMs: number;
  readonly preExisting: boolean;
};

/** Two ticks further apart than this are not one observation. */
const GAP_INTERVALS = 2.5;
const METRICS: Readonly<Record<string, readonly string[]>> = {
  fill_rate: ['orders_submitted_total', 'orders_filled_total'],
  latency: ['order_seconds_bucket'],
  positions: ['open_positions'],
  errors: ['errors_total'],
};
/** A scrape and its jitter: what is true shows in samples this much later. */
const SCRAPE_MS = 6_000;
const HEALTH_LATE_MS = 20_000;

export function stopViolations(book: Book, { body, atMs }: EventFact, truth: Truth): Found {
  if (body['cause'] !== 'condition') return [];
  const evidence = (body['conditions'] ?? []) as readonly EvidenceFact[];
  const blind = (body['blind'] ?? []) as readonly { readonly condition: string }[];
  if (evidence.length + blind.length === 0) return [['J6', 'stopped without any evidence']];
  const found = evidence.flatMap((one) => evidenceViolations(book, one, atMs, truth));
  const wrong = blind.filter(({ condition }) => !isLongBlind(book, condition));
  return [
    ...found,
    ...wrong.map(({ condition }) => ['blind', `${condition} was not blind for long`] as const),
  ];
}

function evidenceViolations(book: Book, evidence: EvidenceFact, atMs: number, truth: Truth): Found {
  const condition = book.condition(evidence.condition);
  if (condition === undefined) return [['J6', `stopped by ${evidence.condition}, which is none`]];
  const { id, limit, forMs } = condition;
  const run = runOf(book, condition);
  const first = run[0];
  if (first === undefined) return [['false stop', `${id} did not breach at the stop`]];
  const begins = run.findIndex((tick) => Math.ceil(tick.atMs) >= Math.ceil(evidence.sinceMs));
  if (begins < 0 || evidence.sinceMs < first.atMs - 1) {
    return [['false stop', `${id} is said to breach since before its run`]];
  }
  const own = run.slice(begins);
  const lasted = lengthOf(own, book.policy.intervalMs);
  // Ticks come a little early or late; that much is forgiven (docs/judgement.md, rule 7).
  const forgivenMs = Math.min(100, book.policy.intervalMs / 20);
  if (lasted < forMs - forgivenMs)
    return [['for', `${id} breached ${lasted} ms, wanted are ${forMs} ms`]];
  if (limit.kind === 'failing' && run.length < (limit.times ?? 1)) {
    return [['for', `${id}: ${run.length} failed checks, wanted are ${limit.times}`]];
  }
  if (evidence.sinceMs < book.deploy.deployedAtMs || evidence.atMs > Math.ceil(atMs)) {
    return [['J3', `${id} rests on a time outside of the watch`]];
  }
  const unjustified = own.find((tick) => !isJustified(book, condition, tick, truth));
  if (unjustified === undefined) return [];
  const reading = JSON.stringify(unjustified.readings[condition.indicator]);
  return [['false stop', `${id} breached at ${unjustified.atMs} without a reason: ${reading}`]];
}

/** Ticks with a breach up to now, unbroken by a good value or by a long absence. */
function runOf(book: Book, condition: ConditionFact): readonly TickFact[] {
  const gap = Math.max(BLIND_AFTER_MS, GAP_INTERVALS * book.policy.intervalMs);
  const window = book.policy.windows.find(({ name }) => name === condition.window);
  const isDue = ({ atMs, isVerifying }: TickFact) => {
    const sinceMs = atMs - book.deploy.deployedAtMs;
    const untilMs = window?.untilMs === endOf(book) ? endNow(book) : (window?.untilMs ?? 0);
    return !isVerifying && sinceMs >= (window?.fromMs ?? 0) && sinceMs < untilMs;
  };
  const run: TickFact[] = [];
  let later: TickFact | null = null;
  for (const tick of book.ticks.filter(isDue).toReversed()) {
    if (later !== null && later.atMs - tick.atMs > gap) break;
    later = tick;
    const reading = tick.readings[condition.indicator];
    if (reading?.kind !== 'value') continue;
    if (!book.meets(condition, reading.value ?? 0)) break;
    run.unshift(tick);
  }
  return run;
}

function lengthOf(run: readonly TickFact[], intervalMs: number): number {
  let sum = 0;
  run.slice(1).forEach((tick, index) => {
    const apart = tick.atMs - (run[index]?.atMs ?? tick.atMs);
    sum += Math.min(Math.max(0, apart), GAP_INTERVALS * intervalMs);
  });
  return sum;
}

function isJustified(book: Book, { indicator }: ConditionFact, tick: TickFact, truth: Truth) {
  const { service, deployedAtMs } = book.deploy;
  const ailment = AILMENTS.find((one) => one === indicator);
  if (ailment === undefined) return false;
  if (indicator === 'health') {
    const fromMs = tick.writtenAt - HEALTH_LATE_MS;
    return (
      truth.ailedWithin(service, ailment, fromMs, tick.writtenAt) ||
      truth.healthTroubledWithin(fromMs, tick.writtenAt)
    );
  }
  const isGauge = indicator === 'positions';
  const reachMs = isGauge ? STALE_AFTER_MS : OVER_MS;
  const fromMs = Math.max(deployedAtMs, tick.atMs - reachMs);
  if (truth.ailedWithin(service, ailment, fromMs - T0 - SCRAPE_MS, tick.atMs - T0)) return true;
  const labels = labelsOf(book);
  const lookMs = isGauge ? fromMs : fromMs - STALE_AFTER_MS;
  return (METRICS[indicator] ?? []).some((metric) =>
    truth.samples(metric, labels).some(({ samples }) => {
      // After a gap in the scrapes the last sample before it is what a counter is counted from.
      const base = isGauge ? undefined : samples.findLast(({ atMs }) => atMs <= fromMs);
      const sinceMs = Math.min(lookMs, base?.atMs ?? lookMs);
      return samples.some(({ isLie, atMs }) => isLie && atMs >= sinceMs && atMs <= tick.atMs);
    }),
  );
}

export function labelsOf({ policy, deploy }: Book): Readonly<Record<string, string>> {
  const { service, version } = deploy;
  return policy.match['version'] === undefined ? { service } : { service, version };
}

function isLongBlind(book: Book, id: string): boolean {
  const condition = book.condition(id);
  const last = book.ticks.at(-1);
  if (condition === undefined || last === undefined || condition.onBlind !== 'stop') return false;
  const blind: TickFact[] = [];
  for (const tick of book.ticks.toReversed()) {
    if (tick.readings[condition.indicator]?.kind === 'value') break;
    blind.unshift(tick);
  }
  const [first] = blind;
  return first !== undefined && last.atMs - first.atMs >= book.policy.blindAfterMs;
}

/** J6: recomputed from the ticks as they were written. */
export function passViolations(book: Book, { atMs, body }: EventFact): Found {
  const { policy, deploy } = book;
  const ticks = book.ticks.filter(({ isVerifying }) => !isVerifying);
  const sinceDeployMs = atMs - deploy.deployedAtMs;
  const short = policy.conditions.flatMap((condition) => {
    const window = policy.windows.find(({ name }) => name === condition.window);
    if (condition.role !== 'stop' || window === undefined) return [];
    const untilMs = window.untilMs === endOf(book) ? endNow(book) : window.untilMs;
    if (window.fromMs >= sinceDeployMs) return [];
    const inside = ticks.filter((tick) => {
      const since = tick.atMs - deploy.deployedAtMs;
      return since >= window.fromMs && since < untilMs;
    });
    const readings = inside.map(({ readings: all }) => all[condition.indicator]);
    const judged = readings.filter((reading) => reading?.kind === 'value').length;
    const early = readings.filter((reading) => reading?.reason === 'too_early').length;
    const elapsedMs = Math.min(sinceDeployMs, untilMs) - window.fromMs;
    const expected = Math.max(1, elapsedMs / policy.intervalMs - early);
    if (judged > 0 && judged / expected >= policy.coverage - 1e-9) return [];
    return [
      ['J6', `passed, and ${condition.id} was judged ${judged} times of ${expected}`] as const,
    ];
  });
  return [...short, ...evidenceOfPass(book, ticks, body)];
}

function endOf({ policy }: Book): number {
  return Math.max(...policy.windows.map(({ untilMs }) => untilMs));
}

function endNow({ state, deploy }: Book): number {
  return state.deadlineAtMs - deploy.deployedAtMs;
}

/** Every pass condition was met at every tick of the last `passForMs`, without a gap. */
function evidenceOfPass(
  book: Book,
  ticks: readonly TickFact[],
  body: EventFact['body'],
): readonly (readonly [string, string])[] {
  const { policy } = book;
  const passes = policy.conditions.filter(({ role }) => role === 'pass');
  const named = (body['conditions'] ?? []) as readonly EvidenceFact[];
  if (passes.some(({ id }) => !named.some(({ condition }) => condition === id))) {
    return [['J6', 'passed without evidence for every pass condition']];
  }
  const last = ticks.at(-1);
  if (last === undefined) return [['J6', 'passed without a tick']];
  let heldSinceMs: number | null = null;
  let later = last.atMs;
  for (const tick of ticks.toReversed()) {
    const isMet = passes.every((condition) => {
      const reading = tick.readings[condition.indicator];
      return reading?.kind === 'value' && book.meets(condition, reading.value ?? Number.NaN);
    });
    if (!isMet || later - tick.atMs > GAP_INTERVALS * policy.intervalMs) break;
    later = tick.atMs;
    // A clock that was set back: what came before it has later times.
    heldSinceMs = Math.min(heldSinceMs ?? tick.atMs, tick.atMs);
  }
  const wanted = Math.max(...policy.windows.map(({ passForMs }) => passForMs));
  const heldMs = heldSinceMs === null ? 0 : last.atMs - heldSinceMs;
  if (heldMs < wanted) return [['J6', `passed after ${heldMs} ms, wanted are ${wanted} ms`]];
  const red = policy.conditions.filter((condition) => {
    const reading = last.readings[condition.indicator];
    const isDue = condition.role === 'stop' && condition.window !== 'immediate';
    return isDue && reading?.kind === 'value' && book.meets(condition, reading.value ?? 0);
  });
  return red.map(({ id }) => ['J6', `passed while ${id} is breached`] as const);
}
