// What a check gives back, in one shape: a line that is bounded, details that are bounded, exhibits
// that are cut and say so.
import type { Outcome } from '../core/gate-record.ts';
import { cutEnd, printable } from '../kit/redact.ts';
import { type CheckResult, EXHIBIT_BYTES_MAX, type Exhibit } from './check.ts';

const TEXT_CHARS_MAX = 500;
const DETAILS_MAX = 50;

export type ResultParts = {
  readonly details?: readonly string[];
  readonly exhibits?: readonly Exhibit[];
  readonly tools?: Readonly<Record<string, string>>;
};

/** Foreign text in it loses its control characters; more details than fit are counted. */
export function result(outcome: Outcome, text: string, parts: ResultParts = {}): CheckResult {
  const { details = [], exhibits = [], tools = {} } = parts;
  const shown = details.length > DETAILS_MAX ? details.slice(0, DETAILS_MAX - 1) : details;
  const more = details.length - shown.length;
  return {
    outcome,
    text: lineOf(text),
    details: [...shown.map(lineOf), ...(more > 0 ? [`… and ${more} more`] : [])],
    exhibits,
    tools,
  };
}

function lineOf(text: string): string {
  return cutEnd(printable(text), TEXT_CHARS_MAX);
}

export function pass(text: string, parts?: ResultParts): CheckResult {
  return result('pass', text, parts);
}

export function fail(text: string, parts?: ResultParts): CheckResult {
  return result('fail', text, parts);
}

/** It could not be carried out: say why, and what to do. */
export function unknown(text: string, parts?: ResultParts): CheckResult {
  return result('unknown', text, parts);
}

/** A file of the evidence, cut to `EXHIBIT_BYTES_MAX`. The caller has taken the secrets out. */
export function exhibit(name: string, body: Uint8Array | string): Exhibit {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const isCut = bytes.length > EXHIBIT_BYTES_MAX;
  return { name, body: isCut ? bytes.subarray(0, EXHIBIT_BYTES_MAX) : body, isCut };
}
