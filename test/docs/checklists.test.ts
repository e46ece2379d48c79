// docs/checklists.md against the gates and policies that it names: each row leads somewhere, says
// truly how its line is served, and nothing that decides is left unnamed.
import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configSchema } from '../../src/config/config-schema.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createSecrets } from '../../src/config/secrets.ts';
import { readPolicy } from '../../src/config/to-policy.ts';
import { prometheusOptions, scrapeOptions } from '../../src/daemon/sources.ts';
import type { Criterion } from '../../src/gate/gate.ts';
import type { GateSource } from '../../src/gate/kinds.ts';
import { type GateFile, readGateFile } from '../../src/gate/read.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { read, root } from './markdown.ts';

const FILE = 'docs/checklists.md';
const list = (pattern: string) => globSync(pattern, { cwd: root }).map(String).sort();
const GATES = list('config/gates/*.yaml');
/** The policy of docs/author.md belongs to no checklist. */
const EXAMPLES = list('config/policies/examples/*.yaml').filter((path) => !/http-api/.test(path));
const POLICIES = ['config/policies/aurora.yaml', ...EXAMPLES];
const PARAMETERS = { deploy_capital: 100_000, expected_positions: 10 };
const nameOf = (path: string) => basename(path, '.yaml');

/** As the commands in the documents name them; nothing is asked. */
const SOURCES = new Map(
  ['config/canaryd.yaml', 'config/examples.yaml'].flatMap((path) =>
    Object.entries(loadConfig(`${root}${path}`, { env: {} }).config.sources).map(
      ([name, source]): [string, GateSource] => [
        name,
        source.kind === 'prometheus'
          ? { kind: 'prometheus', options: prometheusOptions(source, systemClock) }
          : { kind: 'scrape', options: scrapeOptions(source, systemClock) },
      ],
    ),
  ),
);

function gateOf(path: string): GateFile {
  const result = readGateFile(
    `${root}${path}`,
    { service: null, environment: null, version: 'v1.0.0', parameters: PARAMETERS },
    {
      secrets: createSecrets({ env: {}, dir: '/nowhere' }),
      sources: { find: (name) => SOURCES.get(name) ?? null, names: () => [...SOURCES.keys()] },
    },
  );
  if (result.kind === 'gate') return result;
  throw new Error(result.problems.map((one) => `${path} ${one.path}: ${one.message}`).join('\n'));
}

function howOf({ checks, signOffs }: Criterion): readonly string[] {
  return [...checks.map(({ kind }) => kind), ...signOffs.map(({ role }) => `signed by ${role}`)];
}

/** What a row may name, and how that serves a line. */
function servedByGates(): readonly (readonly [string, readonly string[]])[] {
  return GATES.flatMap((path) => {
    const { gate } = gateOf(path);
    const rules = [
      ...['decision'],
      ...(gate.override === null ? [] : ['override']),
      ...(gate.next === null ? [] : ['next']),
    ];
    return [
      ...gate.criteria.map((one) => [`${gate.name}/${one.id}`, howOf(one)] as const),
      ...rules.map((rule) => [`${gate.name}/${rule}`, ['rule']] as const),
    ];
  });
}

type Written = { readonly on_stop?: readonly object[] };

function servedByWatches(): readonly (readonly [string, readonly string[]])[] {
  return POLICIES.flatMap((path) => {
    const name = nameOf(path);
    const raw = parse(read(path)) as Written;
    const result = readPolicy(raw, name);
    if (result.kind !== 'policy') throw new Error(`${path} is no policy`);
    const { policy } = result;
    const conditions = [...policy.conditions, ...(policy.verify?.conditions ?? [])];
    const steps = (raw.on_stop ?? []).flatMap((step) => Object.keys(step));
    const { signOffs, requires } = policy;
    const rules = [
      ...(requires === undefined ? [] : ['requires']),
      ...(signOffs === undefined ? [] : ['sign_offs']),
    ];
    return [
      ...rules.map((rule) => [`watch:${name}/${rule}`, ['rule']] as const),
      ...(signOffs?.needed ?? []).map(
        ({ role }) => [`watch:${name}/sign_offs.${role}`, [`signed by ${role}`]] as const,
      ),
      ...conditions.map(({ id }) => [`watch:${name}/${id}`, ['condition']] as const),
      ...steps.map((step) => [`watch:${name}/on_stop.${step}`, ['action']] as const),
    ];
  });
}

