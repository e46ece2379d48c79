// What canaryd does when the world around it breaks: receivers, Slack, the service's /metrics and
// its health endpoint. Several services beside each other in one daemon; what breaks Slack has a
// daemon of its own.
import { afterAll, beforeAll, describe, it } from 'vitest';
import {
  DISARM,
  keysOf,
  onStop,
  type Place,
  type PlaceSetup,
  ROLLBACK,
  startWorld,
  type World,
} from '../support/aurora-world.ts';

/** A hanging disarm endpoint; far longer than the rollback may wait for it. */
const DISARM_TIMEOUT_MS = 20_000;
const PLACES: Readonly<Record<string, PlaceSetup>> = {
  'rollback-500': {},
  'rollback-400': {},
  'rollback-hangs': {
    policy: ({ receiver }) => ({ on_stop: onStop(receiver, { rollback: { timeout: '2s' } }) }),
  },
  'disarm-hangs': {
    policy: ({ receiver }) => ({
      on_stop: onStop(receiver, { disarm: { timeout: `${DISARM_TIMEOUT_MS}ms`, attempts: 1 } }),
    }),
  },
  'disarm-404': {},
  'rollback-without-effect': {
    policy: ({ receiver }) => ({ on_stop: onStop(receiver, { verify: { within: '4s' } }) }),
    onRollback: () => undefined,
  },
  'metrics-down': {},
  'metrics-down-at-the-end': { policy: passesAfter6s },
  'health-hangs': {},
};

