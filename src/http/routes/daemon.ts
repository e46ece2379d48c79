// What machines ask of the daemon itself: probes, metrics, the description of the API. No token.
import { probeQuery } from '../requests.ts';
import { json, type ResponseSpec, type RouteDeps, type RouteSpec, route } from '../route.ts';

const PROBE = { tag: 'daemon', method: 'GET', scope: null } as const;

export function daemonRoutes(deps: RouteDeps, document: () => unknown): readonly RouteSpec[] {
  return [
    probe(deps, 'live', 'Evaluation makes progress; if not, restart the daemon'),
    probe(deps, 'ready', 'Able to take and judge watches'),
    route(
      {
        ...PROBE,
        url: '/metrics',
        operationId: 'metrics',
        summary: "canaryd's own metrics, for Prometheus",
        responses: { 200: text('Prometheus text format') },
        problems: [],
      },
      async ({ reply }) => {
        const { contentType, body } = await deps.metricsText();
        reply.header('content-type', contentType);
        return body;
      },
    ),
    route(
      {
        ...PROBE,
        url: '/openapi.json',
        operationId: 'openapi',
        summary: 'This document',
        responses: { 200: json('OpenAPI 3.1', 'Document') },
        problems: [],
      },
      async () => document(),
    ),
  ];
}

function text(description: string): ResponseSpec {
  return { description, mediaType: 'text/plain', schema: null };
}

function probe({ control, logger }: RouteDeps, kind: 'live' | 'ready', summary: string) {
  return route(
    {
      ...PROBE,
      url: `/${kind}z`,
      operationId: `${kind}z`,
      summary,
      query: probeQuery,
      responses: { 200: text('Yes'), 503: text('No') },
      problems: [],
    },
    async ({ query, reply }) => {
      reply.header('content-type', 'text/plain; charset=utf-8').header('cache-control', 'no-store');
      let health: Awaited<ReturnType<typeof control.health>>;
      try {
        health = await control.health(kind);
      } catch (error) {
        logger.error({ err: error }, 'health check failed');
        health = { live: false, ready: false, checks: { health: 'the check itself failed' } };
      }
      reply.code(health[kind] ? 200 : 503);
      const verdict = health[kind] ? kind : `not ${kind}`;
      const checks = Object.entries(health.checks).map(([name, state]) => `${name}: ${state}`);
      return `${(query.verbose === undefined ? [verdict] : [...checks, verdict]).join('\n')}\n`;
    },
  );
}
