// Read what is written about a watch: events, samples, deliveries.
import { Readable } from 'node:stream';
import type { WatchEvent } from '../../core/event.ts';
import { EXAMPLE_EVENT } from '../examples.ts';
import { journalQuery, samplesQuery, watchParams } from '../requests.ts';
import { json, type RouteDeps, type RouteSpec, route } from '../route.ts';
import { toWire } from '../wire.ts';

const READ = { tag: 'watches', method: 'GET', scope: 'read', params: watchParams } as const;
const JSONL = 'application/jsonl';
/** Events read at once for an export. */
const EXPORT_PAGE = 500;
/** A watch has some hundred events; more than this is no watch of ours. */
const EXPORT_EVENTS_MAX = 100_000;

export function journalRoutes(deps: RouteDeps): readonly RouteSpec[] {
  return [eventsOf(deps), samplesOf(deps), deliveriesOf(deps)];
}

function eventsOf({ control }: RouteDeps): RouteSpec {
  return route(
    {
      ...READ,
      url: '/v1/watches/:id/journal',
      operationId: 'readJournal',
      summary: 'Events of a watch, oldest first; as JSON Lines with accept: application/jsonl',
      query: journalQuery,
      responses: {
        200: json('One page', 'Journal', { events: [EXAMPLE_EVENT], next_after: null }),
      },
      problems: ['watch_not_found'],
    },
    async ({ params, query, request, reply }) => {
      const { after, limit } = query;
      const wantsLines = query.format === 'jsonl' || acceptsLines(request.headers.accept);
      if (wantsLines && query.format !== 'json') {
        // The first page is read before the head is sent, so that a missing watch is a 404.
        const first = await control.events(params.id, after, EXPORT_PAGE);
        reply.header('content-type', `${JSONL}; charset=utf-8`);
        return Readable.from(lines(first, (seq) => control.events(params.id, seq, EXPORT_PAGE)));
      }
      const events = await control.events(params.id, after, limit + 1);
      const page = events.slice(0, limit);
      const next = events.length > limit ? (page.at(-1)?.seq ?? null) : null;
      return { events: toWire(page), next_after: next };
    },
  );
}

function acceptsLines(accept: string | undefined): boolean {
  return (accept ?? '').toLowerCase().includes(JSONL);
}

async function* lines(
  first: readonly WatchEvent[],
  more: (afterSeq: number) => Promise<readonly WatchEvent[]>,
): AsyncGenerator<string> {
  let page = first;
  for (let sent = 0; page.length > 0 && sent < EXPORT_EVENTS_MAX; sent += page.length) {
    yield page.map((event) => `${JSON.stringify(toWire(event))}\n`).join('');
    const last = page.at(-1)?.seq ?? 0;
    page = page.length < EXPORT_PAGE ? [] : await more(last);
  }
}

function samplesOf({ control, clock }: RouteDeps): RouteSpec {
  return route(
    {
      ...READ,
      url: '/v1/watches/:id/samples',
      operationId: 'readSamples',
      summary: 'Readings of a watch, oldest first',
      query: samplesQuery,
      responses: {
        200: json('One page', 'Samples', {
          samples: [
            {
              at_ms: 1_772_366_400_000,
              readings: { fill_rate: { kind: 'value', value: 0.982 } },
            },
          ],
          next_from: null,
        }),
      },
      problems: ['watch_not_found'],
    },
    async ({ params, query }) => {
      const fromMs = query.from === undefined ? 0 : Date.parse(query.from);
      const toMs = query.to === undefined ? clock.now() : Date.parse(query.to);
      const ticks = await control.ticks(params.id, fromMs, toMs, query.limit + 1);
      const next = ticks[query.limit];
      return {
        samples: toWire(ticks.slice(0, query.limit)),
        next_from: next === undefined ? null : new Date(next.atMs).toISOString(),
      };
    },
  );
}

function deliveriesOf({ control }: RouteDeps): RouteSpec {
  return route(
    {
      ...READ,
      url: '/v1/watches/:id/deliveries',
      operationId: 'readDeliveries',
      summary: 'Planned sends of a watch and what came of them',
      responses: { 200: json('All of them', 'Deliveries', { deliveries: [] }) },
      problems: ['watch_not_found'],
    },
    async ({ params }) => ({ deliveries: toWire(await control.deliveries(params.id)) }),
  );
}
