// Which version's series are read, when a policy tells versions apart by a label.
import { describe, expect, it } from 'vitest';
import type { ReadRequest } from '../../src/core/read.ts';
import { aCondition, aPolicy } from '../support/build.ts';
import { anEngine, share } from '../support/engine.ts';

const policy = aPolicy({
  match: { version: '${version}' },
  verify: {
    withinMs: 600_000,
    conditions: [
      aCondition({
        id: 'verify.verify.fill_rate',
        role: 'verify',
        window: 'verify',
        limit: { kind: 'compare', comparator: 'above', value: 0.8, of: null },
      }),
    ],
  },
});

/** Value of the version label that was asked for; nothing when no indicator was. */
function versionsOf({ indicators }: ReadRequest): readonly string[] {
  return indicators.flatMap((one) =>
    one.kind === 'ratio'
      ? one.total.matchers.filter(({ label }) => label === 'version').map(({ value }) => value)
      : [],
  );
}

async function stopped(previousVersion?: string) {
  const engine = anEngine({ policies: [policy] });
  engine.world.readings = { fill_rate: share(0.97) };
  engine.start();
  await engine.watch({ version: '2.0.0', ...(previousVersion && { previousVersion }) });
  await engine.clock.advance(1_000);
  const before = engine.world.asked.filter(({ deployedAtMs }) => deployedAtMs === null);
  const now = engine.world.asked.filter(({ deployedAtMs }) => deployedAtMs !== null);
  engine.world.readings = { fill_rate: share(0.4) };
  await engine.clock.advance(5_000);
  engine.world.asked.length = 0;
  await engine.clock.advance(10_000);
  return { before, now, verifying: engine.world.asked };
}

describe('with versions told apart by a label', () => {
  it('the deploy is judged by the new version, the time before and the proof by the old one', async () => {
    const { before, now, verifying } = await stopped('1.9.0');
    expect(now.flatMap(versionsOf)).toEqual(['2.0.0']);
    expect(new Set(before.flatMap(versionsOf))).toEqual(new Set(['1.9.0']));
    expect(new Set(verifying.flatMap(versionsOf))).toEqual(new Set(['1.9.0']));
  });

  it('nothing is taken for the old version when its name is not known', async () => {
    const { before, now, verifying } = await stopped();
    expect(now.flatMap(versionsOf)).toEqual(['2.0.0']);
    expect(before.flatMap(versionsOf)).toEqual([]);
    expect(verifying.flatMap(versionsOf)).toEqual([]);
  });
});
