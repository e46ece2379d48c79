// A whole journal as rows that belong to no store: what both hold alike, column by column, so that
// a journal can move from one to the other and read the same there.
import { isDeepStrictEqual } from 'node:util';
import { headOf, type StoredGateRecord } from '../core/gate-record.ts';
import { CanarydError, messageOf } from '../kit/errors.ts';
import {
  damaged,
  decodeContent,
  decodeDeploy,
  decodeEvent,
  decodeHold,
  decodePolicy,
  decodeTrack,
} from './codec.ts';
import { decodeGateHead, decodeGateRecord, decodeMessage, decodeSignOff } from './gate-rows.ts';
import type { GateHead } from './gate-store.ts';
import { decodeTick } from './tick-codec.ts';

/** `json` is a text that the codec has made. `?`: may be null. */
type ColumnKind = 'text' | 'text?' | 'integer' | 'integer?' | 'flag' | 'json';

export type TableName =
  | 'watches'
  | 'events'
  | 'deliveries'
  | 'tracks'
  | 'ticks'
  | 'gate_sign_offs'
  | 'gate_records'
  | 'gate_messages'
  | 'settings';

export type Table = {
  readonly name: TableName;
  readonly columns: Readonly<Record<string, ColumnKind>>;
  /** Columns in which rows are in order; texts byte by byte. */
  readonly order: readonly string[];
  readonly where?: string;
  /** Rows of up to a megabyte: few of them are in memory at a time. */
  readonly isBulky?: true;
};

/** In this order, so that what is referred to is there first. */
export const TABLES: readonly Table[] = [
  {
    name: 'watches',
    columns: {
      ordinal: 'integer',
      id: 'text',
      service: 'text',
      environment: 'text',
      deploy: 'json',
      policy: 'json',
      policy_hash: 'text',
      idempotency_key: 'text?',
      started_at_ms: 'integer',
      phase: 'text',
      is_active: 'flag',
      closed_at_ms: 'integer?',
      revision: 'integer',
    },
    order: ['ordinal'],
  },
  {
    name: 'events',
    columns: { watch_id: 'text', seq: 'integer', at_ms: 'integer', type: 'text', body: 'json' },
    order: ['watch_id', 'seq'],
  },
  {
    name: 'deliveries',
    columns: {
      planned: 'integer',
      id: 'text',
      watch_id: 'text',
      kind: 'text',
      action: 'text?',
      content: 'json',
      state: 'text',
      attempts: 'integer',
      attempted_at_ms: 'integer?',
      in_flight: 'flag',
      holder: 'text?',
      created_at_ms: 'integer',
      not_before_ms: 'integer',
      after_delivery: 'text?',
      deadline_at_ms: 'integer',
      attempts_max: 'integer',
      last_reason: 'text?',
      last_detail: 'text?',
      receipt: 'text?',
    },
    order: ['planned'],
  },
  {
    name: 'tracks',
    columns: { watch_id: 'text', at_ms: 'integer', track: 'json' },
    order: ['watch_id'],
  },
  {
    name: 'ticks',
    columns: { watch_id: 'text', at_ms: 'integer', readings: 'json' },
    order: ['watch_id', 'at_ms'],
  },
  {
    name: 'gate_sign_offs',
    columns: {
      ordinal: 'integer',
      gate: 'text',
      environment: 'text',
      version: 'text',
      at_ms: 'integer',
      body: 'json',
    },
    order: ['ordinal'],
  },
  {
    name: 'gate_records',
    columns: {
      ordinal: 'integer',
      id: 'text',
      gate: 'text',
      service: 'text',
      environment: 'text',
      version: 'text',
      decision: 'text',
      received_at_ms: 'integer',
      head: 'json',
      body: 'json',
    },
    order: ['ordinal'],
    isBulky: true,
  },
  {
    name: 'gate_messages',
    columns: {
      planned: 'integer',
      id: 'text',
      record_id: 'text',
      channel: 'text',
      message: 'json',
      state: 'text',
      attempts: 'integer',
      attempted_at_ms: 'integer?',
      not_before_ms: 'integer',
      deadline_at_ms: 'integer',
      last_reason: 'text?',
      last_detail: 'text?',
    },
    order: ['planned'],
  },
  {
    name: 'settings',
    columns: { name: 'text', value: 'json' },
    order: ['name'],
    // The other one only shows that the store can be written.
    where: "name = 'hold'",
  },
];

export type Value = string | number | boolean | null;
/** One row; flags are booleans, and `json` columns are texts. */
export type Entry = {
  readonly table: Table;
  readonly values: Readonly<Record<string, Value>>;
};

