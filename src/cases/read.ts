// A file of cases: all of it with its policy, or every mistake at once.
import { dirname, relative, resolve } from 'node:path';
import { type CaseInput, type CasesInput, casesSchema, UNTIL_MAX } from '../config/case-schema.ts';
import { ms } from '../config/fields.ts';
import { checkPolicyFile } from '../config/load.ts';
import { checkParameters } from '../config/parameters.ts';
import { found, type Path, problem, schemaProblems, uniqueProblems } from '../config/problems.ts';
import { readYaml } from '../config/yaml-file.ts';
import type { Policy } from '../core/policy.ts';
import { formatDuration } from '../core/quantity.ts';
import type { Problem } from '../kit/errors.ts';
import type { Case, CaseFile } from './case.ts';
import { deedOf, type Happening, happeningOf, WANTED_DEED } from './happening.ts';
import { type ExpectContext, readExpects, readNever } from './read-expects.ts';
import { bucketsOf, idsOf, readWorld, seriesOf, valuesOf, type World } from './read-world.ts';
import { parseSpan } from './time.ts';

const DEFAULT_AT = '2026-01-01T12:00:00Z';

export type CaseFileResult =
  | { readonly kind: 'file'; readonly file: CaseFile }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

export function readCaseFile(path: string): CaseFileResult {
  const yaml = readYaml(path);
  if (yaml.kind === 'problems') return yaml;
  const parsed = casesSchema.safeParse(yaml.value);
  const problems: Problem[] = parsed.success ? [] : schemaProblems(parsed.error, yaml.value);
  const input = parsed.success ? parsed.data : restOf(yaml.value, parsed.error.issues);
  const policyFile = policyFileOf(path, yaml.value);
  const policy = policyFile === null ? null : readPolicyFile(policyFile, problems);
  if (policyFile === null || policy === null || input === null) {
    return { kind: 'problems', problems: uniqueProblems(problems) };
  }
  const everyMs = input.interval === undefined ? policy.intervalMs : ms(input.interval);
  const cases = readCases(input, policy, everyMs, problems);
  if (problems.length > 0) return { kind: 'problems', problems: uniqueProblems(problems) };
  const { source } = input;
  return { kind: 'file', file: { file: path, policyFile, policy, source, everyMs, cases } };
}

/** What is left without the fields that the schema refuses: it may have mistakes of its own. */
function restOf(
  raw: unknown,
  issues: readonly { readonly path: PropertyKey[]; readonly keys?: readonly string[] }[],
): CasesInput | null {
  const copy: unknown = structuredClone(raw);
  for (const { path, keys } of issues) {
    const paths = keys === undefined ? [path] : keys.map((key) => [...path, key]);
    for (const one of paths) remove(copy, one);
  }
  const parsed = casesSchema.safeParse(copy);
  return parsed.success ? parsed.data : null;
}

function remove(from: unknown, path: readonly PropertyKey[]): void {
  let holder: unknown = from;
  for (const part of path.slice(0, -1)) {
    if (typeof holder !== 'object' || holder === null) return;
    holder = (holder as Record<PropertyKey, unknown>)[part];
  }
  const last = path.at(-1);
  if (typeof holder !== 'object' || holder === null || last === undefined) return;
  if (!Array.isArray(holder)) delete (holder as Record<PropertyKey, unknown>)[last];
}

function policyFileOf(path: string, raw: unknown): string | null {
  if (typeof raw !== 'object' || raw === null || !('policy' in raw)) return null;
  return typeof raw.policy === 'string' ? resolve(dirname(path), raw.policy) : null;
}

function readPolicyFile(path: string, problems: Problem[]): Policy | null {
  const result = checkPolicyFile(path);
  if (result.kind === 'policy') return result.policy;
  const shown = relative(process.cwd(), path) || path;
  for (const { path: at, message } of result.problems) {
    problems.push({ path: 'policy', message: `${shown}${at === '' ? '' : `: ${at}`}: ${message}` });
  }
  return null;
}

function readCases(
  input: CasesInput,
  policy: Policy,
  everyMs: number,
  problems: Problem[],
): readonly Case[] {
  const buckets = bucketsOf(input);
  const common = { policy, everyMs, buckets, problems };
  const shared = readWorld(input, { ...common, path: [] });
  const names = new Set<string>();
  return input.cases.map((one, index) => {
    const path = ['cases', index];
    if (names.has(one.name)) {
      problems.push(
        problem([...path, 'name'], `${found(one.name)} a second time`, 'each name once'),
      );
    }
    names.add(one.name);
    const own = readWorld(one, { ...common, path });
    return readCase(input, one, shared, own, { policy, path, problems });
  });
}

type ReadContext = Pick<ExpectContext, 'policy' | 'path' | 'problems'>;

