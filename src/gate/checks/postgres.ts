// A PostgreSQL that can be reached, and what a query of it gives: one value, a number of rows, or
// none at all. It may not change anything there.
import { ms, SECRET_NAME } from '../../config/fields.ts';
import type { PostgresInput } from '../../config/gate-checks/postgres.ts';
import { formatNumber } from '../../core/quantity.ts';
import type { TemplateValues } from '../../core/template.ts';
import { parsePostgresUrl } from '../../kit/postgres-url.ts';
import { redact } from '../../kit/redact.ts';
import type { CheckResult, CheckTools } from '../check.ts';
import { figureWords, judgeFigure } from '../figure.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import { missingSecret } from '../request.ts';
import { exhibit, fail, pass, type ResultParts, unknown } from '../result.ts';
import {
  askPostgres,
  type PostgresAnswer,
  type PostgresRow,
  ROWS_MAX,
} from './postgres-session.ts';

const BEYOND_QUERY_MS = 1_000;
const ROW_SHOWN_MAX = 20;

type Rows = Extract<PostgresAnswer, { kind: 'rows' }>;

export function postgresCheck(input: PostgresInput, make: MakeTools): MadeCheck {
  return {
    kind: 'postgres',
    wants: wantsText(input),
    timeoutMs: ms(input.timeout) + BEYOND_QUERY_MS,
    run: (tools) => carryOut(input, make, tools),
  };
}

async function carryOut(
  input: PostgresInput,
  make: MakeTools,
  { signal, clock }: CheckTools,
): Promise<CheckResult> {
  const place = placeOf(input, make);
  if (place.kind === 'problem') return unknown(place.text);
  const { address, password } = place;
  const started = clock.monotonic();
  const answer = await askPostgres({
    address,
    password,
    query: input.query ?? null,
    timeoutMs: ms(input.timeout),
    clock,
    signal,
  });
  const clean = (text: string) => redact(text, password === null ? [] : [password]);
  if (answer.kind === 'failed') return unknown(clean(answer.reason));
  const tools: Record<string, string> =
    answer.version === '' ? {} : { postgres: answer.version.split(' ')[0] ?? '' };
  if (input.query === undefined) {
    const took = Math.round(clock.monotonic() - started);
    return pass(`${address.host}:${address.port} answered in ${took} ms`, { tools });
  }
  const rows = answer.rows.filter((row) => isMeant(row, input.where ?? {}));
  const body = JSON.stringify({ columns: answer.columns, rows, isCut: answer.isCut }, null, 2);
  const parts = { exhibits: [exhibit('rows.json', clean(body))], tools };
  return judged(input, { ...answer, rows }, make.values, parts);
}

function placeOf({ url, password }: PostgresInput, { secrets }: MakeTools) {
  const reveal = (written: string) => secrets.secret(written.slice(1)).current();
  const text = SECRET_NAME.test(url) ? reveal(url) : url;
  if (text === null) return { kind: 'problem', text: missingSecret(url) } as const;
  const parsed = parsePostgresUrl(text.trim());
  if (parsed.kind === 'problem') {
    return {
      kind: 'problem',
      text: `url: found ${parsed.found}; wanted ${parsed.wanted}`,
    } as const;
  }
  const { address } = parsed;
  if (password === undefined)
    return { kind: 'place', address, password: address.password } as const;
  const value = reveal(password);
  if (value === null) return { kind: 'problem', text: missingSecret(password) } as const;
  return { kind: 'place', address, password: value } as const;
}

function isMeant(row: PostgresRow, where: Readonly<Record<string, string>>): boolean {
  return Object.entries(where).every(([column, text]) => row[column] === text);
}

function judged(
  input: PostgresInput,
  answer: Rows,
  values: TemplateValues,
  parts: ResultParts,
): CheckResult {
  const missing = Object.keys(input.where ?? {}).find((one) => !answer.columns.includes(one));
  if (missing !== undefined) return unknown(noColumn(missing, answer), parts);
  if (input.none === true) {
    if (answer.rows.length === 0) return pass('no row', parts);
    const details = answer.rows.map(rowText);
    return fail(`${rowsText(answer)}, none wanted: ${details[0]}`, { ...parts, details });
  }
  if (input.rows !== undefined) {
    if (answer.isCut) return unknown(`more than ${ROWS_MAX} rows; let the query count`, parts);
    const result = judgeFigure(input.rows, answer.rows.length, values);
    if (result.kind === 'unusable') return unknown(result.text, parts);
    const text = `${rowsText(answer)}, ${figureWords(input.rows)} wanted`;
    return (result.holds ? pass : fail)(text, parts);
  }
  if (input.value === undefined) return unknown('nothing is wanted of the query', parts);
  const found = singleValue(input, answer);
  if (found.kind === 'unusable') return unknown(found.text, parts);
  const result = judgeFigure(input.value, found.value, values);
  if (result.kind === 'unusable') return unknown(result.text, parts);
  return (result.holds ? pass : fail)(result.text, parts);
}

