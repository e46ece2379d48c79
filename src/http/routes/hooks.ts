// Deploy events of CI systems start watches. Nobody reads the webhook log of a CI system: a start
// that is refused is logged here, too. Parses and maps; decides nothing.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { readCdevents } from '../../hooks/cdevents.ts';
import { readGeneric } from '../../hooks/generic.ts';
import { readGithub } from '../../hooks/github.ts';
import { readGitlab } from '../../hooks/gitlab.ts';
import {
  HOOK_KINDS,
  type HookKind,
  isObject,
  type Json,
  parsedJson,
  type ReadHook,
  shown,
  textAt,
} from '../../hooks/hook.ts';
import { CanarydError, messageOf, type Problem } from '../../kit/errors.ts';
import { cutEnd, printable } from '../../kit/redact.ts';
import { actorOf, idempotencyKeyOf } from '../auth.ts';
import { EXAMPLE_WATCH } from '../examples.ts';
import { type HookRequest, proofOf } from '../hook-proof.ts';
import type { HookSetup, HookSetups } from '../hook-setup.ts';
import { HttpError } from '../problem.ts';
import { hookParams, startBody } from '../requests.ts';
import { json, type RouteDeps, type RouteSpec, route } from '../route.ts';
import { problemsOf, problemsText } from '../validation.ts';
import { toWire } from '../wire.ts';
import { startCommand } from './watches.ts';

const READERS: Readonly<Record<HookKind, ReadHook>> = {
  github: readGithub,
  gitlab: readGitlab,
  cdevents: readCdevents,
  generic: readGeneric,
};

/** Payloads of CI systems tell of much that is not for us. */
const BODY_BYTES_MAX = 262_144;
/** A stranger who keeps guessing must not fill the log. */
const REFUSALS_LOGGED_EVERY_MS = 60_000;

export function hookRoute(deps: RouteDeps): RouteSpec {
  const { clock, hooks, tokens = [] } = deps;
  const logRefusal = refusalLogger(deps);
  return route(
    {
      tag: 'hooks',
      method: 'POST',
      url: '/v1/hooks/:kind',
      operationId: 'takeHook',
      summary: 'A deploy event of a CI system: starts a watch, or says why not',
      scope: null,
      security: ['githubSignature', 'gitlabToken', 'standardWebhooks', 'token'],
      params: hookParams,
      raw: {
        bytesMax: BODY_BYTES_MAX,
        mediaTypes: ['application/json', 'application/cloudevents+json'],
        schema: 'HookEvent',
        example: { service: 'aurora', version: '1.4.0', previous_version: '1.3.9' },
      },
      responses: {
        200: json('Ignored, or started before', 'HookAnswer', { ignored: 'ping: the hook works' }),
        201: json('Started', 'Watch', EXAMPLE_WATCH),
      },
      problems: [
        'unauthorized',
        'forbidden',
        'not_found',
        'conflict',
        'gate_missing',
        'start_invalid',
        'policy_invalid',
        'journal_failed',
      ],
    },
    async ({ params, request, reply }) => {
      const { kind, setup } = setupOf(hooks, params.kind);
      const hook = hookRequest(request);
      const proof = proofOf(kind, hook, { setup, tokens, nowMs: clock.now() });
      if (proof.kind === 'sender')
        return take(deps, { kind, setup, hook, sender: proof.name }, reply);
      logRefusal(kind, proof.why);
      const headers = { 'www-authenticate': 'Signature realm="canaryd"' };
      throw new HttpError('unauthorized', 'the hook is not signed as configured', { headers });
    },
  );
}

type Proven = {
  readonly kind: HookKind;
  readonly setup: HookSetup;
  readonly hook: HookRequest;
  /** Who vouches for the event; null: nobody had to. */
  readonly sender: string | null;
};

