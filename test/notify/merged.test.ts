// What channels do with a message of many watches, and with one that shall make no sound.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mergeMessages } from '../../src/core/merge.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createSlackBot } from '../../src/notify/slack-bot.ts';
import { slackMessage } from '../../src/notify/slack-message.ts';
import { createTelegram } from '../../src/notify/telegram.ts';
import { exampleOf } from '../docs/message-examples.ts';
import { type FakeSlackApi, startFakeSlackApi } from '../support/fake-slack-api.ts';
import { type FakeTelegram, startFakeTelegram } from '../support/fake-telegram.ts';

let slack: FakeSlackApi;
let telegram: FakeTelegram;
beforeAll(async () => {
  slack = await startFakeSlackApi();
  telegram = await startFakeTelegram();
});
beforeEach(() => {
  slack.reset();
  telegram.reset();
});
afterAll(async () => {
  await slack.close();
  await telegram.close();
});

const signal = new AbortController().signal;
const blind = exampleOf('conditions.blinded');
const storm = mergeMessages([blind, { ...blind, watchId: 'w_other' }]);

describe('a message of many watches', () => {
  it('stands in the channel of the Slack bot by itself, and nothing is hung on to it', async () => {
    const { url, token, channel } = slack;
    const options = { url, token, channel, mention: null, timeoutMs: 5_000, clock: systemClock };
    const send = createSlackBot(options);
    await send(exampleOf('watch.started'), signal);
    expect(await send(storm, signal)).toEqual({ kind: 'delivered', detail: 'posted' });
    await send(exampleOf('conditions.sighted'), signal);
    const [head, alone, ...others] = slack.channelMessages();
    expect(others).toEqual([]);
    expect(alone?.notification).toMatch(/^BLIND: 2 watches/);
    expect(slack.thread(alone?.ts ?? '')).toEqual([]);
    expect(slack.thread(head?.ts ?? '')).toHaveLength(2);
  });

  it('has no buttons: they would act on one watch only', () => {
    const text = (message: typeof storm) =>
      JSON.stringify(slackMessage(message, { mention: null, buttons: 'ops' }));
    expect(text(blind)).toContain('canaryd.stop');
    expect(text(storm)).not.toContain('canaryd.');
  });
});

describe('a message without a sound', () => {
  it('is delivered by Telegram without one', async () => {
    const { url, token: botToken, chat } = telegram;
    const options = { url, botToken, chat, thread: null, timeoutMs: 5_000, clock: systemClock };
    const send = createTelegram(options);
    await send(blind, signal);
    await send({ ...blind, isSilent: true }, signal);
    const isSilent = telegram.messages.map((message) => message.isSilent);
    expect(isSilent).toEqual([false, true]);
  });
});
