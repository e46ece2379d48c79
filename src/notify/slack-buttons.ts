// Which buttons a message has in Slack. What somebody could still do when it was sent: a button of
// an old message is answered, not obeyed. Pure.
import type { Message } from '../core/delivery.ts';
import { isOfSeveral } from '../core/merge.ts';
import { type SlackButton, slackActionId, slackValue } from '../core/slack-button.ts';
import { oneLine } from './text.ts';

type Plain = { readonly type: 'plain_text'; readonly text: string };
type Style = 'primary' | 'danger';
export type SlackElement = {
  readonly type: 'button';
  readonly action_id: string;
  readonly text: Plain;
  readonly value?: string;
  readonly url?: string;
  readonly style?: Style;
  readonly confirm?: {
    readonly title: Plain;
    readonly text: Plain;
    readonly confirm: Plain;
    readonly deny: Plain;
    readonly style: Style;
  };
};
export type SlackActions = {
  readonly type: 'actions';
  readonly elements: readonly SlackElement[];
};

const ALL: readonly SlackButton[] = ['acknowledge', 'stop', 'hold'];
const OPEN: readonly SlackButton[] = ['stop', 'hold'];
/** By kind of message; a kind that is not here has none. */
const BUTTONS: ReadonlyMap<string, readonly SlackButton[]> = new Map([
  ['watch.started', OPEN],
  ['watch.armed', OPEN],
  ['watch.resumed', OPEN],
  ['watch.extended', OPEN],
  ['watch.sign_off_due', OPEN],
  ['conditions.sighted', OPEN],
  ['condition.recovered', OPEN],
  ['watch.unarmed', ALL],
  ['conditions.blinded', ALL],
  ['condition.warned', ALL],
  ['condition.pre_existing', ALL],
  ['watch.stopped', ['acknowledge', 'hold']],
  ['action.delayed', ['acknowledge', 'hold']],
  ['action.gave_up', ['acknowledge']],
  ['rollback.not_confirmed', ['acknowledge']],
  ['escalation.called', ['acknowledge']],
]);

/** Longest URL that Slack takes for a button. */
const URL_MAX = 3_000;
/** Slack allows 300 characters of the question. */
const NAME_MAX = 120;

/** Of a message that stands alone. */
export function slackButtonsOf(kind: string): readonly SlackButton[] {
  return BUTTONS.get(kind) ?? [];
}

/** @param channel its name in the config, when its messages have buttons */
export function slackActions(
  message: Message,
  channel: string | null,
  buttons = slackButtonsOf(message.kind),
): readonly SlackActions[] {
  // A press must never act on one watch when the message speaks of many.
  if (channel === null || buttons.length === 0 || isOfSeveral(message)) return [];
  const value = slackValue({ channel, watchId: message.watchId });
  const pressed = value === null ? [] : buttons.map((button) => element(button, message, value));
  const elements = [...pressed, ...pageButton(message)];
  return elements.length === 0 ? [] : [{ type: 'actions', elements }];
}

function element(button: SlackButton, message: Message, value: string): SlackElement {
  const common = { type: 'button', action_id: slackActionId(button), value } as const;
  const what = nameOf(message);
  switch (button) {
    case 'acknowledge':
      return { ...common, text: plain('Acknowledge'), style: 'primary' };
    case 'stop': {
      const text = `canaryd disarms and rolls back ${what} now, as its policy says.`;
      const confirm = question('Stop this deploy?', text, 'Stop now');
      return { ...common, text: plain('Stop now'), style: 'danger', confirm };
    }
    case 'hold': {
      const text =
        'canaryd only observes from now on, every deploy, until somebody releases it. ' +
        'What it has not sent yet is not sent.';
      return {
        ...common,
        text: plain('Hold fire'),
        confirm: question('Hold fire everywhere?', text, 'Hold fire'),
      };
    }
  }
}

function question(title: string, text: string, confirm: string) {
  const answers = { confirm: plain(confirm), deny: plain('Go back') };
  return { title: plain(title), text: plain(text), ...answers, style: 'danger' } as const;
}

function nameOf({ deploy, watchId }: Message): string {
  const name =
    deploy === undefined
      ? `watch ${watchId}`
      : `${deploy.service} ${deploy.version} (${deploy.environment})`;
  const points = [...oneLine(name)];
  return points.length <= NAME_MAX ? points.join('') : `${points.slice(0, NAME_MAX).join('')}…`;
}

/** Opens the page of the watch; it also tells us that it was pressed, and nothing comes of that. */
function pageButton({ links, watchId }: Message): readonly SlackElement[] {
  const link = links.find(({ url }) => url.endsWith(`/watches/${watchId}`));
  const url = URL.parse(link?.url ?? '');
  if (url === null || !/^https?:$/.test(url.protocol) || url.href.length > URL_MAX) return [];
  const open = { type: 'button', action_id: 'canaryd.open', url: url.href } as const;
  return [{ ...open, text: plain('Open the watch') }];
}

function plain(text: string): Plain {
  return { type: 'plain_text', text };
}
