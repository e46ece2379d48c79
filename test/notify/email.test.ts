import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createEmail } from '../../src/notify/email.ts';
import { trialMessage } from '../../src/notify/trial.ts';
import { exampleOf } from '../docs/message-examples.ts';
import { hasOpenssl, loopbackCertificate } from '../support/certificate.ts';
import { type FakeSmtp, type SmtpMail, startFakeSmtp } from '../support/fake-smtp.ts';
import { fullOf, monsters } from './monsters.ts';
import { aStopMessage } from './sample.ts';

let smtp: FakeSmtp;
beforeAll(async () => {
  smtp = await startFakeSmtp();
});
beforeEach(() => smtp.reset());
afterAll(() => smtp.close());

const signal = new AbortController().signal;

function make(over: Partial<Parameters<typeof createEmail>[0]> = {}) {
  return createEmail({
    name: 'mail',
    host: '127.0.0.1',
    port: smtp.port,
    security: 'never',
    login: null,
    from: 'canaryd <canaryd@example.com>',
    to: ['oncall@example.com', 'Ops <ops@example.com>'],
    ca: null,
    insecureSkipVerify: false,
    timeoutMs: 5_000,
    ...over,
  });
}

/** The decoded text of a part of the mail. */
function partOf(mail: SmtpMail | undefined, type: string): string {
  const part =
    mail?.raw.split(/^--.*$/m).find((one) => one.includes(`Content-Type: ${type}`)) ?? '';
  const [head = '', ...body] = part.split('\r\n\r\n');
  const text = body.join('\r\n\r\n');
  const encoding = /Content-Transfer-Encoding: (\S+)/i.exec(head)?.[1];
  if (encoding === 'base64') return Buffer.from(text, 'base64').toString('utf8');
  const bytes = text
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return encoding === 'quoted-printable' ? Buffer.from(bytes, 'latin1').toString('utf8') : text;
}

