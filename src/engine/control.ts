// What people and pipelines can ask of canaryd: the commands behind the HTTP API.
// Every method throws CanarydError with a code for what the caller did wrong.
import type { Delivery } from '../core/delivery.ts';
import type { WatchEvent } from '../core/event.ts';
import type { Mode } from '../core/policy.ts';
import type { Tick } from '../core/sample.ts';
import type { Phase } from '../core/watch.ts';
import type { Hold, WatchFilter } from '../journal/journal.ts';

export type StartCommand = {
  readonly service: string;
  readonly version: string;
  /** Default: the policy's environment, else `production`. */
  readonly environment?: string;
  readonly previousVersion?: string;
  /** Default: now. At most a minute in the future. */
  readonly deployedAtMs?: number;
  readonly parameters: Readonly<Record<string, number | string>>;
  /** Needed when several policies serve the service. */
  readonly policy?: string;
  /** `observe` makes an acting policy observe; the reverse is refused. */
  readonly mode?: Mode;
  readonly by?: string;
  readonly url?: string;
  readonly idempotencyKey?: string;
};

export type HumanCommand = { readonly by: string; readonly reason: string };

/** A person signs in a role that the policy names under `sign_offs`. */
export type SignCommand = {
  readonly role: string;
  readonly name: string;
  /** Who gives it to canaryd: the token, or the person. */
  readonly by: string;
  readonly note: string | null;
};

/** State of one condition as people see it. */
export type ConditionView = {
  readonly condition: string;
  readonly indicator: string;
  readonly title: string;
  readonly window: string;
  readonly role: string;
  /** Judged at this time since the deploy. */
  readonly due: boolean;
  readonly state: 'waiting' | 'inactive' | 'pending' | 'firing' | 'blind';
  readonly stateSince: string | null;
  /** While a stop or warn condition is out of its limit: when it fires if it stays so. */
  readonly firesAt: string | null;
  readonly value: number | null;
  readonly limit: number | null;
  readonly unit: string;
  /** "below 80 %", in words. */
  readonly limitText: string;
  /** "72.4 % of 1,204 in 1m, must not be below 80 %". */
  readonly text: string;
  /** "72.4 % (871 of 1,204 in 1m)": the text without its rule. */
  readonly now: string;
  /** "must be at least 80 %". */
  readonly must: string;
  /** The bounds within which a value is fine, for a chart. */
  readonly allowed: { readonly low: number | null; readonly high: number | null };
  /** "Stop when Order fill rate below 80 % for 45s (immediate, 0s-15m)". */
  readonly sentence: string;
  readonly blindReason: string | null;
  readonly preExisting: boolean;
  /** What is asked of the source, or of the health endpoint; null when it is unknown. */
  readonly query: string | null;
};

