// Where a webhook goes: the URL of the policy with the deploy's values in its path and query.
// A value may neither choose the host nor leave its path segment; cloud metadata addresses are
// never called. Private addresses are allowed: URLs come from the operator.
import { lookup } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { fill, fillSegment, placeholdersOf, type TemplateValues } from '../core/template.ts';
import type { Lookup } from '../kit/http.ts';

export type Target =
  | { readonly kind: 'target'; readonly url: string }
  | { readonly kind: 'misconfigured'; readonly detail: string };

export const BLOCKED_CODE = 'ECANARYDBLOCKED';

const blocked = new BlockList();
blocked.addSubnet('169.254.0.0', 16, 'ipv4');
blocked.addAddress('fd00:ec2::254', 'ipv6');

export function targetOf(template: string, values: TemplateValues): Target {
  const parts = /^(https?:\/\/)([^/?#\\]+)([^?#]*)([^#]*)/i.exec(template);
  if (parts === null) {
    const found = /^[^:/?#]*\$\{/.test(template) ? 'a placeholder' : 'something else';
    return misconfigured(`url: found ${found} before the host; wanted http:// or https://`);
  }
  const [, scheme = '', authority = '', path = '', query = ''] = parts;
  if (authority.includes('${')) {
    return misconfigured('url: a placeholder in the host; only path and query may have one');
  }
  const unknown = placeholdersOf(path + query).find((name) => values[name] === undefined);
  if (unknown !== undefined) {
    return misconfigured(`url: the deploy has no value for \${${unknown}}`);
  }
  const templates = path.split('/');
  const segments = templates.map((segment) => fillSegment(segment, values));
  const bad = templates[segments.indexOf(null)];
  if (bad !== undefined) {
    const wanted = 'wanted a name that is not empty, "." or ".."';
    return misconfigured(`url: path segment ${bad} has no usable value; ${wanted}`);
  }
  const filledQuery = fill(query, values, encodeURIComponent);
  const url = `${scheme}${authority}${segments.join('/')}${filledQuery}`;
  const parsed = URL.parse(url);
  if (parsed === null) return misconfigured('url: not a URL that can be requested');
  if (isBlocked(parsed.hostname.replace(/^\[|\]$/g, ''))) {
    return misconfigured('url: the host is a cloud metadata address, which is never called');
  }
  return { kind: 'target', url };
}

function misconfigured(detail: string): Target {
  return { kind: 'misconfigured', detail };
}

function isBlocked(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && blocked.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** The system's resolver, minus the blocked addresses: what is checked is what is connected to. */
export const guardedLookup: Lookup = (hostname, done) => {
  lookup(hostname, { all: true }, (error, addresses) => {
    if (error) return done(error, []);
    if (addresses.some(({ address }) => isBlocked(address))) {
      return done(Object.assign(new Error('blocked address'), { code: BLOCKED_CODE }), []);
    }
    return done(
      null,
      addresses.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 })),
    );
  });
};
