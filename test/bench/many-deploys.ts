// A process of its own for `npm run bench:capacity`: one `/metrics` with the Aurora series of many
// deploys, all of them well until one is turned bad, and the health endpoint of them all. Says its
// port in its first line. POST /fault/<deploy> turns one bad, /counts says how often health was asked.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deployName } from '../support/many-deploys.ts';

const EDGES = [0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5] as const;
/** Share of orders that take at most so long. */
const WITHIN = [0.3, 0.6, 0.9, 0.97, 0.99, 0.998, 0.999, 1] as const;
const RATE = 20;

const startMs = Date.now();
const deploys = Number(process.argv[2] ?? 1);
const faults = new Map<string, number>();
let health = 0;

function text(atMs: number): string {
  const orders = Math.floor(((atMs - startMs) / 1_000) * RATE);
  const out: string[] = [];
  for (let index = 0; index < deploys; index += 1) {
    const name = deployName(index);
    const faultMs = faults.get(name);
    const since = faultMs === undefined ? 0 : Math.floor(((atMs - faultMs) / 1_000) * RATE);
    const filled = Math.floor((orders - since) * 0.98 + since * 0.3);
    const own = `deploy="${name}"`;
    out.push(
      `aurora_orders_submitted_total{${own}} ${orders}`,
      `aurora_orders_filled_total{${own}} ${filled}`,
      ...EDGES.map(
        (edge, at) =>
          `aurora_order_submit_latency_seconds_bucket{${own},le="${edge}"} ${Math.floor(orders * (WITHIN[at] ?? 1))}`,
      ),
      `aurora_order_submit_latency_seconds_bucket{${own},le="+Inf"} ${orders}`,
      `aurora_order_submit_latency_seconds_count{${own}} ${orders}`,
      `aurora_realized_pnl_usd{${own}} 120`,
      `aurora_open_positions{${own}} 8`,
      `aurora_xai_events_total{${own}} ${orders * 3}`,
      `aurora_xai_events_missing_trace_total{${own}} 0`,
      `process_resident_memory_bytes{${own}} 180000000`,
      `process_cpu_seconds_total{${own}} ${(atMs - startMs) / 5_000}`,
      `aurora_mutation_score{${own}} 0.91`,
      `aurora_test_coverage{${own},kind="line"} 0.93`,
      `aurora_test_coverage{${own},kind="branch"} 0.9`,
      `http_requests_total{${own},status="200"} ${orders}`,
      `http_requests_total{${own},status="500"} 0`,
      `aurora_security_findings{${own},severity="HIGH"} 0`,
      `aurora_log_errors_total{${own}} 0`,
    );
  }
  return `${out.join('\n')}\n`;
}

const server = createServer((request, response) => {
  const [, verb, name = ''] = (request.url ?? '').split('/');
  if (verb === 'metrics') {
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(text(Date.now()));
    return;
  }
  if (request.method === 'POST' && verb === 'fault') faults.set(name, Date.now());
  if (verb === 'health') health += 1;
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(verb === 'counts' ? { health } : { status: 'ok', version: '1.0.0' }));
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
