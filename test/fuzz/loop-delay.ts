// By hand: `node test/fuzz/loop-delay.ts` prints how long the event loop stands still under the
// largest inputs that the limits let in, and the slowest text of each reader. No test: figures of a
// machine are no rule.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { readPolicy } from '../../src/config/to-policy.ts';
import { parseYaml } from '../../src/config/yaml-file.ts';
import { systemClock } from '../../src/kit/clock.ts';
import {
  LABEL_LENGTH_MAX,
  LINES_MAX,
  parseMetrics,
  TEXT_LENGTH_MAX,
} from '../../src/source/metrics-text.ts';
import { createPrometheusSource } from '../../src/source/prometheus.ts';
import { AT_MS, fakeApi, http, json, request } from './prometheus-answers.ts';
import { READERS, texts } from './slow-texts.ts';

const say = (name: string, ms: number) =>
  process.stdout.write(`${ms.toFixed(0).padStart(8)} ms  ${name}\n`);

async function standing(name: string, work: () => unknown): Promise<void> {
  await setTimeout(50);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await setTimeout(20);
  await work();
  await setTimeout(20);
  delay.disable();
  say(name, delay.max / 1e6);
}

function slowest(length: number, read: (text: string) => unknown): number {
  const took = texts(length).map((text) => {
    const started = performance.now();
    read(text);
    return performance.now() - started;
  });
  return Math.max(...took);
}

process.stdout.write('the slowest of the texts made to be slow\n');
for (const [name, length, read] of READERS) {
  say(`${name} of ${length} characters`, slowest(length, read));
}

process.stdout.write('the event loop stands still for at most\n');
const fill = (line: string, length: number) => line.repeat(Math.floor(length / line.length));
const keys = Array.from({ length: 100_000 }, (_, index) => `k${index}:\n`).join('');
await standing('a policy of 100,000 keys', () => readPolicy(parseYaml(keys), 'x'));
await standing('metrics of the most lines', () => {
  parseMetrics('http_requests_total{a="b"} 1\n'.repeat(LINES_MAX), undefined);
});
await standing('metrics of the longest labels', () => {
  parseMetrics(fill(`a{b="${'x'.repeat(LABEL_LENGTH_MAX)}"} 1\n`, TEXT_LENGTH_MAX), undefined);
});

const api = await fakeApi();
const read = async () => {
  const source = createPrometheusSource({ url: api.url, timeoutMs: 20_000, clock: systemClock });
  const indicators = request().indicators.slice(0, 5);
  await source.read(request({ indicators }));
};
const point = (index: number) => [AT_MS / 1_000 - 300 + index / 200, String(index)];
const series = Array.from({ length: 34 }, (_, index) => ({
  metric: { __name__: 'all', instance: `i${index}`, job: 'j' },
  values: Array.from({ length: 60_000 }, (_, at) => point(at)),
}));
const matrix = { status: 'success', data: { resultType: 'matrix', result: series } };
const large = json(matrix);
api.reply = () => large;
await standing(`an answer of Prometheus of ${large.bytes.length} bytes`, read);
const bomb = http(gzipSync(Buffer.alloc(200_000_000, ' ')), ['content-encoding: gzip']);
api.reply = () => bomb;
await standing('an answer that unpacks to 200 MB', read);
api.close();
