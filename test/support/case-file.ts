// Files of cases for tests: a small policy and the cases beside it, in a folder of their own.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import type { CaseFile } from '../../src/cases/case.ts';
import { playCase } from '../../src/cases/play.ts';
import { readCaseFile } from '../../src/cases/read.ts';
import type { CaseResult } from '../../src/cases/result.ts';

export const SHOP = {
  service: 'shop',
  source: 'prometheus',
  interval: '5s',
  parameters: { capital: { type: 'number', default: 1000 } },
  indicators: {
    errors: {
      title: 'Failed requests',
      ratio: { bad: 'failed_total', total: 'requests_total' },
      over: '1m',
      min_total: 20,
    },
    queue: { title: 'Queue', gauge: { metric: 'queue_length', aggregate: 'max' } },
    p90: {
      title: 'P90 latency',
      quantile: { q: 0.9, histogram: 'latency_seconds' },
      over: '1m',
    },
    health: { title: 'Health endpoint', http: { url: 'http://shop/health', timeout: '2s' } },
  },
  windows: [
    {
      name: 'early',
      until: '10m',
      stop: { errors: { above: '5%' }, health: { failing: 3 } },
      warn: { queue: { above: 50 }, p90: { above: '1s' } },
    },
    { name: 'late', until: '30m', pass: { errors: { below: '1%' } } },
  ],
  on_stop: [
    { disarm: { webhook: { url: 'https://ops.example/disarm' } } },
    { rollback: { webhook: { url: 'https://ops.example/rollback' } } },
  ],
};

export const HEALTHY = {
  requests_total: '+10/s',
  failed_total: 0,
  queue_length: 5,
  latency_seconds: '+10/s of 80ms',
};

type Mapping = Readonly<Record<string, unknown>>;

/** Writes both and gives the path of the cases. */
export function caseFile(cases: unknown, policy: unknown = SHOP): string {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-cases-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'shop.yaml'), stringify(policy));
  const path = join(folder, 'shop.test.yaml');
  writeFileSync(path, typeof cases === 'string' ? cases : stringify(cases));
  return path;
}

export function readCases(cases: unknown, policy: unknown = SHOP): CaseFile {
  const result = readCaseFile(caseFile(cases, policy));
  if (result.kind === 'file') return result.file;
  const problems = result.problems.map(({ path, message }) => `${path}: ${message}`);
  throw new Error(`the file is refused\n${problems.join('\n')}`);
}

/** What is wrong with a file, one line each. */
export function problemsOf(cases: unknown, policy: unknown = SHOP): readonly string[] {
  const result = readCaseFile(caseFile(cases, policy));
  if (result.kind === 'file') return [];
  return result.problems.map(({ path, message }) => `${path}: ${message}`);
}

/** One case about a shop that is healthy but for what the case says. */
export async function playOne(own: Mapping, file: Mapping = {}, policy: unknown = SHOP) {
  const { series, ...rest } = own;
  const one = { name: 'a case', series: { ...HEALTHY, ...(series as Mapping) }, ...rest };
  const read = readCases({ policy: 'shop.yaml', ...file, cases: [one] }, policy);
  const [first] = read.cases;
  if (first === undefined) throw new Error('the file has no case');
  const { signal } = new AbortController();
  return playCase(read, first, { monotonic: () => 0, signal });
}

/** `2m watch: expected stopped, got watching` for each failure. */
export function linesOf({ failures }: CaseResult): readonly string[] {
  return failures.map(
    ({ at, field, expected, got }) => `${at} ${field}: expected ${expected}, got ${got}`,
  );
}
