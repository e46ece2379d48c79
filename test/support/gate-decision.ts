// A decision of Aurora's own gate as it is reported to the daemon: decided by the code that decides,
// with made-up findings.
import { fileURLToPath } from 'node:url';
import { createSecrets } from '../../src/config/secrets.ts';
import type { GateRecord, Outcome, SignOff, StoredGateRecord } from '../../src/core/gate-record.ts';
import { decide } from '../../src/gate/decide.ts';
import type { GateSource } from '../../src/gate/kinds.ts';
import { readGateFile } from '../../src/gate/read.ts';
import { T0 } from './build.ts';
import { HOUR } from './gate.ts';

/** Never asked: nothing is carried out. */
const SOURCE = { kind: 'prometheus', options: {} } as GateSource;

export type Decided = {
  /** By criterion; those that are not named pass. */
  readonly found?: Readonly<Record<string, readonly [outcome: Outcome, text: string]>>;
  /** Criteria that nobody has signed. */
  readonly unsigned?: readonly string[];
  readonly signed?: readonly SignOff[];
  readonly gate?: string;
  readonly version?: string;
};

/** At T0, reported a second later. */
export function aDecision(
  {
    found = {},
    unsigned = [],
    signed = [],
    gate: name = 'aurora-testnet',
    ...deploy
  }: Decided = {},
  more: Partial<StoredGateRecord> = {},
): StoredGateRecord {
  const path = fileURLToPath(new URL(`../../config/gates/${name}.yaml`, import.meta.url));
  const parameters = { deploy_capital: 100_000, expected_positions: 10 };
  const read = readGateFile(
    path,
    { service: null, environment: null, version: deploy.version ?? '2.1.0', parameters },
    {
      secrets: createSecrets({ env: {}, dir: '/nowhere' }),
      sources: { find: () => SOURCE, names: () => ['prometheus'] },
    },
  );
  if (read.kind === 'problems') throw new Error(JSON.stringify(read.problems));
  const { gate } = read;
  const checks = new Map(
    gate.criteria.map(({ id, checks: own }) => {
      const [outcome, text] = found[id] ?? ['pass', 'as wanted'];
      const rest = { outcome, text, details: [], tookMs: 5, exhibits: [] };
      return [
        id,
        own.map((check) => ({ id: check.id, kind: check.kind, wants: check.wants, ...rest })),
      ];
    }),
  );
  const own = gate.criteria.flatMap(({ id, signOffs }) =>
    unsigned.includes(id) ? [] : signOffs.map(({ role }) => signature(read, id, role)),
  );
  const signOffs = [...own, ...signed];
  const record: GateRecord = {
    ...{ id: 'g_example', gate: gate.name, title: gate.title, deploy: read.deploy },
    ...{ startedAt: iso(T0 - 95_000), endedAt: iso(T0) },
    ...decide({ gate, deploy: read.deploy, checks, signOffs, nowMs: T0 }),
    ...{ next: gate.next, gateHash: gate.hash, tools: {}, version: '1.0.0' },
  };
  const told = {
    evidenceHash: 'c0ffee'.padEnd(64, '0'),
    reportedBy: 'ci',
    receivedAtMs: T0 + 1_000,
  };
  return { ...record, ...told, ...more };
}

type Read = Extract<ReturnType<typeof readGateFile>, { kind: 'gate' }>;

function signature({ gate, deploy }: Read, criterion: string, role: string): SignOff {
  const { environment, version } = deploy;
  const who = { gate: gate.name, criterion, role, name: `Ann of ${role}` };
  return { ...who, environment, version, atMs: T0 - HOUR / 2, note: null };
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}
