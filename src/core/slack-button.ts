// The buttons under a message in Slack, as both sides know them: the channel that shows them and the
// route that is told when one was pressed.

export const SLACK_BUTTONS = ['acknowledge', 'stop', 'hold'] as const;
export type SlackButton = (typeof SLACK_BUTTONS)[number];

const PREFIX = 'canaryd.';
/** What a button carries is far shorter than the 2,000 characters that Slack allows. */
const VALUE_MAX = 300;

export function slackActionId(button: SlackButton): string {
  return `${PREFIX}${button}`;
}

/** null: not one of ours, or one that only opens a page. */
export function slackButtonOf(actionId: string): SlackButton | null {
  return SLACK_BUTTONS.find((button) => actionId === slackActionId(button)) ?? null;
}

export type Pressed = { readonly channel: string; readonly watchId: string };

/** null: too long to be carried. */
export function slackValue({ channel, watchId }: Pressed): string | null {
  const value = JSON.stringify([channel, watchId]);
  return value.length <= VALUE_MAX ? value : null;
}

export function pressedOf(value: string): Pressed | null {
  try {
    const parts: unknown = value.length <= VALUE_MAX ? JSON.parse(value) : null;
    if (!Array.isArray(parts) || parts.length !== 2) return null;
    const [channel, watchId]: readonly unknown[] = parts;
    if (typeof channel !== 'string' || typeof watchId !== 'string') return null;
    return { channel, watchId };
  } catch {
    return null;
  }
}

/** Foreign text in Slack's own markup: it can neither ping nor link. */
export function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
