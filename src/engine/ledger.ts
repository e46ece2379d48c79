// Read, decide, append: the one way in which a watch changes. A decision is written together with
// the deliveries it implies, at the revision it was made from; when somebody else was faster it is
// made again from what is there now.
import type { EventBody, WatchEvent } from '../core/event.ts';
import { planDeliveries } from '../core/plan.ts';
import { NO_ROUTING, type Routing } from '../core/route.ts';
import type { Tick } from '../core/sample.ts';
import type { Track } from '../core/track.ts';
import { evolve, isActive, isIncidentOpen, UNSTARTED, type WatchState } from '../core/watch.ts';
import type { Append, DeliveryUpdate, Journal, NewWatch, WatchRecord } from '../journal/journal.ts';
import { CanarydError } from '../kit/errors.ts';

export type Loaded = { readonly record: WatchRecord; readonly state: WatchState };

export type Decision = {
  readonly events: readonly EventBody[];
  readonly updates?: readonly DeliveryUpdate[];
  readonly giveUpActions?: NonNullable<Append['giveUpActions']>;
  readonly tick?: { readonly tick: Tick; readonly track: Track };
};

export type Appended = {
  readonly watchId: string;
  readonly before: WatchState;
  readonly after: WatchState;
  readonly record: WatchRecord;
  readonly events: readonly WatchEvent[];
  readonly tick: Tick | null;
};

/** Somebody else was faster this many times in a row: something is wrong. */
const CONFLICTS_MAX = 8;
/** Folded states kept in memory; the rest is folded again when needed. */
const CACHE_MAX = 5_000;

export class Ledger {
  readonly #journal: Journal;
  readonly #channels: readonly string[];
  readonly #routing: Routing;
  readonly #publicUrl: string | null;
  readonly #onAppended: (appended: Appended) => void;
  readonly #cache = new Map<string, { revision: number; state: WatchState }>();

  constructor(options: {
    readonly journal: Journal;
    readonly channels: readonly string[];
    /** Default: every channel is told everything, at once. */
    readonly routing?: Routing;
    readonly publicUrl: string | null;
    /** After the transaction. Must not throw. */
    readonly onAppended: (appended: Appended) => void;
  }) {
    this.#journal = options.journal;
    this.#channels = options.channels;
    this.#routing = options.routing ?? NO_ROUTING;
    this.#publicUrl = options.publicUrl;
    this.#onAppended = options.onAppended;
  }

  /** The watch and its state as of now; null when there is no such watch. */
  async load(watchId: string): Promise<Loaded | null> {
    const record = await this.#journal.watch(watchId);
    return record === null ? null : this.#fold(record);
  }

  /** Whether something of the watch waits for a person; a watch that was removed has nothing left. */
  async isOpen(watchId: string): Promise<boolean> {
    const loaded = await this.load(watchId);
    return loaded !== null && isIncidentOpen(loaded.state);
  }

