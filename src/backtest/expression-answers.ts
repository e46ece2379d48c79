// The answers to one PromQL expression at the ticks of a replay. The first time it is asked alone;
// asked again one tick later, the ticks to come are fetched with it. A text that changes with each
// tick (a growing `${range}`) is so asked tick by tick, as the daemon does.
import type { QueryAnswer } from '../source/prometheus-api.ts';
import type { MatrixSeries } from '../source/prometheus-result.ts';
import type { Asker } from './asker.ts';
import { firstFrom } from './raw-chunks.ts';
import { maySplit } from './splitting.ts';

/** More points in one answer are refused by Prometheus. */
export const POINTS_IN_RANGE_MAX = 11_000;
const ANSWERS_KEPT = 64;
const SPANS_KEPT = 8;
/** In a range query these mean the ends of the range, not the tick. */
const KNOWS_THE_RANGE = /\b(?:start|end)\s*\(\s*\)/;

type Span = {
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
  /** null: it could not be had as a range. */
  readonly answer: Promise<Ranged | null>;
};

type Ranged = { readonly series: readonly MatrixSeries[]; readonly warnings: readonly string[] };

export type ExpressionOptions = {
  readonly asker: Asker;
  readonly promql: string;
  readonly chunkMs: number;
  readonly untilMs: number;
};

export class ExpressionAnswers {
  readonly #options: ExpressionOptions;
  readonly #instants = new Map<number, Promise<QueryAnswer>>();
  #spans: Span[] = [];
  #type: 'vector' | 'scalar' | null = null;
  #isAlone: boolean;
  #spanMs: number;

  constructor(options: ExpressionOptions) {
    this.#options = options;
    this.#isAlone = KNOWS_THE_RANGE.test(options.promql);
    this.#spanMs = options.chunkMs;
  }

  async at(atMs: number, stepMs: number): Promise<QueryAnswer> {
    const known = this.#instants.get(atMs);
    if (known !== undefined) return known;
    const span = this.#spanOf(atMs) ?? this.#newSpan(atMs, stepMs);
    const ranged = span === null ? null : await span.answer;
    if (ranged === null) return this.#ask(atMs);
    return { kind: 'answered', result: this.#resultAt(ranged, atMs), warnings: ranged.warnings };
  }

  #spanOf(atMs: number): Span | null {
    const found = this.#spans.find(
      ({ fromMs, toMs, stepMs }) =>
        atMs >= fromMs && atMs <= toMs && (atMs - fromMs) % stepMs === 0,
    );
    return found ?? null;
  }

  /** Only where the tick before was asked, too: else nobody may ever ask for the next one. */
  #newSpan(atMs: number, stepMs: number): Span | null {
    const beforeMs = atMs - stepMs;
    const wasAsked = this.#instants.has(beforeMs) || this.#spanOf(beforeMs) !== null;
    const steps = Math.min(POINTS_IN_RANGE_MAX, Math.floor(this.#spanMs / stepMs)) - 1;
    const lastMs = Math.max(this.#options.untilMs, atMs);
    const toMs = atMs + Math.min(steps, Math.floor((lastMs - atMs) / stepMs)) * stepMs;
    if (this.#isAlone || this.#type === null || !wasAsked || toMs <= atMs) return null;
    const span = { fromMs: atMs, toMs, stepMs, answer: this.#askRange(atMs, toMs, stepMs) };
    this.#spans = [...this.#spans, span].slice(-SPANS_KEPT);
    return span;
  }

  async #askRange(fromMs: number, toMs: number, stepMs: number): Promise<Ranged | null> {
    const { asker, promql } = this.#options;
    const answer = await asker.ask({ promql, fromMs, toMs, stepMs });
    if (answer.kind === 'answered') {
      const { result, warnings } = answer;
      // When a native histogram comes as a number and when not is not told by a range.
      const isPlain =
        result.type === 'matrix' && !result.series.some((one) => one.isNativeHistogram);
      if (isPlain) return { series: result.series, warnings };
      this.#isAlone = true;
      return null;
    }
    // Smaller next time; this tick is asked alone, which also says what one tick is answered.
    this.#spans = this.#spans.filter((one) => one.fromMs !== fromMs);
    this.#spanMs = (toMs - fromMs) / 2;
    this.#isAlone = !maySplit(answer) || this.#spanMs < 2 * stepMs;
    return null;
  }

  #ask(atMs: number): Promise<QueryAnswer> {
    const { asker, promql } = this.#options;
    const asked = asker.ask({ promql, atMs }).then((answer) => {
      if (answer.kind === 'failed') {
        if (answer.fault === 'slow') {
          asker.lose(
            `${answer.detail}, for one query of one moment; give it more time (--timeout)`,
          );
        }
        return answer;
      }
      const { type } = answer.result;
      if (type === 'vector' || type === 'scalar') this.#type = type;
      else this.#isAlone = true;
      return answer;
    });
    this.#instants.set(atMs, asked);
    const [oldest] = this.#instants.keys();
    if (this.#instants.size > ANSWERS_KEPT && oldest !== undefined) this.#instants.delete(oldest);
    return asked;
  }

  #resultAt({ series }: Ranged, atMs: number) {
    const elements = series.flatMap(({ labels, points }) => {
      const point = points[firstFrom(points, atMs)];
      return point?.[0] === atMs ? [{ labels, value: point[1] }] : [];
    });
    if (this.#type === 'vector') return { type: 'vector', elements } as const;
    return { type: 'scalar', value: elements[0]?.value ?? Number.NaN } as const;
  }
}
