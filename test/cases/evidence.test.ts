import { describe, expect, it } from 'vitest';
import { linesOf, playOne, SHOP } from '../support/case-file.ts';

const ILL = { health: { '0s': 'ok', '1m': 'HTTP 503' } };
const FAILS = { series: { failed_total: { '0s': 0, '1m': '+5/s' } } };
const QUEUES = { series: { queue_length: { '0s': 5, '2m': 60 } } };
const VERIFY = {
  ...SHOP,
  on_stop: [
    ...SHOP.on_stop,
    { verify: { within: '5m', pass: { health: { passing: 3 }, queue: { at_most: 50 } } } },
  ],
};

/** What a case that passes has proven of each condition. */
async function proven(own: object, policy: unknown = SHOP) {
  const result = await playOne({ ...own }, {}, policy);
  expect(linesOf(result)).toEqual([]);
  const sorted = (ids: ReadonlySet<string>) => [...ids].sort();
  return { fired: sorted(result.fired.expected), held: sorted(result.held.expected) };
}
const STOPS = ['early.stop.errors', 'early.stop.health'];
const NOTHING = { fired: [], held: [] };

describe('what a case proves', () => {
  it('is nothing without an expectation that hangs on it', async () => {
    const own = { ...ILL, series: { requests_total: 0, queue_length: 60 } };
    const { fired, held } = await playOne({ ...own, expect: { '90s': { window: 'early' } } });
    expect([...fired.seen].sort()).toEqual(['early.stop.health', 'early.warn.queue']);
    expect([...held.seen].sort()).toEqual(['early.stop.health', 'early.warn.p90']);
    expect([fired.expected.size, held.expected.size]).toEqual([0, 0]);
  });

  it('is a condition by its state, not by its value alone', async () => {
    const at = (queue: string | number) => ({ expect: { '1m': { queue } } });
    expect(await proven(at('inactive'))).toEqual({ fired: [], held: ['early.warn.queue'] });
    expect(await proven(at(5))).toEqual(NOTHING);
    const fires = { ...QUEUES, expect: { '2m': { queue: 'firing 60' } } };
    expect(await proven(fires)).toEqual({ fired: ['early.warn.queue'], held: [] });
    expect(await proven({ expect: { '1m': { armed: '2 of 2' } } })).toEqual(NOTHING);
  });

  it('is a condition that never fires', async () => {
    const never = { queue: 'firing', 'early.warn.p90': 'firing' };
    expect(await proven({ never, until: '1m' })).toEqual({
      fired: [],
      held: ['early.warn.p90', 'early.warn.queue'],
    });
    expect(await proven({ never: { queue: 'firing 70' }, until: '1m' })).toEqual(NOTHING);
    const always = { series: { queue_length: 60 }, never: { queue: 'inactive' }, until: '1m' };
    expect(await proven(always)).toEqual({ fired: ['early.warn.queue'], held: [] });
  });

  it.each([
    { watch: 'stopped' },
    { actions: ['disarm', 'rollback'] },
    { actions: { rollback: 'accepted' } },
    { message: 'STOPPED' },
  ])('is a stop condition by %j', async (what) => {
    expect(await proven({ ...ILL, expect: { '90s': what } })).toEqual({
      fired: ['early.stop.health'],
      held: [],
    });
  });

  it('is neither of two that stop a deploy at the same tick', async () => {
    const both = { ...ILL, ...FAILS };
    const { fired } = await playOne({ ...both, expect: { '90s': { watch: 'stopped' } } });
    expect([...fired.seen].sort()).toEqual(STOPS);
    expect([...fired.expected]).toEqual([]);
  });

  it('is no condition when a person stops it, also not what was red before the deploy', async () => {
    const own = { happens: { '1m': 'ann stops' }, expect: { '2m': { watch: 'stopped' } } };
    expect(await proven(own)).toEqual(NOTHING);
    const red = { ...own, health: { '-10m': 'HTTP 503' } };
    expect([...(await playOne(red)).fired.seen]).toEqual(['early.stop.health']);
    expect(await proven(red)).toEqual(NOTHING);
  });

  it.each([
    { expect: { '1m': { watch: 'watching' } } },
    { expect: { '1m': { actions: [] } } },
    { until: '1m', never: { watch: 'stopped' } },
    { until: '1m', never: { actions: ['rollback'] } },
    { until: '1m', never: { message: 'STOPPED shop 2.0.0' } },
  ])('is that stop conditions hold, by %j', async (what) => {
    expect(await proven(what)).toEqual({ fired: [], held: STOPS });
  });

  it.each([{ deploy: { mode: 'observe' } }, { happens: { '10s': 'ann holds fire' } }])(
    'is nothing by actions that would not be sent anyway: %j',
    async (what) => {
      const own = { ...what, until: '1m', never: { actions: ['rollback'], message: 'STOPPED' } };
      expect(await proven(own)).toEqual(NOTHING);
      const told = { ...what, until: '1m', never: { message: 'WOULD STOP' } };
      expect(await proven(told)).toEqual({ fired: [], held: STOPS });
    },
  );

  it('is nothing by actions or a verification that the policy has not', async () => {
    const { on_stop: _, ...policy } = SHOP;
    expect(await proven({ expect: { '1m': { actions: [] } } }, policy)).toEqual(NOTHING);
    expect(await proven({ expect: { '1m': { verification: 'none' } } })).toEqual(NOTHING);
  });

  it('is a warn condition by its message', async () => {
    const told = { ...QUEUES, expect: { '2m': { message: ['Warning', 'Queue'] } } };
    expect(await proven(told)).toEqual({ fired: ['early.warn.queue'], held: [] });
    const warns = ['early.warn.p90', 'early.warn.queue'];
    const quiet = { until: '1m', never: { message: 'Warning' } };
    expect(await proven(quiet)).toEqual({ fired: [], held: warns });
    const queue = { until: '1m', never: { message: 'Queue' } };
    expect(await proven(queue)).toEqual({ fired: [], held: ['early.warn.queue'] });
  });

  it('is the one warn condition that fired of those on an indicator', async () => {
    const [early, late] = SHOP.windows;
    const policy = { ...SHOP, windows: [early, { ...late, warn: { queue: { above: 50 } } }] };
    const told = { ...QUEUES, expect: { '2m': { message: 'Queue' } } };
    expect((await proven(told, policy)).fired).toEqual(['early.warn.queue']);
  });

  it('is neither a warning nor a stop by words of both', async () => {
    const policy = { ...SHOP, always: { stop: { queue: { above: 70 } } } };
    const series = { queue_length: { '0s': 5, '2m': 60, '3m': 80 } };
    const by = async (message: string) =>
      (await proven({ series, expect: { '4m': { message } } }, policy)).fired;
    expect(await by('Queue')).toEqual([]);
    expect(await by('Warning')).toEqual(['early.warn.queue']);
    expect(await by('STOPPED')).toEqual(['always.stop.queue']);
  });

  it('is nothing by words that messages of several kinds contain', async () => {
    const own = { ...QUEUES, expect: { '2m': { message: 'shop 2.0.0' } } };
    expect(await proven(own)).toEqual(NOTHING);
    expect(await proven({ until: '1m', never: { message: 'no such words' } })).toEqual(NOTHING);
  });

  it.each([{ watch: 'passed' }, { message: 'PASSED' }])(
    'is each pass condition by %j',
    async (what) => {
      const { fired } = await proven({ expect: { '11m': what } });
      expect(fired).toEqual(['late.pass.errors']);
    },
  );

  it('is each condition that confirms a rollback, or the one that does not', async () => {
    const rollback = { ...FAILS, expect: { '4m': { verification: 'confirmed' } } };
    expect(await proven(rollback, VERIFY)).toEqual({
      fired: ['early.stop.errors', 'verify.verify.health', 'verify.verify.queue'],
      held: [],
    });
    const expected = { '9m': { message: 'NOT CONFIRMED' } };
    expect((await proven({ ...ILL, expect: expected }, VERIFY)).held).toEqual([
      'verify.verify.health',
    ]);
    const series = { queue_length: 60 };
    expect((await proven({ ...ILL, series, expect: expected }, VERIFY)).held).toEqual([]);
    const none = { expect: { '1m': { verification: 'none' } } };
    expect((await proven(none, VERIFY)).held).toEqual(STOPS);
  });
});
