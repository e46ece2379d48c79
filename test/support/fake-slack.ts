// Slack's side of an incoming webhook: answers as the real one does, refuses what it refuses
// (empty texts, too long blocks, too many of them), and can be slow, down or rate limited.
// Needs no test runner.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type SlackMessage = {
  /** All that a reader sees, one line per text. */
  readonly text: string;
  /** What a lock screen shows. */
  readonly notification: string;
  /** Mentions that would notify somebody: `<!channel>`, `<@U1>`, `<!subteam^S1>`. */
  readonly pings: readonly string[];
  readonly color: string | null;
  readonly hasBlocks: boolean;
  readonly payload: unknown;
  readonly atMs: number;
};

export type FakeSlack = {
  /** The secret URL of the webhook. */
  readonly url: string;
  readonly messages: readonly SlackMessage[];
  /** Every request with the status it got, the refused ones too; 0: never answered. */
  readonly answers: readonly {
    readonly status: number;
    readonly body: string;
    readonly atMs: number;
  }[];
  /** The next request gets this answer; calls queue up. */
  respondOnce(status: number, body: string, headers?: Record<string, string>): void;
  /** Every request gets this answer until `up()`. */
  respond(status: number, body: string, headers?: Record<string, string>): void;
  /** Cuts every connection until `up()`. */
  down(): void;
  /** Never answers until `up()`; the messages do arrive when `accept` is set. */
  hang(options?: { readonly accept?: boolean }): void;
  /** Answers this much later until `up()`. */
  slow(ms: number): void;
  /** Blocks are refused whatever they hold, until `up()`. */
  refuseBlocks(): void;
  /** At most one message per so many ms; the others get 429 with `Retry-After`. */
  limitRate(perMs: number): void;
  /** Ordinary again; the rate limit stays as it is. */
  up(): void;
  close(): Promise<void>;
};

type Answer = {
  readonly status: number;
  readonly body: string;
  readonly headers?: Record<string, string>;
};
type Mode = {
  readonly answer?: Answer;
  readonly down?: true;
  readonly hang?: { readonly accept: boolean };
  readonly slowMs?: number;
  readonly refuseBlocks?: true;
};

const PATH = '/services/T00000000/B00000000/XXXXsecretXXXXsecretXXXX';
const BODY_BYTES_MAX = 1_000_000;
const OK: Answer = { status: 200, body: 'ok' };

