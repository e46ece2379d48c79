// Messages that come in numbers: storms of watches that are judged at times of their own, with the
// whole engine on virtual time.
import { describe, expect, it } from 'vitest';
import type { Message, Outcome } from '../../src/core/delivery.ts';
import type { Route } from '../../src/core/route.ts';
import type { Channel } from '../../src/engine/lanes.ts';
import { aPolicy, T0 } from '../support/build.ts';
import {
  anEngine,
  changed,
  DELIVERED,
  type EngineOptions,
  retryable,
  share,
  tempJournal,
  unreachable,
} from '../support/engine.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const MINUTE = 60_000;
const BLIND_AFTER_MS = 10_000;
/** Fifty watches on a machine that is busy. */
const PATIENCE_MS = 60_000;
const GONE = { fill_rate: unreachable('no answer from prometheus') };
const SEEN = { fill_rate: share(0.97) };

function aRoute(over: Partial<Route>): Route {
  const all = { severities: null, kinds: null, services: null, environments: null };
  return { ...all, channels: ['chat'], quietHours: 'hold', ...over };
}

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
    aPolicy({
      name: `every-${intervalMs}`,
      service: `every-${intervalMs}`,
      intervalMs,
      blindAfterMs: BLIND_AFTER_MS,
    }),
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
      await clock.advance(BLIND_AFTER_MS + 2.5 * intervalMs);
      expect(of('chat', 'conditions.blinded').map(({ message }) => message.merged?.length)).toEqual(
        [50],
      );
      expect(of('pager', 'conditions.blinded')).toHaveLength(1);
      engine.world.readings = SEEN;
      await clock.advance(BLIND_AFTER_MS + 2.5 * intervalMs);
      expect(of('chat', 'conditions.sighted').map(({ message }) => message.merged?.length)).toEqual(
        [50],
      );
      // Each incident is closed by itself, after it was opened.
      expect(of('pager', 'conditions.sighted')).toHaveLength(50);
      expect(await engine.journal.pendingDeliveries(9)).toEqual([]);
    },
    PATIENCE_MS,
  );

  it(
    'that are judged at different intervals is very few messages',
    async () => {
      const oncall = anOncall();
      const { engine, clock, of } = oncall;
      engine.start();
      await staggered(oncall, [...fifty(5_000).slice(25), ...fifty(MINUTE).slice(25)]);
      engine.world.readings = GONE;
      await clock.advance(3 * MINUTE);
      const blinded = of('chat', 'conditions.blinded');
      expect(blinded.length).toBeLessThanOrEqual(3);
      expect(blinded.flatMap(({ message }) => message.merged ?? [])).toHaveLength(50);
    },
    PATIENCE_MS,
  );

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
    await staggered(oncall, [5_000, 5_000, 5_000]);
    await engine.commands.setHold({ by: 'ann', reason: 'one' });
    await clock.advance(5_000);
    await engine.commands.release({ by: 'ann', reason: 'two' });
    await engine.commands.setHold({ by: 'ann', reason: 'three' });
    await clock.advance(MINUTE);
    const held = of('chat', 'watch.held');
    expect(held.map(({ message }) => message.merged?.length)).toEqual([3, 3]);
    expect((held[1]?.atMs ?? 0) - (held[0]?.atMs ?? 0)).toBeGreaterThanOrEqual(30_000);
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
    await clock.advance(30_000);
    // Blind from its first tick: told soon, while the others are still being tried.
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
    await clock.advance(12_000);
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

