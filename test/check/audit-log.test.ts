import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { replayedPolicy } from '../../src/backtest/replayed-policy.ts';
import { lookAt } from '../../src/check/live/look.ts';
import type { Sight } from '../../src/check/live/sight.ts';
import { staticFindings } from '../../src/check/static.ts';
import { subjectOf } from '../../src/check/subject.ts';
import { policySchema } from '../../src/config/policy-schema.ts';
import { readPolicy } from '../../src/config/to-policy.ts';
import { withStandIns } from '../../src/simulate/stand-in.ts';
import { createAuditLogs } from '../../src/source/audit-log/reader.ts';
import { clockAtT, policyOn, T } from './live-world.ts';

const LOG = { report: 'events.jsonl', bad: 'untraced', trace: { id: 'trace_id' }, time: 'ts' };

function subject(limit: object = { above: '1%' }, more: object = {}) {
  const raw = policyOn({ audit_log: LOG, over: '5m', min_total: 300, ...more }, limit);
  const read = readPolicy(raw, 'shop');
  if (read.kind === 'problems') throw new Error(JSON.stringify(read.problems));
  return { raw, policy: read.policy, subject: subjectOf(read.policy, raw) };
}

const names = (limit?: object, more?: object) =>
  staticFindings(subject(limit, more).subject)
    .filter(({ indicator }) => indicator === 'it')
    .map(({ name }) => name);

/** What a policy of logs alone must not ask. */
const noSource = new Proxy({} as Sight, {
  get: (_, name) => {
    if (name === 'kind') return 'prometheus';
    throw new Error(`the source was asked for ${String(name)}`);
  },
});

/** @param untraced of a hundred events in the last minutes; null: no log */
async function lookOf(untraced: number | null) {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-check-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const event = (_: unknown, index: number) =>
    JSON.stringify({ ts: T - index * 1_000, trace_id: index < (untraced ?? 0) ? '' : 'a' });
  const text = Array.from({ length: 100 }, event).reverse().join('\n');
  if (untraced !== null) writeFileSync(join(folder, 'events.jsonl'), `${text}\n`);
  return lookAt(subject({ above: '1%' }, { min_total: 50 }).subject, {
    ...{ sight: noSource, clock: clockAtT, signal: new AbortController().signal },
    ...{ parameters: {}, version: null },
    readHealth: async () => ({ kind: 'value', value: 1 }),
    auditLogs: createAuditLogs({ clock: clockAtT, folder }),
  });
}

describe('check of an audit log', () => {
  it('finds nothing in one that is right', () => {
    expect(names()).toEqual([]);
  });

  it.each([
    ['upside-down-limit', { below: '1%' }, {}],
    ['no-traffic-guard', { above: '1%' }, { min_total: 2 }],
    ['one-event-decides', { above: '1%' }, { min_total: 20 }],
    ['unit-doubt', { above: 0.9 }, {}],
    ['zero-baseline', { above: '120%', of: 'baseline' }, {}],
  ])('finds %s', (name, limit, more) => {
    expect(names(limit, more)).toContain(name);
  });

  it('reads it once with --live, and shows its figure', async () => {
    const report = await lookOf(0);
    expect(report.findings).toEqual([]);
    expect(report.conditions).toMatchObject([
      { reading: { kind: 'value', value: 0, counts: { part: 0, total: 100 } } },
    ]);
  });

  it.each([
    [20, 'would-stop-now', 'it at 20 % (20 of 100 in 5m)'],
    [null, 'blind-now', 'no_series: '],
  ])('with --live, %s untraced: %s', async (untraced, name, words) => {
    const { findings } = await lookOf(untraced);
    expect(findings).toMatchObject([{ name, message: expect.stringContaining(words) }]);
  });
});

describe('what has no log to read', () => {
  it('a backtest leaves its conditions out, by name', () => {
    const { leftOut, policy } = replayedPolicy(subject().policy);
    expect(policy.conditions).toEqual([]);
    expect(leftOut).toMatchObject([
      { condition: { id: 'immediate.stop.it' }, why: 'an audit log is not in a Prometheus' },
    ]);
  });

  it('a simulation has a gauge in its place, of the same title and unit', () => {
    const { raw, policy } = subject();
    const standing = withStandIns(policySchema.parse(raw), policy);
    expect(standing.logs).toEqual(['it']);
    expect(standing.policy.indicators['it']).toMatchObject({
      ...{ kind: 'gauge', title: 'It', unit: 'ratio' },
    });
    expect(standing.policy.conditions).toEqual(policy.conditions);
  });
});
