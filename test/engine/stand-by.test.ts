import { describe, expect, it, onTestFinished } from 'vitest';
import type { ReadHealth, Source } from '../../src/core/read.ts';
import { healthKey, StandBy, type StandByOptions } from '../../src/engine/stand-by.ts';
import { aHealthCheck, aPolicy, T0 } from '../support/build.ts';
import { BAD, GOOD } from '../support/engine.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const MINUTE = 60_000;
const CHECK = aHealthCheck();
const KEY = healthKey(CHECK);

function standing(readHealth: ReadHealth, over: Partial<StandByOptions> = {}) {
  const clock = new VirtualClock();
  const errors: unknown[] = [];
  const standBy = new StandBy({
    clock,
    everyMs: 15_000,
    sources: {},
    policies: [aPolicy()],
    readHealth,
    onError: (error) => void errors.push(error),
    ...over,
  });
  standBy.start();
  onTestFinished(() => standBy.stop());
  return { clock, standBy, errors };
}

describe('StandBy.healthBefore', () => {
  it('knows nothing of an endpoint that it never looked at', async () => {
    const { clock, standBy } = standing(async () => GOOD);
    await clock.advance(MINUTE);
    expect(
      standBy.healthBefore(healthKey({ ...CHECK, url: 'http://127.0.0.1:1/other' }), clock.now()),
    ).toBe(undefined);
  });

  it('knows nothing of a time before it looked, or long after', async () => {
    const { clock, standBy } = standing(async () => GOOD);
    await clock.advance(MINUTE);
    await standBy.stop();
    expect(standBy.healthBefore(KEY, T0 - 1)).toBe(undefined);
    expect(standBy.healthBefore(KEY, clock.now() + 10 * MINUTE + 1)).toBe(undefined);
  });

  it('says good after one good check', async () => {
    const { clock, standBy } = standing(async () => GOOD);
    await clock.advance(0);
    expect(standBy.healthBefore(KEY, clock.now())).toEqual({ kind: 'value', value: 1 });
  });

  it('says failing only when it failed throughout, for five minutes', async () => {
    const { clock, standBy } = standing(async () => BAD);
    await clock.advance(5 * MINUTE - 1);
    expect(standBy.healthBefore(KEY, clock.now())).toBe(undefined);
    await clock.advance(1);
    expect(standBy.healthBefore(KEY, clock.now())).toEqual({ kind: 'value', value: 0 });
  });

  it('takes the restart of a deploy for no old trouble', async () => {
    let isUp = true;
    const { clock, standBy } = standing(async () => (isUp ? GOOD : BAD));
    await clock.advance(2 * MINUTE);
    isUp = false;
    await clock.advance(9 * MINUTE);
    expect(standBy.healthBefore(KEY, clock.now())).toEqual({ kind: 'value', value: 1 });
  });

  it('ignores what came after the deploy', async () => {
    let isUp = true;
    const { clock, standBy } = standing(async () => (isUp ? GOOD : BAD));
    await clock.advance(MINUTE);
    const deployedAtMs = clock.now();
    isUp = false;
    await clock.advance(9 * MINUTE);
    expect(standBy.healthBefore(KEY, deployedAtMs)).toEqual({ kind: 'value', value: 1 });
  });
});

describe('StandBy', () => {
  it('asks each endpoint once, and none whose URL needs a deploy', async () => {
    const asked: string[] = [];
    const withVersion = aHealthCheck({ url: 'http://127.0.0.1:1/${version}' });
    const wants = { pointer: '/v', equals: '${version}' };
    const { clock } = standing(
      async ({ url }) => {
        asked.push(url);
        return GOOD;
      },
      {
        policies: [
          aPolicy(),
          aPolicy({ name: 'other' }),
          aPolicy({ name: 'third', indicators: { health: withVersion } }),
          aPolicy({
            name: 'fourth',
            indicators: { health: aHealthCheck({ url: 'http://127.0.0.1:1/v', json: wants }) },
          }),
        ],
      },
    );
    await clock.advance(14_999);
    expect(asked).toEqual([CHECK.url]);
    await clock.advance(1);
    expect(asked).toEqual([CHECK.url, CHECK.url]);
  });

  it('keeps apart what two policies want of one endpoint', async () => {
    const strict = aHealthCheck({ status: [200] });
    const { clock, standBy } = standing(async ({ status }) => (status.length > 0 ? BAD : GOOD), {
      policies: [aPolicy(), aPolicy({ name: 'strict', indicators: { health: strict } })],
    });
    await clock.advance(6 * MINUTE);
    expect(standBy.healthBefore(KEY, clock.now())).toMatchObject({ value: 1 });
    expect(standBy.healthBefore(healthKey(strict), clock.now())).toMatchObject({ value: 0 });
  });

  it('lets the sources look as well, and survives one that fails', async () => {
    let looks = 0;
    const source = (standBy: Source['standBy']): Source => ({
      read: async () => ({}),
      forget: () => undefined,
      ...(standBy && { standBy }),
    });
    const { clock, standBy, errors } = standing(async () => GOOD, {
      sources: {
        none: source(undefined),
        broken: source(async () => Promise.reject(new Error('a bug'))),
        scrape: source(async () => {
          looks += 1;
        }),
      },
    });
    await clock.advance(30_000);
    expect([looks, errors.length]).toEqual([3, 3]);
    expect(standBy.healthBefore(KEY, clock.now())).toMatchObject({ value: 1 });
  });

  it('ends what it is reading when it is stopped', async () => {
    const { clock, standBy } = standing(
      (_, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(BAD))),
    );
    await clock.advance(1_000);
    await standBy.stop();
    expect(clock.sleeping).toBe(0);
  });
});
