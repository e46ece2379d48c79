// Calls until somebody answers, with the whole engine on virtual time.
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../src/core/delivery.ts';
import type { Escalation } from '../../src/core/escalation.ts';
import type { Policy } from '../../src/core/policy.ts';
import { aCondition, anAction, aPolicy } from '../support/build.ts';
import { anEngine, type EngineOptions, retryable, share, tempJournal } from '../support/engine.ts';
import { Phones } from '../support/phones.ts';
import { SharedJournal } from '../support/shared-journal.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const MINUTE = 60_000;
const BY = { by: 'ann', reason: 'I look' };

const escalation: Escalation = {
  steps: [
    { afterMs: 5 * MINUTE, channels: ['phone'] },
    { afterMs: 15 * MINUTE, channels: ['phone', 'boss'] },
  ],
  rounds: 2,
  acknowledgedForMs: 30 * MINUTE,
};

const condition = aCondition({
  id: 'verify.fill_rate',
  role: 'verify',
  limit: { kind: 'compare', comparator: 'above', value: 0.8, of: null },
});
const verify = { withinMs: 10 * MINUTE, conditions: [condition] };

type Options = EngineOptions & {
  readonly over?: Partial<Policy>;
  /** What comes of each attempt to disarm; default: it is accepted. */
  readonly disarm?: () => Outcome;
};

function anOncall({ over = {}, ...options }: Options = {}) {
  const clock = options.clock ?? new VirtualClock();
  const phones = new Phones(clock, ['chat', 'phone', 'boss']);
  const engine = anEngine({
    policies: [aPolicy({ intervalMs: MINUTE, ...over })],
    ...options,
    clock,
    channels: phones.channels,
    routing: { routes: [], quietHours: null, escalation },
  });
  engine.world.readings = { fill_rate: share(0.97) };
  /** Minutes since the stop, and whom. */
  const calls = () =>
    phones.told
      .filter(({ message }) => message.kind === 'escalation.called')
      .map(({ atMs, channel }) => `${atMs / MINUTE - 1} ${channel}`);
  return { engine, phones, clock, calls };
}

/** w_1 stops one minute after T0. */
async function fallen(options: Options = {}) {
  const oncall = anOncall(options);
  const accepted: Outcome = { kind: 'delivered', detail: 'ok' };
  const { disarm = () => accepted } = options;
  oncall.engine.world.action = async (_, { name }) => (name === 'disarm' ? disarm() : accepted);
  oncall.engine.start();
  await oncall.engine.watch();
  await oncall.clock.advance(MINUTE - 1_000);
  oncall.engine.world.readings = { fill_rate: share(0.5) };
  await oncall.clock.advance(1_000);
  expect(await oncall.engine.types('w_1')).toContain('watch.stopped');
  return oncall;
}

const WHOLE_CHAIN = ['5 phone', '15 phone', '15 boss', '20 phone', '30 phone', '30 boss'];

/** How the calls to a channel ended. */
async function ends(engine: ReturnType<typeof anEngine>, channel = 'phone') {
  const deliveries = await engine.journal.deliveries('w_1');
  return deliveries.flatMap(({ content, state, attempts, lastReason }) =>
    content.kind === 'message' && content.call !== undefined && content.channel === channel
      ? [[state, attempts, lastReason]]
      : [],
  );
}

