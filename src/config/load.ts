// Loading canaryd.yaml with its policies: all of it, or every mistake in every file at once.
import { globSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import type { Policy } from '../core/policy.ts';
import { CanarydError, type Problem } from '../kit/errors.ts';
import { type ConfigInput, configSchema } from './config-schema.ts';
import { configInvalid, type DaemonConfig, toDaemonConfig } from './daemon-config.ts';
import { secret as secretField } from './fields.ts';
import { hookProblems } from './hooks.ts';
import { entriesOf, fieldOf, itemsOf } from './policy-draft.ts';
import {
  didYouMean,
  found,
  pathText,
  problem,
  schemaProblems,
  uniqueProblems,
} from './problems.ts';
import { routedServiceProblems } from './routing-checks.ts';
import { createSecrets, missingSecrets, missingText, type Secrets } from './secrets.ts';
import { type PolicyResult, policyNameOf, readPolicy } from './to-policy.ts';
import { readYaml } from './yaml-file.ts';

const POLICIES_MAX = 500;

export type LoadedPolicy = { readonly file: string; readonly policy: Policy };

export type Loaded = {
  readonly config: DaemonConfig;
  readonly policies: readonly Policy[];
  /** Every file that was read: the config first, then the policies, in the order of `policies`. */
  readonly files: readonly string[];
  readonly secrets: Secrets;
  /** Policies that cannot act now, with the names of the secrets they miss. */
  readonly missingSecrets: readonly {
    readonly policy: string;
    readonly secrets: readonly string[];
  }[];
};

type Environment = Readonly<Record<string, string | undefined>>;

/** One policy file, without a config: sources are not known. Never throws. */
export function checkPolicyFile(path: string): PolicyResult {
  const yaml = readYaml(path);
  return yaml.kind === 'problems' ? yaml : readPolicy(yaml.value, policyNameOf(path));
}

/** One policy file; throws CanarydError('policy_invalid') with every mistake. */
export function loadPolicyFile(path: string): Policy {
  const result = checkPolicyFile(path);
  if (result.kind === 'policy') return result.policy;
  const count = `${result.problems.length} problem${result.problems.length === 1 ? '' : 's'}`;
  throw new CanarydError('policy_invalid', `${path}: ${count}`, { problems: result.problems });
}

/** Throws CanarydError('config_invalid') with the mistakes of all files, paths prefixed by file. */
export function loadConfig(path: string, options: { readonly env: Environment }): Loaded {
  const file = resolve(path);
  const directory = dirname(file);
  const shown = (name: string) => relative(process.cwd(), name) || name;
  const all: Problem[] = [];
  const add = (of: string, problems: readonly Problem[]) => {
    for (const { path: at, message } of problems) {
      all.push({ path: at === '' ? shown(of) : `${shown(of)}: ${at}`, message });
    }
  };
  const yaml = readYaml(file);
  if (yaml.kind === 'problems') {
    add(file, yaml.problems);
    throw configInvalid(summary(shown(file), all), all);
  }
  const secretsDir = fieldOf(fieldOf(yaml.value, 'secrets'), 'directory');
  const secrets = createSecrets({
    env: options.env,
    ...(typeof secretsDir === 'string' ? { dir: resolve(directory, secretsDir) } : {}),
  });
  const { config, problems } = readConfig(yaml.value, directory, secrets);
  add(file, problems);
  const policies: LoadedPolicy[] = [];
  const names = policyFiles(yaml.value, directory, (problem) => add(file, [problem]));
  for (const name of names) {
    const result = checkPolicyFile(name);
    if (result.kind === 'problems') add(name, result.problems);
    else policies.push({ file: name, policy: result.policy });
  }
  for (const { file: name, policy } of policies) {
    add(name, sourceProblems(policy, yaml.value));
    const twin = policies.find((other) => other.policy.name === policy.name);
    if (twin === undefined || twin.file === name) continue;
    const wanted = `a name that ${shown(twin.file)} does not have; set "name" or rename the file`;
    add(name, [problem(['name'], found(policy.name), wanted)]);
  }
  // A policy that cannot be read may serve what seems to be served by none.
  const areAllRead = policies.length === names.length;
  if (config !== null && areAllRead) {
    const read = policies.map(({ policy }) => policy);
    add(file, hookProblems(config.hooks, read));
    add(file, routedServiceProblems(config.routing, read));
  }
  if (all.length > 0 || config === null) throw configInvalid(summary(shown(file), all), all);
  return {
    config,
    policies: policies.map(({ policy }) => policy),
    files: [file, ...policies.map(({ file: name }) => name)],
    secrets,
    missingSecrets: policies
      .map(({ policy }) => ({ policy: policy.name, secrets: missingSecrets(policy, secrets) }))
      .filter((entry) => entry.secrets.length > 0),
  };
}

function summary(file: string, problems: readonly Problem[]): string {
  return `${file}: ${problems.length} problem${problems.length === 1 ? '' : 's'}`;
}

/** The config of parsed YAML; null together with problems. */
export function readConfig(
  raw: unknown,
  directory: string,
  secrets: Secrets,
): { readonly config: DaemonConfig | null; readonly problems: readonly Problem[] } {
  const parsed = configSchema.safeParse(raw);
  if (!parsed.success) {
    const problems = [
      ...schemaProblems(parsed.error, raw),
      ...listenProblems(raw),
      ...absentSecrets(raw, secrets),
    ];
    return { config: null, problems: uniqueProblems(problems) };
  }
  const problems = [...listenProblems(raw), ...tokenNameProblems(parsed.data)];
  const config = toDaemonConfig(parsed.data, { directory, secrets, problems });
  return { config, problems };
}

/** Secrets of a config that is otherwise broken: all that miss a value are told in one go. */
function absentSecrets(raw: unknown, secrets: Secrets): Problem[] {
  const collected: Problem[] = [];
  const visit = (value: unknown, path: (string | number)[]) => {
    if (typeof value === 'string') {
      if (!secretField().safeParse(value).success) return;
      if (secrets.resolve({ secret: value.slice(1) }) !== null) return;
      collected.push({ path: pathText(path), message: missingText(value.slice(1)) });
    } else if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) visit(item, [...path, index]);
    } else {
      for (const [key, item] of entriesOf(value)) visit(item, [...path, key]);
    }
  };
  for (const field of ['journal', 'sources', 'slack', 'channels', 'dead_man', 'tokens', 'hooks'])
    visit(fieldOf(raw, field), [field]);
  return collected;
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);
}