async function take(deps: RouteDeps, proven: Proven, reply: FastifyReply): Promise<unknown> {
  const { control, logger, hooks } = deps;
  const { kind, setup, hook, sender } = proven;
  const result = READERS[kind]({ headers: hook.headers, body: bodyOf(hook) }, setup.settings);
  const fields = { hook: kind, delivery: deliveryOf(hook) };
  if (result.kind === 'ignored') {
    logger.debug({ ...fields, why: result.why }, 'hook ignored');
    return { ignored: result.why };
  }
  try {
    if (result.kind === 'invalid') throw startInvalid(result.problems);
    const body = startOf(result.start, setup, hooks);
    const key = idempotencyKeyOf(result.idempotencyKey ?? undefined);
    const by = sender === null ? body.by : actorOf(body.by, sender);
    const { watch, created } = await control.start(startCommand({ ...body, by }, key, null));
    reply.code(created ? 201 : 200).header('location', `/v1/watches/${watch.id}`);
    return toWire(watch);
  } catch (error) {
    if (!(error instanceof CanarydError)) throw error;
    const detail = messageOf(error);
    if (error.code !== 'policy_not_found') {
      logger.warn({ ...fields, problem: error.code, detail }, 'hook started no watch');
      throw error;
    }
    // A CI system tells of everything that is deployed; it must not try again.
    const why = unservedText(result.kind === 'start' ? result.start : {});
    logger.info({ ...fields, why, detail }, 'hook ignored');
    return { ignored: why };
  }
}

function unservedText(start: Json): string {
  const environment = textAt(start, 'environment');
  const policy = textAt(start, 'policy');
  const words = [
    `no policy serves ${shown(start['service'])}`,
    ...(environment === null ? [] : [`in ${shown(environment)}`]),
    ...(policy === null ? [] : [`with the name ${shown(policy)}`]),
  ];
  return words.join(' ');
}

function setupOf(
  hooks: HookSetups | undefined,
  given: string,
): { readonly kind: HookKind; readonly setup: HookSetup } {
  const kind = HOOK_KINDS.find((known) => known === given);
  if (kind === undefined) {
    throw new HttpError('not_found', `no such kind of hook; kinds are ${HOOK_KINDS.join(', ')}`);
  }
  const setup = hooks?.kinds[kind] ?? null;
  if (setup !== null) return { kind, setup };
  const example =
    kind === 'generic' ? 'hooks: { generic: {} }' : `hooks: { ${kind}: { secret: $NAME } }`;
  const detail = `${kind} hooks are not configured; write ${example} into canaryd.yaml and restart`;
  throw new HttpError('not_found', detail);
}

function hookRequest({ headers, body }: FastifyRequest): HookRequest {
  const single = Object.entries(headers).map(([name, value]) => {
    return [name, Array.isArray(value) ? value.join(', ') : value] as const;
  });
  return {
    headers: Object.fromEntries(single),
    body: Buffer.isBuffer(body) ? body : Buffer.alloc(0),
  };
}

function bodyOf({ body }: HookRequest): Json {
  const value = parsedJson(body.toString('utf8'));
  if (isObject(value)) return value;
  throw new HttpError('request_invalid', 'the body is not a JSON object; send the event as JSON');
}

/** What the sender calls this delivery, to find it in its own log. */
function deliveryOf({ headers }: HookRequest): string | null {
  const id = headers['x-github-delivery'] ?? headers['webhook-id'] ?? headers['idempotency-key'];
  return id === undefined ? null : cutEnd(printable(id), 100);
}

/** Validated like a start by hand; then the configured parameters that its policy asks for. */
function startOf(
  start: Json,
  { parameters }: HookSetup,
  hooks: HookSetups | undefined,
): z.output<typeof startBody> {
  const parsed = startBody.safeParse(start);
  if (!parsed.success) throw startInvalid(problemsOf(startBody, parsed.error));
  const wanted = hooks?.parametersOf(parsed.data.service) ?? new Set();
  const defaults = Object.entries(parameters).filter(([name]) => wanted.has(name));
  const all = { ...Object.fromEntries(defaults), ...parsed.data.parameters };
  return { ...parsed.data, parameters: all };
}

function startInvalid(problems: readonly Problem[]): CanarydError {
  const text = `Cannot start a watch from this event: ${problemsText(problems)}`;
  return new CanarydError('start_invalid', text, { problems });
}

function refusalLogger({ logger, clock }: RouteDeps) {
  const quietUntil = new Map<HookKind, number>();
  return (kind: HookKind, why: string) => {
    const now = clock.monotonic();
    if (now < (quietUntil.get(kind) ?? 0)) return;
    quietUntil.set(kind, now + REFUSALS_LOGGED_EVERY_MS);
    logger.warn({ hook: kind, why }, 'hook refused; more of these within a minute are not logged');
  };
}
