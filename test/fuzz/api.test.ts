// Requests of any kind to every route of the API: an answer or a problem, never a failure of ours,
// and nothing changes but by a valid request of somebody who may.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SCHEMAS } from '../../src/http/schemas.ts';
import { aRecordBody } from '../support/gate-desk.ts';
import { mutated, mutation, ODD_VALUES } from './mutate.ts';
import { ask, expectAnswer, expectQuiet, type RealApi, realApi, SECRETS } from './real-api.ts';
import { times } from './runs.ts';

const START = {
  service: 'shop',
  version: '2.0.0',
  previous_version: '1.0.0',
  deployed_at: '2026-01-01T00:00:00Z',
  parameters: { a: 1 },
  policy: 'shop',
  mode: 'observe',
  by: 'alice',
  url: 'https://ci.example/1',
};
const HUMAN = { reason: 'wrong prices', by: 'alice', by_duration: '1h' };
const ENTRY = {
  ...{ gate: 'release', criterion: 'review_done', role: 'engineering_lead', name: 'Ada' },
  ...{ service: 'aurora', environment: 'testnet', version: '2.1.0', note: 'looked at it' },
};
const RECORD = JSON.parse(JSON.stringify(aRecordBody())) as object;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];

const odd = fc.oneof(
  fc.constantFrom(...ODD_VALUES.filter((value) => typeof value === 'string')),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom('..', '../..', '%2e%2e%2f', '....//', '%00', '%zz', '%ff%fe', '/etc/passwd', ';'),
  fc.constantFrom('2026-01-01T00:00:00Z', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59+23:59'),
  fc.constantFrom('0', '-1', '1e9', '99999999999999999999', '0x10', 'NaN', 'true', 'watching'),
);
const scope = fc.constantFrom<'read' | 'start' | 'act' | 'all' | null>(
  ...['read' as const, 'start' as const, 'act' as const, null],
  ...Array<'all'>(6).fill('all'),
);
const FIELDS = [
  ...['service', 'phase', 'active', 'limit', 'before', 'after', 'format', 'from', 'to'],
  ...['gate', 'environment', 'version'],
];
const query = fc
  .array(fc.tuple(fc.oneof(fc.constantFrom(...FIELDS, 'reason', 'by', '__proto__'), odd), odd), {
    maxLength: 4,
  })
  .map((pairs) => pairs.map((pair) => pair.map(encoded).join('=')).join('&'));
const headers = fc.dictionary(
  fc.constantFrom(
    'idempotency-key',
    'last-event-id',
    'accept',
    'host',
    'origin',
    'x-forwarded-for',
  ),
  odd.map((text) => text.replace(/[^\x20-\x7e]/g, '?')),
  { maxKeys: 3 },
);
const mediaType = fc.constantFrom(
  ...['application/json; charset=utf-16', 'text/plain', 'application/xml', 'multipart/form-data'],
  ...['application/x-www-form-urlencoded', 'json', '', '/', 'application/json,text/plain'],
);
const mutations = fc.array(mutation, { maxLength: 3 });
const deep = '{"a":'.repeat(5_000);
const strange = fc.oneof(
  fc.json(),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(
    ...['', 'null', '[]', '"x"', '{', deep, `${'['.repeat(30_000)}${']'.repeat(30_000)}`],
    ...['{"__proto__":{"reason":"x"}}', '{"constructor":{"prototype":{}}}', '{"reason":1e999}'],
    ...['{"reason":"a","reason":"b"}', `{"reason":"${'x'.repeat(70_000)}"}`, '\ufeff{}'],
  ),
);

/** What the route wants. */
function fittingBody(path: string): object {
  if (path === '/v1/watches') return START;
  if (path === '/v1/sign-offs') return ENTRY;
  if (path === '/v1/gate-records') return RECORD;
  const { by_duration, ...human } = HUMAN;
  return path.endsWith('/extend') ? { ...human, by_duration } : human;
}

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

type Operation = { readonly path: string; readonly method: string };

/** Everything that the document offers. */
async function operationsOf(api: RealApi): Promise<readonly Operation[]> {
  const { body: document } = await ask(api, { method: 'GET', url: '/openapi.json' });
  const { paths } = JSON.parse(document) as { paths: Record<string, object> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ path, method: method.toUpperCase() })),
  );
}

const usually = <T, U>(usual: T, other: fc.Arbitrary<U>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });
const request = fc.record({
  operation: fc.nat(1_000),
  method: usually(null, fc.constantFrom(...METHODS)),
  place: usually(null, odd),
  isRaw: fc.boolean(),
  query: usually('', query),
  headers: usually({}, headers),
  mediaType: usually('application/json', mediaType),
  changes: usually([], mutations),
  body: usually(null, strange),
  scope,
});
type Request = typeof request extends fc.Arbitrary<infer Made> ? Made : never;

