// A small SMTP server: EHLO, STARTTLS, AUTH PLAIN, envelopes and data as RFC 5321 has them, with
// scripted answers for each command. Needs no test runner.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';

export type SmtpMail = {
  readonly from: string;
  readonly to: readonly string[];
  /** Names in lower case, folded lines joined. */
  readonly headers: ReadonlyMap<string, string>;
  readonly raw: string;
  readonly isEncrypted: boolean;
  readonly user: string | null;
};

export type FakeSmtp = {
  readonly port: number;
  readonly mails: readonly SmtpMail[];
  /** Verbs as they came. */
  readonly commands: readonly string[];
  /** The next such command (or `greeting`, `message`) gets this answer; `null`: never any. */
  respondOnce(command: string, answer: string | null): void;
  /** The connection is cut at the next such command. */
  cutOnce(command: string): void;
  /** After the data, the connection is cut without an answer. */
  cutAfterData(): void;
  reset(): void;
  close(): Promise<void>;
};

type Options = {
  /** PEM; with it STARTTLS is offered. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** TLS from the first byte, as smtps:// has it. */
  readonly isImplicit?: boolean;
  readonly login?: { readonly username: string; readonly password: string };
};

type Session = {
  socket: Socket;
  buffer: string;
  from: string;
  to: string[];
  user: string | null;
  isEncrypted: boolean;
  isInData: boolean;
};

export async function startFakeSmtp(options: Options = {}): Promise<FakeSmtp> {
  const mails: SmtpMail[] = [];
  const commands: string[] = [];
  const script = new Map<string, (string | null)[]>();
  const sockets = new Set<Socket>();
  const cuts = new Set<string>();
  let isCut = false;

  function say(session: Session, command: string, usual: string): string | null {
    if (cuts.delete(command)) {
      session.socket.destroy();
      return null;
    }
    const queue = script.get(command) ?? [];
    const answer = queue.length === 0 ? usual : (queue.shift() ?? null);
    if (answer !== null) session.socket.write(`${answer.replaceAll('\n', '\r\n')}\r\n`);
    return answer;
  }
  const isYes = (answer: string | null) => answer !== null && /^[23]/.test(answer);

  function handle(session: Session, line: string): void {
    const verb = (/^[A-Za-z]+/.exec(line)?.[0] ?? '').toUpperCase();
    commands.push(verb);
    switch (verb) {
      case 'EHLO':
        say(session, verb, ehlo(session));
        return;
      case 'STARTTLS':
        if (isYes(say(session, verb, '220 go ahead'))) upgrade(session);
        return;
      case 'AUTH':
        login(session, line);
        return;
      case 'MAIL':
        if (isYes(say(session, verb, '250 2.1.0 ok'))) {
          session.from = addressIn(line);
          session.to = [];
        }
        return;
      case 'RCPT':
        if (isYes(say(session, verb, '250 2.1.5 ok'))) session.to.push(addressIn(line));
        return;
      case 'DATA':
        session.isInData = isYes(say(session, verb, '354 end with a dot'));
        return;
      case 'QUIT':
        say(session, verb, '221 bye');
        session.socket.end();
        return;
      default:
        say(session, verb, '502 5.5.2 no such command');
    }
  }

  function ehlo({ isEncrypted }: Session): string {
    const offers = ['8BITMIME', 'SMTPUTF8', 'SIZE 1000000'];
    if (options.tls && !isEncrypted) offers.push('STARTTLS');
    if (options.login) offers.push('AUTH PLAIN');
    return ['fake.test', ...offers]
      .map((offer, index) => `250${index === offers.length ? ' ' : '-'}${offer}`)
      .join('\n');
  }

  function login(session: Session, line: string): void {
    const [, , initial = ''] = line.split(' ');
    const [, username, password] = Buffer.from(initial, 'base64').toString('utf8').split('\0');
    const { login: wanted } = options;
    const isRight = username === wanted?.username && password === wanted?.password;
    const usual = isRight ? '235 2.7.0 welcome' : `535 5.7.8 bad credentials ${initial}`;
    if (isYes(say(session, 'AUTH', usual))) session.user = username ?? null;
  }

  function upgrade(session: Session): void {
    session.socket.removeAllListeners('data');
    const secure = new TLSSocket(session.socket, { isServer: true, ...options.tls });
    secure.on('error', () => {});
    session.socket = secure;
    session.isEncrypted = true;
    session.buffer = '';
    secure.on('data', (chunk) => read(session, chunk));
  }

  function read(session: Session, chunk: Buffer): void {
    session.buffer += chunk.toString('utf8');
    for (;;) {
      const mark = session.isInData ? '\r\n.\r\n' : '\r\n';
      const at = session.buffer.indexOf(mark);
      if (at === -1) return;
      const part = session.buffer.slice(0, at);
      session.buffer = session.buffer.slice(at + mark.length);
      if (session.isInData) receive(session, part);
      else handle(session, part);
    }
  }

  function receive(session: Session, data: string): void {
    session.isInData = false;
    if (isCut) return void session.socket.destroy();
    if (!isYes(say(session, 'message', '250 2.0.0 queued as 42'))) return;
    const { from, to, isEncrypted, user } = session;
    const raw = data.replace(/^\.\./gm, '.');
    mails.push({ from, to, headers: headersOf(raw), raw, isEncrypted, user });
  }

  const begin = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    const state = { buffer: '', from: '', to: [], user: null };
    const isEncrypted = options.isImplicit === true;
    const session: Session = { ...state, socket, isEncrypted, isInData: false };
    socket.on('data', (chunk) => read(session, chunk));
    say(session, 'greeting', '220 fake.test ESMTP');
  };
  const server =
    options.isImplicit === true ? createTlsServer({ ...options.tls }, begin) : createServer(begin);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    mails,
    commands,
    respondOnce(command, answer) {
      script.set(command, [...(script.get(command) ?? []), answer]);
    },
    cutOnce: (command) => void cuts.add(command),
    cutAfterData() {
      isCut = true;
    },
    reset() {
      script.clear();
      cuts.clear();
      mails.length = 0;
      commands.length = 0;
      isCut = false;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function addressIn(line: string): string {
  return /<([^>]*)>/.exec(line)?.[1] ?? '';
}

function headersOf(raw: string): ReadonlyMap<string, string> {
  const [head = ''] = raw.split('\r\n\r\n');
  const lines = head.replace(/\r\n[ \t]+/g, ' ').split('\r\n');
  return new Map(
    lines.map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
    }),
  );
}
