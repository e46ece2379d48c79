// Reads the simulated service's exposition as its figures: what the limits of a policy look at.

export type Figures = {
  readonly orders: number;
  readonly fillRate: number;
  readonly p95: number;
  readonly p99: number;
  readonly realizedPnl: number;
  readonly pnl: number;
  readonly positions: number;
  readonly xaiMissing: number;
  readonly memory: number;
  readonly cpu: number;
  readonly logErrors: number;
  readonly httpErrors: number;
  readonly lineCoverage: number;
  readonly branchCoverage: number;
  readonly mutationScore: number;
  readonly critical: number;
};

/** `name{labels}` → value; a series that is not there counts as 0. */
export function seriesOf(exposition: string): ReadonlyMap<string, number> {
  const lines = exposition.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

function quantile(q: number, before: string, after: string): number {
  const prefix = 'aurora_order_submit_latency_seconds_bucket{le="';
  const [old, now] = [seriesOf(before), seriesOf(after)];
  const buckets = [...now]
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, count]) => {
      const text = name.slice(prefix.length, -2);
      const le = text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text);
      return { le, count: count - (old.get(name) ?? 0) };
    });
  const rank = q * (buckets.at(-1)?.count ?? 0);
  const at = buckets.findIndex(({ count }) => count >= rank);
  const lower = buckets[at - 1] ?? { le: 0, count: 0 };
  const upper = buckets[at] ?? lower;
  return lower.le + ((rank - lower.count) / (upper.count - lower.count)) * (upper.le - lower.le);
}

/** The figures between two expositions that are so many seconds apart. */
export function figuresBetween(before: string, after: string, seconds: number): Figures {
  const [old, now] = [seriesOf(before), seriesOf(after)];
  const gauge = (name: string) => now.get(name) ?? Number.NaN;
  const increase = (name: string) => (now.get(name) ?? 0) - (old.get(name) ?? 0);
  const orders = increase('aurora_orders_submitted_total');
  const ok = increase('http_requests_total{status="200"}');
  const failed = increase('http_requests_total{status="500"}');
  return {
    orders,
    fillRate: increase('aurora_orders_filled_total') / orders,
    p95: quantile(0.95, before, after),
    p99: quantile(0.99, before, after),
    realizedPnl: gauge('aurora_realized_pnl_usd'),
    pnl: gauge('aurora_pnl_usd'),
    positions: gauge('aurora_open_positions'),
    xaiMissing:
      increase('aurora_xai_events_missing_trace_total') / increase('aurora_xai_events_total'),
    memory: gauge('process_resident_memory_bytes'),
    cpu: increase('process_cpu_seconds_total') / seconds,
    logErrors: increase('aurora_log_errors_total'),
    httpErrors: failed / (ok + failed),
    lineCoverage: gauge('aurora_test_coverage{kind="line"}'),
    branchCoverage: gauge('aurora_test_coverage{kind="branch"}'),
    mutationScore: gauge('aurora_mutation_score'),
    critical: gauge('aurora_security_findings{severity="CRITICAL"}'),
  };
}

/** Which figures are outside of what a healthy service shows. */
export function unhealthy(figures: Figures): readonly string[] {
  const isHealthy: Readonly<Record<keyof Figures, boolean>> = {
    orders: figures.orders > 0,
    fillRate: figures.orders === 0 || figures.fillRate > 0.95,
    // The 95th percentile has room for the 2 % of the latency fault; its limits are 0.5 s and up.
    p95: figures.orders === 0 || figures.p95 < 0.35,
    p99: figures.orders === 0 || figures.p99 < 2,
    realizedPnl: figures.realizedPnl > 0 && figures.realizedPnl < 100,
    pnl: Math.abs(figures.pnl) < 100,
    positions: figures.positions === 10,
    xaiMissing: figures.orders === 0 || figures.xaiMissing === 0,
    memory: figures.memory < 1e9,
    cpu: figures.cpu < 0.5,
    logErrors: figures.logErrors === 0,
    httpErrors: figures.httpErrors === 0,
    lineCoverage: figures.lineCoverage >= 0.8,
    branchCoverage: figures.branchCoverage >= 0.75,
    mutationScore: figures.mutationScore >= 0.7,
    critical: figures.critical === 0,
  };
  return Object.entries(isHealthy)
    .filter(([, healthy]) => !healthy)
    .map(([name]) => name);
}
