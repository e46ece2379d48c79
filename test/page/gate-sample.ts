// Decisions of the shipped gates as the page gets them: decided by the code that decides, with
// made-up findings. Needs no test runner.
import { fileURLToPath } from 'node:url';
import { createSecrets } from '../../src/config/secrets.ts';
import type { CheckRecord, GateRecord, Outcome, SignOff } from '../../src/core/gate-record.ts';
import { decide } from '../../src/gate/decide.ts';
import type { Gate } from '../../src/gate/gate.ts';
import type { GateSource } from '../../src/gate/kinds.ts';
import { type GateFile, readGateFile } from '../../src/gate/read.ts';

const HOUR = 3_600_000;
/** Never asked: nothing is carried out. */
const SOURCE = { kind: 'prometheus', options: {} } as GateSource;

export type Finding = readonly [outcome: Outcome, text: string, ...details: string[]];

export type SampleOf = {
  readonly gate: string;
  readonly endedAtMs: number;
  readonly id?: string;
  readonly version?: string;
  /** By criterion; those that are not named pass. */
  readonly found?: Readonly<Record<string, Finding>>;
  /** Roles that have not signed. */
  readonly unsigned?: readonly string[];
  readonly signed?: readonly Partial<SignOff>[];
  /** By criterion. */
  readonly titles?: Readonly<Record<string, string>>;
  readonly exemptions?: Gate['exemptions'];
  readonly parameters?: Readonly<Record<string, number | string>>;
};

const PEOPLE: Readonly<Record<string, string>> = {
  engineering_lead: 'Ada Okafor',
  quality_lead: 'Lin Wei',
  devops_lead: 'Jonas Beck',
};

export function sampleGate(sample: SampleOf): GateFile {
  const { gate: name, version = 'v2.1.0' } = sample;
  const path = fileURLToPath(new URL(`../../config/gates/${name}.yaml`, import.meta.url));
  const parameters = sample.parameters ?? { deploy_capital: 100_000, expected_positions: 10 };
  const read = readGateFile(
    path,
    { service: null, environment: null, version, parameters },
    {
      secrets: createSecrets({ env: {}, dir: '/nowhere' }),
      sources: { find: () => SOURCE, names: () => ['prometheus'] },
    },
  );
  if (read.kind === 'problems') throw new Error(JSON.stringify(read.problems));
  const { gate } = read;
  const criteria = gate.criteria.map((one) => {
    return { ...one, title: sample.titles?.[one.id] ?? one.title };
  });
  return { ...read, gate: { ...gate, criteria, exemptions: sample.exemptions ?? gate.exemptions } };
}

export function sampleRecord(sample: SampleOf): GateRecord {
  const { endedAtMs, found = {}, unsigned = [], signed = [], id = 'g_aurora21' } = sample;
  const read = sampleGate(sample);
  const { gate, deploy } = read;
  const checks = new Map(
    gate.criteria.map((one) => [one.id, one.checks.map((check) => checked(check, found[one.id]))]),
  );
  const own = gate.criteria.flatMap((one) =>
    one.signOffs
      .filter(({ role }) => !unsigned.includes(role))
      .map(({ role }) => signOffOf(read, one.id, role, endedAtMs - HOUR)),
  );
  const more = signed.map((one) => {
    return { ...signOffOf(read, 'override', 'cto', endedAtMs - HOUR), ...one };
  });
  const signOffs = [...own, ...more];
  return {
    ...{ id, gate: gate.name, title: gate.title, deploy },
    ...{ startedAt: iso(endedAtMs - 95_000), endedAt: iso(endedAtMs) },
    ...decide({ gate, deploy, checks, signOffs, nowMs: endedAtMs }),
    ...{ next: gate.next, gateHash: gate.hash, version: '0.1.0' },
    tools: { node: '24.12.0', promtool: '3.5.0' },
  };
}

function checked(
  { id, kind, wants }: Pick<CheckRecord, 'id' | 'kind' | 'wants'>,
  [outcome, text, ...details]: Finding = ['pass', 'as wanted'],
): CheckRecord {
  const exhibit = { file: `checks/${id}.txt`, sha256: 'c0ffee'.padEnd(64, '1'), isCut: false };
  return { id, kind, wants, outcome, text, details, tookMs: 412, exhibits: [exhibit] };
}

function signOffOf({ gate, deploy }: GateFile, criterion: string, role: string, atMs: number) {
  const { environment, version } = deploy;
  const name = PEOPLE[role] ?? `Sam, ${role.replaceAll('_', ' ')}`;
  return { ...{ gate: gate.name, criterion, role, name }, environment, version, atMs, note: null };
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** Aurora's release, which is not ready: what a release manager opens in the morning. */
export function notReady(endedAtMs: number): SampleOf {
  return {
    gate: 'aurora-testnet',
    endedAtMs,
    unsigned: ['devops_lead', 'product_owner'],
    found: {
      test_coverage: [
        'fail',
        'lines 93.4 %, branches 86.2 %; at least 90 % of branches wanted',
        'aurora/oms/router.py: branches 61 %',
        'aurora/risk/limits.py: branches 72 %',
      ],
      integration_tests: ['unknown', 'artifacts/junit/integration.xml is not there'],
    },
  };
}
