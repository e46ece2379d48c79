import { createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import type { StartCommand } from '../../src/engine/control.ts';
import { HOOK_KINDS, type HookKind, type Json } from '../../src/hooks/hook.ts';
import { tokenMatcher } from '../../src/http/auth.ts';
import type { HookSetup, HookSetups } from '../../src/http/hook-setup.ts';
import {
  CDEVENT,
  CDEVENT_HEADERS,
  changed,
  GITHUB,
  GITHUB_HEADERS,
  GITLAB,
  GITLAB_HEADERS,
  SHA,
} from '../hooks/payloads.ts';
import { api } from '../support/http-server.ts';

const SECRET = 'correct-horse-battery';
const OLD_SECRET = 'old-horse-old-battery';
const SIGNING = `whsec_${Buffer.from('a key of twenty-four by').toString('base64')}`;
const CI_TOKEN = { name: 'ci', scopes: ['start'], matches: tokenMatcher('ci-token') } as const;
const READ_TOKEN = { name: 'look', scopes: ['read'], matches: tokenMatcher('read-token') } as const;
const TOKENS = [CI_TOKEN, READ_TOKEN];

function setup(secret: string | null, over: Partial<HookSetup> = {}): HookSetup {
  return {
    settings: { services: {}, environments: null },
    secret: secret === null ? null : () => secret,
    parameters: {},
    ...over,
  };
}

const KINDS: HookSetups['kinds'] = {
  github: setup(`${SECRET} ${OLD_SECRET}`),
  gitlab: setup(SIGNING),
  cdevents: setup(SIGNING),
  generic: setup(SIGNING),
};

function hooked(kinds: Partial<HookSetups['kinds']> = {}, tokens: typeof TOKENS = TOKENS) {
  const parametersOf = (service: string) =>
    new Set(service === 'aurora' ? ['deploy_capital', 'expected_positions'] : []);
  const server = api({ tokens, hooks: { kinds: { ...KINDS, ...kinds }, parametersOf } });
  const send = (kind: string, body: Json | string, headers: Readonly<Record<string, string>>) =>
    server.app.inject({
      method: 'POST',
      url: `/v1/hooks/${kind}`,
      headers: { 'content-type': 'application/json', host: 'localhost', ...headers },
      payload: typeof body === 'string' ? body : JSON.stringify(body),
    });
  return { ...server, send };
}

const hex = (body: Json | string, secret = SECRET) =>
  createHmac('sha256', secret)
    .update(typeof body === 'string' ? body : JSON.stringify(body))
    .digest('hex');
const github = (body: Json | string, secret = SECRET) => ({
  ...GITHUB_HEADERS,
  'x-hub-signature-256': `sha256=${hex(body, secret)}`,
});

const MINUTE_MS = 60_000;
function signed(body: Json, agoMs = 0, id = 'msg_1', secret = SIGNING) {
  const at = new Date(Date.now() - agoMs);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign(id, at, JSON.stringify(body)),
  };
}

const START = { service: 'aurora', version: '1.4.0' };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const GITLAB_TOKEN = { ...GITLAB_HEADERS, 'x-gitlab-token': SIGNING };

