import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type Dashboard,
  dashboardExpressions,
  dashboards,
  hasPromtool,
  promtool,
  read,
  readYaml,
  withoutVariables,
} from './files.ts';

const boards = dashboards();
const panelsOf = ({ panels }: Dashboard) => panels.filter(({ type }) => type !== 'row');

describe('dashboards', () => {
  it('are one for on-call and one for canaryd, with identities of their own', () => {
    expect(boards.map(({ uid }) => uid).toSorted()).toEqual(['canaryd-on-call', 'canaryd-self']);
    expect(boards.map(({ id }) => id)).toEqual([null, null]);
  });

  it.each(boards)('$file says on every panel what it shows and what to do', (board) => {
    const silent = panelsOf(board).filter(({ description = '' }) => description.length < 30);
    expect(panelsOf(board).length).toBeGreaterThan(10);
    expect(silent.map(({ title }) => title)).toEqual([]);
  });

  it.each(boards)('$file takes its data source from a variable', (board) => {
    const sources = panelsOf(board).flatMap(({ datasource, targets = [] }) => [
      datasource?.uid,
      ...targets.map((target) => target.datasource.uid),
    ]);
    expect(new Set(sources)).toEqual(new Set([`\${DS_PROMETHEUS}`]));
    const variable = board.templating.list.find(({ name }) => name === 'DS_PROMETHEUS');
    expect(variable?.type).toBe('datasource');
  });

  it.each(boards)('$file uses only variables that it has', (board) => {
    const known = board.templating.list.map(({ name }) => name);
    const used = panelsOf(board)
      .flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => expr.match(/\$\w+/g) ?? []))
      .map((name) => name.slice(1))
      .filter((name) => !name.startsWith('__'));
    expect(used.filter((name) => !known.includes(name))).toEqual([]);
  });

  it.each(boards)('$file has no panel beyond the edge or upon another', ({ panels }) => {
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(Math.max(...panels.map(({ gridPos }) => gridPos.x + gridPos.w))).toBeLessThanOrEqual(24);
  });

  it.skipIf(!hasPromtool)('hold only expressions that parse (needs promtool)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'canaryd-expressions-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const rules = dashboardExpressions().map((expr, at) => ({
      record: `expression:${at}`,
      expr: withoutVariables(expr),
    }));
    // JSON is YAML.
    const file = join(folder, 'rules.json');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboards', rules }] }));
    const { status, output } = promtool('check', 'rules', file);
    expect({ status, output }).toMatchObject({ status: 0 });
    expect(output).toContain(`${rules.length} rules found`);
  });
});

describe('the dashboard for on-call', () => {
  const board = boards.find(({ uid }) => uid === 'canaryd-on-call');

  it('calls the states of a condition what the page calls them', () => {
    const page = read('src/http/page/browser/condition-cards.js');
    const words = [...page.matchAll(/^ {2}(\w+): '([^']+)',$/gm)].map(([, state, word]) => [
      state,
      word,
    ]);
    const wanted = words.filter(([state]) => state !== 'waiting').map(([, word]) => word);
    expect(wanted).toContain('out of its limit');
    const panel = board?.panels.find(({ title }) => title === 'State of each condition');
    const shown = [...JSON.stringify(panel).matchAll(/"text":"([^"]+)"/g)].map(([, word]) => word);
    expect(shown.toSorted()).toEqual(wanted.toSorted());
  });

  it('leads to the page', () => {
    expect(board?.links.map(({ url }) => url)).toContain(`\${page}/`);
    expect(board?.templating.list.map(({ name }) => name)).toContain('page');
  });

  it('shows what canaryd has marked, by the tag that it sets', () => {
    const marked = JSON.stringify(board?.annotations.list);
    expect(marked).toContain('"tags":["canaryd"]');
  });
});

describe('provisioning', () => {
  it('asks Prometheus as often as it scrapes', () => {
    const source = readYaml('grafana/provisioning/datasources/prometheus.yaml');
    const prometheus = readYaml('prometheus/prometheus.yml');
    expect(source).toMatchObject({
      apiVersion: 1,
      datasources: [{ uid: 'prometheus', jsonData: { timeInterval: '5s' } }],
    });
    expect(prometheus).toMatchObject({ global: { scrape_interval: '5s' } });
  });
});
