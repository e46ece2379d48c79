// Decisions of gates are told over the channels: once when all goes well, at least once when it does
// not. On virtual time, with a real journal.
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Message, Outcome, SendContext } from '../../src/core/delivery.ts';
import { planGateMessages } from '../../src/core/gate-message.ts';
import { NO_ROUTING } from '../../src/core/route.ts';
import { GateTeller, UNDER_WAY_MS } from '../../src/engine/gate-teller.ts';
import type { Channel } from '../../src/engine/lanes.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { T0 } from '../support/build.ts';
import { changed, DELIVERED, retryable, tempJournal } from '../support/engine.ts';
import { aDecision, type Decided } from '../support/gate-decision.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const NO_GO: Decided = { found: { test_coverage: ['fail', 'lines 88 %, at least 90 % wanted'] } };

type Sent = {
  readonly atMs: number;
  readonly channel: string;
  readonly by: string;
  readonly message: Message;
  readonly deliveryId: string | undefined;
};

/** Channels that are scripted, and what they were given. */
class World {
  readonly clock = new VirtualClock();
  readonly journal: Journal = tempJournal();
  readonly sent: Sent[] = [];
  readonly ended: (readonly [string, Outcome['kind'], string | null])[] = [];
  readonly errors: unknown[] = [];
  answer: (channel: string) => Promise<Outcome> = async () => DELIVERED;
  spacingMs = 0;

  /** One of possibly several that share the journal. */
  teller(by = 'r_1', journal = this.journal, names: readonly string[] = ['chat', 'mail']) {
    const channels = names.map((name): [string, Channel] => [
      name,
      {
        spacingMs: this.spacingMs,
        send: (message, _, context?: SendContext) => {
          const { deliveryId } = context ?? {};
          this.sent.push({ atMs: this.clock.now() - T0, channel: name, by, message, deliveryId });
          return this.answer(name);
        },
      },
    ]);
    const teller = new GateTeller({
      clock: this.clock,
      random: () => 0,
      store: journal,
      channels: Object.fromEntries(channels),
      onAttempt: ({ channel }, { kind }, gaveUp) => void this.ended.push([channel, kind, gaveUp]),
      onError: (error) => void this.errors.push(error),
    });
    teller.start();
    onTestFinished(async () => {
      const stopped = teller.stop(SECOND);
      await this.clock.advance(2 * SECOND);
      await stopped;
    });
    return teller;
  }

  async decided(id: string, routing: Partial<typeof NO_ROUTING> = {}, channels = ['chat', 'mail']) {
    const record = aDecision(NO_GO, { id, receivedAtMs: this.clock.now() });
    const told = { publicUrl: null, channels, routing: { ...NO_ROUTING, ...routing } };
    await this.journal.addGateRecord(record, planGateMessages(record, told));
  }

  async states(id = 'g_1') {
    const messages = await this.journal.gateMessages(id);
    return messages.map(({ channel, state, attempts }) => [channel, state, attempts]);
  }
}

const times = ({ sent }: World) => sent.map(({ atMs, channel }) => [atMs, channel]);

