// A service that is spoken to by HTTP, with the troubles that all of them have: scripted answers, a
// hang, a cut connection. What it makes of a good request is the fake's own (`fake-pagerduty.ts` and
// the like). Needs no test runner.
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Server } from 'node:net';

export type Json = Readonly<Record<string, unknown>>;

export type ServiceRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Null when the text is no JSON. */
  readonly body: unknown;
};

export type ServiceAnswer = {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
};

export type FakeService = {
  readonly url: string;
  /** All that came, also what was refused or never answered. */
  readonly requests: readonly ServiceRequest[];
  /** The next request gets this answer; calls queue up. A body that is a text is sent as it is. */
  respondOnce(status: number, body: unknown, headers?: Readonly<Record<string, string>>): void;
  /** Never answers until `up()`; `accept`: what came counts all the same. */
  hang(options?: { readonly accept?: boolean }): void;
  /** Cuts every connection until `up()`. */
  down(): void;
  up(): void;
  /** As at the beginning, with nothing received. */
  reset(): void;
  close(): Promise<void>;
};

const BODY_BYTES_MAX = 2_000_000;

export async function startFakeService(
  answer: (request: ServiceRequest) => ServiceAnswer,
  create: (listener: RequestListener) => Server = createServer,
): Promise<FakeService> {
  const requests: ServiceRequest[] = [];
  const queue: ServiceAnswer[] = [];
  let mode: 'up' | 'hang' | 'accept' | 'down' = 'up';

  async function handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await textOf(message);
    const { method = '', url: path = '', headers } = message;
    const request = { method, path, headers, text, body: parse(text) };
    requests.push(request);
    if (mode === 'down') return void message.socket.resetAndDestroy();
    if (mode === 'accept') answer(request);
    if (mode !== 'up') return;
    const { status, body, headers: more = {} } = queue.shift() ?? answer(request);
    const isText = typeof body === 'string';
    response.writeHead(status, {
      'content-type': isText ? 'text/plain' : 'application/json',
      ...more,
    });
    response.end(isText ? body : JSON.stringify(body));
  }

  const server = create((request, response) => void handle(request, response).catch(() => {}));
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    respondOnce: (status, body, headers = {}) => queue.push({ status, body, headers }),
    hang({ accept = false } = {}) {
      mode = accept ? 'accept' : 'hang';
    },
    down() {
      mode = 'down';
    },
    up() {
      mode = 'up';
    },
    reset() {
      mode = 'up';
      queue.length = 0;
      requests.length = 0;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isText(value: unknown, max: number): value is string {
  return typeof value === 'string' && value.trim() !== '' && value.length <= max;
}
