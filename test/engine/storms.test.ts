// Messages that come in numbers: storms of watches that are judged at times of their own, with the
// whole engine on virtual time.
import { describe, expect, it } from 'vitest';
import type { Message, Outcome } from '../../src/core/delivery.ts';
import type { Channel } from '../../src/engine/lanes.ts';
import { aPolicy, T0 } from '../support/build.ts';
import {
  anEngine,
  DELIVERED,
  type EngineOptions,
  retryable,
  share,
  unreachable,
} from '../support/engine.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const MINUTE = 60_000;
const GONE = { fill_rate: unreachable('no answer from prometheus') };
const SEEN = { fill_rate: share(0.97) };

type Told = {
  readonly atMs: number;
  readonly channel: string;
  readonly id: string;
  readonly message: Message;
};

/** `chat` merges; `pager` has an incident for each watch and merges no end of one. */
function anOncall(options: EngineOptions & { readonly intervalMs?: number } = {}) {
  const clock = options.clock ?? new VirtualClock();
  const told: Told[] = [];
  const world = { answer: async (_message: Message): Promise<Outcome> => DELIVERED };
  const channelOf = (channel: string, more: Partial<Channel> = {}): Channel => ({
    spacingMs: 0,
    send: (message, _signal, context) => {
      const id = context?.deliveryId ?? '';
      told.push({ atMs: clock.now() - T0, channel, id, message });
      return world.answer(message);
    },
    ...more,
  });
  const channels = {
    chat: channelOf('chat'),
    pager: channelOf('pager', { merges: ({ incident }) => incident !== 'closes' }),
  };
  const policies = [5_000, 15_000, MINUTE].map((intervalMs) =>
    aPolicy({ name: `every-${intervalMs}`, service: `every-${intervalMs}`, intervalMs }),
  );
  const engine = anEngine({ policies, channels, ...options, clock });
  engine.world.readings = SEEN;
  const of = (channel: string, kind: string) =>
    told.filter((one) => one.channel === channel && one.message.kind === kind);
  return { engine, clock, told, of, world };
}

/** Each watch starts at a time of its own within the interval. */
async function staggered(
  { engine, clock }: ReturnType<typeof anOncall>,
  intervals: readonly number[],
) {
  const stepMs = Math.floor(Math.max(...intervals) / intervals.length);
  for (const [index, intervalMs] of intervals.entries()) {
    await engine.watch({ service: `every-${intervalMs}`, environment: `e${index}` });
    await clock.advance(stepMs);
  }
  await clock.advance(10_000);
}

const fifty = (intervalMs: number) => Array.from({ length: 50 }, () => intervalMs);

describe('a storm of fifty watches', () => {
  it.each([5_000, 15_000, MINUTE])(
    'that are judged each %i ms, at times of their own, is one message for each channel',
    async (intervalMs) => {
      const oncall = anOncall();
      const { engine, clock, of } = oncall;
      engine.start();
      await staggered(oncall, fifty(intervalMs));
      engine.world.readings = GONE;
      await clock.advance(150_000);
      expect(of('chat', 'conditions.blinded').map(({ message }) => message.merged?.length)).toEqual(
        [50],
      );
      expect(of('pager', 'conditions.blinded')).toHaveLength(1);
      engine.world.readings = SEEN;
      await clock.advance(150_000);
      expect(of('chat', 'conditions.sighted').map(({ message }) => message.merged?.length)).toEqual(
        [50],
      );
      // Each incident is closed by itself, after it was opened.
      expect(of('pager', 'conditions.sighted')).toHaveLength(50);
      expect(await engine.journal.pendingDeliveries(9)).toEqual([]);
    },
  );

  it('that are judged at different intervals is very few messages', async () => {
    const oncall = anOncall();
    const { engine, clock, of } = oncall;
    engine.start();
    await staggered(oncall, [...fifty(5_000).slice(25), ...fifty(MINUTE).slice(25)]);
    engine.world.readings = GONE;
    await clock.advance(6 * MINUTE);
    const blinded = of('chat', 'conditions.blinded');
    expect(blinded.length).toBeLessThanOrEqual(3);
    expect(blinded.flatMap(({ message }) => message.merged ?? [])).toHaveLength(50);
  });

  it('that one command holds is one message, and one more when it releases them', async () => {
    const oncall = anOncall();
    const { engine, clock, of } = oncall;
    engine.start();
    await staggered(oncall, fifty(5_000));
    await engine.commands.setHold({ by: 'ann', reason: 'maintenance' });
    await clock.advance(10_000);
    expect(of('chat', 'watch.held').map(({ message }) => message.headline)).toEqual([
      'HOLD FIRE: 50 watches only observed: by ann, maintenance',
    ]);
    await engine.commands.release({ by: 'ann', reason: 'done' });
    await clock.advance(10_000);
    expect(of('chat', 'watch.released')).toHaveLength(1);
  });

  it('of which one is cancelled meanwhile says first that it was blind', async () => {
    const oncall = anOncall();
    const { engine, clock, told } = oncall;
    engine.start();
    await staggered(oncall, fifty(MINUTE));
    engine.world.readings = GONE;
    await clock.advance(100_000);
    const [first] = await engine.journal.pendingDeliveries(1, 'message');
    expect(first?.content).toMatchObject({ message: { kind: 'conditions.blinded' } });
    const watchId = first?.watchId ?? '';
    await engine.commands.cancel(watchId, { by: 'ann', reason: 'enough' });
    await clock.advance(1_000);
    const kinds = told.filter(({ channel }) => channel === 'pager').map(({ message }) => message);
    expect(kinds.slice(-2).map(({ kind }) => kind)).toEqual([
      'conditions.blinded',
      'watch.cancelled',
    ]);
  });
});