  async #fold(record: WatchRecord): Promise<Loaded> {
    const cached = this.#cache.get(record.id);
    const from =
      cached !== undefined && cached.revision <= record.revision
        ? cached
        : { revision: 0, state: UNSTARTED };
    let { revision, state } = from;
    while (revision < record.revision) {
      const events = await this.#journal.events(record.id, revision, 1_000);
      const last = events.at(-1);
      if (last === undefined) break;
      // Events newer than the record belong to the next look.
      state = events.filter(({ seq }) => seq <= record.revision).reduce(evolve, state);
      revision = Math.min(last.seq, record.revision);
    }
    this.#remember(record.id, revision, state);
    return { record, state };
  }

  #remember(watchId: string, revision: number, state: WatchState): void {
    this.#cache.delete(watchId);
    this.#cache.set(watchId, { revision, state });
    const oldest = this.#cache.keys().next();
    if (this.#cache.size > CACHE_MAX && !oldest.done) this.#cache.delete(oldest.value);
  }

  /**
   * Decides on the present state and appends; repeats when the watch moved meanwhile.
   * @param decider null: nothing to write
   */
  async decide(
    watchId: string,
    atMs: number,
    decider: (loaded: Loaded) => Decision | null | Promise<Decision | null>,
  ): Promise<Loaded> {
    for (let round = 0; round < CONFLICTS_MAX; round += 1) {
      const loaded = await this.load(watchId);
      if (loaded === null) throw notFound(watchId);
      const decision = await decider(loaded);
      if (decision === null) return loaded;
      const draft = this.#draft(loaded.record, loaded.state, decision, atMs);
      if ((await this.#journal.append([draft.append])) === 'conflict') continue;
      this.#settle(loaded, draft, decision);
      return { record: { ...loaded.record, ...draft.fields }, state: draft.after };
    }
    throw new CanarydError('conflict', `Cannot write to watch ${watchId}: it keeps changing`);
  }

  /** Decides on several watches and writes all of it in one transaction. */
  async decideAll(
    watchIds: readonly string[],
    atMs: number,
    decider: (loaded: Loaded) => Promise<Decision | null>,
  ): Promise<void> {
    for (let round = 0; round < CONFLICTS_MAX; round += 1) {
      const drafts = [];
      for (const watchId of watchIds) {
        const loaded = await this.load(watchId);
        if (loaded === null) throw notFound(watchId);
        const decision = await decider(loaded);
        if (decision === null) continue;
        const draft = this.#draft(loaded.record, loaded.state, decision, atMs);
        drafts.push({ loaded, draft, decision });
      }
      if (drafts.length === 0) return;
      const written = await this.#journal.append(drafts.map(({ draft }) => draft.append));
      if (written === 'conflict') continue;
      for (const { loaded, draft, decision } of drafts) this.#settle(loaded, draft, decision);
      return;
    }
    const many = watchIds.length === 1 ? `watch ${watchIds[0]}` : `${watchIds.length} watches`;
    throw new CanarydError('conflict', `Cannot write to ${many}: it keeps changing`);
  }

  /** Opens a watch and ends earlier ones, in one transaction; null when somebody was faster. */
  async open(
    watch: NewWatch,
    decision: Decision,
    earlier: readonly { readonly loaded: Loaded; readonly decision: Decision }[],
    atMs: number,
  ): Promise<Loaded | null> {
    const record: WatchRecord = {
      ...watch,
      phase: 'watching',
      isActive: true,
      closedAtMs: null,
      revision: 0,
      track: null,
    };
    const mine = this.#draft(record, UNSTARTED, decision, atMs);
    const others = earlier.map(({ loaded, decision: other }) =>
      this.#draft(loaded.record, loaded.state, other, atMs),
    );
    // The old watch ends first: only one may be open for a service and environment.
    const batches = [...others.map(({ append }) => append), { ...mine.append, create: watch }];
    if ((await this.#journal.append(batches)) === 'conflict') return null;
    earlier.forEach(({ loaded, decision: other }, index) => {
      const draft = others[index];
      if (draft !== undefined) this.#settle(loaded, draft, other);
    });
    this.#settle({ record, state: UNSTARTED }, mine, decision);
    return { record: { ...record, ...mine.fields }, state: mine.after };
  }

  #draft(record: WatchRecord, before: WatchState, decision: Decision, atMs: number) {
    let after = before;
    const events = decision.events.map(
      (event, index): WatchEvent => ({ ...event, seq: record.revision + 1 + index, atMs }),
    );
    const deliveries = events.flatMap((event) => {
      after = evolve(after, event);
      const context = {
        watchId: record.id,
        policy: record.policy,
        state: after,
        publicUrl: this.#publicUrl,
      };
      return planDeliveries(event, context, this.#channels, events, this.#routing);
    });
    const append: Append = {
      watchId: record.id,
      expectedRevision: record.revision,
      atMs,
      events: decision.events,
      deliveries,
      phase: after.phase,
      isActive: isActive(after),
      ...(decision.updates === undefined ? {} : { updates: decision.updates }),
      ...(decision.giveUpActions === undefined ? {} : { giveUpActions: decision.giveUpActions }),
      ...(decision.tick === undefined
        ? {}
        : { tick: { ...decision.tick, previousAtMs: record.track?.atMs ?? null } }),
    };
    const fields = {
      phase: after.phase,
      isActive: isActive(after),
      closedAtMs: after.closedAtMs,
      revision: record.revision + events.length,
      track: decision.tick?.track ?? record.track,
    };
    return { append, events, after, fields };
  }

  #settle(
    loaded: Loaded,
    draft: { events: readonly WatchEvent[]; after: WatchState; fields: Partial<WatchRecord> },
    decision: Decision,
  ): void {
    const record = { ...loaded.record, ...draft.fields };
    this.#remember(record.id, record.revision, draft.after);
    this.#onAppended({
      watchId: record.id,
      before: loaded.state,
      after: draft.after,
      record,
      events: draft.events,
      tick: decision.tick?.tick ?? null,
    });
  }
}

export function notFound(watchId: string): CanarydError {
  return new CanarydError('watch_not_found', `There is no watch '${watchId.slice(0, 64)}'`);
}
