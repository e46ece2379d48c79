// Reports of real tools, damaged in any way: a check never throws, and half a report never passes.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { carriedOut } from '../../support/gate-check.ts';
import { folderWith, reportOf } from '../../support/report-folder.ts';

const one = { report: 'report' };
const CHECKS = [
  ['vitest.xml', { junit: { ...one, failed_max: 9 } }],
  ['surefire.xml', { junit: { ...one, failed_max: 9, reruns: true, packages: ['risk'] } }],
  ['coveragepy.xml', { coverage: { ...one, lines: '1%', branches: '1%' } }],
  ['istanbul-cobertura.xml', { coverage: { ...one, lines: '1%', packages: ['oms'] } }],
  ['istanbul-summary.json', { coverage: { ...one, lines: '1%' } }],
  ['coveragepy.json', { coverage: { ...one, lines: '1%', packages: ['oms'] } }],
  [
    'pytest-benchmark.json',
    { benchmark: { ...one, limits: { test_fill_processing: { below: '9s' } } } },
  ],
  ['pylint2.json', { scan: one }],
  ['pylint.json', { scan: { ...one, format: 'pylint' } }],
] as const;

const RUNS = 40;

describe.each(CHECKS)('%s', (name, written) => {
  const whole = Buffer.from(reportOf(name));

  it('passes as it is', async () => {
    const folder = folderWith({ report: whole });
    expect(await carriedOut(written, { folder })).toMatchObject({ outcome: 'pass' });
  });

  it('never passes when its end is missing', async () => {
    const folder = folderWith({});
    const end = whole.toString().trimEnd().length;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: end - 1 }), async (length) => {
        writeFileSync(join(folder, 'report'), whole.subarray(0, length));
        expect((await carriedOut(written, { folder })).outcome).toBe('unknown');
      }),
      { numRuns: RUNS },
    );
  });

  it('gives a result whatever bytes are in it', async () => {
    const folder = folderWith({});
    const damage = fc.record({
      at: fc.integer({ min: 0, max: whole.length - 1 }),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 5 }), async (all) => {
        const broken = Buffer.from(whole);
        for (const { at, bytes } of all) broken.set(bytes.subarray(0, whole.length - at), at);
        writeFileSync(join(folder, 'report'), broken);
        const { outcome, text } = await carriedOut(written, { folder });
        expect(['pass', 'fail', 'unknown']).toContain(outcome);
        expect(text).toMatch(/^.{1,500}$/u);
      }),
      { numRuns: RUNS },
    );
  });

  it('gives a result when JSON of any shape is in its place', async () => {
    const folder = folderWith({});
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 6 }), async (json) => {
        writeFileSync(join(folder, 'report'), json);
        expect((await carriedOut(written, { folder })).text).not.toBe('');
      }),
      { numRuns: RUNS },
    );
  });
});
