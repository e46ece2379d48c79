// The state of a watch, as a fold over its events (J7). Nothing here is stored on its own.
import type { Deploy } from './deploy.ts';
import type { Evidence, WatchEvent } from './event.ts';
import { hasGivenUp, type Incident, incidentAfter } from './incident.ts';
import type { ActionName, Mode } from './policy.ts';
import { type Signature, signedAfter } from './sign-off.ts';

export const PHASES = [
  'watching',
  'stopped',
  'passed',
  'inconclusive',
  'cancelled',
  'superseded',
] as const;
export type Phase = (typeof PHASES)[number];

/** What came of an action that the stop planned. */
export type ActionState = 'pending' | 'accepted' | 'gave_up';

/**
 * - `none`: nothing to verify (nothing acted, or the policy has no `verify`)
 * - `waiting`: the rollback has not been accepted yet
 * - `verifying`: accepted; the verify conditions are being judged
 */
export type Verification =
  | { readonly kind: 'none' | 'waiting' }
  | { readonly kind: 'verifying'; readonly sinceMs: number }
  | { readonly kind: 'confirmed' | 'not_confirmed'; readonly atMs: number };

export type WatchState = {
  readonly phase: Phase;
  readonly deploy: Deploy | null;
  readonly mode: Mode;
  readonly rollbackOf: string | null;
  /** Started without the GO that its policy wants: what was found instead. */
  readonly withoutGo: string | null;
  readonly startedAtMs: number;
  readonly deadlineAtMs: number;
  readonly closedAtMs: number | null;
  readonly baseline: Readonly<Record<string, number>>;
  readonly baselineTaken: boolean;
  readonly preExisting: readonly string[];
  /** `unarmed` was told; it can still become `armed`. */
  readonly arming: 'waiting' | 'unarmed' | 'armed';
  readonly window: string | null;
  /** Conditions on-call was told to be blind, with the time since when. */
  readonly toldBlind: Readonly<Record<string, number>>;
  /** How often each condition's blindness was told. */
  readonly blindnesses: Readonly<Record<string, number>>;
  /** Warnings that were told and have not recovered, with the time they fired. */
  readonly warned: Readonly<Record<string, number>>;
  /** How often each condition's warning was told. */
  readonly warnings: Readonly<Record<string, number>>;
  /** Pre-existing breaches that were told. */
  readonly toldPreExisting: readonly string[];
  /** People were asked to sign. */
  readonly signOffAsked: boolean;
  /** One of each role: the newest. */
  readonly signed: readonly Signature[];
  /** Since the stop, if there was one. */
  readonly acknowledgedBy: string | null;
  /** What waits for a person, critical or not; null: nothing ever did. */
  readonly incident: Incident | null;
  /** What is critical of it, and calls people; null: nothing. */
  readonly critical: {
    /** When it began, and what made it worse, since somebody looks after it. */
    readonly openings: readonly { readonly seq: number; readonly atMs: number }[];
    readonly acknowledged: {
      readonly by: string;
      readonly seq: number;
      readonly atMs: number;
    } | null;
  } | null;
  readonly stop: {
    readonly atMs: number;
    readonly cause: 'condition' | 'human';
    readonly by: string;
    readonly reason: string;
    readonly conditions: readonly Evidence[];
    readonly mode: Mode | 'hold';
  } | null;
  readonly actions: Readonly<Partial<Record<ActionName, ActionState>>>;
  readonly verification: Verification;
};

export const UNSTARTED: WatchState = {
  phase: 'watching',
  deploy: null,
  mode: 'act',
  rollbackOf: null,
  withoutGo: null,
  startedAtMs: 0,
  deadlineAtMs: 0,
  closedAtMs: null,
  baseline: {},
  baselineTaken: false,
  preExisting: [],
  arming: 'waiting',
  window: null,
  toldBlind: {},
  blindnesses: {},
  warned: {},
  warnings: {},
  toldPreExisting: [],
  signOffAsked: false,
  signed: [],
  acknowledgedBy: null,
  incident: null,
  critical: null,
  stop: null,
  actions: {},
  verification: { kind: 'none' },
};

/** Something waits for a person. */
export function isIncidentOpen({ incident }: Pick<WatchState, 'incident'>): boolean {
  return incident?.isOpen === true;
}

export function fold(events: readonly WatchEvent[], from: WatchState = UNSTARTED): WatchState {
  return events.reduce(evolve, from);
}

/** Needs evaluation: open, or stopped with something still to prove. */
export function isActive(state: WatchState): boolean {
  if (state.phase === 'watching') return true;
  return state.verification.kind === 'waiting' || state.verification.kind === 'verifying';
}

/** The action whose success the verification is about: the rollback, else the disarm. */
export function verifiedAction(actions: WatchState['actions']): ActionName | null {
  if (actions.rollback !== undefined) return 'rollback';
  return actions.disarm === undefined ? null : 'disarm';
}

function without<T>(record: Readonly<Record<string, T>>, keys: readonly string[]) {
  return Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)));
}

function closed(state: WatchState, phase: Phase, atMs: number): WatchState {
  return { ...state, phase, closedAtMs: atMs };
}

/** Total: every event has a meaning in every state. */
export function evolve(state: WatchState, event: WatchEvent): WatchState {
  const after = evolved(state, event);
  const critical = criticalAfter(state, event);
  const incident = incidentAfter(event, after);
  const isSame = critical === after.critical && incident === after.incident;
  return isSame ? after : { ...after, critical, incident };
}

