import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { jsonSchemaFiles } from '../../src/config/json-schemas.ts';
import { loadConfig } from '../../src/config/load.ts';
import { changed } from './sample-policy.ts';

const CONFIG = new URL('../../config/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, CONFIG), 'utf8');
const { config, policies, missingSecrets } = loadConfig(new URL('canaryd.yaml', CONFIG).pathname, {
  env: {},
});
const aurora = policies.find(({ name }) => name === 'aurora');

function validator(name: string) {
  // `default` and `description` only inform; formats are not used.
  return new Ajv2020({ strict: false, allErrors: true }).compile(JSON.parse(read(name)));
}

describe('the JSON Schemas', () => {
  test.each([...jsonSchemaFiles()])('%s is up to date (npm run schemas)', (name, text) => {
    expect(read(name)).toBe(text);
  });

  test.each([...jsonSchemaFiles()])('%s describes every field', (_, text) => {
    expect(undescribed(JSON.parse(text), '')).toEqual([]);
  });

  test.each([
    ['canaryd.yaml', 'canaryd.schema.json', './canaryd.schema.json'],
    ['policies/aurora.yaml', 'policy.schema.json', '../policy.schema.json'],
    ['policies/examples/http-api.yaml', 'policy.schema.json', '../../policy.schema.json'],
  ])('%s is valid and names its schema for editors', (file, schema, reference) => {
    const validate = validator(schema);
    expect(read(file).split('\n')[0]).toBe(`# yaml-language-server: $schema=${reference}`);
    expect(validate(parse(read(file)))).toBe(true);
  });

  test.each([
    ['intervall', '5s'],
    ['interval', '5 seconds'],
    ['windows.0.stop.latency', { above: '2s', below: '1s' }],
    ['windows.0.stop.latency', { for: '1m' }],
    ['indicators.loss.http', { url: 'http://host/' }],
    ['on_stop.0.disarm.webhook.secret', 'literal'],
    ['on_stop.0.rollback', { command: ['a'] }],
  ])('an editor marks a mistake at %s', (path, value) => {
    const validate = validator('policy.schema.json');
    expect(validate(changed())).toBe(true);
    expect(validate(changed([path, value]))).toBe(false);
  });
});

/** Paths of properties without a description. */
function undescribed(schema: unknown, path: string): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const { properties = {} } = schema as { properties?: Record<string, { description?: string }> };
  const own = Object.entries(properties).flatMap(([name, field]) =>
    field.description ? [] : [`${path}.${name}`],
  );
  const below = Object.entries(schema).flatMap(([key, value]) =>
    undescribed(value, `${path}.${key}`),
  );
  return [...own, ...below];
}

describe('config/canaryd.yaml', () => {
  test('comes up without any secret, on loopback, reading the service itself', () => {
    expect(config).toMatchObject({
      listen: { host: '127.0.0.1', port: 7766 },
      channels: {},
      tokens: [],
      sources: { aurora: { kind: 'scrape', targets: ['http://127.0.0.1:8080/metrics'] } },
    });
    expect(missingSecrets).toEqual([
      { policy: 'aurora', secrets: ['AURORA_DISARM_SECRET', 'AURORA_ROLLBACK_SECRET'] },
    ]);
  });
});