export async function startFakeSlack(options: { port?: number } = {}): Promise<FakeSlack> {
  const messages: SlackMessage[] = [];
  const answers: { status: number; body: string; atMs: number }[] = [];
  const queue: Answer[] = [];
  let mode: Mode = {};
  let perMs = 0;
  let lastAt = Number.NEGATIVE_INFINITY;

  function judge(body: string): Answer {
    const scripted = queue.shift() ?? mode.answer;
    if (scripted) return scripted;
    const now = Date.now();
    if (now - lastAt < perMs) {
      const wait = Math.ceil((lastAt + perMs - now) / 1_000);
      return { status: 429, body: 'rate_limited', headers: { 'retry-after': `${wait}` } };
    }
    const payload = parse(body);
    const refusal = refusalOf(payload, mode.refuseBlocks === true);
    if (refusal !== null) return { status: 400, body: refusal };
    lastAt = now;
    messages.push(messageOf(payload as Json, now));
    return OK;
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    if (mode.down) {
      answers.push({ status: 0, body: '', atMs: Date.now() });
      request.socket.resetAndDestroy();
      return;
    }
    if (mode.hang) {
      if (mode.hang.accept) judge(body);
      answers.push({ status: 0, body: '', atMs: Date.now() });
      return;
    }
    const known = request.method === 'POST' && request.url === PATH;
    const answer = known ? judge(body) : { status: 404, body: 'no_service' };
    answers.push({ status: answer.status, body: answer.body, atMs: Date.now() });
    const reply = () => response.writeHead(answer.status, answer.headers).end(answer.body);
    setTimeout(reply, mode.slowMs ?? 0);
  }

  const server = createServer((request, response) => void handle(request, response));
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${PATH}`,
    messages,
    answers,
    respondOnce: (status, body, headers = {}) => queue.push({ status, body, headers }),
    respond(status, body, headers = {}) {
      mode = { answer: { status, body, headers } };
    },
    down() {
      mode = { down: true };
    },
    hang({ accept = false } = {}) {
      mode = { hang: { accept } };
    },
    slow(ms) {
      mode = { slowMs: ms };
    },
    refuseBlocks() {
      mode = { refuseBlocks: true };
    },
    limitRate(ms) {
      perMs = ms;
    },
    up() {
      mode = {};
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

type Json = Readonly<Record<string, unknown>>;

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function blocksOf(payload: Json): readonly Json[] {
  const attached = listOf(payload['attachments']).flatMap((one) => listOf(one['blocks']));
  return [...listOf(payload['blocks']), ...attached];
}

/** The word Slack refuses a payload with; null when it takes it. */
export function refusalOf(payload: unknown, refuseBlocks: boolean): string | null {
  if (!isObject(payload)) return 'invalid_payload';
  if (listOf(payload['attachments']).length > 100) return 'too_many_attachments';
  const blocks = blocksOf(payload);
  const text = payload['text'];
  const hasText = typeof text === 'string' && text.trim() !== '';
  if (!hasText && blocks.length === 0) return 'no_text';
  if (typeof text === 'string' && text.length > 40_000) return 'invalid_payload';
  if (blocks.length === 0) return null;
  if (refuseBlocks || blocks.length > 50 || !blocks.every(isGoodBlock)) return 'invalid_blocks';
  // Undocumented, but real: the sum over all blocks.
  const sum = blocks.flatMap(textsOf).reduce((total, part) => total + part.length, 0);
  return sum > 13_200 ? 'invalid_blocks' : null;
}

function isGoodBlock(block: Json): boolean {
  const { type, text, fields, elements } = block;
  switch (type) {
    case 'section':
      return (
        (text !== undefined || fields !== undefined) &&
        (text === undefined || isGoodText(text, 3_000)) &&
        (fields === undefined || isGoodList(fields, 10, 2_000))
      );
    case 'context':
      return isGoodList(elements, 10, 3_000);
    case 'header':
      return isGoodText(text, 150) && isObject(text) && text['type'] === 'plain_text';
    case 'actions':
      return isGoodActions(elements);
    case 'divider':
      return true;
    default:
      return false;
  }
}

function isGoodList(list: unknown, countMax: number, max: number): boolean {
  if (!Array.isArray(list) || list.length === 0 || list.length > countMax) return false;
  return list.every((item) => isGoodText(item, max));
}

function isGoodText(value: unknown, max: number): boolean {
  if (!isObject(value)) return false;
  const { type, text } = value;
  if (type !== 'mrkdwn' && type !== 'plain_text') return false;
  return typeof text === 'string' && text.trim() !== '' && text.length <= max;
}

function isGoodActions(elements: unknown): boolean {
  const all = listOf(elements);
  const ids = new Set(all.map((element) => element['action_id']));
  const isWhole = Array.isArray(elements) && all.length === elements.length;
  return (
    isWhole &&
    all.length > 0 &&
    all.length <= 25 &&
    ids.size === all.length &&
    all.every(isGoodButton)
  );
}

function isGoodButton({ type, text, action_id, value, url, style, confirm }: Json): boolean {
  const isShort = (part: unknown, max: number) => typeof part === 'string' && part.length <= max;
  return (
    type === 'button' &&
    isPlain(text, 75) &&
    isShort(action_id, 255) &&
    (value === undefined || isShort(value, 2_000)) &&
    (url === undefined || isShort(url, 3_000)) &&
    (style === undefined || style === 'primary' || style === 'danger') &&
    (confirm === undefined || isGoodConfirm(confirm))
  );
}

function isGoodConfirm(confirm: unknown): boolean {
  if (!isObject(confirm)) return false;
  const { title, text, confirm: yes, deny } = confirm;
  return isPlain(title, 100) && isPlain(text, 300) && isPlain(yes, 30) && isPlain(deny, 30);
}

function isPlain(value: unknown, max: number): boolean {
  return isGoodText(value, max) && isObject(value) && value['type'] === 'plain_text';
}

function textsOf(block: Json): readonly string[] {
  const parts = [block['text'], ...listOf(block['fields']), ...listOf(block['elements'])];
  const texts = parts.map((part) =>
    isObject(part) && isObject(part['text']) ? part['text'] : part,
  );
  return texts.filter(isObject).map((part) => String(part['text']));
}

/** What people see of a payload that was taken. */
export function messageOf(payload: Json, atMs: number): SlackMessage {
  const notification = typeof payload['text'] === 'string' ? payload['text'] : '';
  const attachments = listOf(payload['attachments']);
  const blocks = blocksOf(payload);
  const raw = [notification, ...blocks.flatMap(textsOf)].filter((part) => part !== '').join('\n');
  const color = attachments[0]?.['color'];
  return {
    text: shown(raw),
    notification: shown(notification),
    pings: raw.match(/<(?:!(?:channel|here|everyone|subteam\^)[^>]*|@[^>]*)>/g) ?? [],
    color: typeof color === 'string' ? color : null,
    hasBlocks: blocks.length > 0,
    payload,
    atMs,
  };
}

/** As a reader sees it: links as `label (url)`, times by their fallback, entities as characters. */
function shown(text: string): string {
  return text
    .replace(/<!date\^[^|>]*\|([^>]*)>/g, '$1')
    .replace(/<(https?:[^|>]*)\|([^>]*)>/g, '$2 ($1)')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
