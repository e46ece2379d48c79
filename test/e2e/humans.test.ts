// Humans outrank canaryd: what they and pipelines command, what it does then, and what it says.
// Several services beside each other in one daemon; the hold-fire switch has a daemon of its own.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  aDeploy,
  DISARM,
  keysOf,
  NEW,
  OLD,
  onStop,
  type PlaceSetup,
  ROLLBACK,
  startWorld,
  trapOn,
  type World,
} from '../support/aurora-world.ts';
import type { Answer } from '../support/daemon.ts';

const WHO = { by: 'alice', reason: 'wrong prices at the exchange' };
const scratch = mkdtempSync(join(tmpdir(), 'canaryd-command-'));
const MARK = join(scratch, 'mark');
/** The pipeline reports the old version before its rollback endpoint has answered. */
const reportsRollback = trapOn(ROLLBACK);
/** A fix is deployed while the rollback request is under way. */
const answersLate = trapOn(ROLLBACK);
const PLACES: Readonly<Record<string, PlaceSetup>> = {
  'stopped-by-hand': {},
  cancelled: {},
  'looked-after': { policy: () => ({ windows: WINDOW_OF_8S }) },
  'observing-policy': { policy: () => ({ mode: 'observe' }) },
  'observing-start': {},
  superseded: {},
  'given-up': {},
  'rolled-back': { onRequest: (request) => reportsRollback.onRequest(request) },
  'taken-on-late': { onRequest: (request) => answersLate.onRequest(request) },
  repeated: {},
  late: {},
  'bad-at-once': {},
  command: {
    policy: ({ receiver }) => {
      const command = [join(scratch, 'act.sh'), MARK, '${version}'];
      const [, , verify] = onStop(receiver);
      return { on_stop: [{ disarm: { command, timeout: '5s' } }, verify] };
    },
  },
};
const STOPS = { open_positions: { above: 12 }, realized_loss: { above: 500 } };
const WINDOW_OF_8S = [
  { name: 'immediate', until: '8s', stop: { ...STOPS, health: { failing: 3 } } },
];

