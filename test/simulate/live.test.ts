// Whole rehearsals, with a real daemon: the demo's trading service and an HTTP API made from its
// policy. Every connection of this process is written down: none may leave this machine.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';
import { listen } from '../../src/demo/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { hasPrometheus } from '../support/prometheus.ts';

const SHOP = 'test/simulate/shop.yaml';
const QUEUE = 'test/simulate/queue.yaml';
const LIVE_MS = 150_000;

/** Hosts that were connected to. */
function watchConnections(): Set<string> {
  const hosts = new Set<string>();
  const connect = Socket.prototype.connect;
  vi.spyOn(Socket.prototype, 'connect').mockImplementation(function (this: Socket, ...given) {
    const [first] = given.flat() as unknown[];
    const { host, path } = (typeof first === 'object' && first !== null ? first : {}) as Record<
      string,
      unknown
    >;
    hosts.add(String(host ?? path ?? 'not named'));
    return Reflect.apply(connect, this, given) as Socket;
  });
  return hosts;
}

/** The policy with an address of its own on this machine, which counts who asks. */
async function shopOnThisMachine() {
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    response.end();
  });
  const { url, close } = await listen(server, 0, '127.0.0.1');
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-shop-'));
  onTestFinished(async () => {
    rmSync(folder, { recursive: true });
    await close();
  });
  const file = join(folder, 'shop.yaml');
  const text = readFileSync(SHOP, 'utf8').replace('https://203.0.113.7/info', `${url}/info`);
  writeFileSync(file, text);
  expect(text).toContain(url);
  return { file, asked: () => asked };
}

async function simulated(...argv: readonly string[]) {
  const hosts = watchConnections();
  let pageStatus: Promise<number> | null = null;
  let story = '';
  let result = '';
  const stderr = new Writable({
    write(chunk, _, done) {
      story += chunk;
      const page = /Look at it: (http:\S+)/.exec(story)?.[1];
      if (page !== undefined) pageStatus ??= fetch(page).then(({ status }) => status);
      done();
    },
  });
  const stdout = new Writable({
    write(chunk, _, done) {
      result += chunk;
      done();
    },
  });
  const ending = new AbortController();
  // A test that ran out of time must not leave a Prometheus behind.
  onTestFinished(() => ending.abort());
  const code = await runCli(['simulate', ...argv, '--json'], {
    ...{ stdout, stderr, env: {}, clock: systemClock },
    signal: ending.signal,
  });
  return { code, story, told: JSON.parse(result), hosts: [...hosts], page: await pageStatus };
}

describe('canaryd simulate', () => {
  it(
    'shows the shipped policy stop the trading service of the demo',
    async () => {
      const { code, told, story } = await simulated(
        'config/policies/aurora.yaml',
        '--fault',
        'health',
      );
      expect(story).toContain('From now on it is bad: health.');
      expect(told).toMatchObject({
        ok: true,
        fault: 'immediate.stop.health',
        phase: 'stopped',
        verification: 'confirmed',
        actions: ['disarm', 'rollback'],
      });
      expect(code).toBe(0);
    },
    LIVE_MS,
  );

  it(
    'shows the policy of an HTTP API stop a service made from it, and leaves its addresses alone',
    async () => {
      const { file, asked } = await shopOnThisMachine();
      const { code, told, story, hosts, page } = await simulated(file);
      expect(told).toMatchObject({
        ok: true,
        fault: 'first.stop.error_ratio',
        phase: 'stopped',
        verification: 'confirmed',
        actions: ['rollback'],
      });
      expect(code).toBe(0);
      expect(story).toContain('STOPPED shop-api 2.1.0');
      expect(page).toBe(200);
      expect(hosts).toEqual(['127.0.0.1']);
      expect(asked()).toBe(0);
      expect(existsSync('rolled-back-by-simulate')).toBe(false);
    },
    LIVE_MS,
  );

  it(
    'shows a healthy deploy pass, and nothing acted',
    async () => {
      const { code, told } = await simulated(SHOP, '--healthy', '--windows', '15s,60s');
      expect(told).toMatchObject({ ok: true, fault: null, phase: 'passed', actions: [] });
      expect(code).toBe(0);
    },
    LIVE_MS,
  );

  it(
    'shows latency beyond its limit',
    async () => {
      const { told, story } = await simulated(SHOP, '--fault', 'latency_p99');
      expect(told).toMatchObject({ ok: true, phase: 'stopped', verification: 'confirmed' });
      expect(story).toMatch(/STOPPED .*P99 latency 1\.\d+ s/);
    },
    LIVE_MS,
  );

  const stopped = { ok: true, phase: 'stopped', verification: 'confirmed', actions: ['rollback'] };

  it(
    'shows what only PromQL tells go wrong, and says that a gauge stands for it',
    async () => {
      const { told, story } = await simulated(QUEUE);
      expect(told).toMatchObject({ ...stopped, fault: 'first.stop.saturation' });
      expect(story).toMatch(/A gauge stands for .*PromQL.*: saturation, backlog\./);
      expect(story).toMatch(/STOPPED .*Queue saturation/);
    },
    LIVE_MS,
  );

  it.skipIf(!hasPrometheus())(
    'shows it through a real Prometheus, too',
    async () => {
      const { told } = await simulated(QUEUE, '--fault', 'backlog', '--prometheus');
      expect(told).toMatchObject({ ...stopped, fault: 'first.stop.backlog' });
    },
    LIVE_MS,
  );
});
