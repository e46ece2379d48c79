// One active watch: read all indicators at one time, decide, append. Holds no truth of its own:
// every tick starts from the journal.
import { BASELINE_LEADS_MS, decideTick } from '../core/decide.ts';
import type { AuditLogIndicator, HttpIndicator, Policy } from '../core/policy.ts';
import {
  type AuditLogs,
  isSeries,
  needsPreviousVersion,
  previousVersionValues,
  type Readings,
  resolveIndicator,
  type SeriesIndicator,
  type Source,
} from '../core/read.ts';
import type { Tick } from '../core/sample.ts';
import { CLOCK_SKEW_MS } from '../core/start.ts';
import { templateValues } from '../core/template.ts';
import { DEADLINE_GRACE_MS } from '../core/tick-end.ts';
import type { Track } from '../core/track.ts';
import { decideVerification, verifyConditions } from '../core/verify.ts';
import { verifiedAction } from '../core/watch.ts';
import type { Hold } from '../journal/journal.ts';
import type { Clock } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import { type Loop, nextRunAt, startLoop } from '../kit/loop.ts';
import { within } from '../kit/within.ts';
import type { HealthProbes } from './health-probes.ts';
import type { Ledger, Loaded } from './ledger.ts';
import { healthKey } from './stand-by.ts';

/** Away for more intervals than this (and at least AWAY_MIN_MS): on-call is told. */
const AWAY_INTERVALS = 4;
const AWAY_MIN_MS = 15_000;
/** Beyond the source's own limits a tick may take this many intervals, and at least so long. */
const TICK_INTERVALS = 4;
const TICK_BEYOND_MIN_MS = 30_000;
/** How long the next tick may take to show that the one that was cut off was an accident. */
const HANGS_AFTER_MS = 10_000;
/** For sources that do not say how long they may take. */
const READ_WITHIN_MS = 30_000;
/** While the source gives nothing at all, the time before the deploy is asked for this long. */
const BASELINE_WITHIN_MS = 10 * 60_000;

export type WatcherOptions = {
  readonly watchId: string;
  readonly policy: Policy;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly source: Source;
  readonly auditLogs: AuditLogs;
  readonly probes: HealthProbes;
  readonly healthBefore: (healthKey: string, beforeMs: number) => Readings[string] | undefined;
  readonly hold: () => Promise<Hold | null>;
  /** When in an interval its ticks come; absent: as it started. */
  readonly offsetMs?: number;
  readonly onTick: (tick: {
    readonly lagMs: number;
    readonly tookMs: number;
    readonly readings: Readings;
  }) => void;
  readonly onEnd: () => void;
  readonly onError: (error: unknown) => void;
};

/** Indicators with their placeholders filled, by how they are read. */
type Resolved = {
  readonly series: readonly SeriesIndicator[];
  readonly http: readonly HttpIndicator[];
  readonly logs: readonly AuditLogIndicator[];
};

export class Watcher {
  readonly #options: WatcherOptions;
  readonly #loop: Loop;
  readonly #pace: { readonly everyMs: number; readonly offsetMs?: number };
  /** When a look at the watch last ended in the journal; null in a new process. */
  #lookedAtMs: number | null = null;
  #plannedAt: number | null = null;
  #isVerifying = false;
  readonly #tickWithinMs: number;
  /** When a tick last ended by itself, well or with an error (monotonic). */
  #endedAt: number;

  constructor(options: WatcherOptions) {
    this.#options = options;
    const { clock, policy, source, offsetMs, onError } = options;
    this.#tickWithinMs =
      (source.readWithinMs ?? READ_WITHIN_MS) +
      Math.max(TICK_INTERVALS * policy.intervalMs, TICK_BEYOND_MIN_MS);
    this.#endedAt = clock.monotonic();
    const offset = offsetMs === undefined ? {} : { offsetMs };
    this.#pace = { everyMs: policy.intervalMs, ...offset };
    const work = (signal: AbortSignal) => this.#run(signal);
    this.#loop = startLoop({ clock, ...this.#pace, work, onError });
  }

