// Reads the scenario files: YAML that an operator can read → what the runner plays.
// The policy is read by the program's own reader, so that a scenario cannot use words that a
// policy could not.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import { readPolicy } from '../../src/config/to-policy.ts';
import type { Policy } from '../../src/core/policy.ts';
import { parseDuration, parseQuantity } from '../../src/core/quantity.ts';
import { BLIND_REASONS, type Reading } from '../../src/core/sample.ts';

const FOLDER = fileURLToPath(new URL('../scenario/', import.meta.url));

type Mapping = Readonly<Record<string, unknown>>;

/** Readings from this time since the deploy on; an indicator keeps its last one. */
export type Step = {
  readonly fromMs: number;
  readonly readings: Readonly<Record<string, Reading | 'no answer'>>;
};

/** Something that happens beside the readings; `untilMs` for what lasts. */
export type Happening = {
  readonly atMs: number;
  readonly untilMs: number | null;
  readonly text: string;
};

export type Scenario = {
  readonly file: string;
  /** Number of the rule of judgement, or `telling`, `acting`. */
  readonly rule: string;
  readonly says: string;
  readonly policy: Policy;
  readonly deploy: {
    readonly version: string;
    readonly previous: string | null;
    readonly startedMs: number;
    readonly parameters: Readonly<Record<string, number | string>>;
  };
  readonly before: Readonly<Record<string, Reading>>;
  readonly steps: readonly Step[];
  readonly happens: readonly Happening[];
  readonly untilMs: number;
  readonly expect: readonly string[];
  /** What somebody is told at a time: parts of the message, in order. */
  readonly messages: readonly { readonly atMs: number; readonly text: string }[];
};

export function readScenarios(): readonly Scenario[] {
  const files = readdirSync(FOLDER).filter(
    (name) => name.endsWith('.yaml') && name !== 'common.yaml',
  );
  return files.sort().flatMap((file) =>
    parseAllDocuments(readFileSync(`${FOLDER}${file}`, 'utf8')).map((document, index) => {
      const [error] = document.errors;
      if (error !== undefined) throw new Error(`${file}: ${error.message}`);
      return scenarioOf(`${file} #${index + 1}`, mappingOf(document.toJS()));
    }),
  );
}

export function scenarioOf(file: string, raw: Mapping): Scenario {
  const known = /^(rule|says|policy|deploy|readings|happens|until|expect|messages)$/;
  const unknown = Object.keys(raw).filter((key) => !known.test(key));
  if (unknown.length > 0) throw new Error(`${file}: unknown field ${unknown.join(', ')}`);
  const deploy = mappingOf(raw['deploy'] ?? {});
  const { before, ...timeline } = mappingOf(raw['readings'] ?? {});
  const steps = Object.entries(timeline).map(([at, readings]) => ({
    fromMs: timeOf(at),
    readings: readingsOf(readings),
  }));
  return {
    file,
    rule: String(raw['rule']),
    says: String(raw['says']).trim(),
    policy: policyOf(file, mappingOf(raw['policy'])),
    deploy: {
      version: String(deploy['version'] ?? '2.4.1'),
      previous: deploy['previous'] === 'unknown' ? null : String(deploy['previous'] ?? '2.4.0'),
      startedMs: timeOf(String(deploy['started'] ?? '0s')),
      parameters: mappingOf(deploy['parameters'] ?? {}) as Record<string, number | string>,
    },
    before: Object.fromEntries(
      Object.entries(readingsOf(before ?? {})).filter(
        (entry): entry is [string, Reading] => entry[1] !== 'no answer',
      ),
    ),
    steps: steps.sort((a, b) => a.fromMs - b.fromMs),
    happens: linesOf(raw['happens']).map(([when, text]) => {
      const [from = '', until] = when.split('-');
      return { atMs: timeOf(from), untilMs: until === undefined ? null : timeOf(until), text };
    }),
    untilMs: timeOf(String(raw['until'])),
    expect: linesOf(raw['expect']).map(([when, text]) => `${when}: ${text}`),
    messages: linesOf(raw['messages']).map(([when, text]) => ({ atMs: timeOf(when), text })),
  };
}

function mappingOf(value: unknown): Mapping {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`found ${JSON.stringify(value)}; wanted a mapping`);
  }
  return value as Mapping;
}

/** `- 45s: text` for each line. */
function linesOf(value: unknown): readonly (readonly [when: string, text: string])[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Error(`found ${JSON.stringify(value)}; wanted a list`);
  return value.flatMap((line: unknown) =>
    Object.entries(mappingOf(line)).map(([when, text]) => [when, String(text)] as const),
  );
}

export function timeOf(text: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw new Error(`found the time ${text}; wanted one such as 45s or 1h30m`);
  return ms;
}

function readingsOf(value: unknown): Step['readings'] {
  const entries = Object.entries(mappingOf(value));
  return Object.fromEntries(entries.map(([id, text]) => [id, readingOf(String(text))]));
}

/** `98% of 200`, `2.3s`, `good`, `bad HTTP 503`, `blind unreachable`, `no answer`. */
function readingOf(text: string): Reading | 'no answer' {
  if (text === 'no answer') return text;
  const blind = /^blind (\w+)$/.exec(text)?.[1];
  if (blind !== undefined) {
    const reason = BLIND_REASONS.find((word) => word === blind);
    if (reason === undefined) throw new Error(`found blind ${blind}; wanted a reason of the core`);
    return { kind: 'blind', reason, detail: 'as the scenario says' };
  }
  const health = /^(good|bad)(?: (.+))?$/.exec(text);
  if (health) {
    const value = health[1] === 'good' ? 1 : 0;
    return { kind: 'value', value, ...(health[2] === undefined ? {} : { detail: health[2] }) };
  }
  const [amount = '', total] = text.split(' of ');
  const quantity = parseQuantity(amount);
  if (quantity === null)
    throw new Error(`found the reading ${text}; wanted one such as 98% of 200`);
  if (total === undefined) return { kind: 'value', value: quantity.value };
  const counts = { part: Math.round(quantity.value * Number(total)), total: Number(total) };
  return { kind: 'value', value: quantity.value, counts, rangeMs: 60_000 };
}

function policyOf(file: string, own: Mapping): Policy {
  const common = mappingOf(parse(readFileSync(`${FOLDER}common.yaml`, 'utf8')));
  const library = mappingOf(common['indicators']);
  const merged = { ...common, ...own };
  const { indicators: _, ...judged } = merged;
  const named = new Set(namesIn(judged));
  const used = Object.entries(library).filter(([id]) => named.has(id));
  const indicators = { ...Object.fromEntries(used), ...mappingOf(own['indicators'] ?? {}) };
  const result = readPolicy({ ...merged, indicators }, 'aurora');
  if (result.kind === 'policy') return result.policy;
  const problems = result.problems.map(({ path, message }) => `${path}: ${message}`);
  throw new Error(`${file}: the policy is refused\n${problems.join('\n')}`);
}

function namesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [key, ...namesIn(inner)]);
}
