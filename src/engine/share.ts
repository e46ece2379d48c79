// This replica's share of the work. Each replica says every second that it lives; the living divide
// watches and channels among themselves by hashing, without asking each other. The division only
// saves work: two replicas that both think a watch is theirs disturb each other, and the journal's
// checks keep what they decide right.
import type { Journal, Replica } from '../journal/journal.ts';
import type { Clock } from '../kit/clock.ts';
import { type Loop, startLoop } from '../kit/loop.ts';
import { memberOf } from '../kit/rendezvous.ts';

const ANNOUNCE_EVERY_MS = 1_000;
/** A replica that was not heard of for this long is dead, and its share is taken over. */
export const LEASE_MS = 4_000;
/** Keys whose owner is remembered. */
const OWNERS_MAX = 10_000;

export type ShareOptions = {
  readonly replica: string;
  readonly clock: Clock;
  readonly journal: Journal;
  /** Others have come or gone: look at what is ours now. */
  readonly onChange: () => void;
  readonly onError: (error: unknown) => void;
};

export class Share {
  readonly #options: ShareOptions;
  #loop: Loop | null = null;
  /** Until then (monotonic) the others hold this replica to be living. */
  #leasedUntil = Number.NEGATIVE_INFINITY;
  #isLeaving = false;
  /** Who lives; null until the journal has said so once. Kept while it cannot be asked. */
  #living: ReadonlySet<string> | null = null;
  #takers: readonly string[] = [];
  /** Whose each key is among the present takers. */
  readonly #owners = new Map<string, string | null>();

  constructor(options: ShareOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, onError } = this.#options;
    const work = () => this.look();
    this.#loop = startLoop({ clock, everyMs: ANNOUNCE_EVERY_MS, work, onError });
  }

  /** Somebody else came or left. */
  poke(): void {
    this.#loop?.poke();
  }

  async look(): Promise<undefined> {
    const { clock, journal, replica, onChange } = this.#options;
    const askedAt = clock.monotonic();
    const me: Replica = { id: replica, takesWork: !this.#isLeaving };
    const replicas = await journal.announce(me, LEASE_MS);
    const takers = replicas.filter(({ takesWork }) => takesWork).map(({ id }) => id);
    const isNews =
      this.#living === null || takers.join() !== this.#takers.join() || this.#isLeaving;
    this.#leasedUntil = askedAt + LEASE_MS;
    this.#living = new Set(replicas.map(({ id }) => id));
    if (!isNews) return;
    // Nobody else there: what can still be begun in time is begun by us.
    this.#takers = takers.length > 0 ? takers : [replica];
    this.#owners.clear();
    onChange();
  }

  /**
   * Whether the others know that this replica lives. One that was paused or cut off may have been
   * replaced meanwhile: it begins nothing until it has heard who lives now.
   */
  isCurrent(): boolean {
    return this.#options.clock.monotonic() < this.#leasedUntil;
  }

  /** Who lives, as far as this replica knows, itself among them; none before the journal said so. */
  get living(): readonly string[] {
    return [...(this.#living ?? [])];
  }

  /** Whether this replica looks after a watch or a channel. */
  owns(key: string): boolean {
    let owner = this.#owners.get(key);
    if (owner === undefined) {
      owner = memberOf(key, this.#takers);
      // Watches come and go for months; what is forgotten is worked out again.
      if (this.#owners.size >= OWNERS_MAX) this.#owners.clear();
      this.#owners.set(key, owner);
    }
    return owner === this.#options.replica;
  }

  /** Whether an attempt that a replica has begun may still be under way there. */
  isOthers(holder: string | null): boolean {
    if (holder === null || holder === this.#options.replica) return false;
    return this.#living?.has(holder) ?? true;
  }

  /** Takes no new work from now on; others take over within a second. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    await this.look().catch(this.#options.onError);
  }

  /** Everything has ended here: what was left over is free at once, not after the lease. */
  async stop(): Promise<void> {
    const { journal, replica, onError } = this.#options;
    await this.#loop?.stop();
    await journal.retire(replica).catch(onError);
  }
}
