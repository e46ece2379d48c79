// What is rehearsed, decided before anything is started: the policy, its parameters, the condition
// that goes wrong, and which service shows it. Everything that cannot be shown is refused here.
import { checkParameters } from '../config/parameters.ts';
import { type PolicyInput, policySchema } from '../config/policy-schema.ts';
import { problemsText } from '../config/problems.ts';
import { policyNameOf, readPolicy } from '../config/to-policy.ts';
import { readYaml } from '../config/yaml-file.ts';
import type { Condition, ParameterSpec, Policy } from '../core/policy.ts';
import { type TemplateValues, templateValues } from '../core/template.ts';
import { conditionSentence } from '../core/wording.ts';
import { AURORA_PARAMETERS, auroraFault, isAurora } from './aurora.ts';
import { failures, planOf } from './plan.ts';
import { withStandIns } from './stand-in.ts';
import type { Parameters } from './targets.ts';

export const OLD = '2.0.0';
export const NEW = '2.1.0';

export type Scene = {
  /** With stand-ins for PromQL and audit logs, as is the policy. */
  readonly input: PolicyInput;
  readonly policy: Policy;
  readonly parameters: Parameters;
  /** Parameters that nobody gave. */
  readonly invented: readonly string[];
  readonly environment: string;
  readonly isAurora: boolean;
  /** Indicators whose PromQL a gauge stands for. */
  readonly promql: readonly string[];
  /** Indicators whose audit log a gauge stands for. */
  readonly logs: readonly string[];
};

export type Refused = { readonly kind: 'refused'; readonly text: string };
export type SceneResult = { readonly kind: 'scene'; readonly scene: Scene } | Refused;

const refuse = (text: string): Refused => ({ kind: 'refused', text });

export async function readScene(
  file: string,
  given: Readonly<Record<string, number | string>>,
): Promise<SceneResult> {
  const yaml = readYaml(file);
  if (yaml.kind === 'problems') return refuse(problemsText(file, yaml.problems));
  const read = readPolicy(yaml.value, policyNameOf(file));
  if (read.kind === 'problems') return refuse(problemsText(file, read.problems));
  // Parsed: every default is filled in.
  const standing = withStandIns(policySchema.parse(yaml.value), read.policy);
  const { input, policy, promql, logs } = standing;
  const isDemo = await isAurora(policy);
  const invented = inventedFor(policy, given, isDemo ? AURORA_PARAMETERS : {});
  const checked = checkParameters(policy, { ...invented, ...given });
  if (checked.kind === 'problems') return refuse(problemsText(file, checked.problems));
  return {
    kind: 'scene',
    scene: {
      input,
      policy,
      parameters: checked.values,
      invented: Object.entries(invented).map(([name, value]) => `${name}=${value}`),
      environment: policy.environment ?? 'simulation',
      isAurora: isDemo,
      promql,
      logs,
    },
  };
}

/** For parameters without a default that the caller did not give either. */
function inventedFor(
  policy: Policy,
  given: Readonly<Record<string, unknown>>,
  known: Parameters,
): Record<string, number | string> {
  const missing = Object.entries(policy.parameters).filter(
    ([name, spec]) => spec.default === null && !Object.hasOwn(given, name),
  );
  return Object.fromEntries(missing.map(([name, spec]) => [name, known[name] ?? inBounds(spec)]));
}

function inBounds({ type, above, atLeast }: ParameterSpec): number | string {
  if (type === 'string') return 'simulated';
  return (above ?? atLeast ?? 0) + 100;
}

export function valuesOf(
  { policy, parameters, environment }: Scene,
  version: string,
): TemplateValues {
  const deploy = {
    ...{ service: policy.service, environment, version, parameters, previousVersion: OLD },
    ...{ deployedAtMs: 0, by: null, url: null },
  };
  return templateValues(deploy, 'w_simulated');
}

/** What can be made to go wrong, and why not where it cannot. */
export function faultsOf(
  scene: Scene,
): readonly { readonly condition: Condition; readonly why: string | null }[] {
  if (!scene.isAurora) return failures(scene.policy, scene.parameters, valuesOf(scene, NEW));
  return scene.policy.conditions
    .filter(({ role }) => role === 'stop' || role === 'warn')
    .map((condition) => ({
      condition,
      why: auroraFault(condition) === null ? 'the demo service has no such fault' : null,
    }));
}

export type Chosen = { readonly kind: 'chosen'; readonly fault: Condition | null } | Refused;

/** @param name a condition, an indicator, or null: the first stop condition that can be shown */
export function chooseFault(scene: Scene, name: string | null, isHealthy: boolean): Chosen {
  if (isHealthy) {
    if (!scene.policy.conditions.some(({ role }) => role === 'pass')) {
      return refuse('The policy has no pass condition: a healthy deploy would end inconclusive.');
    }
    if (scene.isAurora) return { kind: 'chosen', fault: null };
    const plan = planOf(scene.policy, scene.parameters, valuesOf(scene, NEW), null);
    return plan.kind === 'refused' ? refuse(plan.why) : { kind: 'chosen', fault: null };
  }
  const known = faultsOf(scene);
  const isNamed = ({ id, indicator }: Condition) => id === name || indicator === name;
  const meant = known.filter(({ condition }) =>
    name === null ? condition.role === 'stop' : isNamed(condition),
  );
  if (meant.length === 0) {
    const list = known.map(({ condition }) => condition.id).join(', ');
    return refuse(`--fault: found ${JSON.stringify(name)}, wanted one of: ${list}`);
  }
  // Of an indicator with several conditions the one that stops.
  const ordered = meant.toSorted(
    (a, b) => Number(a.condition.role === 'warn') - Number(b.condition.role === 'warn'),
  );
  const possible = ordered.find(({ why }) => why === null);
  if (possible !== undefined) return { kind: 'chosen', fault: possible.condition };
  const whys = ordered.map(
    ({ condition, why }) => `\n  ${conditionSentence(condition, scene.policy)}: ${why}`,
  );
  return refuse(`It cannot be made to go wrong:${whys.join('')}`);
}
