// Expressions of one turn of the event loop that become one request, and how its answer is divided.
import { describe, expect, it } from 'vitest';
import type { PromqlIndicator } from '../../src/core/policy.ts';
import type { Query, QueryAnswer } from '../../src/source/prometheus-api.ts';
import { ExpressionReader } from '../../src/source/prometheus-expressions.ts';
import { INDICATOR_LABEL } from '../../src/source/promql.ts';
import {
  EXPRESSION_BYTES_MAX,
  type ExpressionQuestion,
  expressionsSharedOn,
} from '../../src/source/shared-expressions.ts';
import { SHARED_MAX } from '../../src/source/shared-query.ts';
import { T0 } from '../support/build.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

type Over = Partial<ExpressionQuestion>;

function want(texts: readonly string[], over: Over = {}): ExpressionQuestion {
  const expressions = texts.map((promql, index) => ({
    id: `i${index}`,
    key: promql,
    promql,
    isScalar: false,
  }));
  return { expressions, atMs: T0, fromMs: T0 - 250, isApart: false, ...over };
}

const PART = /label_replace\(\(\n(.*)\n\), "canaryd_indicator", "([^"]*)"/g;
const partsOf = (promql: string) => [...promql.matchAll(PART)];

/** Each expression gives one series that is named as its text. */
function echo(promql: string, warnings: readonly string[] = []): QueryAnswer {
  const parts = partsOf(promql).map(([, text = '', id = '']) => ({ text, [INDICATOR_LABEL]: id }));
  const labels = parts.length === 0 ? [{ text: promql }] : parts;
  const elements = labels.map((one) => ({ labels: one, value: 1 }));
  return { kind: 'answered', result: { type: 'vector', elements }, warnings };
}

const failed = (fault: 'query' | 'slow'): QueryAnswer => {
  return { kind: 'failed', reason: 'rejected', detail: 'no', fault };
};

function served(answer: (promql: string) => QueryAnswer = echo) {
  const questions: { readonly promql: string; readonly atMs: number }[] = [];
  const query: Query = async (promql, atMs) => {
    questions.push({ promql, atMs });
    return answer(promql);
  };
  const ask = expressionsSharedOn(query, new VirtualClock());
  const { signal } = new AbortController();
  return {
    questions,
    all: (wanted: readonly ExpressionQuestion[]) =>
      Promise.all(wanted.map((one) => ask(one, signal))),
  };
}

const labelsOf = (answer: QueryAnswer | undefined) =>
  answer?.kind === 'answered' && answer.result.type === 'vector'
    ? answer.result.elements.map(({ labels }) => labels)
    : answer;

