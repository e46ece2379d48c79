// The hold-fire switch: while it is on nothing is rolled back, everywhere.
import { actorOf } from '../auth.ts';
import { humanBody, releaseQuery } from '../requests.ts';
import { json, type RouteDeps, type RouteSpec, route } from '../route.ts';
import { toWire } from '../wire.ts';

const HOLD = { tag: 'hold', url: '/v1/hold' } as const;
const EXAMPLE = {
  hold: { by: 'alice', reason: 'exchange maintenance', since_ms: 1_772_366_400_000 },
};

export function holdRoutes({ control, logger }: RouteDeps): readonly RouteSpec[] {
  return [
    route(
      {
        ...HOLD,
        method: 'GET',
        operationId: 'showHold',
        summary: 'Whether canaryd holds fire',
        scope: 'read',
        responses: { 200: json('The switch', 'Hold', EXAMPLE) },
        problems: [],
      },
      async () => ({ hold: toWire(await control.hold()) }),
    ),
    route(
      {
        ...HOLD,
        method: 'POST',
        operationId: 'holdFire',
        summary: 'Observe only, everywhere, until released',
        scope: 'act',
        body: {
          name: 'HumanCommand',
          schema: humanBody,
          example: { reason: 'exchange maintenance' },
        },
        responses: { 200: json('The switch afterwards', 'Hold', EXAMPLE) },
        problems: ['conflict'],
      },
      async ({ body, token }) => {
        const command = { by: actorOf(body.by, token), reason: body.reason };
        const hold = await control.setHold(command);
        logger.warn(command, 'hold fire: nothing is rolled back until released');
        return { hold: toWire(hold) };
      },
    ),
    route(
      {
        ...HOLD,
        method: 'DELETE',
        operationId: 'release',
        summary: 'End hold fire: policies act again',
        scope: 'act',
        query: releaseQuery,
        responses: { 200: json('The switch afterwards', 'Hold', { hold: null }) },
        problems: ['conflict'],
      },
      async ({ query, token }) => {
        const command = { by: actorOf(query.by, token), reason: query.reason };
        await control.release(command);
        logger.warn(command, 'hold fire released');
        return { hold: null };
      },
    ),
  ];
}
