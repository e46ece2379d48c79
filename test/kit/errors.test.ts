import { describe, expect, it } from 'vitest';
import { CanarydError, messageOf } from '../../src/kit/errors.ts';

describe('CanarydError', () => {
  it('carries its code, and no problems or cause unless there are some', () => {
    const error = new CanarydError('usage', 'Cannot listen');
    expect(error).toMatchObject({ name: 'CanarydError', code: 'usage', problems: [] });
    expect(Object.hasOwn(error, 'cause')).toBe(false);
  });

  it('keeps all problems and the cause', () => {
    const cause = new Error('EACCES');
    const problems = [{ path: 'listen.port', message: 'found 0' }];
    expect(new CanarydError('config_invalid', 'no', { problems, cause })).toMatchObject({
      problems,
      cause,
    });
  });
});

describe('messageOf', () => {
  it.each([
    ['an error', new TypeError('x is not a function'), 'x is not a function'],
    ['a text', 'aborted', 'aborted'],
    ['an object, which may hold secrets', { token: 'hunter2' }, 'unknown error'],
    ['nothing', undefined, 'unknown error'],
  ])('says what was thrown: %s', (_, thrown, message) => {
    expect(messageOf(thrown)).toBe(message);
  });

  it.each([
    [300, 300],
    [301, 300],
    [100_000, 300],
  ])('cuts %d characters to %d', (length, expected) => {
    const message = messageOf(new Error('x'.repeat(length)));
    expect(message).toHaveLength(expected);
    expect(message.endsWith('...')).toBe(length > 300);
  });
});
