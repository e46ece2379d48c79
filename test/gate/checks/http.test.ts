import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as immediate } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { carriedOut, made, problemsOf } from '../../support/gate-check.ts';

async function serving(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const answering =
  (status: number, headers: Record<string, string> = {}, body = ''): RequestListener =>
  (_, response) =>
    void response.writeHead(status, headers).end(body);

/** One answer after the other; the last for good. */
const inTurn = (...listeners: readonly RequestListener[]): RequestListener => {
  let count = 0;
  return (request, response) => {
    listeners[Math.min(count, listeners.length - 1)]?.(request, response);
    count += 1;
  };
};

const silent: RequestListener = () => {};
const cut: RequestListener = (request) => request.socket.destroy();

describe('the check http, status and time', () => {
  it('passes on any 2xx, and says how long it took', async () => {
    const url = await serving(answering(204));
    const result = await carriedOut({ http: { url: `${url}/healthz` } });
    expect(result).toMatchObject({ outcome: 'pass', text: expect.stringMatching(/^HTTP 204 in/) });
  });

  it('fails on another status, and says which is wanted', async () => {
    const url = await serving(answering(503));
    const result = await carriedOut({ http: { url, status: [200, 204] } });
    expect(result.outcome).toBe('fail');
    expect(result.text).toContain('status 503, status 200 or 204 wanted');
  });

  it('does not follow a redirect', async () => {
    const url = await serving(answering(301, { location: '/login' }));
    const result = await carriedOut({ http: { url } });
    expect(result).toMatchObject({ outcome: 'fail' });
    expect(result.text).toContain('redirects are not followed');
  });

  it('fails when the answer takes longer than wanted', async () => {
    const url = await serving(async (_, response) => {
      const started = performance.now();
      while (performance.now() - started < 30) await immediate();
      response.end('{}');
    });
    const result = await carriedOut({ http: { url, within: '20ms' } });
    expect(result).toMatchObject({ outcome: 'fail' });
    expect(result.text).toMatch(/the answer took \d+ms, within 20ms wanted/);
  });

  it('sends method, headers and body with the values of the deploy', async () => {
    const seen: string[] = [];
    const url = await serving(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      seen.push(`${request.method} ${request.url} ${request.headers['content-type']} ${body}`);
      response.writeHead(204).end();
    });
    const result = await carriedOut({
      http: {
        url: `${url}/api/csp-report?version=\${version}`,
        method: 'POST',
        headers: { 'content-type': 'application/csp-report' },
        body: '{"csp-report":{"document-uri":"${version}"}}',
        status: 204,
      },
    });
    expect(result.outcome).toBe('pass');
    expect(seen).toEqual([
      'POST /api/csp-report?version=v2.1.0 application/csp-report ' +
        '{"csp-report":{"document-uri":"v2.1.0"}}',
    ]);
  });
});

describe('the check http, headers', () => {
  const wanted = {
    'Content-Security-Policy': { csp: 'nonce' },
    'Cross-Origin-Embedder-Policy': { equals: 'require-corp' },
    'Cross-Origin-Opener-Policy': { equals: 'same-origin' },
    'Strict-Transport-Security': { max_age: '180d' },
    'X-Powered-By': { present: false },
  };
  let count = 0;
  const good = () => ({
    'content-security-policy': `default-src 'self'; script-src 'nonce-${fresh()}' 'strict-dynamic'`,
    'cross-origin-embedder-policy': 'require-corp; report-to="coep"',
    'cross-origin-opener-policy': 'Same-Origin',
    'strict-transport-security': 'max-age=15552000; includeSubDomains',
  });
  const fresh = () => {
    count += 1;
    return Buffer.from(`nonce number ${count} `).toString('base64');
  };

  it('passes when all are as wanted', async () => {
    const url = await serving((_, response) => void response.writeHead(200, good()).end());
    const result = await carriedOut({ http: { url, response_headers: wanted } });
    expect(result).toMatchObject({ outcome: 'pass' });
  });

  it.each([
    [
      'content-security-policy',
      "script-src 'self' 'unsafe-inline'",
      'lets no scripts run by a nonce',
    ],
    ['content-security-policy', "script-src 'nonce-abc'", 'lets no scripts run by a nonce'],
    ['cross-origin-embedder-policy', 'unsafe-none', '"require-corp" wanted'],
    ['cross-origin-opener-policy', 'same-origin-allow-popups', '"same-origin" wanted'],
    ['strict-transport-security', 'max-age=15551999', 'at least 15552000 s (180d) wanted'],
    ['strict-transport-security', 'includeSubDomains', 'has no max-age'],
    ['x-powered-by', 'Express', 'its absence is wanted'],
  ])('fails for %s: %s', async (name, value, complaint) => {
    const url = await serving((_, response) => {
      response.writeHead(200, { ...good(), [name]: value }).end();
    });
    const result = await carriedOut({ http: { url, response_headers: wanted } });
    expect(result.outcome).toBe('fail');
    expect(result.text).toContain(complaint);
  });

  it('fails for a missing header', async () => {
    const url = await serving(answering(200));
    const result = await carriedOut({ http: { url, response_headers: wanted } });
    expect(result.outcome).toBe('fail');
    expect(result.details).toEqual([
      'Content-Security-Policy is missing',
      'Cross-Origin-Embedder-Policy is missing',
      'Cross-Origin-Opener-Policy is missing',
      'Strict-Transport-Security is missing',
    ]);
  });

  it('fails for a nonce that never changes', async () => {
    const same = { ...good() };
    const url = await serving((_, response) => void response.writeHead(200, same).end());
    const result = await carriedOut({ http: { url, response_headers: wanted } });
    expect(result.outcome).toBe('fail');
    expect(result.text).toContain('the same nonce in two answers');
  });

  it('looks for a part and for a pattern', async () => {
    const url = await serving(answering(200, { server: 'aurora/2.1.0' }));
    const check = (server: object) => carriedOut({ http: { url, response_headers: { server } } });
    expect(await check({ contains: 'aurora', matches: '^aurora/2\\.' })).toMatchObject({
      outcome: 'pass',
    });
    expect(await check({ contains: 'nginx' })).toMatchObject({ outcome: 'fail' });
    expect(await check({ matches: '^aurora/3\\.' })).toMatchObject({ outcome: 'fail' });
  });
});