describe.concurrent('a broken world', { timeout: 60_000 }, () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld(PLACES);
  });
  afterAll(() => world?.close());

  /** A deploy that goes bad at once. */
  async function goesBad(service: string): Promise<string> {
    const id = await world.armed(service);
    world.place(service).aurora.fault('positions');
    await world.event(id, 'watch.stopped');
    return id;
  }

  it('rollback answered with 500 for a while: repeated under one key until it is accepted', async ({
    expect,
  }) => {
    const { receiver } = world.place('rollback-500');
    for (const _ of [1, 2, 3]) receiver.path(ROLLBACK).once.respond(500, {}, 'deployer restarts');
    const id = await goesBad('rollback-500');
    await world.verified(id, 'confirmed');
    expect(keysOf(receiver.requests, ROLLBACK)).toEqual([`${id}-rollback`]);
    expect(await world.event(id, 'action.accepted')).toMatchObject({ attempts: 4 });
    expect(await world.event(id, 'action.delayed')).toMatchObject({
      attempts: 3,
      detail: 'HTTP 500: deployer restarts',
    });
    await expect
      .poll(() => world.told('rollback-500', 'FAILS so far: 3 attempts'), { timeout: 15_000 })
      .toHaveLength(1);
  });

  it('rollback answered with 400: refused at once, on-call does it by hand', async ({ expect }) => {
    const { receiver } = world.place('rollback-400');
    receiver.path(ROLLBACK).respond(400, {}, 'unknown service');
    const id = await goesBad('rollback-400');
    expect(await world.event(id, 'action.gave_up')).toMatchObject({
      action: 'rollback',
      attempts: 1,
      reason: 'client_error',
    });
    const told = () => world.told('rollback-400', 'ROLLBACK NOT CONFIRMED');
    await expect.poll(told, { timeout: 15_000 }).toHaveLength(1);
    expect(told()[0]?.text).toContain('the rollback was not accepted: HTTP 400: unknown service');
    expect(await severities(world, id, 'rollback.not_confirmed')).toEqual(['critical']);
    expect(receiver.requests.filter(({ path }) => path === ROLLBACK)).toHaveLength(1);
    expect(await world.canaryd.watch(id)).toMatchObject({
      active: false,
      verification: 'not_confirmed',
    });
  });

  it('rollback that hangs: it may have arrived, so it is repeated under the same key', async ({
    expect,
  }) => {
    const { receiver } = world.place('rollback-hangs');
    receiver.path(ROLLBACK).once.acceptThenHang();
    const id = await goesBad('rollback-hangs');
    await world.verified(id, 'confirmed');
    const rollbacks = receiver.requests.filter(({ path }) => path === ROLLBACK);
    expect(rollbacks.map(({ id: key }) => key)).toEqual([`${id}-rollback`, `${id}-rollback`]);
  });

  it('disarm that hangs: the rollback waits a few seconds for it, not longer', async ({
    expect,
  }) => {
    const { receiver } = world.place('disarm-hangs');
    receiver.path(DISARM).hang();
    const id = await goesBad('disarm-hangs');
    await world.verified(id, 'confirmed');
    const events = await world.events(id);
    const stoppedAt = events.find(({ type }) => type === 'watch.stopped')?.at_ms ?? 0;
    const accepted = events.filter(({ type }) => type === 'action.accepted');
    expect(accepted).toMatchObject([{ action: 'rollback' }]);
    // Bounds, not timings: the wait is 3 s, the disarm's own time limit far beyond.
    expect(accepted[0]?.at_ms).toBeGreaterThanOrEqual(stoppedAt + 3_000);
    expect(accepted[0]?.at_ms).toBeLessThan(stoppedAt + DISARM_TIMEOUT_MS / 2);
    expect(await world.event(id, 'action.gave_up', 30_000)).toMatchObject({
      action: 'disarm',
      reason: 'attempts_exhausted',
    });
    expect((await world.canaryd.watch(id)).verification).toBe('confirmed');
  });

  it('disarm answered with 404: told, and the rollback goes out at once', async ({ expect }) => {
    const { receiver } = world.place('disarm-404');
    receiver.path(DISARM).respond(404);
    const id = await goesBad('disarm-404');
    await world.verified(id, 'confirmed');
    expect(receiver.requests.map(({ path }) => path)).toEqual([DISARM, ROLLBACK]);
    await expect
      .poll(() => world.told('disarm-404', 'disarm of disarm-404 2.1.0 (production) NOT DONE'), {
        timeout: 15_000,
      })
      .toHaveLength(1);
    expect(await severities(world, id, 'action.gave_up')).toEqual(['critical']);
  });

  it('rollback accepted without effect: the loudest alert, with what is still wrong', async ({
    expect,
  }) => {
    const id = await goesBad('rollback-without-effect');
    await world.verified(id, 'not_confirmed');
    const told = () => world.told('rollback-without-effect', 'ROLLBACK NOT CONFIRMED');
    await expect.poll(told, { timeout: 15_000 }).toHaveLength(1);
    expect(told()[0]?.text).toMatch(/Open positions 15, .*at most 12/);
    expect(told()[0]?.text).toMatch(/Running version failing.* version is "2\.1\.0"/);
    expect(told()[0]?.text).toContain('by hand');
    expect(await severities(world, id, 'rollback.not_confirmed')).toEqual(['critical']);
    expect((await world.canaryd.watch(id)).active).toBe(false);
  });

  it('/metrics gone for a while: told with the cause, told when it is back, nothing stopped', async ({
    expect,
  }) => {
    const { gate, aurora, receiver } = world.place('metrics-down');
    const id = await world.armed('metrics-down');
    gate.down();
    const { conditions } = await world.event(id, 'conditions.blinded');
    expect(conditions).toMatchObject([
      { indicator: 'open_positions', reason: 'unreachable' },
      { indicator: 'realized_loss', reason: 'unreachable' },
    ]);
    gate.up();
    await world.event(id, 'conditions.sighted');
    const messages = await world.messages(id);
    expect(messages.filter((one) => one.startsWith('BLIND'))).toHaveLength(1);
    expect(messages.filter((one) => one.startsWith('Seen again'))).toHaveLength(1);
    expect((await world.canaryd.watch(id)).phase).toBe('watching');
    expect(receiver.requests).toEqual([]);
    // Blindness did not make it blind for good.
    aurora.fault('positions');
    await world.verified(id, 'confirmed');
  });

  it('/metrics gone until the end of the last window: inconclusive, never passed', async ({
    expect,
  }) => {
    const id = await world.armed('metrics-down-at-the-end');
    world.place('metrics-down-at-the-end').gate.down();
    const ended = await world.event(id, 'watch.inconclusive', 30_000);
    expect(String(ended['because'])).toMatch(/open_positions is blind: unreachable/);
    expect(world.place('metrics-down-at-the-end').receiver.requests).toEqual([]);
  });

  it('health endpoint that hangs: another condition stops without waiting for it', async ({
    expect,
  }) => {
    const { aurora } = world.place('health-hangs');
    const id = await world.armed('health-hangs');
    aurora.fault('health_hang');
    await expect
      .poll(async () => await readingOf(world, id, 'health'), { timeout: 10_000 })
      .toBe(0);
    const before = (await world.events(id)).length;
    aurora.fault('loss');
    const stop = await world.event(id, 'watch.stopped');
    expect(before).toBe(stop.seq - 1);
    expect(stop['conditions']).toMatchObject([{ indicator: 'realized_loss', samples: 1 }]);
    await world.verified(id, 'confirmed');
  });
});

