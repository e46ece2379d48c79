// One attempt to hand a mail to an SMTP server, and what its answer means: 4xx is tried again, 5xx is
// refused for good. Recipients that got a 4xx are tried again, they alone; then it is delivered when the
// server took it for at least one. The password is in no detail.
import { createTransport } from 'nodemailer';
import type { Message, Outcome, SendContext } from '../core/delivery.ts';
import { refused, retryable, saidBy } from '../request/outcome.ts';
import { deliveryKey, objectOf, type Send } from './attempt.ts';
import { type Mail, mailOf } from './mail-message.ts';
import { isTrial } from './trial.ts';

const ANSWER_BYTES_MAX = 64 * 1_024;
/** The connection is dropped, not closed politely, when the server does not end it. */
const CLOSE_MS = 500;

export type EmailOptions = {
  /** Of the channel: a part of the id of a delivery. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly security: 'implicit' | 'required' | 'if_offered' | 'never';
  readonly login: { readonly username: string; readonly password: string } | null;
  readonly from: string;
  readonly to: readonly string[];
  /** PEM; null: the system's authorities. */
  readonly ca: string | null;
  readonly insecureSkipVerify: boolean;
  /** For the whole conversation. */
  readonly timeoutMs: number;
};

/** What is left of a mail that some of its recipients have. */
type Rest = { readonly key: string; readonly taken: number; readonly to: readonly string[] };

/** Mails that are remembered without asking. */
const RESTS_MAX = 1_000;

export function createEmail(options: EmailOptions): Send {
  const domain = /@([A-Za-z0-9.-]+)>?$/.exec(options.from)?.[1] ?? 'canaryd.invalid';
  const rests = new Map<string, Rest>();
  return async (message, signal, context) => {
    const key = deliveryKey(message, options.name, context);
    const mail = mailOf(message, key, options.name, domain);
    const rest = rests.get(key) ?? (await restOf(key, message, context));
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort('timeout'), options.timeoutMs);
    const follow = () => limit.abort('aborted');
    if (signal.aborted) follow();
    signal.addEventListener('abort', follow, { once: true });
    const progress = { isSending: false };
    try {
      const sent = await transportOf(options, progress).sendMail({
        ...fieldsOf(mail, options),
        ...(rest === null ? {} : { envelope: { from: options.from, to: [...rest.to] } }),
        signal: limit.signal,
      });
      const outcome = outcomeOfSent(sent, { message, key, rest, options });
      if (outcome.rest !== null) rests.set(key, outcome.rest);
      const [oldest] = rests.keys();
      if (rests.size > RESTS_MAX && oldest !== undefined) rests.delete(oldest);
      return outcome.outcome;
    } catch (error) {
      const outcome = outcomeOf(error, options, limit.signal.reason, progress.isSending);
      if (rest === null || outcome.kind !== 'refused') return outcome;
      // Those that are left are refused for good; the others have it.
      const detail = `${outcome.detail}; ${takenFor(rest.taken, options)}`;
      return { kind: 'delivered', detail };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', follow);
    }
  };
}

