// What people and pipelines ask: each command is decided on the journal's state and appended.
import { stopPlan } from '../core/decide.ts';
import type { Delivery } from '../core/delivery.ts';
import type { Deploy } from '../core/deploy.ts';
import type { EventBody, WatchEvent } from '../core/event.ts';
import type { Mode, Policy } from '../core/policy.ts';
import { policyEndMs } from '../core/policy.ts';
import { formatDuration } from '../core/quantity.ts';
import type { Tick } from '../core/sample.ts';
import { CLOCK_SKEW_MS } from '../core/start.ts';
import type { Hold, Journal, WatchFilter } from '../journal/journal.ts';
import type { Clock } from '../kit/clock.ts';
import { CanarydError, type Problem } from '../kit/errors.ts';
import { isRepeated } from './acknowledging.ts';
import type {
  Change,
  Control,
  HumanCommand,
  SignCommand,
  StartCommand,
  WatchView,
} from './control.ts';
import { type Decision, type Ledger, type Loaded, notFound } from './ledger.ts';
import * as refusals from './refusals.ts';
import { signed } from './signing.ts';
import { endings, heldEvents, withGate } from './starting.ts';
import type { Subscribers } from './subscribers.ts';
import { type QueryOf, watchView } from './view.ts';

const DEFAULT_ENVIRONMENT = 'production';
/** Earlier watches of the service that a start looks at. */
const RECENT_MAX = 20;
const STARTS_MAX = 8;
const OPEN_MAX = 10_000;
/** A watch may be extended to this long after its deploy. */
const EXTENDED_MAX_MS = 31 * 24 * 3_600_000;

export type LoadedPolicy = { readonly policy: Policy; readonly hash: string };

export type CommandsOptions = {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly ledger: Ledger;
  readonly policies: readonly LoadedPolicy[];
  readonly newWatchId: () => string;
  /** Fills in defaults; problems name the parameter, what was found and what is wanted. */
  readonly checkParameters: (
    policy: Policy,
    given: Readonly<Record<string, number | string>>,
  ) =>
    | { readonly kind: 'values'; readonly values: Deploy['parameters'] }
    | { readonly kind: 'problems'; readonly problems: readonly Problem[] };
  /** Names of secrets that the policy's actions need and that cannot be found. */
  readonly missingSecrets: (policy: Policy) => readonly string[];
  readonly publicUrl: string | null;
  /** How long an acknowledgement lasts where people are called; null: nobody is. */
  readonly acknowledgedForMs: number | null;
  /** The query of an indicator whose placeholders are filled, for people to try. */
  readonly queryOf?: QueryOf;
  readonly subscribers: Subscribers;
  /** Something was appended that somebody should look at now. */
  readonly onWork: () => void;
  readonly health: Control['health'];
};

