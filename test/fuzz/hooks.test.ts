// Deploy events of CI systems, spoiled: without a valid proof nothing starts, whatever is sent; with
// one, the event is taken, ignored, or refused with a reason.
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { HOOK_KINDS, type HookKind, type Json } from '../../src/hooks/hook.ts';
import {
  CDEVENT,
  CDEVENT_HEADERS,
  GITHUB,
  GITHUB_HEADERS,
  GITLAB,
  GITLAB_HEADERS,
} from '../hooks/payloads.ts';
import { T0 } from '../support/build.ts';
import { edited, edits, mutated, mutation } from './mutate.ts';
import { ask, expectAnswer, expectQuiet, type RealApi, realApi, SECRETS } from './real-api.ts';
import { times } from './runs.ts';

const GENERIC = { service: 'aurora', version: '3.0.0', previous_version: '2.0.0', parameters: {} };
const EVENTS: Readonly<Record<HookKind, readonly [Json, Readonly<Record<string, string>>]>> = {
  github: [GITHUB, GITHUB_HEADERS],
  gitlab: [GITLAB, GITLAB_HEADERS],
  cdevents: [CDEVENT, CDEVENT_HEADERS],
  generic: [GENERIC, { 'content-type': 'application/json' }],
};

const kind = fc.constantFrom(...HOOK_KINDS);
const pieces = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\\u0000',
  '\\ud800',
  '1e999',
  '\0',
  '__proto__',
];
const change = fc.record({
  values: fc.array(mutation, { maxLength: 3 }),
  text: fc.option(edits(pieces)),
  raw: fc.option(
    fc.constantFrom(
      ...['', 'null', '[]', '"x"', '{"a":'.repeat(40_000), '['.repeat(200_000)],
      ...[`${'['.repeat(100_000)}${']'.repeat(100_000)}`, `{"ref":"${'9.'.repeat(100_000)}"}`],
      ...[`{"object_kind":"${'\\u001b]'.repeat(30_000)}"}`, 'payload=%7B%7D', '{}'.padEnd(300_000)],
    ),
    { freq: 12 },
  ),
});

function bodyOf(
  of: HookKind,
  { values, text, raw }: typeof change extends fc.Arbitrary<infer C> ? C : never,
) {
  if (raw !== null) return raw;
  const written = JSON.stringify(mutated(EVENTS[of][0], values)) ?? '';
  return text === null ? written : edited(written, text);
}

/** What proves that the owner of the secret sent these bytes. */
function proofOf(of: HookKind, body: string): Record<string, string> {
  if (of === 'github') {
    const hex = createHmac('sha256', SECRETS.hook).update(body).digest('hex');
    return { 'x-hub-signature-256': `sha256=${hex}` };
  }
  if (of === 'gitlab') return { 'x-gitlab-token': SECRETS.signing };
  const at = new Date(T0);
  return {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(T0 / 1_000),
    'webhook-signature': new Webhook(SECRETS.signing).sign('msg_1', at, body),
  };
}

function send(api: RealApi, of: HookKind, body: string, headers: object) {
  return ask(api, {
    method: 'POST',
    url: `/v1/hooks/${of}`,
    headers: { ...EVENTS[of][1], ...headers },
    payload: body,
  });
}

describe('a hook', () => {
  test('that is proved and as it should be starts a watch', async () => {
    const api = await realApi();
    for (const of of HOOK_KINDS) {
      const [event] = EVENTS[of];
      const fitting = { ...event, customData: { previous_version: '1' } };
      const body = JSON.stringify(of === 'cdevents' ? fitting : event);
      const { statusCode } = await send(api, of, body, proofOf(of, body));
      expect([201, 200, 422]).toContain(statusCode);
    }
    expectQuiet(api);
  });

  test('that is proved and spoiled is taken, ignored or refused', async () => {
    const api = await realApi();
    const seen = new Set<number>();
    const property = fc.asyncProperty(kind, change, async (of, changes) => {
      const body = bodyOf(of, changes);
      const answer = await send(api, of, body, proofOf(of, body));
      expectAnswer(answer);
      expect(answer.statusCode).not.toBe(401);
      seen.add(answer.statusCode);
    });
    await fc.assert(property, times(700));
    expect([...seen]).toEqual(expect.arrayContaining([200, 400, 413, 422]));
    expectQuiet(api);
  });

  test('without a valid proof starts nothing', async () => {
    const api = await realApi();
    const before = await api.state();
    const odd = fc.oneof(
      fc.string({ unit: 'binary-ascii', maxLength: 20 }),
      fc.constantFrom('', 'sha256=', `sha256=${'0'.repeat(64)}`, 'v1,', 'v1,AAAA', '-1', '1e9'),
      fc.constantFrom('v1a,x', `v1,${'A'.repeat(44)}`, '9'.repeat(400), 'Bearer x', SECRETS.read),
    );
    const spoilt = fc.record({
      of: kind,
      /** Whose proof is sent; it belongs to other bytes or another kind. */
      from: kind,
      extra: fc.constantFrom(' ', '\n', '{}', 'x'),
      names: fc.dictionary(
        fc.constantFrom(
          ...['x-hub-signature-256', 'x-hub-signature', 'x-gitlab-token', 'authorization'],
          ...['webhook-id', 'webhook-timestamp', 'webhook-signature'],
        ),
        odd.map((text) => text.replace(/[^\x20-\x7e]/g, '?')),
        { minKeys: 1, maxKeys: 4 },
      ),
      changes: change,
    });
    const property = fc.asyncProperty(spoilt, async ({ of, from, extra, names, changes }) => {
      const body = bodyOf(of, changes);
      const { 'x-gitlab-token': _secret, ...stolen } = proofOf(from, `${body}${extra}`);
      const answer = await send(api, of, body, { ...stolen, ...names });
      expectAnswer(answer);
      expect([401, 403, 413, 415]).toContain(answer.statusCode);
    });
    await fc.assert(property, times(500));
    expect(await api.state()).toBe(before);
    expectQuiet(api);
  });

  test('of a kind that nobody knows starts nothing', async () => {
    const api = await realApi();
    const before = await api.state();
    const property = fc.asyncProperty(
      fc.string({ unit: 'binary', maxLength: 30 }),
      async (name) => {
        const url = `/v1/hooks/${encodeURIComponent(name.toWellFormed())}`;
        const body = JSON.stringify(GENERIC);
        const headers = { 'content-type': 'application/json', ...proofOf('generic', body) };
        const answer = await ask(api, { method: 'POST', url, headers, payload: body });
        expectAnswer(answer);
        expect(answer.statusCode).toBeGreaterThanOrEqual(400);
      },
    );
    await fc.assert(property, times(200));
    expect(await api.state()).toBe(before);
    expectQuiet(api);
  });
});
