// What waits for a person, and who says that it does not any more, with the whole engine on virtual
// time; and what channels that keep incidents are told of it.
import { describe, expect, it } from 'vitest';
import type { Routing } from '../../src/core/route.ts';
import type { Channel } from '../../src/engine/lanes.ts';
import { aCondition, aPolicy } from '../support/build.ts';
import {
  anEngine,
  changed,
  DELIVERED,
  retryable,
  share,
  tempJournal,
  unreachable,
} from '../support/engine.ts';
import { Phones } from '../support/phones.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const MINUTE = 60_000;
const BY = { by: 'ann', reason: 'rolled back by hand' };
const condition = aCondition({
  id: 'verify.fill_rate',
  role: 'verify',
  limit: { kind: 'compare', comparator: 'above', value: 0.8, of: null },
});
const verify = { withinMs: 10 * MINUTE, conditions: [condition] };
const escalation: NonNullable<Routing['escalation']> = {
  steps: [{ afterMs: 5 * MINUTE, channels: ['chat'] }],
  rounds: 3,
  acknowledgedForMs: 30 * MINUTE,
};
const everywhere = { severities: null, kinds: null, services: null, environments: null };
/** It is told what is critical only; an end is never critical. */
const loudOnly: Routing['routes'] = [
  { ...everywhere, severities: ['critical', 'warning'], channels: ['pager'], quietHours: 'hold' },
  { ...everywhere, channels: ['chat'], quietHours: 'hold' },
];
const always = { fromMinute: 0, untilMinute: 24 * 60 - 1, zone: 'UTC' };

function anOncall(routing: Partial<Routing> = {}, verifies = true) {
  const clock = new VirtualClock();
  const phones = new Phones(clock, ['chat', 'pager']);
  const channels = Object.fromEntries(
    Object.entries(phones.channels).map(([name, channel]) => [
      name,
      { ...channel, keepsIncidents: name === 'pager', merges: () => false },
    ]),
  );
  const policy = aPolicy({ intervalMs: MINUTE, ...(verifies ? { verify } : {}) });
  const engine = anEngine({
    policies: [policy],
    clock,
    channels,
    routing: { routes: [], quietHours: null, escalation, ...routing },
  });
  engine.world.readings = { fill_rate: share(0.97) };
  const steps = () =>
    phones
      .of('pager')
      .flatMap(({ message }) =>
        message.incident === undefined ? [] : [`${message.kind} ${message.incident}`],
      );
  const calls = () => phones.of('chat', 'escalation.called').length;
  const view = () => engine.commands.watch('w_1');
  return { engine, phones, clock, steps, calls, view };
}

async function fallen(...options: Parameters<typeof anOncall>) {
  const oncall = anOncall(...options);
  oncall.engine.start();
  await oncall.engine.watch({ previousVersion: '1.9.0' });
  await oncall.clock.advance(MINUTE - 1_000);
  oncall.engine.world.readings = { fill_rate: share(0.5) };
  await oncall.clock.advance(1_000);
  expect(await oncall.engine.types('w_1')).toContain('watch.stopped');
  return oncall;
}

describe('a person who resolves an ended watch', () => {
  it('ends the calls and the incident, and everybody is told', async () => {
    const { engine, clock, calls, phones, view, steps } = await fallen();
    await clock.advance(6 * MINUTE);
    expect((await view()).incident).toBe('critical');
    await engine.commands.acknowledge('w_1', BY);
    const resolved = await engine.commands.resolve('w_1', BY);
    expect(resolved.incident).toBe('none');
    await clock.advance(MINUTE);
    expect(calls()).toBe(1);
    expect(steps().at(-1)).toBe('watch.resolved closes');
    expect(phones.of('chat', 'watch.resolved')[0]?.message).toMatchObject({
      severity: 'info',
      headline: 'RESOLVED shop 2.0.0 (production) by ann: nothing is open any more',
      lines: ['rolled back by hand'],
    });
  });

  it('is told again when the rollback turns out not to help', async () => {
    const { engine, clock, calls, view } = await fallen();
    await engine.commands.resolve('w_1', BY);
    await clock.advance(20 * MINUTE);
    expect(await engine.types('w_1')).toContain('rollback.not_confirmed');
    expect((await view()).incident).toBe('critical');
    expect(calls()).toBeGreaterThan(0);
  });

  it('is refused when nothing waits, and while the watch goes on', async () => {
    const { engine, clock } = anOncall();
    engine.start();
    await engine.watch();
    await expect(engine.commands.resolve('w_1', BY)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('watch w_1 is still open'),
    });
    await engine.commands.cancel('w_1', BY);
    await clock.advance(MINUTE);
    await expect(engine.commands.resolve('w_1', BY)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('nothing of watch w_1 (cancelled) waits for a person'),
    });
  });
});

