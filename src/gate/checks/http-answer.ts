// What is wrong with an answer, as complaints; none: it is as wanted.
import { ms } from '../../config/fields.ts';
import type {
  HeaderExpectation,
  HttpInput,
  JsonExpectation,
} from '../../config/gate-checks/http.ts';
import { compileSearch } from '../../core/pattern.ts';
import { formatDuration, roughDuration } from '../../core/quantity.ts';
import { fill, type TemplateValues } from '../../core/template.ts';
import type { HttpAnswer } from '../../kit/http.ts';
import { jsonAt, jsonText } from '../../kit/json.ts';
import { cutEnd } from '../../kit/redact.ts';
import { comparisonOf, judgeFigure } from '../figure.ts';
import { parseJson } from '../request.ts';

/** A found value is quoted up to this length: it may be anything. */
const QUOTED_MAX = 80;
/** 12 bytes; the standard asks for 16. */
const NONCE_MIN = 16;

export function quoted(text: string): string {
  return JSON.stringify(cutEnd(text, QUOTED_MAX));
}

export function answerComplaints(
  input: HttpInput,
  answer: HttpAnswer,
  values: TemplateValues,
): readonly string[] {
  return [
    ...statusComplaints(input, answer),
    ...slowComplaints(input, answer),
    ...Object.entries(input.response_headers ?? {}).flatMap(([name, wanted]) =>
      headerComplaints(name, wanted, answer.headers[name.toLowerCase()], values),
    ),
    ...jsonComplaints(input.json ?? {}, answer.body, values),
    ...bodyComplaints(input, answer.body, values),
  ];
}

export function statusWords({ status }: HttpInput): string {
  return status === undefined ? 'status 2xx' : `status ${[status].flat().join(' or ')}`;
}

function statusComplaints(input: HttpInput, { status }: HttpAnswer): readonly string[] {
  const wanted = input.status === undefined ? [] : [input.status].flat();
  const isFit = wanted.length === 0 ? status >= 200 && status < 300 : wanted.includes(status);
  if (isFit) return [];
  const isRedirect = status >= 300 && status < 400 && status !== 304;
  const note = isRedirect ? '; redirects are not followed' : '';
  return [`status ${status}, ${statusWords(input)} wanted${note}`];
}

function slowComplaints({ within }: HttpInput, { tookMs }: HttpAnswer): readonly string[] {
  if (within === undefined || tookMs <= ms(within)) return [];
  return [`the answer took ${roughDuration(Math.ceil(tookMs))}, within ${within} wanted`];
}

export function headerComplaints(
  name: string,
  wanted: HeaderExpectation,
  value: string | undefined,
  values: TemplateValues,
): readonly string[] {
  if (wanted.present === false) {
    return value === undefined ? [] : [`${name} is there, its absence is wanted`];
  }
  if (value === undefined) return [`${name} is missing`];
  const complaints: string[] = [];
  const is = `${name} is ${quoted(value)}`;
  const { contains, matches, max_age: maxAge } = wanted;
  if (wanted.equals !== undefined && !isSame(value, fill(wanted.equals, values))) {
    complaints.push(`${is}, ${quoted(fill(wanted.equals, values))} wanted`);
  }
  if (contains !== undefined && !value.includes(fill(contains, values))) {
    complaints.push(`${is}, with ${quoted(fill(contains, values))} wanted`);
  }
  if (matches !== undefined && !matchesText(matches, value)) {
    complaints.push(`${is}, a match of ${quoted(matches)} wanted`);
  }
  if (maxAge !== undefined) complaints.push(...maxAgeComplaints(name, value, ms(maxAge)));
  if (wanted.csp === 'nonce' && nonceOf(value) === null) {
    complaints.push(`${name} lets no scripts run by a nonce: ${quoted(value)}`);
  }
  return complaints;
}

function isSame(value: string, wanted: string): boolean {
  const bare = wanted.includes(';') ? value : (value.split(';')[0] ?? '');
  return bare.trim().toLowerCase() === wanted.trim().toLowerCase();
}

