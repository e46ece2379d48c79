import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { carriedOut, made, problemsOf } from '../../support/gate-check.ts';

async function listening(): Promise<string> {
  const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('the check tcp', () => {
  it('passes when every connection is accepted', async () => {
    const [one, two] = [await listening(), await listening()];
    const result = await carriedOut({ tcp: { addresses: [one, two] } });
    expect(result).toMatchObject({ outcome: 'pass', text: '2 of 2 as wanted' });
    expect(result.details[0]).toMatch(/^127\.0\.0\.1:\d+ in \d+ ms$/);
  });

  it('fails when one is refused, and says which', async () => {
    const result = await carriedOut({ tcp: { addresses: [await listening(), '127.0.0.1:1'] } });
    expect(result).toMatchObject({ outcome: 'fail', text: '127.0.0.1:1: connection refused' });
  });

  it('is unknown when the name is not found', async () => {
    const result = await carriedOut({ tcp: { addresses: ['no-such-host.invalid:6379'] } });
    expect(result.outcome).toBe('unknown');
    expect(result.text).toMatch(/^no-such-host\.invalid:6379: (host name not found|EAI_AGAIN)$/);
  });

  it('is unknown when it is cut off', async () => {
    const check = { tcp: { addresses: [await listening()] } };
    const result = await carriedOut(check, { signal: AbortSignal.abort() });
    expect(result).toMatchObject({ outcome: 'unknown' });
    expect(result.text).toContain('the check was cut off');
  });

  it('says in a sentence what is wanted', () => {
    expect(made({ tcp: { addresses: ['redis:6379', '[::1]:5432'] } }).wants).toBe(
      'connections to redis:6379, [::1]:5432',
    );
  });

  it.each([
    [{}, 'tcp.addresses: found nothing'],
    [{ addresses: ['redis'] }, 'tcp.addresses[0]: found "redis"; wanted an address as host:port'],
    [{ addresses: ['redis:0'] }, 'wanted an address as host:port'],
    [{ addresses: ['redis:65536'] }, 'wanted an address as host:port'],
  ])('refuses %o', (tcp, problem) => {
    expect(problemsOf({ tcp }).join('\n')).toContain(problem);
  });
});
