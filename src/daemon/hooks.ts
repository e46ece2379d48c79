// Joins the hooks of the config with what the policies ask for.
import type { HookConfig, HooksConfig } from '../config/hooks.ts';
import type { Policy } from '../core/policy.ts';
import type { HookSetup, HookSetups } from '../http/hook-setup.ts';

export function hookSetups(config: HooksConfig, policies: readonly Policy[]): HookSetups {
  return {
    kinds: {
      github: setup(config.github),
      gitlab: setup(config.gitlab),
      cdevents: setup(config.cdevents),
      generic: setup(config.generic),
    },
    parametersOf: (service) => {
      const own = policies.filter((policy) => policy.service === service);
      return new Set(own.flatMap((policy) => Object.keys(policy.parameters)));
    },
  };
}

function setup(config: HookConfig | null): HookSetup | null {
  if (config === null) return null;
  const { secret, services, environments, parameters } = config;
  return {
    settings: { services, environments },
    secret: secret === null ? null : () => secret.reveal(),
    parameters,
  };
}
