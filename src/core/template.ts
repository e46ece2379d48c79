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

/** A text inside a double-quoted PromQL label value. */
export function escapeLabelValue(value: string): string {
  return value.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n');
}
