// What all parts of the config share while they become plain data: secrets as handles, headers and
// TLS files, and the list that collects what is wrong.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Problem } from '../kit/errors.ts';
import { SECRET_NAME } from './fields.ts';
import { found, type Path, pathText, problem } from './problems.ts';
import { missingText, Secret, type Secrets } from './secrets.ts';

export type Headers = Readonly<Record<string, string | Secret>>;

/** PEM texts. The key is read from its file on each use. */
export type TlsConfig = {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: Secret | null;
  readonly insecureSkipVerify: boolean;
};

export type ConfigContext = {
  /** Folder of the config file: relative paths begin there. */
  readonly directory: string;
  readonly secrets: Secrets;
  /** Collects what is wrong with secrets and files. */
  readonly problems: Problem[];
};

/** Headers with their secrets revealed, for one request or one client. */
export function revealHeaders(headers: Headers): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : value.reveal(),
    ]),
  );
}

/** A secret handle; its absence now, or an unfit value, is a problem of the config. */
export function secretAt(
  written: string,
  path: Path,
  { secrets, problems }: ConfigContext,
  wrong: (value: string) => string | null = () => null,
): Secret {
  const name = written.slice(1);
  const value = secrets.resolve({ secret: name });
  if (value === null) {
    problems.push({ path: pathText(path), message: missingText(name) });
  } else {
    const wanted = wrong(value);
    if (wanted !== null) problems.push(problem(path, `an unfit value for ${name}`, wanted));
  }
  return secrets.secret(name);
}

export function headersAt(
  written: Readonly<Record<string, string>> | undefined,
  path: Path,
  context: ConfigContext,
): Headers {
  return Object.fromEntries(
    Object.entries(written ?? {}).map(([name, text]) => [
      name,
      SECRET_NAME.test(text) ? secretAt(text, [...path, 'headers', name], context) : text,
    ]),
  );
}

export type TlsInput = {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly insecure_skip_verify: boolean;
};

export function toTls(
  tls: TlsInput,
  path: Path,
  { directory, problems }: ConfigContext,
): TlsConfig {
  const read = (field: 'ca' | 'cert' | 'key'): string | null => {
    const file = tls[field];
    if (file === undefined) return null;
    try {
      return readFileSync(resolve(directory, file), 'utf8');
    } catch {
      const wanted = 'a PEM file that can be read; check path and permissions';
      problems.push(problem([...path, field], found(file), wanted));
      return null;
    }
  };
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    const wanted = 'cert and key together; add the other one';
    problems.push(problem(path, 'only one of cert and key', wanted));
  }
  const hasKey = read('key') !== null;
  return {
    ca: read('ca'),
    cert: read('cert'),
    key: hasKey ? new Secret(`${pathText(path)}.key`, () => read('key')) : null,
    insecureSkipVerify: tls.insecure_skip_verify,
  };
}
