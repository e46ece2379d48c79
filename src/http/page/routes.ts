// Serves the page for people: one document for the lists, each watch and each gate, and its files. They
// hold no data, so they need no token; what they show comes from the API, which does.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { HttpError } from '../problem.ts';
import { watchParams } from '../requests.ts';
import { type ResponseSpec, type RouteSpec, route } from '../route.ts';
import { type Asset, pageAssets } from './assets.ts';

/** Nothing from elsewhere, nothing inline, nothing framed, no form that leaves the script. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  // Text never becomes markup or code, not even by mistake.
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const DOCUMENT_HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-frame-options': 'DENY',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'cache-control': 'no-cache',
};

const FOR_EVER = 'public, max-age=31536000, immutable';

const fileParams = z.strictObject({
  version: z.string().max(40),
  file: z.string().max(60),
});

export const PAGE_URLS = [
  '/',
  '/watches/:id',
  '/watches/:id/',
  '/watches',
  '/watches/',
  '/gates',
  '/gates/',
  '/gates/:id',
  '/gates/:id/',
] as const;

export function pageRoutes(): readonly RouteSpec[] {
  return [
    document('/', 'showPage'),
    document('/watches/:id', 'showWatchPage'),
    document('/watches/:id/', 'showWatchPageAsWell'),
    document('/gates', 'showGates'),
    document('/gates/', 'showGatesAsWell'),
    document('/gates/:id', 'showGatePage'),
    document('/gates/:id/', 'showGatePageAsWell'),
    toList('/watches', 'showList'),
    toList('/watches/', 'showListAsWell'),
    files(),
  ];
}

const PAGE = { tag: 'daemon', method: 'GET', scope: null, problems: [] } as const;
const TEXT: ResponseSpec = { description: 'The file', mediaType: 'text/html', schema: null };

function document(url: (typeof PAGE_URLS)[number], operationId: string): RouteSpec {
  const responses = { 200: TEXT };
  const summary = 'The page for people';
  const shape = url.includes(':id') ? { params: watchParams } : {};
  return route({ ...PAGE, url, operationId, summary, responses, ...shape }, async (call) => {
    call.reply.headers(DOCUMENT_HEADERS);
    return send(call.request, call.reply, pageAssets().html);
  });
}

/** People shorten addresses by hand. */
function toList(url: (typeof PAGE_URLS)[number], operationId: string): RouteSpec {
  const responses = { 302: TEXT };
  const summary = 'To the list';
  return route({ ...PAGE, url, operationId, summary, responses }, async ({ reply }) => {
    return reply.redirect('/', 302);
  });
}

function files(): RouteSpec {
  return route(
    {
      ...PAGE,
      url: '/page/:version/:file',
      operationId: 'pageFile',
      summary: 'A file of the page',
      responses: { 200: TEXT },
      params: fileParams,
    },
    async ({ params, request, reply }) => {
      const { files: known, version } = pageAssets();
      const file = known.get(params.file);
      if (file === undefined) throw new HttpError('not_found', 'the page has no such file');
      // Another version, from a replica that is being replaced: what there is, but not for ever.
      reply
        .header('cache-control', params.version === version ? FOR_EVER : 'no-store')
        .header('cross-origin-resource-policy', 'same-origin');
      return send(request, reply, file);
    },
  );
}

function send(request: FastifyRequest, reply: FastifyReply, file: Asset): Buffer {
  reply.header('content-type', file.type).header('vary', 'accept-encoding');
  const takesGzip = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  if (!takesGzip) return file.body;
  reply.header('content-encoding', 'gzip');
  return file.gzipped;
}
