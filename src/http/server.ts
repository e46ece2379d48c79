// Builds the HTTP server: limits, time limits, validation, errors. It does not listen; the daemon
// does. A GET never acts. Whatever goes wrong, the caller gets a problem and never a stack.
import { type IncomingHttpHeaders, STATUS_CODES } from 'node:http';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { z } from 'zod';
import { authorize, refuseForeign, type Token } from './auth.ts';
import { openapiDocument } from './openapi.ts';
import { dataRoutes } from './page/data-routes.ts';
import { PAGE_URLS, pageRoutes } from './page/routes.ts';
import { HttpError, rawProblem, sendProblem } from './problem.ts';
import { takeRawBodies } from './raw-body.ts';
import type { RouteDeps, RouteSpec } from './route.ts';
import { daemonRoutes } from './routes/daemon.ts';
import { eventsRoute, STREAM_LIMITS, type StreamLimits, type Streams } from './routes/events.ts';
import { gateRoutes } from './routes/gates.ts';
import { holdRoutes } from './routes/hold.ts';
import { hookRoute } from './routes/hooks.ts';
import { journalRoutes } from './routes/journal.ts';
import { type Afterwork, slackRoute } from './routes/slack.ts';
import { watchRoutes } from './routes/watches.ts';
import { problemsOf, problemsText } from './validation.ts';

export type ServerDeps = RouteDeps & {
  /** None: everything is allowed, and the daemon must listen on loopback only. */
  readonly tokens: readonly Token[];
};

export type ServerLimits = {
  /** A start with its parameters is far smaller. */
  readonly bodyBytesMax: number;
  readonly urlLengthMax: number;
  /** Silence on a socket; longer than the heartbeat of a stream. */
  readonly idleMs: number;
  /** From the first byte to the last of a request: a slow sender may not hold a socket. */
  readonly requestMs: number;
  /** How often Node looks for requests that are late. */
  readonly checkEveryMs: number;
  /** Longer than the idle time of usual proxies, so that they close first. */
  readonly keepAliveMs: number;
  readonly handlerMs: number;
  readonly stream: StreamLimits;
};

export const SERVER_LIMITS: ServerLimits = {
  bodyBytesMax: 65_536,
  urlLengthMax: 2_048,
  idleMs: 90_000,
  requestMs: 10_000,
  checkEveryMs: 2_000,
  keepAliveMs: 65_000,
  handlerMs: 15_000,
  stream: STREAM_LIMITS,
};

const HEADER_BYTES_MAX = 16_384;

/** All routes of the API: what is registered and what the document describes. */
export function allRoutes(
  deps: RouteDeps,
  streams: Streams,
  limits: StreamLimits,
  afterwork: Afterwork = { running: new Set() },
): readonly RouteSpec[] {
  let document: unknown;
  const routes: readonly RouteSpec[] = [
    ...watchRoutes(deps),
    ...journalRoutes(deps),
    eventsRoute(deps, streams, limits),
    hookRoute(deps),
    slackRoute(deps, afterwork),
    ...gateRoutes(deps),
    ...holdRoutes(deps),
    ...dataRoutes(deps),
    ...daemonRoutes(deps, () => {
      document ??= openapiDocument(routes, deps.version);
      return document;
    }),
  ];
  return routes;
}

export function buildServer(deps: ServerDeps, limits = SERVER_LIMITS): FastifyInstance {
  const logger: FastifyBaseLogger = deps.logger.child({ component: 'http' });
  const app: FastifyInstance = Fastify({
    loggerInstance: logger,
    // One line per request would drown the log; failures are logged where they are answered.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.bodyBytesMax,
    connectionTimeout: limits.idleMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    handlerTimeout: limits.handlerMs,
    http: {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: limits.requestMs,
      connectionsCheckingInterval: limits.checkEveryMs,
    },
    forceCloseConnections: true,
    // Our own hook answers while closing, with a problem.
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 100 },
    frameworkErrors: (error, request, reply) => sendProblem(error, request, reply, logger),
    clientErrorHandler: (error, socket) => {
      if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
      socket.end(rawProblem(error.code ?? ''), () => socket.destroy());
    },
  });
  const streams: Streams = { open: new Set() };
  const afterwork: Afterwork = { running: new Set() };
  app.addHook('onClose', async () => void (await Promise.allSettled(afterwork.running)));
  const routes = [...allRoutes(deps, streams, limits.stream, afterwork), ...pageRoutes()];
  // Fastify reads text/plain by itself; here a body is JSON or nothing.
  app.removeContentTypeParser('text/plain');
  app.decorateRequest('tokenName', null);
  app.setValidatorCompiler<z.ZodObject>(({ schema }) => validate(schema));
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, logger));
  app.setNotFoundHandler((request) => {
    throw missing(routes, request);
  });
  guard(app, deps.tokens, limits, streams);
  for (const spec of routes.filter(({ raw }) => raw === undefined)) {
    register(app, spec, deps.tokens);
  }
  for (const spec of routes) {
    const { raw } = spec;
    if (raw === undefined) continue;
    app.register(async (scope) => {
      takeRawBodies(scope, raw, logger);
      register(scope, spec, deps.tokens);
    });
  }
  return app;
}