export interface Archive {
  /** All rows of one moment, table by table, in order. */
  dump(take: (entry: Entry) => Promise<void>): Promise<void>;
  /** Into an empty journal that nobody uses, all or nothing. */
  restore(entries: AsyncIterable<Entry>): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The first watch of which events are missing: the same words for both stores. */
export const INCOMPLETE = `
  SELECT id FROM watches
  WHERE revision <> (SELECT count(*) FROM events WHERE watch_id = watches.id) LIMIT 1`;

/** A row of a store, as an entry. */
export function toEntry(table: Table, row: Readonly<Record<string, unknown>>): Entry {
  const values: Record<string, Value> = {};
  for (const [column, kind] of Object.entries(table.columns)) {
    const value = row[column];
    // SQLite has no boolean.
    values[column] = (kind === 'flag' && typeof value === 'number' ? value === 1 : value) as Value;
  }
  return { table, values };
}

export function entryLine({ table, values }: Entry): string {
  const shown = Object.entries(table.columns).map(([column, kind]) => {
    const value = values[column] ?? null;
    return [column, kind === 'json' ? parsed(String(value), `${table.name} row`) : value];
  });
  return JSON.stringify({ [table.name]: Object.fromEntries(shown) });
}

function parsed(text: string, row: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged(`a ${row}`, 'is not JSON');
  }
}

/** One parsed line as an entry; throws words about what is wrong with it. */
export function toCheckedEntry(table: Table, fields: unknown): Entry {
  if (typeof fields !== 'object' || fields === null) throw new Error(`${table.name} is no object`);
  const found = new Map<string, unknown>(Object.entries(fields));
  const values: Record<string, Value> = {};
  for (const [column, kind] of Object.entries(table.columns)) {
    // An export of the time before there were receipts.
    if (column === 'receipt' && !found.has(column)) found.set(column, null);
    if (!found.has(column)) throw new Error(`${table.name}: the field ${column} is missing`);
    values[column] = checkedValue(found.get(column), kind, `${table.name}.${column}`);
    found.delete(column);
  }
  const [unknown] = found.keys();
  if (unknown !== undefined) throw new Error(`${table.name}: unknown field ${unknown}`);
  checkMeaning(table.name, values);
  return { table, values };
}

function checkedValue(value: unknown, kind: ColumnKind, field: string): Value {
  if (kind === 'json') return JSON.stringify(value);
  if (value === null && kind.endsWith('?')) return null;
  const isFit =
    kind === 'flag'
      ? typeof value === 'boolean'
      : kind.startsWith('integer')
        ? Number.isSafeInteger(value)
        : typeof value === 'string';
  if (!isFit) throw new Error(`${field}: wanted ${kind.replace('?', ' or null')}`);
  return value as Value;
}

/** A row that could not be read back is not taken in. */
function checkMeaning(table: TableName, values: Readonly<Record<string, Value>>): void {
  const text = (column: string) => String(values[column]);
  const integer = (column: string) => Number(values[column]);
  const watchId = text('watch_id');
  switch (table) {
    case 'watches':
      decodeDeploy(text('deploy'), text('id'));
      decodePolicy(text('policy'), text('id'));
      return;
    case 'events': {
      const [seq, atMs] = [integer('seq'), integer('at_ms')];
      decodeEvent({ watchId, seq, atMs, type: text('type'), body: text('body') });
      return;
    }
    case 'deliveries':
      decodeContent(text('content'), text('id'));
      return;
    case 'tracks':
      decodeTrack(text('track'), watchId);
      return;
    case 'ticks':
      decodeTick(text('readings'), integer('at_ms'), watchId);
      return;
    case 'gate_sign_offs': {
      const { gate, environment, version } = decodeSignOff(text('body'), integer('ordinal'));
      checkSame({ gate, environment, version }, values);
      return;
    }
    case 'gate_records': {
      const record = decodeGateRecord(text('body'), text('id'));
      const { id, gate, deploy, decision } = record;
      checkHead(record, decodeGateHead(text('head'), id));
      const { service, environment, version } = deploy;
      checkSame({ id, gate, service, environment, version, decision }, values);
      return;
    }
    case 'gate_messages':
      decodeMessage(text('message'), text('id'));
      return;
    case 'settings':
      decodeHold(text('value'));
  }
}

/** A signature that is found under one version must not be one for another. */
function checkSame(
  body: Readonly<Record<string, string>>,
  values: Readonly<Record<string, Value>>,
): void {
  const other = Object.keys(body).find((column) => body[column] !== values[column]);
  if (other !== undefined) throw new Error(`${other}: it is another one in the body`);
}

/** Lists and starts believe the head. */
function checkHead(record: StoredGateRecord, head: GateHead): void {
  if (isDeepStrictEqual(head, headOf(record))) return;
  throw new Error('head: it is not that of the body');
}

/** A row, when the journal is not empty: the same words for both stores. */
export const NOT_EMPTY = `
  SELECT 1 AS found WHERE EXISTS (SELECT 1 FROM watches) OR EXISTS (SELECT 1 FROM gate_records)
    OR EXISTS (SELECT 1 FROM gate_sign_offs)`;

export function notEmpty(place: string): CanarydError {
  return new CanarydError(
    'journal_failed',
    `journal ${place}: there are watches in it already, or decisions of gates. Import into an ` +
      'empty journal: another file, or another schema; nothing was changed.',
  );
}

export function incomplete(watchId: string): CanarydError {
  const problem = `events of watch ${watchId} are missing in it; nothing was imported`;
  return new CanarydError('journal_failed', `the export is damaged: ${problem}`);
}

export function badLine(line: number, error: unknown): CanarydError {
  const problem = `line ${line}: ${messageOf(error)}; nothing was imported`;
  return new CanarydError('journal_failed', `the export is damaged: ${problem}`);
}
