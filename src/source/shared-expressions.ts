// PromQL expressions of many watches in one question: different texts are joined as those of one
// watch are, equal ones are asked once. The answer comes to each watch under its own indicators.
import type { Clock } from '../kit/clock.ts';
import type { Query, QueryAnswer } from './prometheus-api.ts';
import type { VectorElement } from './prometheus-result.ts';
import { combined, type Expression, expressionAt, INDICATOR_LABEL } from './promql.ts';
import { type Answered, type Shareable, SharedQuery } from './shared-query.ts';

/** At least one expression of one watch. */
export type ExpressionQuestion = {
  readonly expressions: readonly (Expression & {
    /** Remembers the expression across ticks; the range in its text changes. */
    readonly key: string;
  })[];
  readonly atMs: number;
  /** They may be asked at any time from here to `atMs`: nothing is seen that may not be seen. */
  readonly fromMs: number;
  /** Nobody knows yet whether they are answered: only with those who want the very same. */
  readonly isApart: boolean;
};

/**
 * How expressions are asked. One is answered as by itself; of several, `INDICATOR_LABEL` says whose
 * a series is.
 */
export type ExpressionQuery = (
  question: ExpressionQuestion,
  signal: AbortSignal,
) => Promise<QueryAnswer>;

/**
 * In bytes, the expressions of one request: some servers of the family take no text over 16 KiB.
 * That is near a hundred expressions.
 */
export const EXPRESSION_BYTES_MAX = 15_000;

/** The expressions of each watch as a question of its own. */
export function expressionsAloneOn(query: Query): ExpressionQuery {
  return ({ expressions, atMs }, signal) => query(textOf(expressions), atMs, signal);
}

/** Expressions of one turn of the event loop as one question. */
export function expressionsSharedOn(query: Query, clock: Clock): ExpressionQuery {
  const shared = new SharedQuery(query, EXPRESSIONS, clock);
  return (question, signal) => shared.ask(question, signal);
}

const EXPRESSIONS: Shareable<ExpressionQuestion> = {
  shapeOf: (need) => (need.isApart ? JSON.stringify(need.expressions.map(partOf)) : 'any'),
  keyOf: ({ expressions }) =>
    JSON.stringify(expressions.map(({ key, isScalar }) => [key, isScalar])),
  partOf: ({ expressions }) => JSON.stringify(expressions.map(partOf)),
  sizeOf: ({ expressions }) => Buffer.byteLength(combined(expressions)),
  sizeMax: EXPRESSION_BYTES_MAX,
  atMsOf: ({ atMs }) => atMs,
  // The oldest time is later for none: no sample from after its own time is seen.
  isOfMoment: ({ fromMs }, oldest) => fromMs <= oldest.atMs,
  questionOf: (needs) => ({
    promql: isPlain(needs) ? textOf(needs[0]?.expressions ?? []) : combined(numbered(needs)),
    atMs: Math.min(...needs.map(({ atMs }) => atMs)),
  }),
  divided,
  // Each finds out whether one of its own expressions is the heavy one.
  unasked: (failure) => failure,
};

function textOf(expressions: readonly Expression[]): string {
  const [first, second] = expressions;
  return first !== undefined && second === undefined ? first.promql : combined(expressions);
}

function partOf({ promql, isScalar }: Expression): string {
  return JSON.stringify([promql, isScalar]);
}

/** Only one expression is wanted by all: it is asked as it is. */
function isPlain(needs: readonly ExpressionQuestion[]): boolean {
  const texts = new Set(needs.flatMap(({ expressions }) => expressions.map(partOf)));
  return texts.size === 1 && needs.every(({ expressions }) => expressions.length === 1);
}

/** Each text once, named as by the one watch that asks, or by its place. */
function numbered(needs: readonly ExpressionQuestion[]): readonly Expression[] {
  const all = new Map(
    needs.flatMap(({ expressions }) => expressions.map((one) => [partOf(one), one] as const)),
  );
  const texts = [...all.values()];
  return needs.length === 1 ? texts : texts.map((one, index) => ({ ...one, id: String(index) }));
}

function divided(
  answer: Answered,
  needs: readonly ExpressionQuestion[],
): (need: ExpressionQuestion) => QueryAnswer {
  const { result } = answer;
  if (result.type !== 'vector' || isPlain(needs)) return () => answer;
  const asked = numbered(needs);
  const places = new Map(asked.map((one) => [partOf(one), one.id]));
  const elements = Map.groupBy(result.elements, ({ labels }) => labels[INDICATOR_LABEL]);
  const warnings = answer.warnings.map((text) => attributed(text, asked));
  return ({ expressions }) => {
    const own = new Set(expressions.map((one) => places.get(partOf(one))));
    return {
      kind: 'answered',
      result: {
        type: 'vector',
        elements: expressions.flatMap((one) =>
          (elements.get(places.get(partOf(one))) ?? []).map((element): VectorElement => {
            const { [INDICATOR_LABEL]: _place, ...labels } = element.labels;
            if (expressions.length === 1) return { ...element, labels };
            return { ...element, labels: { ...labels, [INDICATOR_LABEL]: one.id } };
          }),
        ),
      },
      warnings: warnings.flatMap(({ id, text }) => (id === null || own.has(id) ? [text] : [])),
    };
  };
}

/** `… (3:14)`: line and column in a text that nobody else has seen. */
const POSITION = / \((\d+):\d+\)$/;

/** Of which expression a warning speaks; null: of all. */
function attributed(text: string, asked: readonly Expression[]) {
  const line = POSITION.exec(text)?.[1];
  const id = line === undefined ? null : (expressionAt(asked, Number(line))?.id ?? null);
  return { id, text: id === null ? text : text.replace(POSITION, '') };
}
