// What is shown of every gate that is shipped: GO in a world where all is well; for each check one
// change that turns just the lines that look at it; each signature; and the evidence of a run.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { GateRecord, Outcome } from '../../../src/core/gate-record.ts';
import { verifyEvidence } from '../../../src/gate/manifest.ts';
import {
  type Environment,
  type Places,
  type Prepared,
  type Service,
  type Setup,
  startEnvironment,
} from './environment.ts';
import type { Change } from './world.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const START_MS = 60_000;
const ALL_TURNS_MS = 180_000;

export type Turn<Own extends Service = Service> = {
  /** "test coverage falls to 89 %" */
  readonly name: string;
  readonly change?: Change;
  /** What is not in a file: a table, an answer of a stand-in. Gives back what undoes it. */
  readonly alter?: (at: Places<Own>) => Promise<() => Promise<void>>;
  /** Each criterion that is no longer met, and what its reason says. All others stay as they were. */
  readonly turns: Readonly<Record<string, string>>;
  /** Of all in `turns`. Default fail. */
  readonly outcome?: Outcome;
  /** Those that turn in another way. */
  readonly also?: Readonly<Record<string, readonly [Outcome, string]>>;
  /** What the document asks for. */
  readonly decision: 'go' | 'review' | 'no_go';
};

export type Suite<Own extends Service = Service> = {
  readonly setup: Setup<Own>;
  readonly turns: readonly Turn<Own>[];
  /** Checks that no change can turn, with the reason: `criterion/check`. */
  readonly unturned?: Readonly<Record<string, string>>;
  /** When one green or red signature is missing. Default no_go. */
  readonly withoutOne?: GateRecord['decision'];
  /** What is given to the gate and may stand nowhere in the evidence. */
  readonly secrets?: (at: Places<Own>) => readonly string[];
  /** For what is special to the gate; runs inside the same describe. */
  readonly more?: (environment: () => Environment<Own>) => void;
};

/** Declares the tests. */
export function describeGate<Own extends Service>(suite: Suite<Own>): void {
  const { setup, turns } = suite;
  let environment: Environment<Own> | null = null;
  const its = () => {
    if (environment === null) throw new Error('the environment has not started');
    return environment;
  };
  beforeAll(async () => {
    environment = await startEnvironment(setup);
  }, START_MS);
  afterAll(() => environment?.stop(), START_MS);

  let good: Promise<GateRecord> | null = null;
  const goodRun = () => {
    good ??= its().run();
    return good;
  };
  const ran = new Map<Turn<Own>, Promise<GateRecord>>();
  const runOf = (turn: Turn<Own>) => {
    const known = ran.get(turn) ?? turned(its(), turn);
    ran.set(turn, known);
    return known;
  };

  it('is GO where all is well', async () => {
    const { decision, reasons, criteria } = await goodRun();
    const open = criteria.filter(({ outcome }) => outcome !== 'pass').map(({ id }) => id);
    expect({ decision, open, reasons }).toMatchObject({ decision: 'go', open: [] });
  });

  it.each(turns.map((turn) => [turn.name, turn] as const))('%s', async (_, turn) => {
    const before = await goodRun();
    const record = await runOf(turn);
    const { outcome = 'fail', decision, turns: wanted, also = {} } = turn;
    const changed = differing(before, record);
    const meant = [
      ...Object.entries(wanted).map(([id, text]) => [id, outcome, text] as const),
      ...Object.entries(also).map(([id, said]) => [id, ...said] as const),
    ];
    expect(changed, record.reasons.join('\n')).toEqual(
      Object.fromEntries(meant.map(([id, is]) => [id, is])),
    );
    for (const [id, , text] of meant) {
      const reason = record.reasons.find((one) => one.split(' ')[1] === id);
      expect(reason).toContain(text);
    }
    expect(record.decision).toBe(decision);
  });

  it('has a change for each of its checks', { timeout: ALL_TURNS_MS }, async () => {
    const before = await goodRun();
    const seen = new Set(Object.keys(suite.unturned ?? {}));
    for (const turn of turns) {
      for (const id of notPassed(await runOf(turn))) seen.add(id);
    }
    const all = before.criteria.flatMap(({ id, checks }) =>
      checks.map((check) => `${id}/${check.id}`),
    );
    expect(all.filter((id) => !seen.has(id))).toEqual([]);
  });

  describeSignatures(suite, its, goodRun);
  describeEvidence(suite, its);
  suite.more?.(its);
}

