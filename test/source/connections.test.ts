// Connections to a Prometheus, counted by a real server that speaks its query API.
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { loadPolicyFile } from '../../src/config/load.ts';
import type { SeriesIndicator } from '../../src/core/read.ts';
import { createSource } from '../../src/daemon/sources.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createLogger } from '../../src/kit/logger.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { createPrometheusSource } from '../../src/source/prometheus.ts';
import {
  createQuery,
  ONCE_IDLE_MS,
  REQUESTS_AT_ONCE_MAX,
  SOCKET_IDLE_MS,
} from '../../src/source/prometheus-api.ts';
import { createLookup } from '../../src/source/prometheus-lookup.ts';
import { createScrapeSource } from '../../src/source/scrape.ts';
import { T0 } from '../support/build.ts';
import { until } from '../support/until.ts';

const WATCHES = 60;
const POLICIES = fileURLToPath(new URL('../../config/policies/', import.meta.url));
const INTERVALS_MS = globSync('**/*.yaml', { cwd: POLICIES })
  .filter((name) => !name.endsWith('.test.yaml'))
  .map((name) => loadPolicyFile(`${POLICIES}${name}`).intervalMs);
const SEVEN = { status: 'success', data: { resultType: 'scalar', result: [1, '7'] } };

/** Answers at once, or, once told to hold, when it is told to. */
async function serve() {
  const seen = { connections: 0, requests: 0, underWayMax: 0 };
  const held = new Set<ServerResponse>();
  const open = new Set<object>();
  const closing = new Set<object>();
  let underWay = 0;
  let holds = false;
  const answer = (response: ServerResponse) => response.end(JSON.stringify(SEVEN));
  const server = createServer((request, response) => {
    if (request.method === 'GET') return void response.end();
    seen.requests += 1;
    if (closing.has(request.socket)) return void request.socket.destroy();
    underWay += 1;
    seen.underWayMax = Math.max(seen.underWayMax, underWay);
    response.once('close', () => {
      underWay -= 1;
      held.delete(response);
    });
    request.resume().once('end', () => {
      if (holds) held.add(response);
      else answer(response);
    });
  });
  server.on('connection', (socket) => {
    seen.connections += 1;
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  // Like Prometheus it is not the one who closes.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    seen,
    hold: () => {
      holds = true;
    },
    release: () => {
      holds = false;
      for (const response of held) answer(response);
    },
    /** Every connection there is ends as soon as it is used again. */
    closeKept: () => {
      for (const socket of open) closing.add(socket);
    },
    /** Everything that was sent before has come: this connection is the last in the line. */
    async caughtUp() {
      await (await fetch(url, { headers: { connection: 'close' } })).text();
      seen.connections -= 1;
    },
  };
}

const EXPRESSION: SeriesIndicator = {
  kind: 'promql',
  id: 'x',
  title: 'x',
  unit: 'number',
  promql: 'x',
  overMs: null,
  waitMs: 0,
};

function watchesOn(url: string, timeoutMs = 20_000) {
  const source = createPrometheusSource({
    ...{ url, timeoutMs, clock: systemClock, idleMs: SOCKET_IDLE_MS },
  });
  const { signal } = new AbortController();
  const read = (index: number) =>
    source.read({
      watchId: `w_${index}`,
      indicators: [EXPRESSION],
      // Each at a moment of its own: these are not shared.
      atMs: T0 + 60_000 + index * 1_000,
      deployedAtMs: T0,
      staleAfterMs: 30_000,
      previous: {},
      signal,
    });
  /** All of them, as in one tick: how many got a value. */
  return async (count = WATCHES) => {
    const all = await Promise.all(Array.from({ length: count }, (_, index) => read(index)));
    return all.filter(({ x }) => x?.kind === 'value').length;
  };
}

describe('requests to one Prometheus', () => {
  it('of 60 watches over ten ticks go over a few connections, which are kept', async () => {
    const { url, seen } = await serve();
    const tick = watchesOn(url);
    for (let round = 0; round < 10; round += 1) expect(await tick()).toBe(WATCHES);
    expect(seen.requests).toBe(10 * WATCHES);
    expect(seen.connections).toBeLessThanOrEqual(REQUESTS_AT_ONCE_MAX);
  });

  it('are so many at a time and no more; the others wait, and all are answered', async () => {
    const { url, seen, hold, release, caughtUp } = await serve();
    const tick = watchesOn(url);
    hold();
    const answered = tick();
    await until(() => expect(seen.requests).toBeGreaterThanOrEqual(REQUESTS_AT_ONCE_MAX));
    await caughtUp();
    expect(seen).toMatchObject({
      requests: REQUESTS_AT_ONCE_MAX,
      connections: REQUESTS_AT_ONCE_MAX,
    });
    release();
    expect(await answered).toBe(WATCHES);
    expect(seen.underWayMax).toBe(REQUESTS_AT_ONCE_MAX);
  });

  it('that waited in vain have ended, and hold up none of those that come after', async () => {
    const { url, hold, release } = await serve();
    const tick = watchesOn(url, 2_000);
    hold();
    expect(await tick()).toBe(0);
    release();
    expect(await tick()).toBe(WATCHES);
  });

  it.each([1, WATCHES])(
    'on connections that are closed just as they are used again go out anew: %i of them',
    async (count) => {
      const { url, seen, closeKept } = await serve();
      const tick = watchesOn(url);
      expect(await tick()).toBe(WATCHES);
      const { connections } = seen;
      closeKept();
      expect(await tick(count)).toBe(count);
      expect(seen.connections).toBeGreaterThan(connections);
    },
  );

  it('find the connection of the tick before, also at the longest interval that is shipped', async () => {
    const { url } = await serve();
    const idle = vi.spyOn(Socket.prototype, 'setTimeout');
    expect(await watchesOn(url)()).toBe(WATCHES);
    const given = idle.mock.calls.map(([ms]) => ms).filter((ms) => ms > 0);
    expect(new Set(given)).toEqual(new Set([SOCKET_IDLE_MS]));
    expect(SOCKET_IDLE_MS).toBeGreaterThan(Math.max(...INTERVALS_MS));
  });
});

describe('what is asked beside queries', () => {
  /** For how long the one connection of three questions is kept. */
  async function kept(ask: (url: string) => (round: number) => Promise<unknown>) {
    const { url, seen } = await serve();
    const idle = vi.spyOn(Socket.prototype, 'setTimeout');
    const one = ask(url);
    for (let round = 0; round < 3; round += 1) await one(round);
    const given = idle.mock.calls.map(([ms]) => ms).filter((ms) => ms > 0);
    expect(seen.connections).toBe(1);
    return new Set(given);
  }

  it('goes over one connection that is kept: /metrics of a service', async () => {
    const times = await kept((url) => {
      const options = { targets: [url], headers: {}, timeoutMs: 2_000, clock: systemClock };
      const source = createScrapeSource({ ...options, idleMs: SOCKET_IDLE_MS });
      return async (round) => {
        const { signal } = new AbortController();
        const times = { atMs: T0 + round * 5_000, deployedAtMs: T0, staleAfterMs: 30_000 };
        await source.read({ watchId: 'w', indicators: [], ...times, previous: {}, signal });
      };
    });
    expect(times).toEqual(new Set([SOCKET_IDLE_MS]));
  });

  it('goes over one connection that is soon let go: names and labels', async () => {
    const times = await kept((url) => {
      const lookup = createLookup({ url, timeoutMs: 2_000, clock: systemClock });
      return (round) => lookup.typeOf(`metric_${round}`, new AbortController().signal);
    });
    expect(times).toEqual(new Set([ONCE_IDLE_MS]));
  });

  it('is let go soon where each asks for itself: a server has only so many connections', async () => {
    const { url } = await serve();
    const idle = vi.spyOn(Socket.prototype, 'setTimeout');
    const { signal } = new AbortController();
    for (let count = 0; count < 3; count += 1) {
      await createQuery({ url, timeoutMs: 2_000, clock: systemClock })('up', T0, signal);
    }
    const given = idle.mock.calls.map(([ms]) => ms).filter((ms) => ms > 0);
    expect(new Set(given)).toEqual(new Set([ONCE_IDLE_MS]));
  });
});

describe('the sources of the daemon', () => {
  it.each([
    { kind: 'scrape', targets: [] },
    { kind: 'prometheus', basicAuth: null, bearerToken: null, tenant: null, tls: null },
  ] as const)('keep connections from tick to tick: $kind', async (config) => {
    const { url } = await serve();
    const idle = vi.spyOn(Socket.prototype, 'setTimeout');
    const logger = createLogger('silent', '/dev/null');
    const tools = { clock: systemClock, metrics: createMetrics('1.2.3'), logger };
    const common = { url, headers: {}, timeoutMs: 2_000 };
    const own = config.kind === 'scrape' ? { ...config, targets: [url] } : config;
    const source = createSource('one', { ...common, ...own }, tools);
    const { signal } = new AbortController();
    const times = { atMs: T0, deployedAtMs: T0, staleAfterMs: 30_000, previous: {}, signal };
    await source.read({ watchId: 'w', indicators: [EXPRESSION], ...times });
    const given = idle.mock.calls.map(([ms]) => ms).filter((ms) => ms > 0);
    expect(new Set(given)).toEqual(new Set([SOCKET_IDLE_MS]));
  });
});
