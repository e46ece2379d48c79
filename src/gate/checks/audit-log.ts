// An audit log in JSON lines: each line is an event that parses, matches a schema and holds no trace
// of a failed serialization; its flows are traced. Read as a stream; no piece of an event is shown.
import { ms } from '../../config/fields.ts';
import type { AuditLogInput } from '../../config/gate-checks/audit-log.ts';
import { pathsOf } from '../../config/gate-checks/common.ts';
import { formatNumber, parseQuantity } from '../../core/quantity.ts';
import { jsonAt, type Mapping } from '../../kit/json.ts';
import { writtenTime } from '../../kit/written-time.ts';
import {
  FAULTS,
  type Fault,
  readEvent,
  serializationProblem,
} from '../../source/audit-log/events.ts';
import { type Compiled, compileSchema } from '../../source/audit-log/json-schema.ts';
import type { Line } from '../../source/audit-log/lines.ts';
import type { CheckResult, CheckTools } from '../check.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import { ageOf } from '../report/age.ts';
import { Flows } from '../report/flows.ts';
import { parseReport } from '../report/json.ts';
import { type LinesRead, readLines } from '../report/lines.ts';
import { findPaths, type Refused, readReports, refused } from '../report/read.ts';
import { exhibit, fail, pass, unknown } from '../result.ts';

const FAULTS_SHOWN_MAX = 25;

export function auditLogCheck(input: AuditLogInput, { values }: MakeTools): MadeCheck {
  return {
    kind: 'audit_log',
    wants: wantsOf(input),
    timeoutMs: ms(input.timeout),
    run: async (tools) => {
      const found = await findPaths(pathsOf(input.report), values, tools);
      if (found.kind === 'refused') return unknown(found.reason);
      if (found.paths.length === 0) return unknown(`no file matches ${pathsOf(input.report)}`);
      const schema = await schemaOf(input, values, tools);
      if (schema?.kind === 'refused') return unknown(schema.reason);
      const log = new Log(input, schema, tools.clock.now());
      const files: LogFile[] = [];
      for (const path of found.paths) {
        log.begin(path);
        const tail = parseQuantity(input.tail)?.value ?? 0;
        const read = await readLines(path, tools, tail, (line) => log.line(line));
        if (read.kind === 'refused') return unknown(read.reason);
        files.push({ path, ...read });
      }
      return concluded(input, log, files, tools);
    },
  };
}

type LogFile = LinesRead & { readonly path: string };

function wantsOf(input: AuditLogInput): string {
  const { schema, trace } = input;
  return [
    `each line of ${pathsOf(input.report).join(', ')} is an event`,
    ...(schema === undefined ? [] : [`matches ${schema}`]),
    ...(trace === undefined
      ? []
      : [`at least ${trace.at_least} of ${trace.flow === undefined ? 'them' : 'flows'} traced`]),
    ...(input.max_age === undefined ? [] : [`the newest at most ${input.max_age} old`]),
  ].join(', ');
}

async function schemaOf(
  { schema }: AuditLogInput,
  values: MakeTools['values'],
  tools: CheckTools,
): Promise<Compiled | Refused | null> {
  if (schema === undefined) return null;
  const read = await readReports([schema], values, tools);
  if (read.kind === 'refused') return read;
  const [file] = read.files;
  if (file === undefined) return refused(`${schema} is missing`);
  const parsed = parseReport(file);
  if (parsed.kind === 'refused') return parsed;
  const compiled = compileSchema(parsed.value);
  return compiled.kind === 'refused' ? refused(`${schema} ${compiled.reason}`) : compiled;
}

/** What is known of the lines so far. */
class Log {
  events = 0;
  readonly faults: Record<Fault, number> = { 'no JSON': 0, serialization: 0, schema: 0, time: 0 };
  readonly shown: string[] = [];
  unfinished = 0;
  newestMs: number | null = null;
  readonly flows: Flows | null;
  readonly #input: AuditLogInput;
  readonly #schema: Compiled | null;
  readonly #sinceMs: number;
  #path = '';
  #number = 0;
  /** A line without a time is as old as the one before. */
  #isRecent = true;

  constructor(input: AuditLogInput, schema: Compiled | null, nowMs: number) {
    this.#input = input;
    this.#schema = schema;
    this.#sinceMs = input.last === undefined ? Number.NEGATIVE_INFINITY : nowMs - ms(input.last);
    this.flows = input.trace === undefined ? null : new Flows(input.trace);
  }

  begin(path: string): void {
    this.#path = path;
    this.#number = 0;
    this.#isRecent = true;
  }