async function turned<Own extends Service>(
  environment: Environment<Own>,
  { change, alter }: Turn<Own>,
): Promise<GateRecord> {
  const undo = await alter?.(environment.at);
  try {
    return await environment.run(change);
  } finally {
    await undo?.();
  }
}

/** Ids of criteria whose outcome is another one, with what it is now. */
export function differing(before: GateRecord, after: GateRecord): Record<string, Outcome> {
  const was = new Map(before.criteria.map(({ id, outcome }) => [id, outcome]));
  const changed = after.criteria.filter(({ id, outcome }) => was.get(id) !== outcome);
  return Object.fromEntries(changed.map(({ id, outcome }) => [id, outcome]));
}

function notPassed({ criteria }: GateRecord): readonly string[] {
  return criteria.flatMap(({ id, checks }) =>
    checks.filter(({ outcome }) => outcome !== 'pass').map((check) => `${id}/${check.id}`),
  );
}

/** Each signature that is wanted, alone. */
function describeSignatures<Own extends Service>(
  { withoutOne = 'no_go' }: Suite<Own>,
  environment: () => Environment<Own>,
  goodRun: () => Promise<GateRecord>,
): void {
  it.each([
    ['missing', 'unsigned', 'nobody has signed as'],
    ['expired', 'expired', 'has expired'],
  ] as const)('names a signature that is %s', { timeout: ALL_TURNS_MS }, async (_, what, text) => {
    const { folder, file } = await environment().prepare();
    rmSync(folder, { recursive: true, force: true });
    const { rule, criteria } = file.gate;
    const mayMiss = rule.kind === 'levels' && rule.unmitigatedYellowsMax !== 0;
    const found = await goodRun();
    for (const { id, level, signOffs } of criteria.filter((one) => one.signOffs.length > 0)) {
      const record = await environment().signed(found, { [what]: [id] });
      const open = record.criteria.filter(({ outcome }) => outcome !== 'pass');
      expect(open.map((one) => [one.id, one.outcome])).toEqual([[id, 'unknown']]);
      const reason = record.reasons.find((one) => one.startsWith(`${level} ${id} is unknown`));
      expect(reason).toContain(text);
      for (const { role } of signOffs) expect(reason).toContain(role);
      expect(record.decision).toBe(level === 'yellow' && mayMiss ? 'go' : withoutOne);
    }
  });
}

function describeEvidence<Own extends Service>(
  { setup: { version, parameters = {} }, secrets = () => [] }: Suite<Own>,
  environment: () => Environment<Own>,
): void {
  it('through the CLI exits with 0, and any byte of the evidence that is altered is found', {
    timeout: START_MS,
  }, async () => {
    const place = await environment().prepare();
    onTestFinished(() => rmSync(place.folder, { recursive: true, force: true }));
    const { path, config, signOffs } = place;
    const params = Object.entries(parameters).flatMap(([name, value]) => [
      '--param',
      `${name}=${value}`,
    ]);
    const ran = await canaryd(place, [
      ...['gate', path, '--version', version, '-c', config, '--sign-offs', signOffs],
      ...['--json', ...params],
    ]);
    expect([ran.status, ran.status === 0 ? '' : ran.stderr]).toEqual([0, '']);
    const { evidence, decision } = JSON.parse(ran.stdout);
    expect(decision).toBe('go');
    const verify = () =>
      canaryd(place, ['gate', 'verify', evidence.folder, '--hash', evidence.sha256]);
    expect(await verify()).toMatchObject({ status: 0, stderr: '' });
    const manifest = JSON.parse(readFileSync(join(evidence.folder, 'manifest.json'), 'utf8'));
    for (const { file } of manifest.files) {
      const whole = readFileSync(join(evidence.folder, file));
      for (const one of secrets(environment().at)) expect(whole.includes(one), file).toBe(false);
      appendFileSync(join(evidence.folder, file), ' ');
      expect((await verifyEvidence(evidence.folder, evidence.sha256)).flaws).toMatchObject([
        { file, kind: 'changed' },
      ]);
      writeFileSync(join(evidence.folder, file), whole);
    }
    appendFileSync(join(evidence.folder, 'decision.md'), ' ');
    expect(await verify()).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('decision.md'),
    });
  });
}

/** Not waited for in one piece: the sites that it asks are served by this process. */
async function canaryd({ folder, env }: Prepared, argv: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, ...argv], { cwd: folder, env });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  }
  const [status] = await once(child, 'close');
  return { status: Number(status), ...said };
}
