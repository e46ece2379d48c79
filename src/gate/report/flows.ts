// Which flows of an audit log are traced: all events of an order carry one and the same trace, and
// all its steps are there. Bounded in the number of flows.
import { ms, shareValue } from '../../config/fields.ts';
import type { AuditLogInput } from '../../config/gate-checks/audit-log.ts';
import { formatNumber } from '../../core/quantity.ts';
import { jsonAt, type Mapping } from '../../kit/json.ts';
import { wordOf } from '../../source/audit-log/events.ts';

export const FLOWS_MAX = 300_000;
const TYPES_MAX = 10_000;
const SHOWN_MAX = 20;

type TraceInput = NonNullable<AuditLogInput['trace']>;

type Flow = {
  trace: string | null;
  problem: string | null;
  /** One bit for each type of `complete`. */
  steps: number;
  newestMs: number | null;
};

export type FlowsJudged = {
  readonly kind: 'enough' | 'too_few' | 'missing' | 'too_many';
  readonly text: string;
  readonly details: readonly string[];
};

export class Flows {
  readonly #input: TraceInput;
  readonly #types: ReadonlySet<string> | null;
  readonly #flows = new Map<string, Flow>();
  #traced = 0;
  #untraced = 0;
  #isOver = false;
  readonly #shown: string[] = [];
  /** Types of events that are part of a flow. */
  readonly #inFlows = new Set<string>();
  /** Events without a flow and without a trace, by type. */
  readonly #strays = new Map<string, { readonly where: string; readonly count: number }>();

  constructor(input: TraceInput) {
    this.#input = input;
    this.#types = input.of === undefined ? null : new Set(input.of);
  }

  add(event: Mapping, atMs: number | null, where: string): void {
    const type = wordOf(jsonAt(event, this.#input.type));
    if (this.#types !== null && !(type !== null && this.#types.has(type))) return;
    const trace = wordOf(jsonAt(event, this.#input.id));
    if (this.#input.flow === undefined) {
      this.#count(trace === null ? where : null, 'no trace');
      return;
    }
    const key = wordOf(jsonAt(event, this.#input.flow));
    if (key === null) {
      if (this.#types !== null) this.#count(where, `no ${this.#input.flow}`);
      else if (trace === null && type !== null) this.#stray(type, where);
      return;
    }
    if (type !== null && this.#inFlows.size < TYPES_MAX) this.#inFlows.add(type);
    this.#join(key, trace, { type, atMs });
  }

  /** Whether it belongs to a flow is known at the end: heartbeats have none, others of its type do. */
  #stray(type: string, where: string): void {
    const known = this.#strays.get(type);
    if (known === undefined && this.#strays.size >= TYPES_MAX) return;
    this.#strays.set(type, { where: known?.where ?? where, count: (known?.count ?? 0) + 1 });
  }

  #count(where: string | null, problem: string): void {
    if (where === null) this.#traced += 1;
    else {
      this.#untraced += 1;
      this.#show(`${where}: ${problem}`);
    }
  }

  #show(text: string): void {
    if (this.#shown.length < SHOWN_MAX) this.#shown.push(text);
  }

  #join(key: string, trace: string | null, of: { type: string | null; atMs: number | null }): void {
    const known = this.#flows.get(key);
    if (known === undefined && this.#flows.size >= FLOWS_MAX) {
      this.#isOver = true;
      return;
    }
    const flow = known ?? { trace, problem: null, steps: 0, newestMs: null };
    if (known === undefined) this.#flows.set(key, flow);
    if (trace === null) flow.problem ??= 'an event without a trace';
    else if (flow.trace !== null && flow.trace !== trace) flow.problem ??= 'two different traces';
    flow.trace ??= trace;
    const step = of.type === null ? -1 : (this.#input.complete ?? []).indexOf(of.type);
    if (step >= 0) flow.steps |= 1 << step;
    if (of.atMs !== null) flow.newestMs = Math.max(of.atMs, flow.newestMs ?? of.atMs);
  }

  /** @param isCut events before the first one were not read: flows that began there do not count */
  judged(nowMs: number, isCut: boolean): FlowsJudged {
    for (const [key, flow] of this.#flows) this.#judgeFlow(key, flow, nowMs, isCut);
    for (const [type, { where, count }] of this.#strays) {
      if (!this.#inFlows.has(type)) continue;
      this.#untraced += count;
      this.#show(`${where}: ${type} without ${this.#input.flow} and trace (${count} of them)`);
    }
    const total = this.#traced + this.#untraced;
    const { flow, at_least: atLeast, flows_min: least } = this.#input;
    const what = flow === undefined ? 'events' : 'flows';
    if (this.#isOver) {
      const text = `more than ${FLOWS_MAX} flows; read less with last or tail`;
      return { kind: 'too_many', text, details: [] };
    }
    if (total < least) {
      const text = `${total} ${what} to be traced, at least ${least} wanted`;
      return { kind: 'too_few', text, details: [] };
    }
    const share = this.#traced / total;
    // Rounded down: what is shown as 100 % is all of them.
    const percent = formatNumber(Math.floor(share * 10_000 + 1e-7) / 100);
    const text = `${percent} % of ${total} ${what} traced, at least ${atLeast} wanted`;
    const isEnough = share >= (shareValue(atLeast) ?? 1) - Number.EPSILON;
    return { kind: isEnough ? 'enough' : 'missing', text, details: this.#shown };
  }

  #judgeFlow(key: string, flow: Flow, nowMs: number, isCut: boolean): void {
    const { settle, complete = [] } = this.#input;
    if (settle !== undefined && flow.newestMs !== null && nowMs - flow.newestMs < ms(settle))
      return;
    if (isCut && complete.length > 0 && (flow.steps & 1) === 0) return;
    const missing = complete.filter((_, at) => (flow.steps & (1 << at)) === 0);
    const problem = flow.problem ?? (missing.length > 0 ? `no ${missing.join(', ')}` : null);
    this.#count(problem === null ? null : `flow ${key.slice(0, 60)}`, problem ?? '');
  }
}
