// The buttons of Slack. Slack wants its answer within 3 seconds and shows a warning else: the answer
// is given at once, and the work goes on after it, within bounds. A POST that Slack has not signed
// does nothing.
import type { FastifyRequest } from 'fastify';
import { HttpError } from '../problem.ts';
import { type RouteDeps, type RouteSpec, route } from '../route.ts';
import { type Press, pressOf } from '../slack-payload.ts';
import { carryOut } from '../slack-press.ts';
import { slackProof } from '../slack-proof.ts';
import type { SlackChannelSetup } from '../slack-setup.ts';

/** A payload holds the whole message, encoded for a form. */
const BODY_BYTES_MAX = 262_144;
/** Presses that are being worked on at a time. */
const PRESSES_MAX = 100;
/** Presses that are remembered, so that one that is sent again does nothing. */
const KNOWN_MAX = 2_000;
/** A stranger who keeps guessing must not fill the log. */
const REFUSALS_LOGGED_EVERY_MS = 60_000;

/** Work that goes on after its answer; the server waits for it before it is closed. */
export type Afterwork = { readonly running: Set<Promise<void>> };

export function slackRoute(deps: RouteDeps, afterwork: Afterwork): RouteSpec {
  const { control, clock, logger, slack } = deps;
  const isNew = memory();
  const logRefusal = refusalLogger(deps);
  const work = (press: Press, channels: readonly SlackChannelSetup[], answerOrigin: string) => {
    const job = carryOut({ control, clock, logger, answerOrigin }, press, channels)
      .catch((error: unknown) => logger.error({ err: error }, 'a button in Slack failed'))
      .finally(() => afterwork.running.delete(job));
    afterwork.running.add(job);
  };
  return route(
    {
      tag: 'hooks',
      method: 'POST',
      url: '/v1/slack/actions',
      operationId: 'takeSlackAction',
      summary: 'A button under a message in Slack was pressed',
      scope: null,
      security: ['slackSignature'],
      raw: {
        bytesMax: BODY_BYTES_MAX,
        mediaTypes: ['application/x-www-form-urlencoded'],
        schema: 'SlackAction',
        example: { payload: '{"type":"block_actions"}' },
      },
      responses: {
        200: { description: 'Taken, or nothing for us', mediaType: 'text/plain', schema: null },
      },
      problems: ['unauthorized', 'not_found', 'too_many_clients'],
    },
    async ({ request, reply }) => {
      if (slack === undefined || slack.channels.length === 0) {
        const detail = 'no channel has buttons; set signing_secret of a Slack channel and restart';
        throw new HttpError('not_found', detail);
      }
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      const proof = slackProof({ ...signatureOf(request), body }, slack.channels, clock.now());
      if (proof.kind === 'refused') {
        logRefusal(proof.why);
        const headers = { 'www-authenticate': 'Signature realm="canaryd"' };
        throw new HttpError('unauthorized', 'the request is not signed by Slack', { headers });
      }
      const press = pressOf(body);
      if (press !== null) {
        if (afterwork.running.size >= PRESSES_MAX) {
          const detail = `${PRESSES_MAX} buttons are being worked on; press it again`;
          throw new HttpError('too_many_clients', detail, { headers: { 'retry-after': '5' } });
        }
        if (isNew(press.key)) work(press, proof.channels, slack.answerOrigin);
      }
      return reply.type('text/plain').send('');
    },
  );
}

function signatureOf({ headers }: FastifyRequest) {
  const single = (name: string) => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    timestamp: single('x-slack-request-timestamp'),
    signature: single('x-slack-signature'),
  };
}

/** Whether a key comes for the first time. */
function memory(): (key: string) => boolean {
  const known = new Set<string>();
  return (key) => {
    if (known.has(key)) return false;
    known.add(key);
    const [oldest] = known;
    if (known.size > KNOWN_MAX && oldest !== undefined) known.delete(oldest);
    return true;
  };
}

function refusalLogger({ logger, clock }: RouteDeps): (why: string) => void {
  let quietUntil = 0;
  return (why) => {
    const now = clock.monotonic();
    if (now < quietUntil) return;
    quietUntil = now + REFUSALS_LOGGED_EVERY_MS;
    logger.warn({ why }, 'Slack action refused; more of these within a minute are not logged');
  };
}
