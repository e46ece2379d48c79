// What a case proves of each condition. That a condition fired proves nothing when the case would
// have passed without it, so only what an expectation hangs on counts: the condition itself, or
// what follows from it (the watch stopped or passed, actions were sent, a message was told).
import type { Policy } from '../core/policy.ts';
import type { ConditionView, WatchView } from '../engine/control.ts';
import type { Case } from './case.ts';
import {
  type Check,
  candidates,
  type Expectation,
  messagesWith,
  type Seen,
} from './expectation.ts';
import type { Found } from './result.ts';

type Both = { readonly fired: Set<string>; readonly held: Set<string> };
type ConditionCheck = Extract<Check, { kind: 'condition' }>;
type Conditions = readonly ConditionView[];
type Proof = { readonly fired: Conditions; readonly held: Conditions };

const NOTHING: Proof = { fired: [], held: [] };
const fires = (fired: Conditions): Proof => ({ fired, held: [] });
const holds = (held: Conditions): Proof => ({ fired: [], held });

export class Evidence {
  readonly #policy: Pick<Policy, 'actions' | 'verify'>;
  readonly #isHeldByHand: boolean;
  readonly #seen = new Map<string, Both>();
  readonly #expected: Both = { fired: new Set(), held: new Set() };

  constructor(policy: Pick<Policy, 'actions' | 'verify'>, { happens }: Pick<Case, 'happens'>) {
    this.#policy = policy;
    this.#isHeldByHand = happens.some(({ deed }) => deed.kind === 'human' && deed.verb === 'holds');
  }

  get found(): { readonly fired: Found; readonly held: Found } {
    const all = [...this.#seen.values()];
    const of = (what: keyof Both) => ({
      seen: new Set(all.flatMap((both) => [...both[what]])),
      expected: this.#expected[what],
    });
    return { fired: of('fired'), held: of('held') };
  }

  /** What was judged at a tick of a watch. */
  tick({ id, conditions }: WatchView, judged: ReadonlySet<string>): void {
    const { fired, held } = this.#of(id);
    for (const { condition, state } of conditions) {
      if (!judged.has(condition)) continue;
      if (state === 'firing') fired.add(condition);
      if (state === 'inactive') held.add(condition);
    }
  }

  /** An expectation that is met. */
  met({ check }: Expectation, seen: Seen): void {
    this.#add(this.#byMet(check, seen));
  }

  /** What was so at no time of the case. */
  never({ check }: Expectation, { view }: Pick<Seen, 'view'>): void {
    this.#add(this.#byNever(check, view));
  }

  #byMet(check: Check, seen: Seen): Proof {
    const { view } = seen;
    switch (check.kind) {
      case 'condition':
        return judged(check, seen);
      case 'watch': {
        if (check.phase === 'stopped') return stopped(view);
        const passed = check.phase === 'passed' ? firing(view, 'pass') : [];
        return { ...this.#notStopped(view), fired: passed };
      }
      case 'actions':
        return check.sent.length > 0 ? stopped(view) : this.#notActed(view);
      case 'action_states':
        return stopped(view);
      case 'verification':
        return this.#verified(check.state, view);
      case 'message':
        return this.#told(check.parts, seen);
      case 'window':
      case 'armed':
        return NOTHING;
      default:
        return check satisfies never;
    }
  }

  #byNever(check: Check, view: WatchView): Proof {
    switch (check.kind) {
      case 'condition':
        return this.#neverJudged(check, view);
      case 'watch':
        return check.phase === 'stopped' ? this.#notStopped(view) : NOTHING;
      case 'actions':
        return this.#notActed(view);
      case 'message':
        return this.#notTold(check.parts, view);
      case 'action_states':
      case 'verification':
      case 'window':
      case 'armed':
        return NOTHING;
      default:
        return check satisfies never;
    }
  }

