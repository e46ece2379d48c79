// The desk for gates: takes signatures and decisions, keeps them in the journal, and shows them. It
// carries nothing out and decides nothing: that is done where the gate runs. What is kept is never
// changed; a decision that comes twice is one.

import { isDeepStrictEqual } from 'node:util';
import type { NewGateMessage } from '../core/gate-message.ts';
import { GATE_SKEW_MS, newestFor, newestOf } from '../core/gate-needed.ts';
import type {
  Decision,
  GateDeploy,
  GateRecord,
  SignOff,
  StoredGateRecord,
} from '../core/gate-record.ts';
import { recordJson } from '../core/gate-record-json.ts';
import { isSamePlace, standing } from '../core/signature.ts';
import type { GateFilter, GateHead, GateStore, SignOffFilter } from '../journal/gate-store.ts';
import type { Clock } from '../kit/clock.ts';
import { CanarydError } from '../kit/errors.ts';

/** Signatures of one version that are looked at, the newest. */
export const SIGN_OFFS_READ_MAX = 1_000;
/** Decisions for one deploy that are compared: the last, and of each kind that is no GO. */
const COMPARED_MAX = 10;
/** For a start: GOs for other parameters may have come since its own. */
const COMPARED_FOR_START_MAX = 100;
/** A list is read again so often when rows of it are damaged. */
const REREAD_MAX = 5;
const TOLD_MAX = 1_000;
/** A client that hears nothing asks again for seconds. */
const REPEATED_WITHIN_MS = 60_000;

export type NewSignOff = Omit<SignOff, 'atMs'>;

export type ReportedRecord = GateRecord & Pick<StoredGateRecord, 'evidenceHash'>;

/** A decision, and what has come of it since. */
export type GateDecision = {
  readonly record: StoredGateRecord;
  /** The page; null when nobody has said where canaryd is. */
  readonly url: string | null;
  /** No later decision of this gate, service, environment and version is known. */
  readonly isNewest: boolean;
  /** Signatures for it that came later: they do not change it, the next run counts them. */
  readonly signedSince: readonly SignOff[];
};

/** A decision in a list: what has come of it since is not looked up. */
export type ListedDecision = Pick<GateDecision, 'url' | 'isNewest'> & { readonly head: GateHead };

/** What people and pipelines can ask of canaryd about gates. Throws CanarydError for mistakes. */
export interface Gates {
  sign(entry: NewSignOff): Promise<SignOff>;
  /** Oldest first; at most the newest `limit`. */
  signOffs(filter: SignOffFilter): Promise<readonly SignOff[]>;
  /** `created: false`: this decision was reported before. */
  report(
    reported: ReportedRecord,
    by: string | null,
  ): Promise<{ readonly decision: GateDecision; readonly created: boolean }>;
  decision(id: string): Promise<GateDecision>;
  /** Newest first. */
  decisions(filter: GateFilter): Promise<readonly ListedDecision[]>;
}

export type GateDeskOptions = {
  readonly clock: Clock;
  readonly store: GateStore;
  readonly publicUrl: string | null;
  /** Who is told of a decision; planned in the transaction that keeps it. */
  readonly planMessages: (record: StoredGateRecord) => readonly NewGateMessage[];
  /** Something was planned. Latency only: the teller looks on its own, too. */
  readonly onAdded: () => void;
  /** A row that cannot be read: the list is shown without it. */
  readonly onDamaged: (error: CanarydError) => void;
};

export type GateKey = {
  readonly gate: string;
  readonly service: string;
  readonly environment: string;
  readonly version: string;
};

/**
 * The decision that counts for a deploy, of those that can be read.
 * @param parameters of the deploy; without them the newest of all counts
 */
export async function newestDecision(
  store: Pick<GateStore, 'gateHeads'>,
  { gate, service, environment, version }: GateKey,
  parameters?: GateDeploy['parameters'],
): Promise<GateHead | null> {
  const limit = parameters === undefined ? COMPARED_MAX : COMPARED_FOR_START_MAX;
  const key = { gate, service, environment, version, limit };
  const read = (decision?: Decision) =>
    store.gateHeads({ ...key, ...(decision === undefined ? {} : { decision }) }, () => {});
  const last = await read();
  // Whatever else there is, a GO must come after it.
  if (last[0] === undefined || last[0].decision !== 'go') return last[0] ?? null;
  const others = [...(await read('no_go')), ...(await read('review'))];
  const known = new Set(last.map(({ id }) => id));
  const all = [...last, ...others.filter(({ id }) => !known.has(id))];
  return parameters === undefined ? newestOf(all) : newestFor(all, parameters);
}

