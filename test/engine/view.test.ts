// A watch as the API shows it, at the moments of its life.
import { describe, expect, it } from 'vitest';
import { queryOf } from '../../src/source/promql.ts';
import { aCondition, aHealthCheck, aPolicy, aRatio } from '../support/build.ts';
import { anEngine, BAD, type Engine, retryable, share, unreachable } from '../support/engine.ts';

const MINUTE = 60_000;

async function watching(prepare: (engine: Engine) => void = () => undefined) {
  const policy = aPolicy({
    verify: {
      withinMs: 10 * MINUTE,
      conditions: [
        aCondition({
          id: 'verify.health',
          indicator: 'health',
          role: 'verify',
          window: 'verify',
          limit: { kind: 'passing', times: 2 },
        }),
      ],
    },
  });
  const engine = anEngine({ policies: [policy] });
  engine.world.readings = { fill_rate: share(0.97) };
  prepare(engine);
  engine.start();
  await engine.watch();
  return engine;
}

async function conditionOf(engine: Engine, id: string) {
  const { conditions } = await engine.commands.watch('w_1');
  return conditions.find(({ condition }) => condition === id);
}

const FILL_RATE = 'immediate.stop.fill_rate';

describe('a watch, as people see it', () => {
  it('before its first tick: nothing has been read, nothing is armed', async () => {
    const engine = anEngine();
    await engine.watch();
    const view = await engine.commands.watch('w_1');
    expect(view).toMatchObject({ armed: { seen: 0, total: 2 }, lastTickAt: null, window: null });
    expect(await conditionOf(engine, FILL_RATE)).toMatchObject({
      state: 'waiting',
      stateSince: null,
      value: null,
      text: expect.stringContaining('not read yet'),
    });
  });

  it('has the query of each condition, with the placeholders of its deploy filled', async () => {
    const health = aHealthCheck({ url: `http://shop/v/\${version}` });
    const policy = aPolicy({
      match: { track: `\${version}` },
      indicators: { fill_rate: aRatio({ overMs: MINUTE }), health },
    });
    const engine = anEngine({ policies: [policy], commands: { queryOf } });
    await engine.watch();
    expect(await conditionOf(engine, 'immediate.stop.health')).toMatchObject({
      query: 'GET http://shop/v/2.0.0',
    });
    expect(await conditionOf(engine, FILL_RATE)).toMatchObject({
      query: expect.stringContaining('orders_filled_total{track="2.0.0"}[1m]'),
    });
  });

  it('while it watches: value, counts and limit in words', async () => {
    const engine = await watching();
    await engine.clock.advance(10_000);
    const view = await engine.commands.watch('w_1');
    expect(view).toMatchObject({
      armed: { seen: 2, total: 2 },
      window: 'immediate',
      lastTickAt: '2026-01-01T00:00:10.000Z',
      verification: 'none',
    });
    expect(await conditionOf(engine, FILL_RATE)).toMatchObject({
      state: 'inactive',
      due: true,
      value: 0.97,
      limit: 0.8,
      unit: 'ratio',
      limitText: 'below 80 %',
      text: '97 % (970 of 1,000), limit: below 80 %',
      blindReason: null,
    });
    expect(await conditionOf(engine, 'success.pass.fill_rate')).toMatchObject({
      due: false,
      state: 'waiting',
      text: expect.stringContaining('wanted: above 95 %'),
    });
  });

  it('when it is blind: since when, and why', async () => {
    const engine = await watching();
    await engine.clock.advance(5_000);
    engine.world.readings = { fill_rate: unreachable('connection refused') };
    await engine.clock.advance(10_000);
    expect(await conditionOf(engine, FILL_RATE)).toMatchObject({
      state: 'blind',
      stateSince: '2026-01-01T00:00:10.000Z',
      blindReason: 'unreachable',
      text: 'blind: unreachable (connection refused), limit: below 80 %',
    });
  });

  it('after a stop: what was done, and how the verification stands', async () => {
    const engine = await watching(({ world }) => {
      world.action = async ({ id }) =>
        id === 'w_1-rollback' ? retryable() : { kind: 'delivered', detail: 'HTTP 202' };
    });
    await engine.clock.advance(1_000);
    engine.world.readings = { fill_rate: share(0.5) };
    engine.world.health = async () => BAD;
    await engine.clock.advance(4_000);
    const view = await engine.commands.watch('w_1');
    expect(view).toMatchObject({
      phase: 'stopped',
      active: true,
      verification: 'waiting',
      closedAt: '2026-01-01T00:00:05.000Z',
      reason: expect.stringContaining('50 %'),
      actions: [
        { action: 'disarm', state: 'accepted', attempts: 1, detail: 'HTTP 202' },
        { action: 'rollback', state: 'pending', attempts: 1, detail: 'HTTP 503' },
      ],
    });
    expect(view.conditions.filter(({ due }) => due)).toEqual([]);
    engine.world.action = async () => ({ kind: 'delivered', detail: 'HTTP 202' });
    await engine.clock.advance(10_000);
    expect(await engine.commands.watch('w_1')).toMatchObject({ verification: 'verifying' });
    expect(await conditionOf(engine, 'verify.health')).toMatchObject({
      due: true,
      value: 0,
      text: expect.stringMatching(/^bad.*wanted: passing 2 checks in a row$/),
    });
  });

  it('in a list: without conditions and actions', async () => {
    const engine = await watching();
    await engine.clock.advance(5_000);
    expect(await engine.commands.watches({ limit: 9 })).toMatchObject([
      { id: 'w_1', phase: 'watching', conditions: [], actions: [] },
    ]);
  });
});
