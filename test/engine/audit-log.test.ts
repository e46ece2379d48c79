// A trail on a real disk, watched on virtual time: the engine and the reader of production.
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readPolicy } from '../../src/config/to-policy.ts';
import type { Policy } from '../../src/core/policy.ts';
import type { AuditLogs } from '../../src/core/read.ts';
import { createAuditLogs } from '../../src/source/audit-log/reader.ts';
import { T0 } from '../support/build.ts';
import { anEngine, share, tempJournal, World } from '../support/engine.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const STEP = 5 * SECOND;

function policy(over: Readonly<Record<string, unknown>> = {}): Policy {
  const stop = { fill_rate: { below: '80%' }, trail: { above: 0.01, ...over } };
  const read = readPolicy(
    {
      ...{ service: 'shop', source: 'prometheus', interval: '5s' },
      indicators: {
        fill_rate: { ratio: { good: 'filled_total', total: 'orders_total' } },
        trail: {
          title: 'XAI events without a trace',
          audit_log: {
            ...{ report: 'session_*/events.jsonl', bad: 'untraced', time: 'ts' },
            trace: { id: 'trace_id' },
          },
          ...{ over: '5m', min_total: 20 },
        },
      },
      windows: [{ name: 'immediate', until: '15m', stop }],
      on_stop: [{ rollback: { webhook: { url: 'http://127.0.0.1:1/rollback' } } }],
    },
    'shop',
  );
  if (read.kind === 'problems') throw new Error(JSON.stringify(read.problems));
  return read.policy;
}

/** A service that writes two events a second into its trail, and the engine that watches it. */
function watching(of = policy()) {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-trail-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const session = mkdtempSync(join(folder, 'session_'));
  const path = join(session, 'events.jsonl');
  const clock = new VirtualClock();
  const world = new World();
  world.readings = { fill_rate: share(0.99) };
  const journal = tempJournal();
  const life = (replica: string) => {
    const real = createAuditLogs({ clock, folder });
    const auditLogs: AuditLogs = {
      read: (request) => clock.standingStill(real.read(request)),
      forget: (watchId) => real.forget(watchId),
    };
    return anEngine({ clock, world, journal, auditLogs, policies: [of], replica });
  };
  return {
    ...{ clock, world, path, folder, session, life },
    /** Time passes while the service writes. */
    async pass(forMs: number, trace: string | null): Promise<void> {
      for (let passed = 0; passed < forMs; passed += 500) {
        const ts = new Date(clock.now()).toISOString();
        const event = { ts, event_type: 'order', trace_id: trace };
        appendFileSync(path, `${JSON.stringify(event)}\n`);
        await clock.advance(500);
      }
    },
  };
}

describe('a watch of an audit log', () => {
  it('is stopped when the trail loses its traces, and tells the figures', async () => {
    const { life, pass, world } = watching();
    const engine = life('r_1');
    await pass(MINUTE, null);
    engine.start();
    const id = await engine.watch();
    await pass(2 * MINUTE, 'a');
    expect(await engine.types(id)).not.toContain('watch.stopped');
    await pass(2 * STEP, null);
    expect(await engine.types(id)).toContain('watch.stopped');
    expect(world.acted).toHaveLength(1);
    expect(JSON.stringify(world.messages)).toMatch(
      /XAI events without a trace [\d.]+ % \(\d+ of 2\d\d in 2m\d*s?, since the deploy\), limit: above 1 %/,
    );
    expect(engine.errors).toEqual([]);
  });

  it('was untraced before the deploy already: no reason to roll back', async () => {
    const { life, pass, world, clock } = watching();
    const engine = life('r_1');
    await pass(20 * MINUTE, null);
    engine.start();
    const id = await engine.watch({ deployedAtMs: clock.now() });
    await pass(MINUTE, null);
    const types = await engine.types(id);
    expect(types).toContain('condition.pre_existing');
    expect(types).not.toContain('watch.stopped');
    expect(world.acted).toEqual([]);
  });

  it('is blind without the trail, by name, and judges everything else', async () => {
    const { life, pass, world, session, folder } = watching();
    const engine = life('r_1');
    engine.start();
    const id = await engine.watch();
    await pass(MINUTE, 'a');
    renameSync(session, join(folder, 'elsewhere'));
    await engine.clock.advance(5 * MINUTE);
    expect(JSON.stringify(world.messages)).toContain('no_series, no file matches');
    world.readings = { fill_rate: share(0.1) };
    await engine.clock.advance(STEP);
    expect(await engine.types(id)).toContain('watch.stopped');
  });

  it('goes on after a crash and a rotation: no event is lost, none counts twice', async () => {
    const { life, pass, path, clock } = watching();
    const first = life('r_1');
    first.start();
    const id = await first.watch();
    await pass(MINUTE, 'a');
    await first.stop();
    const downMs = clock.now() - T0;
    await pass(30 * SECOND, 'a');
    const second = life('r_1b');
    second.start();
    await pass(30 * SECOND, 'a');
    renameSync(path, `${path}.1`);
    writeFileSync(path, '');
    await pass(30 * SECOND, 'a');
    const ticks = await second.journal.ticks(id, 0, Number.MAX_SAFE_INTEGER, 1_000);
    const last = ticks.at(-1);
    const sinceMs = (last?.atMs ?? 0) - T0;
    // Nothing was written while the first process took its time to end.
    const silentMs = downMs - MINUTE;
    const total = Math.floor((sinceMs - silentMs) / 500);
    const counts = { part: 0, total: expect.toSatisfy((n: number) => Math.abs(n - total) <= 1) };
    expect(last?.readings['trail']).toMatchObject({ value: 0, counts, sinceDeploy: counts });
  });

  it('keeps no piece of a line in the journal', async () => {
    const { life, pass, path } = watching();
    const engine = life('r_1');
    engine.start();
    const id = await engine.watch();
    appendFileSync(path, '{"card":"4111111111111111"\n{"card":"4111111111111111"}\n');
    await pass(MINUTE, '4111111111111111');
    await pass(2 * STEP, null);
    const ticks = await engine.journal.ticks(id, 0, Number.MAX_SAFE_INTEGER, 1_000);
    const all = [await engine.events(id), ticks, await engine.journal.deliveries(id)];
    expect(await engine.types(id)).toContain('watch.stopped');
    expect(JSON.stringify(all)).not.toContain('4111');
  });
});
