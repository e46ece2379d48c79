// What the probes are told, on virtual time: bounded, and with few writes.
import { describe, expect, it } from 'vitest';
import { Health } from '../../src/daemon/health.ts';
import type { Vitals } from '../../src/engine/vitals.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const WELL: Vitals = {
  isLive: true,
  checks: { evaluation: 'ok', watches: 'ok', deliveries: 'ok', journal_answers: 'ok' },
  journal: { failingForMs: null, failure: null, writtenAgoMs: 0, silentForMs: null },
};

function health(check: () => Promise<void>) {
  const clock = new VirtualClock();
  const world = { checks: 0, vitals: WELL, isDraining: false };
  const probes = new Health({
    clock,
    journal: {
      check: () => {
        world.checks += 1;
        return check();
      },
    },
    vitals: () => world.vitals,
    replica: 'r_2',
    living: () => ['r_2', 'r_1'],
    isDraining: () => world.isDraining,
  });
  return { clock, world, probes };
}

describe('Health', () => {
  it('is live without asking the journal', async () => {
    const { world, probes } = health(() => new Promise(() => undefined));
    expect(await probes.of('live')).toMatchObject({ live: true, checks: WELL.checks });
    expect(world.checks).toBe(0);
  });

  it('is neither live nor ready while something hangs', async () => {
    const { world, probes } = health(async () => {});
    world.vitals = { ...WELL, isLive: false };
    expect((await probes.of('live')).live).toBe(false);
    expect((await probes.of('ready')).ready).toBe(false);
  });

  it('is ready when the journal takes a write, and says who answers and who lives', async () => {
    const { probes } = health(async () => {});
    expect(await probes.of('ready')).toEqual({
      live: true,
      ready: true,
      checks: {
        ...WELL.checks,
        journal: 'ok',
        shutdown: 'ok',
        replica: 'r_2',
        replicas: 'r_1, r_2',
      },
    });
  });

  it('writes every two seconds at most, however many probes there are', async () => {
    const { clock, world, probes } = health(async () => {});
    const asked = Array.from({ length: 50 }, () => probes.of('ready'));
    await clock.advance(0);
    await Promise.all(asked);
    await clock.advance(1_999);
    await probes.of('ready');
    expect(world.checks).toBe(1);
    await clock.advance(1);
    await probes.of('ready');
    expect(world.checks).toBe(2);
    expect(clock.sleeping).toBe(0);
  });

  it('is live and not ready when the journal fails, with what it said', async () => {
    const { probes } = health(async () => {
      throw new Error('database or disk is full');
    });
    expect(await probes.of('ready')).toMatchObject({
      live: true,
      ready: false,
      checks: { journal: 'database or disk is full' },
    });
  });

  it('answers within 2.5 s when the journal hangs, and asks it no more meanwhile', async () => {
    const { clock, world, probes } = health(() => new Promise(() => undefined));
    const first = probes.of('ready');
    await clock.advance(2_500);
    expect(await first).toMatchObject({
      ready: false,
      checks: { journal: 'no answer within 2.5 s' },
    });
    const second = probes.of('ready');
    await clock.advance(2_500);
    expect((await second).ready).toBe(false);
    expect(world.checks).toBe(1);
  });

  it('is live and not ready while it shuts down', async () => {
    const { world, probes } = health(async () => {});
    world.isDraining = true;
    expect(await probes.of('ready')).toMatchObject({
      live: true,
      ready: false,
      checks: { shutdown: 'shutting down' },
    });
  });
});
