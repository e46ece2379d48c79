// A list of past deploys, as people and pipelines keep it: YAML, JSON or CSV, the same fields in
// each. All of it, or every mistake at once.
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { z } from 'zod';
import type { Problem } from '../kit/errors.ts';
import { type CsvRow, csvRows } from './csv.ts';
import { mapping, oneOf, text } from './fields.ts';
import { found, problem, schemaProblems, uniqueProblems } from './problems.ts';
import { readYaml } from './yaml-file.ts';

const DEPLOYS_MAX = 10_000;
const FILE_BYTES_MAX = 10_000_000;
const NAME_CHARS_MAX = 200;
/** What a deploy was rolled back to, where nobody says. */
const UNNAMED = 'the version before';
const PARAMETER_COLUMN = 'param.';

const whenError =
  'a time with offset, such as 2026-03-01T12:00:00Z; add the offset, or the time means another ' +
  'moment on another machine';

const deploySchema = mapping({
  version: text(NAME_CHARS_MAX, 'the version'),
  deployed_at: z.iso.datetime({ offset: true, error: whenError }),
  service: text(NAME_CHARS_MAX, 'a service').optional(),
  environment: text(NAME_CHARS_MAX, 'an environment').optional(),
  previous_version: text(NAME_CHARS_MAX, 'a version').optional(),
  rolled_back_at: z.iso.datetime({ offset: true, error: whenError }).optional(),
  parameters: z
    .record(z.string(), z.union([z.number(), z.string()], { error: 'a number or a text' }))
    .optional(),
  label: oneOf(['good', 'bad']).optional(),
});

const COLUMNS = Object.keys(deploySchema.shape).filter((name) => name !== 'parameters');

export type ListedDeploy = {
  /** null: that of the policy. */
  readonly service: string | null;
  readonly environment: string | null;
  readonly version: string;
  readonly previousVersion: string | null;
  readonly deployedAtMs: number;
  readonly parameters: Readonly<Record<string, number | string>>;
  readonly label: 'good' | 'bad' | null;
  /** When it was rolled back; null: not, as far as the file knows. */
  readonly replaced: { readonly atMs: number; readonly version: string } | null;
};

export type DeploysResult =
  | { readonly kind: 'deploys'; readonly deploys: readonly ListedDeploy[] }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

/** Never throws. */
export function readDeploysFile(path: string): DeploysResult {
  const read: Raw = extname(path).toLowerCase() === '.csv' ? readCsv(path) : readYaml(path);
  if (read.kind === 'problems') return read;
  const result = toDeploys(read.value);
  const { lines } = read;
  if (result.kind === 'deploys' || lines === undefined) return result;
  return { kind: 'problems', problems: result.problems.map((one) => onItsLine(one, lines)) };
}

/** In a CSV file people count lines: `[0].version` becomes `line 2, version`. */
function onItsLine({ path, message }: Problem, lines: readonly number[]): Problem {
  const [, index, field = ''] = /^\[(\d+)\]\.?(.*)$/s.exec(path) ?? [];
  const line = index === undefined ? undefined : lines[Number(index)];
  if (line === undefined) return { path, message };
  return { path: field === '' ? `line ${line}` : `line ${line}, ${field}`, message };
}

function toDeploys(raw: unknown): DeploysResult {
  const listed = typeof raw === 'object' && raw !== null && 'deploys' in raw ? raw.deploys : raw;
  if (!Array.isArray(listed) || listed.length === 0) {
    const wanted = 'a list of deploys, or a mapping with the list as "deploys"; add one';
    return { kind: 'problems', problems: [problem([], found(listed), wanted)] };
  }
  if (listed.length > DEPLOYS_MAX) {
    const wanted = `at most ${DEPLOYS_MAX} deploys; split the file`;
    return { kind: 'problems', problems: [problem([], found(listed), wanted)] };
  }
  const parsed = z.array(deploySchema).safeParse(listed);
  if (!parsed.success) {
    return { kind: 'problems', problems: uniqueProblems(schemaProblems(parsed.error, listed)) };
  }
  const deploys = parsed.data.map(
    (one): ListedDeploy => ({
      service: one.service ?? null,
      environment: one.environment ?? null,
      version: one.version,
      previousVersion: one.previous_version ?? null,
      deployedAtMs: Date.parse(one.deployed_at),
      parameters: one.parameters ?? {},
      label: one.label ?? null,
      replaced:
        one.rolled_back_at === undefined
          ? null
          : { atMs: Date.parse(one.rolled_back_at), version: one.previous_version ?? UNNAMED },
    }),
  );
  const problems = [...twice(deploys), ...beforeItself(deploys)];
  return problems.length > 0 ? { kind: 'problems', problems } : { kind: 'deploys', deploys };
}

