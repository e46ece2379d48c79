// The buttons of Slack over real HTTP: signed as Slack signs, answered as Slack wants it, and what
// came of it told by the response_url.
import { createHmac } from 'node:crypto';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { slackActionId, slackValue } from '../../src/core/slack-button.ts';
import type { WatchView } from '../../src/engine/control.ts';
import { slackProof } from '../../src/http/slack-proof.ts';
import type { SlackChannelSetup } from '../../src/http/slack-setup.ts';
import { FakeControl } from '../support/fake-control.ts';
import { startFakeService } from '../support/fake-service.ts';
import { api, listening } from '../support/http-server.ts';
import { until } from '../support/until.ts';

const SECRET = ['8f742231', 'b10e8888', 'abcd99ab', 'cd0ef1e2'].join('');
const OTHER = 'another-signing-secret-0123';

const hooks = await startFakeService(() => ({ status: 200, body: 'ok' }));
beforeEach(() => hooks.reset());
afterAll(() => hooks.close());

/** What was told to who pressed. */
const told = () => hooks.requests.map(({ body }) => (body as { text: string }).text);

function sign(body: string, seconds: number, secret = SECRET) {
  const hex = createHmac('sha256', secret).update(`v0:${seconds}:${body}`).digest('hex');
  return {
    'content-type': 'application/x-www-form-urlencoded',
    'x-slack-request-timestamp': String(seconds),
    'x-slack-signature': `v0=${hex}`,
  };
}

const nowSeconds = () => Math.floor(Date.now() / 1_000);

function ops(over: Partial<SlackChannelSetup> = {}): SlackChannelSetup {
  return { name: 'ops', signingSecret: () => SECRET, users: null, channelId: null, ...over };
}

type Over = {
  readonly user?: Readonly<Record<string, string>>;
  readonly actionTs?: string;
  readonly responseUrl?: string;
  readonly channel?: string;
  readonly actionId?: string;
  readonly value?: string;
};

function payload(button: 'acknowledge' | 'stop' | 'hold', watchId: string, over: Over = {}) {
  const value = over.value ?? slackValue({ channel: over.channel ?? 'ops', watchId });
  return {
    type: 'block_actions',
    team: { id: 'T1', domain: 'example' },
    user: over.user ?? { id: 'U0123456789', username: 'ann', team_id: 'T1' },
    api_app_id: 'A1',
    trigger_id: '1.2.abc',
    container: { type: 'message_attachment', message_ts: '1.1', channel_id: 'C1' },
    response_url: over.responseUrl ?? `${hooks.url}/actions/T1/1/secret`,
    actions: [
      {
        type: 'button',
        block_id: 'b1',
        action_id: over.actionId ?? slackActionId(button),
        action_ts: over.actionTs ?? '1548426417.840180',
        value,
      },
    ],
  };
}

const form = (value: unknown) =>
  new URLSearchParams({ payload: typeof value === 'string' ? value : JSON.stringify(value) });

/** The API with buttons, and a watch that is open. */
async function pressable(channels: readonly SlackChannelSetup[] = [ops()], control?: FakeControl) {
  const answerOrigin = new URL(hooks.url).origin;
  const slack = { channels, answerOrigin };
  const server = api({ slack, ...(control === undefined ? {} : { control }) });
  const url = await listening(server);
  const { watch } = await server.control.start({ service: 'shop', version: '2', parameters: {} });
  const post = (body: string, headers: Record<string, string>) =>
    fetch(`${url}/v1/slack/actions`, { method: 'POST', body, headers });
  const press = (button: 'acknowledge' | 'stop' | 'hold', over: Over = {}) => {
    const body = form(payload(button, watch.id, over)).toString();
    return post(body, sign(body, nowSeconds()));
  };
  const types = async () => (await server.control.events(watch.id)).map(({ type }) => type);
  return { ...server, watch, post, press, types };
}

const BY = { by: 'slack:ann (U0123456789)', reason: 'by button in Slack' };

