// One seed, from its plan to its end: machines with their lives, services, receivers and people on
// one virtual time, and the checker beside them. The same seed gives the same world, to the byte.
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Journal } from '../../src/journal/journal.ts';
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.ts';
import { Checker, type Violation } from './checker.ts';
import { Dice } from './dice.ts';
import { People } from './people.ts';
import { type Fault, type Plan, planOf, type Step } from './plan.ts';
import { policyOf } from './policies.ts';
import { Receivers } from './receivers.ts';
import { Life } from './replica.ts';
import { Rows } from './rows.ts';
import { Samples } from './samples.ts';
import { Service } from './services.ts';
import { isTickOnly, Store } from './store.ts';
import { beginAt, FIRST_EPOCH_MS, MachineClock, T0, Time } from './time.ts';
import { Trouble } from './trouble.ts';

/** After the deadline of the last watch: asked waits of channels and what verifies still. */
const AFTER_MAX_MS = 600_000;
const LOOK_EVERY_MS = 5_000;
const VIEW_EVERY_MS = 20_000;
/** Chains of calls that begin again after each acknowledgement. */
const CALLS_MAX_MS = 1_800_000;
const ANSWERS_MAX = 3;

export type Result = {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly simulatedMs: number;
  readonly watches: number;
  readonly crashes: number;
  readonly phases: Readonly<Record<string, number>>;
  /** Messages that routing has done something to, by what. */
  readonly told: Readonly<Record<string, number>>;
  readonly faults: ReadonlyMap<Fault, number>;
  readonly lastFaults: readonly string[];
  readonly story: readonly string[];
  /** Log and journal as one text; empty unless asked for. */
  readonly trace: string;
};

export type WorldOptions = {
  readonly seed: number;
  readonly replicas?: number | null;
  readonly keepsTrace?: boolean;
};

/** A folder in memory where there is one: the journal waits for the disk at every write. */
export function memoryFolder(): string {
  const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  return mkdtempSync(join(base, 'canaryd-sim-'));
}

export async function runSeed(options: WorldOptions, folder: string): Promise<Result> {
  const path = join(folder, 'journal.db');
  const template = join(folder, 'template.db');
  if (!existsSync(template)) {
    await openSqliteJournal({ path: template })[Symbol.asyncDispose]();
  }
  copyFileSync(template, path);
  const journal = openSqliteJournal({ path });
  const rows = new Rows(path);
  try {
    return await new World(options, journal, rows).run();
  } finally {
    rows.close();
    await journal[Symbol.asyncDispose]();
    for (const end of ['', '-wal', '-shm', '.lock']) rmSync(path + end, { force: true });
  }
}

class World {
  readonly #seed: number;
  readonly #plan: Plan;
  readonly #time = new Time();
  readonly #dice: Dice;
  readonly #trouble: Trouble;
  readonly #rows: Rows;
  readonly #samples = new Samples();
  readonly #services: readonly Service[];
  readonly #checker: Checker;
  readonly #store: Store;
  readonly #receivers: Receivers;
  readonly #people: People;
  readonly #clocks: readonly MachineClock[];
  /** The life of each machine; null: none at present. */
  readonly #lives: (Life | null)[];
  readonly #newborn: () => number;
  readonly #log: string[] | null;
  readonly #answering: Dice;
  readonly #blockedUntil = new Map<string, number>();
  #answersLeft = ANSWERS_MAX;
  /** Kept at every change: what was seen due by a clock may begin after that clock was set back. */
  #aheadMs: number;
  #storyLeft = 0;
  #lifeCount = 0;
  #watchCount = 0;
  #crashes = 0;
  #isEnded = false;
  #hasReacted = false;