/** One watch as the API shows it. Times are ISO 8601. */
export type WatchView = {
  readonly id: string;
  readonly service: string;
  readonly environment: string;
  readonly version: string;
  readonly previousVersion: string | null;
  readonly policy: string;
  readonly policyHash: string;
  /** Counts its events: of two views the one with more is newer. */
  readonly revision: number;
  readonly mode: Mode;
  readonly phase: Phase;
  /** Evaluation goes on: open, or verifying a rollback. */
  readonly active: boolean;
  readonly deployedAt: string;
  readonly startedAt: string;
  readonly closedAt: string | null;
  readonly deadlineAt: string;
  readonly window: string | null;
  readonly armed: { readonly seen: number; readonly total: number };
  readonly reason: string | null;
  readonly verification: string;
  /** After a stop: who looks after that; null again when it has lapsed. */
  readonly acknowledgedBy: string | null;
  /** What waits for a person: nothing, something, or what calls people. */
  readonly incident: 'none' | 'open' | 'critical';
  readonly rollbackOf: string | null;
  /** Started without the GO that its policy requires: what was found instead. */
  readonly withoutGo: string | null;
  /** What people sign; empty: nothing. */
  readonly signOffs: readonly {
    readonly role: string;
    readonly statement: string;
    /** From then on people are asked. */
    readonly dueAt: string;
    readonly signed: {
      readonly name: string;
      readonly by: string;
      readonly at: string;
      readonly note: string | null;
    } | null;
  }[];
  readonly lastTickAt: string | null;
  /** The page of the watch, for people. */
  readonly url: string | null;
  readonly intervalMs: number;
  /** When each window begins and ends, with extensions. */
  readonly windows: readonly {
    readonly name: string;
    readonly fromAt: string;
    readonly untilAt: string;
  }[];
  readonly stop: {
    readonly at: string;
    readonly cause: 'condition' | 'human';
    readonly by: string;
    /** `hold`: the hold-fire switch was on. */
    readonly mode: Mode | 'hold';
    /** Every condition that fired, "72.4 % (871 of 1,204 in 1m), must be at least 80 %, for 45s". */
    readonly causes: readonly { readonly condition: string; readonly text: string }[];
  } | null;
  /** What a stop does, and for how long it is verified (null: not at all). */
  readonly plan: { readonly actions: readonly string[]; readonly verifyMs: number | null };
  /** While the rollback is verified: until when. */
  readonly verifyUntil: string | null;
  /** What stopped the deploy, else the stop or warn condition in the worst state; null: none. */
  readonly worst: {
    readonly condition: string;
    readonly state: ConditionView['state'];
    readonly text: string;
  } | null;
  readonly deployedBy: string | null;
  readonly links: readonly { readonly label: string; readonly url: string }[];
  /** Deploys' parameters. */
  readonly parameters: Readonly<Record<string, number | string>>;
  readonly conditions: readonly ConditionView[];
  readonly actions: readonly {
    readonly action: string;
    readonly state: string;
    readonly attempts: number;
    readonly detail: string | null;
  }[];
};

export interface Control {
  /** `created: false`: the same deploy was started before. */
  start(command: StartCommand): Promise<{ readonly watch: WatchView; readonly created: boolean }>;
  watch(id: string): Promise<WatchView>;
  /** Without conditions and actions detail (empty arrays), newest first. */
  watches(filter: WatchFilter): Promise<readonly WatchView[]>;
  events(id: string, afterSeq?: number, limit?: number): Promise<readonly WatchEvent[]>;
  ticks(id: string, fromMs: number, toMs: number, limit: number): Promise<readonly Tick[]>;
  deliveries(id: string): Promise<readonly Delivery[]>;
  /** Disarm and rollback now. Refused (`hold_fire`) while the hold-fire switch is on. */
  stop(id: string, command: HumanCommand): Promise<WatchView>;
  cancel(id: string, command: HumanCommand): Promise<WatchView>;
  acknowledge(id: string, command: HumanCommand): Promise<WatchView>;
  /** Nothing of the ended watch is open any more. Refused when nothing is, or while it watches. */
  resolve(id: string, command: HumanCommand): Promise<WatchView>;
  /** Open, passed or inconclusive. The same person twice in a role is one signature. */
  sign(id: string, command: SignCommand): Promise<WatchView>;
  extend(id: string, command: HumanCommand & { readonly byMs: number }): Promise<WatchView>;
  hold(): Promise<Hold | null>;
  /** Observe only, everywhere, until released; the journal of each open watch tells of both. */
  setHold(command: HumanCommand): Promise<Hold>;
  release(command: HumanCommand): Promise<void>;
  /** Calls back after each event or tick of the watch (null: of any); returns the unsubscribe. */
  subscribe(watchId: string | null, listener: (change: Change) => void): () => void;
  /**
   * Whether the daemon does its work (`live`) and can take more (`ready`); for /livez and /readyz.
   * `live` asks nobody: it answers whatever hangs.
   */
  health(probe: 'live' | 'ready'): Promise<{
    readonly live: boolean;
    readonly ready: boolean;
    readonly checks: Readonly<Record<string, string>>;
  }>;
}

export type Change =
  | { readonly kind: 'event'; readonly watchId: string; readonly event: WatchEvent }
  | { readonly kind: 'tick'; readonly watchId: string; readonly tick: Tick }
  /** Another replica wrote events: they are in the journal. */
  | { readonly kind: 'elsewhere'; readonly watchId: string };
