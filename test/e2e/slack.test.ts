// Slack in the real daemon: the message of a watch has buttons; one is pressed, and after a kill the
// same message goes on.
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aStart, auroraPolicy, type Canaryd, startCanaryd } from '../support/daemon.ts';
import { type FakeSlackApi, startFakeSlackApi } from '../support/fake-slack-api.ts';
import { until } from '../support/until.ts';

const SECRET = 'signing-secret-0123456789';
const DEAD = 'http://127.0.0.1:9';

type Button = { readonly action_id: string; readonly value: string };

function buttonsOf(payload: unknown): readonly Button[] {
  const { attachments } = payload as { attachments: { blocks: { elements?: Button[] }[] }[] };
  const all = attachments.flatMap(({ blocks }) => blocks.flatMap(({ elements = [] }) => elements));
  return all.filter(({ action_id }) => action_id !== undefined);
}

describe('Slack', { timeout: 60_000 }, () => {
  let slack: FakeSlackApi;
  let canaryd: Canaryd;
  beforeAll(async () => {
    slack = await startFakeSlackApi();
    const { token, channel, url } = slack;
    const bot = { token: '$BOT', channel, url, signing_secret: '$SIGNING' };
    canaryd = await startCanaryd({
      config: {
        public_url: 'https://canaryd.example',
        sources: { aurora: { scrape: { targets: [`${DEAD}/metrics`] } } },
        channels: { ops: { slack_bot: bot } },
      },
      policies: {
        aurora: auroraPolicy({
          ...{ service: 'aurora', auroraUrl: DEAD },
          ...{ disarmUrl: `${DEAD}/disarm`, rollbackUrl: `${DEAD}/rollback` },
        }),
      },
      env: {
        BOT: token,
        SIGNING: SECRET,
        AURORA_DISARM_SECRET: 'disarm-secret',
        AURORA_ROLLBACK_SECRET: 'rollback-secret',
      },
    });
  }, 60_000);
  afterAll(async () => {
    await canaryd?.dispose();
    await slack?.close();
  });

  async function press(button: Button): Promise<number> {
    const payload = {
      type: 'block_actions',
      user: { id: 'U0123456789', username: 'ann' },
      response_url: 'https://127.0.0.1:9/not-slack',
      actions: [{ type: 'button', ...button, action_ts: '1.1' }],
    };
    const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
    const seconds = Math.floor(Date.now() / 1_000);
    const hex = createHmac('sha256', SECRET).update(`v0:${seconds}:${body}`).digest('hex');
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'x-slack-request-timestamp': `${seconds}`,
      'x-slack-signature': `v0=${hex}`,
    };
    const init = { method: 'POST', headers, body };
    return (await fetch(`${canaryd.url}/v1/slack/actions`, init)).status;
  }

  it('stops a deploy by its button, and tells the rest in the same message after a kill', async () => {
    const begun = await canaryd.post('/v1/watches', aStart('aurora'));
    expect(begun).toMatchObject({ status: 201 });
    const id = String(begun.body['id']);
    await until(() => expect(slack.channelMessages()).toHaveLength(1), 20_000);
    const [head] = slack.channelMessages();
    const stop = buttonsOf(head?.payload).find(({ action_id }) => action_id === 'canaryd.stop');
    // Killed before the receipt was written down, it would rightly begin a new message.
    await until(async () => {
      const { body } = await canaryd.get(`/v1/watches/${id}/deliveries`);
      expect(JSON.stringify(body)).toContain('"state":"delivered"');
    }, 20_000);
    await canaryd.kill9();
    await canaryd.start();
    expect(await press({ action_id: 'canaryd.stop', value: stop?.value ?? '' })).toBe(200);
    await until(async () => expect(await canaryd.journal(id)).toContain('watch.stopped'), 20_000);
    const { body: story } = await canaryd.get(`/v1/watches/${id}/journal`);
    expect(JSON.stringify(story)).toContain('slack:ann (U0123456789)');
    await until(() => {
      const thread = slack.thread(head?.ts ?? '').map(({ notification }) => notification);
      expect(thread.join()).toContain('STOPPED aurora');
    }, 20_000);
    expect(slack.channelMessages()).toHaveLength(1);
    expect(slack.channelMessages()[0]?.ts).toBe(head?.ts);
    expect(canaryd.log()).toContain('its response_url is not of Slack');
    expect(canaryd.log()).not.toContain(SECRET);
  });
});
