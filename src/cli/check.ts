// `check`: what policies or the config mean and every mistake in them; findings about what will go
// wrong; and with --live what their source says of them right now.
import { CATALOGUE } from '../check/catalogue.ts';
import { countOf, type Finding } from '../check/finding.ts';
import { type LiveReport, lookAt } from '../check/live/look.ts';
import { staticFindings } from '../check/static.ts';
import { subjectOf } from '../check/subject.ts';
import { withWaivers } from '../check/waivers.ts';
import { FINDING_NAMES, LIVE_FINDINGS } from '../config/finding-names.ts';
import { checkPolicyFile, loadConfig } from '../config/load.ts';
import { readYaml } from '../config/yaml-file.ts';
import type { Policy } from '../core/policy.ts';
import { CanarydError } from '../kit/errors.ts';
import { createLive, type Live, type LiveChoice } from './check-live.ts';
import {
  type Checked,
  type CheckedPolicy,
  checkText,
  githubText,
  reportJson,
} from './check-output.ts';
import { EXIT, type ExitCode, usage } from './exit.ts';
import type { CliIo, Output } from './output.ts';
import { DEFAULT_CONFIG } from './parse.ts';

export type CheckOptions = LiveChoice & {
  readonly strict?: boolean;
  readonly format?: string;
  readonly live?: boolean;
  readonly listFindings?: boolean;
};

/** A policy file, or a config with all its policies. */
type Read = Omit<Checked, 'policies'> & {
  readonly policies: readonly { readonly file: string; readonly policy: Policy }[];
};

export async function checkFiles(
  io: CliIo,
  output: Output,
  files: readonly string[],
  options: CheckOptions = {},
): Promise<ExitCode> {
  if (options.listFindings === true) return listFindings(output);
  refuseNonsense(options, output.isJson);
  const wanted = files.length === 0 ? [DEFAULT_CONFIG] : files;
  const read = wanted.map((file) => readFile(file, io.env));
  const config = wanted.find((file) => isConfig(file)) ?? null;
  const isLive = options.live === true || options.prometheus !== undefined;
  const isValid = read.every(({ problems }) => problems.length === 0);
  const policies = read.flatMap((one) => one.policies.map(({ policy }) => policy));
  const live = isLive && isValid ? createLive(io, policies, config, options) : null;
  const checked: Checked[] = [];
  for (const one of read) {
    const own: CheckedPolicy[] = [];
    for (const { file, policy } of one.policies) {
      output.live(`${policy.name}: asking ${policy.source} …`);
      own.push(await checkPolicy(file, policy, live));
    }
    checked.push({ ...one, policies: own });
  }
  if (io.signal.aborted) return EXIT.interrupted;
  const code = exitCodeOf(checked, options.strict === true);
  if (output.isJson) output.json(reportJson(checked, code === EXIT.passed));
  else if (options.format === 'github') output.raw(githubText(checked));
  else checkText(output, checked);
  return code;
}

async function checkPolicy(
  file: string,
  policy: Policy,
  live: Live | null,
): Promise<CheckedPolicy> {
  const yaml = readYaml(file);
  const subject = subjectOf(policy, yaml.kind === 'value' ? yaml.value : null);
  const report = live === null ? null : await lookAt(subject, live.optionsFor(policy));
  const all = [...unsettled(staticFindings(subject), report), ...(report?.findings ?? [])];
  const findings = withWaivers(subject, all, report !== null && report.dead === null);
  return { file, subject, findings, live: report };
}

/** Where the source knows the kind of a metric, its name says nothing more. */
function unsettled(findings: readonly Finding[], report: LiveReport | null): readonly Finding[] {
  return findings.filter(
    ({ name, indicator }) =>
      name !== 'counter-as-gauge' || !report?.settled.some((id) => id === indicator),
  );
}

function readFile(file: string, env: CliIo['env']): Read {
  if (!isConfig(file)) {
    const result = checkPolicyFile(file);
    return result.kind === 'policy'
      ? { file, problems: [], warnings: [], policies: [{ file, policy: result.policy }] }
      : { file, problems: result.problems, warnings: [], policies: [] };
  }
  try {
    const { policies, files, missingSecrets } = loadConfig(file, { env });
    const warnings = missingSecrets.map(
      ({ policy, secrets }) => `policy ${policy} cannot act without ${secrets.join(', ')}`,
    );
    const named = policies.map((policy, index) => ({ policy, file: files[index + 1] ?? file }));
    return { file, problems: [], warnings, policies: named };
  } catch (error) {
    if (!(error instanceof CanarydError)) throw error;
    const problems =
      error.problems.length > 0 ? error.problems : [{ path: '', message: error.message }];
    return { file, problems, warnings: [], policies: [] };
  }
}

/** A config names policies or sources; a policy names a service and its indicators. */
function isConfig(file: string): boolean {
  const yaml = readYaml(file);
  if (yaml.kind !== 'value' || typeof yaml.value !== 'object' || yaml.value === null) return false;
  const keys = Object.keys(yaml.value);
  return !keys.includes('indicators') && (keys.includes('policies') || keys.includes('sources'));
}

function exitCodeOf(checked: readonly Checked[], isStrict: boolean): ExitCode {
  if (checked.some(({ problems }) => problems.length > 0)) return EXIT.usage;
  const policies = checked.flatMap((one) => one.policies);
  if (policies.some(({ live }) => live !== null && live.dead !== null)) return EXIT.unreachable;
  const findings = policies.flatMap((one) => one.findings);
  const isBad = countOf(findings, 'error') > 0 || (isStrict && countOf(findings, 'warning') > 0);
  return isBad ? EXIT.stopped : EXIT.passed;
}

function listFindings(output: Output): ExitCode {
  const live: ReadonlySet<string> = new Set(LIVE_FINDINGS);
  const entries = FINDING_NAMES.map((name) => ({
    ...{ name, ...CATALOGUE[name] },
    live: live.has(name),
  }));
  if (output.isJson) output.json(entries);
  for (const { name, level, live: needsSource, what, fix } of output.isJson ? [] : entries) {
    output.line(`${name} (${level}${needsSource ? ', --live' : ''})`);
    output.line(`  ${what}\n  ${fix}`);
  }
  return EXIT.passed;
}

/** What the options say together. */
function refuseNonsense(
  { format, live, prometheus, param, version }: CheckOptions,
  isJson: boolean,
) {
  if (isJson && format === 'github') throw usage('--json and --format github exclude each other');
  const isLive = live === true || prometheus !== undefined;
  if (!isLive && (param !== undefined || version !== undefined)) {
    throw usage('--param and --version: found them without --live, which they are for; add --live');
  }
}
