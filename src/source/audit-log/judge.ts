// What one line of a log counts as. Nothing of a line is kept or shown.
import type { AuditLogIndicator } from '../../core/policy.ts';
import { jsonAt, type Mapping } from '../../kit/json.ts';
import { writtenTime } from '../../kit/written-time.ts';
import type { Counted } from './counts.ts';
import { readEvent, serializationProblem, wordOf } from './events.ts';
import type { Compiled } from './json-schema.ts';

export type Judged = {
  /** null: of a type that is not asked for. */
  readonly what: Counted | null;
  /** The event's own time; null: it has none that can be read. */
  readonly atMs: number | null;
};

export type LineJudge = (text: string | null) => Judged;

export function lineJudge(indicator: AuditLogIndicator, schema: Compiled | null): LineJudge {
  const { bad, time } = indicator;
  return (text) => {
    const event = readEvent(text);
    if (event.kind === 'fault')
      return { what: bad === 'invalid' ? 'bad' : 'unreadable', atMs: null };
    const atMs = writtenTime(jsonAt(event.value, time));
    const what =
      bad === 'invalid'
        ? validity(event.value, atMs, indicator, schema)
        : traceOf(event.value, indicator);
    return { what, atMs };
  };
}

function validity(
  event: Mapping,
  atMs: number | null,
  { numbers }: AuditLogIndicator,
  schema: Compiled | null,
): Counted {
  if (atMs === null || serializationProblem(event, numbers) !== null) return 'bad';
  return (schema?.problem(event) ?? null) === null ? 'good' : 'bad';
}

function traceOf(event: Mapping, { trace }: AuditLogIndicator): Counted | null {
  if (trace === null) return 'good';
  const type = wordOf(jsonAt(event, trace.type));
  if (trace.of !== null && !(type !== null && trace.of.includes(type))) return null;
  return wordOf(jsonAt(event, trace.id)) === null ? 'bad' : 'good';
}
