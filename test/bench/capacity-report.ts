// What `npm run bench:capacity` prints: canaryd, Prometheus, the times, and the goals.

import { LATE_SECONDS, type LevelFigures } from './capacity-level.ts';
import type { PrometheusFigures } from './capacity-rules.ts';
import { type Goal, goalTable, table } from './figures.ts';

const percent = (share: number, decimals = 0) => `${(100 * share).toFixed(decimals)} %`;
const milliseconds = (seconds: number) => {
  if (seconds === Infinity) return 'more';
  return Number.isNaN(seconds) ? '-' : `≤ ${Math.round(seconds * 1_000)}`;
};

function canarydTable(levels: readonly LevelFigures[]): string {
  const [smallest] = levels;
  const rows = levels.map(({ count, steady }) => {
    const { done, lagP50, lagP99, late, cpu, megabytes, perTick } = steady;
    const more = count - (smallest?.count ?? count);
    const grown = megabytes.now - (smallest?.steady.megabytes.now ?? 0);
    return [
      String(count),
      percent(done),
      `${milliseconds(lagP50)}, ${milliseconds(lagP99)}`,
      percent(late, 1),
      percent(cpu, 1),
      perTick.cpuMs.toFixed(2),
      `${megabytes.now.toFixed(0)} (${megabytes.peak.toFixed(0)})`,
      megabytes.heap.toFixed(0),
      more === 0 ? '' : ((grown * 1_024) / more).toFixed(0),
      perTick.journalKilobytes.toFixed(2),
    ];
  });
  const head = [
    ...['watches', 'ticks done', 'tick lag p50, p99, ms', `later than ${LATE_SECONDS * 1_000} ms`],
    ...['CPU of a core', 'CPU ms per tick', 'memory, MB (peak)', 'JavaScript heap, MB'],
    ...['kB per watch', 'journal kB per tick'],
  ];
  return table(head, rows);
}

function prometheusTable(levels: readonly LevelFigures[]): string {
  const rows = levels.map(({ count, before, steady }) => {
    const { scraping, rules } = before;
    const { perTick, prometheusCpu } = steady;
    const ruled = (figures: PrometheusFigures | undefined) =>
      figures === undefined
        ? ['', '']
        : [
            percent(figures.cpu - scraping.cpu, 1) +
              (figures.done < 0.95 ? ` (${percent(figures.done)} done)` : ''),
            figures.megabytes.toFixed(0),
          ];
    return [
      String(count),
      perTick.requests.toFixed(2),
      perTick.kilobytes.toFixed(1),
      perTick.healthRequests.toFixed(2),
      `${percent(scraping.cpu, 1)}, ${scraping.megabytes.toFixed(0)} MB`,
      percent(prometheusCpu - scraping.cpu, 1),
      ...ruled(rules?.perDeploy),
      ...ruled(rules?.byDeploy),
    ];
  });
  const head = [
    ...['watches', 'requests per tick', 'kB from Prometheus per tick', 'health requests per tick'],
    ...['Prometheus that only scrapes', 'CPU that canaryd adds'],
    ...['a rule per deploy and condition: CPU added', 'MB'],
    ...['a rule per condition, by (deploy): CPU added', 'MB'],
  ];
  return table(head, rows);
}

function timesTable(levels: readonly LevelFigures[]): string {
  const rows = levels.map(({ count, startedSeconds, breaches, resume }) => [
    String(count),
    startedSeconds.toFixed(1),
    breaches === null
      ? 'not measured'
      : `${breaches.took.median.toFixed(1)}, ${breaches.took.max.toFixed(1)}` +
        (breaches.never === 0 ? '' : ` (${breaches.never} never)`),
    resume.ready.toFixed(2),
    resume.allJudged?.toFixed(1) ?? 'not in time',
  ]);
  return table(
    [
      ...['watches', 'all started, s', 'breach to request: median, max, s'],
      ...['ready after kill -9, s', 'all judged again, s'],
    ],
    rows,
  );
}

export const CAPACITY_LEGEND = [
  'tick lag: upper edges of the buckets of `canaryd_tick_lag_seconds`; all figures are of canaryd as a whole, its requests to the health endpoint included.',
  'per tick: of one watch; each of them shares its requests with those of its turn. kB per watch: memory beyond that with the fewest watches.',
  'CPU added: percent of one core beyond that of the Prometheus that only scrapes. The rules are those of the same stop conditions,',
  'evaluated every 5 s, measured before the watches start; their ranges of 5m hold less than a minute then, so a day later they cost more.',
  'breach to request: the policy asks for it: over 1m it takes 16 s until the fill rate is below 80 %, and `for: 15s` follows; scrape and tick are 5 s.',
].join('\n');

const FEW = 10;
const MANY = 1_000;
const LATE_MAX = 1;
const FLAT_MAX = 1.2;
const AS_FAST_MAX = 1.1;

export function capacityGoals(levels: readonly LevelFigures[]): readonly Goal[] {
  const at = (count: number, figure: (level: LevelFigures) => number) => {
    const found = levels.find((level) => level.count === count);
    return found === undefined ? Number.NaN : figure(found);
  };
  const breach = ({ breaches }: LevelFigures) =>
    breaches === null || breaches.never > 0 ? Number.NaN : breaches.took.median;
  const cpuMs = ({ steady }: LevelFigures) => steady.perTick.cpuMs;
  const memory = ({ steady }: LevelFigures) => steady.megabytes.now;
  const requests = levels.map(({ steady }) => steady.perTick.requests);
  return [
    {
      name: `ticks later than ${LATE_SECONDS * 1_000} ms, 1,000 watches (p99 of the lag)`,
      measured: at(MANY, ({ steady }) => 100 * steady.late),
      ...{ atMost: LATE_MAX, unit: ' %' },
    },
    {
      name: 'CPU per tick, 1,000 watches / 10 watches',
      measured: at(MANY, cpuMs) / at(FEW, cpuMs),
      atMost: FLAT_MAX,
    },
    { name: 'memory, 1 watch', measured: at(1, memory), atMost: 150, unit: ' MB' },
    { name: 'memory, 1,000 watches', measured: at(MANY, memory), atMost: 300, unit: ' MB' },
    {
      name: 'ready, 1 watch',
      measured: at(1, ({ resume }) => resume.ready),
      atMost: 1,
      unit: ' s',
    },
    {
      name: 'ready, 1,000 watches to resume',
      measured: at(MANY, ({ resume }) => resume.ready),
      ...{ atMost: 3, unit: ' s' },
    },
    {
      name: 'requests to Prometheus per tick, most of all levels',
      measured: levels.length === 0 ? Number.NaN : Math.max(...requests),
      atMost: 2,
    },
    {
      name: 'breach to request, median with 1,000 watches / with 1',
      measured: at(MANY, breach) / at(1, breach),
      atMost: AS_FAST_MAX,
    },
  ];
}

export function capacityReport(levels: readonly LevelFigures[]): string {
  return [
    canarydTable(levels),
    prometheusTable(levels),
    timesTable(levels),
    CAPACITY_LEGEND,
    goalTable(capacityGoals(levels)),
  ].join('\n\n');
}
