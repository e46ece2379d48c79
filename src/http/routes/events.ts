// Server-sent events of one watch: its journal from `Last-Event-ID` on, then live. The journal is
// the only truth: a change merely wakes the pump, which reads on from the last event sent, so that
// nothing is sent twice, out of order or not at all.
import type { ServerResponse } from 'node:http';
import type { WatchView } from '../../engine/control.ts';
import { type Loop, startLoop } from '../../kit/loop.ts';
import { HttpError } from '../problem.ts';
import { eventsHeaders, watchParams } from '../requests.ts';
import { type RouteDeps, type RouteSpec, route } from '../route.ts';
import { toWire } from '../wire.ts';

export type StreamLimits = {
  /** Each client holds a socket and a subscription. */
  readonly clientsMax: number;
  /** Proxies cut a connection that is silent for longer. */
  readonly heartbeatMs: number;
  /** A client that does not read is cut off: it must not fill our memory. */
  readonly unsentBytesMax: number;
};

export const STREAM_LIMITS: StreamLimits = {
  clientsMax: 64,
  heartbeatMs: 15_000,
  unsentBytesMax: 1_000_000,
};

const PAGE = 500;

/** The open streams, so that a shutdown can end them. */
export type Streams = { readonly open: Set<() => void> };

export function eventsRoute(deps: RouteDeps, streams: Streams, limits: StreamLimits): RouteSpec {
  // Counts from before the first await: many requests at once must not slip past the limit.
  let clients = 0;
  return route(
    {
      method: 'GET',
      url: '/v1/watches/:id/events',
      operationId: 'streamEvents',
      summary: 'Events of a watch as they happen (server-sent events)',
      tag: 'watches',
      scope: 'read',
      isStream: true,
      params: watchParams,
      headers: eventsHeaders,
      responses: {
        200: {
          description: 'Journal events by type, `tick` with the watch, `end` when it is over',
          mediaType: 'text/event-stream',
          schema: null,
        },
      },
      problems: ['watch_not_found', 'too_many_clients'],
    },
    async ({ params, headers, reply, request }) => {
      if (clients >= limits.clientsMax) {
        const detail = `${limits.clientsMax} clients listen already; poll the journal instead`;
        throw new HttpError('too_many_clients', detail, { headers: { 'retry-after': '10' } });
      }
      clients += 1;
      const free = () => {
        clients -= 1;
      };
      try {
        await deps.control.watch(params.id);
      } catch (error) {
        free();
        throw error;
      }
      reply.hijack();
      reply.raw.once('close', free);
      if (request.raw.destroyed) return void reply.raw.destroy();
      const after = Number(headers['last-event-id'] ?? 0);
      stream({ deps, streams, limits, id: params.id, after, out: reply.raw });
    },
  );
}

function stream(options: {
  readonly deps: RouteDeps;
  readonly streams: Streams;
  readonly limits: StreamLimits;
  readonly id: string;
  readonly after: number;
  readonly out: ServerResponse;
}): void {
  const { deps, streams, limits, id, out } = options;
  const { control, clock, logger } = deps;
  let lastSeq = options.after;
  let shownTickAt: string | null | undefined;
  out.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  out.flushHeaders();
  out.on('error', () => out.destroy());

  async function pump(): Promise<undefined> {
    if (out.destroyed || out.writableEnded) return;
    if (out.writableLength > limits.unsentBytesMax) return void out.destroy();
    // Before the events: what ends between the two reads is seen in the next run.
    const view = await control.watch(id);
    let quiet = await replay();
    // Ticks of another replica are not announced here: its track shows them.
    if (view.lastTickAt !== shownTickAt) {
      shownTickAt = view.lastTickAt;
      quiet = false;
      write('tick', view);
    }
    if (!view.active) {
      write('end', view);
      out.end();
    } else if (quiet) {
      out.write(': heartbeat\n\n');
    }
  }

  async function replay(): Promise<boolean> {
    let quiet = true;
    while (!out.destroyed) {
      const page = await control.events(id, lastSeq, PAGE);
      for (const event of page) {
        lastSeq = event.seq;
        quiet = false;
        out.write(frame(event.type, toWire(event), event.seq));
      }
      if (page.length < PAGE || out.writableLength > limits.unsentBytesMax) break;
    }
    return quiet;
  }

  function write(name: string, view: WatchView): void {
    out.write(frame(name, toWire(view), null));
  }

  const loop: Loop = startLoop({
    clock,
    everyMs: limits.heartbeatMs,
    work: pump,
    onError: (error) => {
      logger.warn({ err: error, watchId: id }, 'event stream ended early');
      out.destroy();
    },
  });
  const unsubscribe = control.subscribe(id, (change) => {
    if (change.kind !== 'event') shownTickAt = undefined;
    loop.poke();
  });
  const end = () => out.end();
  streams.open.add(end);
  out.once('close', () => {
    streams.open.delete(end);
    unsubscribe();
    void loop.stop();
  });
}

/** One SSE frame. The data is one line of JSON, which cannot hold a line break. */
function frame(name: string, data: unknown, id: number | null): string {
  const idLine = id === null ? '' : `id: ${id}\n`;
  return `${idLine}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