describe('a signed hook', () => {
  const cases: readonly (readonly [
    HookKind,
    Json,
    Readonly<Record<string, string>>,
    Readonly<Record<string, unknown>>,
  ])[] = [
    ['github', GITHUB, github(GITHUB), { version: SHA, by: 'octocat (github hook)' }],
    ['gitlab', GITLAB, GITLAB_TOKEN, { version: SHA, by: 'alice (gitlab hook)' }],
    [
      'gitlab',
      GITLAB,
      { ...GITLAB_HEADERS, ...signed(GITLAB) },
      { version: SHA, by: 'alice (gitlab hook)' },
    ],
    [
      'cdevents',
      CDEVENT,
      { ...CDEVENT_HEADERS, ...signed(CDEVENT) },
      { version: 'sha256:4f1c9e0a', by: 'cdevents hook' },
    ],
    ['cdevents', CDEVENT, { ...CDEVENT_HEADERS, ...bearer('ci-token') }, { by: 'ci' }],
    ['generic', START, signed(START), { version: '1.4.0', by: 'generic hook' }],
    ['generic', START, bearer('ci-token'), { version: '1.4.0', by: 'ci' }],
    ['generic', { ...START, by: 'alice' }, bearer('ci-token'), { by: 'alice (ci)' }],
  ];

  it.each(cases)('of kind %s starts a watch, once %#', async (kind, body, headers, started) => {
    const { send, control } = hooked();
    const first = await send(kind, body, headers);
    const again = await send(kind, body, headers);
    expect([first.statusCode, again.statusCode]).toEqual([201, 200]);
    expect(first.json()).toMatchObject({ service: 'aurora' });
    expect(first.headers['location']).toBe(`/v1/watches/${first.json().id}`);
    expect(again.json().id).toBe(first.json().id);
    expect(control.entries.size).toBe(1);
    expect(control.commands[0]?.argument).toMatchObject(started);
  });

  it('in structured mode of CloudEvents starts a watch', async () => {
    const { send } = hooked();
    const envelope = { specversion: '1.0', id: 'e-1', source: '/x', type: 'y', data: CDEVENT };
    const type = { 'content-type': 'application/cloudevents+json; charset=UTF-8' };
    const answer = await send('cdevents', envelope, { ...type, ...signed(envelope) });
    expect(answer.statusCode).toBe(201);
  });

  it('that is delivered again after its watch has closed is the watch that there is', async () => {
    const { send, control } = hooked();
    const { id } = (await send('github', GITHUB, github(GITHUB))).json();
    await control.cancel(id, { by: 'alice', reason: 'enough' });
    const again = await send('github', GITHUB, github(GITHUB));
    expect([again.statusCode, again.json().id]).toEqual([200, id]);
  });

  it('may be signed by the secret that is being replaced', async () => {
    const { send } = hooked();
    const answer = await send('github', GITHUB, github(GITHUB, OLD_SECRET));
    expect(answer.statusCode).toBe(201);
  });

  it('is told that a ping works', async () => {
    const { send } = hooked();
    const ping = { zen: 'Keep it logically awesome.', hook_id: 1 };
    const answer = await send('github', ping, { ...github(ping), 'x-github-event': 'ping' });
    expect([answer.statusCode, answer.json()]).toEqual([200, { ignored: 'ping: the hook works' }]);
  });

  it('of a deploy that has not finished starts nothing', async () => {
    const { send, control } = hooked();
    const running = changed(GITHUB, { 'deployment_status.state': 'in_progress' });
    const answer = await send('github', running, github(running));
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      { ignored: 'state "in_progress"; only success starts a watch' },
    ]);
    expect(control.commands).toEqual([]);
  });
});

describe('a hook without proof', () => {
  const other = changed(GITHUB, { 'deployment.sha': 'f'.repeat(40) });
  const late = signed(START, 5 * MINUTE_MS + 2_000);
  const cases: readonly (readonly [string, HookKind, Json, Readonly<Record<string, string>>])[] = [
    ['without a signature', 'github', GITHUB, GITHUB_HEADERS],
    ['with the signature of another body', 'github', other, github(GITHUB)],
    ['signed with another secret', 'github', GITHUB, github(GITHUB, 'another-secret-of-ours')],
    [
      'signed with both secrets as one',
      'github',
      GITHUB,
      github(GITHUB, `${SECRET} ${OLD_SECRET}`),
    ],
    ['signed by SHA-1', 'github', GITHUB, { ...GITHUB_HEADERS, 'x-hub-signature': 'sha1=00' }],
    [
      'with a short signature',
      'github',
      GITHUB,
      { ...GITHUB_HEADERS, 'x-hub-signature-256': `sha256=${hex(GITHUB).slice(0, 62)}` },
    ],
    ['with a bearer token only', 'github', GITHUB, { ...GITHUB_HEADERS, ...bearer('ci-token') }],
    ['without a token', 'gitlab', GITLAB, GITLAB_HEADERS],
    ['with a part of the token', 'gitlab', GITLAB, { 'x-gitlab-token': SIGNING.slice(0, -1) }],
    ['with an empty token', 'gitlab', GITLAB, { 'x-gitlab-token': '' }],
    ['signed too long ago', 'generic', START, late],
    ['signed in the future', 'generic', START, signed(START, -5 * MINUTE_MS - 2_000)],
    [
      'with a fresh time on an old signature',
      'generic',
      START,
      { ...late, 'webhook-timestamp': signed(START)['webhook-timestamp'] },
    ],
    ['with another id', 'generic', START, { ...signed(START), 'webhook-id': 'msg_2' }],
    ['with another body', 'generic', { ...START, version: '6.6.6' }, signed(START)],
    [
      'of the asymmetric scheme',
      'generic',
      START,
      {
        ...signed(START),
        'webhook-signature': signed(START)['webhook-signature'].replace('v1,', 'v1a,'),
      },
    ],
    [
      'with a time that is none',
      'cdevents',
      CDEVENT,
      { ...signed(CDEVENT), 'webhook-timestamp': 'now' },
    ],
    ['with half of the headers', 'cdevents', CDEVENT, { 'webhook-signature': 'v1,AAAA' }],
  ];

  it.each(cases)('%s (%s) is refused, and not told why', async (_, kind, body, headers) => {
    const { send, control, log } = hooked();
    const answer = await send(kind, body, headers);
    expect(answer.statusCode).toBe(401);
    expect(answer.json()).toMatchObject({
      type: 'urn:canaryd:problem:unauthorized',
      detail: 'the hook is not signed as configured',
    });
    expect(control.commands).toEqual([]);
    expect(log.join('')).toMatch(new RegExp(`"level":40.*"hook":"${kind}".*hook refused`));
    expect(log.join('')).not.toContain(SECRET);
  });

  it.each([
    [{}, 401],
    [bearer('wrong'), 401],
    [bearer('read-token'), 403],
  ])('and with %j in place of a token is %i', async (headers, status) => {
    const { send, control } = hooked({ generic: setup(null) });
    expect((await send('generic', START, headers)).statusCode).toBe(status);
    expect(control.commands).toEqual([]);
  });

  it('is logged once in a while, however often it comes', async () => {
    const { send, log } = hooked();
    for (let count = 0; count < 20; count += 1) await send('github', GITHUB, GITHUB_HEADERS);
    await send('gitlab', GITLAB, GITLAB_HEADERS);
    expect(log.filter((line) => line.includes('hook refused'))).toHaveLength(2);
  });

  it('is refused before its body is read as JSON', async () => {
    const { send } = hooked();
    expect((await send('github', '{', GITHUB_HEADERS)).statusCode).toBe(401);
    expect((await send('github', '{', github('{'))).statusCode).toBe(400);
    expect((await send('github', '[]', github('[]'))).statusCode).toBe(400);
  });
});