const SERVED = new Map([...servedByGates(), ...servedByWatches()]);
const MESSAGES = new Set(
  [...read('docs/messages.md').matchAll(/^### (\S+)$/gm)].map(([, kind = '']) => `message:${kind}`),
);
const MECH_EXO = parse(read('config/mech-exo.yaml')) as object;

/** `config:routing.quiet_hours`: written in config/mech-exo.yaml. */
function isInConfig(ref: string): boolean {
  const path = ref.replace('config:', '').split('.');
  const value = path.reduce<unknown>(
    (at, key) => (at as Readonly<Record<string, unknown>> | undefined)?.[key],
    MECH_EXO,
  );
  return ref.startsWith('config:') && value !== undefined;
}

function howServed(ref: string): readonly string[] {
  if (MESSAGES.has(ref)) return ['message'];
  if (isInConfig(ref)) return ['config'];
  return SERVED.get(ref) ?? ['NOTHING'];
}

type Row = { readonly line: string; readonly how: string; readonly refs: readonly string[] };

function rowsOf(text: string): readonly Row[] {
  const body = text.slice(text.indexOf('\n### '));
  return [...body.matchAll(/^\| ([^|]+) \| ([^|]*) \| ([^|]*) \|$/gm)]
    .map(([, line = '', how = '', by = '']) => {
      return { line, how, refs: [...by.matchAll(/`([^`]+)`/g)].map(([, ref = '']) => ref) };
    })
    .filter(({ line }) => line !== 'line');
}

function wrongRows(rows: readonly Row[]): readonly string[] {
  return rows.flatMap(({ line, how, refs }) => {
    const nowhere = refs.filter((ref) => howServed(ref).includes('NOTHING'));
    const truly = [...new Set(refs.flatMap(howServed))].join(', ');
    if (refs.length === 0) return [`${line}: names nothing`];
    if (nowhere.length > 0) return [`${line}: ${nowhere.join(', ')} is not there`];
    return truly === how ? [] : [`${line}: says ${how}, is ${truly}`];
  });
}

function unnamed(rows: readonly Row[]): readonly string[] {
  const named = new Set(rows.flatMap(({ refs }) => refs));
  return [...SERVED.keys()].filter((id) => !named.has(id));
}

const ROWS = rowsOf(read(FILE));

/** Rows of each document: one that is taken away is noticed. */
const LINES = [77, 85, 50, 60, 141];

describe(FILE, () => {
  it('has a part for each of the five documents, with all their lines', () => {
    const parts = read(FILE).split(/^## /m).slice(1);
    expect(parts.map((part) => part.split(/:| /)[0])).toEqual([
      ...['Aurora', 'Aurora', 'Lunia', 'Spark', 'Mech-Exo'],
    ]);
    expect(parts.map((part) => rowsOf(`\n${part}`).length)).toEqual(LINES);
  });

  it('names only what is there, and says how it is served', () => {
    expect(wrongRows(ROWS)).toEqual([]);
  });

  it('names every criterion, rule, condition and action', () => {
    expect(unnamed(ROWS)).toEqual([]);
  });

  it.each([
    ['| A | coverage | `spark/nowhere` |', 'A: spark/nowhere is not there'],
    ['| A | condition | `watch:spark/canary.stop.nothing` |', 'is not there'],
    ['| A | signed by cto | `watch:aurora/sign_offs.cto` |', 'is not there'],
    ['| A | rule | `watch:aurora/requires` |', 'is not there'],
    ['| A | message | `message:watch.nowhere` |', 'is not there'],
    ['| A | config | `config:routing.nowhere` |', 'is not there'],
    ['| A | junit | `spark/unit_coverage` |', 'A: says junit, is coverage'],
    ['| A | signed by cto | `spark/contacts` |', 'is signed by devops_lead'],
    ['| A | by hand | nobody |', 'A: names nothing'],
  ])('is wrong with the row %s', (row, wanted) => {
    expect(wrongRows(rowsOf(`\n### Part\n${row}\n`)).join()).toContain(wanted);
  });

  it.each([
    'spark/panels',
    'spark/override',
    'watch:aurora/always.stop.error_rate',
    'watch:aurora/sign_offs.qa_lead',
    'watch:spark/requires',
  ])('is not whole without %s', (id) => {
    const rest = ROWS.map((row) => ({ ...row, refs: row.refs.filter((ref) => ref !== id) }));
    expect(unnamed(rest)).toEqual([id]);
  });
});

describe('the gates and policies of the checklists', () => {
  it.each(GATES)('%s names its schema for editors', (path) => {
    expect(read(path).split('\n')[0]).toBe('# yaml-language-server: $schema=../gate.schema.json');
  });

  it('are named like their files, each for a service', () => {
    expect(GATES.map((path) => gateOf(path).gate.name)).toEqual(GATES.map(nameOf));
    expect(GATES.filter((path) => gateOf(path).gate.service === null)).toEqual([]);
  });

  it('are not loaded by the shipped config, apart from Aurora', () => {
    const { policies } = loadConfig(`${root}config/canaryd.yaml`, { env: {} });
    expect(policies.map(({ name }) => name)).toEqual(['aurora']);
  });

  it('are loaded by config/examples.yaml', () => {
    const { policies } = loadConfig(`${root}config/examples.yaml`, { env: {} });
    const names = POLICIES.slice(1).map(nameOf);
    expect(policies.map(({ name }) => name).toSorted()).toEqual(names);
  });

  it('keep the quiet hours and the stages of Mech-Exo', () => {
    const config = configSchema.parse(MECH_EXO);
    expect(config.routing?.quiet_hours).toMatchObject({ from: '22:00', until: '06:00' });
    const result = readPolicy(parse(read('config/policies/examples/mech-exo.yaml')), 'mech-exo');
    expect(result).toMatchObject({ kind: 'policy' });
    expect(parse(read('config/policies/examples/mech-exo.yaml'))).toMatchObject({
      windows: [{ until: '24h' }, { until: '6d22h' }, { until: '7d' }],
      on_stop: [
        { disarm: { timeout: '60s', deadline: '4m' } },
        { rollback: { timeout: '10m', deadline: '20m' } },
        { verify: { within: '60m' } },
      ],
    });
  });
});
