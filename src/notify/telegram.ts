// Telegram by a bot: plain text with marked spans. Without a parse mode nothing of a foreign text can
// be markup. The token is a part of the URL, so no URL is in any detail.
import type { Message, Outcome } from '../core/delivery.ts';
import type { Clock } from '../kit/clock.ts';
import { type HttpAnswer, retryAfterMs, send } from '../kit/http.ts';
import {
  ANSWER_BYTES_MAX,
  httpDetail,
  objectOf,
  outcomeOfFailure,
  outcomeOfStatus,
  refused,
  retryable,
  type Send,
  saidBy,
} from './outcome.ts';
import { cutLines, fieldsOf, headlineOf, linesOf, linksOf, nextOf, utc, watchOf } from './text.ts';

/** Telegram counts UTF-16 units, links apart, up to this. */
export const TELEGRAM_MAX = 4_096;
const HEADLINE_MAX = 200;
const NEXT_MAX = 600;

export type TelegramOptions = {
  /** Base of the Bot API, without a slash at the end. */
  readonly url: string;
  readonly botToken: string;
  readonly chat: string;
  readonly thread: number | null;
  readonly timeoutMs: number;
  readonly clock: Clock;
};

type Entity =
  | { readonly type: 'bold'; readonly offset: number; readonly length: number }
  | {
      readonly type: 'text_link';
      readonly offset: number;
      readonly length: number;
      readonly url: string;
    };

export function createTelegram(options: TelegramOptions): Send {
  /** A group that became a supergroup has a new id: Telegram says so once. */
  let { chat } = options;
  let { thread } = options;

  return async (message, signal) => {
    const post = () => call(options, { ...telegramText(message), chat, thread, message }, signal);
    const first = await post();
    if (first.kind === 'outcome') return first.outcome;
    if (first.kind === 'moved') chat = first.chat;
    else thread = null;
    const why =
      first.kind === 'moved'
        ? `the group has become a supergroup: set chat to "${chat}"`
        : 'the topic is gone: set another thread, or none';
    const second = await post();
    if (second.kind !== 'outcome') return refused('client_error', why);
    return { ...second.outcome, detail: `${second.outcome.detail}; ${why}` };
  };
}

/** The text, and where in it something is bold or a link. */
export function telegramText(message: Message): {
  readonly text: string;
  readonly entities: readonly Entity[];
} {
  const headline = harmless(headlineOf(message, HEADLINE_MAX));
  const entities: Entity[] = [{ type: 'bold', offset: 0, length: headline.length }];
  const next = harmless(nextOf(message, NEXT_MAX));
  const foot = [watchOf(message), utc(message.atMs), 'canaryd'].filter(Boolean).join(' · ');
  const links = linksOf(message);
  const labels = links.map(({ label }) => harmless(label)).join(' · ');
  const tail = [next && `Next: ${next}`, labels, harmless(foot)].filter(Boolean);
  const fields = fieldsOf(message, 80, 200).map(([title, value]) => `${title}: ${value}`);
  const room = TELEGRAM_MAX - headline.length - tail.join('\n').length - 4;
  const body = cutLines([...linesOf(message), ...fields].map(harmless), room);
  const text = [headline, ...body, ...tail].join('\n');
  let offset = text.length - (harmless(foot).length + 1) - labels.length;
  for (const { label, url } of labels === '' ? [] : links) {
    const { length } = harmless(label);
    entities.push({ type: 'text_link', offset, length, url });
    offset += length + ' · '.length;
  }
  return { text, entities };
}

/** Telegram makes mentions of names and commands of words by itself: a foreign text must not call. */
function harmless(text: string): string {
  return text.replace(/(^|\W)@(?=\w)/g, '$1@\u2060').replace(/(^|\s)\/(?=\w)/g, '$1/\u2060');
}

type Attempt =
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  | { readonly kind: 'moved'; readonly chat: string }
  | { readonly kind: 'no_thread' };

async function call(
  options: TelegramOptions,
  what: {
    readonly text: string;
    readonly entities: readonly Entity[];
    readonly chat: string;
    readonly thread: number | null;
    readonly message: Message;
  },
  signal: AbortSignal,
): Promise<Attempt> {
  const { text, entities, chat, thread, message } = what;
  const answer = await send({
    method: 'POST',
    url: `${options.url}/bot${options.botToken}/sendMessage`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      chat_id: chat,
      ...(thread === null ? {} : { message_thread_id: thread }),
      text,
      entities,
      link_preview_options: { is_disabled: true },
      disable_notification: message.severity === 'info' || message.isSilent === true,
    }),
    timeoutMs: options.timeoutMs,
    responseBytesMax: ANSWER_BYTES_MAX,
    signal,
  });
  if (answer.kind === 'failed') return { kind: 'outcome', outcome: outcomeOfFailure(answer) };
  return judge(answer, options, thread);
}

function judge(answer: HttpAnswer, options: TelegramOptions, thread: number | null): Attempt {
  const { ok, description, parameters } = objectOf(answer.body);
  const secrets = [options.botToken, options.botToken.split(':')[1] ?? options.botToken];
  const words = saidBy(typeof description === 'string' ? description : answer.body, secrets);
  const detail = httpDetail(answer, words);
  const outcome = (of: Outcome): Attempt => ({ kind: 'outcome', outcome: of });
  if (answer.status === 200 && ok === true) {
    return outcome({ kind: 'delivered', detail: `HTTP 200 in ${Math.round(answer.tookMs)} ms` });
  }
  const { migrate_to_chat_id: movedTo, retry_after: seconds } = objectOf(
    JSON.stringify(parameters ?? null),
  );
  if (typeof movedTo === 'number' || typeof movedTo === 'string') {
    return { kind: 'moved', chat: `${movedTo}` };
  }
  if (answer.status === 400 && thread !== null && /thread not found/i.test(words)) {
    return { kind: 'no_thread' };
  }
  // A token of the wrong form is answered with 404, a wrong one with 401.
  if (answer.status === 401 || answer.status === 404) {
    return outcome(refused('misconfigured', `${detail}; check the token of the bot`));
  }
  const asked =
    typeof seconds === 'number' && seconds >= 0
      ? seconds * 1_000
      : retryAfterMs(answer.headers, options.clock.now());
  if (answer.status === 429) {
    return outcome(retryable('rate_limited', detail, { retryAfterMs: asked }));
  }
  return outcome(outcomeOfStatus(answer.status, detail, asked));
}
