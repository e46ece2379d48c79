// A tick as text and back. Ticks are the bulk of a journal (17,280 a day for one watch), so they
// are written as arrays without keys and checked by hand.
import { BLIND_REASONS, type Counts, type Reading, type Tick } from '../core/sample.ts';
import { damaged, fromText, type Row, toText } from './codec.ts';

type StoredCounts = readonly [part: number, total: number] | null;

/**
 * One array per reading, cut after the last field that is there. A number in second place is a
 * value, a word is why it is blind.
 */
type StoredReading =
  | readonly [
      indicator: string,
      value: number,
      counts?: StoredCounts,
      sinceDeploy?: StoredCounts,
      rangeMs?: number | null,
      shortened?: boolean | null,
      detail?: string | null,
    ]
  | readonly [
      indicator: string,
      reason: string,
      detail: string,
      counts?: StoredCounts,
      sinceDeploy?: StoredCounts,
    ];

const pair = (counts: Counts | undefined) =>
  counts === undefined ? null : [counts.part, counts.total];

export function encodeReadings(readings: Tick['readings']): string {
  const rows = Object.entries(readings).map(([indicator, reading]) => {
    const counts = [pair(reading.counts), pair(reading.sinceDeploy)];
    const row: unknown[] =
      reading.kind === 'blind'
        ? [indicator, reading.reason, reading.detail, ...counts]
        : [
            indicator,
            reading.value,
            ...counts,
            reading.rangeMs ?? null,
            reading.shortened ?? null,
            reading.detail ?? null,
          ];
    return row.slice(0, row.findLastIndex((field) => field !== null) + 1);
  });
  return toText(rows);
}

export function decodeTick(text: string, atMs: number, watchId: string): Tick {
  const row = `the tick at ${atMs} of watch ${watchId}`;
  const rows = fromText(text, row);
  if (!Array.isArray(rows)) throw damaged(row, 'is no list of readings');
  return { atMs, readings: Object.fromEntries(rows.map((stored) => reading(stored, row))) };
}

function reading(stored: unknown, row: Row): [string, Reading] {
  if (!Array.isArray(stored) || typeof stored[0] !== 'string') {
    throw damaged(row, 'holds a reading without an indicator');
  }
  const fields = stored as unknown as StoredReading;
  if (isBlind(fields)) {
    const [indicator, reason, detail, counts, sinceDeploy] = fields;
    const known = BLIND_REASONS.find((word) => word === reason);
    if (known === undefined || typeof detail !== 'string') {
      throw damaged(row, `holds no known reading of ${indicator}`);
    }
    const both = { ...counted('counts', counts, row), ...counted('sinceDeploy', sinceDeploy, row) };
    return [indicator, { kind: 'blind', reason: known, detail, ...both }];
  }
  const [indicator, value, counts, sinceDeploy, rangeMs, shortened, detail] = fields;
  if (typeof value !== 'number') throw damaged(row, `holds no known reading of ${indicator}`);
  return [
    indicator,
    {
      kind: 'value',
      value,
      ...counted('counts', counts, row),
      ...counted('sinceDeploy', sinceDeploy, row),
      ...(typeof rangeMs === 'number' ? { rangeMs } : {}),
      ...(typeof shortened === 'boolean' ? { shortened } : {}),
      ...(typeof detail === 'string' ? { detail } : {}),
    },
  ];
}

function isBlind(
  fields: StoredReading,
): fields is Extract<StoredReading, readonly [string, string, ...unknown[]]> {
  return typeof fields[1] === 'string';
}

function counted<Key extends 'counts' | 'sinceDeploy'>(
  key: Key,
  counts: StoredCounts | undefined,
  row: Row,
): { readonly [K in Key]?: Counts } {
  if (counts === undefined || counts === null) return {};
  const [part, total] = counts;
  if (typeof part !== 'number' || typeof total !== 'number') {
    throw damaged(row, `holds ${key} that are no two numbers`);
  }
  return { [key]: { part, total } } as { readonly [K in Key]?: Counts };
}
