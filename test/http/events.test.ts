import { get, type IncomingMessage } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { STREAM_LIMITS } from '../../src/http/routes/events.ts';
import { T0 } from '../support/fake-control.ts';
import { api, listening } from '../support/http-server.ts';
import { until } from '../support/until.ts';

async function withWatch(stream = STREAM_LIMITS) {
  const server = api({ limits: { stream } });
  const { watch } = await server.control.start({
    service: 'aurora',
    version: '1',
    parameters: {},
  });
  const url = `${await listening(server)}/v1/watches/${watch.id}/events`;
  return { ...server, id: watch.id, url };
}

/** A client that keeps what it was sent. */
async function listen(url: string, headers: Record<string, string> = {}) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = get(url, { headers }, resolve);
    request.on('error', reject);
    onTestFinished(() => void request.destroy());
  });
  let text = '';
  let ended = false;
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    text += chunk;
  });
  response.on('error', () => {});
  response.on('close', () => {
    ended = true;
  });
  return {
    response,
    text: () => text,
    ended: () => ended,
    names: () => [...text.matchAll(/^event: (.*)$/gm)].map(([, name]) => name),
    ids: () => [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => Number(id)),
  };
}

describe('GET /v1/watches/{id}/events', () => {
  it('replays the journal, then goes on live, and ends with the watch', async () => {
    const { control, id, url } = await withWatch();
    control.happen(id, { type: 'watch.armed', armed: 1, total: 1 });
    const client = await listen(url);
    expect(client.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    await until(() => expect(client.names()).toEqual(['watch.started', 'watch.armed', 'tick']));
    control.happen(id, { type: 'watch.resumed', awayMs: 7 });
    await until(() => expect(client.ids()).toEqual([1, 2, 3]));
    await control.cancel(id, { by: 'alice', reason: 'enough' });
    await until(() => expect(client.ended()).toBe(true));
    expect(client.ids()).toEqual([1, 2, 3, 4]);
    expect(client.names().at(-1)).toBe('end');
    expect(control.listeners.size).toBe(0);
  });

  it('goes on after Last-Event-ID', async () => {
    const { control, id, url } = await withWatch();
    control.happen(id, { type: 'watch.resumed', awayMs: 1 });
    control.happen(id, { type: 'watch.resumed', awayMs: 2 });
    const client = await listen(url, { 'last-event-id': '2' });
    await until(() => expect(client.ids()).toEqual([3]));
  });

  it('stays open while a rollback is being verified', async () => {
    const { control, id, url } = await withWatch();
    control.happen(id, {
      type: 'watch.stopped',
      cause: 'condition',
      by: 'canaryd',
      reason: 'fill rate',
      conditions: [],
      blind: [],
      mode: 'act',
      actions: ['rollback'],
      verifies: true,
    });
    const client = await listen(url);
    await until(() => expect(client.names()).toContain('tick'));
    control.happen(id, {
      type: 'rollback.not_confirmed',
      action: 'rollback',
      reason: 'not_accepted',
      because: [],
    });
    await until(() => expect(client.ended()).toBe(true));
    expect(client.names().slice(-2)).toEqual(['rollback.not_confirmed', 'end']);
  });

  it('shows the watch after each tick', async () => {
    const { control, id, url } = await withWatch();
    const client = await listen(url);
    await until(() => expect(client.names()).toContain('tick'));
    control.tick(id, { atMs: T0 + 5_000, readings: {} });
    await until(() => expect(client.text()).toContain('"last_tick_at":"2026-03-01T12:00:05'));
  });

  it('sends every event once and in order, however they arrive', async () => {
    const { control, id, url } = await withWatch();
    const client = await listen(url);
    for (let index = 0; index < 1_500; index += 1) {
      control.happen(id, { type: 'watch.resumed', awayMs: index });
    }
    const all = Array.from({ length: 1_501 }, (_, index) => index + 1);
    await until(() => expect(client.ids()).toEqual(all));
  });

  it('sends comments while nothing happens', async () => {
    const { url } = await withWatch({ ...STREAM_LIMITS, heartbeatMs: 20 });
    const client = await listen(url);
    await until(() => expect(client.text()).toContain(': heartbeat\n\n'));
  });

  it('serves a bounded number of clients, and another one when one has left', async () => {
    const { url } = await withWatch({ ...STREAM_LIMITS, clientsMax: 1 });
    const first = await listen(url);
    const refused = await listen(url);
    expect(refused.response.statusCode).toBe(503);
    expect(refused.response.headers['retry-after']).toBe('10');
    first.response.destroy();
    await until(async () => expect((await listen(url)).response.statusCode).toBe(200));
  });

  it('cuts off a client that does not read', async () => {
    const limits = { ...STREAM_LIMITS, unsentBytesMax: 1_000, heartbeatMs: 10 };
    const { control, id, url } = await withWatch(limits);
    const client = await listen(url);
    client.response.pause();
    const because = ['x'.repeat(10_000_000)];
    control.happen(id, {
      type: 'rollback.not_confirmed',
      action: 'rollback',
      reason: 'not_verified',
      because,
    });
    await until(() => expect(control.listeners.size).toBe(0));
  });

  it('lets go of a client that left', async () => {
    const { control, url } = await withWatch();
    const client = await listen(url);
    await until(() => expect(control.listeners.size).toBe(1));
    client.response.destroy();
    await until(() => expect(control.listeners.size).toBe(0));
  });

  it('ends when the server shuts down', async () => {
    const { app, url } = await withWatch();
    const client = await listen(url);
    await app.close();
    await until(() => expect(client.ended()).toBe(true));
    // An orderly end, not a cut connection.
    expect(client.response.complete).toBe(true);
  });

  it('of a missing watch is a problem', async () => {
    const { url } = await withWatch();
    const client = await listen(url.replace(/w_\w+/, 'w_missing'));
    expect(client.response.statusCode).toBe(404);
    expect(client.response.headers['content-type']).toBe('application/problem+json');
  });

  it('refuses a cursor that is none', async () => {
    const { url } = await withWatch();
    const client = await listen(url, { 'last-event-id': 'abc' });
    expect(client.response.statusCode).toBe(400);
  });
});
