// Does what a button in Slack asks for, and tells who pressed it what came of that. Runs after the
// answer to Slack, within bounds; never throws. It decides nothing: the engine may refuse.
import { escapeSlack } from '../core/slack-button.ts';
import type { Control, HumanCommand, WatchView } from '../engine/control.ts';
import type { Clock } from '../kit/clock.ts';
import { CanarydError } from '../kit/errors.ts';
import { send } from '../kit/http.ts';
import type { Logger } from '../kit/logger.ts';
import { cutEnd } from '../kit/redact.ts';
import { within } from '../kit/within.ts';
import type { Press } from './slack-payload.ts';
import type { SlackChannelSetup } from './slack-setup.ts';

/** A command that takes longer is no longer waited for; longer than the journal may take. */
const COMMAND_WITHIN_MS = 20_000;
const REPORT_TIMEOUT_MS = 5_000;
/** The answer is tried again after these waits. */
const REPORT_AGAIN_MS: readonly number[] = [500, 3_000];
const REPORT_BYTES_MAX = 64 * 1_024;
const REPORT_CHARS_MAX = 1_000;

export type PressDeps = {
  readonly control: Control;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly answerOrigin: string;
};

/** @param channels those whose secret signed the request */
export async function carryOut(
  deps: PressDeps,
  press: Press,
  channels: readonly SlackChannelSetup[],
): Promise<void> {
  const { clock, logger } = deps;
  const { button, watchId, user } = press;
  const fields = { watchId, button, user: user.id };
  const work = () => outcomeOf(deps, press, channels);
  const late = () => {
    logger.error(fields, 'a button in Slack: the command has not come back');
    return 'canaryd has not finished this yet: look at the watch before you press again.';
  };
  const text = await within(clock, COMMAND_WITHIN_MS, work, late);
  logger.info({ ...fields, told: text }, 'button pressed in Slack');
  await report(deps, press, text);
}

async function outcomeOf(
  { control, logger }: PressDeps,
  press: Press,
  channels: readonly SlackChannelSetup[],
): Promise<string> {
  const { watchId } = press;
  const channel = channels.find(({ name }) => name === press.channel);
  if (channel === undefined) {
    return `Nothing was done: canaryd no longer has buttons in its channel ${press.channel}.`;
  }
  const refusal = refusalOf(press, channel);
  if (refusal !== null) return refusal;
  try {
    return await obeyed(control, press);
  } catch (error) {
    if (!(error instanceof CanarydError)) {
      logger.error({ err: error, watchId }, 'a button in Slack failed');
      return 'Nothing is known to be done: canaryd itself failed, its log says why.';
    }
    if (error.code === 'watch_not_found') return GONE;
    return `Nothing was done. ${error.message}`;
  }
}

/** Why this person may not press this here; null: they may. */
function refusalOf({ user, channelId }: Press, channel: SlackChannelSetup): string | null {
  const isKnown = channel.channelId !== null && channelId !== null;
  if (isKnown && channel.channelId !== channelId) {
    return `Nothing was done: canaryd's channel ${channel.name} is another channel in Slack.`;
  }
  if (channel.users === null ? !user.isGuest : channel.users.includes(user.id)) return null;
  if (channel.users === null) {
    return (
      `Nothing was done: you (${user.name}, ${user.id}) are of another workspace. Ask somebody ` +
      `of this one, or whoever runs canaryd to list you in users of its channel ${channel.name}.`
    );
  }
  return (
    `Nothing was done: you (${user.name}, ${user.id}) are not among the users of canaryd's ` +
    `channel ${channel.name} who may press this. Ask one of them, or whoever runs canaryd.`
  );
}

const GONE = 'Nothing was done: the watch is no longer in the journal. This message is too old.';

async function obeyed(control: Control, press: Press): Promise<string> {
  const { button, watchId, user } = press;
  const command: HumanCommand = {
    by: `slack:${user.name} (${user.id})`,
    reason: 'by button in Slack',
  };
  const view = await control.watch(watchId);
  const refusal = tooLate(press, view);
  if (refusal !== null) return refusal;
  const what = nameOf(view);
  switch (button) {
    case 'acknowledge':
      await control.acknowledge(watchId, command);
      return `You have acknowledged ${what}.`;
    case 'stop': {
      const { plan } = await control.stop(watchId, command);
      const actions =
        plan.actions.length === 0 ? 'It has no actions.' : `${list(plan)} on the way.`;
      return `You have stopped ${what}. ${actions}`;
    }
    case 'hold': {
      const held = await control.hold();
      if (held !== null) return `Hold fire is on already, by ${held.by}: ${held.reason}.`;
      await control.setHold(command);
      return 'Hold fire is on: canaryd only observes, everywhere, until somebody releases it.';
    }
  }
}

/** A button stays under its message for as long as the message is there. */
function tooLate({ button }: Press, view: WatchView): string | null {
  const isOpen = view.phase === 'watching';
  const ended = `Nothing was done: ${nameOf(view)} has ended (${view.phase})`;
  switch (button) {
    case 'acknowledge': {
      const isOver = ['passed', 'cancelled', 'superseded'].includes(view.phase);
      return isOver ? `${ended}; there is nothing to acknowledge any more.` : null;
    }
    case 'stop':
      return isOpen ? null : `${ended}; there is nothing to stop any more.`;
    case 'hold':
      if (isOpen || view.active || view.actions.some(({ state }) => state === 'pending'))
        return null;
      return `${ended}. Hold fire is for every deploy: switch it on at the page of canaryd.`;
  }
}

function list({ actions }: WatchView['plan']): string {
  const all = actions.join(' and ');
  return `${all.charAt(0).toUpperCase()}${all.slice(1)} ${actions.length === 1 ? 'is' : 'are'}`;
}

function nameOf({ service, version, environment }: WatchView): string {
  return `${service} ${version} (${environment})`;
}

/** Only the presser sees it; what was done is told to everybody as any command is. */
async function report(deps: PressDeps, { responseUrl, watchId }: Press, text: string) {
  const { clock, logger, answerOrigin } = deps;
  const url = URL.parse(responseUrl ?? '');
  if (url === null || url.origin !== answerOrigin || url.username + url.password !== '') {
    // Not the URL: it is a way into the channel.
    logger.warn({ watchId }, 'a button in Slack: no answer, its response_url is not of Slack');
    return;
  }
  const body = JSON.stringify({
    response_type: 'ephemeral',
    replace_original: false,
    text: escapeSlack(cutEnd(text, REPORT_CHARS_MAX)),
  });
  for (const waitMs of [...REPORT_AGAIN_MS, null]) {
    const answer = await send({
      method: 'POST',
      url: url.href,
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body,
      timeoutMs: REPORT_TIMEOUT_MS,
      responseBytesMax: REPORT_BYTES_MAX,
    });
    if (answer.kind === 'answered' && answer.status === 200) return;
    const detail = answer.kind === 'failed' ? answer.detail : `HTTP ${answer.status}`;
    const isFinal = answer.kind === 'answered' && answer.status >= 300 && answer.status < 500;
    if (waitMs === null || (isFinal && answer.status !== 429)) {
      logger.warn({ watchId, detail }, 'a button in Slack: who pressed it could not be told');
      return;
    }
    await clock.sleep(waitMs);
  }
}
