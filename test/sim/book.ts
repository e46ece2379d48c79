// What the checker knows of one watch: its events, folded by rules of its own, and its ticks in the
// order in which they were written. Knows nothing of src/core but the words of the journal.
import type { EventRow } from './rows.ts';

export type Reading = {
  readonly kind: string;
  readonly value?: number;
  readonly reason?: string;
  readonly rangeMs?: number;
  readonly counts?: { readonly part: number; readonly total: number };
  readonly sinceDeploy?: { readonly part: number; readonly total: number };
};

export type TickFact = {
  readonly atMs: number;
  /** True time of the write, in ms of the world. */
  readonly writtenAt: number;
  readonly by: string;
  readonly readings: Readonly<Record<string, Reading>>;
  /** Of the verification, not of the watch. */
  readonly isVerifying: boolean;
};

export type ConditionFact = {
  readonly id: string;
  readonly indicator: string;
  readonly window: string;
  readonly role: string;
  readonly forMs: number;
  readonly onBlind: string;
  readonly limit: {
    readonly kind: string;
    readonly comparator?: string;
    readonly value?: number;
    readonly times?: number;
  };
};

export type PolicyFact = {
  readonly intervalMs: number;
  readonly blindAfterMs: number;
  readonly coverage: number;
  readonly match: Readonly<Record<string, string>>;
  readonly windows: readonly {
    readonly name: string;
    readonly fromMs: number;
    readonly untilMs: number;
    readonly passForMs: number;
  }[];
  readonly conditions: readonly ConditionFact[];
  readonly verify: { readonly withinMs: number } | null;
  readonly signOffs?: {
    readonly afterMs: number;
    readonly needed: readonly { readonly role: string }[];
  };
};

export type DeployFact = {
  readonly service: string;
  readonly environment: string;
  readonly version: string;
  readonly previousVersion: string | null;
  readonly deployedAtMs: number;
};

export type EventFact = {
  readonly seq: number;
  readonly atMs: number;
  readonly type: string;
  readonly body: Readonly<Record<string, unknown>>;
};

export const CLOSING: Readonly<Record<string, string>> = {
  'watch.stopped': 'stopped',
  'watch.passed': 'passed',
  'watch.inconclusive': 'inconclusive',
  'watch.cancelled': 'cancelled',
  'watch.superseded': 'superseded',
};

/** The state of a watch as people see it. */
export type Folded = {
  phase: string;
  mode: string;
  deadlineAtMs: number;
  closedAtMs: number | null;
  window: string | null;
  acknowledgedBy: string | null;
  rollbackOf: string | null;
  reason: string | null;
  verification: string;
  actions: Record<string, string>;
  signed: readonly { readonly role: string; readonly name: string }[];
};

export class Book {
  readonly id: string;
  readonly deploy: DeployFact;
  readonly policy: PolicyFact;
  readonly events: EventFact[] = [];
  readonly ticks: TickFact[] = [];
  readonly state: Folded = {
    phase: 'watching',
    mode: 'act',
    deadlineAtMs: 0,
    closedAtMs: null,
    window: null,
    acknowledgedBy: null,
    rollbackOf: null,
    reason: null,
    verification: 'none',
    actions: {},
    signed: [],
  };

  constructor(id: string, deploy: DeployFact, policy: PolicyFact) {
    this.id = id;
    this.deploy = deploy;
    this.policy = policy;
  }

  get isActive(): boolean {
    const { phase, verification } = this.state;
    return phase === 'watching' || verification === 'waiting' || verification === 'verifying';
  }

  add({ seq, at_ms: atMs, type, body }: EventRow): EventFact {
    const fields = JSON.parse(body) as Record<string, unknown>;
    const event = { seq, atMs, type, body: fields };
    this.events.push(event);
    this.#fold(event);
    return event;
  }

  #fold({ type, atMs, body }: EventFact): void {
    const { state } = this;
    const text = (name: string) => (typeof body[name] === 'string' ? body[name] : '');
    const phase = CLOSING[type];
    if (phase !== undefined) {
      state.phase = phase;
      state.closedAtMs = atMs;
    }
    if (type === 'watch.started') {
      state.mode = text('mode');
      state.rollbackOf = typeof body['rollbackOf'] === 'string' ? body['rollbackOf'] : null;
    }
    if (type === 'watch.started' || type === 'watch.extended') {
      state.deadlineAtMs = Number(body['deadlineAtMs']);
    }
    if (type === 'window.entered') state.window = text('window');
    if (type === 'watch.acknowledged') state.acknowledgedBy = text('by');
    if (type === 'watch.signed') {
      const [role, name] = [text('role'), text('name')];
      state.signed = [...state.signed.filter((one) => one.role !== role), { role, name }];
    }
    if (type === 'watch.stopped') {
      state.reason = text('reason');
      for (const name of namesOf(body['actions'])) state.actions[name] = 'pending';
      const verifies = body['verifies'] === true && Object.keys(state.actions).length > 0;
      state.verification = verifies ? 'waiting' : 'none';
    }
    if (type === 'action.gave_up') state.actions[text('action')] = 'gave_up';
    if (type === 'action.accepted') this.#accept(text('action'));
    if (type === 'rollback.confirmed') state.verification = 'confirmed';
    if (type === 'rollback.not_confirmed') state.verification = 'not_confirmed';
  }

  #accept(action: string): void {
    const { state } = this;
    if (state.actions[action] === 'gave_up') return;
    state.actions[action] = 'accepted';
    const main = 'rollback' in state.actions ? 'rollback' : 'disarm';
    if (state.verification === 'waiting' && action === main) state.verification = 'verifying';
  }

  condition(id: string): ConditionFact | undefined {
    return this.policy.conditions.find((one) => one.id === id);
  }

  /** Whether a value breaches (stop, warn) or meets (pass) the limit. */
  meets({ limit }: ConditionFact, value: number): boolean {
    const limitValue = limit.value ?? 0;
    if (limit.kind === 'failing') return value !== 1;
    if (limit.kind === 'passing') return value === 1;
    if (limit.comparator === 'above') return value > limitValue;
    if (limit.comparator === 'below') return value < limitValue;
    if (limit.comparator === 'at_most') return value <= limitValue;
    throw new Error(`the checker does not know ${JSON.stringify(limit)}`);
  }
}

export function namesOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
