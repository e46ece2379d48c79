// A webhook receiver as an operator would write one: checks the signature with the public
// `standardwebhooks` package, does each idempotency key once, and can be told to misbehave.
// Needs no test runner.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export type ReceivedRequest = {
  readonly method: string;
  readonly path: string;
  /** With the query. */
  readonly target: string;
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly json: unknown;
  readonly atMs: number;
  /** The signature fits the secret; always true without a secret. */
  readonly valid: boolean;
  /** The receiver took it on, whether or not it said so. */
  readonly accepted: boolean;
};

export type ReceiverScript = {
  respond(status: number, headers?: Record<string, string>, body?: string): void;
  /** Reads the request, does nothing, never answers. */
  hang(): void;
  /** Reads the request and cuts the connection. */
  reset(): void;
  /** Does what it is asked, but never says so. */
  acceptThenHang(): void;
  /** Back to 202. */
  accept(): void;
};

export type Receiver = ReceiverScript & {
  readonly url: string;
  readonly requests: readonly ReceivedRequest[];
  /** For this path only; goes before what is set for all. */
  path(path: string): ReceiverScript & { readonly once: ReceiverScript };
  /** For the next request only; calls queue up. */
  readonly once: ReceiverScript;
  /** Different idempotency keys that were accepted, on this path or on all. */
  keys(path?: string): readonly string[];
  close(): Promise<void>;
};

type Behaviour =
  | {
      readonly kind: 'respond';
      readonly status: number;
      readonly headers: Record<string, string>;
      readonly body: string;
    }
  | { readonly kind: 'hang' | 'reset' | 'acceptThenHang' };

const ACCEPT: Behaviour = { kind: 'respond', status: 202, headers: {}, body: '' };
const BODY_BYTES_MAX = 1_000_000;

export type ReceiverOptions = {
  readonly secret?: string | null;
  readonly port?: number;
  /** Called when a request has been read, before it is answered. */
  readonly onRequest?: (request: ReceivedRequest) => void | Promise<void>;
};

export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const webhook = options.secret ? webhookOf(options.secret) : null;
  const requests: ReceivedRequest[] = [];
  const always = new Map<string, Behaviour>();
  const queues = new Map<string, Behaviour[]>();

  function next(path: string): Behaviour {
    for (const key of [path, '']) {
      const queued = queues.get(key)?.shift();
      if (queued) return queued;
    }
    return always.get(path) ?? always.get('') ?? ACCEPT;
  }

  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const behaviour = next(path);
    const received = receivedOf(request, body, webhook);
    const accepted = received.valid && isAccepting(behaviour);
    const whole = { ...received, path, accepted };
    requests.push(whole);
    await options.onRequest?.(whole);
    if (received.valid) behave(behaviour, request, response);
    else response.writeHead(401).end('signature does not match');
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const setAlways = (key: string) => script((behaviour) => always.set(key, behaviour));
  const setOnce = (key: string) =>
    script((behaviour) => queues.set(key, [...(queues.get(key) ?? []), behaviour]));
  return {
    ...setAlways(''),
    url: `http://127.0.0.1:${port}`,
    requests,
    path: (path) => ({ ...setAlways(path), once: setOnce(path) }),
    once: setOnce(''),
    keys: (path) => [
      ...new Set(
        requests
          .filter((request) => request.accepted && (path === undefined || request.path === path))
          .map((request) => request.id),
      ),
    ],
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function webhookOf(secret: string): Webhook {
  return secret.startsWith('whsec_')
    ? new Webhook(secret)
    : new Webhook(new TextEncoder().encode(secret), { format: 'raw' });
}

function script(set: (behaviour: Behaviour) => void): ReceiverScript {
  return {
    respond: (status, headers = {}, body = '') => set({ kind: 'respond', status, headers, body }),
    hang: () => set({ kind: 'hang' }),
    reset: () => set({ kind: 'reset' }),
    acceptThenHang: () => set({ kind: 'acceptThenHang' }),
    accept: () => set(ACCEPT),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function receivedOf(
  request: IncomingMessage,
  body: string,
  webhook: Webhook | null,
): Omit<ReceivedRequest, 'path' | 'accepted'> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) headers[name] = String(value);
  return {
    method: request.method ?? '',
    target: request.url ?? '/',
    id: headers['idempotency-key'] ?? headers['webhook-id'] ?? '',
    headers,
    body,
    json: parsed(body),
    atMs: Date.now(),
    valid: webhook === null || verifies(webhook, body, headers),
  };
}

function verifies(webhook: Webhook, body: string, headers: Record<string, string>): boolean {
  try {
    webhook.verify(body, headers, { jsonParse: false });
    return true;
  } catch {
    return false;
  }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}

function isAccepting(behaviour: Behaviour): boolean {
  return behaviour.kind === 'respond'
    ? behaviour.status >= 200 && behaviour.status < 300
    : behaviour.kind === 'acceptThenHang';
}

function behave(behaviour: Behaviour, request: IncomingMessage, response: ServerResponse): void {
  if (behaviour.kind === 'respond') {
    response.writeHead(behaviour.status, behaviour.headers).end(behaviour.body);
  } else if (behaviour.kind === 'reset') {
    request.socket.resetAndDestroy();
  }
}