/** RFC 6797: the name in any case, the seconds perhaps in quotes; the first of several counts. */
function maxAgeComplaints(name: string, value: string, wantedMs: number): readonly string[] {
  const seconds = /(?:^|[;,\s])max-age\s*=\s*"?(\d{1,15})"?\s*(?:[;,]|$)/i.exec(value)?.[1];
  if (seconds === undefined) return [`${name} has no max-age: ${quoted(value)}`];
  if (Number(seconds) * 1_000 >= wantedMs) return [];
  const wanted = `${wantedMs / 1_000} s (${formatDuration(wantedMs)})`;
  return [`${name} has a max-age of ${seconds} s, at least ${wanted} wanted`];
}

/**
 * The nonce by which scripts may run. `script-src-elem` and `script-src` go before `default-src`;
 * of several policies all hold, so that one with a nonce is enough.
 */
export function nonceOf(policy: string): string | null {
  for (const one of policy.split(',')) {
    const directives = new Map<string, string>();
    for (const part of one.split(';')) {
      const [name = '', ...sources] = part.trim().split(/\s+/);
      const key = name.toLowerCase();
      // The first of two of a name counts.
      if (!directives.has(key)) directives.set(key, sources.join(' '));
    }
    const scripts =
      directives.get('script-src-elem') ??
      directives.get('script-src') ??
      directives.get('default-src');
    const nonce = /(?:^|\s)'nonce-([A-Za-z0-9+/_-]+={0,2})'/i.exec(scripts ?? '')?.[1];
    if (nonce !== undefined && nonce.length >= NONCE_MIN) return nonce;
  }
  return null;
}

function matchesText(source: string, text: string): boolean {
  return compileSearch(source)?.last(text) != null;
}

function jsonComplaints(
  wanted: Readonly<Record<string, JsonExpectation>>,
  body: string,
  values: TemplateValues,
): readonly string[] {
  const entries = Object.entries(wanted);
  if (entries.length === 0) return [];
  const document = parseJson(body);
  if (document === undefined) return ['the body is no JSON'];
  return entries.flatMap(([path, expectation]) =>
    fieldComplaints(path, expectation, jsonAt(document, path), values),
  );
}

function fieldComplaints(
  path: string,
  wanted: JsonExpectation,
  found: unknown,
  values: TemplateValues,
): readonly string[] {
  if (wanted.present === false) {
    return found === undefined ? [] : [`${path} is there, its absence is wanted`];
  }
  if (found === undefined) return [`${path} is missing`];
  const complaints: string[] = [];
  const text = jsonText(found);
  if (wanted.equals !== undefined && text !== fill(String(wanted.equals), values)) {
    complaints.push(
      `${path} is ${quoted(text)}, ${quoted(fill(String(wanted.equals), values))} wanted`,
    );
  }
  const part = wanted.contains === undefined ? null : fill(wanted.contains, values);
  if (part !== null) {
    const isThere = Array.isArray(found)
      ? found.some((item) => jsonText(item) === part)
      : typeof found === 'string' && found.includes(part);
    if (!isThere) complaints.push(`${path} is ${quoted(text)}, with ${quoted(part)} wanted`);
  }
  for (const figure of comparisonOf(wanted)) {
    if (typeof found !== 'number') {
      complaints.push(`${path} is ${quoted(text)}, a number wanted`);
      continue;
    }
    const judged = judgeFigure(figure, found, values);
    if (judged.kind === 'unusable' || !judged.holds) complaints.push(`${path} is ${judged.text}`);
  }
  return complaints;
}

function bodyComplaints(
  { contains, not_contains: notContains, matches }: HttpInput,
  body: string,
  values: TemplateValues,
): readonly string[] {
  const complaints: string[] = [];
  if (contains !== undefined && !body.includes(fill(contains, values))) {
    complaints.push(`the body is without ${quoted(fill(contains, values))}`);
  }
  if (notContains !== undefined && body.includes(fill(notContains, values))) {
    complaints.push(`the body has ${quoted(fill(notContains, values))}, its absence is wanted`);
  }
  if (matches !== undefined && !matchesText(matches, body)) {
    complaints.push(`the body does not match ${quoted(matches)}`);
  }
  return complaints;
}
