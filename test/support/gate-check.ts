// One check of a gate, from what is written to its result: through the schema of its kind and the
// registry, with the time limit that the gate gives it.
import { CHECK_KINDS, checkSchema } from '../../src/config/gate-checks/all.ts';
import { schemaProblems } from '../../src/config/problems.ts';
import { createSecrets } from '../../src/config/secrets.ts';
import type { CheckResult } from '../../src/gate/check.ts';
import { type GateSource, MAKERS, type MadeCheck } from '../../src/gate/kinds.ts';
import { systemClock } from '../../src/kit/clock.ts';

export type CheckSetup = {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly folder?: string;
  readonly sources?: Readonly<Record<string, GateSource>>;
  readonly values?: Readonly<Record<string, string>>;
  /** Instead of the check's own. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

/** What is wrong with a check as it is written: `path: message`. */
export function problemsOf(written: object): readonly string[] {
  const parsed = checkSchema.safeParse(written);
  if (parsed.success) return [];
  return schemaProblems(parsed.error, written).map(({ path, message }) => `${path}: ${message}`);
}

/** Also a mistake that only the maker finds is thrown, as the file would be refused for it. */
export function made(written: object, setup: CheckSetup = {}): MadeCheck {
  const problems = [...problemsOf(written)];
  if (problems.length > 0) throw new Error(problems.join('\n'));
  const input = checkSchema.parse(written);
  const kind = CHECK_KINDS.find((one) => input[one] !== undefined);
  if (kind === undefined) throw new Error('no kind');
  const { sources = {}, values = {}, env = {} } = setup;
  const make = MAKERS[kind] as (of: unknown, tools: object) => MadeCheck;
  const check = make(input[kind], {
    secrets: createSecrets({ env, dir: '/nonexistent' }),
    sources: { find: (name: string) => sources[name] ?? null, names: () => Object.keys(sources) },
    values: { service: 'aurora', environment: 'testnet', version: 'v2.1.0', ...values },
    report: (path: readonly unknown[], found: string, wanted: string) =>
      problems.push(`${path.join('.')}: found ${found}; wanted ${wanted}`),
  });
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return check;
}

export async function carriedOut(written: object, setup: CheckSetup = {}): Promise<CheckResult> {
  const check = made(written, setup);
  const timeoutMs = setup.timeoutMs ?? check.timeoutMs;
  const limit = AbortSignal.timeout(timeoutMs);
  return check.run({
    clock: systemClock,
    folder: setup.folder ?? process.cwd(),
    env: setup.env ?? {},
    signal: setup.signal === undefined ? limit : AbortSignal.any([limit, setup.signal]),
    timeoutMs,
  });
}
