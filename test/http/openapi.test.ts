import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { openapiDocument } from '../../src/http/openapi.ts';
import { STREAM_LIMITS } from '../../src/http/routes/events.ts';
import { allRoutes, buildServer } from '../../src/http/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createLogger } from '../../src/kit/logger.ts';
import { FakeControl } from '../support/fake-control.ts';
import { NO_GATES } from '../support/gate-desk.ts';
import { api } from '../support/http-server.ts';

type Operation = {
  readonly operationId: string;
  readonly security: readonly unknown[];
  readonly parameters: readonly { in: string; name: string; schema: object }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { description: string; content: Content }>>;
};
type Content = Readonly<Record<string, { schema: object; example?: unknown }>>;
type Document = {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
};

const DEPS = {
  control: new FakeControl(),
  gates: NO_GATES,
  metricsText: async () => ({ contentType: 'text/plain', body: '' }),
  logger: createLogger('silent'),
  version: '9.9.9',
  clock: systemClock,
  tokens: [],
};
const ROUTES = allRoutes(DEPS, { open: new Set() }, STREAM_LIMITS);
const DOCUMENT = JSON.parse(JSON.stringify(openapiDocument(ROUTES, '9.9.9'))) as Document;
const OPERATIONS = Object.entries(DOCUMENT.paths).flatMap(([path, operations]) =>
  Object.entries(operations).map(([method, operation]) => ({ path, method, operation })),
);
const CONTENTS = OPERATIONS.flatMap(({ operation }) => [
  ...Object.values(operation.requestBody?.content ?? {}),
  ...Object.values(operation.responses).flatMap(({ content }) => Object.values(content)),
]);

function validator() {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema({ $id: 'doc', components: DOCUMENT.components });
  return (name: string) => ajv.compile({ $ref: `doc#/components/schemas/${name}` });
}

describe('the OpenAPI document', () => {
  it('is served as it is generated', async () => {
    const answer = await api().app.inject('/openapi.json');
    expect(answer.json()).toEqual(DOCUMENT);
  });

  it('lists exactly the routes that Fastify knows', async () => {
    const registered: string[] = [];
    const app = buildServer(DEPS);
    // Routes in a scope of their own are there when it is.
    await app.ready();
    const shown = app.printRoutes({ commonPrefix: false, includeMeta: false });
    await app.close();
    const stack: string[] = [];
    for (const line of shown.split('\n')) {
      const match = /^([│ ]*)[├└]── (\S*)(?: \((.*)\))?$/.exec(line);
      const [, indent = '', part = '', methods = ''] = match ?? [];
      stack.length = Math.floor(indent.length / 4);
      stack.push(part);
      const path = stack.join('').replace(/:(\w+)/g, '{$1}');
      for (const method of methods.split(', ')) registered.push(`${method} ${path}`);
    }
    // The page for people is no part of the API.
    const known = registered
      .filter((entry) => /^(GET|POST|DELETE|PUT|PATCH) /.test(entry))
      .filter((entry) => !/^GET \/(?:|watches.*|gates.*|page\/.*)$/.test(entry));
    const described = OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    expect(described.sort()).toEqual(known.sort());
    expect(described.length).toBeGreaterThan(15);
  });

  it('names every operation once, with a description for every response', () => {
    const ids = OPERATIONS.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const texts = OPERATIONS.flatMap(({ operation }) => Object.values(operation.responses));
    expect(texts.filter(({ description }) => description === '')).toEqual([]);
  });

  it('declares every parameter in a path', () => {
    for (const { path, operation } of OPERATIONS) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = operation.parameters.filter((parameter) => parameter.in === 'path');
      expect(declared.map(({ name }) => name)).toEqual(inPath);
    }
  });

  it('needs a token everywhere but for the daemon itself', () => {
    const open = OPERATIONS.filter(({ operation }) => operation.security.length === 0);
    const paths = open.map(({ path }) => path);
    expect(paths).toEqual(['/livez', '/readyz', '/metrics', '/openapi.json']);
  });

  it('resolves all its references', () => {
    const refs = [...JSON.stringify(DOCUMENT).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref);
    const known = Object.keys(DOCUMENT.components.schemas);
    const wanted = known.map((name) => `#/components/schemas/${name}`);
    expect(refs.filter((ref) => !wanted.includes(ref ?? ''))).toEqual([]);
    expect(refs.length).toBeGreaterThan(30);
  });

  it('has schemas that compile, and examples that are valid', () => {
    const compile = validator();
    for (const name of Object.keys(DOCUMENT.components.schemas)) compile(name);
    const examples = CONTENTS.filter(({ example }) => example !== undefined);
    expect(examples.length).toBeGreaterThan(20);
    for (const { schema, example } of examples) {
      const name = JSON.stringify(schema).match(/schemas\/(\w+)/)?.[1] ?? '';
      const validate = compile(name);
      expect({ name, valid: validate(example), errors: validate.errors }).toEqual({
        name,
        valid: true,
        errors: null,
      });
    }
  });

  it('tells of every problem as problem+json, also 401 and 403', () => {
    const start = DOCUMENT.paths['/v1/watches']?.['post'];
    const statuses = Object.keys(start?.responses ?? {});
    expect(statuses).toEqual(
      [
        '200',
        '201',
        '400',
        '401',
        '403',
        '408',
        '409',
        '413',
        '414',
        '415',
        '422',
        '431',
        '500',
      ].concat('503'),
    );
    expect(Object.keys(start?.responses['422']?.content ?? {})).toEqual([
      'application/problem+json',
    ]);
  });
});

describe('real answers', () => {
  it('fit the schemas', async () => {
    const { app, control } = api();
    const compile = validator();
    const { watch } = await control.start({ service: 'a', version: '1', parameters: { x: 1 } });
    control.tick(watch.id, { atMs: 1, readings: { a: { kind: 'value', value: 1 } } });
    const base = `/v1/watches/${watch.id}`;
    const cases: readonly (readonly [string, string])[] = [
      [base, 'Watch'],
      ['/v1/watches', 'WatchList'],
      [`${base}/journal`, 'Journal'],
      [`${base}/samples`, 'Samples'],
      [`${base}/deliveries`, 'Deliveries'],
      ['/v1/hold', 'Hold'],
      ['/v1/watches/w_none', 'Problem'],
    ];
    for (const [url, name] of cases) {
      const validate = compile(name);
      const body = (await app.inject(url)).json();
      expect({ url, valid: validate(body), errors: validate.errors }).toMatchObject({
        url,
        errors: null,
      });
    }
  });
});
