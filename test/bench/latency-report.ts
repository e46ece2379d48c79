// What `npm run bench:latency` prints: each setting beside its floor, and the goals.
import type { Arrivals } from './arrivals.ts';
import { KINDS } from './faults.ts';
import { type Goal, goalTable, type Spread, spreadOf, table } from './figures.ts';
import type { BenchDeploy, FaultKind } from './service.ts';
import type { Setting } from './settings.ts';

/** Milliseconds, over the faults of one kind. */
export type Outcome = {
  readonly took: Spread;
  readonly floor: Spread;
  /** What it took beyond the floor, fault by fault. */
  readonly above: Spread;
  readonly early: number;
  readonly never: number;
};

export type SettingOutcome = {
  readonly setting: Setting;
  readonly of: Readonly<Record<FaultKind, Outcome>>;
};

export function outcomeOf(
  setting: Setting,
  deploys: readonly BenchDeploy[],
  arrivals: Pick<Arrivals, 'first'>,
  floorFor: (deploy: BenchDeploy) => number | null,
): SettingOutcome {
  const ofKind = (kind: FaultKind): Outcome => {
    const faults = deploys.flatMap((deploy) => {
      if (deploy.kind !== kind || deploy.atMs === null) return [];
      const first = arrivals.first(setting.id, deploy.name);
      const took = first === undefined ? null : first - deploy.atMs;
      return [{ took, floor: floorFor(deploy) }];
    });
    const told = faults.flatMap(({ took, floor }) =>
      took === null || took < 0 ? [] : [{ took, floor }],
    );
    return {
      took: spreadOf(told.map(({ took }) => took)),
      floor: spreadOf(faults.flatMap(({ floor }) => floor ?? [])),
      above: spreadOf(told.flatMap(({ took, floor }) => (floor === null ? [] : [took - floor]))),
      early: faults.filter(({ took }) => took !== null && took < 0).length,
      never: faults.filter(({ took }) => took === null).length,
    };
  };
  return { setting, of: { ratio: ofKind('ratio'), quantile: ofKind('quantile') } };
}

/** Each request that came before its deploy had turned bad, or for one that stayed well. */
export function stoppedEarly(
  settings: readonly Setting[],
  deploys: readonly BenchDeploy[],
  arrivals: Pick<Arrivals, 'first'>,
): readonly string[] {
  return deploys.flatMap(({ name, atMs }) =>
    settings
      .filter(({ id }) => (arrivals.first(id, name) ?? Infinity) < (atMs ?? Infinity))
      .map(({ id }) => `${id} ${name}`),
  );
}

const seconds = (ms: number) => {
  if (Number.isNaN(ms)) return '-';
  return (ms / 1_000).toFixed(Math.abs(ms) < 10_000 ? 2 : 1);
};

export function latencyTable(outcomes: readonly SettingOutcome[]): string {
  const head = ['fill rate < 80 %', 'P99 > 2 s'].flatMap((title) => [
    `${title}: median, p90, max`,
    'floor',
    'above the floor',
  ]);
  const rows = outcomes.map(({ setting, of }) => [
    setting.title,
    ...KINDS.flatMap((kind) => {
      const { took, floor, above, early, never } = of[kind];
      const lacks = [early > 0 ? `${early} early` : '', never > 0 ? `${never} never` : '']
        .filter((text) => text !== '')
        .join(', ');
      return [
        `${seconds(took.median)}, ${seconds(took.p90)}, ${seconds(took.max)}${lacks && ` (${lacks})`}`,
        seconds(floor.median),
        seconds(above.median),
      ];
    }),
  ]);
  return table(['seconds from the fault to the request', ...head], rows);
}

export const LATENCY_LEGEND = [
  'tight: evaluated at every scrape, `for: 0s`, `group_wait: 0s`. `[20s]` of rules and `over: 15s` of canaryd hold the same samples.',
  'Prometheus evaluates a group of rules somewhere in its interval, by the name of the group: each deploy has a group of its own here.',
  'floor: median time until the data shows the fault to who looks over the same window. On a Prometheus that is the first',
  'scrape that shows it; on the service itself, the instant at which its counters show it and half a second, the average',
  'wait of who reads once a second (so a single fault may be told faster than this floor). above the floor: median, fault by fault.',
].join('\n');

/** Each ratio is of medians of the same faults in this run. */
const RATIOS = [
  ['same 5 s scrape and samples / tight rules', 'canaryd_5s_15', 'rules_5s', 0.8],
  ['same 5 s scrape, one interval / tight rules [10s]', 'canaryd_5s_5', 'rules_5s_short', 0.8],
  ['5 s scrape / rules as people run them, 15 s scrape', 'canaryd_5s_15', 'rules_15s', 0.1],
  ['on the service, over 2s / tight rules at 5 s', 'canaryd_service_2', 'rules_5s', 0.15],
] as const;
const ON_SERVICE = ['canaryd_service_2', 'canaryd_service_4'] as const;
const OF_FLOOR_MAX = 1.5;
const KIND_TITLES: Readonly<Record<FaultKind, string>> = { ratio: 'fill rate', quantile: 'P99' };

export function latencyGoals(outcomes: readonly SettingOutcome[]): readonly Goal[] {
  const figure = (id: string, kind: FaultKind, which: 'took' | 'floor') =>
    outcomes.find(({ setting }) => setting.id === id)?.of[kind][which].median ?? Number.NaN;
  return [
    ...RATIOS.flatMap(([name, mine, theirs, atMost]) =>
      KINDS.map((kind) => ({
        name: `${KIND_TITLES[kind]}: ${name}`,
        measured: figure(mine, kind, 'took') / figure(theirs, kind, 'took'),
        atMost,
      })),
    ),
    ...ON_SERVICE.flatMap((id) =>
      KINDS.map((kind) => ({
        name: `${KIND_TITLES[kind]}: on the service, over ${id.slice(-1)}s / its floor`,
        measured: figure(id, kind, 'took') / figure(id, kind, 'floor'),
        atMost: OF_FLOOR_MAX,
      })),
    ),
  ];
}

export function latencyGoalTable(outcomes: readonly SettingOutcome[]): string {
  return goalTable(latencyGoals(outcomes));
}
