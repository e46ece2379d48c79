import { describe, expect, it } from 'vitest';
import type { Check, CheckResult, CheckTools } from '../../src/gate/check.ts';
import type { Gate } from '../../src/gate/gate.ts';
import { fail, pass } from '../../src/gate/result.ts';
import { type Progress, type RanGate, type RunTools, runGate } from '../../src/gate/run.ts';
import { gateFile, line } from '../support/gate.ts';
import { settled, VirtualClock } from '../support/virtual-clock.ts';

const SHELL = gateFile(`
title: Release
criteria: { green: [${line('first')}] }
decision: { yellow_unmitigated_max: 0 }
timeout: 10m
at_once: 2
`).gate;

type Run = (tools: CheckTools) => Promise<CheckResult>;

/** A criterion for each check, named `c1`, `c2`, … */
function gateWith(...runs: readonly Run[]): Gate {
  const check = (run: Run): Check => {
    return { id: 'check', kind: 'env', wants: 'something', timeoutMs: 30_000, run };
  };
  const [shape] = SHELL.criteria;
  if (shape === undefined) throw new Error('no criterion');
  const criteria = runs.map((run, index) => {
    return { ...shape, id: `c${index + 1}`, checks: [check(run)] };
  });
  return { ...SHELL, criteria };
}

function begin(gate: Gate, more: Partial<RunTools> = {}) {
  const clock = new VirtualClock();
  const interrupt = new AbortController();
  const progress: Progress[] = [];
  const ran = runGate(gate, {
    ...{ clock, folder: '/', env: {}, signal: interrupt.signal },
    onProgress: (one) => progress.push(one),
    ...more,
  });
  return { clock, interrupt, progress, ran };
}

const found = ({ checks }: RanGate) =>
  [...checks].map(([id, records]) => `${id} ${records.map((r) => `${r.outcome}: ${r.text}`)}`);

const never: Run = () => new Promise(() => {});
const good: Run = async () => pass('fine');
const ends =
  (afterMs: number, result: CheckResult): Run =>
  async ({ clock }) => {
    await clock.sleep(afterMs);
    return result;
  };
/** Ends when it is told to, and says how far it came. */
const polite: Run = ({ signal }) =>
  new Promise((resolve) => {
    const output = { name: 'output.txt', body: 'so far', isCut: false };
    const end = () => resolve(pass('not all', { details: ['so far'], exhibits: [output] }));
    signal.addEventListener('abort', end);
  });

describe('checks of a gate', () => {
  it('run side by side, so many at once', async () => {
    let running = 0;
    let most = 0;
    const counted: Run = async ({ clock }) => {
      running += 1;
      most = Math.max(most, running);
      await clock.sleep(1_000);
      running -= 1;
      return pass('fine');
    };
    const { clock, ran } = begin(gateWith(counted, counted, counted, counted, counted));
    await clock.advance(3_000);
    expect(found(await ran)).toHaveLength(5);
    expect(most).toBe(2);
  });

  it('are told as they begin and end, in the order of ending, and kept in that of the gate', async () => {
    const { clock, ran, progress } = begin(
      gateWith(ends(2_000, pass('slow')), ends(1_000, fail('bad'))),
    );
    await clock.advance(2_000);
    expect(found(await ran)).toEqual(['c1 pass: slow', 'c2 fail: bad']);
    expect(progress).toEqual([
      { kind: 'begun', criterion: 'c1', check: 'check' },
      { kind: 'begun', criterion: 'c2', check: 'check' },
      {
        ...{ kind: 'ended', criterion: 'c2', check: 'check', outcome: 'fail', text: 'bad' },
        ...{ tookMs: 1_000, done: 1, total: 2 },
      },
      {
        ...{ kind: 'ended', criterion: 'c1', check: 'check', outcome: 'pass', text: 'slow' },
        ...{ tookMs: 2_000, done: 2, total: 2 },
      },
    ]);
  });

  it('that hang are cut off and unknown; the others count', async () => {
    const { clock, ran } = begin(gateWith(never, good));
    await clock.advance(40_000);
    expect(found(await ran)).toEqual([
      'c1 unknown: no result within 30s: cut off',
      'c2 pass: fine',
    ]);
  });

  it('that pass only after they were cut off are unknown; what they saw is kept', async () => {
    const { clock, ran } = begin(gateWith(polite));
    await clock.advance(40_000);
    const { checks, files } = await ran;
    expect(checks.get('c1')).toMatchObject([
      { outcome: 'unknown', text: 'no result within 30s: cut off', details: ['so far'] },
    ]);
    expect(files.map(({ file, bytes }) => [file, String(bytes)])).toEqual([
      ['checks/c1/check/output.txt', 'so far'],
    ]);
  });

  it('that throw are unknown', async () => {
    const rejects: Run = async () => {
      throw new Error('no such field');
    };
    const throws: Run = () => {
      throw new Error('at once');
    };
    const { ran } = begin(gateWith(rejects, throws));
    expect(found(await ran)).toEqual([
      'c1 unknown: the check itself failed: no such field',
      'c2 unknown: the check itself failed: at once',
    ]);
  });

  it('that are not done, or not begun, in the time of the gate are unknown', async () => {
    const gate = { ...gateWith(never, never, good), timeoutMs: 5_000 };
    const { clock, ran } = begin(gate);
    await clock.advance(10_000);
    expect(found(await ran)).toEqual([
      "c1 unknown: cut off: the gate's time of 5s was over",
      "c2 unknown: cut off: the gate's time of 5s was over",
      "c3 unknown: not begun: the gate's time of 5s was over",
    ]);
    expect(clock.sleeping).toBe(0);
  });

  it('are interrupted with the gate, and told to end', async () => {
    const { clock, ran, interrupt } = begin(gateWith(polite, never, good));
    await settled();
    interrupt.abort();
    await clock.advance(3_000);
    const result = await ran;
    expect(result.wasInterrupted).toBe(true);
    expect(found(result)).toEqual([
      'c1 unknown: cut off: interrupted',
      'c2 unknown: cut off: interrupted',
      'c3 unknown: not begun: interrupted',
    ]);
  });

  it('are those that were asked for only', async () => {
    const { ran } = begin(gateWith(never, good), { only: ['c2'] });
    expect(found(await ran)).toEqual(['c2 pass: fine']);
  });
});

describe('exhibits', () => {
  const showing =
    (...names: readonly string[]): Run =>
    async () =>
      pass('fine', { exhibits: names.map((name) => ({ name, body: name, isCut: false })) });

  it('have names that are safe and unique, whatever the check calls them', async () => {
    const run = showing('../../etc/passwd', '.hidden', 'a b.json', 'A_B.json', '', 'a b.json');
    const { files } = await begin(gateWith(run)).ran;
    expect(files.map(({ file }) => file.replace('checks/c1/check/', ''))).toEqual([
      ...['etc_passwd', 'hidden', 'a_b.json', 'A_B_2.json', 'exhibit', 'a_b_3.json'],
    ]);
  });

  it('beyond what one check may keep are named and left out', async () => {
    const run = showing(...Array.from({ length: 51 }, (_, index) => `${index}.txt`));
    const { files, checks } = await begin(gateWith(run)).ran;
    expect(files).toHaveLength(50);
    expect(checks.get('c1')?.[0]?.details).toEqual(['left out of the evidence, no room: 50.txt']);
  });
});
