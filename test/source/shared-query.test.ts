// Questions of one turn of the event loop that become one, and how its answer is divided.
import { describe, expect, it } from 'vitest';
import type { Matcher } from '../../src/core/policy.ts';
import type { Query, QueryAnswer } from '../../src/source/prometheus-api.ts';
import { SHARED_MAX } from '../../src/source/shared-query.ts';
import { sharedOn } from '../../src/source/shared-raw.ts';
import { T0 } from '../support/build.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

type Need = Parameters<ReturnType<typeof sharedOn>>[0];

function need(matchers: readonly Matcher[], over: Partial<Need> = {}): Need {
  return {
    metrics: ['filled', 'submitted'],
    selectors: [{ metric: 'filled', matchers }],
    fromMs: T0 - 35_000,
    atMs: T0,
    ...over,
  };
}

const of = (environment: string): readonly Matcher[] => [
  { label: 'environment', op: '=', value: environment },
  { label: 'job', op: '=', value: 'aurora' },
];

const SERIES = ['a', 'b', 'c.d', 'cxd'].map((environment) => ({
  labels: { __name__: 'filled', job: 'aurora', environment },
  points: [[T0 - 1_000, 7] as const],
  isNativeHistogram: false,
}));
const ALL: QueryAnswer = {
  kind: 'answered',
  result: { type: 'matrix', series: SERIES },
  warnings: ['a store did not answer'],
};

/** Asks all at once; what was asked of the API, and which environments each got. */
async function asked(needs: readonly Need[], answer: (promql: string) => QueryAnswer = () => ALL) {
  const questions: string[] = [];
  const query: Query = async (promql) => {
    questions.push(promql);
    return answer(promql);
  };
  const ask = sharedOn(query, new VirtualClock());
  const { signal } = new AbortController();
  const answers = await Promise.all(needs.map((one) => ask(one, signal)));
  return { questions, answers };
}

const environmentsOf = (answer: QueryAnswer | undefined) =>
  answer?.kind === 'answered' && answer.result.type === 'matrix'
    ? answer.result.series.map(({ labels }) => labels['environment'])
    : answer;

describe('a shared question', () => {
  it('names each value of a label that differs, and gives each watch its own series', async () => {
    const { questions, answers } = await asked([need(of('a')), need(of('b'))]);
    expect(questions).toEqual([
      '{__name__=~"filled|submitted",environment=~"a|b",job="aurora"}[35s]',
    ]);
    expect(answers.map(environmentsOf)).toEqual([['a'], ['b']]);
  });

  it('means a value literally, also where it looks like a pattern', async () => {
    const { questions, answers } = await asked([need(of('c.d')), need(of('a'))]);
    expect(questions[0]).toContain('environment=~"a|c\\\\.d"');
    expect(answers.map(environmentsOf)).toEqual([['c.d'], ['a']]);
  });

  it('says the warnings of the answer to each', async () => {
    const { answers } = await asked([need(of('a')), need(of('b'))]);
    expect(answers.map((one) => one.kind === 'answered' && one.warnings)).toEqual([
      ['a store did not answer'],
      ['a store did not answer'],
    ]);
  });

  it('gives a watch without series an empty answer, not those of another one', async () => {
    const { answers } = await asked([need(of('nobody')), need(of('b'))]);
    expect(answers.map(environmentsOf)).toEqual([[], ['b']]);
  });

  it('begins where the first of them begins, and ends where the last one ends', async () => {
    const needs = [
      need(of('a'), { fromMs: T0 - 40_000 }),
      need(of('b'), { atMs: T0 + 5, fromMs: T0 - 30_000 }),
    ];
    const { questions } = await asked(needs);
    expect(questions[0]).toMatch(/\[40s5ms\]$/);
  });

  it.each([
    ['other metrics', need(of('b'), { metrics: ['filled'] })],
    ['another label', need([{ label: 'pod', op: '=', value: 'b' }])],
    ['another pattern', need([{ label: 'environment', op: '=~', value: 'b.*' }])],
    ['another moment', need(of('b'), { atMs: T0 + 60_000 })],
    ['minutes to catch up', need(of('b'), { fromMs: T0 - 300_000 })],
  ])('is not one with a watch that wants %s', async (_, other) => {
    const { questions } = await asked([need(of('a')), other]);
    expect(questions).toHaveLength(2);
  });

  it('has so many watches and no more', async () => {
    const many = Array.from({ length: SHARED_MAX + 2 }, (_, index) => need(of(`e${index}`)));
    const { questions } = await asked(many);
    expect(questions).toHaveLength(2);
  });

  it.each([
    [35_000, 1],
    [300_000, 1],
    [3_600_000, 5],
    [36_000_000, 20],
  ])('looks back %s ms for so many watches that its answer is read soon', async (lookMs, count) => {
    const many = Array.from({ length: 20 }, (_, index) =>
      need(of(`e${index}`), { fromMs: T0 - lookMs }),
    );
    const { questions } = await asked(many);
    expect(questions).toHaveLength(count);
  });

  it('that is too much for the server is asked again for each watch alone', async () => {
    const tooLarge: QueryAnswer = {
      kind: 'failed',
      reason: 'rejected',
      detail: 'too many samples',
      fault: 'query',
    };
    const { questions, answers } = await asked([need(of('a')), need(of('b'))], (promql) =>
      promql.includes('a|b') || promql.includes('"b"') ? tooLarge : ALL,
    );
    expect(questions).toHaveLength(3);
    expect(answers.map(({ kind }) => kind)).toEqual(['answered', 'failed']);
  });

  it('that fails beside another one finds out in the end who is answered', async () => {
    const slow: QueryAnswer = { kind: 'failed', reason: 'unreachable', detail: '', fault: 'slow' };
    const query: Query = async (promql) => (/environment=("[ab]"|~)/.test(promql) ? slow : ALL);
    const ask = sharedOn(query, new VirtualClock());
    const { signal } = new AbortController();
    // At the one question the first two spoil it, at the other one the last two.
    const some = ['a', 'b', 'c', 'd'].map((name) => need(of(name), { metrics: ['filled'] }));
    const others = ['c', 'd', 'a', 'b'].map((name) => need(of(name), { metrics: ['submitted'] }));
    const answered: unknown[] = [];
    for (let tick = 0; tick < 8; tick += 1) {
      const answers = await Promise.all([...some, ...others].map((one) => ask(one, signal)));
      answered.push(...answers.flatMap(({ kind }, at) => (kind === 'answered' ? [at] : [])));
    }
    expect([...new Set(answered)].sort()).toEqual([2, 3, 4, 5]);
  });

  it('goes on while one of its watches still waits, holds up none that has ended, and ends with the last', async () => {
    const signals: AbortSignal[] = [];
    const query: Query = async (_promql, _atMs, signal) => {
      signals.push(signal);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return ALL;
    };
    const ask = sharedOn(query, new VirtualClock());
    const [first, second] = [new AbortController(), new AbortController()];
    const both = [ask(need(of('a')), first.signal), ask(need(of('b')), second.signal)];
    await new Promise((resolve) => setImmediate(resolve));
    first.abort();
    expect(await both[0]).toMatchObject({ kind: 'failed', reason: 'unreachable' });
    expect(signals[0]?.aborted).toBe(false);
    second.abort();
    await both[1];
    expect(signals).toHaveLength(1);
  });
});
