import { describe, expect, it } from 'vitest';
import { lookAt } from '../../src/check/live/look.ts';
import type { Look, Sight } from '../../src/check/live/sight.ts';
import { subjectOf } from '../../src/check/subject.ts';
import { readPolicy } from '../../src/config/to-policy.ts';
import { clockAtT, policyOn } from './live-world.ts';

/** A source that answers at a price. */
function costly(look: Look): Sight {
  return {
    kind: 'prometheus',
    deadBecause: async () => null,
    read: async () => ({
      readings: { it: { kind: 'value', value: 1 } },
      cost: { ms: 1, samples: 1 },
    }),
    look: async () => look,
    hasAny: async () => true,
    hasMetric: async () => true,
    metricNames: async () => ['queue_length'],
    labelNames: async () => [],
    labelValues: async () => [],
    typeOf: async () => null,
    spacingOf: async () => null,
  };
}

const GOOD: Look = {
  ...{ series: [], count: 1, cost: { ms: 10, samples: 10 } },
  ...{ failure: null, warnings: [] },
};

async function found(look: Partial<Look>) {
  const raw = policyOn({ promql: 'max(queue_length)' }, { above: 10 });
  const result = readPolicy(raw, 'shop');
  if (result.kind === 'problems') throw new Error(JSON.stringify(result.problems));
  const report = await lookAt(subjectOf(result.policy, raw), {
    sight: costly({ ...GOOD, ...look }),
    readHealth: async () => ({ kind: 'value', value: 1 }),
    ...{ clock: clockAtT, signal: new AbortController().signal, parameters: {}, version: null },
  });
  return report.findings.map(({ name, message }) => `${name}: ${message}`);
}

describe('the cost of a query', () => {
  it.each([
    ['cheap', {}, []],
    ['at the limit', { cost: { ms: 2_000, samples: 1_000_000 }, count: 2_000 }, []],
    ['slow', { cost: { ms: 2_001, samples: 10 } }, [/^slow-query: found an answer after 2001 ms/]],
    ['of many samples', { cost: { ms: 10, samples: 1_000_001 } }, [/^expensive-query: .*1000001/]],
    ['of many series', { count: 2_001 }, [/^expensive-query: found 2001 series/]],
    ['not told', { cost: { ms: 10, samples: null } }, []],
  ])('%s', async (_, look, says) => {
    expect(await found(look)).toEqual(says.map((one) => expect.stringMatching(one)));
  });
});