  #neverJudged({ name, state, value }: ConditionCheck, { id, conditions }: WatchView): Proof {
    if (value !== null) return NOTHING;
    const { fired, held } = this.#of(id);
    const byId = conditions.filter(({ condition }) => condition === name);
    const meant = byId.length > 0 ? byId : conditions.filter((one) => one.indicator === name);
    if (state === 'firing') return holds(meant.filter((one) => held.has(one.condition)));
    if (state === 'inactive') return fires(meant.filter((one) => fired.has(one.condition)));
    return NOTHING;
  }

  /** Any stop condition that had fired would have stopped it. */
  #notStopped(view: WatchView): Proof {
    return view.phase === 'stopped' ? NOTHING : holds(this.#heldOf(view, 'stop'));
  }

  #notActed(view: WatchView): Proof {
    const wouldAct = view.mode === 'act' && !this.#isHeldByHand && this.#policy.actions.length > 0;
    return wouldAct ? this.#notStopped(view) : NOTHING;
  }

  #verified(state: string, view: WatchView): Proof {
    if (state !== 'none') return verified(state, view);
    return this.#policy.verify === null ? NOTHING : this.#notActed(view);
  }

  #told(parts: readonly string[], { view, messages }: Seen): Proof {
    const found = messagesWith(parts, messages);
    const [kind, ...others] = new Set(found.map((message) => message.kind));
    // Parts that messages of several kinds contain tell nothing of one of them.
    if (others.length > 0) return NOTHING;
    if (kind === 'watch.stopped') return stopped(view);
    if (kind === 'watch.passed') return fires(firing(view, 'pass'));
    if (kind === 'rollback.confirmed') return verified('confirmed', view);
    if (kind === 'rollback.not_confirmed') return verified('not_confirmed', view);
    if (kind !== 'condition.warned') return NOTHING;
    const { fired } = this.#of(view.id);
    const warned = view.conditions.filter(
      ({ role, condition, title }) =>
        role === 'warn' &&
        fired.has(condition) &&
        found.some(({ headline }) => headline.includes(title)),
    );
    return fires(alone(warned));
  }

  #notTold(parts: readonly string[], view: WatchView): Proof {
    const wouldTell = (text: string) => parts.some((part) => text.includes(part));
    const name = `${view.service} ${view.version} (${view.environment})`;
    const verb = view.mode === 'act' && !this.#isHeldByHand ? 'STOPPED' : 'WOULD STOP';
    const warns = this.#heldOf(view, 'warn').filter(({ title }) =>
      wouldTell(`warning: Warning ${name}: ${title} `),
    );
    const stops = this.#heldOf(view, 'stop').filter(({ title }) =>
      wouldTell(`critical: ${verb} ${name}: ${title} `),
    );
    return holds([...warns, ...stops]);
  }

  #heldOf({ id, conditions }: WatchView, role: string): Conditions {
    const { held } = this.#of(id);
    return conditions.filter((one) => one.role === role && held.has(one.condition));
  }

  #of(watchId: string): Both {
    const both = this.#seen.get(watchId) ?? { fired: new Set(), held: new Set() };
    this.#seen.set(watchId, both);
    return both;
  }

  #add({ fired, held }: Proof): void {
    for (const { condition } of fired) this.#expected.fired.add(condition);
    for (const { condition } of held) this.#expected.held.add(condition);
  }
}

function judged({ name, state }: ConditionCheck, seen: Seen): Proof {
  const meant = candidates(name, seen).filter((one) => one.state === state);
  // Of several that fire, any one is enough for the expectation.
  if (state === 'firing') return fires(alone(meant));
  return state === 'inactive' ? holds(meant) : NOTHING;
}

function stopped(view: WatchView): Proof {
  // A person may have stopped it; what was red before the deploy stops nothing.
  return fires(alone(firing(view, 'stop').filter(({ preExisting }) => !preExisting)));
}

function verified(state: string, view: WatchView): Proof {
  const { fired } = stopped(view);
  if (state === 'confirmed') return fires([...fired, ...firing(view, 'verify')]);
  if (state !== 'not_confirmed') return fires(fired);
  const missing = view.conditions.filter((one) => one.role === 'verify' && !isFiring(one));
  return { fired, held: alone(missing).filter(({ state: now }) => now === 'inactive') };
}

function isFiring({ state }: ConditionView): boolean {
  return state === 'firing';
}

function firing({ conditions }: WatchView, role: string): Conditions {
  return conditions.filter((one) => one.role === role && isFiring(one));
}

/** Of several, nobody can say which one it was. */
function alone(conditions: Conditions): Conditions {
  return conditions.length === 1 ? conditions : [];
}
