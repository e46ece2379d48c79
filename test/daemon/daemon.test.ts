// The daemon inside this process, from files to /metrics and back to nothing.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runDaemon } from '../../src/daemon/daemon.ts';
import { until } from '../support/until.ts';

const POLICY = `
service: shop
source: direct
interval: 1s
indicators:
  queue: { title: Queue, gauge: { metric: queue_length, aggregate: sum } }
windows:
  - name: immediate
    until: 1h
    stop:
      queue: { above: 100 }
on_stop:
  - rollback: { webhook: { url: "http://127.0.0.1:9/rollback", secret: $ROLLBACK_SECRET } }
`;

type Running = {
  readonly url: string;
  readonly folder: string;
  readonly log: () => string;
  /** Aborts, and waits for the end. */
  end(): Promise<void>;
};

function files(config: Readonly<Record<string, unknown>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-daemon-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'shop.yaml'), POLICY);
  const whole = {
    listen: { port: 0 },
    journal: { sqlite: { path: 'canaryd.db' } },
    policies: ['shop.yaml'],
    sources: { direct: { scrape: { targets: ['http://127.0.0.1:9/metrics'] } } },
    ...config,
  };
  writeFileSync(join(folder, 'canaryd.yaml'), JSON.stringify(whole));
  return folder;
}

async function running(folder = files(), env: Record<string, string> = {}): Promise<Running> {
  const stopping = new AbortController();
  const listening = Promise.withResolvers<string>();
  const logPath = join(folder, 'log.jsonl');
  const daemon = runDaemon({
    configPath: join(folder, 'canaryd.yaml'),
    env,
    signal: stopping.signal,
    logPath,
    onListening: listening.resolve,
  });
  daemon.catch(listening.reject);
  const end = async () => {
    stopping.abort();
    await daemon;
  };
  onTestFinished(async () => {
    stopping.abort();
    await daemon.catch(() => undefined);
  });
  const url = await listening.promise;
  return { url, folder, log: () => readFileSync(logPath, 'utf8'), end };
}

async function get(url: string) {
  const answer = await fetch(url);
  return { status: answer.status, text: await answer.text() };
}

async function start({ url }: Running, environment: string): Promise<void> {
  const answer = await fetch(`${url}/v1/watches`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ service: 'shop', version: '2', environment, mode: 'observe' }),
  });
  expect(answer.status).toBe(201);
}

function metric(text: string, series: string): string | undefined {
  return text.split('\n').find((line) => line.startsWith(`${series} `));
}

