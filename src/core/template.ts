// `${placeholder}` in selectors, URLs and commands: the deploy's own fields and parameters.
// Host and scheme of a URL are fixed by config; only encoded values are put in.
import type { Deploy } from './deploy.ts';

export const PLACEHOLDERS = ['service', 'environment', 'version', 'previous_version', 'watch'];

export type TemplateValues = Readonly<Record<string, string>>;

export function templateValues(deploy: Deploy, watchId: string): TemplateValues {
  const values = {
    ...deploy.parameters,
    service: deploy.service,
    environment: deploy.environment,
    version: deploy.version,
    previous_version: deploy.previousVersion ?? '',
    watch: watchId,
  };
  const texts = Object.entries(values).map(([name, value]) => [name, `${value}`.toWellFormed()]);
  return Object.fromEntries(texts);
}

/** Names of the placeholders in a text. */
export function placeholdersOf(text: string): readonly string[] {
  return [...text.matchAll(/\$\{([a-z_]+)\}/g)].map(([, name]) => name ?? '');
}

/**
 * Replaces each placeholder by its encoded value; an unknown one stays as it is. Half a surrogate
 * pair is mended first: `encodeURIComponent` throws on it.
 */
export function fill(
  text: string,
  values: TemplateValues,
  encode: (value: string) => string = (value) => value,
): string {
  return text.replace(/\$\{([a-z_]+)\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : encode(value.toWellFormed());
  });
}

/**
 * Fills one path segment of a URL; null when it came out empty, "." or "..": that would address
 * something else than the policy names.
 */
export function fillSegment(template: string, values: TemplateValues): string | null {
  if (!template.includes('${')) return template;
  const filled = fill(template, values, encodeURIComponent);
  return /^(?:\.|%2e){0,2}$/i.test(filled) ? null : filled;
}

/** A value that is part of a file's name: it may not lead elsewhere, nor match other files. */
const SAFE_IN_PATH = /^(?!\.{1,2}$)[\w.+@=-][\w.+@= -]{0,199}$/;

export function isSafeInPath(value: string): boolean {
  return SAFE_IN_PATH.test(value);
}

/** Fills a path; empty, which cannot be read, when a value is missing or would lead elsewhere. */
export function fillPath(template: string, values: TemplateValues): string {
  const isSafe = placeholdersOf(template).every((name) => isSafeInPath(values[name] ?? ''));
  return isSafe ? fill(template, values) : '';
}

/** A text inside a double-quoted PromQL label value. */
export function escapeLabelValue(value: string): string {
  return value.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n');
}