describe('the mail channel', () => {
  it('sends the message as text and as simple HTML', async () => {
    expect(await make()(aStopMessage(), signal)).toEqual({
      kind: 'delivered',
      detail: '250 2.0.0 queued as 42',
    });
    const [mail] = smtp.mails;
    expect(mail).toMatchObject({
      from: 'canaryd@example.com',
      to: ['oncall@example.com', 'ops@example.com'],
    });
    expect(mail?.headers.get('subject')).toBe(
      'CRITICAL aurora 2.4.1 (production): order fill rate 12 % < 80 %; rolling back',
    );
    expect(partOf(mail, 'text/plain').trim().split('\r\n')).toEqual([
      'CRITICAL aurora 2.4.1 (production): order fill rate 12 % < 80 %; rolling back',
      '',
      'Order fill rate 12 % of 1,204 in 1m, must not be below 80 % (3 samples since 22:04:50)',
      'Was 97 % before the deploy.',
      '',
      'Next: canaryd verifies the rollback for 10m and tells you.',
      '',
      'Deploy: 2.4.0 → 2.4.1 by ci, 3m ago',
      'Disarm: accepted, HTTP 202 in 35 ms',
      '',
      'watch: https://canaryd.test/w_1',
      'runbook: https://runbooks.test/aurora',
      '',
      'watch w_1 · 2026-11-21 22:05:10 UTC · canaryd',
    ]);
    expect(partOf(mail, 'text/html')).toContain('order fill rate 12 % &lt; 80 %; rolling back');
    expect(partOf(mail, 'text/html')).toContain('<a href="https://canaryd.test/w_1">watch</a>');
  });

  it('says that no person wrote it, and that a stop is urgent', async () => {
    await make()(aStopMessage(), signal);
    await make()(aStopMessage({ severity: 'info' }), signal);
    const [urgent, plain] = smtp.mails.map(({ headers }) => headers);
    expect(urgent?.get('auto-submitted')).toBe('auto-generated');
    expect(urgent?.get('x-priority')).toBe('1 (Highest)');
    expect(plain?.has('x-priority')).toBe(false);
  });

  it('keeps the mails of a watch together, also without a delivery id', async () => {
    const send = make();
    const at = (seconds: number, watchId = 'w_1') => ({ atMs: seconds * 1_000, watchId });
    await send({ ...exampleOf('watch.started'), ...at(0) }, signal);
    await send(aStopMessage(at(9)), signal);
    await send(aStopMessage(at(10)), signal);
    await send(aStopMessage(at(10, 'w_2')), signal);
    const [root, stop, next, other] = smtp.mails.map(({ headers }) => headers);
    const rootId = root?.get('message-id');
    expect(rootId).toBe('<watch-w_1-mail@example.com>');
    expect(root?.has('in-reply-to')).toBe(false);
    expect([stop, next].map((one) => one?.get('in-reply-to'))).toEqual([rootId, rootId]);
    expect(stop?.get('references')).toBe(rootId);
    expect(other?.get('references')).not.toBe(rootId);
    const ids = [root, stop, next, other].map((one) => one?.get('message-id'));
    expect(new Set(ids).size).toBe(4);
  });

  it('has the same id for each attempt of a delivery, from its id when that is known', async () => {
    const context = { deliveryId: 'w_1-e7-mail', receipts: async () => [] };
    await make()(aStopMessage(), signal);
    await make()(aStopMessage({ lines: ['you may have seen it before'] }), signal);
    await make()(aStopMessage(), signal, context);
    const [first, again, named] = smtp.mails.map(({ headers }) => headers.get('message-id'));
    expect(again).toBe(first);
    expect(named).toBe('<w_1-e7-mail@example.com>');
  });

  it.each([
    ['greeting', '421 4.3.2 shutting down', { kind: 'retryable' }],
    ['MAIL', '451 4.7.1 greylisted', { kind: 'retryable', reason: 'server_error' }],
    ['MAIL', '550 5.7.1 sender rejected', { kind: 'refused', reason: 'client_error' }],
    ['MAIL', '530 5.7.0 authentication required', { kind: 'refused', reason: 'misconfigured' }],
    ['DATA', '452 4.3.1 no space', { kind: 'retryable', reason: 'server_error' }],
    ['message', '451 4.3.0 try later', { kind: 'retryable', reason: 'server_error' }],
    ['message', '554 5.7.1 looks like spam', { kind: 'refused', reason: 'client_error' }],
    ['message', '552 5.3.4 too big', { kind: 'refused', reason: 'client_error' }],
  ])('takes the answer to %s %s for what it means', async (command, answer, expected) => {
    smtp.respondOnce(command, answer);
    const outcome = await make()(aStopMessage(), signal);
    expect(outcome).toMatchObject(expected);
    expect(outcome.detail).toContain(answer);
    expect(smtp.mails).toEqual([]);
  });

  it('has delivered what the server took for some of the recipients, and says so', async () => {
    smtp.respondOnce('RCPT', '550 5.1.1 no such user');
    expect(await make()(aStopMessage(), signal)).toEqual({
      kind: 'delivered',
      detail: '250 2.0.0 queued as 42; taken for 1 of 2 recipients',
    });
    expect(smtp.mails[0]?.to).toEqual(['ops@example.com']);
  });

  it('tries again for those only that the server wants later', async () => {
    const send = make({ to: ['a@example.com', 'b@example.com', 'c@example.com'] });
    smtp.respondOnce('RCPT', '450 4.2.0 greylisted');
    smtp.respondOnce('RCPT', '550 5.1.1 no such user');
    expect(await send(aStopMessage(), signal)).toMatchObject({
      kind: 'retryable',
      reason: 'server_error',
      detail: '450 4.2.0 greylisted; taken for 1 of 3 recipients',
      maybeDelivered: false,
    });
    smtp.respondOnce('greeting', '421 4.3.2 shutting down');
    expect(await send(aStopMessage(), signal)).toMatchObject({ kind: 'retryable' });
    expect(await send(aStopMessage(), signal)).toEqual({
      kind: 'delivered',
      detail: '250 2.0.0 queued as 42; taken for 2 of 3 recipients',
    });
    expect(smtp.mails.map(({ to }) => to)).toEqual([['c@example.com'], ['a@example.com']]);
    const [to, again] = smtp.mails.map(({ headers }) => headers.get('to'));
    expect(again).toBe(to);
  });

  it('tries again for those only, also after a restart', async () => {
    smtp.respondOnce('RCPT', '450 4.2.0 greylisted');
    const context = { deliveryId: 'd_1', receipts: async () => [] };
    const outcome = await make()(aStopMessage(), signal, context);
    const { receipt = '' } = outcome.kind === 'refused' ? {} : outcome;
    const stored = ['', '{"key":"d_2","taken":1,"to":["x@example.com"]}', receipt];
    const receipts = async () => stored.map((one) => ({ kind: 'watch.stopped', receipt: one }));
    const again = await make()(aStopMessage(), signal, { deliveryId: 'd_1', receipts });
    expect(again).toEqual({ kind: 'delivered', detail: '250 2.0.0 queued as 42' });
    expect(smtp.mails.map(({ to }) => to)).toEqual([['ops@example.com'], ['oncall@example.com']]);
  });

  it('has delivered it when the server refuses the rest for good', async () => {
    const send = make();
    smtp.respondOnce('RCPT', '450 4.2.0 greylisted');
    await send(aStopMessage(), signal);
    smtp.respondOnce('RCPT', '550 5.1.1 no such user');
    expect(await send(aStopMessage(), signal)).toEqual({
      kind: 'delivered',
      detail: '550 5.1.1 no such user; taken for 1 of 2 recipients',
    });
  });

  it('has not tried the channel when the server refuses one of the recipients', async () => {
    smtp.respondOnce('RCPT', '550 5.1.1 no such user');
    const trial = trialMessage({ isCritical: false, channels: 1, atMs: 0 });
    expect(await make()(trial, signal)).toMatchObject({
      kind: 'refused',
      detail: '550 5.1.1 no such user; taken for 1 of 2 recipients',
    });
  });

  it.each([
    ['550 5.1.1 no such user', { kind: 'refused', reason: 'client_error' }],
    ['450 4.2.0 mailbox busy', { kind: 'retryable', reason: 'server_error' }],
  ])(
    'takes a server that wants none of the recipients (%s) for what it says',
    async (answer, how) => {
      smtp.respondOnce('RCPT', answer);
      expect(await make({ to: ['a@example.com'] })(aStopMessage(), signal)).toMatchObject(how);
    },
  );

  it.each(['DATA', 'message'])(
    'does not know what became of a mail when nothing answers its %s',
    async (command) => {
      smtp.respondOnce(command, null);
      expect(await make({ timeoutMs: 150 })(aStopMessage(), signal)).toEqual({
        kind: 'retryable',
        reason: 'timeout',
        detail: 'no answer within 150 ms; it may have arrived',
        retryAfterMs: null,
        maybeDelivered: true,
      });
    },
  );

  it.each(['greeting', 'EHLO', 'MAIL', 'RCPT'])(
    'knows that nothing has arrived when nothing answers its %s',
    async (command) => {
      smtp.respondOnce(command, null);
      expect(await make({ timeoutMs: 150 })(aStopMessage(), signal)).toEqual({
        kind: 'retryable',
        reason: 'network',
        detail: 'no answer within 150 ms',
        retryAfterMs: null,
        maybeDelivered: false,
      });
    },
  );

  it.each(['greeting', 'EHLO', 'MAIL'])(
    'knows that nothing has arrived when the connection is cut at its %s',
    async (command) => {
      smtp.cutOnce(command);
      const outcome = await make()(aStopMessage(), signal);
      expect(outcome).toMatchObject({ kind: 'retryable', maybeDelivered: false });
    },
  );

  it('may have delivered a mail whose connection was cut after the data', async () => {
    smtp.cutAfterData();
    expect(await make()(aStopMessage(), signal)).toMatchObject({
      kind: 'retryable',
      reason: 'network',
      maybeDelivered: true,
    });
  });

  it.each([
    ['MAIL', { reason: 'network', maybeDelivered: false }],
    ['DATA', { reason: 'interrupted', maybeDelivered: true }],
  ])('ends at once when it is interrupted after %s', async (command, expected) => {
    smtp.respondOnce(command, null);
    const stop = new AbortController();
    const outcome = make()(aStopMessage(), stop.signal);
    await expect.poll(() => smtp.commands.includes(command)).toBe(true);
    stop.abort();
    expect(await outcome).toMatchObject(expected);
  });

  it.each([
    ['SSH-2.0-OpenSSH_9.6', 'bad_response'],
    ['garbage', 'bad_response'],
  ])('does not mistake %j for a mail server', async (greeting, reason) => {
    smtp.respondOnce('greeting', greeting);
    expect(await make()(aStopMessage(), signal)).toMatchObject({ kind: 'retryable', reason });
  });

  it('tries again when nobody listens, or the name is not known', async () => {
    expect(await make({ port: 1 })(aStopMessage(), signal)).toMatchObject({
      kind: 'retryable',
      reason: 'network',
      detail: 'ECONNREFUSED',
      maybeDelivered: false,
    });
    expect(await make({ host: 'mail.invalid' })(aStopMessage(), signal)).toMatchObject({
      kind: 'retryable',
      reason: 'network',
      maybeDelivered: false,
    });
  });

  it.each(['x', '&', '🚀', 'a\n'])('stays readable when full of %j', async (text) => {
    expect(await make()(fullOf(text), signal)).toMatchObject({ kind: 'delivered' });
    expect(smtp.mails[0]?.raw.length).toBeLessThan(400_000);
  });

  it('lets no text become a header, a recipient or a command, whatever the message holds', async () => {
    const send = make();
    await fc.assert(
      fc.asyncProperty(monsters, async (message) => {
        smtp.reset();
        expect(await send(message, signal)).toMatchObject({ kind: 'delivered' });
        expect(smtp.mails).toHaveLength(1);
        const [mail] = smtp.mails;
        expect(mail?.to).toEqual(['oncall@example.com', 'ops@example.com']);
        expect([...(mail?.headers.keys() ?? [])].filter((name) => !KNOWN.has(name))).toEqual([]);
        expect(mail?.headers.get('message-id')).toMatch(/^<[A-Za-z0-9_-]+@example\.com>$/);
      }),
      { numRuns: 100 },
    );
  });
});

