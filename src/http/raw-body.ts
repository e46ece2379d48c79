// Bodies as bytes, for the routes of one scope of Fastify: its own parser would leave nothing to
// verify a signature over.
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { HttpError, sendProblem } from './problem.ts';
import type { RawBody } from './route.ts';

export function takeRawBodies(
  scope: FastifyInstance,
  raw: RawBody,
  logger: FastifyBaseLogger,
): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser([...raw.mediaTypes], { parseAs: 'buffer' }, (_, body, done) => {
    done(null, body);
  });
  scope.setErrorHandler((error, request, reply) => {
    sendProblem(ownWords(error, raw) ?? error, request, reply, logger);
  });
}

/** What Fastify refuses, with the limits of these routes. */
function ownWords(error: unknown, { bytesMax, mediaTypes }: RawBody): HttpError | null {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : '';
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const most = bytesMax.toLocaleString('en-US');
    return new HttpError('body_too_large', `the body may have at most ${most} bytes`);
  }
  if (code !== 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return null;
  const wanted = mediaTypes.join(' or ');
  const detail = `found another content type; choose ${wanted} in the settings of the webhook`;
  return new HttpError('unsupported_media_type', detail);
}