describe('a night', () => {
  const quietHours = { fromMinute: 22 * 60, untilMinute: 12, zone: 'UTC' };
  const routing = { routes: [], quietHours, escalation: null };

  it(
    'of hundreds of messages does not hold up a stop, although each write takes its time',
    async () => {
      const real = tempJournal();
      const clock = new VirtualClock();
      let busyUntil = 0;
      /** One disk: writes wait for each other, 5 ms each. */
      const written = async <T>(work: () => Promise<T>): Promise<T> => {
        busyUntil = Math.max(busyUntil, clock.monotonic()) + 5;
        await clock.sleep(busyUntil - clock.monotonic());
        return work();
      };
      const journal = changed(real, {
        append: (batches) => written(() => real.append(batches)),
        startAttempt: (...args) => written(() => real.startAttempt(...args)),
        startAttempts: (...args) => written(() => real.startAttempts(...args)),
      });
      const short = { ...routing, quietHours: { ...quietHours, untilMinute: 1 } };
      const { engine, told } = anOncall({ clock, journal, routing: short });
      for (let number = 1; number <= 330; number += 1) {
        const started = engine.watch({ service: 'every-60000', environment: `e${number}` });
        await clock.advance(10);
        await started;
      }
      await clock.advance(50_000 - clock.monotonic());
      engine.start();
      await clock.advance(10_600);
      const digests = told.map(({ channel, message }) => `${channel} ${message.merged?.length}`);
      expect(digests).toEqual(['chat 660', 'pager 660']);
      const stopped = engine.commands.stop('w_330', { by: 'ann', reason: 'bad' });
      const atMs = clock.now() - T0;
      await clock.advance(1_000);
      await stopped;
      const stops = told.filter(({ message }) => message.kind === 'watch.stopped');
      expect(stops.map(({ channel }) => channel)).toEqual(['chat', 'pager']);
      expect(Math.max(...stops.map((stop) => stop.atMs)) - atMs).toBeLessThan(200);
    },
    PATIENCE_MS,
  );

  it('is told as it is when it ends, also of what was told elsewhere meanwhile', async () => {
    const routes = [
      aRoute({ kinds: ['conditions.sighted'], channels: ['pager'], quietHours: 'silent' }),
      aRoute({ channels: ['chat'] }),
    ];
    const oncall = anOncall({ routing: { ...routing, routes } });
    const { engine, clock, of } = oncall;
    engine.start();
    await staggered(oncall, [5_000, 5_000]);
    engine.world.readings = GONE;
    await clock.advance(3 * MINUTE);
    engine.world.readings = SEEN;
    await clock.advance(10 * MINUTE);
    const [digest] = of('chat', 'quiet.digest');
    expect(digest?.message.headline).toContain('0 open, 2 resolved meanwhile');
    expect(digest?.message).toMatchObject({ severity: 'info' });
    expect(digest?.message.incident).toBeUndefined();
  });
});

describe('what waits for a channel that the config no longer has', () => {
  const quietHours = { fromMinute: 22 * 60, untilMinute: 12, zone: 'UTC' };

  it('goes to the first one that people read, when it is critical or was held', async () => {
    const before = anOncall({ routing: { routes: [], quietHours, escalation: null } });
    const { engine, clock } = before;
    await engine.watch({ service: 'every-5000' });
    await engine.commands.stop('w_1', { by: 'ann', reason: 'bad' });
    const told: Message[] = [];
    const stops = () => told.filter(({ kind }) => kind === 'watch.stopped');
    const send = async (message: Message) => {
      told.push(message);
      return DELIVERED;
    };
    const marks = { spacingMs: 0, isRead: false, send: async () => DELIVERED };
    const channels = { marks, phone: { spacingMs: 0, send } };
    const after = anEngine({ journal: engine.journal, clock, channels, replica: 'r_2' });
    after.start();
    await clock.advance(1_000);
    expect(stops().map(({ lines }) => lines.at(-1))).toEqual([
      "This was for the channel 'chat', which the config no longer has.",
      "This was for the channel 'pager', which the config no longer has.",
    ]);
    await clock.advance(13 * MINUTE);
    expect(told.map(({ kind }) => kind)).toContain('watch.started');
    expect(await engine.journal.pendingDeliveries(9)).toEqual([]);
  });

  it('ends when it is neither', async () => {
    const { engine, clock } = anOncall();
    await engine.watch({ service: 'every-5000' });
    const phone = { spacingMs: 0, send: async () => DELIVERED };
    const after = anEngine({ journal: engine.journal, clock, channels: { phone } });
    after.start();
    await clock.advance(1_000);
    expect(await after.delivery('w_1-e1-chat')).toMatchObject({
      state: 'gave_up',
      lastReason: 'misconfigured',
    });
  });
});