describe('a stop that nobody acknowledges', () => {
  it('is called step by step, for a bounded number of rounds', async () => {
    const { clock, calls, engine } = await fallen();
    await clock.advance(180 * MINUTE);
    expect(calls()).toEqual(WHOLE_CHAIN);
    expect(await engine.journal.pendingDeliveries(99)).toEqual([]);
  });

  it('is called with words for somebody who was just woken', async () => {
    const { clock, phones } = await fallen();
    await clock.advance(16 * MINUTE);
    expect(phones.of('phone', 'escalation.called')[0]?.message).toMatchObject({
      severity: 'critical',
      headline:
        'CALL 1 of 4, nobody has answered since 00:01 UTC: shop 2.0.0 (production) was STOPPED',
      lines: [
        'Order fill rate 50 % (500 of 1,000), limit: below 80 %',
        'So far: disarm accepted, rollback accepted.',
      ],
      next: 'Say that you look after it, and the calls end: canaryd ack w_1 --reason "..."',
      incident: 'opens',
    });
  });

  it('goes on after a restart, at the same times', async () => {
    const before = await fallen();
    await before.clock.advance(7 * MINUTE);
    await before.engine.stop();
    const { journal, clock } = before.engine;
    const { engine, calls } = anOncall({ journal, clock, replica: 'r_2' });
    engine.start();
    await clock.advance(60 * MINUTE);
    expect([...before.calls(), ...calls()]).toEqual(WHOLE_CHAIN);
  });

  it('is called once by two replicas, also when one of them dies', async () => {
    const clock = new VirtualClock();
    const shared = new SharedJournal(tempJournal(), clock);
    const view = shared.view();
    const other = anOncall({ clock, journal: view.journal, replica: 'r_2' });
    other.engine.start();
    const first = await fallen({ clock, journal: shared.view().journal });
    other.engine.world.readings = { fill_rate: share(0.5) };
    await clock.advance(10 * MINUTE);
    view.cut();
    await clock.advance(60 * MINUTE);
    const all = [...first.phones.told, ...other.phones.told]
      .filter(({ message }) => message.kind === 'escalation.called')
      .map(({ message, channel }) => `${message.headline.slice(0, 11)} ${channel}`);
    expect(all.toSorted()).toEqual([
      ...['CALL 1 of 4 phone', 'CALL 2 of 4 boss', 'CALL 2 of 4 phone'],
      ...['CALL 3 of 4 phone', 'CALL 4 of 4 boss', 'CALL 4 of 4 phone'],
    ]);
  });

  it('a channel that is down gets the newest call, not all that it missed', async () => {
    const { clock, phones, engine } = await fallen();
    phones.answer = async (channel) =>
      channel === 'phone' ? retryable() : { kind: 'delivered', detail: 'ok' };
    await clock.advance(40 * MINUTE);
    expect((await ends(engine)).map(([state, , reason]) => [state, reason])).toEqual([
      ['gave_up', 'deadline'],
      ['gave_up', 'deadline'],
      ['gave_up', 'deadline'],
      ['pending', 'server_error'],
    ]);
    expect(await ends(engine, 'boss')).toEqual([
      ['delivered', 1, 'ok'],
      ['delivered', 1, 'ok'],
    ]);
    const before = phones.told.length;
    phones.answer = async () => ({ kind: 'delivered', detail: 'ok' });
    await clock.advance(10 * MINUTE);
    const late = phones.told.slice(before).filter(({ channel }) => channel === 'phone');
    expect(late.filter(({ message }) => message.kind === 'escalation.called')).toHaveLength(1);
  });
});

describe('an acknowledgement', () => {
  it('ends the calls, each with its reason in the journal, and is no failure', async () => {
    const { clock, calls, engine } = await fallen();
    await clock.advance(6 * MINUTE);
    await engine.commands.acknowledge('w_1', BY);
    await clock.advance(28 * MINUTE);
    expect(calls()).toEqual(['5 phone']);
    expect((await ends(engine)).slice(0, 4)).toEqual([
      ['delivered', 1, 'ok'],
      ['gave_up', 0, 'acknowledged'],
      ['gave_up', 0, 'acknowledged'],
      ['gave_up', 0, 'acknowledged'],
    ]);
    expect(engine.attempts.filter(([, , gaveUp]) => gaveUp !== null)).toEqual([]);
  });

  it('that lapses without a confirmation begins the calls again', async () => {
    const { clock, calls, engine, phones } = await fallen({ over: { verify } });
    await clock.advance(6 * MINUTE);
    await engine.commands.acknowledge('w_1', BY);
    await clock.advance(120 * MINUTE);
    expect(calls()).toEqual([
      '5 phone',
      ...['36 phone', '46 phone', '46 boss', '51 phone', '61 phone', '61 boss'],
    ]);
    expect(phones.of('phone', 'escalation.called')[1]?.message.headline).toBe(
      'CALL 1 of 4, still open, ann took it at 00:07 UTC: shop 2.0.0 (production) was STOPPED',
    );
  });

  it('again, also of the same person, counts from then on; a repeated request does not', async () => {
    const { clock, calls, engine } = await fallen({ over: { verify } });
    await engine.commands.acknowledge('w_1', BY);
    await engine.commands.acknowledge('w_1', BY);
    await clock.advance(20 * MINUTE);
    await engine.commands.acknowledge('w_1', BY);
    expect(
      (await engine.types('w_1')).filter((type) => type === 'watch.acknowledged'),
    ).toHaveLength(2);
    await clock.advance(31 * MINUTE);
    expect(calls()).toEqual(['50 phone']);
  });

  it('is the last word where the policy has nothing to confirm', async () => {
    const { clock, calls, engine } = await fallen();
    await engine.commands.acknowledge('w_1', BY);
    await clock.advance(120 * MINUTE);
    expect(calls()).toEqual([]);
    expect((await engine.commands.watch('w_1')).acknowledgedBy).toBe('ann');
  });

  it('from before the stop does not silence it', async () => {
    const oncall = anOncall();
    oncall.engine.start();
    await oncall.engine.watch();
    await oncall.engine.commands.acknowledge('w_1', BY);
    await oncall.clock.advance(MINUTE - 1_000);
    oncall.engine.world.readings = { fill_rate: share(0.5) };
    await oncall.clock.advance(8 * MINUTE);
    expect(oncall.calls()).toEqual(['5 phone']);
  });
});

