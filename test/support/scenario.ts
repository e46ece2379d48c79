// Plays a scenario on virtual time: the pure functions of the core, called as the engine calls
// them (ledger, watcher, commands, dispatcher), without I/O and without waiting. A restart goes
// through JSON, as the journal does. What comes out is a list of lines, one for each event.
import { decideTick, stopPlan } from '../../src/core/decide.ts';
import type { NewDelivery, Outcome } from '../../src/core/delivery.ts';
import type { Deploy } from '../../src/core/deploy.ts';
import type { DeliveryReason, EventBody, WatchEvent } from '../../src/core/event.ts';
import { planDeliveries } from '../../src/core/plan.ts';
import type { ActionName } from '../../src/core/policy.ts';
import { formatDuration } from '../../src/core/quantity.ts';
import type { Readings } from '../../src/core/read.ts';
import type { Reading } from '../../src/core/sample.ts';
import { decideStart } from '../../src/core/start.ts';
import type { Track } from '../../src/core/track.ts';
import { decideOutcome, decideVerification, verifyConditions } from '../../src/core/verify.ts';
import { evolve, fold, isActive, UNSTARTED, type WatchState } from '../../src/core/watch.ts';
import { T0 } from './build.ts';
import { type Happening, type Scenario, timeOf } from './scenario-file.ts';
import { lineOf } from './scenario-line.ts';

/** As in the engine's watcher: away for longer than this is told. */
const AWAY_INTERVALS = 4;
const AWAY_MIN_MS = 15_000;

type Watch = {
  readonly id: string;
  readonly deploy: Deploy;
  events: WatchEvent[];
  state: WatchState;
  track: Track | null;
  isFirst: boolean;
  nextMs: number;
  readonly deliveries: NewDelivery[];
  readonly attempts: Partial<Record<ActionName, number>>;
};

export type Told = { readonly atMs: number; readonly text: string };

export type Played = {
  /** One line for each event, except what is routine. */
  readonly lines: readonly string[];
  readonly told: readonly Told[];
  readonly watches: readonly {
    readonly events: readonly WatchEvent[];
    readonly state: WatchState;
  }[];
};

export function play(scenario: Scenario): Played {
  const stage = new Stage(scenario);
  return stage.play();
}

class Stage {
  readonly #scenario: Scenario;
  readonly #watches: Watch[] = [];
  readonly #lines: string[] = [];
  readonly #told: Told[] = [];
  #hold: string | null = null;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  play(): Played {
    const { deploy, untilMs, happens } = this.#scenario;
    const agenda = happens
      .filter(({ untilMs: end, text }) => end === null || text === 'canaryd is away')
      .map((happening) => ({ ...happening, atMs: happening.untilMs ?? happening.atMs }))
      .sort((a, b) => a.atMs - b.atMs);
    this.#start(deploy.version, deploy.previous, 0, deploy.startedMs);
    for (;;) {
      const next = agenda[0];
      const watch = this.#nextWatch();
      const tickMs = watch === undefined ? Infinity : watch.nextMs;
      if (next !== undefined && next.atMs <= tickMs) {
        agenda.shift();
        this.#happen(next);
        continue;
      }
      if (watch === undefined || tickMs > untilMs) break;
      watch.nextMs += this.#scenario.policy.intervalMs;
      if (this.#lasting('canaryd is away', tickMs) === undefined) this.#tick(watch, tickMs);
    }
    return { lines: this.#lines, told: this.#told, watches: this.#watches };
  }

  #nextWatch(): Watch | undefined {
    const active = this.#watches.filter(({ state }) => isActive(state));
    return active.sort((a, b) => a.nextMs - b.nextMs)[0];
  }

