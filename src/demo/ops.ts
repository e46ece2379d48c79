// The other side of the demo: what receives disarm, rollback and chat messages. It verifies the
// Standard Webhooks signature by hand, as a receiver in any language would, and drops repeats.
// It shares no code with the sender, so that a mistake there is seen here.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Clock, systemClock } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import { newWatchId } from '../kit/random.ts';
import type { Aurora } from './aurora.ts';
import { listen } from './server.ts';

/** How long a rollback of the simulated service takes. */
const ROLLBACK_TAKES_MS = 2_000;
/** A signature older or newer than this is refused: a recorded request cannot be replayed later. */
const TOLERANCE_SECONDS = 300;
const BODY_BYTES_MAX = 256 * 1_024;
/** What is remembered of requests and messages; the oldest are forgotten first. */
const REMEMBERED_MAX = 1_000;
const SLACK_PATH = '/services/T00000000/B00000000/demo';

export type ReceivedAction = {
  readonly action: 'disarm' | 'rollback';
  readonly webhookId: string;
  readonly atMs: number;
  readonly body: unknown;
  /** The same webhook-id came before: answered, and not done again. */
  readonly isRepeat: boolean;
};

/** What arrived at the chat endpoint: Slack's protocol for incoming webhooks. */
export type ReceivedMessage = {
  readonly atMs: number;
  readonly text: string;
  readonly body: unknown;
};

/** What disarm and rollback do something to. */
export type RolledBack = Pick<Aurora, 'disarm' | 'arm' | 'deploy' | 'previousVersion'>;

export type OpsOptions = {
  readonly aurora: RolledBack;
  /** Called with each chat message, for printing. */
  readonly onCall?: (message: ReceivedMessage) => void;
  readonly onAction?: (received: ReceivedAction) => void;
  /** `whsec_<base64>` or any text; default: a new one. */
  readonly secret?: string;
  readonly port?: number;
  readonly host?: string;
  readonly clock?: Clock;
  /** A rollback ends with trading again. Default: it stays disarmed until a person decides. */
  readonly rearms?: boolean;
};

export interface Ops {
  readonly url: string;
  readonly disarmUrl: string;
  readonly rollbackUrl: string;
  readonly slackUrl: string;
  readonly secret: string;
  readonly actions: readonly ReceivedAction[];
  readonly messages: readonly ReceivedMessage[];
  /** Requests whose signature was missing, wrong or too old. */
  readonly refused: number;
  close(): Promise<void>;
}

type Answer = { readonly status: number; readonly body: string };

export async function startOps(options: OpsOptions): Promise<Ops> {
  const secret = options.secret ?? newSecret();
  const receiver = new Receiver(options, secret);
  const server = createServer((request, response) => {
    serve(receiver, request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500).end(messageOf(error));
    });
  });
  const listening = await listen(server, options.port ?? 0, options.host ?? '127.0.0.1');
  return {
    url: listening.url,
    disarmUrl: `${listening.url}/aurora/disarm`,
    rollbackUrl: `${listening.url}/aurora/rollback`,
    slackUrl: `${listening.url}${SLACK_PATH}`,
    secret,
    actions: receiver.actions,
    messages: receiver.messages,
    get refused() {
      return receiver.refused;
    },
    async close() {
      await receiver.close();
      await listening.close();
    },
  };
}

async function serve(
  receiver: Receiver,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request);
  const path = new URL(request.url ?? '/', 'http://ops').pathname;
  let answer: Answer = { status: 404, body: 'no such path' };
  if (body === null) answer = { status: 413, body: 'too large' };
  else if (request.method !== 'POST') answer = { status: 405, body: 'only POST' };
  else if (path === '/aurora/disarm') answer = receiver.action('disarm', request.headers, body);
  else if (path === '/aurora/rollback') answer = receiver.action('rollback', request.headers, body);
  else if (path === SLACK_PATH) answer = receiver.message(body);
  response.writeHead(answer.status, { 'content-type': 'text/plain' }).end(answer.body);
}

class Receiver {
  readonly actions: ReceivedAction[] = [];
  readonly messages: ReceivedMessage[] = [];
  refused = 0;
  readonly #options: OpsOptions;
  readonly #clock: Clock;
  readonly #key: Buffer;
  readonly #seen = new Set<string>();
  readonly #closing = new AbortController();
  #rollingBack: Promise<void> = Promise.resolve();

