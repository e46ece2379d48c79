// Slack by a bot token: one message for each watch (its head), updated in place, and the story in its
// thread. What is critical is shown in the channel as well. Where the head is and what it shows comes
// from the receipts of earlier deliveries; when they are not known a new one is posted.
//
// An update may be repeated, a post may not: so the update goes first, and what comes of the post
// into the thread is what came of the attempt. A head that was just posted has a receipt before its
// thread has anything, so that the next attempt posts no second one.
import type { Message, Outcome, SendContext } from '../core/delivery.ts';
import { DIGEST_KIND, isOfSeveral } from '../core/merge.ts';
import type { Clock } from '../kit/clock.ts';
import { type HttpAnswer, retryAfterMs, send } from '../kit/http.ts';
import {
  ANSWER_BYTES_MAX,
  httpDetail,
  outcomeOfFailure,
  outcomeOfStatus,
  refused,
  retryable,
  saidBy,
} from '../request/outcome.ts';
import { deliveryKey, objectOf, type Send } from './attempt.ts';
import {
  type Head,
  headButtons,
  headIn,
  headMessage,
  standingAfter,
  standsOtherwise,
} from './slack-head.ts';
import {
  plainSlackMessage,
  type SlackOptions,
  type SlackPayload,
  slackMessage,
} from './slack-message.ts';

export type SlackBotOptions = {
  /** Base of the Web API, without a slash at the end. */
  readonly url: string;
  readonly token: string;
  readonly channel: string;
  readonly mention: string | null;
  /** Name of the channel, when its messages have buttons. */
  readonly buttons?: string | null;
  readonly timeoutMs: number;
  readonly clock: Clock;
};

/** Watches whose message is remembered without asking. */
const HEADS_MAX = 1_000;

export function createSlackBot(options: SlackBotOptions): Send {
  const heads = new Map<string, Head>();
  /** Messages that somebody has deleted; receipts still name them. */
  const gone = new Set<string>();
  const forget = (watchId: string, { ts }: Head) => {
    heads.delete(watchId);
    gone.add(ts);
    const [oldest] = gone;
    if (gone.size > HEADS_MAX && oldest !== undefined) gone.delete(oldest);
  };
  const remember = (watchId: string, head: Head) => {
    heads.delete(watchId);
    heads.set(watchId, head);
    const [oldest] = heads.keys();
    if (heads.size > HEADS_MAX && oldest !== undefined) heads.delete(oldest);
  };

  return async (message, signal, context) => {
    const say = (method: Method, payload: Payload) => call(options, method, payload, signal);
    // Of no watch: a story of its own, whole in one message.
    if (isOfSeveral(message) || message.watchId === '') return toldAlone(message, options, say);
    const key = deliveryKey(message, 'slack_bot', context);
    for (let isAgain = false; ; isAgain = true) {
      // Another replica may have begun a newer one.
      const told = await headOf(message.watchId, options.channel, gone, context);
      const known = newer(heads.get(message.watchId) ?? null, told);
      if (message.kind === DIGEST_KIND && known === null) return toldAlone(message, options, say);
      const begun = await begin(message, key, known, options, say);
      if (begun.kind === 'failed') return begun.outcome;
      const { head } = begun;
      remember(message.watchId, head);
      const reply = await tell(message, begun, options, say);
      const receipt = JSON.stringify(head);
      if (reply.kind === 'ok') {
        const detail = begun.isNew ? 'posted' : 'posted to the thread';
        return { kind: 'delivered', detail, receipt };
      }
      if (!reply.isGone || isAgain) {
        const { outcome } = reply;
        return outcome.kind === 'retryable' ? { ...outcome, receipt } : outcome;
      }
      // The thread is gone: a new one begins.
      forget(message.watchId, head);
    }
  };
}

type Method = 'chat.postMessage' | 'chat.update';
type Payload = SlackPayload & {
  readonly channel: string;
  readonly ts?: string;
  readonly thread_ts?: string;
  readonly reply_broadcast?: boolean;
};
type Said =
  | { readonly kind: 'ok'; readonly ts: string }
  | {
      readonly kind: 'failed';
      readonly outcome: Outcome;
      /** The message or its thread is there no more. */
      readonly isGone: boolean;
      readonly isRefusedForm: boolean;
    };
