import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../src/core/delivery.ts';
import { pressedOf, slackButtonOf, slackValue } from '../../src/core/slack-button.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createSlack } from '../../src/notify/slack.ts';
import { createSlackBot } from '../../src/notify/slack-bot.ts';
import type { SlackElement } from '../../src/notify/slack-buttons.ts';
import { plainSlackMessage, slackMessage } from '../../src/notify/slack-message.ts';
import { exampleOf, type MessageKind } from '../docs/message-examples.ts';
import { type FakeSlack, refusalOf, startFakeSlack } from '../support/fake-slack.ts';
import { type FakeSlackApi, startFakeSlackApi } from '../support/fake-slack-api.ts';
import { fullOf, monsters } from './monsters.ts';
import { aStopMessage } from './sample.ts';

const OPS = { mention: null, buttons: 'ops' };
const signal = new AbortController().signal;

function elementsOf(message: Message, options = OPS): readonly SlackElement[] {
  const blocks = slackMessage(message, options).attachments?.[0]?.blocks ?? [];
  return blocks.flatMap((block) => (block.type === 'actions' ? block.elements : []));
}

/** An example as a daemon with a public URL sends it. */
function shown(kind: MessageKind): Message {
  const message = exampleOf(kind);
  const url = `https://canaryd.test/watches/${message.watchId}`;
  return { ...message, links: [{ label: 'Watch', url }, ...message.links] };
}

const labels = (message: Message) => elementsOf(message).map(({ text }) => text.text);

describe('the buttons of a message', () => {
  const all = ['Acknowledge', 'Stop now', 'Hold fire', 'Open the watch'];
  const open = ['Stop now', 'Hold fire', 'Open the watch'];
  const stopped = ['Acknowledge', 'Hold fire', 'Open the watch'];
  it.each<readonly [MessageKind, readonly string[]]>([
    ['watch.started', open],
    ['watch.armed', open],
    ['watch.resumed', open],
    ['conditions.blinded', all],
    ['condition.warned', all],
    ['watch.unarmed', all],
    ['watch.stopped', stopped],
    ['action.delayed', stopped],
    ['rollback.not_confirmed', ['Acknowledge', 'Open the watch']],
    ['rollback.confirmed', []],
    ['watch.passed', []],
    ['watch.superseded', []],
    ['journal.failed', []],
  ])('of %s are what somebody can still do', (kind, wanted) => {
    expect(labels(shown(kind))).toEqual(wanted);
  });

  it('carry channel and watch, and ask before they stop anything', () => {
    expect(elementsOf(shown('condition.warned'))).toMatchInlineSnapshot(`
      [
        {
          "action_id": "canaryd.acknowledge",
          "style": "primary",
          "text": {
            "text": "Acknowledge",
            "type": "plain_text",
          },
          "type": "button",
          "value": "["ops","w_example"]",
        },
        {
          "action_id": "canaryd.stop",
          "confirm": {
            "confirm": {
              "text": "Stop now",
              "type": "plain_text",
            },
            "deny": {
              "text": "Go back",
              "type": "plain_text",
            },
            "style": "danger",
            "text": {
              "text": "canaryd disarms and rolls back aurora 2.1.0 (testnet) now, as its policy says.",
              "type": "plain_text",
            },
            "title": {
              "text": "Stop this deploy?",
              "type": "plain_text",
            },
          },
          "style": "danger",
          "text": {
            "text": "Stop now",
            "type": "plain_text",
          },
          "type": "button",
          "value": "["ops","w_example"]",
        },
        {
          "action_id": "canaryd.hold",
          "confirm": {
            "confirm": {
              "text": "Hold fire",
              "type": "plain_text",
            },
            "deny": {
              "text": "Go back",
              "type": "plain_text",
            },
            "style": "danger",
            "text": {
              "text": "canaryd only observes from now on, every deploy, until somebody releases it. What it has not sent yet is not sent.",
              "type": "plain_text",
            },
            "title": {
              "text": "Hold fire everywhere?",
              "type": "plain_text",
            },
          },
          "text": {
            "text": "Hold fire",
            "type": "plain_text",
          },
          "type": "button",
          "value": "["ops","w_example"]",
        },
        {
          "action_id": "canaryd.open",
          "text": {
            "text": "Open the watch",
            "type": "plain_text",
          },
          "type": "button",
          "url": "https://canaryd.test/watches/w_example",
        },
      ]
    `);
  });

  it('are only there when the channel has them, and not in plain text', () => {
    const message = shown('watch.stopped');
    expect(elementsOf(message, { mention: null, buttons: '' }).length).toBeGreaterThan(0);
    const without = slackMessage(message, { mention: null });
    expect(JSON.stringify(without)).not.toContain('actions');
    expect(plainSlackMessage(message, OPS)).not.toHaveProperty('attachments');
  });

  it('open no page that is no web page', () => {
    const links = [{ label: 'Watch', url: 'javascript:alert(1)//watches/w_1' }];
    expect(labels(aStopMessage({ links }))).toEqual(['Acknowledge', 'Hold fire']);
  });

  it('carry nothing when the id of the watch is too long for that', () => {
    const message = shown('watch.stopped');
    expect(labels({ ...message, watchId: 'w'.repeat(400) })).toEqual([]);
  });

  it.each(['x', '&', '🚀', 'a\n'])('stay within the limits of Slack when full of %j', (text) => {
    for (const kind of ['watch.stopped', 'condition.warned']) {
      expect(refusalOf(slackMessage({ ...fullOf(text), kind }, OPS), false)).toBeNull();
    }
  });

  it('are never what Slack refuses, whatever the message holds', () => {
    fc.assert(
      fc.property(
        monsters,
        fc.constantFrom('watch.stopped', 'condition.warned'),
        (message, kind) => {
          expect(refusalOf(slackMessage({ ...message, kind }, OPS), false)).toBeNull();
        },
      ),
    );
  });
});

