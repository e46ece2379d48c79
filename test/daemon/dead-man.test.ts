// The dead-man ping against a real monitor, at the pace of a virtual clock.
import { describe, expect, it, onTestFinished } from 'vitest';
import { Secret } from '../../src/config/secrets.ts';
import { DeadMan } from '../../src/daemon/dead-man.ts';
import type { Vitals } from '../../src/engine/vitals.ts';
import { T0 } from '../support/build.ts';
import { startReceiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const WELL: Vitals = {
  isLive: true,
  checks: { evaluation: 'ok', watches: 'ok', deliveries: 'ok', journal_answers: 'ok' },
  journal: { failingForMs: null, failure: null, writtenAgoMs: 0, silentForMs: null },
};

async function monitored(vitals: Vitals = WELL) {
  const monitor = await startReceiver();
  onTestFinished(() => monitor.close());
  const clock = new VirtualClock();
  const world = { vitals, url: `${monitor.url}/ping/hunter2` };
  const log: string[] = [];
  const successes: number[] = [];
  const line = (fields: object) => void log.push(JSON.stringify(fields));
  const deadMan = new DeadMan({
    clock,
    url: new Secret('DEAD_MAN_URL', () => world.url),
    everyMs: 60_000,
    vitals: () => world.vitals,
    onSuccess: (atMs) => void successes.push(atMs),
    logger: { info: line, warn: line },
  });
  deadMan.start();
  onTestFinished(() => deadMan.stop());
  /** The ping is over and the pause before the next has begun: only then may time go on. */
  const rests = () => until(() => expect(clock.sleeping).toBe(1));
  const paths = () => monitor.requests.map(({ method, path }) => `${method} ${path}`);
  return { monitor, clock, world, log, successes, deadMan, paths, rests };
}

describe('DeadMan', () => {
  it('pings at its pace while canaryd is at work, and notes the last success', async () => {
    const { clock, successes, paths, log, rests } = await monitored();
    await until(() => expect(successes).toEqual([T0]));
    await rests();
    await clock.advance(59_000);
    expect(paths()).toEqual(['GET /ping/hunter2']);
    await clock.advance(1_000);
    await until(() => expect(successes).toEqual([T0, T0 + 60_000]));
    expect(log).toEqual(['{"state":"sent"}']);
  });

  it.each([
    [
      'a tick hangs',
      { isLive: false, checks: { ...WELL.checks, watches: 'w_1 hangs' } },
      'withheld: watches',
    ],
    [
      'the journal takes no writes',
      { journal: { ...WELL.journal, failingForMs: 1 } },
      'withheld: the journal takes no writes',
    ],
    [
      'nothing was written lately',
      { journal: { ...WELL.journal, writtenAgoMs: 60_000 } },
      'withheld: no write to the journal lately',
    ],
    [
      'nothing was written yet',
      { journal: { ...WELL.journal, writtenAgoMs: null } },
      'withheld: no write to the journal lately',
    ],
  ])('is silent while %s, says so once, and goes on with the work', async (_, over, state) => {
    const { clock, world, log, successes, paths } = await monitored({ ...WELL, ...over });
    await clock.advance(10 * 60_000);
    expect(paths()).toEqual([]);
    expect(log).toEqual([JSON.stringify({ state })]);
    world.vitals = WELL;
    await clock.advance(1_000);
    await until(() => expect(successes).toHaveLength(1));
  });

  it('takes only 2xx for an answer, logs each change once, and never the URL', async () => {
    const { monitor, clock, world, log, successes, paths, rests } = await monitored();
    await until(() => expect(successes).toHaveLength(1));
    await rests();
    monitor.respond(500);
    for (const pings of [2, 3, 4]) {
      await clock.advance(60_000);
      await until(() => expect(paths()).toHaveLength(pings));
      await until(() => expect(log.at(-1)).toBe('{"state":"failed: HTTP 500"}'));
      await rests();
    }
    world.url = 'http://127.0.0.1:9/hunter2';
    await clock.advance(61_000);
    await until(() => expect(log).toHaveLength(3));
    expect(log.slice(1)).toEqual([
      '{"state":"failed: HTTP 500"}',
      '{"state":"failed: connection refused"}',
    ]);
    expect(successes).toHaveLength(1);
    expect(log.join()).not.toContain('hunter2');
  });

  it('ends at once while the monitor hangs, and says nothing of it', async () => {
    const { monitor, world, log, deadMan } = await monitored({ ...WELL, isLive: false });
    monitor.hang();
    const { length } = log;
    world.vitals = WELL;
    const hanging = await monitored();
    hanging.monitor.hang();
    await deadMan.stop();
    await hanging.deadMan.stop();
    expect(log).toHaveLength(length);
    expect(hanging.successes).toEqual([]);
  });
});
