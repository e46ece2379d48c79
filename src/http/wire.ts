// Names at the edge: camelCase inside, snake_case in every JSON the API sends or takes. One
// generic mapping for all of them, so that a field can never be spelled two ways. Records whose
// keys are data (parameter names, condition ids) keep their keys: they are listed here.

/** Fields whose value is a record keyed by data, not by field names. */
const DATA_KEYED = ['parameters', 'readings', 'values', 'coverage', 'checks'] as const;
type DataKeyed = (typeof DATA_KEYED)[number];

type Snake<S extends string> = S extends `${infer First}${infer Rest}`
  ? First extends Lowercase<First>
    ? `${First}${Snake<Rest>}`
    : `_${Lowercase<First>}${Snake<Rest>}`
  : S;

/** The type of a value after `toWire`. */
export type Wire<T> = T extends readonly (infer Item)[]
  ? number extends T['length']
    ? readonly Wire<Item>[]
    : { readonly [K in keyof T]: Wire<T[K]> }
  : T extends object
    ? {
        readonly [K in keyof T as K extends string ? Snake<K> : never]: K extends DataKeyed
          ? { readonly [Name in keyof T[K]]: Wire<T[K][Name]> }
          : Wire<T[K]>;
      }
    : T;

/** camelCase → snake_case, in depth. */
export function toWire<T>(value: T): Wire<T> {
  const snake = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return renamed(value, snake) as Wire<T>;
}

/** snake_case → camelCase, in depth: the inverse, for those who read the API. */
export function fromWire(value: unknown): unknown {
  return renamed(value, (key) => key.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()));
}

function renamed(value: unknown, rename: (key: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .map(([key, inner]) => [rename(key), isDataKeyed(key) ? keptKeys(inner) : inside(inner)]);
  return Object.fromEntries(entries);

  function inside(inner: unknown) {
    return renamed(inner, rename);
  }
  function keptKeys(inner: unknown): unknown {
    if (typeof inner !== 'object' || inner === null) return inner;
    return Object.fromEntries(Object.entries(inner).map(([key, item]) => [key, inside(item)]));
  }
}

function isDataKeyed(key: string): boolean {
  return (DATA_KEYED as readonly string[]).includes(key);
}
