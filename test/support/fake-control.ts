// An in-memory Control for tests of the API and the CLI: no engine, no judgement; tests say what
// happens. Views follow from the same fold as everywhere.
import type { Delivery } from '../../src/core/delivery.ts';
import { type Deploy, deployKey } from '../../src/core/deploy.ts';
import type { EventBody, WatchEvent } from '../../src/core/event.ts';
import type { Tick } from '../../src/core/sample.ts';
import { type SignOffNeed, signatureOf } from '../../src/core/sign-off.ts';
import { fold, isActive } from '../../src/core/watch.ts';
import type {
  Change,
  ConditionView,
  Control,
  HumanCommand,
  SignCommand,
  StartCommand,
  WatchView,
} from '../../src/engine/control.ts';
import { incidentOf } from '../../src/engine/view-words.ts';
import type { Hold, WatchFilter } from '../../src/journal/journal.ts';
import { CanarydError, type ErrorCode } from '../../src/kit/errors.ts';

export const T0 = Date.UTC(2026, 2, 1, 12);

type Entry = {
  readonly id: string;
  readonly deploy: Deploy;
  readonly key: string | undefined;
  readonly events: WatchEvent[];
  readonly ticks: Tick[];
  deliveries: Delivery[];
  conditions: ConditionView[];
};

export function conditionView(over: Partial<ConditionView> = {}): ConditionView {
  return {
    condition: 'immediate.stop.fill_rate',
    indicator: 'fill_rate',
    title: 'Order fill rate',
    window: 'immediate',
    role: 'stop',
    due: true,
    state: 'inactive',
    stateSince: new Date(T0).toISOString(),
    firesAt: null,
    value: 0.982,
    limit: 0.8,
    unit: 'ratio',
    limitText: 'below 80 %',
    text: '98.2 % of 1,204 in 1m, must not be below 80 %',
    now: '98.2 % (1,182 of 1,204 in 1m)',
    must: 'must be at least 80 %',
    allowed: { low: 0.8, high: null },
    sentence: 'Stop when Order fill rate below 80 % (immediate, 0s-15m)',
    blindReason: null,
    preExisting: false,
    query: 'sum(rate(orders_total[1m]))',
    ...over,
  };
}

export class FakeControl implements Control {
  /** Every command, in order: what a GET must never add to. */
  readonly commands: { readonly name: string; readonly argument: unknown }[] = [];
  readonly entries = new Map<string, Entry>();
  readonly listeners = new Set<{
    readonly id: string | null;
    readonly listener: (change: Change) => void;
  }>();
  health_ = { live: true, ready: true, checks: { journal: 'ok', evaluation: 'ok' } };
  /** What people sign on every watch. */
  signOffs: readonly SignOffNeed[] = [];
  /** The next calls fail with this. */
  failure: Error | null = null;
  #hold: Hold | null = null;
  #nextId = 1;

