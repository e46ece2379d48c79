// Who is told what, when and how loud: routes, storms and the quiet hours, with the whole engine on
// virtual time.
import { describe, expect, it } from 'vitest';
import type { Route, Routing } from '../../src/core/route.ts';
import { aPolicy } from '../support/build.ts';
import { anEngine, type EngineOptions, retryable, share, unreachable } from '../support/engine.ts';
import { Phones } from '../support/phones.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function aRoute(over: Partial<Route> = {}): Route {
  const all = { severities: null, kinds: null, services: null, environments: null };
  return { ...all, channels: ['chat'], quietHours: 'hold', ...over };
}

function aRouting(over: Partial<Routing> = {}): Routing {
  return { routes: [], quietHours: null, escalation: null, ...over };
}

/** T0 is in their middle; they end twelve minutes later. */
const quietHours = { fromMinute: 22 * 60, untilMinute: 12, zone: 'UTC' };

function anOncall(routing: Routing, options: EngineOptions = {}) {
  const clock = options.clock ?? new VirtualClock();
  const phones = new Phones(clock, ['chat', 'phone']);
  const { channels } = phones;
  const policies = [aPolicy({ intervalMs: MINUTE })];
  const engine = anEngine({ policies, ...options, clock, channels, routing });
  engine.world.readings = { fill_rate: share(0.97) };
  const blind = () => {
    engine.world.readings = { fill_rate: unreachable('no answer from prometheus') };
  };
  const seen = () => {
    engine.world.readings = { fill_rate: share(0.97) };
  };
  return { engine, phones, clock, blind, seen };
}

describe('a kind that the config makes louder', () => {
  it('goes the way of its new severity, and is not held', async () => {
    const severities = { 'watch.started': 'critical' } as const;
    const routes = [
      aRoute({ severities: ['critical'], channels: ['phone'] }),
      aRoute({ channels: ['chat'] }),
    ];
    const { engine, phones, clock } = anOncall(aRouting({ routes, severities, quietHours }));
    engine.start();
    await engine.watch();
    await clock.advance(2 * MINUTE);
    const told = phones.of('phone').map(({ message: { kind, severity } }) => [kind, severity]);
    expect(told).toEqual([['watch.started', 'critical']]);
    expect(phones.of('chat')).toEqual([]);
  });
});

describe('a route', () => {
  it('is the first that fits; what fits none goes to every channel', async () => {
    const routes = [
      aRoute({ severities: ['critical'], channels: ['phone'] }),
      aRoute({ kinds: ['watch.started'], channels: ['chat'] }),
    ];
    const { engine, phones, clock } = anOncall(aRouting({ routes }));
    engine.start();
    await engine.watch();
    await clock.advance(2 * MINUTE);
    engine.world.readings = { fill_rate: share(0.5) };
    await clock.advance(MINUTE);
    const kinds = (channel: 'chat' | 'phone') =>
      phones.of(channel).map(({ message }) => message.kind);
    expect(kinds('phone')).not.toContain('watch.started');
    expect(kinds('phone')).toContain('watch.stopped');
    expect(kinds('chat')).toContain('watch.started');
    expect(kinds('chat')).not.toContain('watch.stopped');
    expect(kinds('chat')).toContain('watch.armed');
    expect(kinds('phone')).toContain('watch.armed');
  });

  it('can be of a service or an environment', async () => {
    const routes = [aRoute({ environments: ['testnet'], channels: ['chat'] })];
    const { engine, phones, clock } = anOncall(aRouting({ routes }));
    engine.start();
    await engine.watch({ environment: 'testnet' });
    await engine.watch({ environment: 'mainnet' });
    await clock.advance(1_000);
    const environments = phones
      .of('phone', 'watch.started')
      .map(({ message }) => message.deploy?.environment);
    expect(environments).toEqual(['mainnet']);
    expect(phones.of('chat', 'watch.started')).toHaveLength(2);
  });
});

