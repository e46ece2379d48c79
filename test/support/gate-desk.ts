// The desk for gates on a real journal in a file of its own.
import type { GateRecord } from '../../src/core/gate-record.ts';
import { recordJson } from '../../src/core/gate-record-json.ts';
import { GateDesk, type GateDeskOptions, type Gates } from '../../src/engine/gate-desk.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { T0 } from './build.ts';
import { tempJournal } from './engine.ts';
import { checkRecord, signOff } from './gate.ts';

export function gateDesk(options: Partial<GateDeskOptions> = {}) {
  const store = options.store ?? tempJournal();
  const desk = new GateDesk({
    clock: systemClock,
    publicUrl: null,
    planMessages: () => [],
    onAdded: () => {},
    onDamaged: () => {},
    ...options,
    store,
  });
  return { desk, store };
}

/** Where only the routes are looked at. */
export const NO_GATES: Gates = {
  sign: () => Promise.reject(new Error('no gates')),
  signOffs: async () => [],
  report: () => Promise.reject(new Error('no gates')),
  decision: () => Promise.reject(new Error('no gates')),
  decisions: async () => [],
};

const SIGNED = signOff('review_done', 'engineering_lead', 'Ada', { gate: 'release' });

/** One of everything that a record can hold. */
export function aGateRecord(over: Partial<GateRecord> = {}): GateRecord {
  return {
    id: 'g_0123456789abcdef',
    gate: 'release',
    title: 'Release GO / NO-GO',
    deploy: {
      ...{ service: 'aurora', environment: 'testnet', version: '2.1.0' },
      parameters: { capital: 100_000, mode: 'testnet' },
    },
    startedAt: new Date(T0 - 60_000).toISOString(),
    endedAt: new Date(T0 - 30_000).toISOString(),
    decision: 'go',
    reasons: ['2 of 2 green met', 'green tests is not met: 88 %; waived by Ada'],
    override: {
      approvals: [{ ...SIGNED, criterion: 'override', note: 'the risk' }],
      risk: 'small',
    },
    approvals: [{ ...SIGNED, criterion: 'review', role: 'cto', service: 'aurora', via: 'oncall' }],
    criteria: [
      {
        ...{ id: 'tests', title: 'Tests pass', section: 'Quality', level: 'green' },
        outcome: 'fail',
        exemption: {
          ...{ kind: 'waiver', criterion: 'tests', by: 'Ada', reason: 'OPS-7' },
          untilMs: T0 + 86_400_000,
        },
        checks: [
          {
            ...checkRecord('env', 'fail', '88 %'),
            details: ['one', 'two'],
            exhibits: [{ file: 'checks/tests/env/a.txt', sha256: 'e'.repeat(64), isCut: true }],
          },
        ],
        signOffs: [],
      },
      {
        ...{ id: 'review_done', title: 'Reviewed', section: null, level: 'green' },
        outcome: 'pass',
        exemption: null,
        checks: [],
        signOffs: [
          {
            ...{ role: 'engineering_lead', statement: 'Reviewed', text: 'signed by Ada' },
            signed: SIGNED,
          },
          { role: 'qa_lead', statement: 'Tried', text: 'nobody has signed', signed: null },
        ],
      },
    ],
    next: 'canaryd start aurora --version 2.1.0 --wait',
    gateHash: 'b'.repeat(64),
    tools: { canaryd: '0.1.0' },
    version: '0.1.0',
    ...over,
  };
}

export const EVIDENCE_HASH = 'c'.repeat(64);

/** As `canaryd gate --json` prints it, and as it is reported. */
export function aRecordBody(over: Partial<GateRecord> = {}) {
  const evidence = { folder: 'evidence/release', sha256: EVIDENCE_HASH };
  return { ...recordJson(aGateRecord(over)), evidence };
}