  constructor(options: OpsOptions, secret: string) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#key = keyOf(secret);
  }

  action(action: 'disarm' | 'rollback', headers: IncomingMessage['headers'], raw: Buffer): Answer {
    const nowMs = this.#clock.now();
    const webhookId = verifiedId(this.#key, headers, raw, nowMs);
    if (webhookId === null) {
      this.refused += 1;
      return { status: 401, body: 'signature missing, wrong or too old' };
    }
    const body = parse(raw);
    if (body === undefined) return { status: 400, body: 'not JSON' };
    const isRepeat = this.#seen.has(webhookId);
    const received = { action, webhookId, atMs: nowMs, body, isRepeat };
    remember(this.actions, received);
    this.#seen.add(webhookId);
    // A Set keeps the order of insertion: the first is the oldest.
    for (const oldest of this.#seen) {
      if (this.#seen.size <= REMEMBERED_MAX) break;
      this.#seen.delete(oldest);
    }
    if (!isRepeat) this.#carryOut(action, body);
    this.#options.onAction?.(received);
    return { status: action === 'disarm' ? 200 : 202, body: isRepeat ? 'seen before' : 'accepted' };
  }

  /** Answers as Slack does: `ok`, or a word for what was wrong. */
  message(raw: Buffer): Answer {
    const body = parse(raw);
    if (typeof body !== 'object' || body === null) return { status: 400, body: 'invalid_payload' };
    const text = 'text' in body && typeof body.text === 'string' ? body.text : '';
    if (text === '' && !('blocks' in body)) return { status: 400, body: 'no_text' };
    const message = { atMs: this.#clock.now(), text, body };
    remember(this.messages, message);
    this.#options.onCall?.(message);
    return { status: 200, body: 'ok' };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#rollingBack;
  }

  #carryOut(action: 'disarm' | 'rollback', body: unknown): void {
    const { aurora, rearms = false } = this.#options;
    if (action === 'disarm') {
      aurora.disarm();
      return;
    }
    const version = previousVersionIn(body) ?? aurora.previousVersion;
    if (version === null) return;
    this.#rollingBack = this.#clock
      .sleep(ROLLBACK_TAKES_MS, this.#closing.signal)
      .then(() => {
        aurora.deploy(version);
        if (rearms) aurora.arm();
      })
      // Only closing ends the wait early, and then nothing is left to roll back.
      .catch(() => undefined);
  }
}

/** The webhook-id of a request that was signed with our key just now; null for any other. */
function verifiedId(
  key: Buffer,
  headers: IncomingMessage['headers'],
  raw: Buffer,
  nowMs: number,
): string | null {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  const signatures = headers['webhook-signature'];
  if (typeof id !== 'string' || typeof timestamp !== 'string') return null;
  if (typeof signatures !== 'string' || !/^\d{1,12}$/.test(timestamp)) return null;
  if (Math.abs(nowMs / 1_000 - Number(timestamp)) > TOLERANCE_SECONDS) return null;
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(raw).digest();
  const matches = signatures.split(' ').some((signature) => {
    if (!signature.startsWith('v1,')) return false;
    const given = Buffer.from(signature.slice('v1,'.length), 'base64');
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  return matches ? id : null;
}

function keyOf(secret: string): Buffer {
  const prefix = 'whsec_';
  return secret.startsWith(prefix)
    ? Buffer.from(secret.slice(prefix.length), 'base64')
    : Buffer.from(secret, 'utf8');
}

function newSecret(): string {
  return `whsec_${Buffer.from(newWatchId() + newWatchId()).toString('base64')}`;
}

function previousVersionIn(body: unknown): string | null {
  const data = (body as { data?: { previous_version?: unknown } } | null)?.data;
  return typeof data?.previous_version === 'string' ? data.previous_version : null;
}

function parse(raw: Buffer): unknown {
  try {
    return JSON.parse(raw.toString('utf8'));
  } catch {
    return undefined;
  }
}

function remember<T>(list: T[], entry: T): void {
  list.push(entry);
  if (list.length > REMEMBERED_MAX) list.shift();
}

async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
  }
  return bytes > BODY_BYTES_MAX ? null : Buffer.concat(chunks);
}
