import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { guardedLookup, targetOf } from '../../src/act/target.ts';

const values = { service: 'aurora', version: '2.4.1', empty: '' };

describe('targetOf', () => {
  it('never lets a value choose host, segment or parameter', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (version) => {
        const target = targetOf('https://ops.test/a/${version}/b?v=${version}&w=1', { version });
        const url = new URL(
          target.kind === 'target' ? target.url : 'https://ops.test/a/x/b?v=&w=1',
        );
        expect(url.host).toBe('ops.test');
        expect(url.pathname).toMatch(/^\/a\/[^/]+\/b$/);
        expect([...url.searchParams.keys()]).toEqual(['v', 'w']);
        expect(url.hash).toBe('');
      }),
    );
  });

  it.each([
    ['a placeholder as host', 'https://${service}/x', 'host'],
    ['a placeholder in the host', 'https://${service}.ops.test/x', 'host'],
    ['a placeholder as port', 'https://ops.test:${version}/x', 'host'],
    ['a placeholder as password', 'https://a:${version}@ops.test/x', 'host'],
    ['a placeholder as scheme', '${service}://ops.test/x', 'placeholder before the host'],
    ['another scheme', 'file:///etc/passwd', 'http:// or https://'],
    ['no host', 'https:///x', 'http'],
    ['a value that the deploy does not have', 'https://ops.test/${region}', '${region}'],
    ['an empty segment', 'https://ops.test/apps/${empty}/rollback', '${empty}'],
    ['a port that is none', 'https://ops.test:99999/x', 'not a URL'],
    ['the metadata address', 'http://169.254.169.254/latest', 'metadata'],
    ['the metadata address as one number', 'http://2852039166/latest', 'metadata'],
    ['the metadata address in hex', 'http://0xa9fea9fe/latest', 'metadata'],
    ['the metadata address with a dot', 'http://169.254.169.254./latest', 'metadata'],
    ['the mapped metadata address', 'http://[::ffff:169.254.169.254]/', 'metadata'],
    ['the IPv6 metadata address', 'http://[fd00:ec2:0::254]/', 'metadata'],
  ])('refuses %s', (_, template, found) => {
    const target = targetOf(template, values);
    expect(target.kind).toBe('misconfigured');
    expect(JSON.stringify(target)).toContain(found);
  });

  it.each(['.', '..'])('refuses %s as a path segment', (version) => {
    expect(targetOf('https://ops.test/a/${version}/b', { version }).kind).toBe('misconfigured');
  });

  it('allows private addresses and an empty value in the query', () => {
    expect(targetOf('http://10.0.0.7:8080/x?to=${empty}', values)).toEqual({
      kind: 'target',
      url: 'http://10.0.0.7:8080/x?to=',
    });
  });
});

describe('guardedLookup', () => {
  it('resolves a name that leads elsewhere', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    guardedLookup('localhost', (error, addresses) => resolve(error ?? addresses[0]?.address));
    expect(['127.0.0.1', '::1']).toContain(await promise);
  });

  it('does not resolve to a metadata address', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    guardedLookup('169.254.169.254', (error) => resolve(error));
    expect(await promise).toMatchObject({ code: 'ECANARYDBLOCKED' });
  });
});
