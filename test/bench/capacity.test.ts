import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readPolicy } from '../../src/config/to-policy.ts';
import { nodeFlagsOf } from '../support/daemon.ts';
import { manyDeploysPolicy, sumOf } from '../support/many-deploys.ts';
import { hasPrometheus } from '../support/prometheus.ts';
import { CONDITIONS, rulesByDeploy, rulesPerDeploy } from './aurora-rules.ts';
import { victimsOf } from './capacity-level.ts';
import { histogramBetween } from './exposition.ts';
import { goalTable, spreadOf } from './figures.ts';

const folder = mkdtempSync(join(tmpdir(), 'canaryd-bench-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const CAPACITY = fileURLToPath(new URL('capacity.ts', import.meta.url));

/** The bench with folders of its own, so that what it leaves is seen. */
function bench(...args: readonly string[]) {
  const own = mkdtempSync(join(folder, 'bench-'));
  const child = spawn(process.execPath, [CAPACITY, ...args], {
    env: { ...process.env, TMPDIR: own },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => out.push(line));
  const notes = createInterface({ input: child.stderr });
  return { child, out, notes, exited: once(child, 'exit'), left: () => readdirSync(own) };
}

// CPU and memory are read as Linux tells them.
const canMeasure = hasPrometheus() && process.platform === 'linux';

describe.skipIf(!canMeasure)('the capacity bench', () => {
  it('prints its tables and goals, and leaves nothing behind', { timeout: 60_000 }, async () => {
    const args = ['--watches', '2', '--rules', '2', '--victims', '0'];
    const { out, exited, left } = bench(
      ...args,
      '--warm-up',
      '2',
      '--settle',
      '1',
      '--seconds',
      '6',
    );
    expect(await exited).toEqual([0, null]);
    const text = out.join('\n');
    expect(text.match(/^\| 2 \|/gm)).toHaveLength(3);
    expect(text).toMatch(/^\| requests to Prometheus per tick.* \| 2 \| holds \|$/m);
    expect(text).not.toMatch(/NaN|undefined/);
    expect(text).toMatch(/^machine: .*node v\d.*prometheus \d/m);
    expect(left()).toEqual([]);
  });

  it('ends what it started on SIGINT, and removes its folders', async () => {
    const args = ['--watches', '2', '--rules', '', '--warm-up', '1', '--settle', '60'];
    const { child, notes, exited, left } = bench(...args);
    await once(notes, 'line');
    child.kill('SIGINT');
    expect(await exited).toEqual([130, null]);
    expect(left()).toEqual([]);
  });

  it('refuses a number of watches that is none', async () => {
    const { notes, exited } = bench('--watches', '10,many');
    const [line] = await once(notes, 'line');
    expect(line).toContain('--watches: found many');
    expect(await exited).toEqual([1, null]);
  });
});

describe('the conditions of the capacity bench', () => {
  const text = manyDeploysPolicy('127.0.0.1:1', 'http://127.0.0.1:2');

  it('are of the shipped policy, on another service', () => {
    expect(readPolicy(parse(text), 'aurora')).toMatchObject({ kind: 'policy' });
  });

  it('have a rule each, the health endpoint apart', () => {
    const { windows, always } = parse(text) as {
      windows: { stop: object }[];
      always: { stop: object };
    };
    const names = [...Object.keys(windows[0]?.stop ?? {}), ...Object.keys(always.stop)];
    expect(CONDITIONS.map(({ name }) => name)).toEqual(names.filter((name) => name !== 'health'));
  });

  it.skipIf(!hasPrometheus()).each([
    ['per deploy', rulesPerDeploy(['d0000', 'd0001']), 2 * CONDITIONS.length],
    ['by (deploy)', rulesByDeploy(), CONDITIONS.length],
  ])('are taken by promtool: %s', (_, file, rules) => {
    const path = join(folder, 'rules.yml');
    writeFileSync(path, JSON.stringify(file));
    const checked = spawnSync('promtool', ['check', 'rules', '--lint=none', path], {
      encoding: 'utf8',
    });
    expect(checked.stdout).toContain(`${rules} rules found`);
    expect(checked.status).toBe(0);
  });
});

describe('the victims of the capacity bench', () => {
  it.each([1, 5, 10, 100, 1_000, 3_000])('are different watches among %i', (count) => {
    expect(new Set(victimsOf(count, 5)).size).toBe(5);
    expect(Math.max(...victimsOf(count, 5))).toBeLessThan(Math.max(count, 5));
  });

  it.each([100, 1_000, 3_000])('stand differently to the ticks among %i', (count) => {
    // One fault a second, 20 slots of a quarter: which they have, and how long the next tick is away.
    expect(new Set(victimsOf(count, 5).map((index) => index % 20)).size).toBe(5);
    const waits = victimsOf(count, 5).map((index, nth) => ((index % 20) - 4 * nth + 20) % 20);
    expect(waits.toSorted((a, b) => a - b)).toEqual([0, 4, 8, 12, 16]);
  });
});

describe('figures', () => {
  const at = (low: number, high: number) =>
    [
      `lag_bucket{le="0.25"} ${low}`,
      `lag_bucket{le="1"} ${high}`,
      `lag_bucket{le="+Inf"} ${high}`,
      `lag_count ${high}`,
    ].join('\n');

  it('are of what was observed in between', () => {
    const lag = histogramBetween(at(50, 100), at(149, 200), 'lag');
    expect([lag.edgeOf(0.5), lag.edgeOf(0.99), lag.edgeOf(0.999)]).toEqual([0.25, 0.25, 1]);
    expect(lag.above(0.25)).toBeCloseTo(0.01);
    expect(histogramBetween(at(1, 1), at(1, 1), 'lag').edgeOf(0.5)).toBeNaN();
  });

  it('of a metric are the sum over its labels', () => {
    const text = 'a{x="1"} 2\na{x="2"} 3\nab 7\n# a 9';
    expect([sumOf(text, 'a'), sumOf(text, 'a', 'x="2"'), sumOf(text, 'ab')]).toEqual([5, 3, 7]);
  });

  it('are spread by rank', () => {
    const values = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    expect(spreadOf(values)).toMatchObject({ count: 10, median: 5.5, p90: 9, max: 10 });
    expect(spreadOf([3]).median).toBe(3);
    expect(spreadOf([]).median).toBeNaN();
  });

  it('stand beside their goals', () => {
    const text = goalTable([
      { name: 'a', measured: 0.8, atMost: 0.8 },
      { name: 'b', measured: 301, atMost: 300, unit: ' MB' },
      { name: 'c', measured: Number.NaN, atMost: 1 },
    ]);
    expect(text.split('\n').slice(2)).toEqual([
      '| a | 0.80 | 0.8 | holds |',
      '| b | 301 MB | 300 MB | missed |',
      '| c |  | 1 | not measured |',
    ]);
  });
});

describe('canaryd in tests and benches', () => {
  it('has the node flags of npm start', () => {
    const start = 'exec node --max-semi-space-size=4 --one src/main.ts serve --config x.yaml';
    expect(nodeFlagsOf(start)).toEqual(['--max-semi-space-size=4', '--one']);
    expect(nodeFlagsOf('exec node src/main.ts serve')).toEqual([]);
    expect(() => nodeFlagsOf('exec canaryd serve')).toThrow('no "node');
  });
});
