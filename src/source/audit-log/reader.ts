// Audit logs as indicators: each watch follows the log of its policy and counts events by their own
// time. Only counts leave this file, never a piece of a line. Never rejects.
import { measureAuditLog } from '../../core/audit-log.ts';
import type { AuditLogIndicator } from '../../core/policy.ts';
import type { AuditLogs, ReadRequest } from '../../core/read.ts';
import type { Counts, Reading } from '../../core/sample.ts';
import { blind } from '../../core/visible.ts';
import type { Clock } from '../../kit/clock.ts';
import { within } from '../../kit/within.ts';
import { EventCounts } from './counts.ts';
import { type Followed, Follower } from './follower.ts';
import { type LineJudge, lineJudge } from './judge.ts';
import type { Line } from './lines.ts';
import { SchemaFile } from './schema-file.ts';

/** A tick waits so long for a log; on a disk that hangs, nothing else is delayed. */
export const PATIENCE_MS = 2_000;
/** The time before the deploy is asked for by the first ticks, so far back. */
const BASELINE_MS = 30 * 60_000;
const BASELINE_WITHIN_MS = 15 * 60_000;
/** Clocks of two machines differ; a time further ahead is a mistake. */
const AHEAD_MS_MAX = 5 * 60_000;
const AHEAD_EVENTS_MAX = 10_000;
/** Clocks that differ by less are taken for one. */
const LEAD_MS = 1_000;

export type AuditLogOptions = {
  readonly clock: Clock;
  /** What relative paths are relative to. */
  readonly folder: string;
  /** Reads each log to its end, at most so long; without it a tick reads a part of a large one. */
  readonly toEndWithinMs?: number;
};

type Request = ReadRequest<AuditLogIndicator>;

export function createAuditLogs(options: AuditLogOptions): AuditLogs {
  const byWatch = new Map<string, Map<string, OneLog>>();
  const logOf = (indicator: AuditLogIndicator, request: Request): OneLog => {
    const logs = byWatch.get(request.watchId) ?? new Map<string, OneLog>();
    byWatch.set(request.watchId, logs);
    const { id, report, schema } = indicator;
    const key = JSON.stringify([id, report, schema]);
    const log = logs.get(key) ?? new OneLog(indicator, request, options);
    logs.set(key, log);
    return log;
  };
  return {
    readWithinMs: options.toEndWithinMs ?? PATIENCE_MS,
    read: async (request) => {
      const read = async (indicator: AuditLogIndicator) => {
        const reading =
          indicator.report === '' || indicator.schema === ''
            ? blind('rejected', 'a value of this deploy cannot be part of the path of the log')
            : await logOf(indicator, request).read(request);
        return [indicator.id, reading] as const;
      };
      return Object.fromEntries(await Promise.all(request.indicators.map(read)));
    },
    forget: (watchId) => {
      for (const log of byWatch.get(watchId)?.values() ?? []) log.close();
      byWatch.delete(watchId);
    },
  };
}

type Ahead = { readonly atMs: number; readonly what: 'good' | 'bad' | 'unreadable' };

/** What one watch knows of one log. */
class OneLog {
  readonly #indicator: AuditLogIndicator;
  readonly #clock: Clock;
  readonly #toEndWithinMs: number | null;
  readonly #follower: Follower;
  readonly #schema: SchemaFile | null;
  readonly #counts: EventCounts;
  /** Events whose time has not come, by a clock that is ahead. */
  #ahead: Ahead[] = [];
  /** Up to this time the log was read. */
  #readAtMs = Number.NEGATIVE_INFINITY;
  #keepFromMs = Number.POSITIVE_INFINITY;
  #knownFromMs = Number.NEGATIVE_INFINITY;
  #newestMs: number | null = null;
  #since: { part: number; total: number };
  readonly #sinceMs: number;
  #deployedAtMs = Number.POSITIVE_INFINITY;
  #whyCut = '';
  /** The least by which the clock that writes the log is ahead of canaryd's. */
  #leadMs = 0;
  /** Lines were left out: the next one that has a time says from when on all is known. */
  #isAfterCut = false;
  #followed: Followed = { kind: 'failed', reason: 'unreachable', detail: 'not read yet' };
  #open: Promise<void> | null = null;
  #isClosed = false;

