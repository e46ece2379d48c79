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
    const wrong = wrongEntity(text, body);
    if (wrong !== null) return no(400, `Bad Request: ${wrong}`);
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

function entitiesOf(body: Json): readonly Json[] {
  return Array.isArray(body['entities']) ? body['entities'].filter(isObject) : [];
}

/** One that is wrong is the end of the whole message. */
function wrongEntity(text: string, body: Json): string | null {
  const faults = entitiesOf(body).map(({ type, offset, length, url }) => {
    const [from, size] = [Number(offset), Number(length)];
    if (!(from >= 0 && size > 0 && from + size <= text.length)) return 'invalid entity bounds';
    if (type !== 'text_link') return null;
    const host = URL.parse(`${url}`)?.hostname ?? '';
    const isGood = host.includes('.') || host.startsWith('[');
    return isGood ? null : `entity URL '${url}' is invalid: Wrong HTTP URL`;
  });
  return faults.find((fault) => fault !== null) ?? null;
}

function messageOf(text: string, body: Json): TelegramMessage {
  const entities = entitiesOf(body);
  const spanOf = ({ offset, length }: Json) =>
    text.slice(Number(offset), Number(offset) + Number(length));
  return {
    text,
    bold: entities.filter(({ type }) => type === 'bold').map(spanOf),
    links: entities
      .filter(({ type }) => type === 'text_link')
      .map((entity) => `${spanOf(entity)} -> ${entity['url']}`),
    pings:
      text.match(/(?<!\w)@\w{2,32}|(?<![\p{L}\p{N}_/<>])\/\w{1,64}(?![\p{L}\p{N}_/<>])/gu) ?? [],
    isSilent: body['disable_notification'] === true,
    thread: body['message_thread_id'],
  };
}