describe('without tokens, on loopback', () => {
  it.each([
    ['github', GITHUB, GITHUB_HEADERS],
    ['gitlab', GITLAB, GITLAB_HEADERS],
    ['cdevents', CDEVENT, CDEVENT_HEADERS],
    ['generic', START, {}],
  ] as const)(
    'a configured secret of %s is asked for all the same',
    async (kind, body, headers) => {
      const { send, control } = hooked({}, []);
      expect((await send(kind, body, headers)).statusCode).toBe(401);
      expect(control.commands).toEqual([]);
    },
  );

  it('generic without a secret takes what POST /v1/watches takes', async () => {
    const { send } = hooked({ generic: setup(null) }, []);
    expect((await send('generic', START, {})).statusCode).toBe(201);
    const foreign = { host: 'localhost', origin: 'https://evil.example' };
    expect((await send('generic', START, foreign)).statusCode).toBe(403);
  });
});

describe('a kind that is not taken', () => {
  it.each(HOOK_KINDS)('%s says how to configure it', async (kind) => {
    const { send, control } = hooked({ [kind]: null });
    const answer = await send(kind, START, bearer('ci-token'));
    expect(answer.statusCode).toBe(404);
    expect(answer.json().detail).toContain(`hooks: { ${kind}: {`);
    expect(control.commands).toEqual([]);
  });

  it.each(['bitbucket', 'constructor', '__proto__'])('%s is none of ours', async (kind) => {
    const answer = await hooked().send(kind, START, {});
    expect(answer.statusCode).toBe(404);
    expect(answer.json().detail).toContain('github, gitlab, cdevents, generic');
  });

  it('is every kind by default', async () => {
    const answer = await api().app.inject({ method: 'POST', url: '/v1/hooks/github', payload: {} });
    expect(answer.statusCode).toBe(404);
  });

  it('and a GET is told what is possible', async () => {
    const answer = await hooked().app.inject('/v1/hooks/github');
    expect([answer.statusCode, answer.headers['allow']]).toEqual([405, 'POST']);
  });
});

