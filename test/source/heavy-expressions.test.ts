// Expressions that get no answer in time, of one watch and of many: the heavy one is found, and a
// server that can do no more is not asked more than before.
import { describe, expect, it } from 'vitest';
import type { PromqlIndicator } from '../../src/core/policy.ts';
import { sharedAsks, sourceOn } from '../../src/source/prometheus.ts';
import type { Query, QueryAnswer } from '../../src/source/prometheus-api.ts';
import { T0 } from '../support/build.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const SLOW: QueryAnswer = {
  kind: 'failed',
  reason: 'unreachable',
  detail: 'no answer within 2000 ms',
  fault: 'slow',
};

const indicator = (id: string, promql: string): PromqlIndicator => {
  return { kind: 'promql', id, title: id, unit: 'number', promql, overMs: null, waitMs: 0 };
};

/** Each expression is 1, asked together or alone. */
function ones(promql: string): QueryAnswer {
  const ids = [...promql.matchAll(/"canaryd_indicator", "([^"]+)"/g)].map(([, id = '']) => id);
  const labels = ids.length === 0 ? [{}] : ids.map((id) => ({ canaryd_indicator: id }));
  const elements = labels.map((one) => ({ labels: one, value: 1 }));
  return { kind: 'answered', result: { type: 'vector', elements }, warnings: [] };
}

/** Watches with so many expressions each; `isSlow` says of a text whether it gets no answer. */
function watches(count: number, expressions: number, isSlow: (promql: string) => boolean) {
  const state = { isSlow, questions: 0, tick: 0 };
  const query: Query = async (promql) => {
    state.questions += 1;
    return state.isSlow(promql) ? SLOW : ones(promql);
  };
  const source = sourceOn(query, sharedAsks(query, new VirtualClock()));
  async function tick() {
    state.tick += 1;
    state.questions = 0;
    const all = await Promise.all(
      Array.from({ length: count }, (_, watch) =>
        source.read({
          watchId: `w_${watch}`,
          indicators: Array.from({ length: expressions }, (_, nth) =>
            indicator(`x${nth}`, `x${nth}_of_${watch}`),
          ),
          atMs: T0 + state.tick * 5_000,
          deployedAtMs: T0,
          staleAfterMs: 30_000,
          previous: {},
          signal: new AbortController().signal,
        }),
      ),
    );
    const readings = all.flatMap((one) => Object.values(one));
    const seen = readings.filter(({ kind }) => kind === 'value').length;
    return { questions: state.questions, seen };
  }
  return { state, tick };
}

const NEVER = () => false;
const ALWAYS = () => true;

describe('expressions that get no answer in time', () => {
  it('of one watch are tried ever more seldom, and never all of them', async () => {
    const { tick } = watches(1, 20, ALWAYS);
    const questions: number[] = [];
    for (let n = 0; n < 10; n += 1) questions.push((await tick()).questions);
    expect(questions).toEqual([1, 2, 1, 1, 2, 1, 1, 1, 1, 2]);
  });

  it('of many watches are tried by few of them, and each for itself ever more seldom', async () => {
    const { state, tick } = watches(10, 5, NEVER);
    await tick();
    state.isSlow = ALWAYS;
    const questions: number[] = [];
    for (let n = 0; n < 10; n += 1) questions.push((await tick()).questions);
    expect(questions).toEqual([3, 20, 3, 3, 20, 3, 3, 3, 3, 20]);
    state.isSlow = NEVER;
    await tick();
    expect(await tick()).toEqual({ questions: 1, seen: 50 });
    state.isSlow = ALWAYS;
    expect([(await tick()).questions, (await tick()).questions]).toEqual([3, 20]);
  });

  it('because each watch has a heavy one blind the others for one tick', async () => {
    const { state, tick } = watches(10, 5, NEVER);
    await tick();
    state.isSlow = (promql) => promql.includes('x2_of');
    expect((await tick()).seen).toBe(0);
    expect((await tick()).seen).toBe(40);
    expect(await tick()).toEqual({ questions: 1, seen: 40 });
  });

  it('because two are heavy that are tried first blind the others for four ticks', async () => {
    const { tick } = watches(1, 5, (promql) => /x[01]_of/.test(promql));
    const seen: number[] = [];
    for (let n = 0; n < 5; n += 1) seen.push((await tick()).seen);
    expect(seen).toEqual([0, 0, 0, 0, 3]);
  });

  it('because one watch has a heavy one blind no other watch', async () => {
    const { state, tick } = watches(10, 5, NEVER);
    await tick();
    state.isSlow = (promql) => promql.includes('x2_of_7');
    expect((await tick()).seen).toBe(45);
    expect((await tick()).seen).toBe(49);
    expect(await tick()).toEqual({ questions: 1, seen: 49 });
  });
});