export class Commands implements Control {
  readonly #options: CommandsOptions;

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  async start(command: StartCommand): Promise<{ watch: WatchView; created: boolean }> {
    const { journal, ledger, clock, newWatchId, onWork } = this.#options;
    if (command.idempotencyKey !== undefined) {
      const known = await journal.watchByIdempotencyKey(command.idempotencyKey);
      if (known !== null) return { watch: await this.#repeated(known.id, command), created: false };
    }
    const { policy, hash } = this.#policyFor(command);
    const nowMs = clock.now();
    const deploy = this.#deployOf(command, policy, nowMs);
    const mode = this.#modeOf(command, policy);
    if (mode === 'act') refusals.demandPreviousVersion(policy, deploy);
    const held = await journal.hold();
    for (let round = 0; round < STARTS_MAX; round += 1) {
      const recent = await this.#recent(deploy);
      const id = newWatchId();
      const earlier = recent.map(({ record, state }) => ({ id: record.id, state }));
      const asked = {
        ...{ id, deploy, policy, policyHash: hash, mode, nowMs, recent: earlier },
        isTimeGiven: command.deployedAtMs !== undefined,
      };
      const decided = await withGate(asked, journal);
      if (decided.kind === 'exists') {
        return { watch: await this.watch(decided.watchId), created: false };
      }
      if (decided.kind === 'differs') throw refusals.differs(deploy, decided.watchId);
      if (decided.kind === 'outdated') throw refusals.outdated(deploy, decided.watchId);
      if (decided.kind === 'without_go') throw refusals.gateMissing(policy, deploy, decided.found);
      const idempotencyKey = command.idempotencyKey ?? null;
      const opened = await ledger.open(
        { id, deploy, policy, policyHash: hash, idempotencyKey, startedAtMs: nowMs },
        { events: [...decided.events, ...heldEvents(held)] },
        endings(decided.earlier, recent),
        nowMs,
      );
      if (opened === null) continue;
      onWork();
      return { watch: await this.#view(opened), created: true };
    }
    throw new CanarydError('conflict', 'Cannot start the watch: others keep starting the same one');
  }

  /** The answer to a repeated key; another deploy under the same key is a mistake. */
  async #repeated(id: string, command: StartCommand): Promise<WatchView> {
    const watch = await this.watch(id);
    const { service, version, environment = watch.environment } = command;
    if (
      watch.service !== service ||
      watch.version !== version ||
      watch.environment !== environment
    ) {
      throw new CanarydError(
        'conflict',
        `Cannot start: this Idempotency-Key was used for ${watch.service} ${watch.version} (${watch.environment}), not for ${service} ${version} (${environment}); use a new key`,
      );
    }
    return watch;
  }

  #policyFor(command: StartCommand): LoadedPolicy {
    const { policies } = this.#options;
    const { service, environment, policy: name } = command;
    const fits = policies.filter(
      ({ policy }) =>
        policy.service === service &&
        (name === undefined || policy.name === name) &&
        (environment === undefined ||
          policy.environment === null ||
          policy.environment === environment),
    );
    const own = fits.filter(({ policy }) => policy.environment !== null);
    const candidates = environment !== undefined && own.length > 0 ? own : fits;
    const [found] = candidates;
    if (found === undefined) {
      const known = policies.map(
        ({ policy }) =>
          `${policy.name} (${policy.service}, ${policy.environment ?? 'any environment'})`,
      );
      const wanted = [service, environment, name && `policy ${name}`].filter(Boolean).join(', ');
      throw new CanarydError(
        'policy_not_found',
        `No policy for ${wanted}; loaded: ${known.join('; ') || 'none'}`,
      );
    }
    if (candidates.length > 1) {
      const names = candidates.map(({ policy }) => policy.name).join(', ');
      throw new CanarydError(
        'start_invalid',
        `Several policies fit ${service}: ${names}; name one with 'policy'`,
        { problems: [{ path: 'policy', message: `missing; wanted one of: ${names}` }] },
      );
    }
    return found;
  }

