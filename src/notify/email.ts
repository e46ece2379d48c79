// One attempt to hand a mail to an SMTP server, and what its answer means: 4xx is tried again, 5xx is
// refused for good. It is delivered when the server took it for at least one recipient. The password
// is in no detail.
import { createTransport } from 'nodemailer';
import type { Outcome } from '../core/delivery.ts';
import { mailOf } from './mail-message.ts';
import { deliveryKey, refused, retryable, type Send, saidBy } from './outcome.ts';

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

export function createEmail(options: EmailOptions): Send {
  const domain = /@([A-Za-z0-9.-]+)>?$/.exec(options.from)?.[1] ?? 'canaryd.invalid';
  return async (message, signal, context) => {
    const key = deliveryKey(message, options.name, context);
    const mail = mailOf(message, key, options.name, domain);
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort('timeout'), options.timeoutMs);
    const follow = () => limit.abort('aborted');
    if (signal.aborted) follow();
    signal.addEventListener('abort', follow, { once: true });
    try {
      const { accepted, rejected, response } = await transportOf(options).sendMail({
        from: options.from,
        to: [...options.to],
        subject: mail.subject,
        text: mail.text,
        html: mail.html,
        messageId: mail.messageId,
        ...(mail.inReplyTo === null
          ? {}
          : { inReplyTo: mail.inReplyTo, references: mail.inReplyTo }),
        headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
        ...(mail.isUrgent ? { priority: 'high' as const } : {}),
        disableFileAccess: true,
        disableUrlAccess: true,
        signal: limit.signal,
      });
      const all = accepted.length + rejected.length;
      const few =
        rejected.length === 0 ? '' : `; taken for ${accepted.length} of ${all} recipients`;
      return { kind: 'delivered', detail: `${said(response, options)}${few}` };
    } catch (error) {
      return outcomeOf(error, options, limit.signal.reason);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', follow);
    }
  };
}

function transportOf(options: EmailOptions) {
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
    logger: false,
  });
}

type SmtpError = {
  readonly code: string;
  /** Of the server's last answer; 0: it gave none. */
  readonly status: number;
  readonly response: string;
  /** The system's code, under the library's. */
  readonly cause: string;
};

function outcomeOf(error: unknown, options: EmailOptions, limit: unknown): Outcome {
  const { code, status, response, cause } = smtpError(error);
  if (limit === 'aborted') {
    return retryable('interrupted', 'interrupted; it may have arrived', { maybeDelivered: true });
  }
  if (limit === 'timeout' || code === 'ETIMEDOUT') {
    const detail = `no answer within ${options.timeoutMs} ms; it may have arrived`;
    return retryable('timeout', detail, { maybeDelivered: true });
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
  const isUnsent = code === 'EDNS' || NOT_CONNECTED.test(cause);
  return retryable('network', words, { maybeDelivered: !isUnsent });
}

/** The server wants to know who we are, in one of its ways. */
const LOGIN_WANTED: readonly number[] = [530, 534, 535, 538];
const NOT_CONNECTED = /^(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ENOTFOUND|EAI_\w+)$/;

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
