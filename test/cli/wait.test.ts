import { describe, expect, it } from 'vitest';
import type { EventBody } from '../../src/core/event.ts';
import { cli, hastyClock, inTurn } from '../support/cli.ts';
import { T0 } from '../support/fake-control.ts';
import { api, listening } from '../support/http-server.ts';

const PASSED: EventBody = { type: 'watch.passed', conditions: [], coverage: {} };
const STOPPED = {
  type: 'watch.stopped',
  cause: 'condition',
  by: 'canaryd',
  reason: 'Order fill rate below 80 %',
  conditions: [
    {
      condition: 'immediate.stop.fill_rate',
      indicator: 'fill_rate',
      role: 'stop',
      value: 0.724,
      limit: 0.8,
      sinceMs: T0,
      atMs: T0 + 1,
      samples: 9,
      preExisting: false,
    },
  ],
  blind: [],
  mode: 'act',
  actions: ['rollback'],
  verifies: false,
} as const satisfies EventBody;
const ENDS = {
  passed: PASSED,
  stopped: STOPPED,
  inconclusive: {
    type: 'watch.inconclusive',
    reason: 'deadline',
    coverage: {},
    because: ['fill_rate was blind'],
  },
  cancelled: { type: 'watch.cancelled', by: 'alice', reason: 'enough' },
  superseded: { type: 'watch.superseded', byWatch: 'w_2', version: '1.5.0' },
} as const satisfies Readonly<Record<string, EventBody>>;

async function withWatch() {
  const server = api();
  const { watch } = await server.control.start({
    service: 'aurora',
    version: '1.4.0',
    parameters: {},
  });
  return { ...server, server, id: watch.id, base: await listening(server) };
}

