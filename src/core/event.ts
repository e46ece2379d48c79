// The journal's vocabulary: what happened to a watch, in the past tense. Append-only.
import type { Deploy } from './deploy.ts';
import type { ActionName, Mode, Role } from './policy.ts';
import type { BlindReason, Counts } from './sample.ts';
import type { SignOffNeed } from './sign-off.ts';

/** What a decision about one condition rests on; the one record behind Slack, API and journal. */
export type Evidence = {
  readonly condition: string;
  readonly indicator: string;
  readonly role: Role;
  readonly value: number;
  /** The limit in the indicator's unit, after `of`; null for health checks. */
  readonly limit: number | null;
  /** First sample of the unbroken run that breaches (or meets) the limit. */
  readonly sinceMs: number;
  readonly atMs: number;
  /** Samples in that run. */
  readonly samples: number;
  readonly counts?: Counts;
  readonly sinceDeploy?: Counts;
  readonly rangeMs?: number;
  readonly shortened?: boolean;
  /** Value before the deploy, where known. */
  readonly baseline?: number;
  /** The condition was breached before the deploy already. */
  readonly preExisting: boolean;
  readonly detail?: string;
};

export type BlindEvidence = {
  readonly condition: string;
  readonly indicator: string;
  readonly reason: BlindReason;
  readonly detail: string;
  readonly sinceMs: number;
};

export type CloseReason =
  /** The last window ended without a pass. */
  | 'deadline'
  /** All is well now, but stop conditions were not seen for long enough. */
  | 'coverage'
  /** Nobody evaluated the watch until its deadline had passed. */
  | 'not_evaluated';

export type EventBody =
  | {
      readonly type: 'watch.started';
      readonly deploy: Deploy;
      readonly policy: string;
      readonly policyHash: string;
      readonly mode: Mode;
      /** Start of the watch after the deploy. */
      readonly lateMs: number;
      /** The deploy is the rollback of this watch: it may not act. */
      readonly rollbackOf: string | null;
      readonly deadlineAtMs: number;
      readonly stopConditions: number;
      /** The policy wants a GO and starts without one: what was found instead. Absent: all right. */
      readonly withoutGo?: string;
      /** A rollback, which needs no GO where the policy wants one: what was found instead. */
      readonly neededNoGo?: string;
    }
  | {
      readonly type: 'watch.baselined';
      /** Value of each indicator before the deploy, where it could be read. */
      readonly values: Readonly<Record<string, number>>;
      /** Stop and warn conditions that were breached before the deploy. */
      readonly preExisting: readonly string[];
    }
  | { readonly type: 'watch.armed'; readonly armed: number; readonly total: number }
  | {
      readonly type: 'watch.unarmed';
      readonly armed: number;
      readonly total: number;
      readonly conditions: readonly BlindEvidence[];
    }
  | { readonly type: 'window.entered'; readonly window: string }
  | { readonly type: 'conditions.blinded'; readonly conditions: readonly BlindEvidence[] }
  | {
      readonly type: 'conditions.sighted';
      readonly conditions: readonly { readonly condition: string; readonly blindMs: number }[];
    }
  | { readonly type: 'condition.warned'; readonly evidence: Evidence }
  | { readonly type: 'condition.recovered'; readonly evidence: Evidence; readonly firedMs: number }
  /** A stop condition that was red before the deploy is still red, not clearly worse. */
  | { readonly type: 'condition.pre_existing'; readonly evidence: Evidence }
  | { readonly type: 'watch.resumed'; readonly awayMs: number }
  | {
      readonly type: 'watch.stopped';
      readonly cause: 'condition' | 'human';
      readonly by: string;
      readonly reason: string;
      readonly conditions: readonly Evidence[];
      readonly blind: readonly BlindEvidence[];
      /** `hold`: the hold-fire switch was on. Only `act` plans actions. */
      readonly mode: Mode | 'hold';
      readonly actions: readonly ActionName[];
      /** Whether the policy verifies that the actions helped. */
      readonly verifies: boolean;
    }
  | {
      readonly type: 'watch.passed';
      readonly conditions: readonly Evidence[];
      /** Share of ticks in which each stop and warn condition was judged. */
      readonly coverage: Readonly<Record<string, number>>;
    }
  | {
      readonly type: 'watch.inconclusive';
      readonly reason: CloseReason;
      readonly coverage: Readonly<Record<string, number>>;
      /** What stood in the way, in words, one entry each. */
      readonly because: readonly string[];
    }
  | { readonly type: 'watch.cancelled'; readonly by: string; readonly reason: string }
  | { readonly type: 'watch.superseded'; readonly byWatch: string; readonly version: string }
  | { readonly type: 'watch.acknowledged'; readonly by: string; readonly reason: string }
  /** Nothing of the ended watch waits for a person any more. */
  | { readonly type: 'watch.resolved'; readonly by: string; readonly reason: string }
  | {
      readonly type: 'watch.extended';
      readonly by: string;
      readonly reason: string;
      readonly deadlineAtMs: number;
    }
  /** It is time to sign what only people can say. */
  | {
      readonly type: 'watch.sign_off_due';
      readonly missing: readonly SignOffNeed[];
    }
  | {
      readonly type: 'watch.signed';
      readonly role: string;
      readonly name: string;
      /** Who gave it to canaryd. */
      readonly by: string;
      readonly note: string | null;
    }
  /** The hold-fire switch was turned on while the watch was open: it only observes. */
  | { readonly type: 'watch.held'; readonly by: string; readonly reason: string }
  | { readonly type: 'watch.released'; readonly by: string; readonly reason: string }
  /** Still trying, but on-call should know. */
  | {
      readonly type: 'action.delayed';
      readonly action: ActionName;
      readonly attempts: number;
      readonly detail: string;
    }
  | {
      readonly type: 'action.accepted';
      readonly action: ActionName;
      readonly attempts: number;
      readonly detail: string;
      readonly afterMs: number;
    }
  | {
      readonly type: 'action.gave_up';
      readonly action: ActionName;
      readonly attempts: number;
      readonly reason: DeliveryReason;
      readonly detail: string;
    }
  | {
      readonly type: 'rollback.confirmed';
      readonly action: ActionName;
      readonly conditions: readonly Evidence[];
      /** Since the rollback was accepted. */
      readonly afterMs: number;
      /** Indicators that could not be judged; absent: all were. */
      readonly unjudged?: readonly string[];
    }
  | {
      readonly type: 'rollback.not_confirmed';
      readonly action: ActionName;
      readonly reason: 'not_accepted' | 'not_verified' | 'superseded';
      readonly because: readonly string[];
    };

export type EventType = EventBody['type'];

/** An event in the journal: `seq` counts from 1 within its watch. */
export type WatchEvent = EventBody & { readonly seq: number; readonly atMs: number };

/** How one attempt of a delivery ended, or why a delivery was given up. */
export const DELIVERY_REASONS = [
  'ok',
  'timeout',
  'refused_connection',
  'network',
  'rate_limited',
  'server_error',
  'client_error',
  'redirect',
  'tls',
  'bad_response',
  'exit_code',
  'not_started',
  'interrupted',
  'attempts_exhausted',
  'deadline',
  'hold_fire',
  'superseded',
  'misconfigured',
  'acknowledged',
  'resolved',
] as const;
export type DeliveryReason = (typeof DELIVERY_REASONS)[number];
