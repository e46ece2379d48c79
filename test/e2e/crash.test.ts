// kill -9 and SIGTERM at the moments that matter, on a real process: what was decided is done
// under the same ids, and told once.
import { execFile } from 'node:child_process';
import { copyFileSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as elapsed } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';
import {
  aDeploy,
  DISARM,
  keysOf,
  NEW,
  onStop,
  type Place,
  ROLLBACK,
  startWorld,
  trapOn,
  type World,
} from '../support/aurora-world.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const SERVICE = 'aurora';
/** Between two samples no more than this counts as observed: 2.5 intervals of a second. */
const GAP_MS = 2_500;

describe.concurrent('canaryd, killed with kill -9', () => {
  it('between the decision and the rollback: the rollback goes out after the restart', {
    timeout: 60_000,
  }, async ({ expect, onTestFinished }) => {
    const trap = trapOn(DISARM);
    const world = await startWorld({ [SERVICE]: { onRequest: trap.onRequest } });
    onTestFinished(() => world.close());
    trap.arm(() => void process.kill(world.canaryd.pid, 'SIGKILL'));
    const id = await world.armed(SERVICE);
    world.place(SERVICE).aurora.fault('positions');
    await trap.sprung;
    await world.canaryd.kill9();
    const { receiver } = world.place(SERVICE);
    expect(keysOf(receiver.requests, ROLLBACK)).toEqual([]);

    await world.canaryd.start();
    await world.verified(id, 'confirmed');
    expect(keysOf(receiver.requests)).toEqual([`${id}-disarm`, `${id}-rollback`]);
    expect(typesOf(await world.events(id), 'watch.stopped')).toHaveLength(1);
    await expect.poll(() => world.told(SERVICE, 'CONFIRMED'), { timeout: 20_000 }).toHaveLength(1);
    expect(toldFirst(world, 'STOPPED aurora 2.1.0').length).toBeLessThanOrEqual(1);
    expect(world.told(SERVICE, 'STOPPED aurora 2.1.0').length).toBeGreaterThanOrEqual(1);
    expect(toldFirst(world, 'Watching aurora')).toHaveLength(1);
  });

  it('when the rollback arrives, before its answer is read: repeated under the same id', {
    timeout: 60_000,
  }, async ({ expect, onTestFinished }) => {
    const trap = trapOn(ROLLBACK);
    const world = await startWorld({ [SERVICE]: { onRequest: trap.onRequest } });
    onTestFinished(() => world.close());
    trap.arm(() => void process.kill(world.canaryd.pid, 'SIGKILL'));
    const id = await world.armed(SERVICE);
    world.place(SERVICE).aurora.fault('positions');
    await trap.sprung;
    await world.canaryd.kill9();
    await world.canaryd.start();
    await world.verified(id, 'confirmed');
    const { requests } = world.place(SERVICE).receiver;
    const rollbacks = requests.filter(({ path }) => path === ROLLBACK);
    expect(rollbacks.map(({ headers }) => headers['canaryd-attempt'])).toEqual(['1', '2']);
    expect(keysOf(rollbacks)).toEqual([`${id}-rollback`]);
    expect(rollbacks[0]?.body).toBe(rollbacks[1]?.body);
    expect(keysOf(requests, DISARM)).toEqual([`${id}-disarm`]);
    expect(await world.event(id, 'action.accepted')).toMatchObject({
      action: 'rollback',
      attempts: 2,
    });
    await expect.poll(() => world.told(SERVICE, 'CONFIRMED'), { timeout: 20_000 }).toHaveLength(1);
    expect(toldFirst(world, 'STOPPED aurora 2.1.0').length).toBeLessThanOrEqual(1);
  });

  it('while a condition is pending: its time goes on, without the time nobody looked', {
    timeout: 60_000,
  }, async ({ expect, onTestFinished }) => {
    const world = await startWorld({ [SERVICE]: { policy: pendingFor8s } });
    onTestFinished(() => world.close());
    const id = await world.armed(SERVICE);
    world.place(SERVICE).aurora.fault('positions');
    await expect
      .poll(async () => (await breaches(world, id)).length, { timeout: 10_000 })
      .toBeGreaterThanOrEqual(4);
    await world.canaryd.kill9();
    const killedAtMs = Date.now();
    const awayMs = 4_000;
    await elapsed(awayMs);
    await world.canaryd.start();

    const stop = await world.event(id, 'watch.stopped');
    const [evidence] = stop['conditions'] as readonly { since_ms: number }[];
    const sinceMs = evidence?.since_ms ?? 0;
    expect(sinceMs).toBeLessThan(killedAtMs);
    expect(stop.at_ms - sinceMs).toBeGreaterThanOrEqual(8_000 + awayMs - GAP_MS);
    expect(observedMs(await breaches(world, id))).toBeGreaterThanOrEqual(8_000);
    // Away for less than 15 s: not worth a message.
    const events = await world.events(id);
    expect(typesOf(events, 'watch.resumed')).toEqual([]);
    expect(typesOf(events, 'watch.started')).toHaveLength(1);
    expect(typesOf(events, 'watch.armed')).toHaveLength(1);
    await world.verified(id, 'confirmed');
    await expect.poll(() => world.told(SERVICE, 'CONFIRMED'), { timeout: 20_000 }).toHaveLength(1);
    expect(toldFirst(world, 'Watching aurora')).toHaveLength(1);
    expect(toldFirst(world, 'Armed: 3 of 3')).toHaveLength(1);
  });

  it('for longer: on-call hears how long nobody looked, and the watch goes on', {
    timeout: 60_000,
  }, async ({ expect, onTestFinished }) => {
    const world = await startWorld({ [SERVICE]: {} });
    onTestFinished(() => world.close());
    const id = await world.armed(SERVICE);
    await expect.poll(() => world.told(SERVICE, 'Armed'), { timeout: 10_000 }).toHaveLength(1);
    await world.canaryd.kill9();
    await elapsed(16_000);
    await world.canaryd.start();
    const { away_ms } = await world.event(id, 'watch.resumed');
    expect(away_ms).toBeGreaterThanOrEqual(16_000);
    await expect
      .poll(() => world.told(SERVICE, 'canaryd was away for'), { timeout: 10_000 })
      .toHaveLength(1);
    world.place(SERVICE).aurora.fault('loss');
    await world.verified(id, 'confirmed');
    expect(typesOf(await world.events(id), 'watch.resumed')).toHaveLength(1);
    expect(world.told(SERVICE, 'Watching aurora')).toHaveLength(1);
    expect(world.told(SERVICE, 'Armed')).toHaveLength(1);
  });
});

