// What a Prometheus-compatible API knows besides samples: names, label values, kinds of metrics.
// For people who look for a mistake; no judgement uses it. Never throws: what is not answered, or
// not offered by a server, is null. A question is asked once, and what hangs is not asked again.
import { send } from '../kit/http.ts';
import {
  agentsOf,
  credentialsOf,
  headersOf,
  type PrometheusOptions,
  parseJson,
} from './prometheus-api.ts';
import { isRecord } from './prometheus-result.ts';

export interface Lookup {
  /** Whether a metric had any series since `fromMs`; null: not known. */
  hasMetric(metric: string, match: string, span: Span): Promise<boolean | null>;
  /** Whether there was any metric at all. */
  hasAny(span: Span): Promise<boolean | null>;
  /** Values of a label since `fromMs`, of all series that a selector matches. */
  labelValues(label: string, match: string | null, span: Span): Promise<readonly string[] | null>;
  /** Names of the labels of the series that a selector matches. */
  labelNames(match: string, span: Span): Promise<readonly string[] | null>;
  /** `counter`, `gauge`, `histogram`, …; null: not known. */
  typeOf(metric: string, signal: AbortSignal): Promise<string | null>;
}

export type Span = { readonly fromMs: number; readonly toMs: number; readonly signal: AbortSignal };

const ANSWER_BYTES_MAX = 32_000_000;
/** More names than this are not compared. */
const NAMES_MAX = 50_000;

/** `isWhole`: what is not in it is not there. */
type Told = { readonly data: unknown; readonly isWhole: boolean };

export function createLookup(options: PrometheusOptions): Lookup {
  const api = `${options.url.replace(/\/+$/, '')}/api/v1`;
  const agents = agentsOf(options);
  const asked = new Map<string, Promise<Told | null>>();
  const hanging = new Set<string>();

  async function get(url: string, signal: AbortSignal): Promise<Told | null> {
    const credentials = credentialsOf(options);
    if (credentials === null) return null;
    const answer = await send({
      ...{ method: 'GET', url, headers: headersOf(options, credentials), signal },
      timeoutMs: options.timeoutMs,
      responseBytesMax: ANSWER_BYTES_MAX,
      ...agents,
    });
    if (answer.kind === 'failed') {
      if (answer.reason === 'timeout') hanging.add(endpointOf(url));
      return null;
    }
    const body = answer.status === 200 ? parseJson(answer.body) : undefined;
    if (!isRecord(body) || body['status'] !== 'success') return null;
    const { warnings } = body;
    return { data: body['data'], isWhole: !Array.isArray(warnings) || warnings.length === 0 };
  }

  function told(path: string, query: Record<string, string>, signal: AbortSignal) {
    const url = `${api}/${path}?${new URLSearchParams(query)}`;
    const known = asked.get(url);
    if (known !== undefined) return known;
    if (hanging.has(endpointOf(url))) return Promise.resolve(null);
    const answer = get(url, signal);
    asked.set(url, answer);
    return answer;
  }

  return {
    async hasMetric(metric, match, span) {
      const answer = await told('label/__name__/values', spanOf(match, span), span.signal);
      if (answer === null || !Array.isArray(answer.data)) return null;
      return answer.data.includes(metric) ? true : answer.isWhole ? false : null;
    },
    async hasAny(span) {
      const query = { ...spanOf(null, span), limit: '1' };
      const answer = await told('label/__name__/values', query, span.signal);
      if (answer === null || !Array.isArray(answer.data)) return null;
      return answer.data.length > 0 ? true : answer.isWhole ? false : null;
    },
    labelValues: async (label, match, span) =>
      textsOf(await told(`label/${label}/values`, spanOf(match, span), span.signal)),
    labelNames: async (match, span) =>
      textsOf(await told('labels', spanOf(match, span), span.signal)),
    async typeOf(metric, signal) {
      const data = (await told('metadata', { metric, limit: '1' }, signal))?.data;
      const entries = isRecord(data) ? data[metric] : undefined;
      const first: unknown = Array.isArray(entries) ? entries[0] : undefined;
      const type = isRecord(first) ? first['type'] : undefined;
      return typeof type === 'string' && type !== 'unknown' ? type : null;
    },
  };
}

/** `label/x/values` and `labels` are one: what keeps the one from answering does the other, too. */
function endpointOf(url: string): string {
  return /\/api\/v1\/metadata\?/.test(url) ? 'metadata' : 'labels';
}

function spanOf(match: string | null, { fromMs, toMs }: Span): Record<string, string> {
  const seconds = (ms: number) => (ms / 1_000).toFixed(3);
  const span = { start: seconds(fromMs), end: seconds(toMs) };
  return match === null ? span : { ...span, 'match[]': match };
}

/** null also when there is more than can be compared: a list that was cut proves nothing. */
function textsOf(told: Told | null): readonly string[] | null {
  if (told === null || !told.isWhole || !Array.isArray(told.data)) return null;
  return told.data.length > NAMES_MAX
    ? null
    : told.data.filter((one): one is string => typeof one === 'string');
}
