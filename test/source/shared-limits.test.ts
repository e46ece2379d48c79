// What a shared question does after it has failed: nobody is blind for another one's sake, and the
// same is not asked twice for ever.
import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Query, QueryAnswer } from '../../src/source/prometheus-api.ts';
import { SHARED_MAX } from '../../src/source/shared-query.ts';
import { sharedOn } from '../../src/source/shared-raw.ts';
import { T0 } from '../support/build.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

type Fault = Extract<QueryAnswer, { kind: 'failed' }>['fault'];

const EMPTY: QueryAnswer = {
  kind: 'answered',
  result: { type: 'matrix', series: [] },
  warnings: [],
};
const failed = (fault: Fault): QueryAnswer => {
  return { kind: 'failed', reason: 'rejected', detail: 'no', fault };
};

const need = (name: string) => {
  const matchers = [{ label: 'environment', op: '=', value: name }] as const;
  return {
    metrics: ['filled'],
    selectors: [{ metric: 'filled', matchers }],
    fromMs: T0 - 35_000,
    atMs: T0,
  };
};

const named = (count: number) => Array.from({ length: count }, (_, index) => `e${index}e`);

function served(answer: (environments: readonly string[]) => QueryAnswer) {
  const asked: (readonly string[])[] = [];
  const clock = new VirtualClock();
  const query: Query = async (promql) => {
    const environments = promql.match(/e\d+e/g) ?? [];
    asked.push(environments);
    return answer(environments);
  };
  const ask = sharedOn(query, clock);
  /** One tick of all; how many watches each question was for, and who is blind. */
  async function tick(names: readonly string[]) {
    asked.length = 0;
    const answers = await Promise.all(
      names.map((name) => ask(need(name), new AbortController().signal)),
    );
    const blind = names.filter((_, index) => answers[index]?.kind === 'failed');
    return { sizes: asked.map(({ length }) => length).sort((a, b) => b - a), blind };
  }
  return { tick, clock, ask };
}

const FAULTS: readonly Fault[] = ['query', 'size', 'slow', 'server'];

describe('a shared question that fails', () => {
  it.each(FAULTS)(
    'because of one watch (%s) blinds that one, which then asks alone',
    async (fault) => {
      const { tick } = served((all) => (all.includes('e7e') ? failed(fault) : EMPTY));
      const names = named(20);
      expect((await tick(names)).blind).toEqual(['e7e']);
      expect(await tick(names)).toEqual({ sizes: [19, 1], blind: ['e7e'] });
    },
  );

  it.each(FAULTS)(
    'because of how many they are (%s) blinds nobody, and fewer ask together',
    async (fault) => {
      const { tick } = served((all) => (all.length > 12 ? failed(fault) : EMPTY));
      const names = named(SHARED_MAX);
      const first = await tick(names);
      expect(first.blind).toEqual([]);
      await tick(names);
      await tick(names);
      const settled = await tick(names);
      expect(settled.blind).toEqual([]);
      expect(settled.sizes).toEqual([12, 12, 12, 12, 2]);
    },
  );

  it('is asked in whole again when some minutes have passed', async () => {
    let isBad = true;
    const { tick, clock } = served((all) =>
      isBad && all.includes('e7e') ? failed('size') : EMPTY,
    );
    const names = named(20);
    await tick(names);
    isBad = false;
    expect((await tick(names)).sizes).toEqual([19, 1]);
    await clock.advance(6 * 60_000);
    expect((await tick(names)).sizes).toEqual([20]);
  });

  it('because of one watch for longer is not asked with it again, until that one is answered', async () => {
    let isBad = true;
    const { tick, clock } = served((all) =>
      isBad && all.includes('e7e') ? failed('size') : EMPTY,
    );
    const names = named(20);
    await tick(names);
    for (let minute = 0; minute < 12; minute += 1) {
      await clock.advance(60_000);
      expect(await tick(names)).toEqual({ sizes: [19, 1], blind: ['e7e'] });
    }
    isBad = false;
    await clock.advance(5 * 60_000);
    expect((await tick(names)).sizes).toEqual([20]);
  });

  it.each(['server', 'slow'] as const)(
    'as everything does (%s) is followed by two questions of one watch, not by one of each',
    async (fault) => {
      const { tick } = served(() => failed(fault));
      const names = named(20);
      expect(await tick(names)).toEqual({ sizes: [20, 1, 1], blind: names });
      expect(await tick(names)).toEqual({ sizes: [20, 1, 1], blind: names });
    },
  );

  it('as everything does is the fault of the server, not of a watch that did not ask', async () => {
    const { ask } = served(() => failed('slow'));
    const { signal } = new AbortController();
    const answers = await Promise.all(named(3).map((name) => ask(need(name), signal)));
    expect(answers.map((one) => one.kind === 'failed' && one.fault)).toEqual([
      'slow',
      'slow',
      'server',
    ]);
  });

  it('at a server that answers only some in time makes groups smaller, and sends nobody off alone', async () => {
    let turn = 0;
    const { tick } = served((all) => {
      turn += 1;
      return all.length > 12 || turn % 2 === 0 ? failed('slow') : EMPTY;
    });
    const names = named(24);
    await tick(names);
    expect((await tick(names)).sizes.slice(0, 2)).toEqual([12, 12]);
  });

  it('because of two watches that happen to ask first blinds the others for one tick only', async () => {
    const bad = ['e0e', 'e1e'];
    const { tick } = served((all) =>
      all.some((name) => bad.includes(name)) ? failed('slow') : EMPTY,
    );
    const names = named(20);
    await tick(names);
    expect((await tick(names)).blind).toEqual(bad);
    expect((await tick(names)).sizes).toEqual([18, 1, 1]);
  });
});

describe('a watch in a shared question', () => {
  it('hears of an exception, as if it had asked alone', async () => {
    const { ask } = served(() => {
      throw new Error('a bug');
    });
    const { signal } = new AbortController();
    const all = await Promise.allSettled(['e1e', 'e2e'].map((name) => ask(need(name), signal)));
    expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('leaves nothing behind on a signal that lives on', async () => {
    const { ask } = served(() => EMPTY);
    const { signal } = new AbortController();
    await Promise.all(['e1e', 'e2e'].map((name) => ask(need(name), signal)));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('whose tick has ended before is not asked for', async () => {
    let asked: readonly string[] = [];
    const { ask } = served((all) => {
      asked = all;
      return EMPTY;
    });
    const { signal } = new AbortController();
    const late = new AbortController();
    const both = [ask(need('e1e'), signal), ask(need('e2e'), late.signal)];
    late.abort();
    expect(await ask(need('e3e'), AbortSignal.abort())).toMatchObject({ kind: 'failed' });
    expect(await Promise.all(both)).toMatchObject([{ kind: 'answered' }, { kind: 'failed' }]);
    expect(asked).toEqual(['e1e']);
  });
});