describe('a button in Slack', () => {
  it.each([
    ['acknowledge', 'acknowledge', 'You have acknowledged shop 2 (production).'],
    ['stop', 'stop', 'You have stopped shop 2 (production). Rollback is on the way.'],
    ['hold', 'setHold', 'Hold fire is on: canaryd only observes'],
  ] as const)(
    'for %s does it, under the name of who pressed, and says so',
    async (button, name, text) => {
      const { press, control } = await pressable();
      const answer = await press(button);
      expect([answer.status, await answer.text()]).toEqual([200, '']);
      await until(() => expect(told()).toEqual([expect.stringContaining(text)]));
      expect(control.commands.slice(1)).toEqual([{ name, argument: BY }]);
      expect(hooks.requests[0]).toMatchObject({
        path: '/actions/T1/1/secret',
        body: { response_type: 'ephemeral', replace_original: false },
      });
    },
  );

  it('tells the journal who pressed, and why', async () => {
    const { press, control, watch } = await pressable();
    await press('stop');
    await until(() => expect(told()).toHaveLength(1));
    expect((await control.events(watch.id)).at(-1)).toMatchObject({
      type: 'watch.stopped',
      cause: 'human',
      ...BY,
    });
  });

  it('is answered before the work is done', async () => {
    const control = new FakeControl();
    const gate = Promise.withResolvers<void>();
    const real = control.stop.bind(control);
    control.stop = async (...args): Promise<WatchView> => {
      await gate.promise;
      return real(...args);
    };
    const { press, types } = await pressable([ops()], control);
    expect((await press('stop')).status).toBe(200);
    expect(await types()).toEqual(['watch.started']);
    gate.resolve();
    await until(() => expect(told()).toHaveLength(1));
    expect(await types()).toEqual(['watch.started', 'watch.stopped']);
  });

  it('does nothing a second time when the same press is sent again', async () => {
    const { press, control, app } = await pressable();
    for (const _ of [1, 2, 3]) expect((await press('hold')).status).toBe(200);
    await app.close();
    expect(control.commands.map(({ name }) => name)).toEqual(['start', 'setHold']);
    expect(told()).toHaveLength(1);
  });

  it('says that hold fire is on already when it is pressed again', async () => {
    const { press, control } = await pressable();
    for (const actionTs of ['1', '2']) {
      await press('hold', { actionTs });
      await until(() => expect(told()).toHaveLength(Number(actionTs)));
    }
    expect(control.commands.map(({ name }) => name)).toEqual(['start', 'setHold']);
    expect(told()[1]).toContain('Hold fire is on already, by slack:ann (U0123456789)');
  });

  it.each([
    ['acknowledge', 'there is nothing to acknowledge any more'],
    ['stop', 'there is nothing to stop any more'],
    ['hold', 'switch it on at the page of canaryd'],
  ] as const)('for %s under an old message is answered, not obeyed', async (button, text) => {
    const { press, control, watch } = await pressable();
    await control.cancel(watch.id, { by: 'bob', reason: 'done' });
    await press(button);
    await until(() => expect(told()).toEqual([expect.stringContaining(text)]));
    expect(told()[0]).toContain('Nothing was done: shop 2 (production) has ended (cancelled)');
    expect(control.commands.map(({ name }) => name)).toEqual(['start', 'cancel']);
  });

  it('says why the engine refuses, and when the watch is gone', async () => {
    const { press, control } = await pressable();
    await control.setHold({ by: 'bob', reason: 'audit' });
    await press('stop');
    await until(() => expect(told()).toHaveLength(1));
    await press('stop', { value: '["ops","w_none"]' });
    await until(() => expect(told()).toHaveLength(2));
    expect(told()).toEqual([
      'Nothing was done. hold fire is on; release first',
      'Nothing was done: the watch is no longer in the journal. This message is too old.',
    ]);
  });

  it('gives away nothing of a mistake of ours', async () => {
    const { press, control, log } = await pressable();
    control.failure = new TypeError('x of undefined');
    await press('acknowledge');
    await until(() => expect(told()).toHaveLength(1));
    expect(told()[0]).toContain('canaryd itself failed, its log says why');
    expect(log.join()).toContain('x of undefined');
  });

  it('is refused to people who are not among the users', async () => {
    const { press, control } = await pressable([ops({ users: ['U0000000001'] })]);
    expect((await press('stop')).status).toBe(200);
    await until(() => expect(told()).toHaveLength(1));
    expect(told()[0]).toContain('Nothing was done: you (ann, U0123456789) are not among the users');
    expect(hooks.requests[0]?.body).toMatchObject({ response_type: 'ephemeral' });
    expect(control.commands.map(({ name }) => name)).toEqual(['start']);
  });

  it('is refused to a guest of another workspace, unless they are among the users', async () => {
    const guest = { id: 'U0000000009', username: 'eve', team_id: 'T9' };
    const listed = ops({ name: 'listed', users: [guest.id] });
    const { press, control } = await pressable([ops(), listed]);
    await press('stop', { user: guest });
    await until(() => expect(told()).toHaveLength(1));
    expect(told()[0]).toContain('you (eve, U0000000009) are of another workspace');
    expect(control.commands).toHaveLength(1);
    await press('acknowledge', { user: guest, channel: 'listed' });
    await until(() => expect(told()).toHaveLength(2));
    expect(control.commands.map(({ name }) => name)).toEqual(['start', 'acknowledge']);
  });

  it.each([
    ['C0000000002', ['start']],
    ['C1', ['start', 'acknowledge']],
  ])('is obeyed in its own channel of Slack only (%s)', async (channelId, wanted) => {
    const { press, control } = await pressable([ops({ channelId })]);
    await press('acknowledge');
    await until(() => expect(told()).toHaveLength(1));
    expect(control.commands.map(({ name }) => name)).toEqual(wanted);
  });

  it('obeys the users of its own channel only, also when another one has the same app', async () => {
    const strict = ops({ name: 'strict', users: ['U0000000001'] });
    const { press, control } = await pressable([ops(), strict]);
    await press('acknowledge', { channel: 'strict' });
    await until(() => expect(told()[0]).toContain("canaryd's channel strict"));
    await press('acknowledge', { channel: 'removed', actionTs: '2' });
    await until(() => expect(told()[1]).toContain('no longer has buttons in its channel removed'));
    expect(control.commands).toHaveLength(1);
  });

  it('neither pings nor links by a foreign name', async () => {
    const { press, control } = await pressable([ops({ users: ['U0000000001'] })]);
    await press('stop', { user: { id: 'U2', username: '<!channel>\n& \u202e' } });
    await until(() => expect(told()).toHaveLength(1));
    expect(told()[0]).toContain('you (&lt;!channel&gt; &amp;, U2)');
    expect(control.commands).toHaveLength(1);
  });

  it('leaves it to canaryd whether a second acknowledgement says something new', async () => {
    const { press, control } = await pressable();
    await press('acknowledge');
    await until(() => expect(told()).toHaveLength(1));
    await press('acknowledge', { actionTs: '2' });
    await until(() => expect(told()).toHaveLength(2));
    const commands = control.commands.map(({ name }) => name);
    expect(commands).toEqual(['start', 'acknowledge', 'acknowledge']);
  });
});

