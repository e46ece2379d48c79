// The thirty wrong policies as data, and what each is made of. Reads files, runs nothing.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';

const noticed = z.strictObject({
  validator: z.string().optional(),
  check: z.array(z.string()).optional(),
  live: z.array(z.string()).optional(),
  test: z.string().optional(),
});
const way = z.strictObject({
  title: z.string(),
  policy: z.enum(['aurora', 'http-api']),
  change: z.record(z.string(), z.unknown()),
  meant: z.string(),
  happens: z.string(),
  noticed,
});

/** Who notices a wrong policy, and by what. */
export type Noticed = z.infer<typeof noticed>;
export type Way = z.infer<typeof way>;

const FILES = {
  aurora: 'config/policies/aurora.yaml',
  'http-api': 'config/policies/examples/http-api.yaml',
} as const;

export const POLICIES = ['aurora', 'http-api'] as const;
export type PolicyName = (typeof POLICIES)[number];

const root = new URL('../../../', import.meta.url);

export const policyFile = (name: PolicyName) => fileURLToPath(new URL(FILES[name], root));
export const casesFile = (name: PolicyName) => policyFile(name).replace(/yaml$/, 'test.yaml');

export const WAYS: readonly Way[] = z
  .array(way)
  .parse(parse(readFileSync(new URL('ways.yaml', import.meta.url), 'utf8')));

type Place = Record<string, unknown>;

/** The policy with the one change; null takes a place away, or an item out of its list. */
export function changedPolicy(name: PolicyName, change: Way['change']): unknown {
  const policy = parse(readFileSync(policyFile(name), 'utf8')) as Place;
  for (const [path, value] of Object.entries(change)) {
    const parts = path.split('.');
    const last = parts.pop() ?? '';
    const holder = parts.reduce((at, part) => placeIn(at, part, path), policy);
    if (value !== null) holder[last] = value;
    else if (Array.isArray(holder)) holder.splice(Number(last), 1);
    else delete holder[last];
  }
  return policy;
}

/** A change of something that is not there would prove nothing. */
function placeIn(at: Place, part: string, path: string): Place {
  const next = at[part];
  if (typeof next !== 'object' || next === null) throw new Error(`${path}: there is no ${part}`);
  return next as Place;
}