  async start(command: StartCommand) {
    this.#record('start', command);
    if (command.service === 'unknown') {
      throw new CanarydError('policy_not_found', 'service: no policy for "unknown"');
    }
    const deploy: Deploy = {
      service: command.service,
      environment: command.environment ?? 'production',
      version: command.version,
      previousVersion: command.previousVersion ?? null,
      deployedAtMs: command.deployedAtMs ?? T0,
      parameters: command.parameters,
      by: command.by ?? null,
      url: command.url ?? null,
    };
    const same = [...this.entries.values()].find(
      (entry) =>
        (entry.key !== undefined && entry.key === command.idempotencyKey) ||
        (deployKey(entry.deploy) === deployKey(deploy) && this.#view(entry).active),
    );
    if (same !== undefined) return { watch: this.#view(same), created: false };
    const id = `w_${String(this.#nextId++).padStart(16, '0')}`;
    this.entries.set(id, {
      id,
      deploy,
      key: command.idempotencyKey,
      events: [],
      ticks: [],
      deliveries: [],
      conditions: [conditionView()],
    });
    this.happen(id, {
      type: 'watch.started',
      deploy,
      policy: deploy.service,
      policyHash: 'abc123',
      mode: command.mode ?? 'act',
      lateMs: 0,
      rollbackOf: null,
      deadlineAtMs: T0 + 86_400_000,
      stopConditions: 1,
    });
    return { watch: await this.watch(id), created: true };
  }

  /** Something happens to a watch. */
  happen(id: string, body: EventBody, atMs?: number): void {
    const entry = this.#entry(id);
    const seq = entry.events.length + 1;
    const event: WatchEvent = { ...body, seq, atMs: atMs ?? T0 + seq * 1_000 };
    entry.events.push(event);
    this.#tell({ kind: 'event', watchId: id, event });
  }

  tick(id: string, tick: Tick): void {
    this.#entry(id).ticks.push(tick);
    this.#tell({ kind: 'tick', watchId: id, tick });
  }

  async watch(id: string): Promise<WatchView> {
    this.#fail();
    return this.#view(this.#entry(id));
  }

  async watches(filter: WatchFilter): Promise<readonly WatchView[]> {
    this.#fail();
    if (filter.beforeId !== undefined) this.#entry(filter.beforeId);
    const { service, environment, phase, beforeId, limit } = filter;
    return [...this.entries.values()]
      .map((entry) => ({ ...this.#view(entry), conditions: [], actions: [] }))
      .filter((view) => service === undefined || view.service === service)
      .filter((view) => environment === undefined || view.environment === environment)
      .filter((view) => phase === undefined || view.phase === phase)
      .filter((view) => filter.isActive === undefined || view.active === filter.isActive)
      .filter((view) => beforeId === undefined || view.id < beforeId)
      .reverse()
      .slice(0, limit);
  }

  async events(id: string, afterSeq = 0, limit = 1_000): Promise<readonly WatchEvent[]> {
    this.#fail();
    return this.#entry(id)
      .events.filter(({ seq }) => seq > afterSeq)
      .slice(0, limit);
  }

  async ticks(id: string, fromMs: number, toMs: number, limit: number): Promise<readonly Tick[]> {
    this.#fail();
    return this.#entry(id)
      .ticks.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs)
      .slice(0, limit);
  }

  async deliveries(id: string): Promise<readonly Delivery[]> {
    this.#fail();
    return this.#entry(id).deliveries;
  }

  async stop(id: string, command: HumanCommand): Promise<WatchView> {
    this.#record('stop', command);
    if (this.#hold !== null) throw new CanarydError('hold_fire', 'hold fire is on; release first');
    this.#open(id);
    this.happen(id, {
      type: 'watch.stopped',
      cause: 'human',
      by: command.by,
      reason: command.reason,
      conditions: [],
      blind: [],
      mode: 'act',
      actions: ['rollback'],
      verifies: false,
    });
    return this.watch(id);
  }

  async cancel(id: string, command: HumanCommand): Promise<WatchView> {
    this.#record('cancel', command);
    this.#open(id);
    this.happen(id, { type: 'watch.cancelled', ...command });
    return this.watch(id);
  }

  async acknowledge(id: string, command: HumanCommand): Promise<WatchView> {
    this.#record('acknowledge', command);
    this.happen(id, { type: 'watch.acknowledged', ...command });
    return this.watch(id);
  }

  async resolve(id: string, command: HumanCommand): Promise<WatchView> {
    this.#record('resolve', command);
    this.happen(id, { type: 'watch.resolved', ...command });
    return this.watch(id);
  }

  async sign(id: string, command: SignCommand): Promise<WatchView> {
    this.#record('sign', command);
    this.happen(id, { type: 'watch.signed', ...command });
    return this.watch(id);
  }

  async extend(id: string, command: HumanCommand & { byMs: number }): Promise<WatchView> {
    this.#record('extend', command);
    const { by, reason, byMs } = command;
    const deadlineAtMs = this.#open(id).deadlineAtMs + byMs;
    this.happen(id, { type: 'watch.extended', by, reason, deadlineAtMs });
    return this.watch(id);
  }

  async hold(): Promise<Hold | null> {
    this.#fail();
    return this.#hold;
  }

  async setHold(command: HumanCommand): Promise<Hold> {
    this.#record('setHold', command);
    this.#hold = { ...command, sinceMs: T0 };
    return this.#hold;
  }

  async release(command: HumanCommand): Promise<void> {
    this.#record('release', command);
    this.#hold = null;
  }

  subscribe(id: string | null, listener: (change: Change) => void): () => void {
    const entry = { id, listener };
    this.listeners.add(entry);
    return () => this.listeners.delete(entry);
  }

  async health() {
    this.#fail();
    return this.health_;
  }

  failWith(code: ErrorCode, message: string): void {
    this.failure = new CanarydError(code, message);
  }

  #fail(): void {
    if (this.failure !== null) throw this.failure;
  }

  #record(name: string, argument: unknown): void {
    this.#fail();
    this.commands.push({ name, argument });
  }

  #entry(id: string): Entry {
    const entry = this.entries.get(id);
    if (entry === undefined) throw new CanarydError('watch_not_found', `no watch ${id}`);
    return entry;
  }

  #open(id: string) {
    const state = fold(this.#entry(id).events);
    if (state.phase === 'watching') return state;
    throw new CanarydError('watch_closed', `watch ${id} is ${state.phase} already`);
  }

  #tell(change: Change): void {
    for (const { id, listener } of this.listeners) {
      if (id === null || id === change.watchId) listener(change);
    }
  }

  #view(entry: Entry): WatchView {
    const { id, deploy, events, ticks, conditions } = entry;
    const state = fold(events);
    const iso = (ms: number) => new Date(ms).toISOString();
    const lastTick = ticks.at(-1);
    return {
      id,
      service: deploy.service,
      environment: deploy.environment,
      version: deploy.version,
      previousVersion: deploy.previousVersion,
      policy: deploy.service,
      policyHash: 'abc123',
      revision: entry.events.length,
      mode: state.mode,
      phase: state.phase,
      active: isActive(state),
      deployedAt: iso(deploy.deployedAtMs),
      startedAt: iso(state.startedAtMs),
      closedAt: state.closedAtMs === null ? null : iso(state.closedAtMs),
      deadlineAt: iso(state.deadlineAtMs),
      window: state.window,
      armed: { seen: state.arming === 'armed' ? 1 : 0, total: 1 },
      reason: state.stop?.reason ?? null,
      verification: state.verification.kind,
      acknowledgedBy: state.acknowledgedBy,
      incident: incidentOf(state),
      rollbackOf: state.rollbackOf,
      withoutGo: state.withoutGo,
      signOffs: this.signOffs.map((need) => {
        const given = signatureOf(state, need.role);
        const { name = '', by = '', note = null, atMs = T0 } = given ?? {};
        const signed = given && { name, by, note, at: iso(atMs) };
        return { ...need, dueAt: iso(deploy.deployedAtMs + 900_000), signed };
      }),
      lastTickAt: lastTick === undefined ? null : iso(lastTick.atMs),
      url: null,
      intervalMs: 1_000,
      windows: [{ name: 'immediate', fromAt: iso(T0), untilAt: iso(state.deadlineAtMs) }],
      stop: state.stop && {
        at: iso(state.stop.atMs),
        cause: state.stop.cause,
        by: state.stop.by,
        mode: state.stop.mode,
        causes: [],
      },
      plan: { actions: ['rollback'], verifyMs: null },
      verifyUntil: null,
      worst: null,
      deployedBy: deploy.by,
      links: [],
      parameters: deploy.parameters,
      conditions,
      actions: Object.entries(state.actions).map(([action, actionState]) => ({
        action,
        state: actionState,
        attempts: 0,
        detail: null,
      })),
    };
  }
}