export class GateDesk implements Gates {
  readonly #options: GateDeskOptions;
  /** Damaged rows; each is told once. */
  readonly #told = new Set<string>();

  constructor(options: GateDeskOptions) {
    this.#options = options;
  }

  async sign(entry: NewSignOff): Promise<SignOff> {
    const { clock, store } = this.#options;
    const { gate, environment, version } = entry;
    const all = await store.signOffs({ gate, environment, version, limit: SIGN_OFFS_READ_MAX });
    const signOff = datedAfter({ ...entry, atMs: clock.now() }, all);
    const known = repeated(signOff, all);
    if (known !== null) return known;
    if (signOff.isWithdrawn === true) demandSignature(signOff, all);
    await store.addSignOff(signOff);
    return signOff;
  }

  signOffs(filter: SignOffFilter): Promise<readonly SignOff[]> {
    return this.#options.store.signOffs(filter);
  }

  async report(reported: ReportedRecord, by: string | null) {
    const { clock, store, planMessages, onAdded } = this.#options;
    const nowMs = clock.now();
    demandPast(reported, nowMs);
    const notSignedHere = await this.#notSignedHere(reported);
    const record: StoredGateRecord = {
      ...{ ...reported, reportedBy: by, receivedAtMs: nowMs },
      ...(notSignedHere.length === 0 ? {} : { notSignedHere }),
    };
    const messages = planMessages(record);
    if (await store.addGateRecord(record, messages)) {
      if (messages.length > 0) onAdded();
      return { decision: await this.#shown(record), created: true };
    }
    const known = await this.#record(record.id);
    if (!isSame(known, record)) {
      throw new CanarydError(
        'conflict',
        `Decision ${record.id} is kept already, with other content; each run of a gate has its own id`,
      );
    }
    return { decision: await this.#shown(known), created: false };
  }

  async decision(id: string): Promise<GateDecision> {
    return this.#shown(await this.#record(id));
  }

  async decisions(filter: GateFilter): Promise<readonly ListedDecision[]> {
    const { beforeId } = filter;
    if (beforeId !== undefined) await this.#record(beforeId);
    const { store } = this.#options;
    const heads = await this.#readable(filter);
    const newest = new Map<string, string | null>();
    const shown: ListedDecision[] = [];
    for (const head of heads) {
      const key = keyOf(head);
      const text = JSON.stringify(key);
      if (!newest.has(text)) {
        newest.set(text, (await newestDecision(store, key))?.id ?? null);
      }
      const isNewest = newest.get(text) === head.id;
      shown.push({ head, url: this.#urlOf(head), isNewest });
    }
    return shown;
  }

  /** A page without those that cannot be read is full all the same. */
  async #readable(filter: GateFilter): Promise<readonly GateHead[]> {
    const { store, onDamaged } = this.#options;
    let heads: readonly GateHead[] = [];
    let damaged: readonly CanarydError[] = [];
    for (let round = 0; round < REREAD_MAX; round += 1) {
      const found: CanarydError[] = [];
      const limit = filter.limit + damaged.length;
      heads = await store.gateHeads({ ...filter, limit }, (error) => found.push(error));
      const isAll = found.length === damaged.length;
      damaged = found;
      if (isAll) break;
    }
    for (const error of damaged) {
      if (this.#told.has(error.message) || this.#told.size >= TOLD_MAX) continue;
      this.#told.add(error.message);
      onDamaged(error);
    }
    return heads.slice(0, filter.limit);
  }

  async #record(id: string): Promise<StoredGateRecord> {
    const record = await this.#options.store.gateRecord(id);
    if (record !== null) return record;
    throw new CanarydError('gate_record_not_found', `No decision of a gate has the id ${id}`);
  }

  async #shown(record: StoredGateRecord): Promise<GateDecision> {
    const newest = await newestDecision(this.#options.store, keyOf(record));
    const signedSince = await this.#signedSince(record);
    const isNewest = newest === null || newest.id === record.id;
    return { record, url: this.#urlOf(record), isNewest, signedSince };
  }

  async #signedSince(record: StoredGateRecord): Promise<readonly SignOff[]> {
    const { gate, service, environment, version } = keyOf(record);
    const limit = SIGN_OFFS_READ_MAX;
    const all = await this.signOffs({ gate, environment, version, limit });
    const counted = new Set(countedIn(record).map(textOf));
    // Two clocks: with the earlier one nothing is missed that came while the decision was on its way.
    const sinceMs = Math.min(Date.parse(record.endedAt), record.receivedAtMs);
    return all
      .filter((one) => one.service === undefined || one.service === service)
      .filter((one) => one.atMs >= sinceMs && !counted.has(textOf(one)));
  }

  /** Whoever reports a decision can write names into it. */
  async #notSignedHere(record: GateRecord): Promise<readonly SignOff[]> {
    const { gate, environment, version } = keyOf(record);
    const counted = countedIn(record);
    if (counted.length === 0) return [];
    const limit = SIGN_OFFS_READ_MAX;
    const all = await this.signOffs({ gate, environment, version, limit });
    const given = new Set(all.filter(({ isWithdrawn }) => isWithdrawn !== true).map(textOf));
    return counted.filter((one) => !given.has(textOf(one)));
  }

  #urlOf({ id }: Pick<StoredGateRecord, 'id'>): string | null {
    const { publicUrl } = this.#options;
    return publicUrl === null ? null : `${publicUrl}/gates/${id}`;
  }
}

/**
 * The newest word counts, also when the clock has gone back since the one before, or is another
 * replica's. Nobody signs far in the future for that; taking back counts whenever it is.
 */
function datedAfter(entry: SignOff, all: readonly SignOff[]): SignOff {
  const lastMs = Math.max(0, ...all.flatMap((one) => (isSamePlace(one, entry) ? one.atMs : [])));
  const isNear = lastMs <= entry.atMs + GATE_SKEW_MS;
  const mayFollow = isNear || entry.isWithdrawn === true;
  return mayFollow ? { ...entry, atMs: Math.max(entry.atMs, lastMs) } : entry;
}

/**
 * The same again, because its answer was lost: the one that is kept. Null: this one is new. A
 * signature that is given again later counts longer.
 */
function repeated(entry: SignOff, all: readonly SignOff[]): SignOff | null {
  const places = all.filter((one) => isSamePlace(one, entry)).toSorted((a, b) => a.atMs - b.atMs);
  const last = places.at(-1);
  if (last === undefined || !isDeepStrictEqual({ ...last, atMs: entry.atMs }, entry)) return null;
  const isSoon = Math.abs(entry.atMs - last.atMs) < REPEATED_WITHIN_MS;
  return isSoon || entry.isWithdrawn === true ? last : null;
}

/** One who mistypes a name would else believe that the signature is gone. */
function demandSignature(withdrawal: SignOff, all: readonly SignOff[]): void {
  const { gate, criterion, role, name, environment, version } = withdrawal;
  const stand = standing(all).filter((one) => one.criterion === criterion);
  if (stand.some((one) => isSamePlace(one, withdrawal))) return;
  const names = stand.map((one) => `${one.name} (${one.role})`).join(', ') || 'nobody';
  throw new CanarydError(
    'conflict',
    `Cannot take back: ${name} has no signature as ${role} for ${criterion} of ${gate} ${version} (${environment}); signed have: ${names}`,
  );
}

function keyOf({ gate, deploy }: Pick<GateRecord, 'gate' | 'deploy'>): GateKey {
  const { service, environment, version } = deploy;
  return { gate, service, environment, version };
}

export function countedIn({ criteria, approvals, override }: GateRecord): readonly SignOff[] {
  const signed = criteria.flatMap(({ signOffs }) => signOffs.flatMap((one) => one.signed ?? []));
  return [...signed, ...approvals, ...(override?.approvals ?? [])];
}

function textOf({ gate, environment, version, criterion, role, name, atMs }: SignOff): string {
  return JSON.stringify([gate, environment, version, criterion, role, name, atMs]);
}

/** A decision of tomorrow would be fresh for ever. */
function demandPast({ startedAt, endedAt }: GateRecord, nowMs: number): void {
  for (const [path, at] of [
    ['started_at', startedAt],
    ['ended_at', endedAt],
  ] as const) {
    if (Date.parse(at) <= nowMs + GATE_SKEW_MS) continue;
    const message = `found ${at}, which is in the future by this daemon's clock (${new Date(nowMs).toISOString()}); set the clock of the machine that carried the gate out`;
    throw new CanarydError('usage', `${path}: ${message}`, { problems: [{ path, message }] });
  }
}

function isSame(known: StoredGateRecord, reported: StoredGateRecord): boolean {
  const plain = (record: StoredGateRecord): unknown =>
    JSON.parse(JSON.stringify([recordJson(record), record.evidenceHash]));
  return isDeepStrictEqual(plain(known), plain(reported));
}