  #lasting(text: string, atMs: number): Happening | undefined {
    return this.#scenario.happens.find(
      (one) => one.text === text && one.untilMs !== null && one.atMs <= atMs && atMs < one.untilMs,
    );
  }

  // What the engine's commands do.

  #start(version: string, previous: string | null, deployedMs: number, nowMs: number): void {
    const { policy } = this.#scenario;
    const id = `w_${this.#watches.length + 1}`;
    const deploy: Deploy = {
      service: policy.service,
      environment: 'production',
      version,
      previousVersion: previous,
      deployedAtMs: T0 + deployedMs,
      parameters: this.#scenario.deploy.parameters,
      by: null,
      url: null,
    };
    const recent = [...this.#watches].reverse();
    const decided = decideStart({
      id,
      deploy,
      policy,
      policyHash: 'hash',
      mode: policy.mode,
      isTimeGiven: true,
      nowMs: T0 + nowMs,
      recent,
    });
    if (decided.kind !== 'start') {
      this.#line(nowMs, null, `the start of ${version} is answered with ${decided.kind}`);
      return;
    }
    for (const earlier of decided.earlier) {
      const watch = this.#watches.find((one) => one.id === earlier.id);
      if (watch !== undefined) this.#append(watch, earlier.events, nowMs);
    }
    const watch: Watch = {
      id,
      deploy,
      events: [],
      state: UNSTARTED,
      track: null,
      isFirst: true,
      nextMs: nowMs,
      deliveries: [],
      attempts: {},
    };
    this.#watches.push(watch);
    this.#append(watch, decided.events, nowMs);
  }

  #happen({ atMs, text }: Happening): void {
    const deploy = /^deploy (\S+?)(?: of (\S+) ago)?$/.exec(text);
    if (deploy?.[1] !== undefined) {
      const age = deploy[2] === undefined ? 0 : timeOf(deploy[2]);
      const previous = this.#scenario.deploy.version;
      this.#start(deploy[1], previous === deploy[1] ? null : previous, atMs - age, atMs);
      return;
    }
    if (text === 'canaryd is away' || text === 'canaryd restarts') {
      this.#restart();
      return;
    }
    const action = /^(disarm|rollback) (is accepted|fails|is refused)$/.exec(text);
    if (action) {
      this.#outcome(action[1] as ActionName, action[2] ?? '', atMs);
      return;
    }
    const human =
      /^(\w+) (stops|cancels|acknowledges|signs|extends|holds fire|releases fire)(.*)$/.exec(text);
    if (human === null) throw new Error(`nothing is known of '${text}'`);
    this.#human(human[1] ?? '', human[2] ?? '', human[3] ?? '', atMs);
  }

  #restart(): void {
    for (const watch of this.#watches) {
      watch.events = throughJson(watch.events);
      watch.state = fold(watch.events);
      watch.track = throughJson(watch.track);
      watch.isFirst = true;
    }
  }

  #human(by: string, verb: string, rest: string, atMs: number): void {
    const watch = this.#watches.at(-1);
    if (watch === undefined) return;
    const reason = /\((.*)\)/.exec(rest)?.[1] ?? 'no reason given';
    if (verb === 'holds fire') {
      this.#hold = by;
      this.#switched({ type: 'watch.held', by, reason }, atMs);
      this.#refuseHeld(atMs, by);
      return;
    }
    if (verb === 'releases fire') {
      this.#hold = null;
      this.#switched({ type: 'watch.released', by, reason }, atMs);
      return;
    }
    if (verb === 'acknowledges') {
      this.#append(watch, [{ type: 'watch.acknowledged', by, reason }], atMs);
      return;
    }
    if (verb === 'signs') {
      const role = /as (\w+)/.exec(rest)?.[1] ?? '';
      this.#append(watch, [{ type: 'watch.signed', role, name: by, by, note: reason }], atMs);
      return;
    }
    if (watch.state.phase !== 'watching') {
      this.#line(atMs, watch, `${by} is refused, the watch is ${watch.state.phase}`);
      return;
    }
    if (verb === 'cancels') {
      this.#append(watch, [{ type: 'watch.cancelled', by, reason }], atMs);
      return;
    }
    if (verb === 'extends') {
      const deadlineAtMs = watch.state.deadlineAtMs + timeOf(/by (\w+)/.exec(rest)?.[1] ?? '');
      this.#append(watch, [{ type: 'watch.extended', by, reason, deadlineAtMs }], atMs);
      return;
    }
    if (this.#hold !== null && watch.state.mode === 'act') {
      this.#line(atMs, watch, `${by} is refused, ${this.#hold} holds fire`);
      return;
    }
    const plan = stopPlan(this.#scenario.policy, watch.state, false);
    const event = { type: 'watch.stopped', cause: 'human', by, reason } as const;
    this.#append(watch, [{ ...event, conditions: [], blind: [], ...plan }], atMs);
  }

  // What the dispatcher does.

  #outcome(action: ActionName, what: string, atMs: number): void {
    const watch = this.#watches.findLast(({ state }) => state.stop !== null);
    if (watch === undefined) throw new Error(`no watch has stopped, ${action} cannot end`);
    if (watch.state.actions[action] !== 'pending') {
      this.#line(atMs, watch, `${action} is not sent, it is ${watch.state.actions[action]}`);
      return;
    }
    const attempts = (watch.attempts[action] ?? 0) + 1;
    watch.attempts[action] = attempts;
    const retryable: Outcome = {
      kind: 'retryable',
      reason: 'timeout',
      detail: 'no answer within 5s',
      retryAfterMs: null,
      maybeDelivered: true,
    };
    const outcomes: Readonly<Record<string, Outcome>> = {
      'is accepted': { kind: 'delivered', detail: 'HTTP 202' },
      fails: retryable,
      'is refused': { kind: 'refused', reason: 'client_error', detail: 'HTTP 404' },
    };
    const outcome = outcomes[what] ?? retryable;
    this.#decideOutcome(watch, action, attempts, outcome, atMs);
  }

  #switched(event: EventBody, atMs: number): void {
    for (const watch of this.#watches) {
      if (watch.state.phase === 'watching') this.#append(watch, [event], atMs);
    }
  }

  #refuseHeld(atMs: number, by: string): void {
    for (const watch of this.#watches) {
      for (const action of ['disarm', 'rollback'] as const) {
        if (watch.state.actions[action] !== 'pending') continue;
        const detail = `hold fire by ${by}`;
        const outcome: Outcome = { kind: 'refused', reason: 'hold_fire', detail };
        this.#decideOutcome(watch, action, watch.attempts[action] ?? 0, outcome, atMs);
      }
    }
  }

  #decideOutcome(
    watch: Watch,
    action: ActionName,
    attempts: number,
    outcome: Outcome,
    atMs: number,
  ): void {
    const most = watch.deliveries.find(
      ({ content }) => content.kind === 'action' && content.action === action,
    )?.attemptsMax;
    const isLast = outcome.kind === 'retryable' && attempts >= (most ?? 0);
    const gaveUp: DeliveryReason | null =
      outcome.kind === 'refused' ? outcome.reason : isLast ? 'attempts_exhausted' : null;
    const attempt = { action, attempts, outcome, gaveUp, atMs: T0 + atMs };
    this.#append(watch, decideOutcome(watch.state, attempt), atMs);
  }

  // What the watcher does.

  #tick(watch: Watch, atMs: number): void {
    const { policy, before } = this.#scenario;
    if (watch.state.phase !== 'watching') {
      this.#verify(watch, atMs);
      return;
    }
    const lastMs = watch.track?.atMs;
    if (watch.isFirst && lastMs !== undefined) {
      const awayMs = T0 + atMs - lastMs;
      if (awayMs >= Math.max(AWAY_INTERVALS * policy.intervalMs, AWAY_MIN_MS)) {
        this.#append(watch, [{ type: 'watch.resumed', awayMs }], atMs);
      }
    }
    watch.isFirst = false;
    const ids = policy.conditions.map(({ indicator }) => indicator);
    const tick = { atMs: T0 + atMs, readings: this.#readings(ids, atMs) };
    const { events, track } = decideTick({
      policy,
      state: watch.state,
      track: watch.track,
      tick,
      baseline: watch.state.baselineTaken ? null : [before, before],
      isHeld: this.#hold !== null,
    });
    watch.track = track;
    this.#append(watch, events, atMs);
  }

  #verify(watch: Watch, atMs: number): void {
    if (watch.state.verification.kind !== 'verifying') return;
    const { policy } = this.#scenario;
    const ids = verifyConditions(policy, watch.state).map(({ indicator }) => indicator);
    const tick = { atMs: T0 + atMs, readings: this.#readings(ids, atMs) };
    const { events, track } = decideVerification(policy, watch.state, watch.track, tick);
    watch.track = track;
    this.#append(watch, events, atMs);
  }

  #readings(ids: readonly string[], atMs: number): Readings {
    const { policy, steps } = this.#scenario;
    const isDown = this.#lasting('prometheus is down', atMs) !== undefined;
    const readings: Record<string, Reading> = {};
    for (const id of new Set(ids)) {
      const step = steps.findLast(({ fromMs, readings: at }) => fromMs <= atMs && id in at);
      const reading = step?.readings[id];
      if (policy.indicators[id]?.kind !== 'http' && isDown) {
        readings[id] = { kind: 'blind', reason: 'unreachable', detail: 'connection refused' };
      } else if (reading === undefined) {
        throw new Error(`no reading of ${id} at ${formatDuration(atMs)}`);
      } else if (reading !== 'no answer') {
        readings[id] = reading;
      }
    }
    return readings;
  }

  // What the ledger does.

  #append(watch: Watch, bodies: readonly EventBody[], atMs: number): void {
    const first = watch.events.length + 1;
    const events = bodies.map(
      (body, index): WatchEvent => ({ ...body, seq: first + index, atMs: T0 + atMs }),
    );
    for (const event of events) {
      watch.state = evolve(watch.state, event);
      watch.events.push(event);
      const context = {
        watchId: watch.id,
        policy: this.#scenario.policy,
        state: watch.state,
        publicUrl: null,
      };
      const planned = planDeliveries(event, context, ['oncall'], events);
      watch.deliveries.push(...planned);
      const line = lineOf(event, planned);
      if (line !== null) this.#line(atMs, watch, line);
      for (const { content } of planned) {
        if (content.kind !== 'message') continue;
        const { severity, headline, lines, next } = content.message;
        const text = [`${severity}: ${headline}`, ...lines, next ?? ''].join('\n');
        this.#told.push({ atMs, text });
      }
    }
  }

  /** With several deploys a line says of which it is. */
  #line(atMs: number, watch: Watch | null, text: string): void {
    const isOther = watch !== null && watch !== this.#watches[0];
    const of = isOther ? `${watch.deploy.version} ` : '';
    this.#lines.push(`${formatDuration(atMs)}: ${of}${text}`);
  }
}

function throughJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