describe.concurrent('people and pipelines', { timeout: 60_000 }, () => {
  let world: World;

  beforeAll(async () => {
    // Fails the first time, as a tool does that is not ready yet.
    const script = [
      '#!/bin/sh',
      'if [ ! -e "$1" ]; then : > "$1"; echo "not yet"; exit 3; fi',
      'echo "$2 $CANARYD_ACTION $CANARYD_DELIVERY_ID" >> "$1"; cat >> "$1"',
    ].join('\n');
    writeFileSync(join(scratch, 'act.sh'), script);
    chmodSync(join(scratch, 'act.sh'), 0o755);
    world = await startWorld(PLACES);
  });
  afterAll(async () => {
    await world?.close();
    rmSync(scratch, { recursive: true });
  });

  it('start late: the time that was not seen is said in Slack', async ({ expect }) => {
    const deployed_at = new Date(Date.now() - 90_000).toISOString();
    const id = await world.deploy('late', { deployed_at });
    await expect
      .poll(() => world.told('late', 'Watching late 2.1.0'), { timeout: 30_000 })
      .toHaveLength(1);
    expect(world.told('late')[0]?.text).toMatch(
      /The watch started 1m3\ds after the deploy: .* that time was not seen/,
    );
    expect((await world.event(id, 'watch.started'))['late_ms']).toBeGreaterThanOrEqual(90_000);
  });

  it('report a deploy that was bad from its first second: that is no old trouble', async ({
    expect,
  }) => {
    const { aurora } = world.place('bad-at-once');
    await expect
      .poll(() => world.place('bad-at-once').gate.requests(), { timeout: 10_000 })
      .toBeGreaterThan(1);
    aurora.deploy(NEW);
    aurora.fault('positions');
    const deployed_at = new Date().toISOString();
    await world.place('bad-at-once').gate.asked();
    const body = aDeploy('bad-at-once', { deployed_at });
    const { id } = (await world.canaryd.post('/v1/watches', body)).body;
    const stop = await world.event(String(id), 'watch.stopped');
    expect(stop['conditions']).toMatchObject([
      { indicator: 'open_positions', value: 15, pre_existing: false },
    ]);
    await world.verified(String(id), 'confirmed');
  });

  it('stop a watch by hand: who and why is in the journal, the webhook and Slack', async ({
    expect,
  }) => {
    const id = await world.armed('stopped-by-hand');
    const { status, body } = await world.canaryd.post(`/v1/watches/${id}/stop`, WHO);
    expect([status, body['phase']]).toEqual([200, 'stopped']);
    await world.verified(id, 'confirmed');
    const [disarm, rollback] = world.place('stopped-by-hand').receiver.requests;
    expect([disarm?.path, rollback?.path]).toEqual([DISARM, ROLLBACK]);
    expect(rollback?.json).toMatchObject({ data: { reason: WHO.reason, conditions: [] } });
    expect(await world.event(id, 'watch.stopped')).toMatchObject({ cause: 'human', ...WHO });
    await expect
      .poll(() => world.told('stopped-by-hand', `by ${WHO.by}: ${WHO.reason}`), {
        timeout: 15_000,
      })
      .toHaveLength(1);
    const again = await world.canaryd.post(`/v1/watches/${id}/stop`, WHO);
    expect(again).toMatchObject({ status: 409, body: { title: 'The watch is closed' } });
  });

  it('cancel a watch: nothing is sent, whatever happens then', async ({ expect }) => {
    const id = await world.armed('cancelled');
    await world.canaryd.post(`/v1/watches/${id}/cancel`, WHO);
    world.place('cancelled').aurora.fault('positions');
    expect(await world.canaryd.watch(id)).toMatchObject({ phase: 'cancelled', active: false });
    expect((await world.events(id)).at(-1)).toMatchObject({ type: 'watch.cancelled', ...WHO });
    // Another watch of the same daemon goes through its whole stop meanwhile.
    const other = await world.armed('observing-start', { mode: 'observe' });
    world.place('observing-start').aurora.fault('positions');
    await world.event(other, 'watch.stopped');
    expect(world.place('cancelled').receiver.requests).toEqual([]);
    expect((await world.events(id)).at(-1)?.type).toBe('watch.cancelled');
    expect(await world.event(other, 'watch.stopped')).toMatchObject({
      mode: 'observe',
      actions: [],
    });
    expect(world.place('observing-start').receiver.requests).toEqual([]);
    expect((await world.messages(other)).join('\n')).toContain(
      'Observe mode: nothing was sent. canaryd would have done: disarm, then rollback.',
    );
  });

  it('acknowledge and extend: the watch ends at the new time', async ({ expect }) => {
    const id = await world.armed('looked-after');
    const acked = await world.canaryd.post(`/v1/watches/${id}/ack`, WHO);
    expect(acked.body['acknowledged_by']).toBe('alice');
    const more = { ...WHO, by_duration: '6s' };
    const extended = await world.canaryd.post(`/v1/watches/${id}/extend`, more);
    const { body } = extended;
    const lasts = Date.parse(String(body['deadline_at'])) - Date.parse(String(body['deployed_at']));
    expect(lasts).toBe(14_000);
    const passed = await world.event(id, 'watch.passed', 25_000);
    expect(passed.at_ms).toBeGreaterThanOrEqual(Date.parse(String(body['deadline_at'])));
    expect(typesOf(await world.events(id))).toEqual(
      expect.arrayContaining(['watch.acknowledged', 'watch.extended']),
    );
  });

  it('let a policy observe: it says what it would have done', async ({ expect }) => {
    const refused = await world.canaryd.post(
      '/v1/watches',
      aDeploy('observing-policy', { mode: 'act' }),
    );
    expect(refused.status).toBe(422);
    const id = await world.armed('observing-policy');
    world.place('observing-policy').aurora.fault('loss');
    expect(await world.event(id, 'watch.stopped')).toMatchObject({ mode: 'observe', actions: [] });
    await expect
      .poll(() => world.told('observing-policy', 'WOULD STOP'), { timeout: 15_000 })
      .toHaveLength(1);
    expect(await world.canaryd.watch(id)).toMatchObject({
      phase: 'stopped',
      active: false,
      verification: 'none',
    });
    expect(world.place('observing-policy').receiver.requests).toEqual([]);
  });

  it('deploy again: the old watch is superseded and rolls nothing back', async ({ expect }) => {
    const id = await world.armed('superseded');
    const next = await world.armed('superseded', { version: '2.2.0', previous_version: NEW });
    world.place('superseded').aurora.fault('positions');
    await world.event(next, 'watch.stopped');
    expect((await world.events(id)).at(-1)).toMatchObject({
      type: 'watch.superseded',
      by_watch: next,
      version: '2.2.0',
    });
    await expect
      .poll(() => keysOf(world.place('superseded').receiver.requests), { timeout: 15_000 })
      .toEqual([`${next}-disarm`, `${next}-rollback`]);
  });

  it('deploy a fix while the rollback is not accepted: it is given up', async ({ expect }) => {
    const { receiver, aurora } = world.place('given-up');
    receiver.path(ROLLBACK).respond(503);
    const id = await world.armed('given-up');
    aurora.fault('positions');
    await expect
      .poll(() => keysOf(receiver.requests, ROLLBACK), { timeout: 15_000 })
      .toHaveLength(1);
    const fixed = await world.armed('given-up', { version: '2.1.1', previous_version: NEW });
    expect(await world.event(id, 'action.gave_up')).toMatchObject({
      action: 'rollback',
      reason: 'superseded',
    });
    receiver.path(ROLLBACK).accept();
    aurora.fault('loss');
    await world.event(fixed, 'action.accepted');
    const accepted = receiver.requests.filter((one) => one.accepted && one.path === ROLLBACK);
    await expect.poll(() => receiver.keys(ROLLBACK), { timeout: 15_000 }).toHaveLength(1);
    expect(receiver.keys(ROLLBACK)).toEqual([`${fixed}-rollback`]);
    expect(accepted.every(({ id: key }) => key === `${fixed}-rollback`)).toBe(true);
    expect(await world.canaryd.watch(id)).toMatchObject({
      active: false,
      verification: 'not_confirmed',
      actions: [{ state: 'accepted' }, { action: 'rollback', state: 'gave_up' }],
    });
  });

  it('deploy a fix while the rollback is being answered: told that it was taken on', async ({
    expect,
  }) => {
    answersLate.arm(async () => {
      await world.deploy('taken-on-late', { version: '2.1.1', previous_version: NEW });
    });
    const id = await world.armed('taken-on-late');
    world.place('taken-on-late').aurora.fault('positions');
    await answersLate.sprung;
    const late = async () => (await world.events(id)).at(-1);
    await expect.poll(late, { timeout: 15_000 }).toMatchObject({
      type: 'action.accepted',
      action: 'rollback',
      detail: expect.stringMatching(/after canaryd had given it up: check which version runs/),
    });
    expect(await world.event(id, 'action.gave_up')).toMatchObject({ reason: 'superseded' });
    expect((await world.canaryd.watch(id)).active).toBe(false);
  });

  it('report the rollback as the deploy it is: observed, and the proof goes on', async ({
    expect,
  }) => {
    const { receiver, aurora } = world.place('rolled-back');
    const reported = Promise.withResolvers<Answer>();
    reportsRollback.arm(async () => {
      aurora.deploy(OLD);
      const over = { version: OLD, previous_version: NEW };
      reported.resolve(await world.canaryd.post('/v1/watches', aDeploy('rolled-back', over)));
    });
    const id = await world.armed('rolled-back');
    aurora.fault('positions');
    const { status, body } = await reported.promise;
    expect(status).toBe(201);
    expect(body).toMatchObject({ mode: 'observe', rollback_of: id, phase: 'watching' });
    await world.verified(id, 'confirmed');
    // Not the old trouble, which this deploy found there.
    aurora.fault('loss');
    const second = String(body['id']);
    expect(await world.event(second, 'watch.stopped')).toMatchObject({
      mode: 'observe',
      actions: [],
    });
    expect(keysOf(receiver.requests)).toEqual([`${id}-disarm`, `${id}-rollback`]);
  });

  it('start the same deploy twice: one watch; another one under its key is refused', async ({
    expect,
  }) => {
    const key = { 'idempotency-key': 'pipeline-17' };
    const first = await world.canaryd.post('/v1/watches', aDeploy('repeated'), key);
    expect(first.status).toBe(201);
    const { id } = first.body;
    const repeated = await world.canaryd.post('/v1/watches', aDeploy('repeated'), key);
    expect(repeated).toMatchObject({ status: 200, body: { id } });
    const withoutKey = await world.canaryd.post('/v1/watches', aDeploy('repeated'));
    expect(withoutKey).toMatchObject({ status: 200, body: { id } });
    const other = aDeploy('repeated', { version: '2.2.0' });
    const refused = await world.canaryd.post('/v1/watches', other, key);
    expect(refused).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/Idempotency-Key was used for repeated 2\.1\.0/) },
    });
    const listed = await world.canaryd.get('/v1/watches?service=repeated');
    expect(listed.body['watches']).toHaveLength(1);
  });

  it('forget a parameter: refused, and the answer names it', async ({ expect }) => {
    const body = aDeploy('late', { parameters: {} });
    const refused = await world.canaryd.post('/v1/watches', body);
    expect(refused.status).toBe(422);
    expect(refused.body['errors']).toMatchObject([
      { path: expect.stringContaining('expected_positions') },
    ]);
  });

  it('disarm with a tool of their own: run again after it failed, with the same id', async ({
    expect,
  }) => {
    const id = await world.armed('command');
    world.place('command').aurora.fault('positions');
    const accepted = await world.event(id, 'action.accepted');
    expect(accepted).toMatchObject({ action: 'disarm', attempts: 2 });
    const [line, payload = ''] = readFileSync(MARK, 'utf8').split('\n');
    expect(line).toBe(`${NEW} disarm ${id}-disarm`);
    expect(JSON.parse(payload)).toMatchObject({ type: 'canaryd.disarm', data: { watch: id } });
    expect(world.place('command').receiver.requests).toEqual([]);
  });
});

