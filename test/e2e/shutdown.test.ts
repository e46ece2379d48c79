// SIGTERM to a real process, while something is under way or hangs: it ends in time, and nothing is
// lost. (A receiver that is slow or hangs: crash.test.ts.)
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'vitest';
import { SHUTDOWN_WITHIN_MS } from '../../src/daemon/daemon.ts';
import { type Canaryd, startCanaryd } from '../support/daemon.ts';
import { startReceiver } from '../support/receiver.ts';

const POLICY = (receiver: string) => `
service: shop
source: prometheus
interval: 1s
indicators:
  queue: { title: Queue, gauge: { metric: queue_length, aggregate: sum } }
windows:
  - name: immediate
    until: 1h
    stop:
      queue: { above: 100 }
on_stop:
  - rollback: { webhook: { url: "${receiver}/rollback", secret: $SECRET }, timeout: 60s }
`;
const BY = { by: 'ann', reason: 'test' };
/** Besides the shutdown: what was left open, and the process itself. */
const SLACK_MS = 3_000;

/** A shop whose Prometheus hangs, and a receiver of rollbacks. */
async function shop(env: Readonly<Record<string, string>> = {}) {
  const receiver = await startReceiver();
  const prometheus = await startReceiver();
  prometheus.hang();
  const sources = { prometheus: { prometheus: { url: prometheus.url, timeout: '2m' } } };
  const policies = { shop: POLICY(receiver.url) };
  const secrets = { SECRET: 'hunter2-hunter2', ...env };
  const canaryd = await startCanaryd({ config: { sources }, policies, env: secrets });
  const { body } = await canaryd.post('/v1/watches', { service: 'shop', version: '2' });
  const id = String(body['id']);
  const close = async () => {
    await canaryd.dispose();
    await Promise.all([receiver.close(), prometheus.close()]);
  };
  return { canaryd, receiver, prometheus, id, close };
}

async function timed(end: Promise<number | null>) {
  const startedAt = performance.now();
  const code = await end;
  return { code, tookMs: performance.now() - startedAt };
}

const inTime = { timeout: 60_000 };

describe.concurrent('canaryd, ended with SIGTERM', () => {
  it(
    'while Prometheus hangs: ends with 0, well before its time-out',
    inTime,
    async ({ expect, onTestFinished }) => {
      const { canaryd, prometheus, close } = await shop();
      onTestFinished(close);
      await expect.poll(() => prometheus.requests.length, { timeout: 10_000 }).toBeGreaterThan(0);
      const { code, tookMs } = await timed(canaryd.end());
      expect(code).toBe(0);
      expect(tookMs).toBeLessThan(SHUTDOWN_WITHIN_MS);
    },
  );

  it(
    'while somebody listens to events: the stream ends, and so does it',
    inTime,
    async ({ expect, onTestFinished }) => {
      const { canaryd, id, close } = await shop();
      onTestFinished(close);
      const stream = await fetch(`${canaryd.url}/v1/watches/${id}/events`);
      const read = stream.text().catch(() => 'cut');
      expect(await canaryd.end()).toBe(0);
      expect(await read).toMatch(/watch\.started|cut/);
    },
  );

  it(
    'while another program locks the journal: ends, and the rollback is sent by the next start',
    inTime,
    async ({ expect, onTestFinished }) => {
      const { canaryd, receiver, id, close } = await shop();
      onTestFinished(close);
      receiver.path('/rollback').once.hang();
      await canaryd.post(`/v1/watches/${id}/stop`, BY);
      await expect.poll(() => receiver.requests.length, { timeout: 10_000 }).toBe(1);
      const database = new DatabaseSync(join(canaryd.folder, 'canaryd.db'));
      database.exec('BEGIN IMMEDIATE');
      const { code, tookMs } = await timed(canaryd.end());
      database.exec('ROLLBACK');
      database.close();
      expect([0, 5]).toContain(code);
      expect(tookMs).toBeLessThan(SHUTDOWN_WITHIN_MS + SLACK_MS);
      await canaryd.start();
      await expect.poll(() => receiver.keys('/rollback'), { timeout: 20_000 }).toHaveLength(1);
      const keys = receiver.requests.map((request) => request.id);
      expect(new Set(keys)).toEqual(new Set([`${id}-rollback`]));
    },
  );

  it(
    'while a part of it hangs for ever: ends inside the bound, with 5, and says what hung',
    inTime,
    async ({ expect, onTestFinished }) => {
      const hang = 'import http from "node:http"; http.Server.prototype.close = function () {};';
      const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(hang)}`;
      const { canaryd, receiver, id, close } = await shop({ NODE_OPTIONS });
      onTestFinished(close);
      receiver.path('/rollback').once.hang();
      await canaryd.post(`/v1/watches/${id}/stop`, BY);
      await expect.poll(() => receiver.requests.length, { timeout: 10_000 }).toBe(1);
      const { code, tookMs } = await timed(canaryd.end());
      expect(code).toBe(5);
      expect(tookMs).toBeLessThan(SHUTDOWN_WITHIN_MS + SLACK_MS);
      expect(canaryd.log()).toMatch(/"hangs":\["server"\].*shutdown cut short/);
      await canaryd.start();
      await expect.poll(() => receiver.keys('/rollback'), { timeout: 20_000 }).toHaveLength(1);
    },
  );

  it('twice: ends at once', inTime, async ({ expect, onTestFinished }) => {
    const { canaryd, receiver, id, close } = await shop();
    onTestFinished(close);
    receiver.path('/rollback').hang();
    await canaryd.post(`/v1/watches/${id}/stop`, BY);
    await expect.poll(() => receiver.requests.length, { timeout: 10_000 }).toBe(1);
    const ended = canaryd.end();
    await expect.poll(() => canaryd.log()).toContain('shutting down');
    const { code, tookMs } = await timed(second(canaryd, ended));
    expect(code).toBe(143);
    expect(tookMs).toBeLessThan(2_000);
  });
});

function second(canaryd: Canaryd, ended: Promise<number | null>): Promise<number | null> {
  process.kill(canaryd.pid, 'SIGTERM');
  return ended;
}
