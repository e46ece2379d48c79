// The daemon's configuration after validation: plain data with every default filled in, paths
// absolute, times in ms, secrets as handles that never print.
import type { Routing } from '../core/route.ts';
import { CanarydError, type Problem } from '../kit/errors.ts';
import { type ChannelConfig, toChannels } from './channels.ts';
import {
  type ConfigContext,
  type Headers,
  headersAt,
  secretAt,
  type TlsConfig,
  toTls,
} from './config-context.ts';
import type { ConfigInput, SCOPES } from './config-schema.ts';
import { ms, urlProblem } from './fields.ts';
import { type HooksConfig, toHooks } from './hooks.ts';
import { type JournalSettings, toJournal } from './journal.ts';
import { type Path, problem } from './problems.ts';
import { toRouting } from './routing.ts';
import type { Secret } from './secrets.ts';

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

export type ScrapeConfig = {
  readonly kind: 'scrape';
  readonly targets: readonly string[];
  readonly headers: Headers;
  readonly timeoutMs: number;
};

export type SourceConfig = PrometheusConfig | ScrapeConfig;

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
  /** By name; empty: messages go to the log. */
  readonly channels: Readonly<Record<string, ChannelConfig>>;
  readonly routing: Routing;
  readonly deadMan: DeadManConfig | null;
  readonly tokens: readonly TokenConfig[];
  readonly hooks: HooksConfig;
  readonly retention: { readonly samplesMs: number; readonly watchesMs: number };
  readonly standBy: { readonly everyMs: number };
  readonly log: { readonly level: string };
};

const TOKEN_CHARS_MIN = 16;
/** The one channel there is when none is configured. */
const LOG_CHANNEL = 'log';
/** Marks on a dashboard: nobody is told by them. */
const UNREAD_KINDS: readonly string[] = ['grafana'];

export function toDaemonConfig(input: ConfigInput, context: ConfigContext): DaemonConfig {
  const { directory } = context;
  const channels = toChannels(input, context);
  const configured = Object.keys(channels);
  const names = configured.length > 0 ? configured : [LOG_CHANNEL];
  const read = names.filter((name) => !UNREAD_KINDS.includes(channels[name]?.kind ?? LOG_CHANNEL));
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
    channels,
    routing: toRouting(input.routing, names, read, context.problems),
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

function tokenProblem(value: string): string | null {
  const isFit = value.length >= TOKEN_CHARS_MIN && /^[\x21-\x7e]{1,512}$/.test(value);
  return isFit ? null : `${TOKEN_CHARS_MIN} to 512 characters without blanks, from a generator`;
}

type SourceInput = ConfigInput['sources'][string];

export function toSource(source: SourceInput, path: Path, context: ConfigContext): SourceConfig {
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

type DeadManInput = Exclude<ConfigInput['dead_man'], undefined>;

function toDeadMan({ url, every }: DeadManInput, context: ConfigContext): DeadManConfig {
  const path = ['dead_man', 'url'];
  return { url: secretAt(url, path, context, urlProblem), everyMs: ms(every) };
}

/** For callers that have a problem list: throws all of it. */
export function configInvalid(summary: string, problems: readonly Problem[]): CanarydError {
  return new CanarydError('config_invalid', summary, { problems });
}