describe('wait', () => {
  it.each([
    ['passed', 0],
    ['stopped', 1],
    ['inconclusive', 3],
    ['cancelled', 3],
    ['superseded', 3],
  ] as const)('on a watch that is %s exits with %i and says so', async (phase, code) => {
    const { control, id, base } = await withWatch();
    control.happen(id, ENDS[phase]);
    const run = cli({ server: base });
    expect(await run.run('wait', id)).toBe(code);
    expect(run.out().trim().split('\n').at(-1)).toMatch(
      new RegExp(`^${phase}: aurora 1.4.0 in production \\(${id}\\)`),
    );
  });

  it('prints one line per change, with the figures of a stop', async () => {
    const { control, id, base } = await withWatch();
    const happen = (body: EventBody) => () => control.happen(id, body);
    const clock = hastyClock(
      inTurn(
        happen({ type: 'watch.armed', armed: 1, total: 1 }),
        happen({ type: 'window.entered', window: 'immediate' }),
        happen(STOPPED),
      ),
    );
    const run = cli({ server: base, clock });
    await run.run('wait', id);
    expect(run.out().split('\n')).toEqual([
      'T+1s      started: aurora 1.4.0 in production, act',
      'T+2s      armed: 1 of 1 stop conditions',
      'T+3s      window immediate',
      'T+4s      STOPPED Order fill rate below 80 % [Order fill rate 72.4 %, limit: below 80 %, 9 samples]; rollback',
      `stopped: aurora 1.4.0 in production (${id}): Order fill rate below 80 %`,
      '',
    ]);
  });

  it('waits until the verification of a rollback is over', async () => {
    const { control, id, base } = await withWatch();
    control.happen(id, { ...STOPPED, verifies: true });
    const happen = (body: EventBody) => () => control.happen(id, body);
    const clock = hastyClock(
      inTurn(
        happen({
          type: 'action.accepted',
          action: 'rollback',
          attempts: 1,
          detail: '',
          afterMs: 900,
        }),
        happen({ type: 'rollback.confirmed', action: 'rollback', conditions: [], afterMs: 60_000 }),
      ),
    );
    const run = cli({ server: base, clock });
    expect(await run.run('wait', id)).toBe(1);
    expect(run.out()).toContain('rollback confirmed after 1m');
  });

  it('gives up after --timeout: inconclusive, and says where it stands', async () => {
    const { id, base } = await withWatch();
    const run = cli({ server: base });
    expect(await run.run('wait', id, '--timeout', '30s')).toBe(3);
    expect(run.out()).toContain('no end within 30s: watching: aurora 1.4.0');
  });

  it('a stop is a verdict even when its verification outlasts --timeout', async () => {
    const { control, id, base } = await withWatch();
    control.happen(id, { ...STOPPED, verifies: true });
    expect(await cli({ server: base }).run('wait', id, '--timeout', '30s')).toBe(1);
  });

  it('survives a restart of the daemon: says it once, and goes on', async () => {
    const { control, id, base, server } = await withWatch();
    const port = Number(new URL(base).port);
    const nothing = () => {};
    const clock = hastyClock(
      inTurn(
        () => server.app.close(),
        nothing,
        nothing,
        () => listening(api({ control }), port),
        () => control.happen(id, PASSED),
      ),
    );
    const run = cli({ server: base, clock });
    expect(await run.run('wait', id)).toBe(0);
    const lines = run.out().split('\n');
    expect(lines.filter((line) => line.includes('is not reachable'))).toHaveLength(1);
    expect(lines.filter((line) => line === 'canaryd is back')).toHaveLength(1);
    expect(lines.filter((line) => line.includes('started:'))).toHaveLength(1);
  });

  it('goes on when the daemon answers 503 for a while', async () => {
    const { control, id, base } = await withWatch();
    control.failWith('journal_failed', 'disk full');
    const recover = () => {
      control.failure = null;
    };
    const clock = hastyClock(inTurn(recover, () => control.happen(id, PASSED)));
    const run = cli({ server: base, clock });
    expect(await run.run('wait', id)).toBe(0);
  });

  it('gives up on a daemon that stays away: 4', async () => {
    const { id, base, server } = await withWatch();
    await server.app.close();
    const run = cli({ server: base });
    expect(await run.run('wait', id)).toBe(4);
    expect(run.out()).toContain('connection refused');
  });

  it('on a watch that does not exist is a usage error', async () => {
    const { base } = await withWatch();
    const run = cli({ server: base });
    expect(await run.run('wait', 'w_missing')).toBe(2);
    expect(run.err()).toContain('no watch w_missing');
  });

  it('ends at once when interrupted; the watch goes on', async () => {
    const { id, base } = await withWatch();
    const stopping = new AbortController();
    const clock = hastyClock(() => stopping.abort());
    const run = cli({ server: base, clock, signal: stopping.signal });
    expect(await run.run('wait', id)).toBe(130);
    expect(run.err()).toContain('goes on');
  });

  it('with --json prints the watch alone on stdout, progress on stderr', async () => {
    const { control, id, base } = await withWatch();
    control.happen(id, PASSED);
    const run = cli({ server: base });
    await run.run('wait', id, '--json');
    expect(run.json()).toMatchObject({ id, phase: 'passed', deployed_at: expect.any(String) });
    expect(run.err()).toContain('started:');
  });

  it('shows a live line on a terminal, and none in CI', async () => {
    const { control, id, base } = await withWatch();
    control.happen(id, PASSED);
    const terminal = cli({ server: base, isTTY: true });
    await terminal.run('wait', id);
    const ci = cli({ server: base, isTTY: true, env: { CI: 'true' } });
    await ci.run('wait', id);
    expect(terminal.out()).toContain('\r\u001b[2K');
    expect(ci.out()).not.toContain('\u001b');
  });

  it('prints more events than one page holds before it ends', async () => {
    const { control, id, base } = await withWatch();
    for (let index = 0; index < 700; index += 1) {
      control.happen(id, { type: 'watch.resumed', awayMs: 1_000 });
    }
    control.happen(id, PASSED);
    const run = cli({ server: base, clock: new FakeClock() });
    expect(await run.run('wait', id)).toBe(0);
    expect(run.out().match(/resumed/g)).toHaveLength(700);
  });
});

/** No sleep at all is wanted here. */
class FakeClock {
  now = () => 0;
  monotonic = () => 0;
  sleep = () => Promise.reject(new Error('slept'));
}