  constructor(indicator: AuditLogIndicator, request: Request, options: AuditLogOptions) {
    const { deployedAtMs, atMs, previous } = request;
    const { clock, folder } = options;
    this.#indicator = indicator;
    this.#clock = clock;
    this.#toEndWithinMs = options.toEndWithinMs ?? null;
    this.#follower = new Follower(indicator.report, folder);
    this.#schema = indicator.schema === null ? null : new SchemaFile(indicator.schema, folder);
    this.#counts = new EventCounts(indicator.overMs, deployedAtMs ?? atMs);
    const known = previous[indicator.id];
    this.#since = { ...(known?.counts ?? { part: 0, total: 0 }) };
    // Counts up to the previous tick include that very time.
    this.#sinceMs = known === undefined ? (deployedAtMs ?? Infinity) : known.atMs + 1;
    this.#keepFromMs = this.#neededFrom(request);
  }

  async read(request: Request): Promise<Reading> {
    const { signal } = request;
    const patienceMs = this.#toEndWithinMs ?? PATIENCE_MS;
    let isTired = false;
    const tired = () => {
      isTired = true;
      return false;
    };
    const work = async () => {
      await this.#advanced(request);
      while (this.#toEndWithinMs !== null && this.#isBehind && !isTired && !this.#isClosed) {
        await this.#advanced(request);
      }
      return true;
    };
    const isRead = await within(this.#clock, patienceMs, work, tired);
    if (signal.aborted) return blind('unreachable', 'the reading was cut short by canaryd');
    if (!isRead) {
      const detail = `${this.#indicator.report} was not read within ${patienceMs / 1_000} s`;
      return blind('unreachable', detail);
    }
    return this.#reading(request);
  }

  close(): void {
    this.#isClosed = true;
    // What is under way ends by itself, and closes then.
    if (this.#open === null) void this.#follower.close();
  }

  get #isBehind(): boolean {
    return this.#followed.kind === 'read' && this.#followed.isBehind;
  }

  async #advanced(request: Request): Promise<void> {
    // A reading of the time before the deploy finds what the tick's own has read.
    while (this.#open !== null) await this.#open;
    const isDone = request.atMs <= this.#readAtMs && !this.#isBehind;
    if (isDone || this.#isClosed || request.signal.aborted) return;
    this.#open = this.#advance(request).finally(async () => {
      this.#open = null;
      if (this.#isClosed) await this.#follower.close();
    });
    await this.#open;
  }

  async #advance(request: Request): Promise<void> {
    const atMs = request.deployedAtMs === null ? this.#clock.now() : request.atMs;
    this.#keepFromMs = this.#neededFrom(request);
    this.#deployedAtMs = request.deployedAtMs ?? this.#deployedAtMs;
    const schema = (await this.#schema?.read()) ?? null;
    if (schema?.kind === 'refused') {
      this.#followed = { kind: 'failed', reason: 'rejected', detail: schema.reason };
      return;
    }
    const judge = lineJudge(this.#indicator, schema);
    this.#letCome(atMs);
    this.#followed = await this.#follower.advance({
      atMs,
      keepFromMs: this.#keepFromMs,
      signal: request.signal,
      onLine: (line, sinceMs) => this.#line(line, sinceMs, atMs, judge),
      isOld: (line) => {
        const { atMs: writtenMs } = judge(line.text);
        return writtenMs === null ? null : writtenMs < this.#keepFromMs;
      },
      onCut: () => {
        this.#isAfterCut = true;
        this.#knownFromMs = Number.POSITIVE_INFINITY;
        this.#whyCut = 'is too large to be read back';
      },
      onLost: () => {
        this.#knownFromMs = Math.max(this.#knownFromMs, atMs);
        this.#whyCut = 'was written to files that cannot all be read';
      },
    });
    if (this.#followed.kind === 'read') this.#readAtMs = Math.max(atMs, this.#readAtMs);
    if (this.#isAfterCut && this.#followed.kind === 'read' && !this.#isBehind) {
      // Nothing there says when it was written: what comes from now on is known.
      this.#isAfterCut = false;
      this.#knownFromMs = atMs;
    }
    this.#counts.drop(this.#keepFromMs);
  }

  /** @returns when the line was written, as far as it says so */
  #line(line: Line, sinceMs: number, nowMs: number, judge: LineJudge): number | null {
    if (line.text?.trim() === '') return null;
    const { what, atMs } = judge(line.text);
    const isDated = atMs !== null && atMs <= nowMs + AHEAD_MS_MAX;
    if (isDated && this.#isAfterCut) {
      this.#isAfterCut = false;
      this.#knownFromMs = atMs;
    }
    if (isDated) this.#leadMs = Math.max(this.#leadMs, atMs - Math.max(nowMs, this.#clock.now()));
    if (isDated && atMs > nowMs && this.#ahead.length < AHEAD_EVENTS_MAX) {
      if (what !== null) this.#ahead.push({ atMs, what });
      return null;
    }
    const isInvalid = what === 'bad' && this.#indicator.bad === 'invalid';
    if (isDated) this.#newestMs = Math.max(Math.min(atMs, nowMs), this.#newestMs ?? atMs);
    // A trail that is wholly broken has no time; that it goes on is seen all the same.
    else if (isInvalid && sinceMs >= this.#deployedAtMs) this.#newestMs = nowMs;
    // Without a time of its own: when it was written at the earliest, so that no line of the old
    // version counts as one of the new.
    const isWrong = !isDated && what === 'good' && this.#indicator.bad === 'invalid';
    this.#count(isDated ? Math.min(atMs, nowMs) : sinceMs, isWrong ? 'bad' : what);
    return isDated ? Math.min(atMs, nowMs) : null;
  }

  #count(atMs: number, what: Ahead['what'] | null): void {
    if (what === null || atMs < this.#keepFromMs) return;
    this.#counts.add(atMs, what);
    if (atMs < this.#sinceMs || what === 'unreadable') return;
    this.#since.total += 1;
    if (what === 'bad') this.#since.part += 1;
  }

  #letCome(nowMs: number): void {
    const come = this.#ahead.filter(({ atMs }) => atMs <= nowMs);
    this.#ahead = this.#ahead.filter(({ atMs }) => atMs > nowMs);
    for (const { atMs, what } of come) {
      this.#newestMs = Math.max(atMs, this.#newestMs ?? atMs);
      this.#count(atMs, what);
    }
  }

  #reading({ atMs, deployedAtMs }: Request): Reading {
    const followed = this.#followed;
    if (followed.kind === 'failed') return blind(followed.reason, followed.detail);
    if (followed.isBehind) {
      return blind('unreachable', `${followed.path} is not read to its end yet: it is large`);
    }
    const countsOf = (fromMs: number) => this.#counts.between(fromMs, atMs, atMs >= this.#readAtMs);
    // What the old version wrote by a clock that is ahead looks as if it were of the new one.
    const leadMs = this.#leadMs > LEAD_MS ? this.#leadMs + LEAD_MS : 0;
    const seen = {
      path: followed.path,
      ...{ leadMs, whyCut: this.#whyCut },
      countsFrom: (fromMs: number): Counts => {
        const { part, total } = countsOf(fromMs);
        return { part, total };
      },
      sinceDeploy: this.#knownFromMs > this.#sinceMs || leadMs > 0 ? undefined : { ...this.#since },
      newestMs: this.#newestMs,
      knownFromMs: this.#knownFromMs,
      unreadable: countsOf(Math.max(atMs - this.#indicator.overMs, deployedAtMs ?? 0)).unreadable,
    };
    return measureAuditLog(this.#indicator, seen, { atMs, deployedAtMs });
  }

  /** The oldest time that may be asked for. */
  #neededFrom({ atMs, deployedAtMs }: Request): number {
    const { overMs } = this.#indicator;
    if (deployedAtMs === null) return Math.min(this.#keepFromMs, atMs - overMs);
    const isNew = atMs - deployedAtMs <= BASELINE_WITHIN_MS;
    return Math.min(atMs, isNew ? deployedAtMs - BASELINE_MS : atMs) - overMs;
  }
}
