import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasOpenssl, loopbackCertificate } from '../../support/certificate.ts';
import { carriedOut } from '../../support/gate-check.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '../../support/postgres.ts';

const NOBODY = 65_534;

describe.skipIf(!hasPostgres() || !hasOpenssl)('the check postgres, over TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-postgres-tls-'));
  const paths = { cert: join(folder, 'server.crt'), key: join(folder, 'server.key') };
  const other = join(folder, 'other.crt');
  let server: PostgresServer;

  beforeAll(async () => {
    const own = loopbackCertificate();
    writeFileSync(paths.cert, own.cert);
    writeFileSync(paths.key, own.key);
    writeFileSync(other, loopbackCertificate().cert);
    // The server refuses a key that others may read; it does not run as root.
    chmodSync(paths.key, 0o600);
    chmodSync(folder, 0o755);
    for (const path of process.getuid?.() === 0 ? [paths.key, paths.cert] : []) {
      chownSync(path, NOBODY, NOBODY);
    }
    server = await startPostgres({ ssl: 'on', ssl_cert_file: paths.cert, ssl_key_file: paths.key });
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  const check = (mode: string, more: object = {}) => {
    const url = server.url.replace('sslmode=disable', mode);
    return carriedOut({ postgres: { url: '$DB_URL', ...more } }, { env: { DB_URL: url } });
  };
  const query = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';

  it('is encrypted, and verified when that is asked for', async () => {
    const encrypted = { query, value: { equals: 1 } };
    expect(await check('sslmode=require', encrypted)).toMatchObject({ outcome: 'pass' });
    const verified = `sslmode=verify-full&sslrootcert=${encodeURIComponent(paths.cert)}`;
    expect(await check(verified, encrypted)).toMatchObject({ outcome: 'pass' });
    expect(await check('sslmode=disable', encrypted)).toMatchObject({ outcome: 'fail' });
  });

  it('is unknown for another certificate, or an authority that cannot be read', async () => {
    const foreign = `sslmode=verify-full&sslrootcert=${encodeURIComponent(other)}`;
    const result = await check(foreign);
    expect(result.outcome).toBe('unknown');
    expect(result.text).toMatch(/certificate/);
    const missing = await check('sslmode=verify-full&sslrootcert=/nonexistent');
    expect(missing).toMatchObject({ outcome: 'unknown' });
  });

  it('is cut off all the same: too long, or too large', async () => {
    const long = { query: 'SELECT pg_sleep(60)', none: true, timeout: '400ms' };
    expect((await check('sslmode=require', long)).text).toMatch(/400 ms|statement timeout/);
    const large = "SELECT repeat('x', 1000000) FROM generate_series(1, 200)";
    const result = await check('sslmode=require', { query: large, none: true });
    expect(result.text).toContain('an answer larger than 32000000 bytes');
  });
});