type Value =
  | { readonly kind: 'value'; readonly value: number }
  | { readonly kind: 'unusable'; readonly text: string };

function singleValue({ column, share_of: whole }: PostgresInput, { columns, rows }: Rows): Value {
  const [row, ...others] = rows;
  const unusable = (text: string): Value => ({ kind: 'unusable', text });
  if (row === undefined) return unusable('no row where one value is meant');
  if (others.length > 0) return unusable(`${rows.length} rows where one value is meant`);
  const [only, ...more] = columns;
  const named = column ?? only;
  if (column === undefined && more.length > 0) {
    return unusable(`${columns.length} columns where one value is meant; name it: column`);
  }
  const read = [named, ...(whole === undefined ? [] : [whole])].map((name) => {
    if (name === undefined || !columns.includes(name)) return noColumn(name ?? '', { columns });
    const number = numberOf(row[name] ?? null);
    return number ?? `${name} is ${row[name] === null ? 'NULL' : `"${row[name]}"`}, no number`;
  });
  const wrong = read.find((one) => typeof one === 'string');
  if (typeof wrong === 'string') return unusable(wrong);
  const [part = Number.NaN, total] = read.map(Number);
  if (total === undefined) return { kind: 'value', value: part };
  if (total === 0) return unusable(`${whole} is 0: there is no share of it`);
  return { kind: 'value', value: part / total };
}

function noColumn(name: string, { columns }: Pick<Rows, 'columns'>): string {
  return `the answer has no column ${name}, only ${columns.join(', ')}`;
}

/** Numbers, true and false, and intervals in seconds: `1 day 02:03:04.5`. */
function numberOf(text: string | null): number | null {
  if (text === null) return null;
  if (/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)) return Number(text);
  if (text === 't' || text === 'f') return text === 't' ? 1 : 0;
  return intervalSeconds(text);
}

function intervalSeconds(text: string): number | null {
  const pattern = /^(?:(-?\d+) days? ?)?(?:(-)?(\d+):(\d{2}):(\d{2}(?:\.\d+)?))?$/;
  const match = text === '' ? null : pattern.exec(text);
  if (match === null) return null;
  const [, days = '0', minus, hours = '0', minutes = '0', seconds = '0'] = match;
  const time = Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds);
  return Number(days) * 86_400 + (minus === '-' ? -time : time);
}

function rowsText({ rows, isCut }: Rows): string {
  const number = formatNumber(rows.length);
  return isCut ? `${number} or more rows` : `${number} ${rows.length === 1 ? 'row' : 'rows'}`;
}

/** What is NULL says nothing; a row of nothing else says that. */
function rowText(row: PostgresRow): string {
  const known = Object.entries(row).filter(([, value]) => value !== null);
  const pairs = (known.length === 0 ? Object.entries(row) : known).slice(0, ROW_SHOWN_MAX);
  return pairs.map(([name, value]) => `${name} ${value ?? 'NULL'}`).join(', ');
}

function wantsText({ url, query, value, rows, none, column, share_of: whole }: PostgresInput) {
  const place = SECRET_NAME.test(url) ? url : (URL.parse(url)?.host ?? 'postgres');
  if (query === undefined) return `PostgreSQL ${place}: reachable`;
  const what = [column, ...(whole === undefined ? [] : [`of ${whole}`])].filter(Boolean).join(' ');
  const wanted = [
    ...(value === undefined ? [] : [`${what} ${figureWords(value)}`.trim()]),
    ...(rows === undefined ? [] : [`rows ${figureWords(rows)}`]),
    ...(none === true ? ['no row'] : []),
  ];
  return `PostgreSQL ${place}: ${query.replace(/\s+/g, ' ').trim()}: ${wanted.join(', ')}`;
}
