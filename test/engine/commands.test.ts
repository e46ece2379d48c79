// Commands on a real journal: what they write, and every refusal with its code.
import { describe, expect, it, vi } from 'vitest';
import { anAction, aPolicy, T0 } from '../support/build.ts';
import { anEngine, type Engine, type EngineOptions } from '../support/engine.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const BY = { by: 'ann', reason: 'test' };
const PARAMETERS = {
  capital: { type: 'number', above: 0, atLeast: null, unit: 'usd', default: null },
} as const;

/** A watch of the shop, w_1. */
async function watched(options: EngineOptions = {}): Promise<Engine> {
  const engine = anEngine(options);
  await engine.watch();
  return engine;
}

describe('start', () => {
  it('opens a watch with the defaults of its policy, and tells who works on it', async () => {
    const engine = anEngine({ publicUrl: 'https://canaryd.example' });
    const keeper = vi.spyOn(engine.keeper, 'poke');
    const dispatcher = vi.spyOn(engine.dispatcher, 'poke');
    const command = { service: 'shop', version: '2.0.0', parameters: {} };
    const { watch, created } = await engine.commands.start(command);
    expect(created).toBe(true);
    expect(watch).toMatchObject({
      id: 'w_1',
      environment: 'production',
      version: '2.0.0',
      previousVersion: null,
      policy: 'shop',
      policyHash: 'hash of shop',
      mode: 'act',
      phase: 'watching',
      active: true,
      deployedAt: '2026-01-01T00:00:00.000Z',
      url: 'https://canaryd.example/watches/w_1',
    });
    expect(keeper).toHaveBeenCalledOnce();
    expect(dispatcher).toHaveBeenCalled();
  });

  it('is the same watch when the same deploy is started again', async () => {
    const engine = await watched();
    await engine.clock.advance(MINUTE);
    const command = { service: 'shop', version: '2.0.0', parameters: {} };
    expect(await engine.commands.start(command)).toMatchObject({
      created: false,
      watch: { id: 'w_1' },
    });
  });

  it('is the same watch when two start it at once', async () => {
    const engine = anEngine();
    const command = { service: 'shop', version: '2.0.0', parameters: {} };
    const both = await Promise.all([
      engine.commands.start(command),
      engine.commands.start(command),
    ]);
    expect(both.map(({ created }) => created).toSorted()).toEqual([false, true]);
    expect(new Set(both.map(({ watch }) => watch.id)).size).toBe(1);
  });

  it('refuses the same deploy with other parameters', async () => {
    const engine = anEngine({ policies: [aPolicy({ parameters: PARAMETERS })] });
    await engine.watch({ parameters: { capital: 100 } });
    await expect(engine.watch({ parameters: { capital: 200 } })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('other parameters'),
    });
  });

  it('ends the watch of an earlier deploy', async () => {
    const engine = await watched();
    await engine.clock.advance(MINUTE);
    await engine.watch({ version: '3.0.0' });
    expect((await engine.events('w_1')).at(-1)).toMatchObject({
      type: 'watch.superseded',
      byWatch: 'w_2',
      version: '3.0.0',
    });
  });

  it('refuses a deploy that is older than one it knows', async () => {
    const engine = await watched();
    const older = engine.watch({ version: '1.0.0', deployedAtMs: T0 - MINUTE });
    await expect(older).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('watch w_1 is of a later deploy'),
    });
  });

  it('watches each environment on its own', async () => {
    const engine = await watched();
    await engine.watch({ environment: 'staging' });
    expect(await engine.types('w_1')).toEqual(['watch.started']);
    expect((await engine.commands.watches({ limit: 9 })).map(({ id }) => id)).toEqual([
      'w_2',
      'w_1',
    ]);
  });

  it.each([
    [1 * MINUTE, T0],
    [-5 * MINUTE, T0 - 5 * MINUTE],
  ])('takes a deploy time %d ms from now, and none in the future', async (fromNowMs, expected) => {
    const engine = anEngine();
    await engine.watch({ deployedAtMs: T0 + fromNowMs });
    const [started] = await engine.events('w_1');
    expect(started).toMatchObject({ deploy: { deployedAtMs: expected } });
  });

  it.each([
    [MINUTE + 1, 'in the future'],
    [-DAY, "older than the policy's last window"],
  ])('refuses a deploy time %d ms from now', async (fromNowMs, text) => {
    const engine = anEngine();
    await expect(engine.watch({ deployedAtMs: T0 + fromNowMs })).rejects.toMatchObject({
      code: 'start_invalid',
      problems: [{ path: 'deployed_at', message: expect.stringContaining(text) }],
    });
    expect(await engine.journal.watch('w_1')).toBe(null);
  });

  it('tells of all that is wrong at once', async () => {
    const engine = anEngine({ policies: [aPolicy({ parameters: PARAMETERS })] });
    const start = engine.watch({ deployedAtMs: T0 + DAY, parameters: { capital: -1, other: 2 } });
    await expect(start).rejects.toMatchObject({ code: 'start_invalid' });
    const error = await start.catch((thrown: { problems: { path: string }[] }) => thrown);
    const paths = (error as { problems: { path: string }[] }).problems.map(({ path }) => path);
    expect(paths.join()).toContain('capital');
    expect(paths.join()).toContain('other');
    expect(paths).toContain('deployed_at');
  });

  it.each([
    [{ mode: 'act' }, 'act'],
    [{ mode: 'observe' }, 'observe'],
    [{}, 'act'],
  ] as const)('with %j acts as %s', async (over, mode) => {
    const engine = anEngine();
    await engine.watch(over);
    expect(await engine.commands.watch('w_1')).toMatchObject({ mode });
  });

  it('does not act for a policy that observes', async () => {
    const engine = anEngine({ policies: [aPolicy({ mode: 'observe' })] });
    await expect(engine.watch({ mode: 'act' })).rejects.toMatchObject({
      code: 'start_invalid',
      problems: [{ path: 'mode' }],
    });
    await engine.watch();
    expect(await engine.commands.watch('w_1')).toMatchObject({ mode: 'observe' });
  });

  it('does not act without its secrets, and says which', async () => {
    const engine = anEngine({ commands: { missingSecrets: () => ['ROLLBACK_SECRET'] } });
    await expect(engine.watch()).rejects.toMatchObject({
      code: 'start_invalid',
      message: expect.stringContaining('ROLLBACK_SECRET'),
    });
    await engine.watch({ mode: 'observe' });
    expect(await engine.journal.watch('w_1')).not.toBe(null);
  });
});

