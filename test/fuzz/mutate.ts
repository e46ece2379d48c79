// Spoils good input: parsed values place by place, texts character by character.
import fc from 'fast-check';

type Path = readonly string[];

/** What people and attackers write where something else is wanted. */
export const ODD_VALUES: readonly unknown[] = [
  ...[null, true, false, 0, -0, -1, 1e-7, 1e308, 2 ** 53, 2 ** 64, Number.NaN, Infinity, -Infinity],
  ...['', ' ', '\0', '-', '0', '80%', '-5%', '1e999%', '5m', '99999999999w', '1GB', '.', '..', '/'],
  ...['$', '$NAME', '${version}', '${', '${range}', '${__proto__}', '__proto__', 'constructor'],
  ...['http://user:pw@127.0.0.1/', 'http://[', 'file:///etc/passwd', 'a\nb', '\ud800', '\u202e'],
  ...['a'.repeat(5_000), '9'.repeat(5_000), '[1m'.repeat(1_000), '('.repeat(2_000)],
  ...['up{a="b"', 'up{a=~"("}', 'up{a=~"(a+)+$"}', '\u{1f600}'.repeat(300), '$__interval'],
  ...[[], {}, [[[[]]]], [null], { '': null }, { a: { b: { c: 1 } } }, Array(300).fill('x')],
];

const NAMES = ['', '__proto__', 'constructor', 'toString', 'stop', 'always', 'verify', 'a b', '\0'];

export type Mutation =
  | { readonly kind: 'drop' | 'twice'; readonly pick: number }
  | { readonly kind: 'set'; readonly pick: number; readonly value: unknown }
  | { readonly kind: 'rename'; readonly pick: number; readonly name: string }
  | { readonly kind: 'move'; readonly pick: number; readonly from: number };

const pick = fc.nat(100_000);

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constantFrom('drop' as const, 'twice' as const), pick }),
  fc.record({
    kind: fc.constant('set' as const),
    pick,
    value: fc.oneof(fc.constantFrom(...ODD_VALUES), fc.jsonValue({ maxDepth: 4 })),
  }),
  fc.record({
    kind: fc.constant('rename' as const),
    pick,
    name: fc.oneof(fc.constantFrom(...NAMES), fc.string({ unit: 'binary', maxLength: 8 })),
  }),
  fc.record({ kind: fc.constant('move' as const), pick, from: pick }),
);

/** A copy in which each mutation has changed one place. */
export function mutated(base: unknown, mutations: readonly Mutation[]): unknown {
  return mutations.reduce(changed, structuredClone(base));
}

function changed(root: unknown, mutation: Mutation): unknown {
  const places = placesOf(root);
  const path = places[mutation.pick % Math.max(1, places.length)];
  const key = path?.at(-1);
  if (path === undefined || key === undefined) return root;
  const holder = at(root, path.slice(0, -1)) as Record<string, unknown>;
  switch (mutation.kind) {
    case 'drop':
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
      return root;
    case 'twice':
      if (Array.isArray(holder)) holder.push(structuredClone(holder[Number(key)]));
      else define(holder, `${key}2`, structuredClone(holder[key]));
      return root;
    case 'set':
      define(holder, key, structuredClone(mutation.value));
      return root;
    case 'rename':
      // A list with a constructor of its own is no value any more.
      if (Array.isArray(holder)) holder.push(mutation.name);
      else define(holder, mutation.name, holder[key]);
      return root;
    case 'move': {
      const from = places[mutation.from % places.length] ?? [];
      define(holder, key, structuredClone(at(root, from)));
      return root;
    }
    default:
      return mutation satisfies never;
  }
}

/** Also `__proto__` becomes a field like any other. */
function define(holder: object, key: string, value: unknown): void {
  Object.defineProperty(holder, key, {
    value,
    ...{ enumerable: true, configurable: true, writable: true },
  });
}

function placesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const place = [...path, key];
    return [place, ...placesOf(item, place)];
  });
}

function at(root: unknown, path: Path): unknown {
  return path.reduce((value, key) => (value as Record<string, unknown>)[key], root);
}

export type Edit = { readonly at: number; readonly cut: number; readonly text: string };

/** Random cuts, and pieces put in: of the language of the text, or anything at all. */
export function edits(pieces: readonly string[]): fc.Arbitrary<readonly Edit[]> {
  const edit = fc.record({
    at: pick,
    cut: fc.oneof(fc.constant(0), fc.nat(40)),
    text: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...pieces) },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
    ),
  });
  return fc.array(edit, { minLength: 1, maxLength: 4 });
}

export function edited(text: string, changes: readonly Edit[]): string {
  return changes.reduce((result, { at: where, cut, text: piece }) => {
    const from = where % (result.length + 1);
    return `${result.slice(0, from)}${piece}${result.slice(from + cut)}`;
  }, text);
}
