// The daemon's configuration after validation: plain data with every default filled in, paths
// absolute, times in ms, secrets as handles that never print.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { CanarydError, type Problem } from '../kit/errors.ts';
import type { ConfigInput, SCOPES } from './config-schema.ts';
import { ms, SECRET_NAME, urlProblem } from './fields.ts';
import { type HooksConfig, toHooks } from './hooks.ts';
import { type JournalSettings, toJournal } from './journal.ts';
import { found, type Path, pathText, problem } from './problems.ts';
import { missingText, Secret, type Secrets } from './secrets.ts';

export type Headers = Readonly<Record<string, string | Secret>>;

export type PrometheusConfig = {
  readonly kind: 'prometheus';
  readonly url: string;
  readonly headers: Headers;
  readonly basicAuth: { readonly username: string; readonly password: Secret } | null;
  readonly bearerToken: Secret | null;
  readonly tenant: string | null;
  readonly tls: TlsConfig | null;
  readonly timeoutMs: number;
};

/** PEM texts. The key is read from its file on each use. */
export type TlsConfig = {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: Secret | null;
  readonly insecureSkipVerify: boolean;
};

export type ScrapeConfig = {
  readonly kind: 'scrape';
  readonly targets: readonly string[];
  readonly headers: Headers;
  readonly timeoutMs: number;
};

export type SourceConfig = PrometheusConfig | ScrapeConfig;

export type SlackConfig = {
  readonly webhook: Secret;
  /** Where stops and failed rollbacks go; the same as `webhook` unless configured. */
  readonly criticalWebhook: Secret;
  readonly mention: string | null;
  readonly timeoutMs: number;
};

export type DeadManConfig = { readonly url: Secret; readonly everyMs: number };

export type TokenConfig = {
  readonly name: string;
  readonly token: Secret;
  readonly scopes: readonly (typeof SCOPES)[number][];
};

export type DaemonConfig = {
  readonly listen: { readonly host: string; readonly port: number };
  readonly publicUrl: string | null;
  readonly journal: JournalSettings;
  readonly sources: Readonly<Record<string, SourceConfig>>;
  readonly slack: SlackConfig | null;
  readonly deadMan: DeadManConfig | null;
  readonly tokens: readonly TokenConfig[];
  readonly hooks: HooksConfig;
  readonly retention: { readonly samplesMs: number; readonly watchesMs: number };
  readonly standBy: { readonly everyMs: number };
  readonly log: { readonly level: string };
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

const TOKEN_CHARS_MIN = 16;

export type ConfigContext = {
  /** Folder of the config file: relative paths begin there. */
  readonly directory: string;
  readonly secrets: Secrets;
  /** Collects what is wrong with secrets and files. */
  readonly problems: Problem[];
};

export function toDaemonConfig(input: ConfigInput, context: ConfigContext): DaemonConfig {
  const { directory } = context;
  return {
    listen: { host: input.listen?.host ?? '127.0.0.1', port: input.listen?.port ?? 7766 },
    publicUrl: input.public_url?.replace(/\/+$/, '') ?? null,
    journal: toJournal(input.journal, directory, (written, path, wrong) =>
      secretAt(written, path, context, wrong),
    ),
    sources: Object.fromEntries(
      Object.entries(input.sources).map(([name, source]) => [
        name,
        toSource(source, ['sources', name], context),
      ]),
    ),
    slack: input.slack === undefined ? null : toSlack(input.slack, context),
    deadMan: input.dead_man === undefined ? null : toDeadMan(input.dead_man, context),
    tokens: input.tokens.map((token, index) => ({
      name: token.name,
      token: secretAt(token.token, ['tokens', index, 'token'], context, tokenProblem),
      scopes: token.scopes,
    })),
    hooks: toHooks(input.hooks, (written, path, wrong) => secretAt(written, path, context, wrong)),
    retention: {
      samplesMs: ms(input.retention?.samples ?? '30d'),
      watchesMs: ms(input.retention?.watches ?? '400d'),
    },
    standBy: { everyMs: ms(input.stand_by?.every ?? '15s') },
    log: { level: input.log?.level ?? 'info' },
  };
}

/** A secret handle; its absence now, or an unfit value, is a problem of the config. */
function secretAt(
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

function tokenProblem(value: string): string | null {
  const isFit = value.length >= TOKEN_CHARS_MIN && /^[\x21-\x7e]{1,512}$/.test(value);
  return isFit ? null : `${TOKEN_CHARS_MIN} to 512 characters without blanks, from a generator`;
}

function headersAt(
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

type SourceInput = ConfigInput['sources'][string];

function toSource(source: SourceInput, path: Path, context: ConfigContext): SourceConfig {
  const { prometheus, scrape } = source;
  if (prometheus !== undefined) {
    const at = [...path, 'prometheus'];
    const { basic_auth: basic, bearer_token: bearer } = prometheus;
    if (basic !== undefined && bearer !== undefined) {
      const wanted = 'one way to log in; remove basic_auth or bearer_token';
      context.problems.push(problem([...at, 'bearer_token'], 'it next to basic_auth', wanted));
    }
    return {
      kind: 'prometheus',
      url: prometheus.url,
      headers: headersAt(prometheus.headers, at, context),
      basicAuth: basic
        ? {
            username: basic.username,
            password: secretAt(basic.password, [...at, 'basic_auth', 'password'], context),
          }
        : null,
      bearerToken: bearer ? secretAt(bearer, [...at, 'bearer_token'], context) : null,
      tenant: prometheus.tenant ?? null,
      tls: prometheus.tls ? toTls(prometheus.tls, [...at, 'tls'], context) : null,
      timeoutMs: ms(prometheus.timeout),
    };
  }
  if (scrape === undefined) throw new Error('a source without a kind passed the schema');
  return {
    kind: 'scrape',
    targets: scrape.targets,
    headers: headersAt(scrape.headers, [...path, 'scrape'], context),
    timeoutMs: ms(scrape.timeout),
  };
}

type TlsInput = Exclude<Exclude<SourceInput['prometheus'], undefined>['tls'], undefined>;

function toTls(tls: TlsInput, path: Path, { directory, problems }: ConfigContext): TlsConfig {
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

type SlackInput = Exclude<ConfigInput['slack'], undefined>;

function toSlack(slack: SlackInput, context: ConfigContext): SlackConfig {
  const webhook = secretAt(slack.webhook, ['slack', 'webhook'], context, urlProblem);
  const { critical_webhook: critical } = slack;
  return {
    webhook,
    criticalWebhook:
      critical === undefined
        ? webhook
        : secretAt(critical, ['slack', 'critical_webhook'], context, urlProblem),
    mention: slack.mention ?? null,
    timeoutMs: ms(slack.timeout),
  };
}

type DeadManInput = Exclude<ConfigInput['dead_man'], undefined>;

function toDeadMan({ url, every }: DeadManInput, context: ConfigContext): DeadManConfig {
  const path = ['dead_man', 'url'];
  return { url: secretAt(url, path, context, urlProblem), everyMs: ms(every) };
}

/** For callers that have a problem list: throws all of it. */
export function configInvalid(summary: string, problems: readonly Problem[]): CanarydError {
  return new CanarydError('config_invalid', summary, { problems });
}
