// What is known of the time before a deploy, and what it excuses.
import { describe, expect, it } from 'vitest';
import { decideTick } from '../../src/core/decide.ts';
import type { Reading } from '../../src/core/sample.ts';
import { aPolicy, started, T0 } from '../support/build.ts';
import { stateOf } from '../support/states.ts';

const value = (fillRate: number): Readonly<Record<string, Reading>> => ({
  fill_rate: { kind: 'value', value: fillRate },
});
const unknown: Readonly<Record<string, Reading>> = {
  fill_rate: { kind: 'blind', reason: 'no_series', detail: 'not there' },
};

/** Events of the first tick, at which the fill rate is 60 % (the limit is 80 %). */
function firstTick(...baseline: readonly Readonly<Record<string, Reading>>[]) {
  const { events } = decideTick({
    policy: aPolicy(),
    state: stateOf([0, started()]),
    track: null,
    tick: { atMs: T0 + 5_000, readings: value(0.6) },
    baseline,
    isHeld: false,
  });
  return events;
}
const typesOf = (events: ReturnType<typeof firstTick>) => events.map(({ type }) => type);

describe('the time before a deploy', () => {
  it('excuses a breach that was there minutes ago and at the deploy', () => {
    const events = firstTick(value(0.62), value(0.61));
    expect(events[0]).toMatchObject({ values: { fill_rate: 0.62 } });
    expect(typesOf(events)).not.toContain('watch.stopped');
    expect(typesOf(events)).toContain('condition.pre_existing');
  });

  it('does not excuse a breach that began just before a late report of the deploy', () => {
    const events = firstTick(value(0.98), value(0.61));
    expect(events[0]).toMatchObject({ values: { fill_rate: 0.98 }, preExisting: [] });
    expect(typesOf(events)).toContain('watch.stopped');
  });

  it('does not excuse a breach that had healed by the deploy', () => {
    expect(typesOf(firstTick(value(0.6), value(0.97)))).toContain('watch.stopped');
  });

  it('excuses nothing when only the moment of the deploy is known: it may be the new version', () => {
    const events = firstTick(unknown, value(0.61));
    expect(events[0]).toMatchObject({ values: {}, preExisting: [] });
    expect(typesOf(events)).toContain('watch.stopped');
  });

  it('goes by the nearer readings when the oldest is not known', () => {
    const events = firstTick(unknown, value(0.62), value(0.61));
    expect(events[0]).toMatchObject({ values: { fill_rate: 0.62 } });
    expect(typesOf(events)).toContain('condition.pre_existing');
  });
});
