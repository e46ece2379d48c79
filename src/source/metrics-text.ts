// The body of a service's `/metrics`: Prometheus text 0.0.4 and OpenMetrics 1.0. One bad line
// rejects the whole scrape, as Prometheus does: half a scrape would look like series that ended.
// The body is foreign: every part of it has a limit, and the time taken is linear in its length.

export type MetricSample = {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** The service's own time stamp; null: the time of the scrape is meant. */
  readonly timestampMs: number | null;
};

export type ParsedMetrics =
  | { readonly kind: 'samples'; readonly samples: readonly MetricSample[] }
  /** For people: what is wrong, with an excerpt. */
  | { readonly kind: 'bad'; readonly line: number; readonly detail: string };

/** 16 MiB of text: about 100,000 series. */
export const TEXT_LENGTH_MAX = 16 * 2 ** 20;
export const LINES_MAX = 400_000;
/** Prometheus' usual `label_limit` is far below. */
export const LABELS_MAX = 64;
/** Longest metric name, label name and label value. */
export const LABEL_LENGTH_MAX = 4_096;
const EXCERPT_LENGTH = 60;

const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const SPACES = /[ \t]*/y;
const TOKEN = /[^ \t]+/y;
const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const TYPE_LINE = /^#[ \t]+TYPE[ \t]+(\S+)[ \t]+(\S+)[ \t]*$/;
/** Families whose `_created` time stamps are no figures of the service. */
const CREATED_TYPES = new Set(['counter', 'histogram', 'summary', 'gaugehistogram']);

/** @param redacted for the one line that a complaint quotes, before it is cut */
export function parseMetrics(
  text: string,
  contentType: string | undefined,
  redacted: (line: string) => string = (line) => line,
): ParsedMetrics {
  if (text.length > TEXT_LENGTH_MAX) return bad(1, `longer than ${TEXT_LENGTH_MAX} characters`, '');
  const isOpenMetrics = /^\s*application\/openmetrics-text/i.test(contentType ?? '');
  const types = new Map<string, string>();
  const samples: MetricSample[] = [];
  let start = 0;
  let hasEnded = false;
  let number = 0;
  while (start < text.length) {
    number += 1;
    if (number > LINES_MAX) return bad(number, `more than ${LINES_MAX} lines`, '');
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    const line = text.slice(start, text[end - 1] === '\r' ? end - 1 : end);
    start = end + 1;
    if (hasEnded) return bad(number, 'text after "# EOF"', redacted(line));
    if (isOpenMetrics && line === '# EOF') {
      hasEnded = true;
      continue;
    }
    if (isComment(line, types)) continue;
    const sample = new LineReader(line, isOpenMetrics).read();
    if (typeof sample === 'string') return bad(number, sample, redacted(line));
    if (!isCreated(sample.metric, types)) samples.push(sample);
  }
  if (isOpenMetrics && !hasEnded) return bad(number, 'no "# EOF" at the end: the text is cut', '');
  return { kind: 'samples', samples };
}

/** What the text says of which kind each metric is; bounded like the rest of it. */
export function typesIn(text: string): ReadonlyMap<string, string> {
  const types = new Map<string, string>();
  const lines = text.slice(0, TEXT_LENGTH_MAX).split('\n', LINES_MAX);
  for (const line of lines) isComment(line, types);
  return types;
}

/** Blank lines and comments, of which only the types are of use. */
function isComment(line: string, types: Map<string, string>): boolean {
  const trimmed = line.trimStart();
  if (trimmed === '') return true;
  if (!trimmed.startsWith('#')) return false;
  // Nobody names a type at such length; the pattern must not read a line of megabytes.
  const type = trimmed.length <= 2 * LABEL_LENGTH_MAX ? TYPE_LINE.exec(trimmed) : null;
  if (type?.[1] !== undefined && type[2] !== undefined) types.set(type[1], type[2]);
  return true;
}

function isCreated(metric: string, types: ReadonlyMap<string, string>): boolean {
  if (!metric.endsWith('_created')) return false;
  const base = metric.slice(0, -'_created'.length);
  return CREATED_TYPES.has(types.get(base) ?? types.get(`${base}_total`) ?? '');
}

function bad(line: number, what: string, excerpt: string): ParsedMetrics {
  const cut = excerpt.length > EXCERPT_LENGTH ? `${excerpt.slice(0, EXCERPT_LENGTH)}...` : excerpt;
  const shown = cut === '' ? '' : `: ${JSON.stringify(cut)}`;
  return { kind: 'bad', line, detail: `line ${line}: ${what}${shown}` };
}

/** Reads one sample line from left to right; a string says what is wrong with it. */
class LineReader {
  readonly #line: string;
  readonly #isOpenMetrics: boolean;
  #at = 0;

