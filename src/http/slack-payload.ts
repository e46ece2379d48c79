// What Slack says when a button was pressed. Reads only what is needed; everything else, and every
// kind of interaction that is not ours, is ignored. All of it is foreign text.
import { z } from 'zod';
import { pressedOf, type SlackButton, slackButtonOf } from '../core/slack-button.ts';
import { cutEnd, printable } from '../kit/redact.ts';

/** Slack sends the one button that was pressed. */
const ACTIONS_MAX = 5;
const NAME_MAX = 60;

const payloadSchema = z.object({
  type: z.literal('block_actions'),
  user: z.object({
    id: z.string().regex(/^[A-Z0-9]{2,30}$/),
    username: z.string().optional(),
    name: z.string().optional(),
    team_id: z.string().nullish(),
  }),
  team: z.object({ id: z.string() }).nullish(),
  channel: z.object({ id: z.string() }).nullish(),
  container: z.object({ channel_id: z.string().optional() }).nullish(),
  response_url: z.string().max(2_000).optional(),
  actions: z
    .array(
      z.object({
        action_id: z.string(),
        action_ts: z.string().max(50).optional(),
        value: z.string().optional(),
      }),
    )
    .max(ACTIONS_MAX),
});

export type Press = {
  readonly button: SlackButton;
  readonly channel: string;
  readonly watchId: string;
  readonly user: {
    readonly id: string;
    readonly name: string;
    /** Of another workspace than the one where it was pressed: Slack Connect. */
    readonly isGuest: boolean;
  };
  /** The id of the channel in Slack where it was pressed; null: Slack does not say. */
  readonly channelId: string | null;
  /** Where the answer goes; null: Slack gave none. */
  readonly responseUrl: string | null;
  /** The same when the same press is told again. */
  readonly key: string;
};

/** null: nothing for us. */
export function pressOf(body: Buffer): Press | null {
  const parsed = payloadSchema.safeParse(payloadOf(body));
  if (!parsed.success) return null;
  const { user, team, channel, container, response_url, actions } = parsed.data;
  const [home, here] = [user.team_id ?? null, team?.id ?? null];
  const isGuest = home !== null && here !== null && home !== here;
  for (const { action_id, action_ts = '', value = '' } of actions) {
    const button = slackButtonOf(action_id);
    const pressed = pressedOf(value);
    if (button === null || pressed === null) continue;
    const name = cutEnd(printable(user.username ?? user.name ?? ''), NAME_MAX) || user.id;
    return {
      button,
      ...pressed,
      user: { id: user.id, name, isGuest },
      channelId: channel?.id ?? container?.channel_id ?? null,
      responseUrl: response_url ?? null,
      key: JSON.stringify([user.id, action_id, value, action_ts]),
    };
  }
  return null;
}

function payloadOf(body: Buffer): unknown {
  try {
    return JSON.parse(new URLSearchParams(body.toString('utf8')).get('payload') ?? '');
  } catch {
    return null;
  }
}
