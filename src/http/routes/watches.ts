// Start, list and show watches, and the commands of people. Parses and maps; decides nothing.

import type { z } from 'zod';
import { parseDuration } from '../../core/quantity.ts';
import type { StartCommand, WatchView } from '../../engine/control.ts';
import { CanarydError } from '../../kit/errors.ts';
import { actorOf, idempotencyKeyOf } from '../auth.ts';
import { EXAMPLE_WATCH } from '../examples.ts';
import {
  extendBody,
  humanBody,
  listQuery,
  signBody,
  startBody,
  startHeaders,
  watchParams,
} from '../requests.ts';
import { json, type RouteDeps, type RouteSpec, route } from '../route.ts';
import { toWire } from '../wire.ts';

const TAG = { tag: 'watches' } as const;

export function watchRoutes(deps: RouteDeps): readonly RouteSpec[] {
  return [startRoute(deps), listRoute(deps), showRoute(deps), ...commandRoutes(deps)];
}

function startRoute({ control }: RouteDeps): RouteSpec {
  return route(
    {
      ...TAG,
      method: 'POST',
      url: '/v1/watches',
      operationId: 'startWatch',
      summary: 'Start the watch of a deploy; the same deploy twice is one watch',
      scope: 'start',
      headers: startHeaders,
      body: {
        name: 'Start',
        schema: startBody,
        example: {
          service: 'aurora',
          version: '1.4.0',
          previous_version: '1.3.9',
          deployed_at: '2026-03-01T12:00:00Z',
          parameters: { deploy_capital: 100_000, expected_positions: 12 },
        },
      },
      responses: {
        200: json('The same deploy was started before', 'Watch', EXAMPLE_WATCH),
        201: json('Started', 'Watch', EXAMPLE_WATCH),
      },
      problems: ['start_invalid', 'policy_not_found', 'policy_invalid', 'gate_missing', 'conflict'],
    },
    async ({ body, headers, token, reply }) => {
      const command = startCommand(body, idempotencyKeyOf(headers['idempotency-key']), token);
      const { watch, created } = await control.start(command);
      reply.code(created ? 201 : 200).header('location', `/v1/watches/${watch.id}`);
      return toWire(watch);
    },
  );
}

