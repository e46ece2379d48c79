import { describe, expect, it } from 'vitest';
import type { Readings } from '../../src/core/read.ts';
import { Replay } from '../../src/replay/replay.ts';
import { aPolicy, T0 } from '../support/build.ts';
import { share } from '../support/engine.ts';

describe('Replay', () => {
  it('asks no gate: none has decided on a deploy of the past', async () => {
    const requires = { gate: 'shop-gate', freshMs: 60_000, otherwise: 'refuse' } as const;
    const policy = aPolicy({ requires });
    await using replay = new Replay({
      fromMs: T0,
      policies: [{ policy, hash: 'hash' }],
      sources: { [policy.source]: { read: async () => ({}), forget: () => {} } },
      readHealth: async () => ({ kind: 'value', value: 1 }),
    });
    replay.begin();
    const id = await replay.start({ service: policy.service, version: '2.0.0', parameters: {} });
    expect((await replay.watch(id)).state).toMatchObject({ phase: 'watching', withoutGo: null });
  });

  it('judges a deploy of the past with the engine of production', async () => {
    const policy = aPolicy();
    const ids = Object.keys(policy.indicators);
    const good: Readings = Object.fromEntries(ids.map((id) => [id, share(0.98)]));
    const bad: Readings = Object.fromEntries(ids.map((id) => [id, share(0.2)]));
    await using replay = new Replay({
      fromMs: T0,
      policies: [{ policy, hash: 'hash' }],
      sources: {
        [policy.source]: {
          read: async ({ atMs }) => (atMs < T0 + 60_000 ? good : bad),
          forget: () => {},
        },
      },
      readHealth: async () => ({ kind: 'value', value: 1 }),
    });
    replay.begin();
    const id = await replay.start({ service: policy.service, version: '2.0.0', parameters: {} });
    await replay.untilDone(60_000, T0 + 3_600_000);
    const { events, state, deliveries } = await replay.watch(id);
    expect(state.phase).toBe('stopped');
    const stop = events.find(({ type }) => type === 'watch.stopped');
    expect((stop?.atMs ?? 0) - T0).toBeGreaterThanOrEqual(60_000);
    expect(deliveries.filter(({ content }) => content.kind === 'action')).not.toEqual([]);
    expect((await replay.ticks(id)).length).toBeGreaterThan(10);
  });
});
