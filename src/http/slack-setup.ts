// Which channels have buttons in Slack, as the daemon hands it over.

export type SlackChannelSetup = {
  readonly name: string;
  /** Read on each use, so that a rotated secret counts at once; null: it is gone. */
  readonly signingSecret: () => string | null;
  /** Member ids; null: everybody of the workspace who can see the message. */
  readonly users: readonly string[] | null;
  /** Where its messages are in Slack; null: only its webhook knows. */
  readonly channelId: string | null;
};

export type SlackSetup = {
  readonly channels: readonly SlackChannelSetup[];
  /** Where answers may be sent: nobody else's word sends us anywhere. */
  readonly answerOrigin: string;
};

export const SLACK_ANSWER_ORIGIN = 'https://hooks.slack.com';
