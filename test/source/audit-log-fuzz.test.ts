// Whatever happens to a log between two readings: what was there to be seen counts once.
import { appendFile, copyFile, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { AuditLogIndicator } from '../../src/core/policy.ts';
import { VirtualClock } from '../../src/kit/virtual-clock.ts';
import { createAuditLogs } from '../../src/source/audit-log/reader.ts';
import { T0 } from '../support/build.ts';

const STEP_MS = 1_000;
const INDICATOR: AuditLogIndicator = {
  ...{ id: 'trail', title: 'Trail', unit: 'ratio', kind: 'audit_log' },
  ...{ report: 'events.jsonl*', bad: 'untraced', time: 'ts', schema: null, numbers: [] },
  trace: { id: 'trace_id', type: 'event_type', of: null },
  ...{ maxAgeMs: null, overMs: 3_600_000, minTotal: 1, early: 'shorten' },
};

type Step =
  | { readonly kind: 'write'; readonly bad: readonly boolean[]; readonly tornAt: number }
  | { readonly kind: 'read' | 'rotate' | 'copy' | 'truncate' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('write' as const),
    bad: fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
    /** So much of the last line comes with the next write; 0: all is written. */
    tornAt: fc.integer({ min: 0, max: 40 }),
  }),
  fc.record({ kind: fc.constantFrom('read' as const, 'rotate', 'copy', 'truncate') }),
);

async function played(steps: readonly Step[]) {
  const folder = await mkdtemp(join(tmpdir(), 'canaryd-log-fuzz-'));
  const path = join(folder, 'events.jsonl');
  const logs = createAuditLogs({ clock: new VirtualClock(T0), folder });
  const written = { part: 0, total: 0 };
  let [sinceMs, rest, rotated] = [0, '', 0];
  const read = async () => {
    sinceMs += STEP_MS;
    const readings = await logs.read({
      ...{ watchId: 'w', indicators: [INDICATOR], atMs: T0 + sinceMs, deployedAtMs: T0 },
      ...{ staleAfterMs: 60_000, previous: {}, signal: new AbortController().signal },
    });
    return readings['trail'];
  };
  /** What is torn is finished before the file is put away, as every logger does. */
  const finish = async () => {
    if (rest !== '') await appendFile(path, rest);
    rest = '';
  };
  const deeds: Readonly<Record<Exclude<Step['kind'], 'write'>, () => Promise<unknown>>> = {
    read,
    rotate: async () => {
      await finish();
      await read();
      rotated += 1;
      await rename(path, join(folder, `old.${rotated}`));
      await writeFile(path, '');
    },
    copy: async () => {
      await copyFile(path, join(folder, 'copy'));
      await rename(join(folder, 'copy'), path);
    },
    truncate: async () => {
      await finish();
      await read();
      await truncate(path, 0);
    },
  };
  try {
    await writeFile(path, '');
    for (const one of steps) {
      if (one.kind !== 'write') {
        await deeds[one.kind]();
        continue;
      }
      const text = one.bad.map((bad) => {
        written.total += 1;
        written.part += bad ? 1 : 0;
        return `${JSON.stringify({ ts: T0 + sinceMs, trace_id: bad ? null : written.total })}\n`;
      });
      const whole = rest + text.join('');
      const cut = whole.length - one.tornAt;
      await appendFile(path, whole.slice(0, cut));
      rest = whole.slice(cut);
    }
    await finish();
    return { reading: await read(), written };
  } finally {
    logs.forget('w');
    await rm(folder, { recursive: true, force: true });
  }
}

it('an audit log counts each event once, through writes, tears, rotations, copies and cuts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const { reading, written } = await played([
        { kind: 'write', bad: [false], tornAt: 0 },
        ...steps,
      ]);
      expect(reading).toMatchObject({ kind: 'value', counts: written, sinceDeploy: written });
    }),
    { numRuns: 60 },
  );
});