type Say = (method: Method, payload: Payload) => Promise<Said>;
type Begun =
  | { readonly kind: 'begun'; readonly head: Head; readonly isNew: boolean }
  | { readonly kind: 'failed'; readonly outcome: Outcome };

/** Puts the head in place, as it is after this message. */
async function begin(
  message: Message,
  key: string,
  known: Head | null,
  options: SlackBotOptions,
  say: Say,
): Promise<Begun> {
  // Posted by an earlier attempt of this very message.
  if (known?.postedFor === key) return { kind: 'begun', head: known, isNew: true };
  // A night's news is no news of how things stand: it has its place in the thread.
  if (known !== null && message.kind === DIGEST_KIND) {
    return { kind: 'begun', head: known, isNew: false };
  }
  const { channel, mention, buttons = null } = options;
  const standing = standingAfter(known?.standing ?? null, message);
  const shown = headMessage(message, standing);
  const told = (known?.told ?? 0) + 1;
  const actions = headButtons(message, standing);
  if (known !== null) {
    const head = { ...known, told, standing };
    // An old message that comes late is shown only where it changes how things stand.
    const isLate = message.atMs < known.standing.atMs;
    if (isLate && !standsOtherwise(known.standing, standing))
      return { kind: 'begun', head, isNew: false };
    const { ts } = known;
    // Without attachments the old ones would stay under a plain text.
    const said = await inAnyForm(shown, { mention: null, buttons, actions }, (form) =>
      say('chat.update', { attachments: [], ...form, channel: known.channel, ts }),
    );
    if (said.kind === 'ok') return { kind: 'begun', head, isNew: false };
    if (!said.isGone) return said;
  }
  // What is critical has called people when it came; other news of it calls nobody.
  const calls = message.severity === 'critical' ? mention : null;
  const said = await inAnyForm(shown, { mention: calls, buttons, actions }, (form) =>
    say('chat.postMessage', { ...form, channel }),
  );
  if (said.kind === 'failed') return said;
  const head = { channel, ts: said.ts, told, postedFor: key, standing };
  return { kind: 'begun', head, isNew: true };
}

/**
 * Into the thread; the copy of a message that was just posted calls nobody a second time. What only
 * the thread shows has no buttons: those of the head are always the right ones.
 */
function tell(
  message: Message,
  { head, isNew }: Extract<Begun, { kind: 'begun' }>,
  { mention, buttons = null }: SlackBotOptions,
  say: Say,
): Promise<Said> {
  const isLoud = message.severity === 'critical' && !isNew;
  // What is still open after the night is to be seen, though it is not in the head.
  const isSeen = isLoud || (message.kind === DIGEST_KIND && message.severity !== 'info');
  const options = { mention: isNew ? null : mention, buttons: isLoud ? buttons : null };
  return inAnyForm(message, options, (form) =>
    say('chat.postMessage', {
      ...form,
      channel: head.channel,
      thread_ts: head.ts,
      ...(isSeen ? { reply_broadcast: true } : {}),
    }),
  );
}

/** Of several watches: hung under the message of one of them it would be missed. */
async function toldAlone(message: Message, options: SlackBotOptions, say: Say): Promise<Outcome> {
  const { channel } = options;
  const said = await inAnyForm(message, options, (form) =>
    say('chat.postMessage', { ...form, channel }),
  );
  return said.kind === 'ok' ? { kind: 'delivered', detail: 'posted' } : said.outcome;
}

/** With blocks, else as plain text: worse looking, but it arrives. */
async function inAnyForm(
  message: Message,
  options: SlackOptions,
  say: (form: SlackPayload) => Promise<Said>,
): Promise<Said> {
  const said = await say(slackMessage(message, options));
  if (said.kind === 'ok' || !said.isRefusedForm) return said;
  return say(plainSlackMessage(message, options));
}

