// A CI system that tells of its deploys, and nothing else: its events start the watch, and the
// rollback that canaryd asks for tells of itself by the same road.
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changed, GITHUB, GITHUB_HEADERS } from '../hooks/payloads.ts';
import { NEW, OLD, ROLLBACK, startWorld, type World } from '../support/aurora-world.ts';
import { until } from '../support/until.ts';

const SECRET = 'a-secret-that-github-knows';
const secrets = mkdtempSync(join(tmpdir(), 'canaryd-hook-secrets-'));

describe('deployments at GitHub', { timeout: 60_000 }, () => {
  let world: World;

  beforeAll(async () => {
    writeFileSync(join(secrets, 'GITHUB_HOOK'), `${SECRET}\n`);
    world = await startWorld(
      { aurora: {} },
      {
        secrets: { directory: secrets },
        hooks: {
          github: {
            secret: '$GITHUB_HOOK',
            services: { 'example-org/aurora-backend': 'aurora' },
            environments: ['production'],
            parameters: { expected_positions: 10 },
          },
        },
      },
    );
  });
  afterAll(async () => {
    await world?.close();
    rmSync(secrets, { recursive: true });
  });

  /** The event of a deploy that has finished now. */
  function tell(delivery: string, version: string, more: Readonly<Record<string, unknown>> = {}) {
    const event = changed(GITHUB, {
      'repository.full_name': 'example-org/aurora-backend',
      'deployment.ref': `v${version}`,
      'deployment.payload': { version },
      'deployment_status.created_at': new Date().toISOString(),
      ...more,
    });
    const signature = createHmac('sha256', SECRET).update(JSON.stringify(event)).digest('hex');
    return world.canaryd.post('/v1/hooks/github', event, {
      ...GITHUB_HEADERS,
      'x-github-delivery': delivery,
      'x-hub-signature-256': `sha256=${signature}`,
    });
  }

  it('are watched, rolled back once, and the rollback starts no loop', async () => {
    const { aurora, receiver } = world.place('aurora');
    const payload = { version: NEW, previous_version: OLD };
    const running = { 'deployment_status.state': 'in_progress' };
    expect(await tell('d-1', NEW, running)).toMatchObject({
      status: 200,
      body: { ignored: expect.stringContaining('in_progress') },
    });
    aurora.deploy(NEW);
    const first = await tell('d-2', NEW, { 'deployment.payload': payload });
    expect(first).toMatchObject({
      status: 201,
      body: { version: NEW, mode: 'act', parameters: { expected_positions: 10 } },
    });
    const id = String(first.body['id']);
    expect(await tell('d-2', NEW)).toMatchObject({ status: 200, body: { id } });

    await world.event(id, 'watch.armed');
    aurora.fault('positions');
    await expect.poll(() => receiver.keys(ROLLBACK), { timeout: 20_000 }).toHaveLength(1);
    const rollback = await tell('d-3', OLD);
    expect(rollback).toMatchObject({
      status: 201,
      body: { version: OLD, mode: 'observe', rollback_of: id },
    });
    await world.verified(id, 'confirmed');
    expect(await tell('d-2', NEW)).toMatchObject({ status: 200, body: { id } });
    expect(receiver.keys(ROLLBACK)).toEqual([`${id}-rollback`]);
  });

  it('of what canaryd does not watch are ignored; what cannot start is in the log', async () => {
    const other = { 'repository.full_name': 'example-org/billing' };
    expect(await tell('d-4', '1.0.0', other)).toMatchObject({
      status: 200,
      body: { ignored: 'no policy serves "billing" in "production"' },
    });
    const unfit = { version: '3.0.0', parameters: { expected_positions: 'many' } };
    const refused = await tell('d-5', '3.0.0', { 'deployment.payload': unfit });
    expect(refused).toMatchObject({
      status: 422,
      body: { errors: [{ path: 'parameters.expected_positions' }] },
    });
    // The log is written behind the answer.
    const line = /"level":40.*"delivery":"d-5".*hook started no watch/;
    await until(() => expect(world.canaryd.log()).toMatch(line));
    expect(world.canaryd.log()).not.toContain(SECRET);
  });

  it('that nobody signed start nothing', async () => {
    const answer = await world.canaryd.post('/v1/hooks/github', GITHUB, GITHUB_HEADERS);
    expect(answer.status).toBe(401);
  });
});