describe('shared expressions', () => {
  it('of different texts are one request, and each watch gets its own by its own names', async () => {
    const { questions, all } = served();
    const answers = await all([want(['a', 'b']), want(['c', 'b'])]);
    expect(questions).toHaveLength(1);
    expect(partsOf(questions[0]?.promql ?? '').map(([, text]) => text)).toEqual(['a', 'b', 'c']);
    expect(answers.map(labelsOf)).toEqual([
      [
        { text: 'a', canaryd_indicator: 'i0' },
        { text: 'b', canaryd_indicator: 'i1' },
      ],
      [
        { text: 'c', canaryd_indicator: 'i0' },
        { text: 'b', canaryd_indicator: 'i1' },
      ],
    ]);
  });

  it('of one text are asked once, as by one watch', async () => {
    const { questions, all } = served();
    const answers = await all(Array.from({ length: 3 * SHARED_MAX }, () => want(['a'])));
    expect(questions).toEqual([{ promql: 'a', atMs: T0 }]);
    expect(new Set(answers.map((one) => JSON.stringify(labelsOf(one)))).size).toBe(1);
  });

  it('of a watch with one expression come without our label, as it would get them alone', async () => {
    const { all } = served();
    const answers = await all([want(['a']), want(['b'])]);
    expect(answers.map(labelsOf)).toEqual([[{ text: 'a' }], [{ text: 'b' }]]);
  });

  it('of one text under two names come under both', async () => {
    const { questions, all } = served();
    const [answer] = await all([want(['a', 'a'])]);
    expect(questions).toHaveLength(1);
    expect(labelsOf(answer)).toEqual([
      { text: 'a', canaryd_indicator: 'i0' },
      { text: 'a', canaryd_indicator: 'i1' },
    ]);
  });

  it('of one text are two where one of them is known to be a scalar', async () => {
    const { questions, all } = served();
    const [{ expressions }] = [want(['a'])];
    await all([
      want(['a']),
      want([], { expressions: expressions.map((one) => ({ ...one, isScalar: true })) }),
    ]);
    expect(questions[0]?.promql.match(/label_replace\((?:vector)?\(/g)).toEqual([
      'label_replace((',
      'label_replace(vector(',
    ]);
  });

  it('are asked at the oldest time of the moment: nobody sees what is later than its own', async () => {
    const { questions, all } = served();
    await all([
      want(['a'], { atMs: T0 + 9, fromMs: T0 - 200 }),
      want(['b'], { atMs: T0 + 2, fromMs: T0 - 200 }),
      want(['c'], { atMs: T0 + 5, fromMs: T0 + 2 }),
    ]);
    expect(questions.map(({ atMs }) => atMs)).toEqual([T0 + 2]);
  });

  it.each<readonly [string, Over]>([
    ['whose range would reach back before the deploy then', { atMs: T0 + 5, fromMs: T0 + 1 }],
    ['of another moment', { atMs: T0 + 5_000, fromMs: T0 + 4_750 }],
    ['of an exact time in the past', { atMs: T0 + 1, fromMs: T0 + 1 }],
    ['that nobody has seen answered', { isApart: true }],
  ])('are not asked with one %s', async (_, over) => {
    const { questions, all } = served();
    await all([want(['a']), want(['b'], over)]);
    expect(questions).toHaveLength(2);
    expect(questions.map(({ atMs }) => atMs)).toEqual([T0, over.atMs ?? T0]);
  });

  it('that nobody has seen answered are asked once by those who want the same', async () => {
    const { questions, all } = served();
    await all([want(['a'], { isApart: true }), want(['a'], { isApart: true, atMs: T0 + 3 })]);
    expect(questions).toEqual([{ promql: 'a', atMs: T0 }]);
  });

  it('are of so many watches in one request and no more', async () => {
    const { questions, all } = served();
    await all(Array.from({ length: SHARED_MAX + 2 }, (_, index) => want([`e${index}`])));
    expect(questions.map(({ promql }) => partsOf(promql).length)).toEqual([SHARED_MAX, 2]);
  });

  it('are no more text than servers take', async () => {
    const { questions, all } = served();
    const long = 'x'.repeat(1_000);
    await all(Array.from({ length: 30 }, (_, index) => want([`a${index}${long}`, `b${index}`])));
    const sizes = questions.map(({ promql }) => Buffer.byteLength(promql));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(EXPRESSION_BYTES_MAX);
    expect(questions).toHaveLength(3);
  });

  it('of a watch that are too much text by themselves are still asked', async () => {
    const { questions, all } = served();
    const huge = 'x'.repeat(EXPRESSION_BYTES_MAX);
    const answers = await all([want(['a']), want([huge]), want(['b'])]);
    expect(answers.map(({ kind }) => kind)).toEqual(['answered', 'answered', 'answered']);
    expect(questions.some(({ promql }) => promql === huge)).toBe(true);
  });

  it('that are refused for one of them blind that one only, and go on without it', async () => {
    const { questions, all } = served((promql) =>
      promql.includes('bad') ? failed('query') : echo(promql),
    );
    const wanted = [want(['a']), want(['bad']), want(['b'])];
    expect((await all(wanted)).map(({ kind }) => kind)).toEqual(['answered', 'failed', 'answered']);
    questions.length = 0;
    await all(wanted);
    expect(questions.map(({ promql }) => partsOf(promql).length)).toEqual([2, 0]);
  });

  it('that nobody answers in time are asked by two watches alone; all hear that it is slow', async () => {
    const { questions, all } = served(() => failed('slow'));
    const answers = await all(Array.from({ length: 20 }, (_, index) => want([`e${index}`])));
    expect(questions).toHaveLength(3);
    expect(answers.every((one) => one.kind === 'failed' && one.fault === 'slow')).toBe(true);
  });

  it('say a warning that names a place to whom it is about, and others to all', async () => {
    const warnings = ['a store did not answer', 'quantile should be between 0 and 1 (6:10)'];
    const { all } = served((promql) => echo(promql, warnings));
    const answers = await all([want(['a']), want(['b'])]);
    expect(answers.map((one) => one.kind === 'answered' && one.warnings)).toEqual([
      ['a store did not answer'],
      ['a store did not answer', 'quantile should be between 0 and 1'],
    ]);
  });
});

describe('the expressions of a watch', () => {
  const MINUTE = 60_000;

  /** How early they may be asked, by a tick so long after the deploy. */
  async function fromOf(over: Partial<PromqlIndicator>, sinceDeployMs: number | null) {
    const asked: ExpressionQuestion[] = [];
    const reader = new ExpressionReader(async (question) => {
      asked.push(question);
      return echo('x');
    });
    const id = 'x';
    const plain = { title: id, unit: 'number', promql: 'x', overMs: null, waitMs: 0 } as const;
    const { signal } = new AbortController();
    const atMs = T0 + (sinceDeployMs ?? 0);
    const deployedAtMs = sinceDeployMs === null ? null : T0;
    await reader.read([{ kind: 'promql', id, ...plain, ...over }], { atMs, deployedAtMs, signal });
    return asked.map(({ fromMs }) => atMs - fromMs);
  }

  it.each<readonly [string, Partial<PromqlIndicator>, number | null, number]>([
    ['a quarter of a second before its tick', {}, MINUTE, 250],
    ['not before the deploy', {}, 100, 100],
    ['not when a fixed range would reach back before it', { waitMs: MINUTE }, MINUTE + 7, 7],
    ['not when its own range would', { promql: 'x[${range}]' }, MINUTE + 7, 7],
    ['once its range is full', { promql: 'x[${range}]', overMs: 30_000 }, MINUTE, 250],
    ['at the exact time, of a look at the time before the deploy', {}, null, 0],
  ])('may be asked %s', async (_, over, sinceDeployMs, earlierMs) => {
    expect(await fromOf(over, sinceDeployMs)).toEqual([earlierMs]);
  });
});