  #deployOf(command: StartCommand, policy: Policy, nowMs: number): Deploy {
    const checked = this.#options.checkParameters(policy, command.parameters);
    const problems = checked.kind === 'problems' ? [...checked.problems] : [];
    const deployedAtMs = command.deployedAtMs ?? nowMs;
    if (deployedAtMs > nowMs + CLOCK_SKEW_MS) {
      const ahead = formatDuration(deployedAtMs - nowMs);
      const message = `found a time ${ahead} in the future; wanted at most now: start the watch after the deploy, or check the clocks`;
      problems.push({ path: 'deployed_at', message });
    }
    if (nowMs - deployedAtMs >= policyEndMs(policy)) {
      const end = formatDuration(policyEndMs(policy));
      const message = `found a deploy older than the policy's last window (${end} after the deploy); there is nothing left to watch`;
      problems.push({ path: 'deployed_at', message });
    }
    if (problems.length > 0 || checked.kind === 'problems') {
      const text = `Cannot start the watch of ${command.service} ${command.version}: ${problems.map((p) => `${p.path}: ${p.message}`).join('; ')}`;
      throw new CanarydError('start_invalid', text, { problems });
    }
    return {
      service: command.service,
      environment: command.environment ?? policy.environment ?? DEFAULT_ENVIRONMENT,
      version: command.version,
      previousVersion: command.previousVersion ?? null,
      // A clock ahead of ours must not open a window in the future.
      deployedAtMs: Math.min(deployedAtMs, nowMs),
      parameters: checked.values,
      by: command.by ?? null,
      url: command.url ?? null,
    };
  }

  #modeOf(command: StartCommand, policy: Policy): Mode {
    if (command.mode === 'act' && policy.mode === 'observe') {
      const message = `found act; the policy '${policy.name}' only observes: change the policy`;
      throw new CanarydError('start_invalid', `Cannot start: mode: ${message}`, {
        problems: [{ path: 'mode', message }],
      });
    }
    const mode = command.mode ?? policy.mode;
    const missing = mode === 'act' ? this.#options.missingSecrets(policy) : [];
    if (missing.length > 0) {
      throw new CanarydError(
        'start_invalid',
        `Cannot act for policy '${policy.name}': the secrets ${missing.join(', ')} are not set; set these environment variables (or NAME_FILE) for the daemon, or start with mode observe`,
      );
    }
    return mode;
  }

  async #recent({ service, environment }: Deploy): Promise<readonly Loaded[]> {
    const { journal, ledger } = this.#options;
    const records = await journal.watches({ service, environment, limit: RECENT_MAX });
    const loaded = await Promise.all(records.map(({ id }) => ledger.load(id)));
    return loaded.filter((entry) => entry !== null);
  }

  async watch(id: string): Promise<WatchView> {
    const loaded = await this.#options.ledger.load(id);
    if (loaded === null) throw notFound(id);
    return this.#view(loaded);
  }

  async #view(loaded: Loaded): Promise<WatchView> {
    const { journal, publicUrl } = this.#options;
    const { id, track } = loaded.record;
    const deliveries = await journal.deliveries(id);
    const ticks = track === null ? [] : await journal.ticks(id, track.atMs, track.atMs, 1);
    const { queryOf } = this.#options;
    const acknowledging = this.#acknowledging();
    return watchView(loaded, deliveries, ticks[0] ?? null, publicUrl, queryOf, acknowledging);
  }

  #acknowledging() {
    const { clock, acknowledgedForMs } = this.#options;
    return { nowMs: clock.now(), forMs: acknowledgedForMs };
  }

  async watches(filter: WatchFilter): Promise<readonly WatchView[]> {
    const { journal, ledger, publicUrl } = this.#options;
    const records = await journal.watches(filter);
    const loaded = await Promise.all(records.map(({ id }) => ledger.load(id)));
    return loaded
      .filter((entry) => entry !== null)
      .map((entry) => {
        const view = watchView(entry, [], null, publicUrl, undefined, this.#acknowledging());
        return { ...view, conditions: [] };
      });
  }

  async events(id: string, afterSeq = 0, limit = 1_000): Promise<readonly WatchEvent[]> {
    await this.#demand(id);
    return this.#options.journal.events(id, afterSeq, limit);
  }

  async ticks(id: string, fromMs: number, toMs: number, limit: number): Promise<readonly Tick[]> {
    await this.#demand(id);
    return this.#options.journal.ticks(id, fromMs, toMs, limit);
  }

  async deliveries(id: string): Promise<readonly Delivery[]> {
    await this.#demand(id);
    return this.#options.journal.deliveries(id);
  }

  async #demand(id: string): Promise<void> {
    if ((await this.#options.journal.watch(id)) === null) throw notFound(id);
  }

  async stop(id: string, { by, reason }: HumanCommand): Promise<WatchView> {
    const held = await this.#options.journal.hold();
    return this.#command(id, ({ record, state }) => {
      if (state.phase !== 'watching') throw refusals.closed(id, state.phase);
      if (state.mode === 'observe') {
        throw new CanarydError(
          'conflict',
          `Cannot stop: watch ${id} only observes, nothing would be sent; disarm and roll back by hand, then cancel the watch`,
        );
      }
      if (held !== null) {
        throw new CanarydError(
          'hold_fire',
          `Cannot stop: hold fire is on since ${new Date(held.sinceMs).toISOString()} by ${held.by} (${held.reason}); release it first`,
        );
      }
      const plan = stopPlan(record.policy, state, false);
      const event = { type: 'watch.stopped', cause: 'human', by, reason } as const;
      return { events: [{ ...event, conditions: [], blind: [], ...plan }] };
    });
  }

  async cancel(id: string, { by, reason }: HumanCommand): Promise<WatchView> {
    return this.#command(id, ({ state }) => {
      if (state.phase !== 'watching') throw refusals.closed(id, state.phase);
      return { events: [{ type: 'watch.cancelled', by, reason }] };
    });
  }

  async acknowledge(id: string, { by, reason }: HumanCommand): Promise<WatchView> {
    const nowMs = this.#options.clock.now();
    return this.#command(id, ({ state }) => {
      return isRepeated(state, by, nowMs)
        ? null
        : { events: [{ type: 'watch.acknowledged', by, reason }] };
    });
  }

  async resolve(id: string, { by, reason }: HumanCommand): Promise<WatchView> {
    return this.#command(id, ({ state }) => {
      const refusal = refusals.cannotResolve(id, state);
      if (refusal !== null) throw refusal;
      return { events: [{ type: 'watch.resolved', by, reason }] };
    });
  }

  async sign(id: string, command: SignCommand): Promise<WatchView> {
    return this.#command(id, ({ record, state }) => {
      const event = signed(id, record.policy, state, command);
      return event === null ? null : { events: [event] };
    });
  }

  async extend(
    id: string,
    { by, reason, byMs }: HumanCommand & { readonly byMs: number },
  ): Promise<WatchView> {
    return this.#command(id, ({ record, state }) => {
      if (state.phase !== 'watching') throw refusals.closed(id, state.phase);
      const deadlineAtMs = state.deadlineAtMs + byMs;
      if (deadlineAtMs - record.deploy.deployedAtMs > EXTENDED_MAX_MS) {
        const message = `found ${formatDuration(byMs)}; a watch may last ${formatDuration(EXTENDED_MAX_MS)} after its deploy at most`;
        throw new CanarydError('start_invalid', `Cannot extend: by_duration: ${message}`, {
          problems: [{ path: 'by_duration', message }],
        });
      }
      return { events: [{ type: 'watch.extended', by, reason, deadlineAtMs }] };
    });
  }

  async #command(id: string, decider: (loaded: Loaded) => Decision | null): Promise<WatchView> {
    const { ledger, clock, onWork } = this.#options;
    const loaded = await ledger.decide(id, clock.now(), decider);
    onWork();
    return this.#view(loaded);
  }

  hold(): Promise<Hold | null> {
    return this.#options.journal.hold();
  }

  async setHold(command: HumanCommand): Promise<Hold> {
    const { journal, clock } = this.#options;
    const hold = { ...command, sinceMs: clock.now() };
    // The switch first: it must count even when the story of a watch cannot be written.
    await journal.setHold(hold);
    await this.#recordSwitch({ type: 'watch.held', ...command });
    return hold;
  }

  async release(command: HumanCommand): Promise<void> {
    const { journal } = this.#options;
    if ((await journal.hold()) === null) return;
    await journal.setHold(null);
    await this.#recordSwitch({ type: 'watch.released', ...command });
  }

  async #recordSwitch(event: EventBody): Promise<void> {
    const { journal, ledger, clock, onWork } = this.#options;
    const open = await journal.watches({ phase: 'watching', limit: OPEN_MAX });
    for (const { id } of open) {
      await ledger.decide(id, clock.now(), ({ state }) =>
        state.phase === 'watching' ? { events: [event] } : null,
      );
    }
    onWork();
  }

  subscribe(watchId: string | null, listener: (change: Change) => void): () => void {
    return this.#options.subscribers.add(watchId, listener);
  }

  health(probe: 'live' | 'ready'): ReturnType<Control['health']> {
    return this.#options.health(probe);
  }
}