describe('a newer deploy', () => {
  it('resolves what its predecessor left open, and says which one it is', async () => {
    const { engine, clock, view, calls } = await fallen({}, false);
    await clock.advance(MINUTE);
    engine.world.readings = { fill_rate: share(0.97) };
    await engine.watch({ version: '3.0.0', previousVersion: '2.0.0' });
    await clock.advance(30 * MINUTE);
    expect((await engine.journal.events('w_1', 0, 99)).at(-1)).toMatchObject({
      type: 'watch.resolved',
      by: 'canaryd',
      reason: 'a newer deploy (3.0.0) has started',
    });
    expect((await view()).incident).toBe('none');
    expect(calls()).toBe(0);
  });

  it('that is the rollback resolves nothing by its start', async () => {
    const { engine, clock, view } = await fallen({}, false);
    await clock.advance(MINUTE);
    await engine.watch({ version: '1.9.0' });
    await clock.advance(MINUTE);
    expect((await view()).incident).toBe('critical');
  });
});

describe('an action that was given up', () => {
  it('waits for a person although the rollback is confirmed', async () => {
    const oncall = anOncall();
    const { engine, clock, view, steps, calls } = oncall;
    engine.world.action = async (_, { name }) =>
      name === 'disarm'
        ? { kind: 'refused', reason: 'client_error', detail: 'HTTP 401' }
        : { kind: 'delivered', detail: 'ok' };
    engine.start();
    await engine.watch({ previousVersion: '1.9.0' });
    await clock.advance(MINUTE - 1_000);
    engine.world.readings = { fill_rate: share(0.5) };
    await clock.advance(MINUTE);
    engine.world.readings = { fill_rate: share(0.97) };
    await clock.advance(8 * MINUTE);
    expect(await engine.types('w_1')).toContain('rollback.confirmed');
    expect((await view()).incident).toBe('critical');
    expect(steps().filter((step) => step.endsWith('closes'))).toEqual([]);
    expect(calls()).toBe(1);
    await engine.commands.resolve('w_1', BY);
    await clock.advance(60 * MINUTE);
    expect(calls()).toBe(1);
    expect(steps().at(-1)).toBe('watch.resolved closes');
  });
});

describe('who looks after a stop', () => {
  it('is not who has acknowledged a warning before it', async () => {
    const oncall = anOncall();
    oncall.engine.start();
    await oncall.engine.watch();
    await oncall.engine.commands.acknowledge('w_1', BY);
    expect((await oncall.view()).acknowledgedBy).toBe('ann');
    await oncall.clock.advance(MINUTE - 1_000);
    oncall.engine.world.readings = { fill_rate: share(0.5) };
    await oncall.clock.advance(MINUTE);
    expect((await oncall.view()).acknowledgedBy).toBeNull();
    await oncall.engine.commands.acknowledge('w_1', BY);
    expect((await oncall.view()).acknowledgedBy).toBe('ann');
  });

  it('is nobody any more when it has lapsed, and the same person can say it again', async () => {
    const { engine, clock, view, calls } = await fallen();
    await engine.commands.acknowledge('w_1', BY);
    await clock.advance(29 * MINUTE);
    expect((await view()).acknowledgedBy).toBe('ann');
    await clock.advance(2 * MINUTE);
    expect(calls()).toBe(1);
    expect((await view()).acknowledgedBy).toBeNull();
    const [listed] = await engine.commands.watches({ limit: 1 });
    expect(listed?.acknowledgedBy).toBeNull();
    await engine.commands.acknowledge('w_1', BY);
    expect((await view()).acknowledgedBy).toBe('ann');
    const types = await engine.types('w_1');
    expect(types.filter((type) => type === 'watch.acknowledged')).toHaveLength(2);
  });

  it('counts again for what was opened anew', async () => {
    const { engine, clock } = anOncall();
    engine.start();
    await engine.watch();
    await clock.advance(2 * MINUTE);
    for (let round = 0; round < 2; round += 1) {
      engine.world.readings = { fill_rate: unreachable('no answer') };
      await clock.advance(4 * MINUTE);
      await engine.commands.acknowledge('w_1', BY);
      await engine.commands.acknowledge('w_1', BY);
      engine.world.readings = { fill_rate: share(0.97) };
      await clock.advance(4 * MINUTE);
    }
    const types = await engine.types('w_1');
    expect(types.filter((type) => type === 'watch.acknowledged')).toHaveLength(2);
  });
});