  get policy(): Policy {
    return this.#options.policy;
  }

  /**
   * How long no tick has ended by itself, once it is too long; null: it makes progress. Ticks that
   * fail are progress: whatever they wait for answers.
   */
  hangingForMs(): number | null {
    const { clock, policy } = this.#options;
    const forMs = clock.monotonic() - this.#endedAt;
    return forMs > policy.intervalMs + this.#tickWithinMs + HANGS_AFTER_MS ? forMs : null;
  }

  /** Ends here; another replica, or the next start, may go on. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    this.#forget();
  }

  #forget(): void {
    const { source, auditLogs, watchId } = this.#options;
    for (const id of [watchId, verificationOf(watchId)]) {
      source.forget(id);
      auditLogs.forget(id);
    }
  }

  async #run(signal: AbortSignal): Promise<undefined> {
    const { clock, onTick } = this.#options;
    const startedAt = clock.monotonic();
    const lagMs = this.#plannedAt === null ? 0 : Math.max(0, startedAt - this.#plannedAt);
    this.#plannedAt = nextRunAt(startedAt, this.#pace);
    const readings = await this.#bounded(signal).catch(async (error: unknown) => {
      if (!signal.aborted) await this.#closeUnjudged(error);
      throw error;
    });
    if (readings !== null) onTick({ lagMs, tookMs: clock.monotonic() - startedAt, readings });
  }

  /**
   * One tick that ends, whatever hangs. What it still gives afterwards is not used: its signal is
   * aborted, and the next tick goes on.
   */
  async #bounded(signal: AbortSignal): Promise<Readings | null> {
    const { clock } = this.#options;
    const cut = new AbortController();
    const follow = () => cut.abort(signal.reason);
    if (signal.aborted) follow();
    signal.addEventListener('abort', follow, { once: true });
    let isCut = false;
    const tooLong = (): never => {
      isCut = true;
      const error = new Error(`the tick did not end within ${this.#tickWithinMs / 1_000} s`);
      cut.abort(error);
      throw error;
    };
    try {
      return await within(clock, this.#tickWithinMs, () => this.tick(cut.signal), tooLong);
    } finally {
      signal.removeEventListener('abort', follow);
      if (!isCut) this.#endedAt = clock.monotonic();
    }
  }

