// Telegram by a bot: plain text with marked spans. Without a parse mode nothing of a foreign text can
// be markup. The token is a part of the URL, so no URL is in any detail.
import type { Message, Outcome } from '../core/delivery.ts';
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
import { objectOf, type Send } from './attempt.ts';
import { cutLines, fieldsOf, headlineOf, linesOf, linksOf, nextOf, utc, watchOf } from './text.ts';

/** Telegram counts UTF-16 units, links apart, up to this. */
export const TELEGRAM_MAX = 4_096;
const HEADLINE_MAX = 200;
const NEXT_MAX = 600;
const WRITTEN_LINKS_MAX = 1_000;

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
    const mended = new Map<Mendable['kind'], string>();
    for (;;) {
      const isPlain = mended.has('bad_entities');
      const text = telegramText(message, { isPlain });
      const attempt = await call(options, { ...text, chat, thread, message }, signal);
      const why = [...mended.values()];
      if (attempt.kind === 'outcome') {
        const { outcome } = attempt;
        return { ...outcome, detail: [outcome.detail, ...why].join('; ') };
      }
      if (mended.has(attempt.kind)) return refused('client_error', why.join('; '));
      if (attempt.kind === 'moved') chat = attempt.chat;
      if (attempt.kind === 'no_thread') thread = null;
      mended.set(attempt.kind, adviceOn(attempt));
    }
  };
}

function adviceOn(mendable: Mendable): string {
  switch (mendable.kind) {
    case 'moved':
      return `the group has become a supergroup: set chat to "${mendable.chat}"`;
    case 'no_thread':
      return 'the topic is gone: set another thread, or none';
    case 'bad_entities':
      return `sent as plain text (${mendable.words})`;
  }
}

/** The text, and where in it something is bold or a link. */
export function telegramText(
  message: Message,
  { isPlain = false }: { readonly isPlain?: boolean } = {},
): {
  readonly text: string;
  readonly entities: readonly Entity[];
} {
  const headline = harmless(headlineOf(message, HEADLINE_MAX));
  const next = harmless(nextOf(message, NEXT_MAX));
  const foot = harmless([watchOf(message), utc(message.atMs), 'canaryd'].filter(Boolean).join(DOT));
  const all = linksOf(message).map(({ label, url }) => ({ label: harmless(label), url }));
  const links = isPlain ? [] : all.filter(({ url }) => isLinkable(url));
  const written = writtenOut(all.filter((link) => !links.includes(link)));
  const labels = links.map(({ label }) => label).join(DOT);
  const tail = [next && `Next: ${next}`, ...written, labels, foot].filter(Boolean);
  const fields = fieldsOf(message, 80, 200).map(([title, value]) => `${title}: ${value}`);
  const room = TELEGRAM_MAX - headline.length - tail.join('\n').length - 4;
  const body = cutLines([...linesOf(message), ...fields].map(harmless), room);
  const text = [headline, ...body, ...tail].join('\n');
  if (isPlain) return { text, entities: [] };
  const entities: Entity[] = [{ type: 'bold', offset: 0, length: headline.length }];
  let offset = text.length - (foot.length + 1) - labels.length;
  for (const { label, url } of links) {
    entities.push({ type: 'text_link', offset, length: label.length, url });
    offset += label.length + DOT.length;
  }
  return { text, entities };
}

const DOT = ' · ';

/** Telegram refuses the whole message for a link to a host that has no dot, such as `localhost`. */
function isLinkable(url: string): boolean {
  const host = URL.parse(url)?.hostname ?? '';
  return host.includes('.') || host.startsWith('[');
}

/** As text, for those that cannot be links; what is too much is left out. */
function writtenOut(links: readonly { label: string; url: string }[]): readonly string[] {
  let room = WRITTEN_LINKS_MAX;
  return links
    .map(({ label, url }) => `${label}: ${harmless(url)}`)
    .filter((line) => {
      if (line.length > room) return false;
      room -= line.length;
      return true;
    });
}

/**
 * Telegram makes mentions of names and commands of words by itself: a foreign text must not call.
 * A path such as /var/lib is no command, and stays as it is: somebody will copy it.
 */
function harmless(text: string): string {
  return text
    .replace(/(^|\W)@(?=\w)/g, '$1@\u2060')
    .replace(/(?<![\w/<>])\/(?=\w)(?!\w+[/<>])/g, '/\u2060');
}

/** What another try may mend. */
type Mendable =
  | { readonly kind: 'moved'; readonly chat: string }
  | { readonly kind: 'no_thread' }
  | { readonly kind: 'bad_entities'; readonly words: string };

type Attempt = { readonly kind: 'outcome'; readonly outcome: Outcome } | Mendable;

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
  // Better without bold and links than not at all.
  if (answer.status === 400 && /entit|url/i.test(words)) return { kind: 'bad_entities', words };
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
