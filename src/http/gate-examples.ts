// Examples of gates for the OpenAPI document; a test holds each against its schema.
import type { SignOff } from '../core/gate-record.ts';
import { type RecordJson, type SignOffJson, signOffJson } from '../core/gate-record-json.ts';

const SIGNED: SignOff = {
  gate: 'aurora-testnet',
  criterion: 'code_review',
  role: 'engineering_lead',
  name: 'Ada',
  service: 'aurora',
  environment: 'testnet',
  version: '2.1.0',
  atMs: 1_772_362_800_000,
  note: 'all gates passed',
};

export const EXAMPLE_SIGN_OFF: SignOffJson = signOffJson(SIGNED);

const RECORD: RecordJson = {
  id: 'g_0123456789abcdef',
  gate: 'aurora-testnet',
  title: 'Aurora testnet GO / NO-GO',
  decision: 'go',
  reasons: ['2 of 2 green met'],
  deploy: { service: 'aurora', environment: 'testnet', version: '2.1.0', parameters: {} },
  started_at: '2026-03-01T12:00:00.000Z',
  ended_at: '2026-03-01T12:00:04.000Z',
  override: null,
  approvals: [],
  criteria: [
    {
      id: 'coverage',
      title: 'Test coverage at least 90 % (lines and branches)',
      section: 'Code quality',
      level: 'green',
      outcome: 'pass',
      exemption: null,
      checks: [
        {
          id: 'coverage',
          kind: 'coverage',
          wants: 'coverage of coverage.xml: lines at least 90 %',
          outcome: 'pass',
          text: 'lines 93.2 %',
          details: [],
          took_ms: 12,
          exhibits: [
            { file: 'checks/coverage/coverage/coverage.xml', sha256: 'a'.repeat(64), cut: false },
          ],
        },
      ],
      sign_offs: [],
    },
    {
      id: 'code_review',
      title: 'Code review complete, all gates passed',
      section: 'Code quality',
      level: 'green',
      outcome: 'pass',
      exemption: null,
      checks: [],
      sign_offs: [
        {
          role: 'engineering_lead',
          statement: 'Code review complete, all gates passed',
          text: 'signed by Ada as engineering_lead, valid until 2026-03-02T11:00:00Z',
          signed: EXAMPLE_SIGN_OFF,
        },
      ],
    },
  ],
  next: 'canaryd start aurora --version 2.1.0 --wait',
  gate_sha256: 'b'.repeat(64),
  tools: { canaryd: '0.1.0', node: '24.0.0' },
  canaryd: '0.1.0',
};

export const EXAMPLE_RECORD = {
  ...RECORD,
  evidence: { folder: 'evidence/aurora-testnet-20260301T120000Z', sha256: 'c'.repeat(64) },
};

export const EXAMPLE_DECISION = {
  ...RECORD,
  evidence_sha256: 'c'.repeat(64),
  received_at: '2026-03-01T12:00:05.000Z',
  reported_by: 'pipeline',
  url: 'https://canaryd.example/gates/g_0123456789abcdef',
  is_newest: true,
  signed_since: [],
  not_signed_here: [],
  criteria_met: 2,
  criteria_total: 2,
};