describe('start, with an idempotency key', () => {
  it('gives the same answer again, also long after', async () => {
    const engine = anEngine();
    await engine.watch({ idempotencyKey: 'build-7' });
    await engine.commands.cancel('w_1', BY);
    await engine.clock.advance(MINUTE);
    expect(await engine.watch({ idempotencyKey: 'build-7' })).toBe('w_1');
    expect(await engine.watch({ idempotencyKey: 'build-8' })).not.toBe('w_1');
  });

  it.each([
    ['version', { version: '3.0.0' }],
    ['environment', { environment: 'staging' }],
  ])('refuses another %s under the same key', async (_, over) => {
    const engine = anEngine();
    await engine.watch({ idempotencyKey: 'build-7' });
    await expect(engine.watch({ idempotencyKey: 'build-7', ...over })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('use a new key'),
    });
  });
});

describe('the policy of a start', () => {
  const staging = aPolicy({ name: 'shop-staging', environment: 'staging' });
  const any = aPolicy();

  it.each([
    ['staging', 'shop-staging', 'staging'],
    ['production', 'shop', 'production'],
  ])('of %s is the one made for it, else the general one', async (environment, policy, there) => {
    const engine = anEngine({ policies: [any, staging] });
    await engine.watch({ environment });
    expect(await engine.commands.watch('w_1')).toMatchObject({ policy, environment: there });
  });

  it('gives its environment to a deploy that names none', async () => {
    const engine = anEngine({ policies: [staging] });
    await engine.watch();
    expect(await engine.commands.watch('w_1')).toMatchObject({ environment: 'staging' });
  });

  it('must be named when several fit', async () => {
    const engine = anEngine({ policies: [any, aPolicy({ name: 'strict' })] });
    await expect(engine.watch()).rejects.toMatchObject({
      code: 'start_invalid',
      message: expect.stringContaining('shop, strict'),
      problems: [{ path: 'policy' }],
    });
    await engine.watch({ policy: 'strict' });
    expect(await engine.commands.watch('w_1')).toMatchObject({ policy: 'strict' });
  });

  it.each([
    ['service', { service: 'shp' }],
    ['name', { policy: 'lax' }],
    ['environment', { environment: 'production' }],
  ])('that is not there (%s) is an error that lists what is', async (_, over) => {
    const engine = anEngine({ policies: [staging] });
    await expect(engine.watch(over)).rejects.toMatchObject({
      code: 'policy_not_found',
      message: expect.stringContaining('shop-staging (shop, staging)'),
    });
  });
});

