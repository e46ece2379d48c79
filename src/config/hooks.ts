// The `hooks` section after validation, and what only shows beside the policies: a service that no
// policy serves would never be watched, and nobody would be told.
import type { Policy } from '../core/policy.ts';
import type { Problem } from '../kit/errors.ts';
import { signingKeys } from '../kit/signature.ts';
import type { HooksInput } from './hook-schema.ts';
import { didYouMean, found, type Path, problem } from './problems.ts';
import type { Secret } from './secrets.ts';

export type HookConfig = {
  /** Always there for github and gitlab. */
  readonly secret: Secret | null;
  /** Name at the sender to service. */
  readonly services: Readonly<Record<string, string>>;
  /** null: all. */
  readonly environments: readonly string[] | null;
  readonly parameters: Readonly<Record<string, number | string>>;
};

const KINDS = ['github', 'gitlab', 'cdevents', 'generic'] as const;
export type HooksConfig = Readonly<Record<(typeof KINDS)[number], HookConfig | null>>;

type SecretAt = (written: string, path: Path, wrong: (value: string) => string | null) => Secret;

export function toHooks(input: HooksInput | undefined, secretAt: SecretAt): HooksConfig {
  const toHook = (kind: (typeof KINDS)[number]): HookConfig | null => {
    const hook = input?.[kind];
    if (hook === undefined) return null;
    const { secret, services, environments, parameters } = hook;
    // Only GitHub takes any text as its key; the others may be handed a whsec_ key.
    const wrong = kind === 'github' ? secretProblem : signingSecretProblem;
    return {
      secret: secret === undefined ? null : secretAt(secret, ['hooks', kind, 'secret'], wrong),
      services,
      environments: environments ?? null,
      parameters,
    };
  };
  return {
    github: toHook('github'),
    gitlab: toHook('gitlab'),
    cdevents: toHook('cdevents'),
    generic: toHook('generic'),
  };
}

/** Whoever guesses the secret can start watches, and a watch can end the one of another version. */
function secretProblem(value: string): string | null {
  const parts = value.split(/\s+/).filter((part) => part !== '');
  const isFit = parts.length > 0 && parts.every((part) => /^[\x21-\x7e]{16,512}$/.test(part));
  return isFit ? null : '16 to 512 characters without blanks, from a generator';
}

function signingSecretProblem(value: string): string | null {
  if (signingKeys(value) === null) return 'after whsec_ a key in base64, as the sender shows it';
  return secretProblem(value);
}

/** Names in `hooks` that no policy knows. Nothing to say while there are no policies. */
export function hookProblems(hooks: HooksConfig, policies: readonly Policy[]): readonly Problem[] {
  if (policies.length === 0) return [];
  const served = [...new Set(policies.map(({ service }) => service))];
  const asked = [...new Set(policies.flatMap((policy) => Object.keys(policy.parameters)))];
  return KINDS.flatMap((kind) => {
    const { services = {}, parameters = {} } = hooks[kind] ?? {};
    return [
      ...Object.entries(services)
        .filter(([, service]) => !served.includes(service))
        .map(([name, service]) => {
          const wanted = `a service of a policy (${served.join(', ')})`;
          const advice = didYouMean(service, served);
          return problem(['hooks', kind, 'services', name], found(service), wanted + advice);
        }),
      ...Object.keys(parameters)
        .filter((name) => !asked.includes(name))
        .map((name) => {
          const wanted = `a parameter of a policy (${asked.join(', ') || 'there are none'})`;
          const path = ['hooks', kind, 'parameters', name];
          return problem(path, `the name ${name}`, wanted + didYouMean(name, asked));
        }),
    ];
  });
}
