// A server that answers like Prometheus, or like nothing at all, and the readings that the real
// source makes of it.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { expect } from 'vitest';
import type { ReadRequest, SeriesIndicator } from '../../src/core/read.ts';
import { BLIND_REASONS, type Reading } from '../../src/core/sample.ts';
import { aRatio, T0 } from '../support/build.ts';

export const AT_MS = T0 + 60_000;
const QUERY_ENDS = '0ms';

/** All that is sent for one request, and whether the socket is closed then. */
export type Reply = {
  readonly head?: string;
  readonly bytes: Buffer | string;
  readonly end: boolean;
  /** Sent again and again, as long as the socket takes it. */
  readonly endless?: boolean;
};

export type FakeApi = { readonly url: string; reply: (query: string) => Reply; close(): void };

export async function fakeApi(): Promise<FakeApi> {
  const sockets = new Set<Socket>();
  const api = { url: '', reply: (_: string): Reply => ({ bytes: '', end: true }), close() {} };
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // The client may leave at any time; that is the point.
    socket.on('error', () => {});
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      // The time limit is the last field of the form.
      if (!text.endsWith(QUERY_ENDS)) return;
      const query = new URLSearchParams(text.slice(text.indexOf('\r\n\r\n') + 4)).get('query');
      text = '';
      answer(socket, api.reply(query ?? ''));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return Object.assign(api, {
    url: `http://127.0.0.1:${port}`,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
}

function answer(socket: Socket, { head = '', bytes, end, endless }: Reply): void {
  socket.write(head);
  socket.write(bytes);
  if (endless === true) {
    const more = () => {
      while (!socket.destroyed && socket.write(bytes)) {
        // Until the socket is full; it says when it is not.
      }
    };
    socket.on('drain', more);
    more();
  }
  if (end) socket.end();
}

export function http(
  body: Buffer | string,
  more: readonly string[] = [],
  status = '200 OK',
): Reply {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body);
  const lines = [`HTTP/1.1 ${status}`, `content-length: ${bytes.length}`, ...more, '', ''];
  return { bytes: Buffer.concat([Buffer.from(lines.join('\r\n')), bytes]), end: false };
}

export const json = (value: unknown): Reply =>
  http(JSON.stringify(value), ['content-type: application/json']);

const selector = (metric: string) => ({ metric, matchers: [] });
const common = { title: 'x', unit: 'number' } as const;
const promql = { ...common, kind: 'promql', overMs: null, waitMs: 0 } as const;

/** One of each kind, and two expressions. */
export const INDICATORS: readonly SeriesIndicator[] = [
  aRatio({ id: 'ratio', numerator: selector('good'), total: selector('all') }),
  {
    ...{ ...common, kind: 'quantile', id: 'quantile', histogram: selector('lat') },
    ...{ q: 0.9, minTotal: 1, overMs: 60_000, early: 'shorten' },
  },
  {
    ...{ ...common, kind: 'rate', id: 'rate', counter: selector('all') },
    ...{ aggregate: 'sum', overMs: 60_000, early: 'shorten' },
  },
  {
    ...{ ...common, kind: 'increase', id: 'increase', counter: selector('all') },
    ...{ overMs: null, early: 'shorten' },
  },
  {
    ...{ ...common, kind: 'gauge', id: 'gauge', metric: selector('all') },
    ...{ aggregate: 'one', negate: false },
  },
  { ...promql, id: 'first', promql: 'first' },
  { ...promql, id: 'second', promql: 'second' },
];

export function request(over: Partial<ReadRequest> = {}): ReadRequest {
  return {
    watchId: 'w_1',
    indicators: INDICATORS,
    atMs: AT_MS,
    deployedAtMs: T0,
    staleAfterMs: 30_000,
    previous: {},
    signal: new AbortController().signal,
    ...over,
  };
}

/** One reading for each indicator, each of them whole. */
export function expectSound(readings: Readonly<Record<string, Reading>>): void {
  expect(Object.keys(readings).sort()).toEqual(INDICATORS.map(({ id }) => id).sort());
  for (const reading of Object.values(readings)) {
    expect(problemOf(reading), JSON.stringify(reading)).toBeNull();
  }
}

function problemOf(reading: Reading): string | null {
  const { detail = '', counts, sinceDeploy } = reading;
  if ([...detail].length > 300) return `${detail.length} characters`;
  if (reading.kind === 'value' && !Number.isFinite(reading.value)) return 'a value not finite';
  if (reading.kind === 'blind') {
    if (!BLIND_REASONS.includes(reading.reason)) return 'no such reason';
    if (reading.detail === '') return 'blind without a word';
  }
  const figures = [counts, sinceDeploy].flatMap((one) => (one ? [one.part, one.total] : []));
  return figures.every((figure) => Number.isFinite(figure) && figure >= 0) ? null : 'counts';
}