export function startCommand(
  body: z.output<typeof startBody>,
  idempotencyKey: string | undefined,
  token: string | null,
): StartCommand {
  const { service, version, parameters, environment, policy, mode, url } = body;
  const by = body.by === undefined && token === null ? undefined : actorOf(body.by, token);
  return {
    service,
    version,
    parameters,
    ...(environment === undefined ? {} : { environment }),
    ...(body.previous_version === undefined ? {} : { previousVersion: body.previous_version }),
    ...(body.deployed_at === undefined ? {} : { deployedAtMs: Date.parse(body.deployed_at) }),
    ...(policy === undefined ? {} : { policy }),
    ...(mode === undefined ? {} : { mode }),
    ...(by === undefined ? {} : { by }),
    ...(url === undefined ? {} : { url }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  };
}

function listRoute({ control }: RouteDeps): RouteSpec {
  return route(
    {
      ...TAG,
      method: 'GET',
      url: '/v1/watches',
      operationId: 'listWatches',
      summary: 'Watches, newest first, without their conditions',
      scope: 'read',
      query: listQuery,
      responses: {
        200: json('One page', 'WatchList', { watches: [EXAMPLE_WATCH], next_before: null }),
      },
      problems: ['watch_not_found'],
    },
    async ({ query }) => {
      const { service, environment, phase, active, limit, before } = query;
      const watches = await control.watches({
        limit: limit + 1,
        ...(service === undefined ? {} : { service }),
        ...(environment === undefined ? {} : { environment }),
        ...(phase === undefined ? {} : { phase }),
        ...(active === undefined ? {} : { isActive: active }),
        ...(before === undefined ? {} : { beforeId: before }),
      });
      // One more than asked tells whether there is a next page.
      const page = watches.slice(0, limit);
      const next = watches.length > limit ? (page.at(-1)?.id ?? null) : null;
      return { watches: toWire(page), next_before: next };
    },
  );
}

function showRoute({ control }: RouteDeps): RouteSpec {
  return route(
    {
      ...TAG,
      method: 'GET',
      url: '/v1/watches/:id',
      operationId: 'showWatch',
      summary: 'One watch with its conditions and actions',
      scope: 'read',
      params: watchParams,
      responses: { 200: json('The watch', 'Watch', EXAMPLE_WATCH) },
      problems: ['watch_not_found'],
    },
    async ({ params }) => toWire(await control.watch(params.id)),
  );
}

function commandRoutes({ control }: RouteDeps): readonly RouteSpec[] {
  return [
    humanRoute('stop', 'Disarm and roll back now', (id, who) => control.stop(id, who)),
    humanRoute('cancel', 'End the watch; nothing is rolled back', (id, who) =>
      control.cancel(id, who),
    ),
    humanRoute('ack', 'Say that somebody looks after it', (id, who) =>
      control.acknowledge(id, who),
    ),
    humanRoute('resolve', 'Say that nothing of an ended watch is open any more', (id, who) =>
      control.resolve(id, who),
    ),
    extendRoute(control),
    signRoute(control),
  ];
}

type Human = { readonly by: string; readonly reason: string };

function humanRoute(
  verb: 'stop' | 'cancel' | 'ack' | 'resolve',
  summary: string,
  run: (id: string, command: Human) => Promise<WatchView>,
): RouteSpec {
  return route(
    {
      ...TAG,
      method: 'POST',
      url: `/v1/watches/:id/${verb}`,
      operationId: `${verb}Watch`,
      summary,
      scope: 'act',
      params: watchParams,
      body: {
        name: 'HumanCommand',
        schema: humanBody,
        example: { reason: 'wrong prices at the exchange', by: 'alice' },
      },
      responses: { 200: json('The watch afterwards', 'Watch', EXAMPLE_WATCH) },
      problems: ['watch_not_found', 'watch_closed', 'hold_fire', 'conflict'],
    },
    async ({ params, body, token }) => {
      const command = { by: actorOf(body.by, token), reason: body.reason };
      return toWire(await run(params.id, command));
    },
  );
}

function extendRoute(control: RouteDeps['control']): RouteSpec {
  return route(
    {
      ...TAG,
      method: 'POST',
      url: '/v1/watches/:id/extend',
      operationId: 'extendWatch',
      summary: 'Give the last window more time',
      scope: 'act',
      params: watchParams,
      body: {
        name: 'Extension',
        schema: extendBody,
        example: { by_duration: '2h', reason: 'little traffic today' },
      },
      responses: { 200: json('The watch afterwards', 'Watch', EXAMPLE_WATCH) },
      problems: ['watch_not_found', 'watch_closed', 'conflict'],
    },
    async ({ params, body, token }) => {
      const byMs = parseDuration(body.by_duration);
      if (byMs === null) throw new CanarydError('usage', 'by_duration: not a duration');
      const command = { by: actorOf(body.by, token), reason: body.reason, byMs };
      return toWire(await control.extend(params.id, command));
    },
  );
}

function signRoute(control: RouteDeps['control']): RouteSpec {
  return route(
    {
      ...TAG,
      method: 'POST',
      url: '/v1/watches/:id/sign',
      operationId: 'signWatch',
      summary: 'Sign what the policy asks people for; the verdict stays as it is',
      scope: 'act',
      params: watchParams,
      body: {
        name: 'WatchSignature',
        schema: signBody,
        example: { role: 'engineering_lead', name: 'Ada', note: 'looked at the dashboards' },
      },
      responses: { 200: json('The watch afterwards', 'Watch', EXAMPLE_WATCH) },
      problems: ['usage', 'watch_not_found', 'watch_closed', 'conflict'],
    },
    async ({ params, body, token }) => {
      const { role, name, note = '' } = body;
      const by = actorOf(body.by ?? (token === null ? name : undefined), token);
      const signature = { role, name, by, note: note === '' ? null : note };
      return toWire(await control.sign(params.id, signature));
    },
  );
}
