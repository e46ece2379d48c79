// A service with many deploys, each of which may turn bad at a known instant. Its counters are
// functions of time, so that what any window shows at any instant can be computed afterwards.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type FaultKind = 'ratio' | 'quantile';
/** `atMs`: the instant at which it turns bad; null: it stays well. */
export type BenchDeploy = {
  readonly name: string;
  readonly kind: FaultKind;
  readonly atMs: number | null;
};

/** Orders a second: so many that whole orders do not blur the P99 of the shortest window. */
const RATE = 500;
const FILLED = { well: 0.98, bad: 0.5 };
/** Seconds; the limit of the P99 is one of them. */
const EDGES = [0.1, 0.5, 1, 2, 5] as const;
/** Share of orders that take at most so long. */
const WITHIN = {
  well: [0.5, 0.9, 0.98, 0.998, 1],
  bad: [0.3, 0.5, 0.6, 0.7, 1],
} as const;

export const LIMITS = { ratio: 0.8, quantile: 2 } as const;

/** Orders that came in until then. */
function ordersAt(startMs: number, atMs: number): number {
  return Math.max(0, ((atMs - startMs) / 1_000) * RATE);
}

/** Of the orders until then a share, which is another one since the fault. */
function shareAt(
  startMs: number,
  atMs: number,
  faultMs: number | null,
  well: number,
  bad: number,
): number {
  const all = ordersAt(startMs, atMs);
  const since = faultMs === null ? 0 : Math.min(all, Math.max(0, ordersAt(faultMs, atMs)));
  return (all - since) * well + since * bad;
}

export class BenchService {
  readonly startMs: number;
  readonly deploys: readonly BenchDeploy[];

  constructor(startMs: number, deploys: readonly BenchDeploy[]) {
    this.startMs = startMs;
    this.deploys = deploys;
  }

  filledAt({ kind, atMs: fault }: BenchDeploy, atMs: number): number {
    const faultMs = kind === 'ratio' ? fault : null;
    return Math.floor(shareAt(this.startMs, atMs, faultMs, FILLED.well, FILLED.bad));
  }

  submittedAt(atMs: number): number {
    return Math.floor(ordersAt(this.startMs, atMs));
  }

  bucketsAt({ kind, atMs: fault }: BenchDeploy, atMs: number): readonly number[] {
    const faultMs = kind === 'quantile' ? fault : null;
    return EDGES.map((_, index) =>
      Math.floor(
        shareAt(this.startMs, atMs, faultMs, WITHIN.well[index] ?? 1, WITHIN.bad[index] ?? 1),
      ),
    );
  }

  /** Whether the window that ends then shows the fault, by the counters at its two ends. */
  isShown(deploy: BenchDeploy, fromMs: number, toMs: number): boolean {
    const orders = this.submittedAt(toMs) - this.submittedAt(fromMs);
    if (orders <= 0) return false;
    if (deploy.kind === 'ratio') {
      const filled = this.filledAt(deploy, toMs) - this.filledAt(deploy, fromMs);
      return filled / orders < LIMITS.ratio;
    }
    const index = EDGES.indexOf(LIMITS.quantile);
    const edge = (atMs: number) => this.bucketsAt(deploy, atMs)[index] ?? 0;
    return (edge(toMs) - edge(fromMs)) / orders < 0.99;
  }

  text(atMs: number): string {
    const lines = (metric: string, type: string, line: (deploy: BenchDeploy) => string) => [
      `# TYPE ${metric} ${type}`,
      ...this.deploys.map(line),
    ];
    const orders = this.submittedAt(atMs);
    return `${[
      ...lines('bench_orders_submitted_total', 'counter', ({ name }) => {
        return `bench_orders_submitted_total{deploy="${name}"} ${orders}`;
      }),
      ...lines('bench_orders_filled_total', 'counter', (deploy) => {
        return `bench_orders_filled_total{deploy="${deploy.name}"} ${this.filledAt(deploy, atMs)}`;
      }),
      ...lines('bench_submit_seconds', 'histogram', (deploy) => {
        const bucket = (le: string, count: number) =>
          `bench_submit_seconds_bucket{deploy="${deploy.name}",le="${le}"} ${count}`;
        const counts = this.bucketsAt(deploy, atMs);
        return [
          ...EDGES.map((edge, index) => bucket(String(edge), counts[index] ?? 0)),
          bucket('+Inf', orders),
          `bench_submit_seconds_sum{deploy="${deploy.name}"} ${orders}`,
          `bench_submit_seconds_count{deploy="${deploy.name}"} ${orders}`,
        ].join('\n');
      }),
    ].join('\n')}\n`;
  }
}

export async function serve(service: BenchService) {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
    response.end(service.text(Date.now()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