describe('what a button carries', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 40 }),
        fc.string({ maxLength: 40 }),
        (channel, watchId) => {
          expect(pressedOf(slackValue({ channel, watchId }) ?? '')).toEqual({ channel, watchId });
        },
      ),
    );
  });

  it.each([
    '',
    '{',
    '[]',
    '["a"]',
    '["a","b","c"]',
    '[1,"a"]',
    'null',
    `["a","${'b'.repeat(400)}"]`,
  ])('is nothing when it is %s', (value) => {
    expect(pressedOf(value)).toBeNull();
  });

  it('is of our own buttons only', () => {
    expect(slackButtonOf('canaryd.stop')).toBe('stop');
    for (const id of ['canaryd.open', 'stop', 'canaryd.toString', '']) {
      expect(slackButtonOf(id)).toBeNull();
    }
  });
});

describe('in Slack', () => {
  let webhook: FakeSlack;
  let bot: FakeSlackApi;
  beforeAll(async () => {
    [webhook, bot] = await Promise.all([startFakeSlack(), startFakeSlackApi()]);
  });
  beforeEach(() => bot.reset());
  afterAll(() => Promise.all([webhook.close(), bot.close()]));
  const common = { ...OPS, timeoutMs: 5_000, clock: systemClock };

  it('a webhook posts them', async () => {
    const send = createSlack({ webhookUrl: webhook.url, ...common });
    expect(await send(shown('watch.stopped'), signal)).toMatchObject({ kind: 'delivered' });
    expect(JSON.stringify(webhook.messages.at(-1)?.payload)).toContain('canaryd.acknowledge');
  });

  it('the bot shows those of the latest news, and takes them away at the end', async () => {
    const { url, token, channel } = bot;
    const send = createSlackBot({ url, token, channel, ...common });
    const idsOf = (payload: unknown) => JSON.stringify(payload).match(/canaryd\.\w+(?=")/g) ?? [];
    const seen: (readonly string[])[] = [];
    const kinds = ['watch.armed', 'watch.stopped', 'rollback.confirmed'] as const;
    for (const [index, kind] of kinds.entries()) {
      await send({ ...shown(kind), atMs: 1_000 * index }, signal);
      seen.push(idsOf(bot.channelMessages()[0]?.payload));
    }
    expect(seen).toEqual([
      ['canaryd.stop', 'canaryd.hold', 'canaryd.open'],
      ['canaryd.acknowledge', 'canaryd.hold', 'canaryd.open'],
      [],
    ]);
    // In the thread only what is shown in the channel as well has them.
    const thread = bot.thread(bot.channelMessages()[0]?.ts ?? '');
    expect(thread.map(({ payload, isBroadcast }) => [isBroadcast, idsOf(payload).length])).toEqual([
      [false, 0],
      [true, 3],
      [false, 0],
    ]);
  });
});
