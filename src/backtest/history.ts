// A Prometheus's past as the daemon would have asked for it: the same questions, tick by tick, get
// the same answers, but what goes over the wire are a few large requests. Kept for one deploy, and
// shared by the policies that are compared on it.
// May not guess: what cannot be derived from a large answer is asked as the daemon asks it.
import { parseDuration } from '../core/quantity.ts';
import type { Query } from '../source/prometheus-api.ts';
import type { Asker } from './asker.ts';
import { ExpressionAnswers } from './expression-answers.ts';
import { type Edge, RawChunks } from './raw-chunks.ts';

/** Expressions kept; those with a growing range are a new text at each tick. */
const EXPRESSIONS_MAX = 500;
/** `{...}[30s]`, as `rawSelector` writes it. */
const RAW_SELECTOR = /^(\{.*\})\[([0-9a-z]+)\]$/s;

export type HistoryOptions = {
  readonly asker: Asker;
  readonly chunkMs: number;
  /** The last time that will be asked for. */
  readonly untilMs: number;
  /** Known of the source from earlier deploys. */
  readonly edge: Edge;
};

export class History {
  readonly #options: HistoryOptions;
  readonly #raw = new Map<string, RawChunks>();
  readonly #expressions = new Map<string, ExpressionAnswers>();

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /** For a replay whose ticks are so far apart. */
  query(stepMs: number): Query {
    return async (promql, atMs) => {
      const [, selector, duration = ''] = RAW_SELECTOR.exec(promql) ?? [];
      const windowMs = parseDuration(duration);
      if (selector === undefined || windowMs === null) {
        return this.#expression(promql).at(atMs, stepMs);
      }
      return this.#selector(selector).window(atMs - windowMs, atMs);
    };
  }

  #selector(selector: string): RawChunks {
    const known = this.#raw.get(selector);
    if (known !== undefined) return known;
    const created = new RawChunks({ ...this.#options, selector });
    this.#raw.set(selector, created);
    return created;
  }

  #expression(promql: string): ExpressionAnswers {
    const found = this.#expressions.get(promql);
    const expression = found ?? new ExpressionAnswers({ ...this.#options, promql });
    // A Map keeps the order of insertion: the first one was asked longest ago.
    this.#expressions.delete(promql);
    this.#expressions.set(promql, expression);
    const [oldest] = this.#expressions.keys();
    if (this.#expressions.size > EXPRESSIONS_MAX && oldest !== undefined) {
      this.#expressions.delete(oldest);
    }
    return expression;
  }
}