function fieldsOf(mail: Mail, { from, to }: EmailOptions) {
  const { subject, text, html, messageId, inReplyTo, isUrgent } = mail;
  return {
    ...{ from, to: [...to], subject, text, html, messageId },
    ...(inReplyTo === null ? {} : { inReplyTo, references: inReplyTo }),
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
    ...(isUrgent ? { priority: 'high' as const } : {}),
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

type Sent = {
  readonly accepted: readonly unknown[];
  readonly rejectedErrors?: readonly unknown[] | undefined;
  readonly response: string;
};

function outcomeOfSent(
  { accepted, rejectedErrors = [], response }: Sent,
  mail: {
    readonly message: Message;
    readonly key: string;
    readonly rest: Rest | null;
    readonly options: EmailOptions;
  },
): { readonly outcome: Outcome; readonly rest: Rest | null } {
  const { message, key, options } = mail;
  const taken = accepted.length + (mail.rest?.taken ?? 0);
  const refusals = rejectedErrors.map(smtpError);
  const later = refusals.filter(({ status }) => status >= 400 && status < 500);
  const [why] = [...later, ...refusals];
  const few = taken === options.to.length ? '' : `; ${takenFor(taken, options)}`;
  if (why !== undefined && (later.length > 0 || isTrial(message))) {
    const detail = `${said(why.response, options)}${few}`;
    if (later.length === 0) return { outcome: refused('client_error', detail), rest: null };
    const rest = { key, taken, to: later.map(({ recipient }) => recipient) };
    const again = { ...retryable('server_error', detail), receipt: JSON.stringify(rest) };
    return { outcome: again, rest };
  }
  const outcome: Outcome = { kind: 'delivered', detail: `${said(response, options)}${few}` };
  return { outcome, rest: null };
}

function takenFor(taken: number, { to }: EmailOptions): string {
  return `taken for ${taken} of ${to.length} recipients`;
}

/** From the receipts of earlier attempts: of a life before, or of another replica. */
async function restOf(
  key: string,
  { watchId }: Message,
  context: SendContext | undefined,
): Promise<Rest | null> {
  const receipts = (await context?.receipts(watchId)) ?? [];
  const rests = receipts.map(({ receipt }) => objectOf(receipt));
  const found = rests.findLast((one) => one['key'] === key);
  const { taken, to } = found ?? {};
  if (typeof taken !== 'number' || !Array.isArray(to) || to.length === 0) return null;
  return { key, taken, to: to.map((address: unknown) => `${address}`) };
}

/** @param progress learns when the mail itself begins to be sent: before that it cannot arrive */
function transportOf(options: EmailOptions, progress: { isSending: boolean }) {
  const { host, port, security, login, ca, insecureSkipVerify, timeoutMs } = options;
  return createTransport({
    host,
    port,
    secure: security === 'implicit',
    requireTLS: security === 'required',
    ignoreTLS: security === 'never',
    ...(login === null ? {} : { auth: { user: login.username, pass: login.password } }),
    tls: {
      minVersion: 'TLSv1.2',
      rejectUnauthorized: !insecureSkipVerify,
      ...(ca === null ? {} : { ca }),
    },
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    socketCloseTimeout: CLOSE_MS,
    maxResponseSize: ANSWER_BYTES_MAX,
    // The only way to see how far it came; nothing of it is kept.
    transactionLog: true,
    logger: {
      ...SILENT,
      debug: (_entry: unknown, text: unknown) => {
        if (text === 'DATA') progress.isSending = true;
      },
    },
  });
}

const ignored = () => {};
const SILENT = {
  ...{ trace: ignored, info: ignored, warn: ignored, error: ignored, fatal: ignored },
  level: ignored,
};

type SmtpError = {
  readonly code: string;
  /** Of the server's last answer; 0: it gave none. */
  readonly status: number;
  readonly response: string;
  /** The system's code, under the library's. */
  readonly cause: string;
  /** Whom the answer was about; empty: all. */
  readonly recipient: string;
};

function outcomeOf(
  error: unknown,
  options: EmailOptions,
  limit: unknown,
  isSending: boolean,
): Outcome {
  const { code, status, response, cause } = smtpError(error);
  const late = `no answer within ${options.timeoutMs} ms`;
  if (!isSending && limit === 'aborted')
    return retryable('network', 'interrupted; it was not sent');
  if (!isSending && (limit === 'timeout' || code === 'ETIMEDOUT'))
    return retryable('network', late);
  if (limit === 'aborted') {
    return retryable('interrupted', 'interrupted; it may have arrived', { maybeDelivered: true });
  }
  if (limit === 'timeout' || code === 'ETIMEDOUT') {
    return retryable('timeout', `${late}; it may have arrived`, { maybeDelivered: true });
  }
  const words = said(response, options) || cause || code || 'connection failed';
  if (code === 'EAUTH' || code === 'ENOAUTH') {
    // 4xx: the server cannot check it now.
    if (status >= 400 && status < 500) return retryable('server_error', words);
    return refused('misconfigured', `${words}; check username and password`);
  }
  if (isTls(code, cause)) return refused('tls', `TLS: ${words}; check starttls and tls`);
  if (LOGIN_WANTED.includes(status)) return refused('misconfigured', words);
  // 503: out of step, which another connection may mend.
  if (status >= 500 && status !== 503) return refused('client_error', words);
  if (status >= 400) return retryable('server_error', words);
  if (code === 'EENVELOPE') return refused('misconfigured', `${words}; check from and to`);
  if (code === 'EPROTOCOL') return retryable('bad_response', words);
  return retryable('network', words, { maybeDelivered: isSending });
}

/** The server wants to know who we are, in one of its ways. */
const LOGIN_WANTED: readonly number[] = [530, 534, 535, 538];

function isTls(code: string, cause: string): boolean {
  return code === 'ETLS' || /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS_|ERR_SSL_/.test(cause);
}

/** The library's messages hold host, user and the like: only codes and the server's words are used. */
function smtpError(error: unknown): SmtpError {
  const of = (from: unknown, field: string): unknown =>
    typeof from === 'object' && from !== null
      ? (from as Readonly<Record<string, unknown>>)[field]
      : undefined;
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const status = of(error, 'responseCode');
  return {
    code: text(of(error, 'code')),
    status: typeof status === 'number' ? status : 0,
    response: text(of(error, 'response')),
    cause: text(of(error, 'originalCode')),
    recipient: text(of(error, 'recipient')),
  };
}

function said(response: string, { login }: EmailOptions): string {
  return saidBy(response, login === null ? [] : secretsOf(login));
}

/** As they are sent: AUTH PLAIN and AUTH LOGIN are base64. */
function secretsOf(login: { readonly username: string; readonly password: string }) {
  const { username, password } = login;
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return [password, base64(password), base64(`\0${username}\0${password}`)];
}
