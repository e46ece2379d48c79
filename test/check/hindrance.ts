// A real Prometheus behind something that hinders: a gateway with limits, a store that is half
// there, an endpoint that hangs.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** What was asked: `/query`, `/label/__name__/values`, …, and the query or the parameters. */
export type Asked = { readonly path: string; readonly text: string };
export type Answer = { readonly status?: number; readonly body: unknown };

/**
 * - a function: what to answer instead of the true answer
 * - `undefined`: the true answer
 * - `hangs`: none, ever
 */
export type Hindrance = (asked: Asked, truth: unknown) => Answer | 'hangs' | undefined;

export type Hindered = { readonly url: string; readonly asked: readonly Asked[] };

export async function hindered(url: string, hinder: Hindrance): Promise<Hindered> {
  const all: Asked[] = [];
  const server = createServer(async (request, response) => {
    const form = await textOf(request);
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x');
    const text = new URLSearchParams(form).get('query') ?? searchParams.toString();
    const asked = { path: pathname.replace('/api/v1', ''), text: decodeURIComponent(text) };
    all.push(asked);
    const truth = await fetch(`${url}${request.url}`, {
      method: request.method ?? 'GET',
      headers: { 'content-type': request.headers['content-type'] ?? 'text/plain' },
      ...(request.method === 'POST' && { body: form }),
    });
    const told: unknown = await truth.json();
    const answer = hinder(asked, told) ?? { status: truth.status, body: told };
    if (answer === 'hangs') return;
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer.body));
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: all };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}