/** What is refused before anything is parsed. */
function guard(
  app: FastifyInstance,
  tokens: readonly Token[],
  limits: ServerLimits,
  streams: Streams,
): void {
  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
    for (const end of [...streams.open]) end();
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
    if (isClosing) {
      const headers = { 'retry-after': '5', connection: 'close' };
      throw new HttpError('closing', 'the daemon is shutting down; ask again', { headers });
    }
    if (request.url.length > limits.urlLengthMax) {
      const detail = `found ${request.url.length} characters, at most ${limits.urlLengthMax}`;
      throw new HttpError('url_too_long', detail);
    }
    if (tokens.length === 0) refuseForeign(withoutLink(request));
  });
}

/** A link from a chat or a mail may open the page: it holds no data, and no foreign page sees it. */
function withoutLink({ headers, method, routeOptions }: FastifyRequest): IncomingHttpHeaders {
  const isPage = PAGE_URLS.some((url) => url === routeOptions.url);
  if (!isPage || method !== 'GET' || headers['sec-fetch-mode'] !== 'navigate') return headers;
  return { ...headers, 'sec-fetch-site': 'none' };
}

function register(app: FastifyInstance, spec: RouteSpec, tokens: readonly Token[]): void {
  const { scope } = spec;
  app.route({
    method: spec.method,
    url: spec.url,
    exposeHeadRoute: spec.method === 'GET' && !spec.isStream,
    ...bodyLimitOf(spec),
    schema: {
      ...(spec.params === undefined ? {} : { params: spec.params }),
      ...(spec.query === undefined ? {} : { querystring: spec.query }),
      ...(spec.headers === undefined ? {} : { headers: spec.headers }),
      ...(spec.body === undefined ? {} : { body: spec.body.schema }),
    },
    onRequest: async (request) => {
      if (scope !== null) {
        request.tokenName = authorize(tokens, request.headers.authorization, scope);
      }
    },
    handler: spec.handle,
  });
}

function bodyLimitOf({ raw, body }: RouteSpec): { bodyLimit?: number } {
  const bodyLimit = raw?.bytesMax ?? body?.bytesMax;
  return bodyLimit === undefined ? {} : { bodyLimit };
}

function validate(schema: z.ZodObject) {
  return (data: unknown) => {
    const result = schema.safeParse(data);
    if (result.success) return { value: result.data };
    const problems = problemsOf(schema, result.error);
    return { error: new HttpError('request_invalid', problemsText(problems), { problems }) };
  };
}

/** A path that exists for other methods is 405 with `Allow`; anything else is 404. */
function missing(routes: readonly RouteSpec[], request: FastifyRequest): HttpError {
  const path = request.url.split('?')[0] ?? '';
  const allowed = routes
    .filter((spec) => patternOf(spec.url).test(path))
    .flatMap((spec) => (spec.method === 'GET' && !spec.isStream ? ['GET', 'HEAD'] : [spec.method]));
  if (allowed.length === 0) {
    const detail = `${STATUS_CODES[404]}: no such path; /openapi.json lists all`;
    return new HttpError('not_found', detail);
  }
  const allow = allowed.join(', ');
  const detail = `found ${request.method}, wanted ${allow}`;
  return new HttpError('method_not_allowed', detail, { headers: { allow } });
}

function patternOf(url: string): RegExp {
  return new RegExp(`^${url.replace(/[.]/g, '\\.').replace(/:\w+/g, '[^/]+')}$`);
}
