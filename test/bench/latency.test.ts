import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readPolicy } from '../../src/config/to-policy.ts';
import { Dice } from '../sim/dice.ts';
import { hasPrometheus } from '../support/prometheus.ts';
import { faultsOf, KINDS, STEP_MS } from './faults.ts';
import { floorOf, type ScrapeTimes } from './floor.ts';
import { latencyGoals, latencyTable, outcomeOf, stoppedEarly } from './latency-report.ts';
import { BenchService } from './service.ts';
import { alertmanagerConfig, policyText, rulesOf, SCRAPES, SETTINGS } from './settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'canaryd-bench-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FIRST_MS = 1_000_000;
const settingOf = (id: string) => {
  const found = SETTINGS.find((one) => one.id === id);
  if (found === undefined) throw new Error(`no setting ${id}`);
  return found;
};

describe('the faults of the latency bench', () => {
  const deploys = faultsOf(FIRST_MS, 24, new Dice(1));
  const instants = (kind: string) =>
    deploys.flatMap((one) => (one.kind === kind && one.atMs !== null ? [one.atMs] : []));

  it.each(KINDS)('%s: each quarter of a second, of 5 s and of 15 s has its share', (kind) => {
    for (const periodMs of [1_000, 5_000, 15_000]) {
      const quarters = Map.groupBy(instants(kind), (atMs) =>
        Math.floor((4 * ((atMs - FIRST_MS) % periodMs)) / periodMs),
      );
      for (const quarter of [0, 1, 2, 3]) {
        expect(quarters.get(quarter)?.length).toBeGreaterThanOrEqual(4);
        expect(quarters.get(quarter)?.length).toBeLessThanOrEqual(8);
      }
    }
  });

  it('come one in each step, in order, and from the seed alone', () => {
    const all = deploys.flatMap(({ atMs }) => atMs ?? []);
    expect(all.map((atMs) => Math.floor((atMs - FIRST_MS) / STEP_MS))).toEqual([...all.keys()]);
    expect(faultsOf(FIRST_MS, 24, new Dice(1))).toEqual(deploys);
    expect(faultsOf(FIRST_MS, 24, new Dice(2))).not.toEqual(deploys);
  });
});

describe('the floor of the latency bench', () => {
  const fault = 200_000;
  const bad = { name: 'd01', kind: 'ratio', atMs: fault } as const;
  const service = new BenchService(0, [bad]);
  const every = (ms: number) => Array.from({ length: 400_000 / ms }, (_, nth) => nth * ms + 400);
  const scrapes: ScrapeTimes = { '1s': every(1_000), '5s': every(5_000), '15s': every(15_000) };
  const floor = (id: string) => floorOf(service, bad, settingOf(id), scrapes);

  it('on the service: until 18 of 48 points are lost, and half a second', () => {
    // From 98 % to 50 %: 80 % are passed after 3/8 of the window.
    expect(floor('canaryd_service_2')).toBeCloseTo(750 + 500, -2);
    expect(floor('canaryd_service_4')).toBeCloseTo(1_500 + 500, -2);
  });

  it('on a Prometheus: the first scrape with enough of the fault in the window', () => {
    // Scrapes come 0.4 s after the fault and each 5 s: 5.4 of 15 s are too few, 10.4 are enough.
    expect(floor('rules_5s')).toBe(10_400);
    expect(floor('canaryd_5s_15')).toBe(10_400);
    expect(floor('canaryd_5s_5')).toBe(5_400);
  });

  it('is none for a deploy that stays well', () => {
    const well = { name: 'well', kind: 'ratio', atMs: null } as const;
    expect(floorOf(service, well, settingOf('rules_5s'), scrapes)).toBeNull();
  });
});

describe('the report of the latency bench', () => {
  const deploys = [1, 2, 3].map(
    (nth) => ({ name: `d${nth}`, kind: 'ratio', atMs: 1_000 }) as const,
  );
  const times: Record<string, number> = { d1: 3_000, d2: 500 };
  const arrivals = { first: (_: string, deploy: string) => times[deploy] };
  const rules = outcomeOf(settingOf('rules_5s'), deploys, arrivals, () => 1_500);

  it('counts a request before the fault as early, and none as never', () => {
    expect(rules.of.ratio).toMatchObject({
      took: { count: 1, median: 2_000 },
      above: { median: 500 },
      ...{ early: 1, never: 1 },
    });
    expect(latencyTable([rules])).toContain('2.00, 2.00, 2.00 (1 early, 1 never) | 1.50 | 0.50 |');
    expect(stoppedEarly([settingOf('rules_5s')], deploys, arrivals)).toEqual(['rules_5s d2']);
  });

  it('sets medians of the same run against each other', () => {
    const quick = outcomeOf(settingOf('canaryd_5s_15'), deploys, { first: () => 2_000 }, () => 900);
    const goals = latencyGoals([rules, quick]);
    expect(goals[0]).toMatchObject({ measured: 0.5, atMost: 0.8 });
    expect(goals.at(-1)?.measured).toBeNaN();
  });
});

describe('the settings of the latency bench', () => {
  it.each(SETTINGS.filter((one) => one.who === 'canaryd'))('$id is a policy', (setting) => {
    const text = policyText(setting, 'http://127.0.0.1:1/rollback');
    expect(readPolicy(JSON.parse(text), setting.id)).toMatchObject({ kind: 'policy' });
  });

  it.skipIf(!hasPrometheus()).each(SCRAPES)('rules at %s are taken by promtool', (scrape) => {
    const path = join(folder, `${scrape}.yml`);
    writeFileSync(path, JSON.stringify(rulesOf(scrape, ['d01', 'd02'])));
    const checked = spawnSync('promtool', ['check', 'rules', '--lint=none', path], {
      encoding: 'utf8',
    });
    expect(checked.stderr).toBe('');
    expect(checked.status).toBe(0);
  });

  const hasAmtool = spawnSync('amtool', ['--version']).status === 0;
  it.skipIf(!hasAmtool)('the Alertmanager configuration is taken by amtool', () => {
    const path = join(folder, 'alertmanager.yml');
    writeFileSync(path, JSON.stringify(alertmanagerConfig('http://127.0.0.1:1/alerts')));
    const checked = spawnSync('amtool', ['check-config', path], { encoding: 'utf8' });
    expect(checked.stderr).toBe('');
    expect(checked.status).toBe(0);
  });
});