describe('what needs no person', () => {
  it('a rollback that is confirmed ends the calls', async () => {
    const { clock, calls, engine } = await fallen({ over: { verify } });
    await clock.advance(6 * MINUTE);
    engine.world.readings = { fill_rate: share(0.97) };
    await clock.advance(60 * MINUTE);
    expect(await engine.types('w_1')).toContain('rollback.confirmed');
    expect(calls()).toEqual(['5 phone']);
    expect((await ends(engine)).at(-1)).toEqual(['gave_up', 0, 'resolved']);
  });

  it('what fails after the confirmation begins calls anew, and does not wake the old ones', async () => {
    const actions = [anAction({ name: 'disarm', attempts: 30 }), anAction()];
    const { clock, calls, engine } = await fallen({ over: { verify, actions }, disarm: retryable });
    engine.world.readings = { fill_rate: share(0.97) };
    await clock.advance(3 * MINUTE);
    expect(await engine.types('w_1')).toContain('rollback.confirmed');
    engine.world.action = async () => ({ kind: 'refused', reason: 'client_error', detail: 'no' });
    await clock.advance(120 * MINUTE);
    expect((await engine.types('w_1')).at(-1)).toBe('action.gave_up');
    expect(calls()).toHaveLength(WHOLE_CHAIN.length);
    const resolved = ['gave_up', 0, 'resolved'];
    expect((await ends(engine)).slice(0, 4)).toEqual([resolved, resolved, resolved, resolved]);
  });

  it('a rollback that is not confirmed begins no second chain beside the first', async () => {
    const { clock, calls, engine } = await fallen({ over: { verify } });
    await clock.advance(60 * MINUTE);
    expect(await engine.types('w_1')).toContain('rollback.not_confirmed');
    expect(calls()).toEqual(WHOLE_CHAIN);
  });

  it('a watch that only observes calls nobody', async () => {
    const { clock, calls } = await fallen({ over: { mode: 'observe' } });
    await clock.advance(60 * MINUTE);
    expect(calls()).toEqual([]);
  });

  it('who stopped it is awake: called is when the rollback fails', async () => {
    const { engine, clock, calls } = anOncall();
    engine.start();
    await engine.watch();
    await clock.advance(MINUTE);
    engine.world.action = async () => ({ kind: 'refused', reason: 'client_error', detail: 'no' });
    await engine.commands.stop('w_1', BY);
    await clock.advance(10 * MINUTE);
    expect(calls()).toEqual(['5 phone']);
  });

  it('and a human stop whose actions work is not called', async () => {
    const { engine, clock, calls } = anOncall();
    engine.start();
    await engine.watch();
    await engine.commands.stop('w_1', BY);
    await clock.advance(60 * MINUTE);
    expect(calls()).toEqual([]);
  });
});
