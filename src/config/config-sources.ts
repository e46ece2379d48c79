// The sources of a config alone, for those who judge no policy and tell nobody: what the rest of the
// file lacks here (a secret of Slack, a policy) is no concern of theirs.
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import type { Problem } from '../kit/errors.ts';
import { sourcesSchema } from './config-schema.ts';
import { configInvalid, type SourceConfig, toSource } from './daemon-config.ts';
import { fieldOf } from './policy-draft.ts';
import { schemaProblems } from './problems.ts';
import { createSecrets } from './secrets.ts';
import { readYaml } from './yaml-file.ts';

const schema = z.object({ sources: sourcesSchema });

export type ConfigSources = {
  readonly names: readonly string[];
  /** Null: there is none. Throws CanarydError('config_invalid') when a secret of it has no value. */
  find(name: string): SourceConfig | null;
};

/** Throws CanarydError('config_invalid') with the mistakes of the file and of its sources. */
export function loadConfigSources(
  path: string,
  options: Pick<Parameters<typeof createSecrets>[0], 'env' | 'onRead'>,
): ConfigSources {
  const directory = dirname(resolve(path));
  const invalid = (problems: readonly Problem[]) => {
    const count = `${problems.length} problem${problems.length === 1 ? '' : 's'}`;
    return configInvalid(`${path}: ${count}`, problems);
  };
  const yaml = readYaml(path);
  if (yaml.kind === 'problems') throw invalid(yaml.problems);
  const parsed = schema.safeParse({ sources: fieldOf(yaml.value, 'sources') });
  if (!parsed.success) throw invalid(schemaProblems(parsed.error, yaml.value));
  const { sources } = parsed.data;
  const secretsDir = fieldOf(fieldOf(yaml.value, 'secrets'), 'directory');
  const secrets = createSecrets({
    ...options,
    ...(typeof secretsDir === 'string' ? { dir: resolve(directory, secretsDir) } : {}),
  });
  const find = (name: string) => {
    const source = Object.hasOwn(sources, name) ? sources[name] : undefined;
    if (source === undefined) return null;
    const problems: Problem[] = [];
    const made = toSource(source, ['sources', name], { directory, secrets, problems });
    if (problems.length > 0) throw invalid(problems);
    return made;
  };
  return { names: Object.keys(sources), find };
}