describe('the check http, body', () => {
  const body = JSON.stringify({
    version: 'v2.1.0',
    features: { FEATURE_OUTBOX: { toggleable: true } },
    queue: { depth: 12 },
    tags: ['canary', 'testnet'],
    items: [{ name: 'a' }],
    'a/b': 1,
  });

  it.each([
    [{ version: { equals: '${version}' } }],
    [{ 'features.FEATURE_OUTBOX.toggleable': { equals: true } }],
    [{ 'queue.depth': { below: 20, at_least: 12 } }],
    [{ tags: { contains: 'canary' } }],
    [{ 'items.0.name': { equals: 'a' } }],
    [{ '/a~1b': { equals: 1 } }],
    [{ error: { present: false } }],
  ])('passes for %o', async (json) => {
    const url = await serving(answering(200, {}, body));
    expect(await carriedOut({ http: { url, json } })).toMatchObject({ outcome: 'pass' });
  });

  it.each([
    [{ version: { equals: 'v2.0.0' } }, 'version is "v2.1.0", "v2.0.0" wanted'],
    [{ 'features.FEATURE_BIST': { present: true } }, 'features.FEATURE_BIST is missing'],
    [{ 'queue.depth': { below: 10 } }, 'queue.depth is 12, below 10 wanted'],
    [{ version: { below: 10 } }, 'a number wanted'],
    [{ tags: { contains: 'prod' } }, 'with "prod" wanted'],
    [{ version: { present: false } }, 'its absence is wanted'],
    [{ 'constructor.name': { present: true } }, 'is missing'],
  ])('fails for %o', async (json, complaint) => {
    const url = await serving(answering(200, {}, body));
    const result = await carriedOut({ http: { url, json } });
    expect(result.outcome).toBe('fail');
    expect(result.text).toContain(complaint);
  });

  it('fails for a body that is no JSON, is without a text, or has one that is not wanted', async () => {
    const url = await serving(answering(200, {}, '<html>sign in</html>'));
    const check = (more: object) => carriedOut({ http: { url, ...more } });
    expect((await check({ json: { a: { present: true } } })).text).toContain('no JSON');
    expect((await check({ contains: 'ready' })).text).toContain('without "ready"');
    expect((await check({ not_contains: 'sign in' })).text).toContain('its absence is wanted');
    expect((await check({ matches: '^ready' })).text).toContain('does not match');
    expect(await check({ contains: 'sign', matches: 'html>$' })).toMatchObject({ outcome: 'pass' });
  });
});

describe('the check http, several tries', () => {
  it('with passing wants so many good ones in a row', async () => {
    const url = await serving(inTurn(answering(200), answering(200), answering(500)));
    const check = { http: { url, passing: 3, every: '1ms' } };
    expect(await carriedOut(check)).toMatchObject({ outcome: 'fail' });
    const good = await serving(answering(200));
    const result = await carriedOut({ http: { url: good, passing: 3, every: '1ms' } });
    expect(result.text).toMatch(/3 times in a row$/);
  });

  it('with failing fails only after so many bad ones in a row', async () => {
    const url = await serving(inTurn(answering(500), cut, answering(200)));
    const http = { url, method: 'POST', failing: 3, every: '1ms' };
    expect(await carriedOut({ http })).toMatchObject({ outcome: 'pass' });
    const bad = await serving(answering(500));
    const result = await carriedOut({ http: { url: bad, failing: 3, every: '1ms' } });
    expect(result).toMatchObject({ outcome: 'fail' });
    expect(result.text).toMatch(/^3 tries in a row: /);
  });
});

