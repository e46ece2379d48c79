// A journal as JSON Lines, whatever store it is in: a header, one line per row, and a last line
// with how many there were, so that a file that was cut off is noticed.
import { CanarydError } from '../kit/errors.ts';
import {
  type Archive,
  badLine,
  type Entry,
  entryLine,
  TABLES,
  type Table,
  type TableName,
  toCheckedEntry,
} from './archive.ts';

/** Counted up when older canaryds could not read it any more: 2 brought what is kept of gates. */
const FORMAT = 2;
/** Policies and evidence are far smaller; more than this is no export of ours. */
const LINE_CHARS_MAX = 20_000_000;

export type Counts = Readonly<Record<TableName, number>>;

function noCounts(): Record<TableName, number> {
  return Object.fromEntries(TABLES.map(({ name }) => [name, 0])) as Record<TableName, number>;
}

export type Exported = { readonly counts: Counts; readonly active: number };

/** `write` resolves when there is room for more. */
export async function exportJournal(
  archive: Archive,
  write: (text: string) => Promise<void>,
): Promise<Exported> {
  const counts = noCounts();
  let active = 0;
  await write(`${JSON.stringify({ canaryd_journal: FORMAT })}\n`);
  await archive.dump(async (entry) => {
    counts[entry.table.name] += 1;
    if (entry.values['is_active'] === true) active += 1;
    await write(`${entryLine(entry)}\n`);
  });
  await write(`${JSON.stringify({ end: counts })}\n`);
  return { counts, active };
}

/** All or nothing, into an empty journal. */
export async function importJournal(
  archive: Archive,
  chunks: AsyncIterable<string>,
): Promise<Counts> {
  const counts = noCounts();
  await archive.restore(entries(lines(chunks), counts));
  return counts;
}

async function* lines(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of chunks) {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
    if (rest.length > LINE_CHARS_MAX) throw cutOff('it has a line that is too long');
  }
  if (rest !== '') yield rest;
}

function cutOff(problem: string): CanarydError {
  const advice = 'Nothing was imported; export again.';
  return new CanarydError('journal_failed', `this is no whole export: ${problem}. ${advice}`);
}

async function* entries(
  all: AsyncIterable<string>,
  counts: Record<TableName, number>,
): AsyncGenerator<Entry> {
  let number = 0;
  let tableIndex = 0;
  let isEnded = false;
  for await (const text of all) {
    number += 1;
    const [key, fields] = parsedLine(text, number);
    if (number === 1) {
      checkHeader(key, fields);
      continue;
    }
    if (isEnded) throw cutOff(`line ${number} comes after the end`);
    if (key === 'end') {
      checkEnd(fields, counts);
      isEnded = true;
      continue;
    }
    const index = TABLES.findIndex(({ name }) => name === key);
    const table: Table | undefined = TABLES[index];
    if (table === undefined) throw badLine(number, new Error(`unknown kind of row ${key}`));
    if (index < tableIndex) throw badLine(number, new Error(`${key} out of order`));
    tableIndex = index;
    counts[table.name] += 1;
    yield checked(table, fields, number);
  }
  if (!isEnded) throw cutOff(`it ends after line ${number}, without its last line`);
}

function parsedLine(text: string, number: number): readonly [key: string, fields: unknown] {
  try {
    const [pair] = Object.entries(JSON.parse(text) as Record<string, unknown>);
    if (pair !== undefined) return pair;
  } catch {
    // Told below.
  }
  throw badLine(number, new Error('it is no JSON object'));
}

function checked(table: Table, fields: unknown, number: number): Entry {
  try {
    return toCheckedEntry(table, fields);
  } catch (error) {
    throw badLine(number, error);
  }
}

function checkHeader(key: string, format: unknown): void {
  if (key !== 'canaryd_journal') throw cutOff('its first line is not that of an export');
  if (typeof format === 'number' && format >= 1 && format <= FORMAT) return;
  const problem = `the export has format ${String(format)}, and this canaryd knows ${FORMAT}`;
  throw new CanarydError('journal_failed', `${problem}. Import it with the newer canaryd.`);
}

/** An older export does not count the tables that came later. */
function checkEnd(fields: unknown, counts: Counts): void {
  const counted = typeof fields === 'object' ? { ...noCounts(), ...fields } : fields;
  if (JSON.stringify(counted) === JSON.stringify(counts)) return;
  throw cutOff('its last line counts other rows than there are');
}
