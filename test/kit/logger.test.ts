import { AxiosError } from 'axios';
import { describe, expect, it } from 'vitest';
import { CanarydError } from '../../src/kit/errors.ts';
import { createLogger } from '../../src/kit/logger.ts';

const SECRET = 'hunter2-hunter2';

function logged(level = 'info') {
  const lines: string[] = [];
  const logger = createLogger(level, { write: (line: string) => void lines.push(line) });
  return { logger, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown> };
}

describe('createLogger', () => {
  it('writes one line of JSON with the program, the time as people read it, and the fields', () => {
    const { logger, last } = logged();
    logger.info({ watchId: 'w_1' }, 'ready');
    expect(last()).toMatchObject({ app: 'canaryd', level: 30, watchId: 'w_1', msg: 'ready' });
    expect(last()['time']).toMatch(/^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/);
  });

  it('keeps to its level', () => {
    const { logger, lines } = logged('warn');
    logger.info('quiet');
    logger.warn('loud');
    expect(lines).toHaveLength(1);
  });

  it.each(['authorization', 'password', 'secret', 'token', 'url', 'webhook'])(
    'never writes a field named %s, down to the second level',
    (field) => {
      const { logger, lines } = logged();
      const fields = { [field]: SECRET };
      logger.info(fields);
      logger.info({ request: fields });
      logger.info({ config: { slack: fields } });
      logger.child({ component: 'x' }).error({ headers: fields }, 'failed');
      expect(lines).toHaveLength(4);
      expect(lines.join('')).not.toContain(SECRET);
      expect(lines.join('')).toContain('[redacted]');
    },
  );

  it('writes class, message, code and stack of an error, and nothing that hangs on it', () => {
    const { logger, lines, last } = logged();
    const error = new AxiosError('connect failed', 'ECONNREFUSED', {
      url: `http://aurora/?token=${SECRET}`,
      headers: { authorization: SECRET },
    } as never);
    logger.error({ err: error }, 'failed');
    expect(last()['err']).toMatchObject({
      type: 'AxiosError',
      message: 'connect failed',
      code: 'ECONNREFUSED',
    });
    expect(Object.keys(last()['err'] as object).sort()).toEqual([
      'code',
      'message',
      'stack',
      'type',
    ]);
    expect(lines.join('')).not.toContain(SECRET);
  });

  it('writes the code of an error that an operator can act on', () => {
    const { logger, last } = logged();
    logger.error({ err: new CanarydError('journal_failed', 'the disk is full') });
    expect(last()['err']).toMatchObject({ type: 'CanarydError', code: 'journal_failed' });
  });

  it.each([
    ['a text', 'the disk is full', 'the disk is full'],
    ['an object, which may hold secrets', { token: SECRET }, 'unknown error'],
    ['null', null, 'unknown error'],
    ['undefined', undefined, 'failed'],
  ])('survives that what was thrown is %s', (_, thrown, message) => {
    const { logger, lines } = logged();
    logger.error({ err: thrown }, 'failed');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(JSON.stringify(message));
    expect(lines[0]).not.toContain(SECRET);
  });
});
