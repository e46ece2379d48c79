// Secrets: values of `$NAME`, from the environment variable NAME, from the file that NAME_FILE
// names, or from a file NAME in the secrets folder. Read on each use, so that a rotated file counts
// without a restart. A Secret never prints its value; only `reveal` gives it.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { Policy, SecretRef } from '../core/policy.ts';
import type { ReadHealth } from '../core/read.ts';
import { CanarydError } from '../kit/errors.ts';
import { SECRET_NAME } from './fields.ts';

export const SECRETS_DIRECTORY = '/run/secrets';
const SECRET_BYTES_MAX = 64_000;
const REDACTED = '[redacted]';

export class Secret {
  readonly name: string;
  readonly #read: () => string | null;

  constructor(name: string, read: () => string | null) {
    this.name = name;
    this.#read = read;
  }

  /** The value of this moment; null when it is gone. */
  current(): string | null {
    return this.#read();
  }

  /** The value of this moment. Throws when it is gone. */
  reveal(): string {
    const value = this.#read();
    if (value !== null) return value;
    throw new CanarydError('config_invalid', missingText(this.name));
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}

export interface Secrets {
  /** The value of this moment; null when there is none, or an empty one. */
  resolve(ref: SecretRef): string | null;
  /** A handle that is read on each use, whether or not there is a value now. */
  secret(name: string): Secret;
}

/** What to do about a secret that is not there. */
export function missingText(name: string): string {
  return (
    `found no value for the secret ${name}; wanted one; set the environment variable ` +
    `${name}, or ${name}_FILE to the path of a file that holds it`
  );
}

function readSecretFile(path: string): string | null {
  try {
    if (!statSync(path).isFile() || statSync(path).size > SECRET_BYTES_MAX) return null;
    return readFileSync(path, 'utf8').trim() || null;
  } catch {
    // Missing or unreadable are the same to the caller: no value; the error names what to do.
    return null;
  }
}

export function createSecrets(options: {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder with one file per secret. */
  readonly dir?: string;
  /** Told of each value that is given out, so that it can be kept out of what is written. */
  readonly onRead?: (value: string) => void;
}): Secrets {
  const { env, dir = SECRETS_DIRECTORY, onRead } = options;
  const find = (name: string): string | null => {
    // Names come from validated files; a path inside one must not lead out of the folder.
    if (!SECRET_NAME.test(`$${name}`)) return null;
    const direct = env[name];
    if (direct !== undefined && direct !== '') return direct;
    const file = env[`${name}_FILE`];
    if (file !== undefined && file !== '') return readSecretFile(file);
    return readSecretFile(join(dir, name));
  };
  const read = (name: string): string | null => {
    const value = find(name);
    if (value !== null) onRead?.(value);
    return value;
  };
  return {
    resolve: ({ secret }) => read(secret),
    secret: (name) => new Secret(name, () => read(name)),
  };
}

/** Names of all secrets a policy needs for its actions and health checks. */
export function secretsOf(policy: Policy): readonly string[] {
  const names = new Set<string>();
  const add = (entry: string | SecretRef | null) => {
    if (entry !== null && typeof entry !== 'string') names.add(entry.secret);
  };
  for (const { via } of policy.actions) {
    if (via.kind === 'webhook') add(via.secret);
    for (const entry of Object.values(via.kind === 'webhook' ? via.headers : via.env)) add(entry);
  }
  for (const indicator of Object.values(policy.indicators)) {
    if (indicator.kind !== 'http') continue;
    for (const text of Object.values(indicator.headers)) {
      if (SECRET_NAME.test(text)) names.add(text.slice(1));
    }
  }
  return [...names];
}

/** Secrets without a value: a policy that acts must not start a watch while there are any. */
export function missingSecrets(policy: Policy, secrets: Secrets): readonly string[] {
  return secretsOf(policy).filter((name) => secrets.resolve({ secret: name }) === null);
}

/** Fills `$NAME` in the headers of health checks; the policy in the journal keeps the name. */
export function healthWithSecrets(readHealth: ReadHealth, secrets: Secrets): ReadHealth {
  return (indicator, signal) => {
    const headers: Record<string, string> = {};
    for (const [name, text] of Object.entries(indicator.headers)) {
      const value = SECRET_NAME.test(text) ? secrets.resolve({ secret: text.slice(1) }) : text;
      // Without its value the header is left out: the endpoint refuses, and the check fails.
      if (value !== null) headers[name] = value;
    }
    return readHealth({ ...indicator, headers }, signal);
  };
}
