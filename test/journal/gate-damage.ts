// What may be wrong with rows about gates, and what the schema of each store refuses: the same for
// both, in SQL that both understand.
import { expect } from 'vitest';
import type { Journal } from '../../src/journal/journal.ts';
import { T0 } from '../support/build.ts';
import { aGateMessage, aGateRecord, aSignOff } from './gate-contract.ts';

/** One signature, one decision, two messages of it. */
export async function fillGates(journal: Journal): Promise<void> {
  await journal.addSignOff(aSignOff());
  const messages = ['oncall', 'devs'].map((channel) => aGateMessage('g_1', channel));
  await journal.addGateRecord(aGateRecord('g_1'), messages);
}

type Damage = readonly [sql: string, read: (journal: Journal) => Promise<unknown>, words: string];

const record = (journal: Journal) => journal.gateRecord('g_1');
const records = (journal: Journal) => journal.gateRecords({ limit: 9 });
const heads = (journal: Journal) => journal.gateHeads({ limit: 9 });
const signOffs = (journal: Journal) => journal.signOffs({ gate: 'testnet', limit: 9 });
const messages = (journal: Journal) => journal.gateMessages('g_1');
const pending = (journal: Journal) => journal.pendingGateMessages(9);

export const DAMAGE: readonly Damage[] = [
  ["UPDATE gate_records SET head = '{'", heads, 'head of decision g_1 of a gate is not JSON'],
  ["UPDATE gate_records SET head = '{}'", heads, 'head of decision g_1 of a gate does not hold'],
  ["UPDATE gate_records SET body = '{'", record, 'decision g_1 of a gate is not JSON'],
  ["UPDATE gate_records SET body = '{}'", records, 'decision g_1 of a gate does not hold'],
  [`UPDATE gate_records SET body = replace(body, '"no_go"', '"perhaps"')`, record, 'decision: '],
  [`UPDATE gate_records SET body = replace(body, '"green"', '"blue"')`, record, 'criteria.0.level'],
  [
    "UPDATE gate_sign_offs SET body = '[]'",
    signOffs,
    'signature 1 of a gate does not hold what it should',
  ],
  ["UPDATE gate_sign_offs SET body = '~'", signOffs, 'or remove this row from it'],
  [`UPDATE gate_messages SET message = '{"kind":7}'`, messages, 'message g_1.devs of a gate'],
  ["UPDATE gate_messages SET message = 'x'", pending, 'message g_1.oncall of a gate is not JSON'],
  ["UPDATE gate_messages SET last_reason = 'moon'", messages, 'the reason of message g_1.devs'],
];

/** A message that cannot be read is told and left out. */
export async function hasDamage(
  journal: Journal,
  alter: (sql: string) => Promise<void>,
): Promise<void> {
  await alter("UPDATE gate_messages SET message = '{' WHERE channel = 'oncall'");
  const told: string[] = [];
  const found = await journal.pendingGateMessages(9, ({ message }) => void told.push(message));
  expect(found).toMatchObject([{ id: 'g_1.devs' }]);
  expect(told).toEqual([expect.stringContaining('message g_1.oncall of a gate is not JSON')]);
}

/** A decision that cannot be read hides no other. */
export async function hasDamagedDecision(
  journal: Journal,
  alter: (sql: string) => Promise<void>,
): Promise<void> {
  await journal.addGateRecord(aGateRecord('g_2'), []);
  await alter("UPDATE gate_records SET body = '{' WHERE id = 'g_1'");
  const told: string[] = [];
  const found = await journal.gateRecords({ limit: 9 }, ({ message }) => void told.push(message));
  expect(found).toMatchObject([{ id: 'g_2' }]);
  expect(told).toEqual([expect.stringContaining('decision g_1 of a gate is not JSON')]);
}

const DELIVERED = `UPDATE gate_messages SET state = 'delivered' WHERE channel = 'devs'`;
const BEGUN = `UPDATE gate_messages SET attempts = 1, attempted_at_ms = ${T0}`;

/** What neither a bug nor a person at the database may do. */
export const FORBIDDEN: readonly (readonly [what: string, sql: string, words: RegExp])[] = [
  ['a changed decision', "UPDATE gate_records SET decision = 'go'", /never changed/],
  ['a changed signature', "UPDATE gate_sign_offs SET version = '9'", /never changed/],
  [
    'a decision that is none',
    `INSERT INTO gate_records (id, gate, service, environment, version, decision, received_at_ms,
       head, body) VALUES ('x', 'g', 's', 'e', 'v', 'perhaps', 0, '{}', '{}')`,
    /check/i,
  ],
  [
    'a message of no decision',
    `INSERT INTO gate_messages (id, record_id, channel, message, not_before_ms, deadline_at_ms)
     VALUES ('x', 'none', 'oncall', '{}', 0, 0)`,
    /foreign key/i,
  ],
  [
    'two messages to one channel',
    `INSERT INTO gate_messages (id, record_id, channel, message, not_before_ms, deadline_at_ms)
     VALUES ('x', 'g_1', 'oncall', '{}', 0, 0)`,
    /unique/i,
  ],
  [
    'a message that comes back',
    `${DELIVERED}; UPDATE gate_messages SET state = 'pending' WHERE channel = 'devs'`,
    /J5/,
  ],
  ['an attempt without a time', 'UPDATE gate_messages SET attempts = 1', /check|attempted_iff/i],
  ['attempts that count down', `${BEGUN}; UPDATE gate_messages SET attempts = 0`, /upward/],
  ['attempts that are left out', `${BEGUN}; UPDATE gate_messages SET attempts = 3`, /upward/],
];