describe('runDaemon', () => {
  it('answers for its life, its readiness and its metrics as soon as it listens', async () => {
    const { url, log } = await running();
    expect(await get(`${url}/livez`)).toMatchObject({ status: 200 });
    expect(await get(`${url}/readyz`)).toMatchObject({ status: 200 });
    const { text } = await get(`${url}/metrics`);
    expect(metric(text, 'canaryd_watches_active')).toBe('canaryd_watches_active 0');
    expect(log()).toContain('"policies":["shop"]');
  });

  it('says at the start which policy cannot act, and which secret it misses', async () => {
    const { log } = await running();
    expect(log()).toContain('"policy":"shop","missing":["ROLLBACK_SECRET"]');
    const { log: complete } = await running(files(), { ROLLBACK_SECRET: 'hunter2-hunter2' });
    expect(complete()).not.toContain('missing');
    expect(complete()).not.toContain('hunter2');
  });

  it('counts ticks that fail', async () => {
    const daemon = await running();
    const { url, folder } = daemon;
    const errors = async () => {
      const series = metric((await get(`${url}/metrics`)).text, 'canaryd_tick_errors_total');
      return Number(series?.split(' ')[1]);
    };
    expect(await errors()).toBe(0);
    const database = new DatabaseSync(join(folder, 'canaryd.db'));
    database.exec('ALTER TABLE ticks RENAME TO lost');
    database.close();
    await start(daemon, 'production');
    await expect.poll(errors).toBeGreaterThan(0);
  });

  it('ends at the signal, in order, and starts again on the same journal', async () => {
    const first = await running();
    await start(first, 'production');
    await first.end();
    await expect(fetch(first.url)).rejects.toThrow('fetch failed');
    expect(first.log()).toContain('shutting down');
    const second = await running(first.folder);
    await until(async () => {
      const { text } = await get(`${second.url}/metrics`);
      expect(metric(text, 'canaryd_watches_active')).toBe('canaryd_watches_active 1');
    });
  });

  it('leaves no socket and no process behind', async () => {
    const held = () =>
      process.getActiveResourcesInfo().filter((kind) => /TCP|Connect|Process|FS/.test(kind));
    const daemon = await running();
    await start(daemon, 'production');
    await get(`${daemon.url}/metrics`);
    expect(held()).toContain('TCPServerWrap');
    await daemon.end();
    await expect.poll(held).toEqual([]);
  });

  it('refuses a journal that another daemon uses, and leaves that one alone', async () => {
    const first = await running();
    await expect(running(first.folder)).rejects.toMatchObject({
      code: 'journal_failed',
      message: expect.stringContaining('another canaryd is using it'),
    });
    expect(await get(`${first.url}/readyz`)).toMatchObject({ status: 200 });
  });

  it('says that its port is taken and what to do, and lets go of its journal', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const folder = files({ listen: { port } });
    const error = { code: 'usage', message: expect.stringContaining(`127.0.0.1:${port}`) };
    await expect(running(folder)).rejects.toMatchObject(error);
    other.close();
    await once(other, 'close');
    expect(await get(`${(await running(folder)).url}/livez`)).toMatchObject({ status: 200 });
  });

  it('tells of all that is wrong with its config, and creates no journal', async () => {
    const folder = files({ listen: { port: 'high' }, journal: {} });
    await expect(running(folder)).rejects.toMatchObject({
      code: 'config_invalid',
      problems: expect.arrayContaining([
        expect.objectContaining({ path: expect.stringContaining('listen.port') }),
        expect.objectContaining({ path: expect.stringContaining('journal') }),
      ]),
    });
    expect(() => readFileSync(join(folder, 'canaryd.db'))).toThrow('ENOENT');
  });

  it('ends at once when the signal came before', async () => {
    const folder = files();
    const configPath = join(folder, 'canaryd.yaml');
    const signal = AbortSignal.abort();
    await runDaemon({ configPath, env: {}, signal, logPath: join(folder, 'log.jsonl') });
    expect(readFileSync(join(folder, 'log.jsonl'), 'utf8')).toContain('shutting down');
  });

  it('keeps its metrics to itself when there are two in one process', async () => {
    const [one, other] = [await running(), await running()];
    await start(one, 'production');
    await start(one, 'staging');
    await start(other, 'production');
    const active = async ({ url }: Running) =>
      metric((await get(`${url}/metrics`)).text, 'canaryd_watches_active');
    expect(await active(one)).toBe('canaryd_watches_active 2');
    expect(await active(other)).toBe('canaryd_watches_active 1');
  });

  it('finishes the rollback that it is sending, and takes no requests meanwhile', async () => {
    const requested = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const ops = createServer(async (_, response) => {
      requested.resolve();
      await release.promise;
      response.writeHead(202).end();
    }).listen(0, '127.0.0.1');
    await once(ops, 'listening');
    onTestFinished(() => void ops.close());
    const { port } = ops.address() as AddressInfo;
    const folder = files();
    const own = POLICY.replace('127.0.0.1:9/rollback', `127.0.0.1:${port}/rollback`);
    writeFileSync(join(folder, 'shop.yaml'), own);
    const daemon = await running(folder, { ROLLBACK_SECRET: 'hunter2-hunter2' });
    const post = async (path: string, body: unknown) => {
      const headers = { 'content-type': 'application/json' };
      const init = { method: 'POST', headers, body: JSON.stringify(body) };
      return (await (await fetch(`${daemon.url}${path}`, init)).json()) as { id: string };
    };
    const { id } = await post('/v1/watches', { service: 'shop', version: '2' });
    await post(`/v1/watches/${id}/stop`, { by: 'ann', reason: 'test' });
    await requested.promise;
    let isEnded = false;
    const ended = daemon.end().then(() => {
      isEnded = true;
    });
    await expect.poll(() => get(`${daemon.url}/livez`).catch(() => 'refused')).toBe('refused');
    expect(isEnded).toBe(false);
    release.resolve();
    await ended;
    expect(daemon.log()).toContain('action.accepted');
  });
});
