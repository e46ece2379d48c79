// No value of a secret that a gate has used is in what its checks give.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CheckResult, Exhibit } from '../../src/gate/check.ts';
import { hideSecrets } from '../../src/gate/hidden.ts';
import { exhibit, pass } from '../../src/gate/result.ts';

const SECRET = 'p"ä$$wörd/+42 of the gate';
const bytesOf = ({ body }: Exhibit) => Buffer.from(body as string);
const bodyOf = (result: CheckResult) => result.exhibits.map((one) => bytesOf(one).toString());
const kept = (body: string, secrets = [SECRET]) =>
  bodyOf(hideSecrets(secrets, pass('ok', { exhibits: [exhibit('a.txt', body)] })));

describe('what a check gives', () => {
  it('has no secret in its text, details, exhibits and tools', () => {
    const said = `login ${SECRET} refused`;
    const found = pass(said, {
      details: [said],
      exhibits: [exhibit('a.txt', said)],
      tools: { psql: said },
    });
    const hidden = 'login [redacted] refused';
    const { text, details, tools, ...rest } = hideSecrets([SECRET], found);
    expect([text, details, tools]).toEqual([hidden, [hidden], { psql: hidden }]);
    expect(rest).toMatchObject({ outcome: 'pass' });
    expect(bodyOf(hideSecrets([SECRET], found))).toEqual([hidden]);
  });

  it.each([
    ['as a URL holds it', encodeURIComponent(SECRET)],
    ['as JSON holds it', JSON.stringify(SECRET).slice(1, -1)],
    ['in base64', Buffer.from(SECRET).toString('base64').replace(/=+$/, '')],
    ['in base64 of a URL', Buffer.from(SECRET).toString('base64url')],
  ])('has it not %s', (_, form) => {
    expect(kept(`before ${form} after`)[0]).not.toContain(form.slice(0, -1));
    expect(kept(`before ${form} after`)[0]).toMatch(/^before \[redacted\].{0,3} after$/);
  });

  it.each(['', 'a', 'ab', 'abc', 'user:'])('has it not in a login with "%s" before it', (user) => {
    const login = Buffer.from(`${user}${SECRET}:more`).toString('base64');
    const [body = ''] = kept(`Basic ${login}`);
    const decoded = Buffer.from(body.replace(/^Basic |\[redacted\]/g, ''), 'base64').toString();
    expect(body).toContain('[redacted]');
    expect(decoded).not.toContain(SECRET.slice(2, -2));
  });

  it('has of a bearer header not the token alone', () => {
    expect(kept('token t0ken-abcdefgh!', ['Bearer t0ken-abcdefgh'])).toEqual(['token [redacted]!']);
  });

  it('has no half of it where it was cut', () => {
    const cut = { name: 'out.txt', body: `end ${SECRET.slice(0, 9)}`, isCut: true };
    const began = { name: 'out.txt', body: `${SECRET.slice(5)} begin`, isCut: true };
    const result = hideSecrets([SECRET], pass('ok', { exhibits: [cut, began] }));
    expect(bodyOf(result)).toEqual(['end [redacted]', '[redacted] begin']);
    const text = `x${'y'.repeat(490)} ${SECRET}`;
    expect(hideSecrets([SECRET], pass(text)).text).toMatch(/y \[redacted\]…$/);
  });

  it('leaves bytes that are no text as they are', () => {
    const body = Buffer.concat([Buffer.from([0xff, 0x00, 0xfe]), Buffer.from(SECRET)]);
    const result = hideSecrets([SECRET], pass('ok', { exhibits: [exhibit('a.bin', body)] }));
    const [kind] = result.exhibits.map(bytesOf);
    expect(kind).toEqual(
      Buffer.concat([Buffer.from([0xff, 0x00, 0xfe]), Buffer.from('[redacted]')]),
    );
  });

  it('is what it was without secrets, and with one that is in every text', () => {
    const found = pass('an ok', { exhibits: [exhibit('a.txt', 'an ok')] });
    expect(hideSecrets([], found)).toBe(found);
    expect(hideSecrets(['an'], found)).toEqual(found);
  });

  it('never holds a secret, whatever stands around it', () => {
    const secret = fc.string({ minLength: 6, maxLength: 40, unit: 'grapheme-ascii' });
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (value, before, after) => {
        fc.pre(value.trim() === value && !'[redacted]'.includes(value));
        const [body = ''] = kept(`${before}${value}${after}`, [value]);
        // What is around it may be a part of the secret itself.
        const around = `${before}[redacted]${after}`;
        return !body.includes(value) || around.includes(value);
      }),
    );
  });
});
