// Telegram's Bot API, as far as sendMessage goes: one bot, one chat, the real limits and errors.
// Needs no test runner.
import {
  type FakeService,
  isObject,
  type Json,
  type ServiceAnswer,
  type ServiceRequest,
  startFakeService,
} from './fake-service.ts';

export type TelegramMessage = {
  readonly text: string;
  readonly bold: readonly string[];
  /** `label -> url` */
  readonly links: readonly string[];
  /** What Telegram would make a mention or a command of, by itself. */
  readonly pings: readonly string[];
  readonly isSilent: boolean;
  readonly thread: unknown;
};

export type FakeTelegram = FakeService & {
  readonly token: string;
  readonly chat: string;
  readonly messages: readonly TelegramMessage[];
  /** The group becomes a supergroup with this id. */
  migrate(to: number): void;
};

const TEXT_MAX = 4_096;

export async function startFakeTelegram(
  options: { readonly threads?: readonly number[] } = {},
): Promise<FakeTelegram> {
  const token = '123456:AAsecretsecretsecretsecretsecretsec';
  const chat = '-1001234567890';
  const messages: TelegramMessage[] = [];
  let movedTo: number | null = null;

  function answer({ path, body }: ServiceRequest): ServiceAnswer {
    if (path !== `/bot${token}/sendMessage`) {
      return path.startsWith('/bot') ? no(401, 'Unauthorized') : no(404, 'Not Found');
    }
    if (!isObject(body)) return no(400, 'Bad Request: message text is empty');
    const known = `${movedTo ?? chat}`;
    if (movedTo !== null && body['chat_id'] === chat) {
      const what = 'Bad Request: group chat was upgraded to a supergroup chat';
      return no(400, what, { migrate_to_chat_id: movedTo });
    }
    if (body['chat_id'] !== known) return no(400, 'Bad Request: chat not found');
    const thread = body['message_thread_id'];
    if (thread !== undefined && !options.threads?.some((one) => one === thread)) {
      return no(400, 'Bad Request: message thread not found');
    }
    const text = typeof body['text'] === 'string' ? body['text'].trim() : '';
    if (text === '') return no(400, 'Bad Request: message text is empty');
    if (text.length > TEXT_MAX) return no(400, 'Bad Request: message is too long');
    if (!text.isWellFormed()) return no(400, 'Bad Request: strings must be encoded in UTF-8');
    messages.push(messageOf(text, body));
    return { status: 200, body: { ok: true, result: { message_id: messages.length } } };
  }

  const service = await startFakeService(answer);
  return {
    ...service,
    token,
    chat,
    messages,
    migrate(to) {
      movedTo = to;
    },
    reset() {
      service.reset();
      messages.length = 0;
      movedTo = null;
    },
  };
}

function no(status: number, description: string, parameters?: Json): ServiceAnswer {
  const more = parameters === undefined ? {} : { parameters };
  return { status, body: { ok: false, error_code: status, description, ...more } };
}

function messageOf(text: string, body: Json): TelegramMessage {
  const entities = Array.isArray(body['entities']) ? body['entities'].filter(isObject) : [];
  const spanOf = ({ offset, length }: Json) =>
    text.slice(Number(offset), Number(offset) + Number(length));
  return {
    text,
    bold: entities.filter(({ type }) => type === 'bold').map(spanOf),
    links: entities
      .filter(({ type }) => type === 'text_link')
      .map((entity) => `${spanOf(entity)} -> ${entity['url']}`),
    pings: text.match(/(?<!\w)@[A-Za-z0-9_]{2,32}|(?<!\S)\/[A-Za-z0-9_]+/g) ?? [],
    isSilent: body['disable_notification'] === true,
    thread: body['message_thread_id'],
  };
}
