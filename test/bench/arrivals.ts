// Where requests to roll back arrive: those of Alertmanager and those of canaryd. Notes the first
// for each setting and deploy, and whether it came for the right reason.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Arrivals = {
  readonly url: string;
  /** When the first request came for this deploy; undefined: none yet. */
  first(setting: string, deploy: string): number | undefined;
  stop(): Promise<void>;
};

type Alerts = {
  readonly alerts: readonly {
    readonly status: string;
    readonly labels: Readonly<Record<string, string>>;
  }[];
};
type Rollback = { readonly data: { readonly service: string; readonly environment: string } };

export async function startArrivals(): Promise<Arrivals> {
  const firsts = new Map<string, number>();
  const note = (setting: string, deploy: string, atMs: number) => {
    const key = `${setting} ${deploy}`;
    if (!firsts.has(key)) firsts.set(key, atMs);
  };
  const server = createServer((request, response) => {
    const atMs = Date.now();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.writeHead(202).end();
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
      if (request.url === '/alerts') {
        for (const { status, labels } of (body as Alerts).alerts) {
          if (status === 'firing') note(labels['setting'] ?? '', labels['deploy'] ?? '', atMs);
        }
      } else if (request.url === '/rollback') {
        const { service, environment } = (body as Rollback).data;
        note(service, environment, atMs);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    first: (setting, deploy) => firsts.get(`${setting} ${deploy}`),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