  line({ text, isUnfinished }: Line): void {
    this.#number += 1;
    if (text !== null && text.trim() === '') return;
    const event = readEvent(text);
    if (event.kind === 'fault') {
      if (isUnfinished && this.#input.live) this.unfinished += 1;
      else if (this.#isRecent) this.#fault(event.fault, event.reason);
      return;
    }
    this.#event(event.value);
  }

  #event(event: Mapping): void {
    const { time, numbers = [] } = this.#input;
    const atMs = time === undefined ? null : writtenTime(jsonAt(event, time));
    if (atMs !== null) {
      this.newestMs = Math.max(atMs, this.newestMs ?? atMs);
      this.#isRecent = atMs >= this.#sinceMs;
    }
    if (!this.#isRecent) return;
    this.events += 1;
    const serialization = serializationProblem(event, numbers);
    const mismatch = this.#schema?.problem(event) ?? null;
    // One fault for each event: what is counted are events.
    if (serialization !== null) this.#fault('serialization', serialization);
    else if (mismatch !== null) this.#fault('schema', mismatch);
    else if (time !== undefined && atMs === null) this.#fault('time', `has no time at ${time}`);
    this.flows?.add(event, atMs, `${this.#path}:${this.#number}`);
  }

  #fault(kind: Fault, reason: string): void {
    this.faults[kind] += 1;
    if (this.shown.length >= FAULTS_SHOWN_MAX) return;
    this.shown.push(`${this.#path}:${this.#number}: ${reason}`);
  }
}

function concluded(
  input: AuditLogInput,
  log: Log,
  files: readonly LogFile[],
  tools: CheckTools,
): CheckResult {
  const wrong: string[] = [];
  const unclear: string[] = [];
  const faulty = FAULTS.reduce((sum, one) => sum + log.faults[one], 0);
  if (faulty > input.invalid_max) wrong.push(faultsText(log, faulty, input.invalid_max));
  if (log.events < input.events_min) {
    unclear.push(`${log.events} events, at least ${input.events_min} wanted`);
  }
  const nowMs = tools.clock.now();
  const skipped = files.reduce((sum, one) => sum + one.skippedBytes, 0);
  const flows = log.flows?.judged(nowMs, skipped > 0 || input.last !== undefined) ?? null;
  if (flows?.kind === 'missing') wrong.push(flows.text);
  else if (flows !== null && flows.kind !== 'enough') unclear.push(flows.text);
  const age = newestAge(input, log, files, nowMs);
  if (age?.kind === 'old') wrong.push(age.text);
  if (age?.kind === 'future') unclear.push(age.text);
  const of = skipped === 0 ? '' : ` in the last ${input.tail}`;
  const fine = [
    `${formatNumber(log.events)} events${of}, ${faulty === 0 ? 'all valid' : `${faulty} not valid`}`,
    ...(flows === null ? [] : [flows.text]),
    ...(age === null ? [] : [`the newest ${age.text}`]),
  ];
  const said = [...wrong, ...unclear];
  const details = [
    ...(said.length > 1 ? said : []),
    ...log.shown,
    ...(skipped > 0 && log.shown.length > 0 ? ['lines count from the part that was read'] : []),
    ...(flows?.details ?? []),
    ...(log.unfinished > 0 ? ['the last line is being written: not judged'] : []),
  ];
  const summary = { files, events: log.events, faults: log.faults, details, flows: flows?.text };
  const parts = {
    details,
    exhibits: [exhibit('audit-log.json', `${JSON.stringify(summary, null, 2)}\n`)],
  };
  if (wrong.length > 0) return fail(wrong.join('; '), parts);
  return unclear.length > 0 ? unknown(unclear.join('; '), parts) : pass(fine.join('; '), parts);
}

function faultsText(log: Log, faulty: number, max: number): string {
  const words: Readonly<Record<Fault, string>> = {
    'no JSON': 'no JSON',
    serialization: 'serialized wrong',
    schema: 'not as in the schema',
    time: 'without a time',
  };
  const kinds = FAULTS.filter((one) => log.faults[one] > 0);
  const texts = kinds.map((one) => `${log.faults[one]} ${words[one]}`).join(', ');
  return `${faulty} ${faulty === 1 ? 'line is' : 'lines are'} not valid (${texts}), at most ${max} wanted`;
}

function newestAge(
  { max_age: maxAge, time }: AuditLogInput,
  log: Log,
  files: readonly LogFile[],
  nowMs: number,
) {
  if (maxAge === undefined) return null;
  const modifiedMs =
    time === undefined ? Math.max(...files.map((one) => one.modifiedMs)) : log.newestMs;
  if (modifiedMs === null) return null;
  const dated = { path: 'the newest event', modifiedMs, writtenMs: null };
  return ageOf([dated], nowMs, ms(maxAge));
}
