// Logs on a real disk, and a watch of a deploy at T0 that follows one.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { AuditLogIndicator } from '../../src/core/policy.ts';
import type { ReadRequest } from '../../src/core/read.ts';
import type { Reading } from '../../src/core/sample.ts';
import type { Clock } from '../../src/kit/clock.ts';
import { VirtualClock } from '../../src/kit/virtual-clock.ts';
import { createAuditLogs } from '../../src/source/audit-log/reader.ts';
import { T0 } from './build.ts';

const MINUTE = 60_000;
const never = new AbortController().signal;

type Over = Partial<ReadRequest<AuditLogIndicator>>;

/** A folder, a log in it, and a watch of a deploy at T0 that follows it. */
export async function following(
  over: Partial<AuditLogIndicator> = {},
  sleep?: Clock['sleep'],
  options: { readonly toEndWithinMs?: number } = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'canaryd-audit-log-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const virtual = new VirtualClock(T0);
  const clock: Clock = {
    now: () => virtual.now(),
    monotonic: () => virtual.monotonic(),
    sleep: sleep ?? ((ms, signal) => virtual.sleep(ms, signal)),
  };
  const indicator: AuditLogIndicator = {
    ...{ id: 'trail', title: 'Trail', unit: 'ratio', kind: 'audit_log' },
    ...{ report: 'events.jsonl', bad: 'untraced', time: 'ts', schema: null, numbers: [] },
    trace: { id: 'trace_id', type: 'event_type', of: null },
    ...{ maxAgeMs: null, overMs: MINUTE, minTotal: 1, early: 'shorten' },
    ...over,
  };
  let logs = createAuditLogs({ clock, folder, ...options });
  onTestFinished(() => logs.forget('w_1'));
  return {
    path: join(folder, 'events.jsonl'),
    at: (name: string) => join(folder, name),
    /** A new process knows nothing of the log. */
    restart() {
      logs.forget('w_1');
      logs = createAuditLogs({ clock, folder, ...options });
    },
    async read(sinceMs: number, request: Over = {}): Promise<Reading> {
      const readings = await logs.read({
        ...{ watchId: 'w_1', indicators: [indicator], atMs: T0 + sinceMs, deployedAtMs: T0 },
        ...{ staleAfterMs: MINUTE, previous: {}, signal: never },
        ...request,
      });
      const reading = readings['trail'];
      if (reading === undefined) throw new Error('nothing was read');
      return reading;
    },
  };
}

export function event(sinceMs: number, over: Readonly<Record<string, unknown>> = {}): string {
  const ts = new Date(T0 + sinceMs).toISOString();
  return JSON.stringify({ ts, event_type: 'order', trace_id: `t${sinceMs}`, ...over });
}

export const lines = (...all: readonly string[]) => all.map((one) => `${one}\n`).join('');
export const untraced = (sinceMs: number) => event(sinceMs, { trace_id: '' });
export const counts = (part: number, total: number) => ({ kind: 'value', counts: { part, total } });
