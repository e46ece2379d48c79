// What all kinds of hooks share: an event of a CI system becomes the body of a start, or is
// ignored, or is told to be wrong. Pure: no network, no clock. The files of the kinds say where
// each field is found; the fields themselves are validated like those of POST /v1/watches.
import type { Problem } from '../kit/errors.ts';
import { cutEnd, printable } from '../kit/redact.ts';

export const HOOK_KINDS = ['github', 'gitlab', 'cdevents', 'generic'] as const;
export type HookKind = (typeof HOOK_KINDS)[number];

export type Json = Readonly<Record<string, unknown>>;

export type HookSettings = {
  /** Name at the sender, such as `org/repo`, to service. */
  readonly services: Readonly<Record<string, string>>;
  /** Only deploys to these; null: to any. */
  readonly environments: readonly string[] | null;
};

export type HookEvent = {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Json;
};

export type HookResult =
  | {
      readonly kind: 'start';
      /** As the body of POST /v1/watches; not validated yet. */
      readonly start: Json;
      /** The same delivery again has the same key. */
      readonly idempotencyKey: string | null;
    }
  /** Not a finished deploy that is to be watched: no fault of the sender. */
  | { readonly kind: 'ignored'; readonly why: string }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] };

/** Turns the event of one kind into a result. */
export type ReadHook = (event: HookEvent, settings: HookSettings) => HookResult;

const SHOWN_MAX = 80;
const BY_MAX = 100;
const URL_MAX = 2_000;

export function ignored(why: string): HookResult {
  return { kind: 'ignored', why };
}

export function invalid(path: string, message: string): HookResult {
  return { kind: 'invalid', problems: [{ path, message }] };
}

/** Text from outside as an answer or a log may show it. */
export function shown(value: unknown): string {
  if (typeof value !== 'string' || value === '') return '(none)';
  return JSON.stringify(cutEnd(printable(value), SHOWN_MAX));
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What lies at `deployment.creator.login`; undefined when there is nothing. */
export function valueAt(body: Json, path: string): unknown {
  let value: unknown = body;
  for (const name of path.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

/** The text at a path; null when there is none, or an empty one. */
export function textAt(body: Json, path: string): string | null {
  const value = valueAt(body, path);
  return typeof value === 'string' && value !== '' ? value : null;
}

/** The JSON of a text; undefined when it is none. */
export function parsedJson(text: string): unknown {
  try {
    // A field of this name could reach a prototype further on; none of ours has it.
    return JSON.parse(text, (name, value) => (name === '__proto__' ? undefined : value));
  } catch {
    return undefined;
  }
}

/**
 * What a pipeline may add to its deploy beside the fields of the CI system: `version`,
 * `previous_version` and `parameters`, in an object or in its JSON. Anything else is not for us.
 */
export function extrasOf(value: unknown): Json {
  const object = typeof value === 'string' ? parsedJson(value) : value;
  if (!isObject(object)) return {};
  const names = ['version', 'previous_version', 'parameters'].filter((name) => {
    return Object.hasOwn(object, name) && object[name] !== null;
  });
  return Object.fromEntries(names.map((name) => [name, object[name]]));
}

/** A tag such as v1.4.0 names a version; a branch names many. */
export function releaseTag(ref: string | null): string | null {
  const name = ref?.replace(/^refs\/tags\//, '') ?? '';
  return /^v?\d+\.\d+\.\d+([-+.][\w.+-]+)?$/.test(name) ? name : null;
}

export type Found = {
  /** Who deployed what, in the sender's words: `org/repo`. */
  readonly name: string;
  readonly environment: string | null;
  readonly deployedAt?: string | null;
  readonly by?: string | null;
  readonly url?: string | null;
  /** Fields of the start that are taken as they are. */
  readonly fields: Json;
};

/** The start of what was found, when it is for us. */
export function startOf(
  found: Found,
  settings: HookSettings,
  idempotencyKey: string | null,
): HookResult {
  const { name, environment, fields } = found;
  const unwatched = unwatchedEnvironment(environment, settings);
  if (unwatched !== null) return unwatched;
  const by = cutEnd(printable(found.by ?? ''), BY_MAX);
  const url = linkOf(found.url ?? null);
  const start = {
    service: serviceOf(name, settings),
    ...(environment === null ? {} : { environment }),
    ...(found.deployedAt ? { deployed_at: found.deployedAt } : {}),
    ...(by === '' ? {} : { by }),
    ...(url === null ? {} : { url }),
    ...fields,
  };
  return { kind: 'start', start, idempotencyKey };
}

/** Null: deploys to this environment are for us. */
export function unwatchedEnvironment(
  environment: string | null,
  { environments }: HookSettings,
): HookResult | null {
  if (environments === null || environments.includes(environment ?? '')) return null;
  const known = environments.join(', ');
  return ignored(`environment ${shown(environment)} is none of those watched (${known})`);
}

/** `org/team/repo` is the service `repo` unless the config says otherwise. */
function serviceOf(name: string, { services }: HookSettings): string {
  const configured = Object.hasOwn(services, name) ? services[name] : undefined;
  return configured ?? name.split('/').at(-1) ?? name;
}

/** A link that messages may carry; a strange one is left out, the watch is worth more. */
function linkOf(text: string | null): string | null {
  if (text === null || text.length > URL_MAX || !URL.canParse(text)) return null;
  return /^https?:$/.test(new URL(text).protocol) ? text : null;
}

/** A key of one kind cannot meet the key of another. */
export function keyOf(kind: HookKind, header: string | undefined): string | null {
  const bare = header?.trim().replace(/^"(.*)"$/, '$1') ?? '';
  return bare === '' ? null : `${kind}:${bare}`;
}