function twice(deploys: readonly ListedDeploy[]): readonly Problem[] {
  const seen = new Set<string>();
  return deploys.flatMap(({ service, environment, version, deployedAtMs }, index) => {
    const key = JSON.stringify([service, environment, version, deployedAtMs]);
    if (seen.has(key))
      return [problem([index], `${version} at this time twice`, 'it once; remove one')];
    seen.add(key);
    return [];
  });
}

function beforeItself(deploys: readonly ListedDeploy[]): readonly Problem[] {
  return deploys.flatMap(({ deployedAtMs, replaced }, index) =>
    replaced === null || replaced.atMs > deployedAtMs
      ? []
      : [problem([index, 'rolled_back_at'], 'a time before the deploy', 'a later one; correct it')],
  );
}

type Raw =
  | { readonly kind: 'value'; readonly value: unknown; readonly lines?: readonly number[] }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

/** The first line names the fields; a parameter is a column `param.<name>`. */
function readCsv(path: string): Raw {
  const text = readText(path);
  if (text === null) {
    const message = 'found no readable file of at most 10 MB; wanted a CSV file; check the path';
    return { kind: 'problems', problems: [{ path: '', message }] };
  }
  const read = csvRows(text);
  if (read.kind === 'problems') return read;
  const [header, ...rows] = read.rows;
  const names = (header?.cells ?? []).map((name) => name.trim());
  const unknown = names.filter(
    (name) => !COLUMNS.includes(name) && !name.startsWith(PARAMETER_COLUMN),
  );
  if (unknown.length > 0 || new Set(names).size !== names.length) {
    const wanted = `each of ${COLUMNS.join(', ')} or ${PARAMETER_COLUMN}<name> once; rename it`;
    const what = unknown.length > 0 ? unknown : ['a column twice'];
    const problems = what.map((name) => ({ ...problem([], found(name), wanted), path: 'line 1' }));
    return { kind: 'problems', problems };
  }
  const surplus = rows.filter(({ cells }) => cells.slice(names.length).some((cell) => cell !== ''));
  if (surplus.length > 0) return { kind: 'problems', problems: surplus.map(surplusProblem(names)) };
  return {
    kind: 'value',
    value: rows.map(({ cells }) => deployOfRow(names, cells)),
    lines: rows.map(({ line }) => line),
  };
}

function surplusProblem({ length }: readonly string[]) {
  return ({ line, cells }: CsvRow): Problem => {
    const wanted = `${length}, as line 1 names; quote cells with a comma`;
    return { ...problem([], `${cells.length} cells`, wanted), path: `line ${line}` };
  };
}

function readText(path: string): string | null {
  try {
    const bytes = readFileSync(path);
    return bytes.length > FILE_BYTES_MAX ? null : bytes.toString('utf8').replace(/^\ufeff/, '');
  } catch {
    return null;
  }
}

function deployOfRow(names: readonly string[], row: readonly string[]) {
  const fields: Record<string, unknown> = {};
  const parameters: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    const value = row[index]?.trim() ?? '';
    if (value === '') continue;
    if (name.startsWith(PARAMETER_COLUMN)) parameters[name.slice(PARAMETER_COLUMN.length)] = value;
    else fields[name] = value;
  }
  return { ...fields, parameters };
}