describe('the check http is unknown', () => {
  it.each([
    ['a refused connection', 'http://127.0.0.1:1/', 'connection refused'],
    ['an unknown host', 'http://no-such-host.invalid/', 'host name not found'],
  ])('for %s', async (_, url, reason) => {
    const result = await carriedOut({ http: { url } });
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain(reason);
  });

  it.each([
    ['an endpoint that is silent', silent],
    [
      'an answer that never ends',
      ((_, response) => void response.write('{')) satisfies RequestListener,
    ],
  ])('for %s', async (_, listener) => {
    const url = await serving(listener);
    const result = await carriedOut({ http: { url, timeout: '100ms' } });
    expect(result).toMatchObject({ outcome: 'unknown' });
    expect(result.text).toContain('no answer within 100 ms');
  });

  it('for a cut connection', async () => {
    const url = await serving(cut);
    expect(await carriedOut({ http: { url } })).toMatchObject({ outcome: 'unknown' });
  });

  it('for an answer that is too large', async () => {
    const url = await serving(answering(200, {}, 'x'.repeat(5_000_001)));
    const result = await carriedOut({ http: { url } });
    expect(result.text).toContain('answer larger than 5000000 bytes');
    expect(result.outcome).toBe('unknown');
  });

  it('when the check is cut off between two tries', async () => {
    const url = await serving(answering(200));
    const check = { http: { url, passing: 2, every: '10m' } };
    expect(await carriedOut(check, { timeoutMs: 200 })).toMatchObject({ outcome: 'unknown' });
  });

  it('for a secret without a value, which it names', async () => {
    const check = { http: { url: 'http://127.0.0.1:1', headers: { authorization: '$API_TOKEN' } } };
    const result = await carriedOut(check);
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain('the secret $API_TOKEN has no value; set API_TOKEN');
  });

  it('for a value of the deploy that leads out of its path', async () => {
    const check = { http: { url: 'http://127.0.0.1:1/versions/${version}/health' } };
    const result = await carriedOut(check, { values: { version: '..' } });
    expect(result.text).toContain('cannot be requested with the values of this deploy');
  });
});

describe('the check http keeps secrets out', () => {
  it('of its text, its details and its exhibit', async () => {
    const secret = ['s3cr3t', 'token', '0815'].join('-');
    const url = await serving((request, response) => {
      response.writeHead(200, { 'set-cookie': 'session=abcdef', echo: secret });
      response.end(JSON.stringify({ you: request.headers.authorization }));
    });
    const check = {
      http: {
        url,
        headers: { authorization: '$API_TOKEN' },
        response_headers: { echo: { equals: 'x' } },
        json: { you: { equals: 'me' } },
      },
    };
    const result = await carriedOut(check, { env: { API_TOKEN: `Bearer ${secret}` } });
    expect(result.outcome).toBe('fail');
    expect(result.exhibits.map(({ name }) => name)).toEqual(['response.txt']);
    const all = JSON.stringify({
      ...result,
      bodies: result.exhibits.map((one) => String(one.body)),
    });
    expect(all).toContain('[redacted]');
    expect(all).not.toContain(secret);
    expect(all).not.toContain('abcdef');
  });
});

describe('the check http as it is written', () => {
  it('says in a sentence what is wanted', () => {
    const http = {
      url: 'http://127.0.0.1:3003',
      within: '100ms',
      response_headers: { 'strict-transport-security': { max_age: '180d' } },
      json: { 'queue.depth': { below: 20 } },
      passing: 3,
    };
    expect(made({ http }).wants).toBe(
      'GET http://127.0.0.1:3003: status 2xx, within 100ms, strict-transport-security max-age ' +
        'at least 180d, queue.depth below 20, 3 times in a row',
    );
  });

  it.each([
    [{}, 'http.url: found nothing'],
    [{ url: 'ftp://a' }, 'http.url: '],
    [{ url: 'http://a', status: 99 }, 'http.status: found 99; wanted an HTTP status'],
    [{ url: 'http://a', matches: '(' }, 'http.matches: found "("; wanted a regular expression'],
    [{ url: 'http://a', passing: 2, failing: 2 }, 'http.failing: found 2; wanted passing or'],
    [{ url: 'http://a', response_headers: { a: {} } }, 'http.response_headers.a: found a mapping'],
    [{ url: 'http://a', headers: { authorization: 'x' } }, 'wanted the name of a secret as $NAME'],
    [{ url: 'http://a', json: { a: { max: 3 } } }, 'a field that does not exist here'],
  ])('refuses %o', (http, problem) => {
    expect(problemsOf({ http }).join('\n')).toContain(problem);
  });
});