describe('commands of humans', () => {
  it('stop disarms and rolls back', async () => {
    const engine = await watched();
    expect(await engine.commands.stop('w_1', BY)).toMatchObject({
      phase: 'stopped',
      active: false,
      reason: 'test',
    });
    expect((await engine.events('w_1')).at(-1)).toMatchObject({
      type: 'watch.stopped',
      cause: 'human',
      ...BY,
      actions: ['disarm', 'rollback'],
    });
    const pending = await engine.journal.pendingDeliveries(9, 'action');
    expect(pending.map(({ id }) => id)).toEqual(['w_1-disarm', 'w_1-rollback']);
  });

  it('stop is refused while hold fire is on, and says whose it is', async () => {
    const engine = await watched();
    await engine.commands.setHold({ by: 'bob', reason: 'storm' });
    await expect(engine.commands.stop('w_1', BY)).rejects.toMatchObject({
      code: 'hold_fire',
      message: expect.stringContaining('by bob (storm)'),
    });
    await engine.commands.release(BY);
    expect(await engine.commands.stop('w_1', BY)).toMatchObject({ phase: 'stopped' });
  });

  it('stop of a watch that observes is refused: "done" would be a lie', async () => {
    const engine = anEngine();
    await engine.watch({ mode: 'observe' });
    await expect(engine.commands.stop('w_1', BY)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('only observes, nothing would be sent'),
    });
    expect(await engine.commands.watch('w_1')).toMatchObject({ phase: 'watching' });
  });

  it('start under hold fire says so at once', async () => {
    const engine = anEngine();
    await engine.commands.setHold(BY);
    await engine.watch();
    expect(await engine.types('w_1')).toEqual(['watch.started', 'watch.held']);
  });

  it('start is refused when an action names the previous version and nobody knows it', async () => {
    const via = { kind: 'command', argv: ['deploy', '${previous_version}'], env: {} } as const;
    const engine = anEngine({ policies: [aPolicy({ actions: [anAction({ via })] })] });
    await expect(engine.watch()).rejects.toMatchObject({
      code: 'start_invalid',
      problems: [{ path: 'previous_version' }],
    });
    expect(await engine.watch({ mode: 'observe' })).toBe('w_1');
    expect(await engine.watch({ version: '3.0.0', previousVersion: '2.0.0' })).toBe('w_2');
  });

  it('cancel ends the watch without an action', async () => {
    const engine = await watched();
    expect(await engine.commands.cancel('w_1', BY)).toMatchObject({ phase: 'cancelled' });
    expect(await engine.journal.pendingDeliveries(9, 'action')).toEqual([]);
  });

  it('acknowledge is written once for each person, also after the end', async () => {
    const engine = await watched();
    await engine.commands.acknowledge('w_1', BY);
    await engine.commands.acknowledge('w_1', BY);
    await engine.commands.stop('w_1', BY);
    const bob = { by: 'bob', reason: 'mine' };
    expect(await engine.commands.acknowledge('w_1', bob)).toMatchObject({ acknowledgedBy: 'bob' });
    expect(await engine.types('w_1')).toEqual([
      'watch.started',
      'watch.acknowledged',
      'watch.stopped',
      'watch.acknowledged',
    ]);
  });

  it('extend moves the deadline, up to 31 days after the deploy', async () => {
    const engine = await watched();
    const view = await engine.commands.extend('w_1', { ...BY, byMs: 30 * DAY });
    expect(view.deadlineAt).toBe(new Date(T0 + 31 * DAY).toISOString());
    await expect(engine.commands.extend('w_1', { ...BY, byMs: 1 })).rejects.toMatchObject({
      code: 'start_invalid',
      problems: [{ path: 'by_duration' }],
    });
  });

  it.each(['stop', 'cancel', 'extend'] as const)(
    '%s of a closed watch is refused',
    async (verb) => {
      const engine = await watched();
      await engine.commands.cancel('w_1', BY);
      await expect(engine.commands[verb]('w_1', { ...BY, byMs: MINUTE })).rejects.toMatchObject({
        code: 'watch_closed',
        message: expect.stringContaining('w_1 has ended (cancelled)'),
      });
    },
  );

  it.each([
    ['watch', []],
    ['events', []],
    ['ticks', [0, 1, 1]],
    ['deliveries', []],
    ['stop', [BY]],
    ['cancel', [BY]],
    ['acknowledge', [BY]],
    ['extend', [{ ...BY, byMs: 1 }]],
  ] as const)('%s knows no watch that is not there', async (verb, args) => {
    const { commands } = anEngine();
    const call = commands[verb] as (id: string, ...rest: readonly unknown[]) => Promise<unknown>;
    await expect(call.call(commands, 'w_9', ...args)).rejects.toMatchObject({
      code: 'watch_not_found',
      message: "There is no watch 'w_9'",
    });
  });
});

describe('hold fire', () => {
  it('is told in the journal of each open watch, once for each switch', async () => {
    const engine = await watched();
    await engine.watch({ environment: 'staging' });
    await engine.watch({ environment: 'test' });
    await engine.commands.cancel('w_3', BY);
    const hold = await engine.commands.setHold(BY);
    expect(hold).toEqual({ ...BY, sinceMs: T0 });
    expect(await engine.commands.hold()).toEqual(hold);
    await engine.commands.release({ by: 'bob', reason: 'over' });
    await engine.commands.release({ by: 'bob', reason: 'again' });
    expect(await engine.commands.hold()).toBe(null);
    const story = ['watch.started', 'watch.held', 'watch.released'];
    expect(await engine.types('w_1')).toEqual(story);
    expect(await engine.types('w_2')).toEqual(story);
    expect(await engine.types('w_3')).toEqual(['watch.started', 'watch.cancelled']);
  });

  it('outlives canaryd', async () => {
    const engine = await watched();
    await engine.commands.setHold(BY);
    const second = anEngine({ journal: engine.journal, clock: engine.clock });
    expect(await second.commands.hold()).toMatchObject(BY);
  });
});