const KNOWN = new Set([
  ...['from', 'to', 'subject', 'message-id', 'in-reply-to', 'references', 'date', 'mime-version'],
  ...['content-type', 'auto-submitted', 'x-auto-response-suppress'],
  ...['x-priority', 'x-msmail-priority', 'importance'],
]);

describe.skipIf(!hasOpenssl)('the mail channel with TLS (needs the `openssl` binary)', () => {
  const password = 'smtp-secret-password';
  const login = { username: 'canaryd', password };
  let secure: FakeSmtp;
  let implicit: FakeSmtp;
  let ca = '';
  beforeAll(async () => {
    const tls = loopbackCertificate();
    ca = tls.cert;
    secure = await startFakeSmtp({ tls, login });
    implicit = await startFakeSmtp({ tls, isImplicit: true });
  });
  beforeEach(() => {
    secure.reset();
    implicit.reset();
  });
  afterAll(() => Promise.all([secure.close(), implicit.close()]));

  const encrypted = (over: Parameters<typeof make>[0] = {}) =>
    make({ port: secure.port, security: 'required', login, ca, ...over });

  it('turns to TLS before it logs in', async () => {
    expect(await encrypted()(aStopMessage(), signal)).toMatchObject({ kind: 'delivered' });
    expect(secure.mails[0]).toMatchObject({ isEncrypted: true, user: 'canaryd' });
    expect(secure.commands.indexOf('STARTTLS')).toBeLessThan(secure.commands.indexOf('AUTH'));
  });

  it('begins with TLS where the server does', async () => {
    const send = make({ port: implicit.port, security: 'implicit', ca });
    expect(await send(aStopMessage(), signal)).toMatchObject({ kind: 'delivered' });
    expect(implicit.mails[0]).toMatchObject({ isEncrypted: true });
  });

  it.each([
    ['if_offered', true],
    ['never', false],
  ] as const)('turns to TLS %s: %s', async (security, isEncrypted) => {
    const send = make({ port: secure.port, security, ca });
    expect(await send(aStopMessage(), signal)).toMatchObject({ kind: 'delivered' });
    expect(secure.mails[0]).toMatchObject({ isEncrypted });
  });

  it('does not go on in the open when TLS is required and not offered', async () => {
    const outcome = await make({ security: 'required' })(aStopMessage(), signal);
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'tls' });
    expect(smtp.mails).toEqual([]);
  });

  it('knows that nothing has arrived when the connection is cut in STARTTLS', async () => {
    secure.cutOnce('STARTTLS');
    expect(await encrypted()(aStopMessage(), signal)).toMatchObject({
      kind: 'retryable',
      maybeDelivered: false,
    });
  });

  it('gives the password to no server that it does not know', async () => {
    const outcome = await encrypted({ ca: null })(aStopMessage(), signal);
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'tls' });
    expect(secure.commands).not.toContain('AUTH');
    const trusting = encrypted({ ca: null, insecureSkipVerify: true });
    expect(await trusting(aStopMessage(), signal)).toMatchObject({ kind: 'delivered' });
  });

  it('says that the login is wrong, without the password in any form', async () => {
    const wrong = { username: 'canaryd', password: 'wrong-secret-password' };
    const outcome = await encrypted({ login: wrong })(aStopMessage(), signal);
    expect(outcome).toEqual({
      kind: 'refused',
      reason: 'misconfigured',
      detail: '535 5.7.8 bad credentials [redacted]; check username and password',
    });
  });

  it('tries again when the server cannot check the login now', async () => {
    secure.respondOnce('AUTH', '454 4.7.0 temporary failure');
    expect(await encrypted()(aStopMessage(), signal)).toMatchObject({
      kind: 'retryable',
      reason: 'server_error',
    });
  });
});