describe('a channel that keeps incidents', () => {
  it('is told every end, whatever its route says', async () => {
    const { engine, clock, steps } = await fallen({ routes: loudOnly });
    await engine.commands.acknowledge('w_1', BY);
    engine.world.readings = { fill_rate: share(0.97) };
    await clock.advance(4 * MINUTE);
    expect(steps()).toEqual([
      'watch.stopped opens',
      'watch.acknowledged acknowledges',
      'rollback.confirmed closes',
    ]);
  });

  it('is told nothing of services that never reach it', async () => {
    const routes = [
      { ...everywhere, services: ['other'], channels: ['pager'], quietHours: 'hold' },
      { ...everywhere, channels: ['chat'], quietHours: 'hold' },
    ] as const;
    const { engine, clock, steps } = await fallen({ routes, escalation: null });
    engine.world.readings = { fill_rate: share(0.97) };
    await clock.advance(4 * MINUTE);
    expect(await engine.types('w_1')).toContain('rollback.confirmed');
    expect(steps()).toEqual([]);
  });

  it('has no quiet hours', async () => {
    const { engine, clock, steps } = anOncall({ quietHours: always });
    engine.start();
    await engine.watch();
    await clock.advance(2 * MINUTE);
    engine.world.readings = { fill_rate: unreachable('no answer') };
    await clock.advance(5 * MINUTE);
    engine.world.readings = { fill_rate: share(0.97) };
    await clock.advance(5 * MINUTE);
    expect(steps()).toEqual(['conditions.blinded opens', 'conditions.sighted closes']);
  });

  it('is not told an end that something new has overtaken, and that is no failure', async () => {
    const { engine, clock, steps, phones } = await fallen();
    const refuse = async (channel: string) =>
      channel === 'pager' ? retryable() : ({ kind: 'delivered', detail: 'ok' } as const);
    phones.answer = refuse;
    await engine.commands.resolve('w_1', BY);
    await clock.advance(15 * MINUTE);
    expect(await engine.types('w_1')).toContain('rollback.not_confirmed');
    phones.answer = async () => ({ kind: 'delivered', detail: 'ok' });
    const before = steps().length;
    await clock.advance(10 * MINUTE);
    expect(steps().slice(before)).toContain('rollback.not_confirmed opens');
    expect(steps().slice(before)).not.toContain('watch.resolved closes');
    const ends = (await engine.journal.deliveries('w_1')).filter(
      ({ lastReason }) => lastReason === 'superseded',
    );
    expect(ends.map(({ state }) => state)).toEqual(['gave_up']);
    expect(engine.attempts.filter(([, , gaveUp]) => gaveUp === 'superseded')).toEqual([]);
  });

  it('is told by "armed" that what "not armed" opened is over', async () => {
    const { engine, clock, steps } = anOncall();
    engine.world.readings = { fill_rate: unreachable('no answer') };
    engine.start();
    await engine.watch();
    await clock.advance(10 * MINUTE);
    engine.world.readings = { fill_rate: share(0.97) };
    await clock.advance(5 * MINUTE);
    expect(steps()).toEqual(['watch.unarmed opens', 'watch.armed closes']);
  });
});

describe('what a channel may ask of the journal', () => {
  it('is whether something of a watch still waits for a person', async () => {
    const clock = new VirtualClock();
    const asked: (readonly [string, boolean | undefined])[] = [];
    const send: Channel['send'] = async ({ kind, watchId }, _, context) => {
      asked.push([kind, await context?.isOpen?.(watchId)]);
      return DELIVERED;
    };
    const engine = anEngine({ clock, channels: { pager: { spacingMs: 0, send } } });
    engine.world.readings = { fill_rate: share(0.97) };
    engine.start();
    const id = await engine.watch();
    await clock.advance(MINUTE);
    engine.world.readings = { fill_rate: share(0.2) };
    await clock.advance(MINUTE);
    await engine.commands.resolve(id, BY);
    await clock.advance(MINUTE);
    expect(asked).toContainEqual(['watch.started', false]);
    expect(asked).toContainEqual(['watch.stopped', true]);
    expect(asked).toContainEqual(['watch.resolved', false]);
  });
});

describe('a call while the journal is slow', () => {
  it('is not made when somebody acknowledged before it could leave', async () => {
    const clock = new VirtualClock();
    const real = tempJournal();
    let isSlow = false;
    const journal = changed(real, {
      startAttempts: async (...args) => {
        const begun = await real.startAttempts(...args);
        if (isSlow) await clock.sleep(10_000);
        return begun;
      },
    });
    const phones = new Phones(clock, ['chat']);
    const { channels } = phones;
    const routing = { routes: [], quietHours: null, escalation };
    const policy = aPolicy({ verify });
    const engine = anEngine({ policies: [policy], clock, journal, channels, routing });
    engine.world.readings = { fill_rate: share(0.97) };
    engine.start();
    const id = await engine.watch();
    await clock.advance(MINUTE);
    engine.world.readings = { fill_rate: share(0.2) };
    await clock.advance(MINUTE);
    const stoppedAt = (await engine.events(id)).find(({ type }) => type === 'watch.stopped');
    const callAtMs = (stoppedAt?.atMs ?? 0) + 5 * MINUTE;
    await clock.advance(callAtMs - clock.now() - 1_000);
    isSlow = true;
    await clock.advance(3_000);
    await engine.commands.acknowledge(id, BY);
    await clock.advance(30_000);
    expect(phones.of('chat', 'escalation.called')).toEqual([]);
  });
});