/** Opened by what somebody has to be woken for; not by the stop of a person, who is awake. */
function criticalAfter(state: WatchState, event: WatchEvent): WatchState['critical'] {
  const { critical, actions } = state;
  const opened = {
    openings: [...(critical?.openings ?? []), { seq: event.seq, atMs: event.atMs }],
    acknowledged: critical?.acknowledged ?? null,
  };
  switch (event.type) {
    case 'watch.stopped':
      return event.mode === 'observe' || event.cause === 'human' ? critical : opened;
    case 'action.delayed':
      return opened;
    case 'action.gave_up':
      return event.reason === 'superseded' ? critical : opened;
    case 'action.accepted':
      return actions[event.action] === 'gave_up' ? opened : critical;
    case 'rollback.not_confirmed':
      return event.reason === 'superseded' ? null : opened;
    case 'rollback.confirmed':
      return hasGivenUp(state) ? critical : null;
    case 'watch.resolved':
      return null;
    case 'watch.acknowledged': {
      const { by, seq, atMs } = event;
      return critical === null ? null : { openings: [], acknowledged: { by, seq, atMs } };
    }
    default:
      return critical;
  }
}

function evolved(state: WatchState, event: WatchEvent): WatchState {
  switch (event.type) {
    case 'watch.started':
      return {
        ...state,
        deploy: event.deploy,
        mode: event.mode,
        rollbackOf: event.rollbackOf,
        withoutGo: event.withoutGo ?? null,
        startedAtMs: event.atMs,
        deadlineAtMs: event.deadlineAtMs,
      };
    case 'watch.baselined':
      return {
        ...state,
        baselineTaken: true,
        baseline: event.values,
        preExisting: event.preExisting,
      };
    case 'watch.armed':
      return { ...state, arming: 'armed' };
    case 'watch.unarmed': {
      // Told by name already: `conditions.blinded` does not repeat them.
      const told = event.conditions.map(({ condition, sinceMs }) => [condition, sinceMs]);
      const toldBlind = { ...state.toldBlind, ...Object.fromEntries(told) };
      return { ...state, arming: 'unarmed', toldBlind };
    }
    case 'window.entered':
      return { ...state, window: event.window };
    case 'conditions.blinded': {
      const told = event.conditions.map(({ condition, sinceMs }) => [condition, sinceMs]);
      const counts = event.conditions.map(({ condition }) => {
        return [condition, (state.blindnesses[condition] ?? 0) + 1] as const;
      });
      return {
        ...state,
        toldBlind: { ...state.toldBlind, ...Object.fromEntries(told) },
        blindnesses: { ...state.blindnesses, ...Object.fromEntries(counts) },
      };
    }
    case 'conditions.sighted': {
      const seen = event.conditions.map(({ condition }) => condition);
      return { ...state, toldBlind: without(state.toldBlind, seen) };
    }
    case 'condition.warned': {
      const { condition } = event.evidence;
      return {
        ...state,
        warned: { ...state.warned, [condition]: event.atMs },
        warnings: { ...state.warnings, [condition]: (state.warnings[condition] ?? 0) + 1 },
      };
    }
    case 'condition.recovered':
      return { ...state, warned: without(state.warned, [event.evidence.condition]) };
    case 'condition.pre_existing':
      return {
        ...state,
        toldPreExisting: [...state.toldPreExisting, event.evidence.condition],
      };
    case 'watch.stopped': {
      const { cause, by, reason, conditions, mode } = event;
      const actions = Object.fromEntries(event.actions.map((name) => [name, 'pending' as const]));
      return {
        ...closed(state, 'stopped', event.atMs),
        // Who looks after a warning has not seen the stop.
        acknowledgedBy: null,
        stop: { atMs: event.atMs, cause, by, reason, conditions, mode },
        actions,
        verification: {
          kind: event.verifies && verifiedAction(actions) !== null ? 'waiting' : 'none',
        },
      };
    }
    case 'watch.passed':
      return closed(state, 'passed', event.atMs);
    case 'watch.inconclusive':
      return closed(state, 'inconclusive', event.atMs);
    case 'watch.cancelled':
      return closed(state, 'cancelled', event.atMs);
    case 'watch.superseded':
      return closed(state, 'superseded', event.atMs);
    case 'watch.acknowledged':
      return { ...state, acknowledgedBy: event.by };
    case 'watch.sign_off_due':
      return { ...state, signOffAsked: true };
    case 'watch.signed': {
      const { role, name, by, note, atMs } = event;
      return { ...state, signed: signedAfter(state.signed, { role, name, by, note, atMs }) };
    }
    case 'watch.extended':
      return { ...state, deadlineAtMs: event.deadlineAtMs };
    case 'action.accepted': {
      // Taken on after it was given up: told, but nothing is built on it any more.
      if (state.actions[event.action] === 'gave_up') return state;
      const actions = { ...state.actions, [event.action]: 'accepted' as const };
      const verifies =
        state.verification.kind === 'waiting' && verifiedAction(actions) === event.action;
      return {
        ...state,
        actions,
        verification: verifies ? { kind: 'verifying', sinceMs: event.atMs } : state.verification,
      };
    }
    case 'action.gave_up':
      return { ...state, actions: { ...state.actions, [event.action]: 'gave_up' } };
    case 'rollback.confirmed':
      return { ...state, verification: { kind: 'confirmed', atMs: event.atMs } };
    case 'rollback.not_confirmed':
      return { ...state, verification: { kind: 'not_confirmed', atMs: event.atMs } };
    case 'action.delayed':
    case 'watch.resumed':
    case 'watch.resolved':
    // The switch is one for all watches and is asked when it counts; here it is only the story.
    case 'watch.held':
    case 'watch.released':
      return state;
    default:
      return event satisfies never;
  }
}
