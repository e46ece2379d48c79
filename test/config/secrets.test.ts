import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSecrets, healthWithSecrets, missingSecrets } from '../../src/config/secrets.ts';
import { readPolicy } from '../../src/config/to-policy.ts';
import type { HttpIndicator } from '../../src/core/policy.ts';
import { createLogger } from '../../src/kit/logger.ts';
import { changed } from './sample-policy.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'canaryd-secrets-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

describe('a secret', () => {
  test('comes from the environment before files', () => {
    writeFileSync(join(dir, 'KEY'), 'from folder');
    const secrets = createSecrets({ env: { KEY: 'from env', KEY_FILE: join(dir, 'KEY') }, dir });
    expect(secrets.resolve({ secret: 'KEY' })).toBe('from env');
  });

  test('comes from the file that NAME_FILE names, trimmed, read on each use', () => {
    const file = join(dir, 'rotated');
    writeFileSync(file, '  first\n');
    const secrets = createSecrets({ env: { KEY_FILE: file }, dir });
    const secret = secrets.secret('KEY');
    expect(secret.reveal()).toBe('first');
    writeFileSync(file, 'second\n');
    expect(secret.reveal()).toBe('second');
    expect(secrets.resolve({ secret: 'KEY' })).toBe('second');
  });

  test('comes from the secrets folder last', () => {
    writeFileSync(join(dir, 'KEY'), 'from folder\n');
    expect(createSecrets({ env: {}, dir }).resolve({ secret: 'KEY' })).toBe('from folder');
  });

  test.each([[{}], [{ KEY: '' }], [{ KEY_FILE: '/nowhere/at/all' }], [{ KEY_FILE: tmpdir() }]])(
    'is missing with %j',
    (env) => {
      const secrets = createSecrets({ env, dir });
      expect(secrets.resolve({ secret: 'KEY' })).toBeNull();
      expect(() => secrets.secret('KEY').reveal()).toThrow(
        'found no value for the secret KEY; wanted one; set the environment variable KEY',
      );
    },
  );

  test('is never looked for outside of its folder', () => {
    writeFileSync(join(dir, 'KEY'), 'x');
    const secrets = createSecrets({ env: {}, dir: join(dir, 'sub') });
    expect(secrets.resolve({ secret: '../KEY' })).toBeNull();
  });

  test('prints as [redacted] in every way', () => {
    const secret = createSecrets({ env: { KEY: 'hunter2' }, dir }).secret('KEY');
    const lines: string[] = [];
    const logger = createLogger('info', { write: (line) => void lines.push(line) });
    logger.info({ secret, nested: { list: [secret] } }, 'a log line');
    const printed = [
      `${secret}`,
      JSON.stringify({ secret }),
      inspect({ deep: [secret] }),
      inspect(secret, { showHidden: true }),
      String(Object.entries(secret)),
      ...lines,
    ].join('\n');
    expect(printed).toContain('[redacted]');
    expect(printed).not.toContain('hunter2');
  });
});

describe('the secrets of a policy', () => {
  const result = readPolicy(
    changed(['indicators.health.http.headers', { authorization: '$SECRET_C', accept: 'x' }]),
    'x',
  );
  const policy = (result as Extract<typeof result, { kind: 'policy' }>).policy;

  test('that have no value are listed by name, of actions and of health checks', () => {
    const secrets = createSecrets({ env: { SECRET_B: 'x' }, dir });
    expect(missingSecrets(policy, secrets)).toEqual(['SECRET_A', 'SECRET_C']);
  });

  test('are filled into the headers of a health check only when it is read', async () => {
    const seen: HttpIndicator[] = [];
    const read = healthWithSecrets(
      async (indicator) => {
        seen.push(indicator);
        return { kind: 'value', value: 1 };
      },
      createSecrets({ env: { SECRET_C: 'Bearer x' }, dir }),
    );
    await read(policy.indicators['health'] as HttpIndicator, new AbortController().signal);
    expect(seen[0]?.headers).toEqual({ authorization: 'Bearer x', accept: 'x' });
    expect(JSON.stringify(policy)).not.toContain('Bearer x');
  });
});