function newer(own: Head | null, told: Head | null): Head | null {
  if (own === null || told === null) return own ?? told;
  return told.told > own.told ? told : own;
}

/** From the receipts: the one in this channel that knows most. */
async function headOf(
  watchId: string,
  channel: string,
  gone: ReadonlySet<string>,
  context: SendContext | undefined,
): Promise<Head | null> {
  const receipts = (await context?.receipts(watchId)) ?? [];
  return receipts.reduce<Head | null>((last, { receipt }) => {
    const head = headIn(receipt, channel);
    if (head === null || gone.has(head.ts)) return last;
    return last === null || head.told >= last.told ? head : last;
  }, null);
}

async function call(
  options: SlackBotOptions,
  method: Method,
  payload: Payload,
  signal: AbortSignal,
): Promise<Said> {
  const answer = await send({
    method: 'POST',
    url: `${options.url}/${method}`,
    headers: {
      authorization: `Bearer ${options.token}`,
      'content-type': 'application/json; charset=utf-8',
    },
    body: JSON.stringify(payload),
    timeoutMs: options.timeoutMs,
    responseBytesMax: ANSWER_BYTES_MAX,
    signal,
  });
  if (answer.kind === 'failed') return failed(outcomeOfFailure(answer));
  return saidIn(answer, options);
}

/** Slack answers 200 to nearly everything: `ok` and `error` in the body say what it means. */
function saidIn(answer: HttpAnswer, { token, clock }: SlackBotOptions): Said {
  const { ok, error, ts } = objectOf(answer.body);
  const asked = retryAfterMs(answer.headers, clock.now());
  if (answer.status === 200 && ok === true && typeof ts === 'string') {
    return { kind: 'ok', ts };
  }
  if (typeof error !== 'string') {
    const detail = httpDetail(answer, saidBy(answer.body, [token]));
    return failed(outcomeOfStatus(answer.status, detail, asked));
  }
  const word = saidBy(error, [token]);
  if (error === 'ratelimited' || error === 'rate_limited' || answer.status === 429) {
    return failed(retryable('rate_limited', word, { retryAfterMs: asked }));
  }
  if (TROUBLE.has(error) || answer.status >= 500) {
    // Slack says of these that some of it may have been done.
    const more = { retryAfterMs: asked, maybeDelivered: true };
    return failed(retryable('server_error', word, more));
  }
  const advice = Object.hasOwn(ADVICE, error) ? ADVICE[error] : undefined;
  const detail = advice === undefined ? word : `${word}; ${advice}`;
  return {
    kind: 'failed',
    outcome: refused(LOGIN.has(error) ? 'misconfigured' : 'client_error', detail),
    isGone: GONE.has(error),
    isRefusedForm: FORM.has(error),
  };
}

function failed(outcome: Outcome): Said {
  return { kind: 'failed', outcome, isGone: false, isRefusedForm: false };
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '));
const TROUBLE = words(
  'internal_error fatal_error service_unavailable request_timeout accesslimited',
);
const GONE = words(
  'message_not_found thread_not_found cant_update_message edit_window_closed is_inactive ' +
    'cannot_reply_to_message restricted_action_thread_locked',
);
const FORM = words(
  'invalid_blocks invalid_blocks_format invalid_attachments msg_blocks_too_long msg_too_long ' +
    'no_text too_many_attachments block_mismatch',
);
const LOGIN = words(
  'not_authed invalid_auth account_inactive token_revoked token_expired no_permission ' +
    'missing_scope not_allowed_token_type access_denied org_login_required ekm_access_denied',
);
const ADVICE: Readonly<Record<string, string>> = {
  not_in_channel: 'invite the bot to the channel',
  channel_not_found: 'check the id of the channel, and invite the bot to it',
  is_archived: 'the channel is archived: choose another one',
  invalid_auth: 'check the bot token',
  not_authed: 'check the bot token',
  token_revoked: 'the bot token is revoked: make a new one',
  token_expired: 'the bot token has expired: make a new one',
  account_inactive: 'the bot was removed from the workspace: install it again',
  missing_scope: 'the bot needs the scope chat:write',
};