describe.concurrent('canaryd, started after the deploy', () => {
  it('takes nothing that it sees for the time before: a bad deploy is stopped', {
    timeout: 40_000,
  }, async ({ expect, onTestFinished }) => {
    const world = await startWorld({
      [SERVICE]: {
        before(aurora) {
          aurora.deploy(NEW);
          aurora.fault('positions');
        },
      },
    });
    onTestFinished(() => world.close());
    const deployed_at = new Date(Date.now() - 60_000).toISOString();
    const { body } = await world.canaryd.post('/v1/watches', aDeploy(SERVICE, { deployed_at }));
    const id = String(body['id']);
    const stop = await world.event(id, 'watch.stopped');
    expect(stop['conditions']).toMatchObject([{ value: 15, pre_existing: false }]);
    expect(await world.event(id, 'watch.baselined')).toMatchObject({ values: {} });
    await world.verified(id, 'confirmed');
  });
});

describe.concurrent('canaryd, frozen', () => {
  it('with its machine: says how long nobody looked, without a restart', {
    timeout: 60_000,
  }, async ({ expect, onTestFinished }) => {
    const world = await startWorld({ [SERVICE]: {} });
    onTestFinished(() => world.close());
    const id = await world.armed(SERVICE);
    process.kill(world.canaryd.pid, 'SIGSTOP');
    await elapsed(16_000);
    process.kill(world.canaryd.pid, 'SIGCONT');
    const { away_ms } = await world.event(id, 'watch.resumed');
    expect(away_ms).toBeGreaterThanOrEqual(15_000);
    world.place(SERVICE).aurora.fault('loss');
    await world.verified(id, 'confirmed');
    expect(typesOf(await world.events(id), 'watch.resumed')).toHaveLength(1);
  });
});

describe.concurrent('canaryd, ended with SIGTERM', () => {
  it('in the middle of a tick: what was cut short is no observation', {
    timeout: 40_000,
  }, async ({ expect, onTestFinished }) => {
    const world = await startWorld({ [SERVICE]: {} });
    onTestFinished(() => world.close());
    const id = await world.armed(SERVICE);
    const { gate } = world.place(SERVICE);
    // From the first one that got no answer on, there is always a tick under way.
    gate.hang();
    await world.event(id, 'conditions.blinded');
    expect(await world.canaryd.end()).toBe(0);
    gate.up();
    await world.canaryd.start();
    const { body } = await world.canaryd.get(`/v1/watches/${id}/samples`);
    expect(JSON.stringify(body)).toContain('"health"');
    expect(JSON.stringify(body)).not.toMatch(/the tick ended before|cut short by canaryd/);
  });

  it('while a slow receiver answers: waits for the answer, and does not send it again', {
    timeout: 60_000,
  }, async ({ expect, onTestFinished }) => {
    const trap = trapOn(ROLLBACK, 2_000);
    const world = await startWorld({ [SERVICE]: { onRequest: trap.onRequest } });
    onTestFinished(() => world.close());
    const ended = new Promise<number | null>((resolve) => {
      trap.arm(() => void world.canaryd.end().then(resolve));
    });
    const id = await world.armed(SERVICE);
    world.place(SERVICE).aurora.fault('positions');
    expect(await ended).toBe(0);
    await world.canaryd.start();
    await world.verified(id, 'confirmed');
    const { requests } = world.place(SERVICE).receiver;
    expect(requests.map(({ path }) => path)).toEqual([DISARM, ROLLBACK]);
  });

  it('while a receiver hangs: ends all the same, and repeats under the same id', {
    timeout: 60_000,
  }, async ({ expect, onTestFinished }) => {
    const trap = trapOn(ROLLBACK);
    const world = await startWorld({
      [SERVICE]: {
        policy: ({ receiver }) => ({ on_stop: onStop(receiver, { rollback: { timeout: '60s' } }) }),
        onRequest: trap.onRequest,
      },
    });
    onTestFinished(() => world.close());
    const { receiver } = world.place(SERVICE);
    receiver.path(ROLLBACK).once.hang();
    const ended = new Promise<number | null>((resolve) => {
      trap.arm(() => void world.canaryd.end().then(resolve));
    });
    const id = await world.armed(SERVICE);
    world.place(SERVICE).aurora.fault('positions');
    expect(await ended).toBe(0);
    await world.canaryd.start();
    await world.verified(id, 'confirmed');
    const rollbacks = receiver.requests.filter(({ path }) => path === ROLLBACK);
    expect(rollbacks.map(({ id: key }) => key)).toEqual([`${id}-rollback`, `${id}-rollback`]);
  });
});

