// `check`: reads policies or the config offline and says what they mean, or every mistake at once.
import { checkPolicyFile, loadConfig } from '../config/load.ts';
import { problemsText } from '../config/problems.ts';
import { readYaml } from '../config/yaml-file.ts';
import type { Policy } from '../core/policy.ts';
import { formatDuration } from '../core/quantity.ts';
import { conditionSentence } from '../core/wording.ts';
import { CanarydError, type Problem } from '../kit/errors.ts';
import { queryOf } from '../source/promql.ts';
import { EXIT, type ExitCode } from './exit.ts';
import type { CliIo, Output } from './output.ts';
import { DEFAULT_CONFIG } from './parse.ts';

type Checked = {
  readonly file: string;
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
  readonly policies: readonly Policy[];
};

export function checkFiles(io: CliIo, output: Output, files: readonly string[]): ExitCode {
  const wanted = files.length === 0 ? [DEFAULT_CONFIG] : files;
  const checked = wanted.map((file) => checkFile(file, io.env));
  const isValid = checked.every(({ problems }) => problems.length === 0);
  if (output.isJson) {
    output.json({ ok: isValid, files: checked.map(fileJson) });
  } else {
    for (const { file, problems, warnings, policies } of checked) {
      if (problems.length > 0) output.error(problemsText(file, problems));
      for (const policy of policies) output.line(policyText(file, policy));
      for (const warning of warnings) output.error(`${file}: ${warning}`);
    }
  }
  return isValid ? EXIT.passed : EXIT.usage;
}

function checkFile(file: string, env: CliIo['env']): Checked {
  if (!isConfig(file)) {
    const result = checkPolicyFile(file);
    return result.kind === 'policy'
      ? { file, problems: [], warnings: [], policies: [result.policy] }
      : { file, problems: result.problems, warnings: [], policies: [] };
  }
  try {
    const { policies, missingSecrets } = loadConfig(file, { env });
    const warnings = missingSecrets.map(
      ({ policy, secrets }) => `policy ${policy} cannot act without ${secrets.join(', ')}`,
    );
    return { file, problems: [], warnings, policies };
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

function indicatorsOf(policy: Policy) {
  return Object.values(policy.indicators).map((indicator) => ({
    id: indicator.id,
    title: indicator.title,
    reads: queryOf(indicator),
  }));
}

function conditionsOf(policy: Policy) {
  const verify = policy.verify?.conditions ?? [];
  return [...policy.conditions, ...verify].map((condition) => ({
    id: condition.id,
    sentence: conditionSentence(condition, policy),
  }));
}

function policyText(file: string, policy: Policy): string {
  const { name, service, environment, source, intervalMs, mode } = policy;
  const where = environment === null ? 'any environment' : environment;
  const every = formatDuration(intervalMs);
  return [
    `${file}: policy ${name} is valid`,
    `  ${service} in ${where}, from ${source} every ${every}, ${mode}`,
    ...indicatorsOf(policy).flatMap(({ id, title, reads }) => [
      `  ${id} (${title})`,
      `    ${reads}`,
    ]),
    ...conditionsOf(policy).map(({ sentence }) => `  ${sentence}`),
    ...policy.actions.map((action) => `  Then ${action.name}, by ${action.via.kind}`),
  ].join('\n');
}

function fileJson({ file, problems, warnings, policies }: Checked) {
  return {
    file,
    problems,
    warnings,
    policies: policies.map((policy) => ({
      name: policy.name,
      service: policy.service,
      indicators: indicatorsOf(policy),
      conditions: conditionsOf(policy),
    })),
  };
}
