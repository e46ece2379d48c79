// Joins the Slack channels of the config with the route of their buttons.
import type { ChannelConfig } from '../config/channels.ts';
import { SLACK_ANSWER_ORIGIN, type SlackSetup } from '../http/slack-setup.ts';

export function slackSetup(channels: Readonly<Record<string, ChannelConfig>>): SlackSetup {
  return {
    answerOrigin: SLACK_ANSWER_ORIGIN,
    channels: Object.entries(channels).flatMap(([name, config]) => {
      const buttons = 'buttons' in config ? config.buttons : null;
      if (buttons === null) return [];
      const { signingSecret, users } = buttons;
      const channelId = config.kind === 'slack_bot' ? config.channel : null;
      return [{ name, users, channelId, signingSecret: () => signingSecret.current() }];
    }),
  };
}
