// The OpenAPI 3.1 document, made from the very records and schemas that the routes run on.
import { z } from 'zod';
import { PROBLEM_MEDIA_TYPE, PROBLEM_TYPE_PREFIX, PROBLEMS, type ProblemKind } from './problem.ts';
import type { ResponseSpec, RouteSpec } from './route.ts';
import { SCHEMAS } from './schemas.ts';

type Json = Readonly<Record<string, unknown>>;

/** Problems that any route may answer with. */
const ANYWHERE: readonly ProblemKind[] = [
  'request_invalid',
  'url_too_long',
  'headers_too_large',
  'internal',
  'closing',
  'timeout',
];
const WITH_BODY: readonly ProblemKind[] = [
  'request_timeout',
  'body_too_large',
  'unsupported_media_type',
];
const WITH_SCOPE: readonly ProblemKind[] = ['unauthorized', 'forbidden', 'journal_failed'];

const signature = (name: string, description: string) => {
  return { type: 'apiKey', in: 'header', name, description };
};
const SIGNATURES = {
  githubSignature: signature('X-Hub-Signature-256', 'HMAC-SHA256 of the body, as GitHub sends it'),
  gitlabToken: signature('X-Gitlab-Token', 'The secret token of a GitLab webhook'),
  slackSignature: signature(
    'X-Slack-Signature',
    'Signature v0 of Slack: with X-Slack-Request-Timestamp of the last 5 minutes',
  ),
  standardWebhooks: signature(
    'webhook-signature',
    'Standard Webhooks: with webhook-id, and webhook-timestamp of the last 5 minutes',
  ),
};

export function openapiDocument(routes: readonly RouteSpec[], version: string): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const spec of routes) {
    const path = spec.url.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [spec.method.toLowerCase()]: operation(spec) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'canaryd',
      version,
      description:
        'Watches a service after a deploy. Field names are snake_case. Times that end in `_at` ' +
        'are ISO 8601; fields that end in `_ms` are milliseconds (a time since 1970, or a span).',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    tags: [
      { name: 'watches', description: 'Start, follow and command watches' },
      { name: 'gates', description: 'Signatures for gates, and decisions of gates' },
      { name: 'hooks', description: 'Deploy events of CI systems' },
      { name: 'hold', description: 'The hold-fire switch' },
      { name: 'daemon', description: 'The daemon itself; needs no token' },
    ],
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'Scopes read, start and act; none implies another.',
        },
        ...SIGNATURES,
      },
    },
  };
}

function operation(spec: RouteSpec): Json {
  const responses: Record<string, unknown> = {};
  for (const [status, response] of Object.entries(spec.responses)) {
    responses[status] = responseOf(response);
  }
  for (const [status, kinds] of problemsByStatus(spec)) {
    // A probe answers 503 as text by itself.
    responses[status] ??= problemResponse(kinds);
  }
  const scope = spec.scope === null ? '' : `Needs scope \`${spec.scope}\`.`;
  return {
    operationId: spec.operationId,
    summary: spec.summary,
    ...(scope === '' ? {} : { description: scope }),
    tags: [spec.tag],
    parameters: [
      ...parametersOf('path', spec.params),
      ...parametersOf('query', spec.query),
      ...parametersOf('header', spec.headers),
    ],
    ...requestBody(spec),
    responses,
    security: (spec.security ?? (spec.scope === null ? [] : ['token'])).map((name) => ({
      [name]: [],
    })),
  };
}

function requestBody({ body, raw }: RouteSpec): Json {
  if (raw !== undefined) {
    const { schema, example } = raw;
    const content = { schema: ref(schema), example };
    const types = raw.mediaTypes.map((mediaType) => [mediaType, content]);
    return { requestBody: { required: true, content: Object.fromEntries(types) } };
  }
  if (body === undefined) return {};
  const content = { 'application/json': { schema: ref(body.name), example: body.example } };
  return { requestBody: { required: true, content } };
}

function ref(name: string): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function responseOf(response: ResponseSpec): Json {
  const schema = response.schema === null ? { type: 'string' } : ref(response.schema);
  const example = response.example === undefined ? {} : { example: response.example };
  return {
    description: response.description,
    content: { [response.mediaType]: { schema, ...example } },
  };
}

function problemsByStatus(spec: RouteSpec): ReadonlyMap<string, readonly ProblemKind[]> {
  const kinds = new Set([
    ...ANYWHERE,
    ...(spec.body === undefined && spec.raw === undefined ? [] : WITH_BODY),
    ...(spec.scope === null ? [] : WITH_SCOPE),
    ...spec.problems,
    'foreign_request' as const,
  ]);
  const byStatus = new Map<string, ProblemKind[]>();
  for (const kind of kinds) {
    const status = String(PROBLEMS[kind][0]);
    byStatus.set(status, [...(byStatus.get(status) ?? []), kind]);
  }
  return byStatus;
}

function problemResponse(kinds: readonly ProblemKind[]): Json {
  const [first = 'internal'] = kinds;
  const [status, title] = PROBLEMS[first];
  const example = {
    type: `${PROBLEM_TYPE_PREFIX}${first}`,
    title,
    status,
    detail: 'what was found, what is wanted',
    instance: '/v1/watches',
    errors: [],
  };
  return {
    description: kinds.map((kind) => `\`${kind}\`: ${PROBLEMS[kind][1]}`).join('; '),
    content: { [PROBLEM_MEDIA_TYPE]: { schema: ref('Problem'), example } },
  };
}

function parametersOf(place: 'path' | 'query' | 'header', shape: z.ZodObject | undefined) {
  if (shape === undefined) return [];
  const schema = z.toJSONSchema(shape, { io: 'input' });
  const required = schema.required ?? [];
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name: place === 'header' ? headerName(name) : name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
  }));
}

/** `idempotency-key` → `Idempotency-Key`. */
function headerName(name: string): string {
  return name.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => {
    return `${dash}${letter.toUpperCase()}`;
  });
}

function componentSchemas(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    io: 'input',
    uri: (id) => `#/components/schemas/${id}`,
  });
  // `$id` would make the document's own references relative to it.
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _, $id: __, ...schema }]) => [name, schema]),
  );
}