describe('the hold-fire switch', { timeout: 60_000 }, () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ held: {}, pending: {} });
  });
  afterAll(() => world?.close());

  it('refuses a stop by hand, and lets a condition only say what it would have done', async () => {
    const { receiver, aurora } = world.place('held');
    const id = await world.armed('held');
    await world.canaryd.post('/v1/hold', { by: 'bob', reason: 'exchange maintenance' });
    const refused = await world.canaryd.post(`/v1/watches/${id}/stop`, WHO);
    expect(refused).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/by bob \(exchange maintenance\); release it first/) },
    });
    aurora.fault('positions');
    expect(await world.event(id, 'watch.stopped')).toMatchObject({ mode: 'hold', actions: [] });
    await expect
      .poll(() => world.told('held', 'WOULD STOP held 2.1.0'), { timeout: 15_000 })
      .toHaveLength(1);
    expect(world.told('held', 'WOULD STOP')[0]?.text).toContain(
      'The hold-fire switch is on: nothing was sent. canaryd would have done: disarm, then rollback.',
    );
    await release(world);
    expect(receiver.requests).toEqual([]);
    expect((await world.deliveries(id)).filter(({ content }) => content.kind === 'action')).toEqual(
      [],
    );
  });

  it('stays on over a restart', async () => {
    await world.canaryd.post('/v1/hold', { by: 'bob', reason: 'exchange maintenance' });
    await world.canaryd.kill9();
    await world.canaryd.start();
    const { body } = await world.canaryd.get('/v1/hold');
    expect(body).toMatchObject({ hold: { by: 'bob', reason: 'exchange maintenance' } });
    await release(world);
    expect((await world.canaryd.get('/v1/hold')).body).toEqual({ hold: null });
  });

  it('ends a rollback that was decided and is not accepted yet, and tells on-call', async () => {
    const { receiver, aurora } = world.place('pending');
    receiver.path(ROLLBACK).respond(503);
    const id = await world.armed('pending');
    aurora.fault('positions');
    await expect
      .poll(() => keysOf(receiver.requests, ROLLBACK), { timeout: 15_000 })
      .toHaveLength(1);
    await world.canaryd.post('/v1/hold', { by: 'bob', reason: 'we do it ourselves' });
    expect(await world.event(id, 'action.gave_up')).toMatchObject({
      action: 'rollback',
      reason: 'hold_fire',
      detail: 'hold fire by bob: we do it ourselves; last attempt: HTTP 503',
    });
    const sent = receiver.requests.length;
    receiver.path(ROLLBACK).accept();
    await release(world);
    await expect
      .poll(() => world.told('pending', 'hold fire by bob'), { timeout: 15_000 })
      .toHaveLength(1);
    expect(world.told('pending', 'hold fire by bob')[0]?.notification).toMatch(
      /ROLLBACK NOT CONFIRMED/,
    );
    expect(receiver.requests).toHaveLength(sent);
    expect(receiver.keys(ROLLBACK)).toEqual([]);
    expect((await world.canaryd.watch(id)).active).toBe(false);
  });
});

async function release({ canaryd }: World): Promise<void> {
  const url = `${canaryd.url}/v1/hold?by=bob&reason=done`;
  const answer = await fetch(url, { method: 'DELETE' });
  expect(answer.status).toBe(200);
}

function typesOf(events: readonly { readonly type: string }[]): readonly string[] {
  return events.map(({ type }) => type);
}