describe('a storm', () => {
  async function fifty(options: EngineOptions = {}) {
    const oncall = anOncall(aRouting(), options);
    oncall.engine.start();
    for (let number = 1; number <= 50; number += 1) {
      await oncall.engine.watch({ environment: `e${number}` });
    }
    await oncall.clock.advance(3 * MINUTE);
    return oncall;
  }

  it('of fifty watches that turn blind at once is one message for each channel', async () => {
    const { phones, clock, blind, seen, engine } = await fifty();
    blind();
    await clock.advance(4 * MINUTE);
    const [chat, ...more] = phones.of('chat', 'conditions.blinded');
    expect(more).toEqual([]);
    expect(phones.of('phone', 'conditions.blinded')).toHaveLength(1);
    expect(chat?.message.headline).toBe(
      'BLIND: 50 watches: unreachable, no answer from prometheus',
    );
    expect(await engine.journal.pendingDeliveries(9)).toEqual([]);
    seen();
    await clock.advance(4 * MINUTE);
    expect(phones.of('chat', 'conditions.sighted')).toHaveLength(1);
  });

  it('is tried again as one, and each delivery has its own attempts and its own end', async () => {
    const { phones, clock, blind, engine } = await fifty();
    let failures = 2;
    phones.answer = async () => {
      failures -= 1;
      return failures >= 0 ? retryable() : { kind: 'delivered', detail: 'ok', receipt: 'r' };
    };
    blind();
    await clock.advance(5 * MINUTE);
    expect(phones.told.filter(({ message }) => message.merged?.length === 50)).toHaveLength(4);
    for (const id of ['w_1', 'w_25', 'w_50']) {
      const deliveries = await engine.journal.deliveries(id);
      const blinded = deliveries.filter(
        ({ content }) =>
          content.kind === 'message' && content.message.kind === 'conditions.blinded',
      );
      expect(blinded.map(({ state }) => state)).toEqual(['delivered', 'delivered']);
      expect(Math.max(...blinded.map(({ attempts }) => attempts))).toBeGreaterThan(1);
      const receipts = await engine.journal.receipts(id, 'chat');
      expect(receipts.map(({ receipt }) => receipt)).toEqual(['r']);
    }
  });

  it('never gathers a stop', async () => {
    const { phones, clock, engine } = await fifty();
    engine.world.readings = { fill_rate: share(0.5) };
    await clock.advance(MINUTE);
    expect(phones.of('chat', 'watch.stopped')).toHaveLength(50);
    expect(phones.of('chat', 'watch.stopped').every(({ message }) => !message.merged)).toBe(true);
  });
});

