// The CLI's side of the HTTP API. Every answer is checked against the API's own schema; what is
// expected to go wrong comes back as a value.
import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import type { WatchEvent } from '../core/event.ts';
import type { WatchView } from '../engine/control.ts';
import { PROBLEM_TYPE_PREFIX } from '../http/problem.ts';
import { SCHEMAS } from '../http/schemas.ts';
import { fromWire, type Wire } from '../http/wire.ts';
import { type HttpRequest, send } from '../kit/http.ts';
import { CliExit, EXIT, usage } from './exit.ts';

export type WireWatch = Wire<WatchView>;

export type Reply<T> =
  | { readonly kind: 'ok'; readonly value: T; readonly status: number }
  /** No answer, or one that says "not now": trying again may help. */
  | { readonly kind: 'unreachable'; readonly detail: string }
  | { readonly kind: 'refused'; readonly problem: string; readonly detail: string };

export const DEFAULT_SERVER = 'http://127.0.0.1:7766';
const REQUEST_TIMEOUT_MS = 20_000;
const ANSWER_BYTES_MAX = 20_000_000;
const NOT_NOW = [502, 503, 504];

export type Client = {
  readonly server: string;
  ask<T>(ask: Ask<T>): Promise<Reply<T>>;
};

export type Ask<T> = {
  readonly method?: HttpRequest['method'];
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly read: (body: string) => T | null;
};

/** Reads an answer by a schema, and makes of it what is wanted; null: not what canaryd would say. */
export function readBy<Schema extends z.ZodType, T>(
  schema: Schema,
  make: (parsed: z.output<Schema>, raw: unknown) => T,
): (body: string) => T | null {
  return (body) => {
    let raw: unknown;
    try {
      raw = JSON.parse(body);
    } catch {
      return null;
    }
    const parsed = schema.safeParse(raw);
    return parsed.success ? make(parsed.data, raw) : null;
  };
}

/** Keeps fields that the schema does not know. */
function reader<T>(schema: z.ZodType): (body: string) => T | null {
  return readBy(schema, (_, raw) => raw as T);
}

export const readWatch = reader<WireWatch>(SCHEMAS.Watch);
export const readList = reader<{
  readonly watches: readonly WireWatch[];
  readonly next_before: string | null;
}>(SCHEMAS.WatchList);
export const readHold = reader<z.output<typeof SCHEMAS.Hold>>(SCHEMAS.Hold);
export const readDeliveries = reader<z.output<typeof SCHEMAS.Deliveries>>(SCHEMAS.Deliveries);
const readPage = reader<z.output<typeof SCHEMAS.Journal>>(SCHEMAS.Journal);

/** Events as the core knows them. */
export function readJournal(body: string) {
  const page = readPage(body);
  return page && { events: fromWire(page.events) as WatchEvent[], nextAfter: page.next_after };
}

export function createClient(options: {
  readonly server: string;
  readonly token: string | null;
  readonly signal: AbortSignal;
}): Client {
  const { server, token, signal } = options;
  return {
    server,
    async ask({ method = 'GET', path, body, headers, read }) {
      const answer = await send({
        method,
        url: `${server}${path}`,
        headers: {
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        timeoutMs: REQUEST_TIMEOUT_MS,
        responseBytesMax: ANSWER_BYTES_MAX,
        signal,
      });
      if (answer.kind === 'failed') return { kind: 'unreachable', detail: answer.detail };
      if (NOT_NOW.includes(answer.status)) {
        const detail = problemOf(answer.body)?.detail ?? `HTTP ${answer.status}`;
        return { kind: 'unreachable', detail };
      }
      if (answer.status >= 200 && answer.status < 300) {
        const value = read(answer.body);
        if (value !== null) return { kind: 'ok', value, status: answer.status };
        return strange(`HTTP ${answer.status} with an answer that canaryd would not give`);
      }
      const problem = problemOf(answer.body);
      return problem === null
        ? strange(`HTTP ${answer.status} without a problem`)
        : { kind: 'refused', ...problem };
    },
  };

  function strange(found: string) {
    const detail = `${server}: found ${found}; check --server`;
    return { kind: 'refused', problem: 'not_canaryd', detail } as const;
  }
}

function problemOf(body: string): { problem: string; detail: string } | null {
  const problem = reader<z.output<typeof SCHEMAS.Problem>>(SCHEMAS.Problem)(body);
  if (problem === null) return null;
  const kind = problem.type.replace(PROBLEM_TYPE_PREFIX, '');
  const errors = problem.errors.map(({ path, message }) => `\n  ${path}: ${message}`).join('');
  const detail = errors === '' ? problem.detail : `${problem.title}${errors}`;
  return { problem: kind, detail };
}

/** The value, or the end of the program with the right exit code. */
export function need<T>(reply: Reply<T>, client: Pick<Client, 'server'>): T {
  if (reply.kind === 'ok') return reply.value;
  if (reply.kind === 'unreachable') {
    throw new CliExit(EXIT.unreachable, unreachableText(client.server, reply.detail));
  }
  if (reply.problem === 'internal') throw new CliExit(EXIT.unreachable, reply.detail);
  throw usage(reply.detail);
}

export function unreachableText(server: string, detail: string): string {
  return `canaryd at ${server} is not reachable: ${detail}; is it running? (--server, CANARYD_URL)`;
}

/** Where canaryd is: `--server`, else CANARYD_URL, else loopback. */
export function serverOf(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
) {
  const text = given ?? (env['CANARYD_URL'] || DEFAULT_SERVER);
  const from = given === undefined ? 'CANARYD_URL' : '--server';
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw usage(`${from}: found ${JSON.stringify(text)}, wanted a URL such as ${DEFAULT_SERVER}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw usage(`${from}: found a password in the URL; use --token-file or CANARYD_TOKEN`);
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** From a file or the environment, never from the command line, which other users can see. */
export function tokenOf(
  file: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string | null {
  let text = env['CANARYD_TOKEN'];
  if (file !== undefined) {
    try {
      text = readFileSync(file, 'utf8');
    } catch {
      throw usage(`--token-file: cannot read ${file}`);
    }
  }
  const token = text?.trim();
  if (file === undefined && !token) return null;
  if (token === undefined || !/^[\x21-\x7e]{1,512}$/.test(token)) {
    const from = file === undefined ? 'CANARYD_TOKEN' : '--token-file';
    throw usage(`${from}: wanted one line of 1 to 512 printable ASCII characters`);
  }
  return token;
}
