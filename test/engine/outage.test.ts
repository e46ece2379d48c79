// On-call is told when the journal takes no writes: once, again at a long pace, and when it works.
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Message, Outcome } from '../../src/core/delivery.ts';
import { OutageAlarm } from '../../src/engine/outage.ts';
import { T0 } from '../support/build.ts';
import { anEngine, changed, DELIVERED, retryable, tempJournal } from '../support/engine.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const MINUTE = 60_000;
const full = () => Promise.reject(new Error('database or disk is full'));

/** An engine on a disk that can be full, and its alarm with two channels. */
async function outage(options: { readonly isWatching?: boolean } = {}) {
  const clock = new VirtualClock();
  const real = tempJournal();
  const world = {
    isFull: false,
    chat: async (): Promise<Outcome> => DELIVERED,
    told: [] as (readonly [atMs: number, channel: string, kind: string])[],
    messages: [] as Message[],
    errors: [] as unknown[],
  };
  const journal = changed(real, {
    append: (batches) => (world.isFull ? full() : real.append(batches)),
    startAttempt: (...args) => (world.isFull ? full() : real.startAttempt(...args)),
    startAttempts: (...args) => (world.isFull ? full() : real.startAttempts(...args)),
    check: () => (world.isFull ? full() : real.check()),
  });
  const engine = anEngine({ clock, journal });
  const channel = (name: string, send: () => Promise<Outcome>) => ({
    spacingMs: 0,
    send: (message: Message) => {
      world.told.push([clock.now() - T0, name, message.kind]);
      world.messages.push(message);
      return send();
    },
  });
  const alarm = new OutageAlarm({
    clock,
    host: 'node-1',
    journal: engine.guard.journal,
    state: () => engine.guard.state(),
    mayBeActive: () => engine.keeper.mayBeActive,
    channels: {
      chat: channel('chat', () => world.chat()),
      log: channel('log', async () => DELIVERED),
    },
    onError: (error) => void world.errors.push(error),
  });
  engine.start();
  if (options.isWatching ?? true) await engine.watch();
  alarm.start();
  onTestFinished(() => alarm.stop());
  await clock.advance(12_000);
  return { clock, world, alarm, engine };
}

const kinds = ({ told }: { readonly told: readonly (readonly [number, string, string])[] }) =>
  told.map(([, channel, kind]) => `${channel} ${kind}`);

describe('OutageAlarm', () => {
  it('is silent while the journal takes writes, and for 30 s when it does not', async () => {
    const { clock, world } = await outage();
    await clock.advance(10 * MINUTE);
    world.isFull = true;
    await clock.advance(25_000);
    world.isFull = false;
    await clock.advance(10 * MINUTE);
    expect(world.told).toEqual([]);
  });

  it('tells every channel once, with what to do and where', async () => {
    const { clock, world } = await outage();
    world.isFull = true;
    await clock.advance(14 * MINUTE);
    expect(kinds(world)).toEqual(['chat journal.failed', 'log journal.failed']);
    expect(world.messages[0]).toMatchObject({
      severity: 'critical',
      headline: 'canaryd on node-1 cannot write its journal: no deploy is judged',
      lines: expect.arrayContaining([expect.stringContaining('database or disk is full')]),
      fields: [['Host', 'node-1']],
    });
  });

  it('tells again every 15 minutes while it lasts, and once how long it was', async () => {
    const { clock, world } = await outage();
    world.isFull = true;
    await clock.advance(40 * MINUTE);
    world.isFull = false;
    await clock.advance(40 * MINUTE);
    const chat = world.messages.filter((_, index) => world.told[index]?.[1] === 'chat');
    expect(chat.map(({ headline }) => headline)).toEqual([
      'canaryd on node-1 cannot write its journal: no deploy is judged',
      'canaryd on node-1 still cannot write its journal: no deploy is judged',
      'canaryd on node-1 still cannot write its journal: no deploy is judged',
      expect.stringMatching(/^canaryd on node-1 writes its journal again, after (39|40)m/),
    ]);
  });

  it('tells of the next outage anew', async () => {
    const { clock, world } = await outage();
    for (const isFull of [true, false, true, false]) {
      world.isFull = isFull;
      await clock.advance(2 * MINUTE);
    }
    expect(kinds(world).filter((told) => told.startsWith('chat'))).toEqual([
      'chat journal.failed',
      'chat journal.recovered',
      'chat journal.failed',
      'chat journal.recovered',
    ]);
  });

  it('wakes nobody while nothing is watched, and tells as soon as something may be', async () => {
    const { clock, world, engine } = await outage({ isWatching: false });
    world.isFull = true;
    await clock.advance(10 * MINUTE);
    expect(engine.guard.state().failingForMs).toBeGreaterThan(9 * MINUTE);
    expect(world.told).toEqual([]);
  });

  it('tries a channel that refuses or hangs again; the other one hears of it at once', async () => {
    const { clock, world } = await outage();
    world.chat = () => new Promise(() => undefined);
    world.isFull = true;
    await clock.advance(50_000);
    expect(kinds(world)).toEqual(['chat journal.failed', 'log journal.failed']);
    world.chat = async () => retryable();
    await clock.advance(MINUTE);
    expect(kinds(world).filter((told) => told.startsWith('chat')).length).toBeGreaterThan(1);
    world.chat = async () => DELIVERED;
    await clock.advance(MINUTE);
    const before = world.told.length;
    await clock.advance(10 * MINUTE);
    expect(world.told).toHaveLength(before);
    expect(world.errors).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('could not be told by chat') }),
    );
  });

  it('does not say to a channel that it works again, which never heard that it does not', async () => {
    const { clock, world } = await outage();
    world.chat = async () => retryable();
    world.isFull = true;
    await clock.advance(5 * MINUTE);
    world.isFull = false;
    world.chat = async () => DELIVERED;
    await clock.advance(5 * MINUTE);
    expect(kinds(world)).not.toContain('chat journal.recovered');
    expect(kinds(world)).toContain('log journal.recovered');
  });

  it('ends at its stop, also while a channel hangs, and leaves no timer', async () => {
    const { clock, world, alarm, engine } = await outage();
    world.chat = () => new Promise(() => undefined);
    world.isFull = true;
    await clock.advance(41_000);
    const stopped = alarm.stop();
    await clock.advance(20_000);
    await stopped;
    await engine.stop();
    expect(clock.sleeping).toBe(0);
  });
});
