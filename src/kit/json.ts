// Parsed JSON of any shape: what is a mapping, and what is at a place in it.

export type Mapping = Readonly<Record<string, unknown>>;

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * A place: names joined by dots, or a JSON pointer (RFC 6901). undefined when nothing is there.
 */
export function jsonAt(document: unknown, path: string): unknown {
  const parts = path.startsWith('/')
    ? path
        .slice(1)
        .split('/')
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    : path.split('.');
  let found = document;
  for (const part of parts) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, part)) {
      return undefined;
    }
    found = (found as Record<string, unknown>)[part];
  }
  return found;
}

/** As a person would write it; `JSON.parse` reads any depth, `JSON.stringify` does not. */
export function jsonText(value: unknown): string {
  if (typeof value === 'string') return value;
  try {
    return JSON.stringify(value) ?? 'nothing';
  } catch {
    return 'something nested too deeply';
  }
}