describe('a few messages of one kind', () => {
  it('are no storm: two watches are told one by one', async () => {
    const oncall = anOncall();
    const { engine, clock, of } = oncall;
    engine.start();
    await staggered(oncall, [5_000, 5_000]);
    engine.world.readings = GONE;
    await clock.advance(3 * MINUTE);
    const blinded = of('chat', 'conditions.blinded');
    expect(blinded.map(({ message }) => message.merged)).toEqual([undefined, undefined]);
  });

  it('that follow one at once wait for those that come after them', async () => {
    const oncall = anOncall();
    const { engine, clock, of } = oncall;
    engine.start();
    const intervals = [5_000, 15_000, 15_000, 15_000, 15_000];
    await staggered(oncall, intervals);
    engine.world.readings = GONE;
    await clock.advance(4 * MINUTE);
    const [one, ...more] = of('chat', 'conditions.blinded');
    expect(more.length).toBeLessThanOrEqual(1);
    expect(more.every(({ atMs }) => atMs - (one?.atMs ?? 0) >= 30_000)).toBe(true);
  });
});

describe('a storm that does not get through', () => {
  it('is tried again as it was, under its id, and nothing joins it', async () => {
    const oncall = anOncall();
    const { engine, clock, of, world } = oncall;
    engine.start();
    await staggered(oncall, fifty(5_000).slice(40));
    world.answer = async ({ kind }) => (kind === 'conditions.blinded' ? retryable() : DELIVERED);
    engine.world.readings = GONE;
    await clock.advance(90_000);
    // Blind from its first tick: told a minute later, while the others are still being tried.
    await engine.watch({ service: 'every-5000', environment: 'late' });
    await clock.advance(2 * MINUTE);
    world.answer = async () => DELIVERED;
    await clock.advance(3 * MINUTE);
    const storms = of('chat', 'conditions.blinded').filter(({ message }) => message.merged);
    expect(storms.length).toBeGreaterThan(3);
    expect(new Set(storms.map(({ id }) => id)).size).toBe(1);
    expect(new Set(storms.map(({ message }) => message.merged?.length))).toEqual(new Set([10]));
  });

  it('because canaryd was killed while it was begun, is told once by the next one, marked', async () => {
    const before = anOncall();
    before.engine.start();
    await staggered(before, fifty(5_000).slice(40));
    const { engine, clock } = before;
    engine.world.readings = GONE;
    await clock.advance(62_000);
    await engine.stop();
    const { journal } = engine;
    const pending = await journal.pendingDeliveries(99, 'message');
    expect(pending.length).toBeGreaterThan(5);
    const starts = pending.map(({ id }) => ({ id, attempt: 1 }));
    await journal.startAttempts(starts, clock.now(), 'r_1');
    const after = anOncall({ journal, clock, replica: 'r_2' });
    after.engine.world.readings = GONE;
    after.engine.start();
    await clock.advance(10_000);
    const marked = after.told.filter(({ message }) =>
      message.lines.join().includes('you may have seen it before'),
    );
    expect(marked.map(({ channel }) => channel).toSorted()).toEqual(['chat', 'pager']);
    const watches = marked.map(({ message }) => message.merged?.length);
    expect(watches).toEqual([pending.length / 2, pending.length / 2]);
  });
});
