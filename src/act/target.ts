// Where a webhook goes: the URL of the policy with the deploy's values in its path and query.
// A value may neither choose the host nor leave its path segment; cloud metadata addresses are
// never called. Private addresses are allowed: URLs come from the operator.
import { lookup } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { fill, placeholdersOf, type TemplateValues } from '../core/template.ts';
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
  const segments = path.split('/').map((segment) => filledSegment(segment, values));
  const bad = segments.find((segment) => segment.filled === null);
  if (bad) {
    const wanted = 'wanted a name that is not empty, "." or ".."';
    return misconfigured(`url: path segment ${bad.template} has no usable value; ${wanted}`);
  }
  const filled = segments.map((segment) => segment.filled).join('/');
  const url = `${scheme}${authority}${filled}${fill(query, values, encode)}`;
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

/** An empty or dot segment would address something else than the policy names. */
function filledSegment(
  template: string,
  values: TemplateValues,
): { readonly template: string; readonly filled: string | null } {
  if (!template.includes('${')) return { template, filled: template };
  const filled = fill(template, values, encode);
  return { template, filled: /^(?:\.|%2e){0,2}$/i.test(filled) ? null : filled };
}

/** `encodeURIComponent` throws on half a surrogate pair. */
function encode(value: string): string {
  return encodeURIComponent(value.toWellFormed());
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
