// The page's files as the daemon serves them.
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { tokenMatcher } from '../../src/http/auth.ts';
import { pageAssets } from '../../src/http/page/assets.ts';
import { api } from '../support/http-server.ts';

const TOKENS = [{ name: 'a', scopes: ['read'] as const, matches: tokenMatcher('secret-1') }];
const { version, files } = pageAssets();

describe('the page', () => {
  it.each([...['/', '/watches/w_1', '/gates', '/gates/', '/gates/g_1', '/gates/g_1/']])(
    'is at %s for everybody, since it holds no data',
    async (url) => {
      const { app, control } = api({ tokens: TOKENS });
      const answer = await app.inject(url);
      expect(answer.statusCode).toBe(200);
      expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
      expect(answer.headers['cache-control']).toBe('no-cache');
      expect(control.commands).toEqual([]);
    },
  );

  it('is there too when an address was shortened or ends in a slash', async () => {
    const { app } = api();
    expect((await app.inject('/watches/w_1/')).statusCode).toBe(200);
    for (const url of ['/watches', '/watches/']) {
      const { statusCode, headers } = await app.inject(url);
      expect([statusCode, headers.location]).toEqual([302, '/']);
    }
  });

  it('lets nothing in from elsewhere', async () => {
    const { headers } = await api().app.inject('/');
    const policy = String(headers['content-security-policy']);
    for (const rule of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "connect-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'none'",
      "require-trusted-types-for 'script'",
    ]) {
      expect(policy).toContain(rule);
    }
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    });
  });

  it('holds no script, no style and no address of others in itself', async () => {
    const { payload } = await api().app.inject('/');
    expect(payload).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=|style=|https?:\/\//);
  });

  it('opens from a link in a chat, also without tokens; its data does not', async () => {
    const { app } = api();
    const host = '127.0.0.1:7766';
    const link = { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    expect((await app.inject({ url: '/watches/w_1', headers: link })).statusCode).toBe(200);
    expect((await app.inject({ url: '/v1/watches', headers: link })).statusCode).toBe(403);
    const script = { ...link, 'sec-fetch-mode': 'no-cors' };
    expect((await app.inject({ url: '/', headers: script })).statusCode).toBe(403);
    const rebound = { ...link, host: 'evil.example' };
    expect((await app.inject({ url: '/', headers: rebound })).statusCode).toBe(403);
  });

  it.each(['POST', 'DELETE'] as const)('does not take %s', async (method) => {
    const answer = await api().app.inject({ method, url: '/' });
    expect([answer.statusCode, answer.headers['allow']]).toEqual([405, 'GET, HEAD']);
  });
});

describe('a file of the page', () => {
  const get = (url: string, encoding = 'identity') =>
    api({ tokens: TOKENS }).app.inject({ url, headers: { 'accept-encoding': encoding } });

  it.each([...files.keys()])('%s is there, to be kept for ever', async (name) => {
    const answer = await get(`/page/${version}/${name}`);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(answer.headers['content-type']).toMatch(
      /^(?:text\/javascript|text\/css|image\/svg\+xml)/,
    );
  });

  it('is small on the way', async () => {
    const answer = await get(`/page/${version}/uplot.js`, 'gzip, br');
    expect(answer.headers['content-encoding']).toBe('gzip');
    expect(answer.rawPayload.length).toBeLessThan(60_000);
    expect(gunzipSync(answer.rawPayload)).toEqual(files.get('uplot.js')?.body);
  });

  it('of another version is what there is, but not for ever', async () => {
    const answer = await get('/page/0123456789ab/main.js');
    expect([answer.statusCode, answer.headers['cache-control']]).toEqual([200, 'no-store']);
  });

  it.each([
    'page.html',
    'types.d.ts',
    'tsconfig.json',
    '..%2Froutes.ts',
    '%2e%2e%2f%2e%2e%2fserver.ts',
    'nothing.js',
  ])('that is none of it is not there: %s', async (name) => {
    expect((await get(`/page/${version}/${name}`)).statusCode).toBe(404);
  });
});
