// What the page needs besides the rest of the API: values for charts, and who asks.
import { setImmediate as turn } from 'node:timers/promises';
import type { z } from 'zod';
import { SCOPES } from '../auth.ts';
import { seriesQuery, watchParams } from '../requests.ts';
import { json, type RouteDeps, type RouteSpec, route } from '../route.ts';
import { toWire } from '../wire.ts';
import { type Series, SeriesBuilder } from './series.ts';

/** Ticks read at once; between two such pages others get their turn. */
const PAGE = 250;
/** A day of a tick each second, and some. Of longer spans the end is shown. */
const TICKS_MAX = 100_000;

export function dataRoutes(deps: RouteDeps): readonly RouteSpec[] {
  return [seriesOf(deps), me(deps)];
}

function seriesOf({ control }: RouteDeps): RouteSpec {
  const underway = new Map<string, Promise<Series>>();
  return route(
    {
      tag: 'watches',
      method: 'GET',
      url: '/v1/watches/:id/series',
      operationId: 'readSeries',
      summary: 'Values of each indicator for charts: few points that keep the extremes',
      scope: 'read',
      params: watchParams,
      query: seriesQuery,
      responses: {
        200: json('Values, oldest first', 'Series', {
          from_at_ms: 1_772_366_400_000,
          to_at_ms: 1_772_366_460_000,
          step_ms: 600,
          ticks: 1,
          series: [
            { indicator: 'fill_rate', points: [[1_772_366_405_000, 0.982]], blind: [], gaps: [] },
          ],
        }),
      },
      problems: ['watch_not_found'],
    },
    async ({ params: { id }, query }) => {
      const key = JSON.stringify([id, query]);
      // When a message wakes ten people, they open the same page in the same second.
      let reading = underway.get(key);
      if (reading === undefined) {
        reading = readSeries(control, id, query).finally(() => underway.delete(key));
        underway.set(key, reading);
      }
      return toWire(await reading);
    },
  );
}

async function readSeries(
  control: RouteDeps['control'],
  id: string,
  { from, to, points }: z.output<typeof seriesQuery>,
): Promise<Series> {
  const { deployedAt, startedAt, lastTickAt, intervalMs } = await control.watch(id);
  const toMs = Date.parse(to ?? lastTickAt ?? startedAt);
  const fromMs = Math.max(Date.parse(from ?? deployedAt), toMs - TICKS_MAX * intervalMs);
  const builder = new SeriesBuilder(fromMs, toMs, points, intervalMs);
  let next = fromMs;
  for (let read = 0; read < TICKS_MAX; read += PAGE) {
    const ticks = await control.ticks(id, next, toMs, PAGE);
    for (const tick of ticks) builder.add(tick);
    const last = ticks.at(-1);
    if (last === undefined || ticks.length < PAGE) break;
    next = last.atMs + 1;
    await turn();
  }
  return builder.build();
}

function me({ tokens = [] }: RouteDeps): RouteSpec {
  return route(
    {
      tag: 'daemon',
      method: 'GET',
      url: '/v1/me',
      operationId: 'showMe',
      summary: 'Whose token this is, and what it may do',
      scope: 'read',
      responses: { 200: json('Who asks', 'Me', { token: 'oncall', scopes: ['read', 'act'] }) },
      problems: [],
    },
    async ({ token }) => {
      const scopes = tokens.find(({ name }) => name === token)?.scopes;
      return { token, scopes: scopes ?? SCOPES };
    },
  );
}
