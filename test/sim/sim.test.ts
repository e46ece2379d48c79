// The fault simulation within the tests: a fixed set of seeds, the same world twice, proof that the
// faults really happen, and that broken code is caught. `npm run sim` runs as many as one likes.
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { VARIANTS } from './broken.ts';
import { CALL_FAULTS, SPAN_FAULTS } from './plan.ts';
import { memoryFolder, runSeed } from './world.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const isCI = process.env['CI'] !== undefined;
/** Fixed, so that a red test is the same for everybody; CI runs more of them. */
const SEEDS = { first: 61, count: isCI ? 600 : 100 };
const MINUTES = 60_000;

type Ended = { readonly code: number | null; readonly output: string };

function sim(...args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['test/sim/main.ts', ...args], { cwd: root });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}

describe('the fault simulation', () => {
  it(
    'finds no violation in the fixed seeds, in which everything happens',
    async () => {
      const { first, count } = SEEDS;
      const { code, output } = await sim(`--seed=${first}`, `--count=${count}`, '--workers=2');
      expect({ code, output }).toMatchObject({ code: 0 });
      expect(output).toContain(`${count} seeds, 0 violations`);
      const kinds = [...CALL_FAULTS, ...SPAN_FAULTS];
      expect(kinds.filter((kind) => !output.includes(`${kind} `))).toEqual([]);
      const ends = ['stopped', 'passed', 'inconclusive', 'cancelled', 'superseded'];
      const verified = ['confirmed', 'not_confirmed'];
      expect([...ends, ...verified].filter((end) => !output.includes(`${end} `))).toEqual([]);
      const told = ['held', 'digests', 'silent', 'storms', 'calls', 'calls not needed'];
      const nights = ['night', 'clocks changed in the night', 'call answered', 'disarm deaf'];
      expect([...told, ...nights].filter((what) => !output.includes(` ${what} `))).toEqual([]);
    },
    5 * MINUTES,
  );

  it(
    'gives the same world for the same seed, to the byte',
    async () => {
      const folder = memoryFolder();
      const traceOf = async (seed: number) =>
        (await runSeed({ seed, keepsTrace: true }, folder)).trace;
      const [once, twice, other] = [await traceOf(6), await traceOf(6), await traceOf(8)];
      rmSync(folder, { recursive: true, force: true });
      expect(once.length).toBeGreaterThan(10_000);
      expect(twice === once).toBe(true);
      expect(other === once).toBe(false);
    },
    MINUTES,
  );

  it('refuses what it does not understand', async () => {
    const { code, output } = await sim('--broken=nothing');
    expect(code).not.toBe(0);
    expect(output).toContain("there is no variant 'nothing'");
  });
});

describe('code that is broken on purpose', () => {
  it('has the texts that are to be changed, each once', () => {
    const wrong = VARIANTS.flatMap(({ name, edits }) =>
      edits
        .map(({ file, find }) => readFileSync(`${root}/${file}`, 'utf8').split(find).length - 1)
        .filter((times) => times !== 1)
        .map((times) => `${name}: ${times} times`),
    );
    expect(wrong).toEqual([]);
    expect(new Set(VARIANTS.map(({ name }) => name)).size).toBe(VARIANTS.length);
  });

  it.concurrent.each(VARIANTS)(
    'is caught: $what ($name)',
    async ({ name, seed }) => {
      const { code, output } = await sim(`--broken=${name}`, `--seed=${seed}`, '--count=1');
      expect({ code, output }).toMatchObject({ code: 0 });
      expect(output).toContain('caught by seed');
    },
    5 * MINUTES,
  );
});