describe.concurrent('the journal of canaryd', () => {
  it('belongs to one daemon: a second one is refused, and the first goes on', {
    timeout: 40_000,
  }, async ({ expect, onTestFinished }) => {
    const world = await startWorld({ [SERVICE]: {} });
    onTestFinished(() => world.close());
    const id = await world.armed(SERVICE);
    const second = await serve(world.canaryd.folder);
    expect(second.code).toBe(2);
    expect(second.said).toMatch(/another canaryd is using it\. Stop that one first/);
    world.place(SERVICE).aurora.fault('positions');
    await world.verified(id, 'confirmed');
    expect(keysOf(world.place(SERVICE).receiver.requests)).toEqual([
      `${id}-disarm`,
      `${id}-rollback`,
    ]);
  });

  it('is left untouched when it is damaged, and the error says what to do', {
    timeout: 40_000,
  }, async ({ expect, onTestFinished }) => {
    const world = await startWorld({ [SERVICE]: {} });
    onTestFinished(() => world.close());
    const id = await world.armed(SERVICE);
    await world.canaryd.end();
    const path = join(world.canaryd.folder, 'canaryd.db');
    copyFileSync(path, `${path}.good`);
    truncateSync(path, 8_192);
    const cut = readFileSync(path);
    const refused = await serve(world.canaryd.folder);
    expect(refused.code).toBe(2);
    expect(refused.said).toMatch(/damaged .* left untouched\. Restore it from a backup/);
    expect(readFileSync(path).equals(cut)).toBe(true);
    // As the error advises.
    copyFileSync(`${path}.good`, path);
    await world.canaryd.start();
    expect((await world.canaryd.watch(id)).phase).toBe('watching');
  });
});

function pendingFor8s(_: Place) {
  const positions = { above: '120%', of: 'expected_positions', for: '8s' };
  const stop = { open_positions: positions, realized_loss: { above: 500 }, health: { failing: 3 } };
  // Away for longer than this, the timer would begin again.
  const blind = { after: '30s' };
  return { blind, windows: [{ name: 'immediate', until: '15m', stop }] };
}

/** Times of the samples that breached, oldest first. */
async function breaches({ canaryd }: World, id: string): Promise<readonly number[]> {
  const { body } = await canaryd.get(`/v1/watches/${id}/samples`);
  const samples = body['samples'] as readonly {
    at_ms: number;
    readings: Record<string, { value?: number }>;
  }[];
  return samples
    .filter(({ readings }) => (readings['open_positions']?.value ?? 0) > 12)
    .map(({ at_ms }) => at_ms);
}

/** The time between the samples, as far as somebody looked. */
function observedMs(times: readonly number[]): number {
  return times
    .map((atMs, index) => atMs - (times[index - 1] ?? atMs))
    .reduce((sum, ms) => sum + Math.min(ms, GAP_MS), 0);
}

function typesOf(events: readonly { readonly type: string }[], type: string) {
  return events.filter((event) => event.type === type);
}

/** Messages that do not say that they may be a repetition. */
function toldFirst(world: World, text: string) {
  return world.told(SERVICE, text).filter((one) => !one.text.includes('restarted while sending'));
}

/** A further `canaryd serve` on the files of another; it is expected to end by itself. */
function serve(folder: string): Promise<{ readonly code: unknown; readonly said: string }> {
  const args = [MAIN, 'serve', '--config', join(folder, 'canaryd.yaml')];
  const env = { PATH: process.env['PATH'], SLACK: 'http://127.0.0.1:9/none', SECRET: 'another' };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env, timeout: 20_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), said: stdout + stderr });
    });
  });
}
