import { describe, expect, it } from 'vitest';
import { cutEnd, cutStart, printable, redact } from '../../src/kit/redact.ts';

describe('redact', () => {
  it.each([
    ['each occurrence', 'a hunter2 b hunter2', ['hunter2'], 'a [redacted] b [redacted]'],
    ['the longer of two that overlap', 'key-12345', ['key', 'key-12345'], '[redacted]'],
    ['one with the meaning of a pattern', 'a.b a+b', ['a.b'], '[redacted] a+b'],
    ['one that a tool trimmed', 'got hunter2!', [' hunter2\n'], 'got [redacted]!'],
    ['one as a URL holds it', 'x?t=a%2Fb%3Dc', ['a/b=c'], 'x?t=[redacted]'],
    ['one with a special replacement', 'pa$$&word', ['pa$$&word'], '[redacted]'],
    ['a line of a key', 'near MIIEvQIBADAN', ['-----\nMIIEvQIBADAN\n-----'], 'near [redacted]'],
  ])('takes out %s', (_, text, secrets, expected) => {
    expect(redact(text, secrets)).toBe(expected);
  });

  it('leaves the text alone when a secret is empty, or there is none', () => {
    expect(redact('all of it', ['', ' ', '\n'])).toBe('all of it');
    expect(redact('all of it', [])).toBe('all of it');
  });
});

describe('printable', () => {
  it.each([
    ['colours of a terminal', '\u001b[31mred\u001b[0m', 'red'],
    ['titles of a terminal', '\u001b]0;a title\u0007text\u001b]8;;x\u001b\\!', 'text!'],
    ['control characters', 'a\u0000b\u0007c', 'abc'],
    ['what turns the direction of writing', 'a\u202eb', 'ab'],
    ['half a character', 'a\ud800b', 'ab'],
    ['line ends, as one blank', 'a\r\n\n b', 'a b'],
    ['blanks around it', '  a  ', 'a'],
  ])('takes out %s', (_, text, expected) => {
    expect(printable(text)).toBe(expected);
  });

  it('takes as long as the text is, also for commands to a terminal that never end', () => {
    expect(printable('\u001b]'.repeat(200_000))).toBe(']'.repeat(200_000));
  });

  it('keeps the lines when asked', () => {
    expect(printable('a \t b\r\nc\rd\u2028e', { keepLines: true })).toBe('a b\nc\nd e');
  });
});

describe('cutEnd and cutStart', () => {
  it('leave alone what fits', () => {
    expect([cutEnd('abcd', 4), cutStart('abcd', 4)]).toEqual(['abcd', 'abcd']);
  });

  it('mark what is cut off, and never cut a character in two', () => {
    expect([cutEnd('abcde', 4), cutStart('abcde', 4)]).toEqual(['abc…', '…cde']);
    expect([cutEnd('😀😀😀', 2), cutStart('😀😀😀', 2)]).toEqual(['😀…', '…😀']);
  });
});