  constructor(
    { seed, replicas = null, keepsTrace = false }: WorldOptions,
    journal: Journal,
    rows: Rows,
  ) {
    this.#seed = seed;
    this.#plan = planOf(seed, replicas);
    beginAt(this.#plan.routing?.epochMs ?? FIRST_EPOCH_MS);
    this.#dice = new Dice(seed);
    this.#rows = rows;
    this.#log = keepsTrace ? [] : null;
    const time = this.#time;
    this.#trouble = new Trouble(this.#plan, time, (line) => this.#log?.push(line));
    const trouble = this.#trouble;
    this.#services = this.#plan.services.map(
      (plan) =>
        new Service(plan, time, this.#samples, {
          dice: this.#dice.of(plan.policy.service),
          strikes: (kind) => trouble.strikes(kind, plan.policy.service),
          scrapesStop: () => trouble.during('scrapes stop', plan.policy.service),
        }),
    );
    this.#checker = new Checker(rows, this.#truth(), this.#plan.routing);
    this.#store = this.#createStore(journal);
    this.#receivers = this.#createReceivers();
    this.#people = new People({
      time,
      dice: this.#dice.of('people'),
      services: this.#services,
      lives: () => this.#living(),
      happened: (kind, where) => trouble.happened(kind, where),
      onAcknowledged: (command, watchId) => this.#acknowledged(command, watchId),
      onBug: (error) => this.#bug(error),
    });
    this.#clocks = this.#plan.skewsMs.map((skewMs) => new MachineClock(time, skewMs));
    this.#aheadMs = Math.max(0, ...this.#plan.skewsMs);
    this.#lives = this.#clocks.map(() => null);
    const births = this.#dice.of('births');
    this.#answering = new Dice(seed ^ 0xca11).of('answers');
    this.#newborn = () => births.between(1_000, 9_000);
  }

  #truth(): ConstructorParameters<typeof Checker>[1] {
    const service = (name: string) => this.#services.find((one) => one.name === name);
    return {
      now: () => this.#time.now,
      calmSince: () => (this.#trouble.isHealed ? this.#plan.healAtMs : null),
      wellSince: () => {
        if (this.#plan.routing?.isGentle === true) return 0;
        return this.#trouble.isHealed ? this.#plan.healAtMs : null;
      },
      aheadMs: () => this.#aheadMs,
      blockedUntil: (channel) => this.#blockedUntil.get(channel) ?? 0,
      versionOf: (name) => service(name)?.version ?? '',
      ailedWithin: (name, ...rest) => service(name)?.ailedWithin(...rest) ?? false,
      illSince: (name, ailment) => service(name)?.illSince(ailment) ?? null,
      healthTroubledWithin: (fromMs, toMs) =>
        this.#plan.spans.some(
          (span) => span.kind.startsWith('health') && span.fromMs <= toMs && span.toMs >= fromMs,
        ),
      livesSince: (replica) => this.#store.livesSince(replica),
      samples: (metric, labels) => this.#samples.find(metric, labels),
    };
  }

  #createStore(journal: Journal): Store {
    const checker = this.#checker;
    return new Store({
      journal,
      time: this.#time,
      trouble: this.#trouble,
      dice: this.#dice.of('store'),
      watch: {
        appended: (by, batches, result) => {
          const ids = batches.map(({ watchId }) => watchId);
          if (result !== 'appended') return checker.refused(ids);
          this.#log?.push(`${this.#time.now} ${by} appends ${ids.join()}`);
          checker.appended(
            by,
            batches.map((batch) => ({
              watchId: batch.watchId,
              tick: batch.tick?.tick ?? null,
              previousTickMs: batch.tick?.previousAtMs ?? null,
              outcomes: batch.updates ?? [],
              isTickOnly: isTickOnly(batch),
            })),
          );
        },
        attemptBegan: (by, id, attempt, began) =>
          checker.deliveries.attemptBegan(by, id, attempt, began),
        holdSet: (hold) => checker.deliveries.holdSet(hold !== null),
      },
    });
  }

  #createReceivers(): Receivers {
    const { deliveries } = this.#checker;
    return new Receivers({
      time: this.#time,
      trouble: this.#trouble,
      dice: this.#dice.of('receivers'),
      isDisarmDeaf: this.#plan.routing?.isDisarmDeaf === true,
      onSent: (sent) => {
        deliveries.sent(sent);
        this.#react(sent.watchId);
      },
      onTaken: (sent) => {
        deliveries.taken(sent);
        if (sent.name === 'rollback') this.#rolledBack(sent.watchId);
      },
      onPosted: (posted) => {
        deliveries.posted(posted);
        if (posted.message.kind === 'escalation.called') this.#answer(posted.message.watchId);
      },
      onUnposted: (channel, untilMs) => {
        this.#blockedUntil.set(channel, Math.max(untilMs, this.#blockedUntil.get(channel) ?? 0));
      },
    });
  }

  /** Somebody sees that something happens, and does something about it. */
  #react(watchId: string): void {
    const { reaction } = this.#plan;
    if (reaction === null || this.#hasReacted || this.#trouble.isHealed) return;
    this.#hasReacted = true;
    const service = this.#checker.books.get(watchId)?.deploy.service;
    const index = this.#services.findIndex(({ name }) => name === service);
    const step = { machine: 0, ms: 0, service: Math.max(0, index) };
    const later = (what: Step['what'], atMs: number) => {
      this.#storyLeft += 1;
      const doIt = () => void this.#do({ ...step, what, atMs }).finally(() => this.#storyLeft--);
      this.#time.in(atMs, doIt);
    };
    later(reaction.what, reaction.afterMs);
    if (reaction.what !== 'hold fire') return;
    later('hold released', reaction.afterMs + reaction.lastsMs);
  }

  /** Somebody has read a call and, a while later, looks after it. */
  #answer(watchId: string): void {
    const dice = this.#answering;
    if (this.#answersLeft === 0 || !dice.chance(this.#plan.routing?.answers ?? 0)) return;
    this.#answersLeft -= 1;
    this.#storyLeft += 1;
    const by = dice.pick(['ada', 'bob']);
    this.#time.in(dice.between(0, 40_000), () => {
      this.#trouble.happened('call answered', `${watchId} by ${by}`);
      void this.#people.acknowledge(watchId, by).finally(() => (this.#storyLeft -= 1));
    });
  }

  #rolledBack(watchId: string): void {
    const book = this.#checker.books.get(watchId);
    const service = this.#services.find(({ name }) => name === book?.deploy.service);
    if (service === undefined || service.version !== book?.deploy.version) return;
    this.#time.in(3_000, () => {
      service.deploy('1.0.0', 0);
      if (service.plan.isCurable) service.cure();
    });
  }

  #living(): readonly Life[] {
    return this.#lives.filter((life): life is Life => life?.isAlive() === true && !life.isEnding);
  }

  #bug(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#checker.violation('bug', null, `something was thrown: ${text}`);
  }

  /** What a client was told is done is in the store. */
  #acknowledged(command: string, watchId: string): void {
    const book = this.#checker.books.get(watchId);
    if (book === undefined) {
      this.#checker.violation('lost', watchId, `${command} was acknowledged and is not there`);
    }
  }

  #birth(machine: number): void {
    const clock = this.#clocks[machine];
    if (clock === undefined || this.#isEnded || this.#lives[machine]?.isAlive()) return;
    this.#lifeCount += 1;
    const life = new Life(`r_${this.#lifeCount}`, machine, clock, {
      time: this.#time,
      dice: this.#dice.of(`life ${this.#lifeCount}`),
      trouble: this.#trouble,
      store: this.#store,
      samples: this.#samples,
      services: this.#services,
      receivers: this.#receivers,
      policies: this.#plan.services.map(({ policy }) => policyOf(policy)),
      routing: this.#plan.routing,
      newWatchId: () => {
        this.#watchCount += 1;
        return `w_${this.#watchCount}`;
      },
      onBug: (error) => this.#bug(error),
      onDeath: (dead, why) => this.#died(dead, why),
    });
    this.#lives[machine] = life;
    life.start();
  }

  #died(life: Life, why: string): void {
    if (!life.isEnding) this.#crashes += 1;
    this.#log?.push(`${this.#time.now} ${life.id} is gone: ${why}`);
    this.#time.in(this.#newborn(), () => this.#birth(life.machine));
  }

  async run(): Promise<Result> {
    const { healAtMs, steps } = this.#plan;
    this.#lives.forEach((_, machine) => {
      this.#time.in(machine * 300, () => this.#birth(machine));
    });
    if (this.#plan.skewsMs.some((ms) => Math.abs(ms) > 1_000)) {
      this.#trouble.happened('clock skew', this.#plan.skewsMs.join());
    }
    const { routing } = this.#plan;
    if (routing !== null && routing.nightEndMs !== null) {
      const { zone = '' } = routing.routing.quietHours ?? {};
      this.#trouble.happened(routing.hasChange ? 'clocks changed in the night' : 'night', zone);
    }
    if (routing !== null && routing.storm !== null) this.#trouble.happened('storm', 'sources');
    for (const service of this.#services) this.#begin(service);
    for (const step of steps) {
      this.#storyLeft += 1;
      this.#time.in(step.atMs, () => void this.#do(step).finally(() => (this.#storyLeft -= 1)));
    }
    this.#storyLeft += 1;
    this.#time.in(healAtMs, () => void this.#heal().finally(() => (this.#storyLeft -= 1)));
    this.#lookAround();
    await this.#time.run(this.#lastMs(), () => this.#isEnded);
    this.#isEnded = true;
    // What ended early because of a violation is not done, and that says nothing.
    if (this.#checker.violations.length === 0) this.#checker.ended(this.#isDone());
    return this.#result();
  }

  #begin(service: Service): void {
    service.start();
    if (service.plan.oldRemainsMs > 0) this.#trouble.happened('old series remain', service.name);
    this.#storyLeft += 1;
    this.#time.in(service.plan.deployAtMs, () => {
      void this.#people.deploy(service, '2.0.0').finally(() => (this.#storyLeft -= 1));
    });
  }

  #lastMs(): number {
    const latest = Math.max(this.#plan.healAtMs, ...this.#plan.steps.map(({ atMs }) => atMs));
    const { routing } = this.#plan;
    const moreMs = routing === null ? 0 : (routing.nightEndMs ?? 0) * 2 + CALLS_MAX_MS;
    return latest + 3 * AFTER_MAX_MS + moreMs;
  }

  /** Everything works again, and clocks are right to a few milliseconds. */
  async #heal(): Promise<void> {
    for (const clock of this.#clocks) this.#setClock(clock, Math.sign(clock.skewMs) * 20);
    await this.#people.release();
  }

  #setClock(clock: MachineClock, skewMs: number): void {
    clock.skewMs = skewMs;
    this.#aheadMs = Math.max(this.#aheadMs, skewMs);
  }

  async #do(step: Step): Promise<void> {
    const { what, machine, ms } = step;
    const life = this.#lives[machine];
    const clock = this.#clocks[machine];
    const happened = (where: string) => this.#trouble.happened(what, where);
    switch (what) {
      case 'crash asleep':
        if (life?.isAlive()) happened(life.id);
        return life?.kill('crash asleep');
      case 'graceful stop':
        if (life?.isAlive()) happened(life.id);
        return Promise.race([life?.end() ?? Promise.resolve(), this.#time.wait(30_000)]);
      case 'all replicas away':
        happened(`${Math.round(ms)} ms`);
        for (const one of this.#lives) one?.kill('all away');
        return;
      case 'clock step forward':
      case 'clock step back':
        happened(`machine ${machine} by ${Math.round(ms)} ms`);
        if (clock === undefined) return;
        return this.#setClock(clock, clock.skewMs + (what === 'clock step back' ? -ms : ms));
      default:
        return Promise.race([this.#people.do(step), this.#time.wait(AFTER_MAX_MS)]);
    }
  }

  #lookAround(): void {
    this.#time.in(LOOK_EVERY_MS, () => {
      if (this.#checker.violations.length > 0 || this.#isDone()) {
        this.#isEnded = true;
        return;
      }
      this.#checker.look();
      if (Math.floor(this.#time.now / VIEW_EVERY_MS) % 2 === 0) void this.#views();
      this.#lookAround();
    });
  }

  #isDone(): boolean {
    if (!this.#trouble.isHealed || this.#storyLeft > 0) return false;
    const { active, pending } = this.#rows.left();
    return active === 0 && pending === 0;
  }

  /** J7: every replica shows what the events say. */
  async #views(): Promise<void> {
    for (const life of this.#living()) {
      for (const [id, book] of this.#checker.books) {
        const before = book.events.length;
        const asked = life.engine.commands.watch(id).catch(() => null);
        const view = await Promise.race([asked, this.#time.wait(8_000).then(() => null)]);
        if (view === null || before !== book.events.length) continue;
        this.#checker.shown(id, view);
      }
    }
  }

  #result(): Result {
    const phases: Record<string, number> = {};
    for (const { state } of this.#checker.books.values()) {
      phases[state.phase] = (phases[state.phase] ?? 0) + 1;
      if (state.verification !== 'none') {
        phases[state.verification] = (phases[state.verification] ?? 0) + 1;
      }
    }
    const violations = this.#checker.violations.slice(0, 5);
    return {
      seed: this.#seed,
      violations,
      simulatedMs: this.#time.now,
      watches: this.#checker.books.size,
      crashes: this.#crashes,
      phases,
      told: this.#checker.deliveries.routing.counts,
      faults: this.#trouble.counts,
      lastFaults: this.#trouble.last,
      story: violations.length > 0 ? this.#story(violations) : [],
      trace: this.#log === null ? '' : [...this.#log, this.#rows.dump()].join('\n'),
    };
  }

  #story(violations: readonly Violation[]): readonly string[] {
    const ids = new Set(violations.flatMap(({ watchId }) => watchId ?? []));
    const books = [...this.#checker.books.values()].filter(({ id }) => ids.has(id));
    return books.flatMap(({ id, events, ticks, deploy, policy }) => [
      `watch ${id} of ${deploy.service} ${deploy.version}, every ${policy.intervalMs} ms`,
      ...events.map(({ atMs, type, body }) => {
        const text = JSON.stringify(body);
        return `  ${((atMs - T0) / 1_000).toFixed(3)}s ${type} ${text.slice(0, 200)}`;
      }),
      ...ticks.slice(-6).map(({ atMs, by, readings }) => {
        const values = Object.entries(readings).map(
          ([name, one]) => `${name}=${one.value ?? one.reason}`,
        );
        return `  tick ${((atMs - T0) / 1_000).toFixed(3)}s by ${by}: ${values.join(' ')}`;
      }),
    ]);
  }
}
