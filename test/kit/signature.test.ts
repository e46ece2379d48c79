import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { sign, signingKeys } from '../../src/kit/signature.ts';

const message = { id: 'w_1-rollback', timestampSeconds: 1_763_769_600, body: '{"a":"ü"}' };

describe('sign', () => {
  it('agrees with standardwebhooks for any key, id and body', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 64 }),
        fc.string(),
        fc.string({ unit: 'grapheme' }),
        fc.nat(),
        (key, id, body, timestampSeconds) => {
          const secret = `whsec_${Buffer.from(key).toString('base64')}`;
          const theirs = new Webhook(secret).sign(id, new Date(timestampSeconds * 1_000), body);
          expect(sign(signingKeys(secret) ?? [], { id, timestampSeconds, body })).toBe(theirs);
        },
      ),
    );
  });

  it('takes any other text as its UTF-8 bytes', () => {
    const theirs = new Webhook(new TextEncoder().encode('paßwort'), { format: 'raw' });
    expect(sign(signingKeys('paßwort') ?? [], message)).toBe(
      theirs.sign(message.id, new Date(message.timestampSeconds * 1_000), message.body),
    );
  });

  it('signs with every key while one replaces another', () => {
    const [old, young] = ['whsec_b2xkIG9sZCBvbGQ=', 'whsec_bmV3IG5ldyBuZXc='];
    const both = sign(signingKeys(`${old} ${young}`) ?? [], message);
    expect(both.split(' ')).toEqual([
      sign(signingKeys(old) ?? [], message),
      sign(signingKeys(young) ?? [], message),
    ]);
  });
});

describe('signingKeys', () => {
  it.each([
    ['nothing', ''],
    ['blanks', '  '],
    ['an empty key', 'whsec_'],
    ['a key that is not base64', 'whsec_not-base64!'],
    ['one good and one bad key', 'whsec_bmV3IG5ldyBuZXc= whsec_%'],
  ])('cannot sign with %s', (_, secret) => {
    expect(signingKeys(secret)).toBeNull();
  });

  it('accepts a key without padding', () => {
    expect(signingKeys('whsec_b2xkIG9sZA')).toEqual([Buffer.from('old old')]);
  });
});