describe.concurrent('a broken Slack', { timeout: 60_000 }, () => {
  it('down during the stop: actions do not wait, messages come later, critical ones first', async ({
    expect,
    onTestFinished,
  }) => {
    const world = await startWorld({ aurora: {} });
    onTestFinished(() => world.close());
    const { slack } = world;
    slack.down();
    const id = await world.armed('aurora');
    world.place('aurora').aurora.fault('positions');
    await world.verified(id, 'confirmed');
    expect(slack.messages).toEqual([]);
    const { at_ms } = await world.event(id, 'watch.stopped');
    const [disarm] = world.place('aurora').receiver.requests;
    expect(disarm?.atMs).toBeLessThan(at_ms + 3_000);
    slack.up();
    await expect.poll(() => world.told('aurora', 'CONFIRMED'), { timeout: 40_000 }).toHaveLength(1);
    expect(slack.messages.map(({ notification }) => kindOf(notification))).toEqual([
      'STOPPED',
      'Watching',
      'Armed:',
      'disarm',
      'rollback',
      'rollback',
    ]);
  });

  it('429 with Retry-After: waits as long as asked, then everything arrives once', async ({
    expect,
    onTestFinished,
  }) => {
    const world = await startWorld({ aurora: {} });
    onTestFinished(() => world.close());
    const { slack } = world;
    slack.respondOnce(429, 'rate_limited', { 'retry-after': '4' });
    const id = await world.armed('aurora');
    await expect.poll(() => slack.answers, { timeout: 10_000 }).toHaveLength(1);
    const askedAtMs = slack.answers[0]?.atMs ?? Number.NaN;
    world.place('aurora').aurora.fault('positions');
    await expect.poll(() => world.told('aurora', 'CONFIRMED'), { timeout: 30_000 }).toHaveLength(1);
    expect(slack.answers.filter(({ status }) => status === 429)).toHaveLength(1);
    expect(slack.messages[0]?.atMs).toBeGreaterThanOrEqual(askedAtMs + 4_000);
    expect(new Set(slack.messages.map(({ text }) => text)).size).toBe(slack.messages.length);
    expect(world.told('aurora', 'STOPPED')).toHaveLength(1);
    await world.verified(id, 'confirmed');
  });

  it('takes messages without an answer: the repetition says that it may be one', async ({
    expect,
    onTestFinished,
  }) => {
    const world = await startWorld({ aurora: {} }, { slack: { webhook: '$SLACK', timeout: '1s' } });
    onTestFinished(() => world.close());
    const id = await world.armed('aurora');
    await expect.poll(() => world.told('aurora', 'Armed'), { timeout: 10_000 }).toHaveLength(1);
    world.slack.hang({ accept: true });
    world.place('aurora').aurora.fault('positions');
    const told = () => world.told('aurora', 'STOPPED');
    await expect.poll(() => told().length, { timeout: 15_000 }).toBeGreaterThanOrEqual(2);
    world.slack.up();
    const [first, ...repeated] = told().map(({ text }) => text.includes('seen it before'));
    expect(first).toBe(false);
    expect(new Set(repeated)).toEqual(new Set([true]));
    await world.verified(id, 'confirmed');
  });

  it('blocks refused: the same message as plain text', async ({ expect, onTestFinished }) => {
    const world = await startWorld({ aurora: {} });
    onTestFinished(() => world.close());
    world.slack.refuseBlocks();
    const id = await world.armed('aurora');
    world.place('aurora').aurora.fault('positions');
    await expect
      .poll(() => world.told('aurora', 'STOPPED aurora 2.1.0'), { timeout: 15_000 })
      .toHaveLength(1);
    const [stop] = world.told('aurora', 'STOPPED');
    expect(stop?.hasBlocks).toBe(false);
    expect(stop?.text).toMatch(
      /Open positions 15, limit: above 120 % of expected_positions \(12\)/,
    );
    await world.verified(id, 'confirmed');
  });
});

/** Everything holds; the last window passes after a second without a gap. */
function passesAfter6s(_: Place) {
  const stop = {
    open_positions: { above: '120%', of: 'expected_positions' },
    realized_loss: { above: 500 },
    health: { failing: 3 },
  };
  const pass = { open_positions: { at_most: 12 }, health: { passing: 1 } };
  return {
    windows: [
      { name: 'immediate', until: '6s', stop },
      { name: 'success', until: '12s', pass, for: '1s' },
    ],
  };
}

async function severities(world: World, id: string, kind: string): Promise<readonly string[]> {
  const deliveries = await world.deliveries(id);
  return deliveries.flatMap(({ content: { message } }) =>
    message?.kind === kind ? [message.severity] : [],
  );
}

async function readingOf(world: World, id: string, indicator: string) {
  const { body } = await world.canaryd.get(`/v1/watches/${id}`);
  const conditions = body['conditions'] as readonly { indicator: string; value: number | null }[];
  return conditions.find((one) => one.indicator === indicator)?.value;
}

/** "🔴 STOPPED aurora 2.1.0 …" → "STOPPED". */
function kindOf(notification: string): string {
  return /[A-Za-z]+:?/.exec(notification)?.[0] ?? '';
}