/** A path of the document, with the watch that there is, another one, or anything. */
function urlOf(made: Request, path: string, id: string): string {
  // A stream of the watch that there is would never end.
  const known = path.endsWith('/events') ? 'w_0' : id;
  const place = made.place === null ? known : made.isRaw ? raw(made.place) : encoded(made.place);
  const filled = path.replace(/\{[^}]+\}/, () => place);
  return made.query === '' ? filled : `${filled}?${made.query}`;
}

/** As it is, but for what no request line can hold. */
function raw(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '~').slice(0, 500);
}

describe('the API', () => {
  test('answers requests of any kind, and only valid ones change anything', async () => {
    const api = await realApi();
    const operations = await operationsOf(api);
    const answers = new Set<string>();
    const property = fc.asyncProperty(request, async (made) => {
      const operation = operations[made.operation % operations.length];
      const method = made.method ?? operation?.method ?? 'GET';
      const path = operation?.path ?? '/';
      const payload = made.body ?? JSON.stringify(mutated(fittingBody(path), made.changes));
      const before = await api.state();
      const answer = await ask(api, {
        method,
        url: urlOf(made, path, api.id),
        headers: {
          ...made.headers,
          'content-type': made.mediaType,
          ...(made.scope === null ? {} : { authorization: `Bearer ${SECRETS[made.scope]}` }),
        },
        ...(method === 'GET' || method === 'HEAD' ? {} : { payload }),
      });
      expectAnswer(answer, method);
      answers.add(`${method} ${answer.statusCode}`);
      const mayChange =
        answer.statusCode < 300 &&
        ['POST', 'DELETE'].includes(method) &&
        ['start', 'act', 'all'].includes(made.scope ?? '');
      const after = await api.state();
      expect(mayChange || after === before, `${method} ${answer.statusCode}`).toBe(true);
    });
    await fc.assert(property, times(1_500));
    expectQuiet(api);
    // Both sides of the rule were seen.
    expect([...answers]).toEqual(expect.arrayContaining(['GET 200', 'POST 200', 'POST 403']));
  });

  test('reads a start and a command with any place changed, or refuses it', async () => {
    const api = await realApi();
    const property = fc.asyncProperty(mutations, fc.boolean(), async (changes, isStart) => {
      const url = isStart ? '/v1/watches' : `/v1/watches/${api.id}/extend`;
      const answer = await ask(api, {
        method: 'POST',
        url,
        headers: { authorization: `Bearer ${SECRETS[isStart ? 'start' : 'act']}` },
        payload: mutated(isStart ? START : HUMAN, changes) as object,
      });
      expectAnswer(answer);
    });
    await fc.assert(property, times(500));
    expectQuiet(api);
  });

  test('reads a decision and a signature with any place changed, or refuses it', async () => {
    const api = await realApi();
    const auth = (scope: 'read' | 'start' | 'act') => ({
      authorization: `Bearer ${SECRETS[scope]}`,
    });
    const statuses = new Set<number>();
    const property = fc.asyncProperty(mutations, fc.boolean(), async (changes, isRecord) => {
      const url = isRecord ? '/v1/gate-records' : '/v1/sign-offs';
      const answer = await ask(api, {
        method: 'POST',
        url,
        headers: auth(isRecord ? 'start' : 'act'),
        payload: mutated(isRecord ? RECORD : ENTRY, changes) as object,
      });
      expectAnswer(answer);
      statuses.add(answer.statusCode);
      if (answer.statusCode >= 300) return;
      // What was taken can be given back.
      const name = isRecord ? 'GateRecord' : 'SignOff';
      expect(SCHEMAS[name].safeParse(JSON.parse(answer.body)).error).toBeUndefined();
    });
    await fc.assert(property, times(500));
    expect([...statuses]).toEqual(expect.arrayContaining([201, 400]));
    for (const url of ['/v1/gate-records?limit=100', '/v1/sign-offs?gate=release']) {
      const answer = await ask(api, { method: 'GET', url, headers: auth('read') });
      expectAnswer(answer);
      const name = url.includes('sign') ? 'SignOffs' : 'GateRecordList';
      expect(SCHEMAS[name].safeParse(JSON.parse(answer.body)).error).toBeUndefined();
    }
    expectQuiet(api);
  });

  test('lets nobody in by a token that is nearly right', async () => {
    const api = await realApi();
    const before = await api.state();
    const spoil = fc.tuple(fc.nat(30), fc.string({ unit: 'binary-ascii', maxLength: 3 }));
    const scheme = fc.constantFrom('Bearer ', 'bearer ', 'Basic ', 'Bearer  ', 'Bearer', '');
    const property = fc.asyncProperty(spoil, scheme, async ([at, piece], word) => {
      const right = SECRETS.act;
      const given = `${right.slice(0, at)}${piece}${right.slice(at + piece.length + 1)}`;
      fc.pre(given.trim() !== right);
      const answer = await ask(api, {
        method: 'POST',
        url: `/v1/watches/${api.id}/stop`,
        headers: { authorization: `${word}${given}` },
        payload: HUMAN,
      });
      expect(answer.statusCode).toBe(401);
      expectAnswer(answer);
    });
    await fc.assert(property, times(300));
    expect(await api.state()).toBe(before);
    expectQuiet(api);
  });
});