describe('the teller of decisions', () => {
  it('tells each channel once, at once after a poke', async () => {
    const world = new World();
    const teller = world.teller();
    await world.clock.advance(10 * SECOND + 1);
    await world.decided('g_1');
    teller.poke();
    await world.clock.advance(1);
    expect(times(world)).toEqual([
      [10_001, 'chat'],
      [10_001, 'mail'],
    ]);
    expect(world.sent[0]).toMatchObject({
      deliveryId: 'g_1-chat',
      message: {
        headline: 'NO-GO aurora 2.1.0 (testnet): 1 of 47 criteria not met',
        lines: [expect.any(String), expect.stringContaining('lines 88 %')],
      },
    });
    await world.clock.advance(2 * HOUR);
    expect(world.sent).toHaveLength(2);
    expect(await world.states()).toEqual([
      ['chat', 'delivered', 1],
      ['mail', 'delivered', 1],
    ]);
    expect(world.errors).toEqual([]);
  });

  it('finds by itself what another replica was told', async () => {
    const world = new World();
    world.teller();
    await world.clock.advance(5 * SECOND + 1);
    await world.decided('g_1');
    await world.clock.advance(SECOND);
    expect(times(world).map(([atMs]) => atMs)).toEqual([6_000, 6_000]);
  });

  it('has the attempt in the journal before anything leaves', async () => {
    const world = new World();
    const seen: unknown[] = [];
    world.answer = async () => {
      seen.push(await world.states());
      return DELIVERED;
    };
    world.teller();
    await world.decided('g_1', {}, ['chat']);
    await world.clock.advance(SECOND);
    expect(seen).toEqual([[['chat', 'pending', 1]]]);
  });

  it('sends nothing when the journal does not take the attempt', async () => {
    const world = new World();
    const full = () => Promise.reject(new Error('disk is full'));
    world.teller('r_1', changed(world.journal, { startGateAttempt: full }));
    await world.decided('g_1', {}, ['chat']);
    await world.clock.advance(10 * SECOND);
    expect(world.sent).toEqual([]);
    // At the pace of the loop, not as fast as it can.
    expect(world.errors.length).toBeLessThanOrEqual(11);
  });

  it('tries again at growing distances, at least as far as it was asked to wait', async () => {
    const world = new World();
    const answers = [
      retryable(),
      retryable({ reason: 'rate_limited', retryAfterMs: 30 * SECOND }),
      DELIVERED,
    ];
    world.answer = async () => answers.shift() ?? DELIVERED;
    await world.decided('g_1', {}, ['chat']);
    world.teller();
    await world.clock.advance(MINUTE);
    expect(times(world)).toEqual([
      [0, 'chat'],
      [1_000, 'chat'],
      [31_000, 'chat'],
    ]);
    expect(await world.states()).toEqual([['chat', 'delivered', 3]]);
  });

  it('keeps the pace of a channel, in the order of the decisions', async () => {
    const world = new World();
    world.spacingMs = 1_500;
    for (const id of ['g_1', 'g_2', 'g_3']) await world.decided(id, {}, ['chat']);
    world.teller();
    await world.clock.advance(MINUTE);
    expect(world.sent.map(({ atMs, deliveryId }) => [atMs, deliveryId])).toEqual([
      [0, 'g_1-chat'],
      [2_000, 'g_2-chat'],
      [4_000, 'g_3-chat'],
    ]);
  });

  it('lets nothing wait for a channel that hangs, and cuts it off', async () => {
    const world = new World();
    world.answer = (channel) =>
      channel === 'chat' ? new Promise(() => {}) : Promise.resolve(DELIVERED);
    await world.decided('g_1');
    await world.decided('g_2');
    world.teller();
    await world.clock.advance(59 * SECOND);
    expect(times(world)).toEqual([
      [0, 'chat'],
      [0, 'mail'],
      [0, 'mail'],
    ]);
    await world.clock.advance(2 * SECOND);
    expect(world.ended.at(-1)).toEqual(['chat', 'retryable', null]);
  });

  it('says of a repetition after a try without an answer that it may have been seen', async () => {
    const world = new World();
    const answers = [retryable({ reason: 'timeout', maybeDelivered: true }), DELIVERED];
    world.answer = async () => answers.shift() ?? DELIVERED;
    world.teller();
    await world.decided('g_1', {}, ['chat']);
    await world.clock.advance(MINUTE);
    expect(world.sent.map(({ message }) => message.lines.at(-1))).toEqual([
      'green test_coverage is not met: lines 88 %, at least 90 % wanted',
      'An earlier try of this message got no answer: you may have seen it before.',
    ]);
  });

  it('gives up after its hour, and tells why', async () => {
    const world = new World();
    world.answer = async () => retryable();
    world.teller();
    await world.decided('g_1', {}, ['chat']);
    await world.clock.advance(2 * HOUR);
    expect(await world.states()).toMatchObject([['chat', 'gave_up', expect.any(Number)]]);
    expect(world.sent.at(-1)?.atMs).toBeLessThanOrEqual(HOUR);
    expect(world.sent.length).toBeLessThanOrEqual(150);
    expect(world.ended.at(-1)).toEqual(['chat', 'retryable', 'deadline']);
  });

  it.each([
    ['a refusal', 'chat', 'client_error'],
    ['a channel that the config no longer has', 'old', 'misconfigured'],
  ])('gives up at once after %s', async (_, channel, reason) => {
    const world = new World();
    world.answer = async () => ({ kind: 'refused', reason: 'client_error', detail: 'HTTP 400' });
    world.teller();
    await world.decided('g_1', {}, [channel]);
    await world.clock.advance(HOUR);
    expect(world.ended).toEqual([[channel, 'refused', reason]]);
    expect(await world.states()).toMatchObject([[channel, 'gave_up', expect.any(Number)]]);
  });

  it('gives up what waited too long while canaryd was away', async () => {
    const world = new World();
    await world.decided('g_1', {}, ['chat']);
    await world.clock.advance(HOUR + SECOND);
    world.teller();
    await world.clock.advance(MINUTE);
    expect(world.sent).toEqual([]);
    expect(world.ended).toEqual([['chat', 'refused', 'deadline']]);
  });

  it('holds back what came in the quiet hours until they end', async () => {
    const world = new World();
    world.teller();
    const night = { fromMinute: 1_320, untilMinute: 360, zone: 'UTC' };
    await world.decided('g_1', { quietHours: night }, ['chat']);
    await world.clock.advance(6 * HOUR - SECOND);
    expect(world.sent).toEqual([]);
    await world.clock.advance(2 * SECOND);
    expect(times(world)).toEqual([[6 * HOUR, 'chat']]);
  });
});

