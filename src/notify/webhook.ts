// Each message as JSON to a URL of the operator's, signed by Standard Webhooks as actions are. It
// follows no redirect, and its details hold no URL, header or secret.
import type { Message, Outcome } from '../core/delivery.ts';
import type { Clock } from '../kit/clock.ts';
import { type HttpAnswer, retryAfterMs, send } from '../kit/http.ts';
import { headerSecrets } from '../kit/redact.ts';
import {
  ANSWER_BYTES_MAX,
  httpDetail,
  outcomeOfFailure,
  outcomeOfStatus,
  refused,
  retryable,
  saidBy,
} from '../request/outcome.ts';
import { signedHeaders } from '../request/signed.ts';
import { deliveryKey, type Send } from './attempt.ts';
import {
  cutUnits,
  fieldsOf,
  headlineOf,
  isoTime,
  linesOf,
  linksOf,
  nextOf,
  oneLine,
} from './text.ts';

export type MessageWebhookOptions = {
  /** Of the channel: a part of the id of a delivery. */
  readonly name: string;
  readonly url: string;
  /** Null: not signed. */
  readonly secret: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** canaryd's own version, for the user agent. */
  readonly version: string;
  readonly clock: Clock;
};

export function createMessageWebhook(options: MessageWebhookOptions): Send {
  return async (message, signal, context) => {
    const body = JSON.stringify(webhookBody(message));
    const id = deliveryKey(message, options.name, context);
    const headers = signedHeaders({ ...options, id, body, nowMs: options.clock.now() });
    if (typeof headers === 'string') return refused('misconfigured', headers);
    const answer = await send({
      method: 'POST',
      url: options.url,
      headers,
      body,
      timeoutMs: options.timeoutMs,
      responseBytesMax: ANSWER_BYTES_MAX,
      signal,
    });
    return answer.kind === 'failed' ? outcomeOfFailure(answer) : outcomeOfAnswer(answer, options);
  };
}

/** The standard asks for less than 20 kB. */
const BODY_BYTES_MAX = 19_500;
/** In JSON; what else there is may leave less. */
const FIELDS_BYTES_MAX = 3_000;
const LINKS_BYTES_MAX = 3_000;
const LINES_BYTES_MAX = 10_000;
const NEXT_MAX = 1_000;
const NAME_MAX = 250;

/** What the receiver gets; documented in docs/channels.md. */
export function webhookBody(message: Message) {
  const { deploy, merged } = message;
  const head = {
    watch: name(message.watchId) || null,
    gate: gateOf(message),
    kind: name(message.kind),
    severity: message.severity,
    silent: message.isSilent === true,
    incident: message.incident ?? null,
    service: name(deploy?.service),
    environment: name(deploy?.environment),
    version: name(deploy?.version),
    previous_version: name(deploy?.previousVersion),
    headline: headlineOf(message, 300),
    next: nextOf(message, NEXT_MAX) || null,
  };
  const lists = { lines: [], fields: [], links: [], merged: { count: 0, messages: [] } };
  const about = { type: 'canaryd.message', timestamp: isoTime(message.atMs) } as const;
  let room = BODY_BYTES_MAX - bytesOf({ ...about, data: { ...head, ...lists } });
  const fitted = <T>(items: readonly T[], bytesMax: number): readonly T[] => {
    const kept = firstOf(items, Math.min(room, bytesMax));
    room -= bytesOf(kept);
    return kept;
  };
  const fields = fitted(
    fieldsOf(message).map(([title, value]) => ({ title, value })),
    FIELDS_BYTES_MAX,
  );
  const links = fitted(linksOf(message), LINKS_BYTES_MAX);
  const lines = fitted(
    linesWithin(linesOf(message), Math.min(room, LINES_BYTES_MAX)),
    LINES_BYTES_MAX,
  );
  const parts = fitted((merged ?? []).map(partOf), room);
  const all = merged === undefined ? null : { count: merged.length, messages: parts };
  return { ...about, data: { ...head, lines, fields, links, merged: all } };
}

/** The decision that it tells; null: it tells of a watch. */
function gateOf({ gate }: Message) {
  if (gate === undefined) return null;
  return {
    name: name(gate.name),
    record: name(gate.record),
    decision: gate.decision,
    overridden: gate.isOverridden,
  };
}

function partOf(part: NonNullable<Message['merged']>[number]) {
  return {
    watch: name(part.watchId),
    kind: name(part.kind),
    timestamp: isoTime(part.atMs),
    incident: part.incident ?? null,
    service: name(part.deploy?.service),
    environment: name(part.deploy?.environment),
    version: name(part.deploy?.version),
    headline: cutUnits(oneLine(part.headline), NAME_MAX),
  };
}

function name(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : cutUnits(oneLine(text), NAME_MAX);
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** The first ones, as long as they fit as JSON. */
function firstOf<T>(items: readonly T[], bytesMax: number): readonly T[] {
  let size = 2;
  const end = items.findIndex((item) => {
    size += bytesOf(item) + 1;
    return size > bytesMax;
  });
  return end === -1 ? items : items.slice(0, end);
}

/** A character takes three bytes at most, for each unit of it. */
const BYTES_OF_A_UNIT = 3;
const CUT = '… cut';

/** Whole lines, and a mark when some are left out; the first is cut when none fits. */
function linesWithin(lines: readonly string[], bytesMax: number): readonly string[] {
  const kept = firstOf(lines, bytesMax);
  if (kept.length === lines.length) return lines;
  const some = firstOf(lines, bytesMax - bytesOf(CUT) - 1);
  if (some.length > 0) return [...some, CUT];
  return [cutUnits(lines[0] ?? '', Math.floor((bytesMax - 10) / BYTES_OF_A_UNIT))];
}

function outcomeOfAnswer(answer: HttpAnswer, options: MessageWebhookOptions): Outcome {
  const { status } = answer;
  const said = saidBy(answer.body, secretsOf(options));
  const detail = httpDetail(answer, said);
  if (status >= 200 && status < 300) {
    return { kind: 'delivered', detail: `HTTP ${status} in ${Math.round(answer.tookMs)} ms` };
  }
  const asked = retryAfterMs(answer.headers, options.clock.now());
  // This very id is being worked on.
  if (status === 409) {
    return retryable('client_error', detail, { retryAfterMs: asked, maybeDelivered: true });
  }
  return outcomeOfStatus(status, detail, asked);
}

/** Shorter parts of a path are words, such as "hooks". */
const PATH_SECRET_MIN = 9;

/** All that a receiver may echo and nobody may read: the URL may itself be the secret. */
function secretsOf({ url, secret, headers }: MessageWebhookOptions): readonly string[] {
  const { pathname = '', search = '' } = URL.parse(url) ?? {};
  const parts = [pathname + search, search, ...pathname.split('/'), ...search.split(/[?&=]/)];
  const keys = (secret ?? '').split(/\s+/).flatMap((key) => [key, key.replace(/^whsec_/, '')]);
  const long = parts.filter((part) => part.length >= PATH_SECRET_MIN);
  return [...keys, ...headerSecrets(headers), url, ...long];
}
