// A gate file → a gate that can be carried out, for one deploy: all of it, or every mistake at once.
// Asks nobody: sources, files and secrets are looked at when the checks are carried out.

import { createHash } from 'node:crypto';
import { ms } from '../config/fields.ts';
import {
  CHECK_KINDS,
  type CheckInputs,
  type CheckKind,
  checkSchema,
} from '../config/gate-checks/all.ts';
import { type CriterionInput, type GateInput, gateSchema } from '../config/gate-schema.ts';
import { fieldOf, itemsOf } from '../config/policy-draft.ts';
import { found, type Path, problem, schemaProblems, uniqueProblems } from '../config/problems.ts';
import type { Secrets } from '../config/secrets.ts';
import { policyNameOf } from '../config/to-policy.ts';
import { parseYaml, readYamlText } from '../config/yaml-file.ts';
import { type GateDeploy, LEVELS, type Level } from '../core/gate-record.ts';
import { fill, type TemplateValues } from '../core/template.ts';
import type { Problem } from '../kit/errors.ts';
import type { Check } from './check.ts';
import type { Criterion, Gate } from './gate.ts';
import { type GateSources, MAKERS, type MadeCheck, type MakeTools } from './kinds.ts';
import { exemptionsOf, gateProblems, overrideOf, placeholderProblems, ruleOf } from './rules.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const DEFAULT_ENVIRONMENT = 'production';

/** What is decided on, as far as it is said; the gate has the defaults. */
export type AskedDeploy = {
  readonly service: string | null;
  readonly environment: string | null;
  /** null: the gate is only looked at; placeholders that are not known stay as they are. */
  readonly version: string | null;
  readonly parameters: Readonly<Record<string, number | string>>;
};

export type ReadTools = {
  readonly secrets: Secrets;
  readonly sources: GateSources;
  /** Values of secrets that were given out so far, by `secrets` and to `sources`. */
  readonly revealed?: () => readonly string[];
};

export type GateFile = {
  readonly gate: Gate;
  readonly deploy: GateDeploy;
  /** The very bytes that were read; their sha256 is the gate's hash. */
  readonly source: Uint8Array;
  /** Values of secrets that its checks have used so far: they are kept out of all that is written. */
  readonly revealed: () => readonly string[];
};

export type GateResult =
  | ({ readonly kind: 'gate' } & GateFile)
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

/** Never throws. */
export function readGateFile(path: string, asked: AskedDeploy, tools: ReadTools): GateResult {
  const read = readYamlText(path);
  return read.kind === 'problems' ? read : readGate(read.bytes, policyNameOf(path), asked, tools);
}

export function readGate(
  source: Uint8Array,
  fileName: string,
  asked: AskedDeploy,
  tools: ReadTools,
): GateResult {
  const yaml = parseYaml(Buffer.from(source).toString('utf8'));
  if (yaml.kind === 'problems') return yaml;
  const raw = yaml.value;
  const parsed = gateSchema.safeParse(raw);
  const deploy = deployOf(raw, fileName, asked);
  const values = valuesOf(deploy, asked);
  const problems: Problem[] = [
    ...(parsed.success ? [] : schemaProblems(parsed.error, raw)),
    ...gateProblems(raw),
    ...nameProblems(raw, fileName),
    ...(asked.version === null ? [] : placeholderProblems(raw, Object.keys(values))),
  ];
  const made = makeChecks(raw, values, tools, problems);
  if (!parsed.success || problems.length > 0) {
    return { kind: 'problems', problems: uniqueProblems(problems) };
  }
  const input = parsed.data;
  const name = input.name ?? fileName;
  const hash = createHash('sha256').update(source).digest('hex');
  const gate = toGate(input, { name, hash, deploy, values, made });
  return { kind: 'gate', gate, deploy, source, revealed: tools.revealed ?? (() => []) };
}

/** The name becomes a folder of evidence. */
function nameProblems(raw: unknown, fileName: string): Problem[] {
  if (fieldOf(raw, 'name') !== undefined || NAME.test(fileName)) return [];
  const wanted = 'letters, digits, dots, dashes and underscores; set "name" or rename the file';
  return [problem(['name'], `the name of the file, ${found(fileName)}`, wanted)];
}