function listenProblems(raw: unknown): Problem[] {
  const host = fieldOf(fieldOf(raw, 'listen'), 'host');
  if (typeof host !== 'string' || isLoopback(host)) return [];
  if (itemsOf(fieldOf(raw, 'tokens')).length > 0) return [];
  const wanted =
    'a loopback address such as 127.0.0.1, because without tokens anybody who reaches ' +
    'the port can roll back; add tokens, or listen on loopback';
  return [problem(['listen', 'host'], found(host), wanted)];
}

function tokenNameProblems({ tokens }: ConfigInput): Problem[] {
  return tokens.flatMap(({ name }, index) =>
    tokens.findIndex((other) => other.name === name) === index
      ? []
      : [problem(['tokens', index, 'name'], `the name ${name} a second time`, 'each name once')],
  );
}

/** `aurora.test.yaml` lies beside `aurora.yaml` and is for `canaryd test`. */
function isCaseFile(name: string): boolean {
  return /\.test\.ya?ml$/i.test(name);
}

function policyFiles(raw: unknown, directory: string, report: (problem: Problem) => void) {
  const files = new Set<string>();
  for (const [index, pattern] of itemsOf(fieldOf(raw, 'policies')).entries()) {
    if (typeof pattern !== 'string') continue;
    const matched = globSync(pattern, { cwd: directory })
      .filter((name) => !isCaseFile(name))
      .map((name) => resolve(directory, name));
    if (matched.length === 0) {
      const wanted = 'a pattern that matches a file, relative to this file; correct it';
      report(problem(['policies', index], found(pattern), wanted));
    }
    for (const name of matched.toSorted()) files.add(name);
  }
  if (files.size > POLICIES_MAX) {
    report(problem(['policies'], `${files.size} files`, `at most ${POLICIES_MAX}`));
  }
  return [...files].slice(0, POLICIES_MAX);
}

/** What a policy asks of its source, against what the config says of it. */
function sourceProblems(policy: Policy, rawConfig: unknown): Problem[] {
  const sources = new Map(entriesOf(fieldOf(rawConfig, 'sources')));
  const source = sources.get(policy.source);
  if (source === undefined) {
    const names = [...sources.keys()];
    const advice = didYouMean(policy.source, names);
    const wanted = `a source of the config (${names.join(', ')})${advice}`;
    return [problem(['source'], found(policy.source), wanted)];
  }
  if (fieldOf(source, 'scrape') === undefined) return [];
  return Object.values(policy.indicators).flatMap(({ id, kind }) =>
    kind === 'promql'
      ? [
          problem(
            ['indicators', id, 'promql'],
            `promql, while the source ${policy.source} is of kind scrape`,
            'a structured indicator (ratio, quantile, rate, increase, gauge); rewrite ' +
              'it, or use a prometheus source',
          ),
        ]
      : [],
  );
}
