// A real HTTP server on a free port of loopback, whose answers a test sets.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

type Headers = Readonly<Record<string, string>>;

export type SiteAnswer = {
  readonly status?: number;
  /** A function is asked each time: a nonce is another one in each answer. */
  readonly headers?: Headers | (() => Headers);
  /** What is no text is sent as JSON; a function is asked each time. */
  readonly body?: unknown;
  readonly afterMs?: number;
  /** Never answered. */
  readonly hangs?: boolean;
};

export type Site = {
  /** `127.0.0.1:40123` */
  readonly host: string;
  /** By `GET /path?query`, else by `GET /path`; what is not there is 404. */
  set(answers: Readonly<Record<string, SiteAnswer>>): void;
  stop(): Promise<void>;
};

export async function startSite(): Promise<Site> {
  let known: Readonly<Record<string, SiteAnswer>> = {};
  const server = createServer((request, response) => {
    request.resume();
    const path = request.url?.split('?')[0];
    const answer = known[`${request.method} ${request.url}`] ??
      known[`${request.method} ${path}`] ?? { status: 404, body: 'Not Found' };
    if (answer.hangs) return;
    const written = typeof answer.body === 'function' ? answer.body(request) : answer.body;
    const isText = typeof written === 'string';
    const type = isText ? 'text/plain; charset=utf-8' : 'application/json';
    setTimeout(() => {
      const { status = 200, headers = {} } = answer;
      const more = typeof headers === 'function' ? headers() : headers;
      response.writeHead(status, { 'content-type': type, ...more });
      response.end(isText ? written : JSON.stringify(written ?? { status: 'ok' }));
    }, answer.afterMs ?? 0);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    set: (answers) => {
      known = answers;
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