  constructor(line: string, isOpenMetrics: boolean) {
    this.#line = line;
    this.#isOpenMetrics = isOpenMetrics;
  }

  read(): MetricSample | string {
    this.#take(SPACES);
    let metric = this.#take(NAME);
    this.#take(SPACES);
    const labels = new Map<string, string>();
    if (this.#skip('{')) {
      const quoted = this.#labels(labels, metric === '');
      if (quoted.kind === 'bad') return quoted.what;
      if (metric === '') metric = quoted.metric;
    }
    if (metric === '') return 'no metric name';
    if (metric.length > LABEL_LENGTH_MAX) return 'metric name too long';
    const rest = this.#valueAndTime();
    if (typeof rest === 'string') return rest;
    return { metric, labels: Object.fromEntries(labels), ...rest };
  }

  #valueAndTime(): Pick<MetricSample, 'value' | 'timestampMs'> | string {
    this.#take(SPACES);
    const value = parseValue(this.#take(TOKEN));
    if (value === null) return 'no number where the value is wanted';
    this.#take(SPACES);
    let timestampMs: number | null = null;
    if (this.#at < this.#line.length && this.#line[this.#at] !== '#') {
      const time = parseValue(this.#take(TOKEN));
      if (time === null || !Number.isFinite(time)) return 'no number where the time is wanted';
      timestampMs = this.#isOpenMetrics ? Math.round(time * 1_000) : time;
      this.#take(SPACES);
    }
    if (this.#at === this.#line.length) return { value, timestampMs };
    const isExemplar =
      this.#isOpenMetrics && /^#[ \t]+\{/.test(this.#line.slice(this.#at, this.#at + 9));
    return isExemplar ? { value, timestampMs } : 'text after the sample';
  }

  /** Up to the closing brace. A quoted word without `=` is the metric's name (UTF-8 names). */
  #labels(
    labels: Map<string, string>,
    mayName: boolean,
  ): { kind: 'read'; metric: string } | { kind: 'bad'; what: string } {
    let metric = '';
    for (;;) {
      this.#take(SPACES);
      if (this.#skip('}')) return { kind: 'read', metric };
      const name = this.#line[this.#at] === '"' ? this.#quoted() : this.#take(NAME);
      if (name === null || name === '') return { kind: 'bad', what: 'label name wanted' };
      this.#take(SPACES);
      if (this.#skip('=')) {
        this.#take(SPACES);
        const value = this.#quoted();
        if (value === null) return { kind: 'bad', what: 'quoted label value wanted' };
        if (labels.has(name)) return { kind: 'bad', what: 'the same label twice' };
        if (Math.max(name.length, value.length) > LABEL_LENGTH_MAX) {
          return { kind: 'bad', what: `label longer than ${LABEL_LENGTH_MAX} characters` };
        }
        labels.set(name, value);
        if (labels.size > LABELS_MAX) {
          return { kind: 'bad', what: `more than ${LABELS_MAX} labels` };
        }
      } else if (mayName && metric === '' && labels.size === 0) {
        metric = name;
      } else {
        return { kind: 'bad', what: '"=" wanted after a label name' };
      }
      this.#take(SPACES);
      if (!this.#skip(',') && this.#line[this.#at] !== '}') {
        return { kind: 'bad', what: '"," or "}" wanted after a label' };
      }
    }
  }

  #quoted(): string | null {
    if (!this.#skip('"')) return null;
    const start = this.#at;
    let hasEscapes = false;
    for (; this.#at < this.#line.length; this.#at += 1) {
      const character = this.#line[this.#at];
      if (character === '"') {
        const raw = this.#line.slice(start, this.#at);
        this.#at += 1;
        return hasEscapes ? raw.replace(/\\([\\"n])/g, (_, c) => (c === 'n' ? '\n' : c)) : raw;
      }
      if (character === '\\') {
        hasEscapes = true;
        this.#at += 1;
      }
    }
    return null;
  }

  #skip(character: string): boolean {
    if (this.#line[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  /** What the sticky pattern matches here, possibly nothing. */
  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#line)?.[0] ?? '';
    this.#at += text.length;
    return text;
  }
}

/** A float as Go writes it. */
function parseValue(text: string): number | null {
  if (text.length > 0 && text.length <= 64 && FLOAT.test(text)) return Number(text);
  switch (text.toLowerCase()) {
    case 'nan':
      return Number.NaN;
    case 'inf':
    case '+inf':
    case 'infinity':
    case '+infinity':
      return Number.POSITIVE_INFINITY;
    case '-inf':
    case '-infinity':
      return Number.NEGATIVE_INFINITY;
    default:
      return null;
  }
}