function deployOf(raw: unknown, fileName: string, asked: AskedDeploy): GateDeploy {
  const written = (field: string) => {
    const value = fieldOf(raw, field);
    return typeof value === 'string' ? value : null;
  };
  const { version, parameters } = asked;
  return {
    service: asked.service ?? written('service') ?? written('name') ?? fileName,
    environment: asked.environment ?? written('environment') ?? DEFAULT_ENVIRONMENT,
    version: version ?? '',
    parameters,
  };
}

function valuesOf(
  { service, environment, version, parameters }: GateDeploy,
  asked: AskedDeploy,
): TemplateValues {
  const own = { ...parameters, service, environment };
  const all = asked.version === null ? own : { ...own, version };
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [name, `${value}`.toWellFormed()]),
  );
}

type Made = ReadonlyMap<string, MadeCheck>;

const keyOf = (level: Level, criterion: number, check: number) => `${level} ${criterion} ${check}`;

/** Also when other fields are wrong: what the kinds find is told together with the rest. */
function makeChecks(
  raw: unknown,
  values: TemplateValues,
  { secrets, sources }: ReadTools,
  problems: Problem[],
): Made {
  const made = new Map<string, MadeCheck>();
  for (const level of LEVELS) {
    const criteria = itemsOf(fieldOf(fieldOf(raw, 'criteria'), level));
    for (const [index, criterion] of criteria.entries()) {
      for (const [at, written] of itemsOf(fieldOf(criterion, 'checks')).entries()) {
        const parsed = checkSchema.safeParse(written);
        const kind = CHECK_KINDS.find((one) => fieldOf(written, one) !== undefined);
        if (!parsed.success || kind === undefined) continue;
        const input = parsed.data[kind];
        if (input === undefined) continue;
        const path: Path = ['criteria', level, index, 'checks', at, kind];
        const report: MakeTools['report'] = (field, foundText, wanted) =>
          problems.push(problem([...path, ...field], foundText, wanted));
        const tools = { secrets, sources, values, report };
        made.set(keyOf(level, index, at), makeOne(kind, input, tools));
      }
    }
  }
  return made;
}

function makeOne<Kind extends CheckKind>(
  kind: Kind,
  input: CheckInputs[Kind],
  tools: MakeTools,
): MadeCheck {
  return MAKERS[kind](input, tools);
}

type Parts = {
  readonly name: string;
  readonly hash: string;
  readonly deploy: GateDeploy;
  readonly values: TemplateValues;
  readonly made: Made;
};

function toGate(input: GateInput, { name, hash, deploy, values, made }: Parts): Gate {
  return {
    name,
    title: input.title,
    service: deploy.service,
    environment: deploy.environment,
    criteria: LEVELS.flatMap((level) =>
      (input.criteria[level] ?? []).map((one, index) => toCriterion(one, level, index, made)),
    ),
    rule: ruleOf(input.decision),
    override: overrideOf(input.override),
    exemptions: exemptionsOf(input),
    next: input.next === undefined ? null : fill(input.next, values, shellWord),
    timeoutMs: ms(input.timeout),
    checksAtOnce: input.at_once,
    hash,
  };
}

/** The next step is pasted into a shell: a version may not become a command there. */
function shellWord(value: string): string {
  return /^[A-Za-z0-9._:/@%+=,-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}

function toCriterion(input: CriterionInput, level: Level, index: number, made: Made): Criterion {
  const { id, title, section = null, sign_off: one, sign_offs: more = [] } = input;
  const signOffs = [...(one === undefined ? [] : [one]), ...more];
  return {
    ...{ id, title, section, level },
    checks: withIds(
      (input.checks ?? []).flatMap((_, at) => made.get(keyOf(level, index, at)) ?? []),
    ),
    signOffs: signOffs.map(({ role, statement = title, valid_for: validFor }) => ({
      ...{ role, statement },
      validForMs: ms(validFor),
    })),
  };
}

/** `coverage`, `coverage_2`, … */
function withIds(checks: readonly MadeCheck[]): readonly Check[] {
  const counts = new Map<string, number>();
  return checks.map((check) => {
    const count = (counts.get(check.kind) ?? 0) + 1;
    counts.set(check.kind, count);
    return { ...check, id: count === 1 ? check.kind : `${check.kind}_${count}` };
  });
}

/** For `--only`: what is not an id of the gate is said. */
export function unknownIds(gate: Gate, ids: readonly string[]): readonly Problem[] {
  const known = gate.criteria.map(({ id }) => id);
  return ids
    .filter((id) => !known.includes(id))
    .map((id) => problem(['--only'], found(id), `one of ${known.join(', ')}`));
}
