// Config and policy of a rehearsal, as files for a real daemon. Before they are written every address
// in them is looked at: nothing but this machine is ever asked, and no command is run.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PolicyInput } from '../config/policy-schema.ts';
import { problemsText } from '../config/problems.ts';
import { readPolicy } from '../config/to-policy.ts';
import type { Policy } from '../core/policy.ts';
import type { DemoFiles } from '../demo/demo-files.ts';
import type { Ops } from '../demo/ops.ts';
import { SIGNING_KEY, SOURCE } from './rehearsal.ts';

export type Rehearsed =
  | { readonly kind: 'policy'; readonly policy: Policy }
  | { readonly kind: 'refused'; readonly text: string };

/**
 * The policy as the daemon will read it.
 * @param own origins of this rehearsal; any other, also on this machine, is the author's
 */
export function rehearsedPolicy(
  input: PolicyInput,
  file: string,
  name: string,
  own: readonly string[],
): Rehearsed {
  const read = readPolicy(JSON.parse(JSON.stringify(input)), name);
  if (read.kind === 'problems') {
    const text = `${problemsText(`${file}, made shorter`, read.problems)}\nTry --speed or --windows.`;
    return { kind: 'refused', text };
  }
  const outside = outsideOf(read.policy, own);
  if (outside.length > 0) throw new Error(`not replaced: ${outside.join(', ')}`);
  return read;
}

/** What of a policy would reach something that is not of this rehearsal, or run something. */
export function outsideOf(policy: Policy, own: readonly string[]): readonly string[] {
  const urls = [
    ...Object.values(policy.indicators).flatMap((one) => (one.kind === 'http' ? [one.url] : [])),
    // A path is no address of ours.
    ...Object.values(policy.indicators).flatMap((one) =>
      one.kind === 'audit_log' ? [one.report] : [],
    ),
    ...policy.actions.flatMap(({ via }) => (via.kind === 'webhook' ? [via.url] : [])),
  ];
  const commands = policy.actions.filter(({ via }) => via.kind === 'command');
  return [
    ...urls.filter((url) => !URL.canParse(url) || !own.includes(new URL(url).origin)),
    ...commands.map(({ name }) => `the command of ${name}`),
    ...(policy.source === SOURCE ? [] : [`the source ${policy.source}`]),
  ];
}

export async function writeFiles(options: {
  readonly folder: string;
  readonly input: PolicyInput;
  readonly name: string;
  readonly metricsUrl: string;
  readonly prometheusUrl: string | null;
  readonly ops: Ops;
}): Promise<DemoFiles> {
  const { folder, input, name, metricsUrl, prometheusUrl, ops } = options;
  await mkdir(join(folder, 'policies'), { recursive: true });
  const source =
    prometheusUrl === null
      ? { scrape: { targets: [metricsUrl] } }
      : { prometheus: { url: prometheusUrl } };
  const config = {
    listen: { host: '127.0.0.1', port: 0 },
    journal: { sqlite: { path: join(folder, 'canaryd.db') } },
    policies: ['policies/*.yaml'],
    sources: { [SOURCE]: source },
    stand_by: { every: '1s' },
    slack: { webhook: '$SIMULATE_SLACK' },
  };
  // JSON is YAML, too.
  const write = (path: string, content: unknown) =>
    writeFile(join(folder, path), JSON.stringify(content, null, 2));
  await write('policies/policy.yaml', { ...input, name });
  await write('canaryd.yaml', config);
  return {
    configPath: join(folder, 'canaryd.yaml'),
    logPath: join(folder, 'canaryd.log'),
    // Nothing of the author's own environment: no secret can be found by its name.
    env: { SIMULATE_SLACK: ops.slackUrl, [SIGNING_KEY]: ops.secret },
  };
}
