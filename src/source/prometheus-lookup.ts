// What a Prometheus-compatible API knows besides samples: names, label values, kinds of metrics.
// For people who look for a mistake; no judgement uses it. Never throws: what is not answered, or
// not offered by a server, is null.
import { send } from '../kit/http.ts';
import {
  credentialsOf,
  headersOf,
  type PrometheusOptions,
  parseJson,
  tlsAgent,
} from './prometheus-api.ts';
import { isRecord } from './prometheus-result.ts';

export interface Lookup {
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

export function createLookup(options: PrometheusOptions): Lookup {
  const api = `${options.url.replace(/\/+$/, '')}/api/v1`;
  const httpsAgent = options.tls ? tlsAgent(options.tls) : undefined;

  async function get(path: string, query: Record<string, string>, signal: AbortSignal) {
    const credentials = credentialsOf(options);
    if (credentials === null) return null;
    const answer = await send({
      method: 'GET',
      url: `${api}/${path}?${new URLSearchParams(query)}`,
      headers: headersOf(options, credentials),
      timeoutMs: options.timeoutMs,
      responseBytesMax: ANSWER_BYTES_MAX,
      ...(httpsAgent === undefined ? {} : { httpsAgent }),
      signal,
    });
    if (answer.kind === 'failed' || answer.status !== 200) return null;
    const body = parseJson(answer.body);
    return isRecord(body) && body['status'] === 'success' ? body['data'] : null;
  }

  function spanOf(match: string | null, { fromMs, toMs }: Span): Record<string, string> {
    const seconds = (ms: number) => (ms / 1_000).toFixed(3);
    const span = { start: seconds(fromMs), end: seconds(toMs) };
    return match === null ? span : { ...span, 'match[]': match };
  }

  return {
    labelValues: async (label, match, span) =>
      textsOf(await get(`label/${label}/values`, spanOf(match, span), span.signal)),
    labelNames: async (match, span) =>
      textsOf(await get('labels', spanOf(match, span), span.signal)),
    async typeOf(metric, signal) {
      const data = await get('metadata', { metric, limit: '1' }, signal);
      const entries = isRecord(data) ? data[metric] : undefined;
      const first: unknown = Array.isArray(entries) ? entries[0] : undefined;
      const type = isRecord(first) ? first['type'] : undefined;
      return typeof type === 'string' && type !== 'unknown' ? type : null;
    },
  };
}

function textsOf(data: unknown): readonly string[] | null {
  if (!Array.isArray(data)) return null;
  return data.slice(0, NAMES_MAX).filter((one) => typeof one === 'string');
}