  /** A watch whose ticks fail for ever ends all the same: what is never judged never passes. */
  async #closeUnjudged(cause: unknown): Promise<void> {
    const { ledger, watchId, clock, policy } = this.#options;
    const atMs = clock.now();
    const because = [`evaluation failed: ${messageOf(cause)}`];
    await ledger.decide(watchId, atMs, ({ state }) => {
      const { phase, verification, actions } = state;
      if (phase === 'watching' && atMs > state.deadlineAtMs + DEADLINE_GRACE_MS) {
        const reason = 'not_evaluated';
        return { events: [{ type: 'watch.inconclusive', reason, coverage: {}, because }] };
      }
      const action = verifiedAction(actions);
      if (verification.kind !== 'verifying' || action === null) return null;
      const endsAtMs = verification.sinceMs + (policy.verify?.withinMs ?? 0);
      if (atMs <= endsAtMs + DEADLINE_GRACE_MS) return null;
      const reason = 'not_verified';
      return { events: [{ type: 'rollback.not_confirmed', action, reason, because }] };
    });
  }

  /** @returns null when the watch needs no more ticks */
  async tick(signal: AbortSignal): Promise<Readings | null> {
    const { ledger, watchId, onEnd } = this.#options;
    const loaded = await ledger.load(watchId);
    if (loaded === null || !loaded.record.isActive) {
      onEnd();
      return null;
    }
    if (loaded.state.phase === 'watching') return this.#watch(loaded, signal);
    return this.#verify(loaded, signal);
  }

  async #watch(loaded: Loaded, signal: AbortSignal): Promise<Readings> {
    const { ledger, watchId, clock, policy, hold } = this.#options;
    await this.#tellAbsence(loaded);
    const atMs = clock.now();
    const deployedAtMs = loaded.record.deploy.deployedAtMs;
    refuseTimeBefore(deployedAtMs, atMs);
    const ids = policy.conditions.map(({ indicator }) => indicator);
    const [readings, baseline] = await Promise.all([
      this.#read(loaded, ids, atMs, deployedAtMs, signal),
      this.#readBaseline(loaded, ids, signal),
    ]);
    // Cut short by our own end: no observation of the service.
    if (signal.aborted) return readings;
    const tick = { atMs, readings };
    await ledger.decide(watchId, atMs, async ({ state, record }) => {
      if (signal.aborted || state.phase !== 'watching') return null;
      if (isTwin(tick, record.track, policy)) return null;
      // Asked last: a switch that was turned during a slow read counts.
      const isHeld = (await hold()) !== null;
      const fresh = state.baselineTaken ? null : baseline;
      const input = { policy, state, track: record.track, tick, baseline: fresh, isHeld };
      const { events, track } = decideTick(input);
      return { events, tick: { tick, track } };
    });
    this.#lookedAtMs = clock.now();
    return readings;
  }

  async #verify(loaded: Loaded, signal: AbortSignal): Promise<Readings> {
    const { ledger, watchId, clock, policy } = this.#options;
    const { verification } = loaded.state;
    if (verification.kind !== 'verifying') return {};
    if (!this.#isVerifying) this.#options.probes.forget();
    this.#isVerifying = true;
    const atMs = clock.now();
    const ids = verifyConditions(policy, loaded.state).map(({ indicator }) => indicator);
    // The rollback is a deploy: ranges do not reach back into the bad version.
    const readings = await this.#read(loaded, ids, atMs, verification.sinceMs, signal);
    if (signal.aborted) return readings;
    const tick = { atMs, readings };
    await ledger.decide(watchId, atMs, ({ state, record }) => {
      if (signal.aborted || state.verification.kind !== 'verifying') return null;
      if (isTwin(tick, record.track, policy)) return null;
      const { events, track } = decideVerification(policy, state, record.track, tick);
      return { events, tick: { tick, track } };
    });
    return readings;
  }

  /**
   * How long nobody looked: canaryd was down, the machine slept, or the journal took no writes.
   * Counted from the end of the last look: slow sources are no absence.
   */
  async #tellAbsence(loaded: Loaded): Promise<void> {
    const { ledger, watchId, clock, policy } = this.#options;
    // Killed before the first tick: nobody has looked since the start.
    const lastMs = this.#lookedAtMs ?? loaded.record.track?.atMs ?? loaded.record.startedAtMs;
    const nowMs = clock.now();
    const awayMs = nowMs - lastMs;
    if (awayMs < Math.max(AWAY_INTERVALS * policy.intervalMs, AWAY_MIN_MS)) return;
    await ledger.decide(watchId, nowMs, ({ state }) =>
      state.phase === 'watching' ? { events: [{ type: 'watch.resumed', awayMs }] } : null,
    );
    this.#lookedAtMs = nowMs;
  }

  async #read(
    { record }: Loaded,
    ids: readonly string[],
    atMs: number,
    deployedAtMs: number,
    signal: AbortSignal,
  ): Promise<Readings> {
    const { source, auditLogs, probes, policy, watchId } = this.#options;
    const isVerifying = record.phase !== 'watching';
    const { series, http, logs } = this.#resolve(record, ids, isVerifying ? 'previous' : 'new');
    const asked = {
      // Other series may be meant: no history is shared with the watch of the bad version.
      watchId: isVerifying ? verificationOf(watchId) : watchId,
      atMs,
      deployedAtMs,
      staleAfterMs: policy.staleAfterMs,
      previous: isVerifying ? {} : (record.track?.sinceDeploy ?? {}),
      signal,
    };
    const [read, health, logged] = await Promise.all([
      source.read({ ...asked, indicators: series }),
      probes.read(http, signal),
      logs.length === 0 ? {} : auditLogs.read({ ...asked, indicators: logs }),
    ]);
    return { ...read, ...health, ...logged };
  }

  #resolve(
    record: Loaded['record'],
    ids: readonly string[],
    version: 'new' | 'previous',
  ): Resolved {
    const { policy } = this.#options;
    const own = templateValues(record.deploy, record.id);
    const values = version === 'new' ? own : previousVersionValues(own);
    const series: SeriesIndicator[] = [];
    const http: HttpIndicator[] = [];
    const logs: AuditLogIndicator[] = [];
    for (const id of new Set(ids)) {
      const indicator = policy.indicators[id];
      if (indicator === undefined) continue;
      const resolved = resolveIndicator(indicator, policy, values);
      if (isSeries(resolved)) series.push(resolved);
      else if (resolved.kind === 'http') http.push(resolved);
      else logs.push(resolved);
    }
    return { series, http, logs };
  }

  /** null: not to be taken now, or the source gave nothing and may be asked again. */
  async #readBaseline(
    { record, state }: Loaded,
    ids: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly Readings[] | null> {
    if (state.baselineTaken) return null;
    const { clock, healthBefore, policy } = this.#options;
    const { deployedAtMs } = record.deploy;
    const known = record.deploy.previousVersion
      ? ids
      : ids.filter((id) => !needsPreviousVersion(policy, id));
    const { http, ...read } = this.#resolve(record, known, 'previous');
    const leads = [...BASELINE_LEADS_MS, 0];
    const reads = await Promise.all(
      leads.map((leadMs) => this.#readBefore(read, deployedAtMs - leadMs, signal)),
    );
    const all = Object.values(reads.at(-1) ?? {});
    const isSilent =
      all.length > 0 && all.every((r) => r.kind === 'blind' && r.reason === 'unreachable');
    if (isSilent && clock.now() - state.startedAtMs < BASELINE_WITHIN_MS) return null;
    // What stood by looked at health for minutes: it speaks for all of these times.
    const health = http.flatMap((indicator) => {
      const reading = healthBefore(healthKey(indicator), deployedAtMs);
      return reading === undefined ? [] : [[indicator.id, reading] as const];
    });
    return reads.map((one) => ({ ...one, ...Object.fromEntries(health) }));
  }

  async #readBefore(
    { series, logs }: Pick<Resolved, 'series' | 'logs'>,
    atMs: number,
    signal: AbortSignal,
  ): Promise<Readings> {
    const { source, auditLogs, policy, watchId } = this.#options;
    const { staleAfterMs } = policy;
    const asked = { watchId, atMs, deployedAtMs: null, staleAfterMs, previous: {}, signal };
    const [read, logged] = await Promise.all([
      source.read({ ...asked, indicators: series }),
      logs.length === 0 ? {} : auditLogs.read({ ...asked, indicators: logs }),
    ]);
    return { ...read, ...logged };
  }
}

/**
 * A wall clock that was set back that far is wrong, or was: what is read at such a time is the old
 * version. The tick fails, which is counted and logged, and the watch is judged when the time is right.
 */
function refuseTimeBefore(deployedAtMs: number, atMs: number): void {
  if (atMs >= deployedAtMs - CLOCK_SKEW_MS) return;
  const [now, deploy] = [atMs, deployedAtMs].map((ms) => new Date(ms).toISOString());
  const text = `the clock says ${now}, before the deploy (${deploy}): not judged; set the clock right`;
  throw new Error(text);
}

/**
 * Another replica judged this moment already (both held the watch to be theirs): counted twice,
 * three failed health checks in a row would be two.
 */
function isTwin({ atMs }: Tick, track: Track | null, { intervalMs }: Policy): boolean {
  return track !== null && Math.abs(atMs - track.atMs) < intervalMs / 2;
}

function verificationOf(watchId: string): string {
  return `${watchId}/verification`;
}