describe('in the quiet hours', () => {
  const routing = aRouting({ quietHours });

  it('what is not critical is held, and goes out as one digest when they end', async () => {
    const { engine, phones, clock, blind, seen } = anOncall(routing);
    engine.start();
    await engine.watch({ environment: 'e1' });
    await engine.watch({ environment: 'e2' });
    await clock.advance(3 * MINUTE);
    blind();
    await clock.advance(4 * MINUTE);
    seen();
    await clock.advance(4 * MINUTE);
    expect(phones.told).toEqual([]);
    await clock.advance(2 * MINUTE);
    const [digest, ...more] = phones.of('chat');
    expect(more).toEqual([]);
    expect(digest?.atMs).toBe(12 * MINUTE);
    expect(digest?.message.kind).toBe('quiet.digest');
    expect(digest?.message.headline).toContain('0 open, 2 resolved meanwhile');
    expect(await engine.journal.pendingDeliveries(9)).toEqual([]);
  });

  it('a stop goes at once, and what comes of it without a sound', async () => {
    const { engine, phones, clock } = anOncall(routing);
    engine.start();
    await engine.watch();
    await clock.advance(3 * MINUTE);
    engine.world.readings = { fill_rate: share(0.5) };
    await clock.advance(MINUTE);
    const [first, ...others] = phones.of('chat').map(({ message }) => message);
    expect(first).toMatchObject({ kind: 'watch.stopped' });
    expect(first?.isSilent).toBeUndefined();
    expect(others.map(({ kind, isSilent }) => [kind, isSilent])).toEqual([
      ['action.accepted', true],
      ['action.accepted', true],
    ]);
  });

  it('a route may ignore them, or be silent', async () => {
    const routes = [
      aRoute({ environments: ['loud'], quietHours: 'ignore' }),
      aRoute({ environments: ['soft'], quietHours: 'silent', channels: ['phone'] }),
    ];
    const { engine, phones, clock } = anOncall(aRouting({ quietHours, routes }));
    engine.start();
    await engine.watch({ environment: 'loud' });
    await engine.watch({ environment: 'soft' });
    await clock.advance(1_000);
    expect(phones.of('chat', 'watch.started').map(({ message }) => message.isSilent)).toEqual([
      undefined,
    ]);
    expect(phones.of('phone', 'watch.started').map(({ message }) => message.isSilent)).toEqual([
      true,
    ]);
  });

  it('a channel whose service keeps quiet by itself gets everything at once', async () => {
    const { engine, phones, clock } = anOncall({ ...routing, neverQuiet: ['phone'] });
    engine.start();
    await engine.watch();
    await clock.advance(1_000);
    expect(phones.told.map(({ channel }) => channel)).toEqual(['phone', 'phone']);
    expect(phones.told[0]?.message).toMatchObject({ kind: 'watch.started' });
  });

  it('what is held survives a restart, and is told once', async () => {
    const before = anOncall(routing);
    before.engine.start();
    await before.engine.watch();
    await before.clock.advance(10 * MINUTE);
    await before.engine.stop();
    const { journal, clock } = before.engine;
    const { engine, phones } = anOncall(routing, { journal, clock, replica: 'r_2' });
    engine.start();
    await clock.advance(5 * MINUTE);
    expect(before.phones.told).toEqual([]);
    expect(phones.of('chat').map(({ message }) => message.kind)).toEqual(['quiet.digest']);
  });

  it('a crash in the middle of the digest repeats it, and it says so', async () => {
    const before = anOncall(routing);
    before.engine.start();
    await before.engine.watch();
    await before.clock.advance(11 * MINUTE);
    await before.engine.stop();
    const { journal, clock } = before.engine;
    await clock.advance(MINUTE);
    for (const { id } of await journal.pendingDeliveries(99)) {
      await journal.startAttempt(id, 1, clock.now(), 'r_0');
    }
    const { engine, phones } = anOncall(routing, { journal, clock, replica: 'r_2' });
    engine.start();
    await clock.advance(1_000);
    const [digest, ...more] = phones.of('chat');
    expect(more).toEqual([]);
    expect(digest?.message.kind).toBe('quiet.digest');
    expect(digest?.message.lines.at(-1)).toContain('you may have seen it before');
  });

  it('a held message does not hold up the others of its channel, and gets its full hour', async () => {
    const { engine, phones, clock } = anOncall(routing);
    engine.start();
    await engine.watch();
    phones.answer = async () => retryable();
    await clock.advance(HOUR + 10 * MINUTE);
    expect(await engine.delivery('w_1-e1-chat')).toMatchObject({ state: 'pending' });
    await clock.advance(3 * MINUTE);
    expect(await engine.delivery('w_1-e1-chat')).toMatchObject({
      state: 'gave_up',
      lastReason: 'deadline',
    });
  });

  it.each([-10 * MINUTE, -2 * HOUR])(
    'a wall clock that is set back by %i ms rings nobody at night',
    async (byMs) => {
      const { engine, phones, clock } = anOncall(routing);
      engine.start();
      await engine.watch();
      await clock.advance(MINUTE);
      clock.setWall(byMs);
      await clock.advance(10 * MINUTE);
      expect(phones.told).toEqual([]);
      await clock.advance(12 * MINUTE - byMs);
      expect(phones.of('chat')[0]?.message.kind).toBe('quiet.digest');
    },
  );
});
