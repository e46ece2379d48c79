// The journal's part of canaryd.yaml: one of two stores, and no password in the file.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { CanarydError } from '../../src/kit/errors.ts';
import { changed } from './sample-policy.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'canaryd-config-'));
  mkdirSync(join(dir, 'policies'));
  writeFileSync(join(dir, 'policies', 'shop.yaml'), stringify(changed()));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function load(journal: unknown, env: Record<string, string> = {}) {
  const config = {
    journal,
    policies: ['policies/*.yaml'],
    sources: { prometheus: { prometheus: { url: 'http://127.0.0.1:9090' } } },
  };
  writeFileSync(join(dir, 'canaryd.yaml'), stringify(config));
  return loadConfig(join(dir, 'canaryd.yaml'), { env }).config.journal;
}

function refused(journal: unknown, env: Record<string, string> = {}): string {
  try {
    load(journal, env);
  } catch (error) {
    if (!(error instanceof CanarydError)) throw error;
    expect(inspect(error, { depth: 9 })).not.toContain('hunter2');
    return error.problems.map(({ path, message }) => `${path}: ${message}`).join('\n');
  }
  throw new Error('it was accepted');
}

const URL_TEXT = 'postgres://canaryd@db.internal/canaryd?sslmode=verify-full';

describe('the journal in canaryd.yaml', () => {
  test('is a PostgreSQL database with its password as a secret, in a schema of its own', () => {
    const journal = load({ postgres: { url: URL_TEXT, password: '$PW' } }, { PW: 'hunter2' });
    expect(journal).toMatchObject({ postgres: { url: URL_TEXT, schema: 'canaryd' } });
    expect(inspect(journal, { depth: 9 }) + JSON.stringify(journal)).not.toContain('hunter2');
  });

  test('takes the whole URL from a secret', () => {
    const url = 'postgres://canaryd:hunter2@127.0.0.1/canaryd';
    const journal = load({ postgres: { url: '$DATABASE_URL' } }, { DATABASE_URL: url });
    expect(inspect(journal, { depth: 9 }) + JSON.stringify(journal)).not.toContain('hunter2');
    expect('postgres' in journal && String(journal.postgres.url)).toBe('[redacted]');
  });

  test.each([
    [{}, 'found none of them; wanted exactly one of sqlite, postgres; add one'],
    [
      { sqlite: { path: 'a.db' }, postgres: { url: URL_TEXT } },
      'found sqlite and postgres; wanted exactly one of sqlite, postgres; keep one',
    ],
    [
      { postgres: { url: 'postgres://canaryd:hunter2@127.0.0.1/canaryd' } },
      'journal.postgres.url: found a URL with a password, which is not shown here',
    ],
    [{ postgres: { url: 'mysql://canaryd:hunter2@x/y' } }, 'found no URL of a PostgreSQL database'],
    [
      { postgres: { url: 'postgres://canaryd@db.internal/canaryd' } },
      'found a URL without sslmode, and a host that is another machine; wanted sslmode=disable',
    ],
    [{ postgres: { url: 'postgres://canaryd@127.0.0.1/' } }, 'found a URL without a database'],
    [{ postgres: { url: 'postgres://127.0.0.1/canaryd' } }, 'found a URL without a user'],
    [{ postgres: { url: `${URL_TEXT}&sslmode2=x` } }, 'found a URL with another parameter'],
    [{ postgres: { url: URL_TEXT.replace('verify-full', 'prefer') } }, 'another sslmode'],
    [{ postgres: { url: `${URL_TEXT}&sslcert=a` } }, 'only one of sslcert and sslkey'],
    [
      { postgres: { url: URL_TEXT, password: 'hunter2' } },
      'journal.postgres.password: found a val',
    ],
    [{ postgres: { url: URL_TEXT, password: '$PW' } }, 'found no value for the secret PW'],
    [{ postgres: { url: URL_TEXT, schema: 'Big "x"' } }, 'wanted the name of a schema'],
  ])('is refused: %o', (journal, message) => {
    expect(refused(journal)).toContain(message);
  });

  test('is refused when the secret holds no URL that can be used, without showing it', () => {
    const env = { DATABASE_URL: 'postgres://canaryd:hunter2@db.internal/canaryd' };
    const message = refused({ postgres: { url: '$DATABASE_URL' } }, env);
    expect(message).toContain('journal.postgres.url: found an unfit value for DATABASE_URL');
    expect(message).toContain('wanted sslmode=disable or require or verify-full');
  });
});