const CHECKLIST = [
  ['Checklist: Order fill rate < 80%', 'immediate.stop.fill_rate', 'below', 0.8, null],
  ['Checklist: P99 submit latency > 2s', 'immediate.stop.submit_latency_p99', 'above', 2, null],
  [
    'Checklist: Realized loss > 0.5% of deploy capital',
    'immediate.stop.realized_loss',
    'above',
    0.005,
    'deploy_capital',
  ],
  [
    'Checklist: Open positions > expected + 20%',
    'immediate.stop.open_positions',
    'above',
    1.2,
    'expected_positions',
  ],
  [
    'Checklist: XAI events missing trace ratio > 0.01',
    'immediate.stop.xai_trace_missing',
    'above',
    0.01,
    null,
  ],
  ['Checklist: Order fill rate < 90%', 'warning.warn.fill_rate', 'below', 0.9, null],
  ['Checklist: P95 submit latency > 500ms', 'warning.warn.submit_latency_p95', 'above', 0.5, null],
  ['Checklist: Memory usage > 1GB', 'warning.warn.memory', 'above', 1e9, null],
  ['Checklist: CPU usage > 80%', 'warning.warn.cpu', 'above', 0.8, null],
  [
    'Checklist: Mutation score daily drop > 5%',
    'warning.warn.mutation_score',
    'below',
    0.95,
    'baseline',
  ],
  ['Checklist: Order fill rate > 95%', 'success.pass.fill_rate', 'above', 0.95, null],
  ['Checklist: P95 submit latency < 300ms', 'success.pass.submit_latency_p95', 'below', 0.3, null],
  ['Checklist: Zero unexpected errors in logs', 'success.pass.log_errors', 'at_most', 0, null],
  [
    'Checklist: XAI audit trail 100% complete',
    'success.pass.xai_trace_missing',
    'at_most',
    0,
    null,
  ],
  [
    'Checklist: PnL within expected range (±0.2%)',
    'success.pass.pnl',
    'within',
    0.002,
    'deploy_capital',
  ],
  ['Runbook: line coverage < 85%', 'always.stop.line_coverage', 'below', 0.85, null],
  ['Runbook: branch coverage < 75%', 'always.stop.branch_coverage', 'below', 0.75, null],
  [
    'Runbook: mutation score drops > 10% from baseline',
    'always.stop.mutation_score',
    'below',
    0.9,
    'baseline',
  ],
  ['Runbook: XAI event coverage < 95%', 'always.stop.xai_trace_missing', 'above', 0.05, null],
  ['Runbook: p95 latency > 2s', 'always.stop.submit_latency_p95', 'above', 2, null],
  ['Runbook: error rate > 5%', 'always.stop.error_rate', 'above', 0.05, null],
  [
    'Runbook: HIGH/CRITICAL security issues detected',
    'always.stop.security_findings',
    'above',
    0,
    null,
  ],
] as const;
const HEALTH = 'immediate.stop.health';

describe('config/policies/aurora.yaml', () => {
  const conditions = aurora?.conditions ?? [];

  test.each(CHECKLIST)('%s is %s', (line, id, comparator, value, of) => {
    expect(conditions.find((condition) => condition.id === id)?.limit).toEqual({
      kind: 'compare',
      comparator,
      value: expect.closeTo(value, 12),
      of,
    });
    expect(read('policies/aurora.yaml')).toContain(`# ${line}`);
  });

  test('Checklist: Health check failure (3 consecutive failures) is immediate.stop.health', () => {
    const health = conditions.find(({ id }) => id === HEALTH);
    expect(health?.limit).toEqual({ kind: 'failing', times: 3 });
  });

  test('has no condition beyond those lines', () => {
    const lines = [HEALTH, ...CHECKLIST.map(([, id]) => id)];
    expect(conditions.map(({ id }) => id).toSorted()).toEqual(lines.toSorted());
  });

  test('has the windows of the checklist', () => {
    expect(aurora?.windows).toEqual([
      { name: 'immediate', fromMs: 0, untilMs: 15 * 60_000, passForMs: 0 },
      { name: 'warning', fromMs: 15 * 60_000, untilMs: 60 * 60_000, passForMs: 0 },
      { name: 'success', fromMs: 60 * 60_000, untilMs: 24 * 3_600_000, passForMs: 300_000 },
      { name: 'always', fromMs: 0, untilMs: 24 * 3_600_000, passForMs: 0 },
    ]);
  });

  test('stops immediately on six conditions', () => {
    const immediate = conditions.filter(
      ({ window, role }) => window === 'immediate' && role === 'stop',
    );
    expect(immediate).toHaveLength(6);
  });

  test('disarms, rolls back, and proves it', () => {
    expect(aurora?.actions.map(({ name }) => name)).toEqual(['disarm', 'rollback']);
    expect(aurora?.verify?.conditions.map(({ id, limit }) => [id, limit])).toEqual([
      ['verify.verify.health', { kind: 'passing', times: 3 }],
      ['verify.verify.running_version', { kind: 'passing', times: 1 }],
      [
        'verify.verify.open_positions',
        { kind: 'compare', comparator: 'at_most', value: 1.2, of: 'expected_positions' },
      ],
    ]);
  });

  test('works on any source: it has no PromQL', () => {
    expect(Object.values(aurora?.indicators ?? {}).map(({ kind }) => kind)).not.toContain('promql');
  });
});
