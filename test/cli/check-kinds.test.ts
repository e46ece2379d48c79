// The kind of a metric by its name, and as the source says: the source knows better.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';

const METRICS = `# TYPE beds_total gauge
beds_total 12
# TYPE jobs_total counter
jobs_total 500
# TYPE answer_seconds summary
answer_seconds_sum 10
answer_seconds_count 50
# TYPE system_cpu counter
system_cpu 1
# TYPE system_cpu_count gauge
system_cpu_count 8
nameless_total 3
`;

const policyOf = (metric: string) => `
service: shop
source: shop
interval: 1s
indicators: { it: { title: It, gauge: { metric: ${metric}, aggregate: sum }, unit: number } }
windows: [{ name: all, until: 15m, stop: { it: { above: 100000 } } }]
on_stop:
  - rollback: { command: [/bin/true] }
  - verify: { within: 10m, pass: { it: { below: 90000 } } }
`;

const folder = mkdtempSync(join(tmpdir(), 'canaryd-check-'));
const server = createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
  response.end(METRICS);
});

beforeAll(async () => {
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

/** Exit code and findings without and with `--live`. */
async function checked(metric: string) {
  const { port } = server.address() as AddressInfo;
  const policy = join(folder, 'shop.yaml');
  writeFileSync(policy, policyOf(metric));
  const config = join(folder, 'canaryd.yaml');
  const targets = `["http://127.0.0.1:${port}/metrics"]`;
  writeFileSync(
    config,
    `journal: { sqlite: { path: canaryd.db } }
policies: [shop.yaml]
sources: { shop: { scrape: { targets: ${targets} } } }
`,
  );
  const both = [];
  for (const words of [
    ['check', config],
    ['check', config, '--live'],
  ]) {
    const run = cli({ server: 'http://127.0.0.1:1' });
    const code = await run.run(...words, '--json');
    const [{ findings }] = run.json().files[0].policies;
    const named = findings.map((one: { name: string; level: string }) => [one.name, one.level]);
    both.push([code, ...named]);
  }
  return both;
}

const WARNING = ['counter-as-gauge', 'warning'];
const ERROR = ['counter-as-gauge', 'error'];

describe('a gauge of what is called a counter', () => {
  it.each([
    [
      'by its name only, and the source does not know',
      'nameless_total',
      [0, WARNING],
      [0, WARNING],
    ],
    ['by its name, while the source says gauge', 'beds_total', [0, WARNING], [0]],
    ['by its name and by the source', 'jobs_total', [0, WARNING], [1, ERROR]],
    ['by the source only', 'answer_seconds_count', [0], [1, ERROR]],
    ['by neither', 'system_cpu_count', [0], [0]],
  ])('%s', async (_, metric, offline, live) => {
    expect(await checked(metric)).toEqual([offline, live]);
  });
});
