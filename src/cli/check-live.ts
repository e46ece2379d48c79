// What `check --live` needs to look at the sources of policies: from the config, or one Prometheus.
import type { LiveOptions } from '../check/live/look.ts';
import { prometheusSight } from '../check/live/prometheus-sight.ts';
import { scrapeSight } from '../check/live/scrape-sight.ts';
import type { Sight } from '../check/live/sight.ts';
import type { SourceConfig } from '../config/daemon-config.ts';
import { urlProblem } from '../config/fields.ts';
import { loadConfig } from '../config/load.ts';
import { checkParameters } from '../config/parameters.ts';
import { didYouMean } from '../config/problems.ts';
import { createSecrets, healthWithSecrets, type Secrets } from '../config/secrets.ts';
import type { Policy } from '../core/policy.ts';
import { prometheusOptions, scrapeOptions } from '../daemon/sources.ts';
import { createAuditLogs } from '../source/audit-log/reader.ts';
import { createHealthReader } from '../source/health.ts';
import { usage } from './exit.ts';
import type { CliIo } from './output.ts';
import { DEFAULT_CONFIG, parametersOf } from './parse.ts';

export type LiveChoice = {
  readonly config?: string;
  readonly prometheus?: string;
  readonly param?: readonly string[];
  readonly version?: string;
};

export type Live = { readonly optionsFor: (policy: Policy) => LiveOptions };

const TIMEOUT_MS = 10_000;
/** A scraped service is read twice, so far apart at most: counters need time to count. */
const PAUSE_MS_MAX = 5_000;
/** A large log is read to its end within this time. */
const LOG_MS_MAX = 30_000;

/** @param named a config among the files that are checked */
export function createLive(
  io: CliIo,
  policies: readonly Policy[],
  named: string | null,
  options: LiveChoice,
): Live {
  const given = parametersOf(options.param ?? []);
  refuseUnknown(Object.keys(given), policies);
  const { sources, secrets } = sourcesOf(io, named, options);
  const readHealth = healthWithSecrets(createHealthReader({ clock: io.clock }), secrets);
  const { clock, signal } = io;
  const auditLogs = createAuditLogs({
    clock,
    folder: process.cwd(),
    toEndWithinMs: LOG_MS_MAX,
  });
  return {
    optionsFor: (policy) => ({
      sight: sightOf(policy, sources, io),
      ...{ readHealth, auditLogs, clock, signal },
      parameters: valuesFor(policy, given),
      version: options.version ?? null,
    }),
  };
}

type Sources = (policy: Policy) => SourceConfig;

function sourcesOf(
  io: CliIo,
  named: string | null,
  { config, prometheus }: LiveChoice,
): { readonly sources: Sources; readonly secrets: Secrets } {
  if (prometheus !== undefined) {
    const wanted = urlProblem(prometheus);
    if (wanted !== null) throw usage(`--prometheus: wanted ${wanted}`);
    const source: SourceConfig = {
      ...{ kind: 'prometheus', url: prometheus, headers: {}, timeoutMs: TIMEOUT_MS },
      ...{ basicAuth: null, bearerToken: null, tenant: null, tls: null },
    };
    return { sources: () => source, secrets: createSecrets({ env: io.env }) };
  }
  const file = config ?? named ?? DEFAULT_CONFIG;
  const loaded = loadConfig(file, { env: io.env });
  const sources: Sources = (policy) => {
    const source = loaded.config.sources[policy.source];
    if (source !== undefined) return source;
    const names = Object.keys(loaded.config.sources);
    const advice = didYouMean(policy.source, names) || '; or name one with --prometheus <url>';
    throw usage(
      `policy ${policy.name}: found the source ${policy.source}, wanted one of ${file} ` +
        `(${names.join(', ')})${advice}`,
    );
  };
  return { sources, secrets: loaded.secrets };
}

function sightOf(policy: Policy, sources: Sources, { clock }: CliIo): Sight {
  const source = sources(policy);
  if (source.kind === 'prometheus') return prometheusSight(prometheusOptions(source, clock));
  return scrapeSight(scrapeOptions(source, clock), Math.min(policy.intervalMs, PAUSE_MS_MAX));
}

function refuseUnknown(names: readonly string[], policies: readonly Policy[]): void {
  const known = policies.flatMap((policy) => Object.keys(policy.parameters));
  for (const name of names) {
    if (known.includes(name)) continue;
    const list = known.length === 0 ? 'no parameters' : `one of ${[...new Set(known)].join(', ')}`;
    throw usage(`--param: found ${name}, wanted ${list}${didYouMean(name, known)}`);
  }
}

/** What is given and the defaults; a parameter without a value is no mistake here. */
function valuesFor(
  { name: policy, parameters }: Policy,
  given: Readonly<Record<string, number | string>>,
): Readonly<Record<string, number | string>> {
  const known = Object.entries(parameters).filter(
    ([name, spec]) => given[name] !== undefined || spec.default !== null,
  );
  const own = Object.entries(given).filter(([name]) => parameters[name] !== undefined);
  const result = checkParameters(
    { parameters: Object.fromEntries(known) },
    Object.fromEntries(own),
  );
  if (result.kind === 'values') return result.values;
  const [first] = result.problems;
  throw usage(`--param for policy ${policy}: ${first?.path}: ${first?.message}`);
}