function readCase(
  file: CasesInput,
  input: CaseInput,
  shared: World,
  own: World,
  context: ReadContext,
): Case {
  const { policy, path, problems } = context;
  const values = valuesOf(shared, own);
  for (const kind of ['promql', 'audit_log'] as const) {
    for (const id of idsOf(policy, kind)) {
      if (values.has(id)) continue;
      const example = kind === 'promql' ? '{ 0s: 0, 2m: 600 }' : '{ 0s: 0%, 2m: 5% }';
      const wanted = `its values, such as { ${id}: ${example} }: ${kind} cannot be computed offline`;
      problems.push(problem([...path, 'values', id], 'nothing', wanted));
    }
  }
  const deploy = deployOf(file, input, context);
  const { startedMs } = deploy;
  const happens = readHappens(input, startedMs, path, problems);
  const isPlain = !happens.some(
    ({ deed }) => deed.kind === 'deploy' || (deed.kind === 'human' && deed.verb === 'extends'),
  );
  const newer = happens.flatMap(({ deed }) => (deed.kind === 'deploy' ? [deed.version] : []));
  const expected = { ...context, isPlain, startedMs, versions: [deploy.version, ...newer] };
  const expects = readExpects(input, expected);
  const untilMs = untilOf(input, [...expects, ...happens], startedMs, path, problems);
  const never = readNever(input, untilMs, expected);
  return {
    name: input.name,
    deploy,
    series: seriesOf(shared, own),
    values,
    health: new Map([...shared.health, ...own.health]),
    receivers: { ...shared.receivers, ...own.receivers },
    happens,
    expects,
    never,
    untilMs,
  };
}

function deployOf(
  file: CasesInput,
  input: CaseInput,
  { policy, path, problems }: ReadContext,
): Case['deploy'] {
  const deploy = { ...file.deploy, ...input.deploy };
  const given = { ...file.deploy?.parameters, ...input.deploy?.parameters };
  const checked = checkParameters(policy, given);
  const base: Path = input.deploy?.parameters === undefined ? ['deploy'] : [...path, 'deploy'];
  if (checked.kind === 'problems') {
    for (const { path: at, message } of checked.problems) {
      const [, name = ''] = at.split('.');
      const text = message.replace(/; give it with --param .*$/, '; add it');
      problems.push({ ...problem([...base, 'parameters', name], '', ''), message: text });
    }
  }
  const at = deploy.at ?? DEFAULT_AT;
  const atMs = Date.parse(at);
  if (Number.isNaN(atMs) || !/(Z|[+-]\d\d:\d\d)$/.test(at)) {
    const wanted = 'a time with offset such as 2026-03-01T12:00:00Z';
    problems.push(problem([...base, 'at'], found(at), wanted));
  }
  return {
    version: deploy.version ?? '2.0.0',
    previousVersion: deploy.previous_version ?? '1.0.0',
    parameters: given,
    atMs,
    startedMs: deploy.started === undefined ? 0 : ms(deploy.started),
    mode: deploy.mode ?? null,
  };
}

function readHappens(
  input: CaseInput,
  startedMs: number,
  path: Path,
  problems: Problem[],
): readonly Happening[] {
  return Object.entries(input.happens ?? {}).flatMap(([when, written]) => {
    const texts = typeof written === 'string' ? [written] : written;
    const at = [...path, 'happens', when];
    if (parseSpan(when) === null) {
      const wanted = 'a time since the deploy such as 45s, or from-to such as 2m-10m';
      problems.push(problem(at, `the time ${when}`, wanted));
    }
    return texts.flatMap((text) => {
      const deed = deedOf(text);
      const happening = deed && happeningOf(when, text, deed);
      if (happening === null) {
        if (deed !== null && parseSpan(when) === null) return [];
        const foundText = deed === null ? found(text) : `${found(text)} at ${when}`;
        problems.push(problem(at, foundText, WANTED_DEED));
        return [];
      }
      if (isBefore(happening, startedMs)) {
        const wanted = `a time from ${formatDuration(startedMs)} on, when the watch starts (deploy.started)`;
        problems.push(problem(at, `the time ${when}`, wanted));
      }
      return [happening];
    });
  });
}

/** An outage of the source may have begun before the watch; nobody does anything to no watch. */
function isBefore({ deed, fromMs, untilMs }: Happening, startedMs: number): boolean {
  const isOutage = deed.kind === 'source_down' || deed.kind === 'source_rejects';
  return (isOutage ? untilMs : fromMs) < startedMs;
}

function untilOf(
  input: CaseInput,
  spans: readonly { readonly untilMs: number }[],
  startedMs: number,
  path: Path,
  problems: Problem[],
): number {
  const named = Math.max(0, ...spans.map(({ untilMs }) => untilMs));
  const times = Object.keys(input.expect ?? {});
  if (times.length === 0 && input.never === undefined) {
    const wanted = 'expect or never: without them no case can fail; add { 2m: { watch: stopped } }';
    problems.push(problem([...path, 'expect'], 'nothing', wanted));
  } else if (input.until === undefined && times.length === 0) {
    problems.push(
      problem([...path, 'until'], 'nothing', 'the end of the case, such as 20m; add it'),
    );
  }
  const untilMs = input.until === undefined ? named : ms(input.until);
  if (untilMs > ms(UNTIL_MAX) || named > untilMs) {
    const wanted = `at most ${named > untilMs ? formatDuration(untilMs) : UNTIL_MAX}, the end of the case`;
    problems.push(problem([...path, 'expect'], `the time ${formatDuration(named)}`, wanted));
  }
  if (input.until !== undefined && untilMs < startedMs) {
    const wanted = `at least ${formatDuration(startedMs)}, when the watch starts (deploy.started)`;
    problems.push(problem([...path, 'until'], found(input.until), wanted));
  }
  return untilMs;
}