describe('what Slack is told later', () => {
  it('is tried again when Slack has trouble', async () => {
    hooks.respondOnce(500, 'trouble');
    const { press } = await pressable();
    await press('acknowledge');
    await until(() => expect(hooks.requests).toHaveLength(2), 5_000);
    expect(new Set(told()).size).toBe(1);
  });

  it('is given up when Slack refuses it; the command stands', async () => {
    hooks.respondOnce(404, 'used_url');
    const { press, types, log, app } = await pressable();
    await press('acknowledge');
    await until(() => expect(log.join()).toContain('could not be told'));
    await app.close();
    expect(hooks.requests).toHaveLength(1);
    expect(await types()).toContain('watch.acknowledged');
    expect(log.join()).not.toContain('/actions/T1');
  });

  it.each([
    'http://127.0.0.1:1/actions',
    'https://hooks.slack.com.evil.example/actions',
    'https://hooks.slack.com@evil.example/actions',
    'file:///etc/passwd',
    'not a url',
    '',
  ])('goes to Slack only: not to %s', async (responseUrl) => {
    const { press, types, log } = await pressable();
    await press('acknowledge', { responseUrl });
    await until(() => expect(log.join()).toContain('its response_url is not of Slack'));
    expect(await types()).toContain('watch.acknowledged');
    expect(hooks.requests).toEqual([]);
  });

  it('follows no redirect', async () => {
    hooks.respondOnce(302, '', { location: `${hooks.url}/elsewhere` });
    const { press, log } = await pressable();
    await press('acknowledge');
    await until(() => expect(log.join()).toContain('HTTP 302'));
    expect(hooks.requests).toHaveLength(1);
  });
});

