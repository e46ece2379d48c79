// Slack's Web API, as far as chat.postMessage and chat.update go: one bot, one channel. Payloads are
// judged as those of a webhook are. Needs no test runner.
import {
  type FakeService,
  isObject,
  type Json,
  type ServiceAnswer,
  type ServiceRequest,
  startFakeService,
} from './fake-service.ts';
import { messageOf, refusalOf, type SlackMessage } from './fake-slack.ts';

export type Posted = SlackMessage & {
  readonly ts: string;
  /** Of the message that began the thread. */
  readonly thread: string | null;
  /** Shown in the channel as well. */
  readonly isBroadcast: boolean;
  readonly edits: number;
};

export type FakeSlackApi = FakeService & {
  readonly token: string;
  readonly channel: string;
  /** In the channel itself, the present state of each. */
  readonly channelMessages: () => readonly Posted[];
  readonly thread: (ts: string) => readonly Posted[];
  /** Each method that was called with `ok`, in order. */
  readonly calls: readonly string[];
  /** Blocks are refused whatever they hold, until `reset()`. */
  refuseBlocks(): void;
  /** The next message into a thread is one too many. */
  limitThreadOnce(): void;
  /** Somebody deletes every message. */
  deleteAll(): void;
};

export async function startFakeSlackApi(): Promise<FakeSlackApi> {
  const token = ['xoxb', 'secret', 'secretsecretsecret'].join('-');
  const channel = 'C0123456789';
  const messages = new Map<string, Posted>();
  const calls: string[] = [];
  let isRefusingBlocks = false;
  let isThreadLimited = false;
  let count = 0;

  function answer({ method, path, headers, body }: ServiceRequest): ServiceAnswer {
    if (method !== 'POST') return no('invalid_post_type');
    if (headers.authorization === undefined) return no('not_authed');
    if (headers.authorization !== `Bearer ${token}`) return no('invalid_auth');
    if (!/^application\/json/.test(headers['content-type'] ?? '')) return no('invalid_post_type');
    if (!isObject(body)) return no('invalid_json');
    if (body['channel'] !== channel) return no('channel_not_found');
    const refusal = refusalOf(body, isRefusingBlocks);
    if (refusal !== null) return no(refusal);
    if (path === '/chat.postMessage') return post(body);
    return path === '/chat.update' ? update(body) : no('unknown_method');
  }

  function post(body: Json): ServiceAnswer {
    const thread = typeof body['thread_ts'] === 'string' ? body['thread_ts'] : null;
    if (thread !== null && !messages.has(thread)) return no('thread_not_found');
    if (thread !== null && isThreadLimited) {
      isThreadLimited = false;
      const headers = { 'retry-after': '1' };
      return { status: 429, body: { ok: false, error: 'ratelimited' }, headers };
    }
    count += 1;
    const ts = `1700000000.${String(count).padStart(6, '0')}`;
    const isBroadcast = body['reply_broadcast'] === true;
    messages.set(ts, { ...messageOf(body, 0), ts, thread, isBroadcast, edits: 0 });
    calls.push(thread === null ? 'post' : 'reply');
    return { status: 200, body: { ok: true, channel, ts } };
  }

  function update(body: Json): ServiceAnswer {
    const known = messages.get(`${body['ts']}`);
    if (known === undefined) return no('message_not_found');
    messages.set(known.ts, { ...known, ...messageOf(body, 0), edits: known.edits + 1 });
    calls.push('update');
    return { status: 200, body: { ok: true, channel, ts: known.ts } };
  }

  const service = await startFakeService(answer);
  return {
    ...service,
    token,
    channel,
    channelMessages: () => [...messages.values()].filter(({ thread }) => thread === null),
    thread: (ts) => [...messages.values()].filter(({ thread }) => thread === ts),
    calls,
    refuseBlocks() {
      isRefusingBlocks = true;
    },
    limitThreadOnce() {
      isThreadLimited = true;
    },
    deleteAll: () => messages.clear(),
    reset() {
      service.reset();
      messages.clear();
      calls.length = 0;
      isRefusingBlocks = false;
      isThreadLimited = false;
    },
  };
}

function no(error: string): ServiceAnswer {
  return { status: 200, body: { ok: false, error } };
}
