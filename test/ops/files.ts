// The files that operators run canaryd with, as the tests of this folder read them.
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { AuroraSimulation } from '../../src/demo/simulation.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Files of the repository that match, without what is installed or made by running. */
export function filesLike(pattern: string): readonly string[] {
  return globSync(pattern, { cwd: root, exclude: (path) => /node_modules|^data$/.test(`${path}`) })
    .map(String)
    .sort();
}

export const readYaml = (path: string): unknown => parse(read(path), { merge: true });

export const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

export function promtool(...args: readonly string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: root, encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

export type Rule = {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
};

export function rules(): readonly Rule[] {
  return filesLike('prometheus/rules/*.yml').flatMap((path) => {
    const file = readYaml(path) as { groups: { rules: Rule[] }[] };
    return file.groups.flatMap((group) => group.rules);
  });
}

export type Panel = {
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; h: number };
  readonly targets?: readonly { readonly expr: string; datasource: { readonly uid: string } }[];
};

export type Dashboard = {
  readonly file: string;
  readonly id: null;
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; type: string }[] };
  readonly annotations: { readonly list: readonly { readonly expr?: string }[] };
  readonly links: readonly { readonly url: string }[];
};

export function dashboards(): readonly Dashboard[] {
  return filesLike('grafana/dashboards/*.json').map((file) => ({
    ...(JSON.parse(read(file)) as Omit<Dashboard, 'file'>),
    file,
  }));
}

/** Every expression of panels and annotations. */
export function dashboardExpressions(): readonly string[] {
  return dashboards().flatMap(({ panels, annotations }) => [
    ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    // Grafana's own have tags in place of an expression.
    ...annotations.list.flatMap(({ expr }) => expr ?? []),
  ]);
}

/** Grafana's variables, replaced by something that Prometheus can parse. */
export function withoutVariables(expression: string): string {
  return expression.replace(/\[\$__\w+\]/g, '[1m]').replace(/\$\w+/g, '1');
}

/** Names of metrics in a text that begin with one of the prefixes; names of rules left out. */
export function metricNamesIn(text: string, prefixes: readonly string[]): readonly string[] {
  const withoutRules = rules().reduce(
    (rest, { record }) => (record === undefined ? rest : rest.replaceAll(record, '')),
    text,
  );
  const pattern = new RegExp(`(?<![\\w/-])(?:${prefixes.join('|')})_[a-z0-9_]*[a-z0-9]`, 'g');
  return [...new Set(withoutRules.match(pattern) ?? [])].sort();
}

/** Names as they are scraped: a histogram is its `_bucket`, `_sum` and `_count` too. */
function scrapedNames(metrics: readonly { name: string; type: unknown }[]): Set<string> {
  const parts = ['', '_bucket', '_sum', '_count'];
  return new Set(metrics.flatMap(({ name }) => parts.map((part) => `${name}${part}`)));
}

export async function ownMetrics(): Promise<Set<string>> {
  return scrapedNames(await createMetrics('0').registry.getMetricsAsJSON());
}

/** Base names of canaryd's own metrics, without those of the process. */
export async function ownMetricNames(): Promise<readonly string[]> {
  const metrics = await createMetrics('0').registry.getMetricsAsJSON();
  return metrics.map(({ name }) => name).filter((name) => name.startsWith('canaryd_'));
}

export async function auroraMetrics(): Promise<Set<string>> {
  const simulation = new AuroraSimulation({ version: '1.0.0' });
  simulation.step(10_000);
  const text = await simulation.exposition();
  const types = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)];
  return scrapedNames(types.map(([, name = '', type]) => ({ name, type })));
}