describe('a start from a hook', () => {
  it('takes parameters from the config: those that a policy asks for', async () => {
    const { send, control } = hooked({
      github: setup(SECRET, { parameters: { deploy_capital: 1, expected_positions: 2, other: 3 } }),
    });
    const event = changed(GITHUB, {
      'deployment.payload': { parameters: { deploy_capital: 100_000 } },
    });
    await send('github', event, github(event));
    const billing = changed(GITHUB, { 'repository.full_name': 'example-org/billing' });
    await send('github', billing, { ...github(billing), 'x-github-delivery': 'another' });
    const given = control.commands.map(({ argument }) => (argument as StartCommand).parameters);
    expect(given).toEqual([{ deploy_capital: 100_000, expected_positions: 2 }, {}]);
  });

  it('of a service that no policy serves is ignored, and logged', async () => {
    const { send, log } = hooked();
    const event = changed(GITHUB, { 'repository.full_name': 'example-org/unknown' });
    const answer = await send('github', event, github(event));
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      { ignored: 'no policy serves "unknown" in "production"' },
    ]);
    const line = log.find((text) => text.includes('hook ignored')) ?? '{}';
    expect(JSON.parse(line)).toMatchObject({
      level: 30,
      hook: 'github',
      delivery: GITHUB_HEADERS['x-github-delivery'],
    });
  });

  it('that the engine refuses is a problem, and a warning in the log', async () => {
    const { send, control, log } = hooked();
    control.failWith('start_invalid', 'parameters.deploy_capital: found nothing; wanted a number');
    const answer = await send('github', GITHUB, github(GITHUB));
    expect(answer.statusCode).toBe(422);
    expect(answer.json().detail).toContain('parameters.deploy_capital');
    const line = log.find((text) => text.includes('hook started no watch')) ?? '{}';
    expect(JSON.parse(line)).toMatchObject({
      level: 40,
      hook: 'github',
      problem: 'start_invalid',
      detail: expect.stringContaining('parameters.deploy_capital'),
    });
  });

  it.each([
    ['version', { 'deployment.payload': { version: 'a\nb' } }],
    ['version', { 'deployment.payload': { version: 'x'.repeat(201) } }],
    ['version', { 'deployment.payload': { version: 1.4 } }],
    ['environment', { 'deployment_status.environment': 'x'.repeat(201) }],
    ['environment', { 'deployment_status.environment': '\u001b[31mproduction' }],
    ['deployed_at', { 'deployment_status.created_at': 'yesterday' }],
    ['service', { 'repository.full_name': `org/${'x'.repeat(201)}` }],
    ['parameters', { 'deployment.payload': { parameters: 'deploy_capital=1' } }],
    ['parameters.a', { 'deployment.payload': { parameters: { a: {} } } }],
  ])('with an unfit %s is refused like any other: %#', async (path, changes) => {
    const { send, control, log } = hooked();
    const event = changed(GITHUB, changes);
    const answer = await send('github', event, github(event));
    expect(answer.statusCode).toBe(422);
    expect(answer.json().errors).toMatchObject([{ path }]);
    expect(control.commands).toEqual([]);
    expect(log.join('')).toContain('hook started no watch');
  });

  it('with an unknown field in a generic body is refused', async () => {
    const { send } = hooked();
    const answer = await send('generic', { ...START, verison: '1' }, bearer('ci-token'));
    expect(answer.json()).toMatchObject({ status: 422, errors: [{ path: 'verison' }] });
  });

  it('with a delivery id that is no key is refused', async () => {
    const { send } = hooked();
    const headers = { ...github(GITHUB), 'x-github-delivery': 'x'.repeat(300) };
    expect((await send('github', GITHUB, headers)).statusCode).toBe(400);
  });
});

describe('the body of a hook', () => {
  const padded = (bytes: number) => {
    const bare = JSON.stringify({ ...GITHUB, padding: '' });
    return JSON.stringify({ ...GITHUB, padding: 'x'.repeat(bytes - bare.length) });
  };

  it('may have 256 kB, and no more', async () => {
    const { send } = hooked();
    const [most, more] = [padded(262_144), padded(262_145)];
    expect((await send('github', most, github(most))).statusCode).toBe(201);
    const answer = await send('github', more, github(more));
    expect(answer.json()).toMatchObject({
      status: 413,
      detail: 'the body may have at most 262,144 bytes',
    });
  });

  it('must be JSON, and says where to choose that', async () => {
    const { send } = hooked();
    const headers = { ...github(GITHUB), 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await send('github', GITHUB, headers);
    expect(answer.json()).toMatchObject({ status: 415 });
    expect(answer.json().detail).toContain('settings of the webhook');
  });

  it('leaves the bodies of other routes as they were', async () => {
    const { app } = hooked();
    const ask = (payload: string, type = 'application/json') =>
      app.inject({
        method: 'POST',
        url: '/v1/watches',
        headers: { ...bearer('ci-token'), 'content-type': type },
        payload,
      });
    expect((await ask(JSON.stringify(START))).statusCode).toBe(201);
    expect((await ask(padded(65_537))).statusCode).toBe(413);
    expect((await ask('{}', 'application/cloudevents+json')).statusCode).toBe(415);
  });
});