describe('a request that is not of Slack', () => {
  const body = form(payload('stop', 'w_1')).toString();
  const good = sign(body, nowSeconds());
  const cases: readonly (readonly [string, string, Readonly<Record<string, string>>, string])[] = [
    ['unsigned', body, { 'content-type': good['content-type'] }, 'is not there'],
    ['signed with another secret', body, sign(body, nowSeconds(), OTHER), 'another secret'],
    ['altered', `${body}&x=1`, good, 'another secret'],
    ['too old', body, sign(body, nowSeconds() - 301), '5 minutes'],
    ['from the future', body, sign(body, nowSeconds() + 310), '5 minutes'],
    [
      'signed for another time',
      body,
      { ...good, 'x-slack-request-timestamp': String(nowSeconds() - 1) },
      'another secret',
    ],
    ['without a time', body, { ...good, 'x-slack-request-timestamp': '1e3' }, 'no time'],
    [
      'signed in another version',
      body,
      { ...good, 'x-slack-signature': good['x-slack-signature'].replace('v0=', 'v1=') },
      'another secret',
    ],
    ['signed with half a signature', body, { ...good, 'x-slack-signature': 'v0=ab' }, 'another'],
  ];

  it.each(cases)('(%s) is refused, and says to the log why', async (_, sent, headers, why) => {
    const { post, control, log } = await pressable();
    const answer = await post(sent, headers);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(await answer.json()).toMatchObject({ detail: 'the request is not signed by Slack' });
    expect(log.join()).toContain(why);
    expect(control.commands).toHaveLength(1);
  });

  it('is refused when the secret is gone', async () => {
    const { press } = await pressable([ops({ signingSecret: () => null })]);
    expect((await press('stop')).status).toBe(401);
  });

  it('has nobody to answer when no channel has buttons', async () => {
    const { press } = await pressable([]);
    const answer = await press('stop');
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({
      detail: expect.stringContaining('signing_secret'),
    });
  });
});

describe('the signature of Slack', () => {
  // Computed beforehand with node:crypto over "v0:1531420618:" and the body.
  const BODY = 'payload=%7B%22type%22%3A%22block_actions%22%7D';
  const SIGNATURE = 'v0=7a2ac6de50cc113171828a7e0edc717ce5625cfcbea12be9689cbc102e14824d';

  it.each([
    [SIGNATURE, 1_531_420_618_000, 'signed'],
    [SIGNATURE, 1_531_420_618_000 + 300_000, 'signed'],
    [SIGNATURE, 1_531_420_618_000 + 300_001, 'refused'],
    [SIGNATURE.toUpperCase().replace('V0', 'v0'), 1_531_420_618_000, 'refused'],
    [SIGNATURE.replace(/.$/, '0'), 1_531_420_618_000, 'refused'],
  ])('%s at %i is %s', (signature, nowMs, kind) => {
    const request = { timestamp: '1531420618', signature, body: Buffer.from(BODY) };
    expect(slackProof(request, [ops()], nowMs).kind).toBe(kind);
  });
});

describe('an interaction that is not ours', () => {
  const from = { id: 'U1', username: 'ann' };
  it.each([
    ['another button', { ...payload('stop', 'w_1', { actionId: 'other.app' }) }],
    ['the link to the page', payload('stop', 'w_1', { actionId: 'canaryd.open' })],
    ['a button without its value', payload('stop', 'w_1', { value: 'w_1' })],
    ['a value of another shape', payload('stop', 'w_1', { value: '["ops",1]' })],
    ['a shortcut', { type: 'shortcut', user: from }],
    ['no actions', { ...payload('stop', 'w_1'), actions: [] }],
    ['too many actions', { ...payload('stop', 'w_1'), actions: Array(6).fill({ action_id: 'x' }) }],
    ['nobody', { ...payload('stop', 'w_1'), user: { id: '../U1' } }],
    ['no JSON', '{'],
    ['a list', []],
  ])('(%s) is taken and ignored', async (_, sent) => {
    const { post, control, app } = await pressable();
    const body = form(sent).toString();
    expect((await post(body, sign(body, nowSeconds()))).status).toBe(200);
    await app.close();
    expect(control.commands).toHaveLength(1);
    expect(hooks.requests).toEqual([]);
  });

  it('(a form without a payload) is taken and ignored', async () => {
    const { post } = await pressable();
    expect((await post('ssl_check=1', sign('ssl_check=1', nowSeconds()))).status).toBe(200);
  });

  it('is refused when it is no form, or far too large', async () => {
    const { post } = await pressable();
    const json = { ...sign('{}', nowSeconds()), 'content-type': 'application/json' };
    expect((await post('{}', json)).status).toBe(415);
    const large = `payload=${'x'.repeat(300_000)}`;
    expect((await post(large, sign(large, nowSeconds()))).status).toBe(413);
  });
});
