// Who watches in `npm run bench:latency`, and how each is set up. All look at the same service.
import { LIMITS } from './service.ts';

/** A Prometheus with this scrape interval; rules are evaluated at the same pace. */
export const SCRAPES = ['1s', '5s', '15s'] as const;
export type ScrapeInterval = (typeof SCRAPES)[number];

export type Setting = {
  readonly id: string;
  readonly title: string;
  readonly reads: ScrapeInterval | 'service';
  /** What the rule or the indicator looks back over. */
  readonly windowSeconds: number;
} & (
  | {
      readonly who: 'rules';
      readonly for: string;
      readonly groupWait: string;
      readonly groupInterval: string;
    }
  | { readonly who: 'canaryd'; readonly interval: string }
);

const TIGHT = { who: 'rules', for: '0s', groupWait: '0s', groupInterval: '1s' } as const;

/**
 * `rate(…[20s])` at a scrape of 5 s holds four samples, three intervals of data; canaryd counts from the
 * last sample before its window, so that `over: 15s` holds the same three. Four samples are the least
 * that Prometheus's own advice allows a rule; with two, one missed scrape leaves it without a value.
 */
export const SETTINGS: readonly Setting[] = [
  {
    id: 'rules_1s',
    title: 'rules, 1 s scrape, [4s], tight',
    reads: '1s',
    windowSeconds: 4,
    ...TIGHT,
  },
  {
    id: 'rules_5s',
    title: 'rules, 5 s scrape, [20s], tight',
    reads: '5s',
    windowSeconds: 20,
    ...TIGHT,
  },
  {
    id: 'rules_5s_short',
    title: 'rules, 5 s scrape, [10s], tight',
    reads: '5s',
    windowSeconds: 10,
    ...TIGHT,
  },
  {
    id: 'rules_15s',
    title: 'rules as people run them: 15 s scrape, [1m], for 1m, group_wait 30s',
    reads: '15s',
    windowSeconds: 60,
    who: 'rules',
    for: '1m',
    groupWait: '30s',
    groupInterval: '5m',
  },
  canaryd('1s', 3),
  canaryd('5s', 15),
  canaryd('5s', 5),
  canaryd('15s', 45),
  canaryd('service', 4),
  canaryd('service', 2),
];

function canaryd(reads: Setting['reads'], windowSeconds: number): Setting {
  const where =
    reads === 'service' ? 'the service itself' : `${Number.parseInt(reads, 10)} s scrape`;
  return {
    id: `canaryd_${reads}_${windowSeconds}`,
    title: `canaryd, ${where}, over ${windowSeconds}s`,
    reads,
    windowSeconds,
    who: 'canaryd',
    interval: '1s',
  };
}

/**
 * Rule file of a Prometheus: what the indicators of `policyText` say. Each deploy has a group of its own:
 * Prometheus derives from a group's name when in an interval it evaluates it, so that one group for all
 * would be lucky or unlucky for a whole run.
 */
export function rulesOf(scrape: ScrapeInterval, deploys: readonly string[]): object {
  const own = SETTINGS.filter((one) => one.who === 'rules' && one.reads === scrape);
  return {
    groups: own.flatMap((one) =>
      deploys.map((deploy) => {
        const sum = (by: string, metric: string) =>
          `sum by (${by}) (rate(${metric}{deploy="${deploy}"}[${one.windowSeconds}s]))`;
        const rule = (alert: string, expr: string) => ({
          alert,
          expr,
          for: one.who === 'rules' ? one.for : '0s',
          labels: { setting: one.id },
        });
        const share = `${sum('deploy', 'bench_orders_filled_total')} / ${sum('deploy', 'bench_orders_submitted_total')}`;
        const p99 = `histogram_quantile(0.99, ${sum('deploy, le', 'bench_submit_seconds_bucket')})`;
        return {
          name: `${one.id} ${deploy}`,
          interval: scrape,
          rules: [
            rule('ratio', `${share} < ${LIMITS.ratio}`),
            rule('quantile', `${p99} > ${LIMITS.quantile}`),
          ],
        };
      }),
    ),
  };
}

/** Each deploy's alerts are a group of their own: nobody waits for another's `group_interval`. */
export function alertmanagerConfig(webhookUrl: string): object {
  const rules = SETTINGS.filter((one) => one.who === 'rules');
  return {
    route: {
      receiver: 'none',
      routes: rules.map(({ id, groupWait, groupInterval }) => ({
        receiver: 'bench',
        matchers: [`setting="${id}"`],
        group_by: ['deploy', 'alertname'],
        group_wait: groupWait,
        group_interval: groupInterval,
      })),
    },
    receivers: [
      { name: 'none' },
      { name: 'bench', webhook_configs: [{ url: webhookUrl, send_resolved: false }] },
    ],
  };
}

/** A policy for one setting; the deploy is its environment, so that all are watched at once. */
export function policyText(
  { id, reads, windowSeconds, interval }: Extract<Setting, { who: 'canaryd' }>,
  rollbackUrl: string,
): string {
  const over = `${windowSeconds}s`;
  return JSON.stringify({
    service: id,
    source: reads === 'service' ? 'service' : `prometheus_${reads}`,
    interval,
    mode: 'act',
    match: { deploy: '${environment}' },
    indicators: {
      fill_rate: {
        title: 'Order fill rate',
        ratio: { good: 'bench_orders_filled_total', total: 'bench_orders_submitted_total' },
        over,
        min_total: 20,
      },
      submit_p99: {
        title: 'P99 submit latency',
        quantile: { q: 0.99, histogram: 'bench_submit_seconds' },
        over,
        min_total: 20,
      },
    },
    windows: [
      {
        name: 'immediate',
        until: '15m',
        stop: {
          fill_rate: { below: LIMITS.ratio },
          submit_p99: { above: `${LIMITS.quantile}s` },
        },
      },
    ],
    on_stop: [{ rollback: { webhook: { url: rollbackUrl, secret: '$BENCH_SECRET' } } }],
  });
}