describe('the teller after a crash', () => {
  it('repeats an attempt whose outcome was never written, once, and says so', async () => {
    const world = new World();
    await world.decided('g_1', {}, ['chat']);
    await world.journal.startGateAttempt('g_1-chat', 1, T0);
    world.teller();
    await world.clock.advance(UNDER_WAY_MS - SECOND);
    expect(world.sent).toEqual([]);
    await world.clock.advance(HOUR);
    expect(world.sent).toMatchObject([
      {
        atMs: UNDER_WAY_MS,
        deliveryId: 'g_1-chat',
        message: {
          lines: expect.arrayContaining([
            'canaryd was restarted while sending this: you may have seen it before.',
          ]),
        },
      },
    ]);
    expect(await world.states()).toEqual([['chat', 'delivered', 2]]);
  });

  it('goes on with what nobody had begun', async () => {
    const world = new World();
    await world.decided('g_1');
    world.teller();
    await world.clock.advance(SECOND);
    expect(await world.states()).toEqual([
      ['chat', 'delivered', 1],
      ['mail', 'delivered', 1],
    ]);
  });

  it('writes an outcome again when the journal did not take it, and sends nothing meanwhile', async () => {
    const world = new World();
    let isFull = true;
    const real = world.journal;
    const flaky = changed(real, {
      endGateAttempt: (update) =>
        isFull ? Promise.reject(new Error('disk is full')) : real.endGateAttempt(update),
    });
    world.teller('r_1', flaky);
    await world.decided('g_1', {}, ['chat']);
    await world.clock.advance(10 * SECOND);
    isFull = false;
    await world.clock.advance(HOUR);
    expect(world.sent).toHaveLength(1);
    expect(await world.states()).toEqual([['chat', 'delivered', 1]]);
  });

  it('loses nothing when the wall clock was set back by a day', async () => {
    const world = new World();
    world.answer = async () => retryable();
    world.teller();
    await world.decided('g_1', {}, ['chat']);
    await world.clock.advance(5 * SECOND);
    world.clock.setWall(-24 * HOUR);
    world.answer = async () => DELIVERED;
    await world.clock.advance(10 * SECOND);
    expect(await world.states()).toMatchObject([['chat', 'delivered', expect.any(Number)]]);
  });
});

describe('tellers of several replicas', () => {
  it('tell each decision once between them', async () => {
    const world = new World();
    const tellers = ['r_1', 'r_2', 'r_3'].map((by) => world.teller(by));
    for (let count = 1; count <= 20; count++) await world.decided(`g_${count}`);
    for (const teller of tellers) teller.poke();
    await world.clock.advance(MINUTE);
    const ids = world.sent.map(({ deliveryId }) => deliveryId);
    expect(ids).toHaveLength(40);
    expect(new Set(ids).size).toBe(40);
  });

  it('take over from one that has died while it sent', async () => {
    const world = new World();
    const hanging = new GateTeller({
      clock: world.clock,
      random: () => 0,
      // It never comes back: neither its channel nor its outcome.
      store: changed(world.journal, { endGateAttempt: () => new Promise(() => {}) }),
      channels: { chat: { spacingMs: 0, send: async () => DELIVERED } },
      onAttempt: () => {},
      onError: () => {},
    });
    await world.decided('g_1', {}, ['chat']);
    await hanging.look();
    await world.clock.advance(1);
    world.teller('r_2');
    await world.clock.advance(UNDER_WAY_MS + 2 * SECOND);
    expect(world.sent.map(({ by }) => by)).toEqual(['r_2']);
    expect(await world.states()).toEqual([['chat', 'delivered', 2]]);
  });
});

describe('the end of the teller', () => {
  it('waits for what is being sent, and begins nothing new', async () => {
    const world = new World();
    let finish: (outcome: Outcome) => void = () => {};
    world.answer = () => new Promise((resolve) => (finish = resolve));
    const teller = world.teller();
    await world.decided('g_1', {}, ['chat']);
    await world.decided('g_2', {}, ['chat']);
    await world.clock.advance(SECOND);
    const stopped = teller.stop(8 * SECOND);
    await world.clock.advance(SECOND);
    finish(DELIVERED);
    await world.clock.advance(10 * SECOND);
    await stopped;
    expect([await world.states('g_1'), await world.states('g_2')]).toEqual([
      [['chat', 'delivered', 1]],
      [['chat', 'pending', 0]],
    ]);
  });
});
