// The stop conditions of the Aurora policy in the first 15 minutes as Prometheus alert rules, for
// `npm run bench:capacity`: as people write them, one rule for each deploy and condition, or one for
// each condition and all deploys at once. The health endpoint is not among them: no rule asks it.
import { PARAMETERS } from '../support/many-deploys.ts';

/** Of one deploy, or of all of them `by (deploy)`. */
type Scope = {
  /** A series selector of the scope. */
  of(metric: string, matcher?: string): string;
  /** `sum` or `sum by (deploy)`. */
  by(aggregate: string): string;
  readonly byBucket: string;
};

type Condition = {
  readonly name: string;
  readonly for?: string;
  readonly expr: (scope: Scope) => string;
};

const ratio = (scope: Scope, part: string, all: string, over: string) =>
  `${scope.by('sum')}(rate(${part}[${over}])) / ${scope.by('sum')}(rate(${all}[${over}]))`;
const latency = (scope: Scope, q: number, over: string) => {
  const buckets = scope.of('aurora_order_submit_latency_seconds_bucket');
  return `histogram_quantile(${q}, ${scope.byBucket}(rate(${buckets}[${over}])))`;
};
const gauge = (scope: Scope, aggregate: string, metric: string, matcher?: string) =>
  `${scope.by(aggregate)}(${scope.of(metric, matcher)})`;
const traces = (scope: Scope) =>
  ratio(
    scope,
    scope.of('aurora_xai_events_missing_trace_total'),
    scope.of('aurora_xai_events_total'),
    '5m',
  );
const errors = (scope: Scope) =>
  ratio(
    scope,
    scope.of('http_requests_total', 'status=~"5.."'),
    scope.of('http_requests_total'),
    '5m',
  );

export const CONDITIONS: readonly Condition[] = [
  {
    name: 'fill_rate',
    for: '15s',
    expr: (scope) => {
      const filled = scope.of('aurora_orders_filled_total');
      return `${ratio(scope, filled, scope.of('aurora_orders_submitted_total'), '1m')} < 0.8`;
    },
  },
  { name: 'submit_latency_p99', expr: (scope) => `${latency(scope, 0.99, '5m')} > 2` },
  {
    name: 'realized_loss',
    expr: (scope) =>
      `-${gauge(scope, 'sum', 'aurora_realized_pnl_usd')} > ${PARAMETERS.deploy_capital * 0.005}`,
  },
  {
    name: 'open_positions',
    expr: (scope) =>
      `${gauge(scope, 'sum', 'aurora_open_positions')} > ${PARAMETERS.expected_positions * 1.2}`,
  },
  { name: 'xai_trace_missing', expr: (scope) => `${traces(scope)} > 0.01` },
  {
    name: 'line_coverage',
    expr: (scope) => `${gauge(scope, 'min', 'aurora_test_coverage', 'kind="line"')} < 0.85`,
  },
  {
    name: 'branch_coverage',
    expr: (scope) => `${gauge(scope, 'min', 'aurora_test_coverage', 'kind="branch"')} < 0.75`,
  },
  {
    // A rule knows no value before the deploy: the highest of a while ago stands for it.
    name: 'mutation_score',
    expr: (scope) => {
      const before = `${scope.by('max')}(max_over_time(${scope.of('aurora_mutation_score')}[5m]))`;
      return `${gauge(scope, 'min', 'aurora_mutation_score')} < 0.9 * ${before}`;
    },
  },
  { name: 'xai_trace_missing', expr: (scope) => `${traces(scope)} > 0.05` },
  { name: 'submit_latency_p95', expr: (scope) => `${latency(scope, 0.95, '1m')} > 2` },
  { name: 'error_rate', expr: (scope) => `${errors(scope)} > 0.05` },
  {
    name: 'security_findings',
    expr: (scope) =>
      `${gauge(scope, 'sum', 'aurora_security_findings', 'severity=~"HIGH|CRITICAL"')} > 0`,
  },
];

const rulesOf = (scope: Scope) =>
  CONDITIONS.map((one) => ({ alert: one.name, expr: one.expr(scope), for: one.for ?? '0s' }));

/** A group of rules for each deploy. */
export function rulesPerDeploy(deploys: readonly string[]): object {
  return {
    groups: deploys.map((deploy) => ({
      name: deploy,
      rules: rulesOf({
        of: (metric, matcher) => `${metric}{${matcher ? `${matcher},` : ''}deploy="${deploy}"}`,
        by: (aggregate) => aggregate,
        byBucket: 'sum by (le) ',
      }),
    })),
  };
}

/** One group: each rule is for all deploys. */
export function rulesByDeploy(): object {
  return {
    groups: [
      {
        name: 'aurora',
        rules: rulesOf({
          of: (metric, matcher) => (matcher ? `${metric}{${matcher}}` : metric),
          by: (aggregate) => `${aggregate} by (deploy) `,
          byBucket: 'sum by (deploy, le) ',
        }),
      },
    ],
  };
}
