// The alerting rules that a Prometheus-compatible API has, and what they do now. Never throws.
import { send } from '../kit/http.ts';
import { redact } from '../kit/redact.ts';
import {
  credentialsOf,
  cut,
  headersOf,
  type PrometheusOptions,
  parseJson,
  tlsAgent,
} from './prometheus-api.ts';
import { isRecord } from './prometheus-result.ts';

export type AlertRule = {
  readonly group: string;
  readonly name: string;
  readonly state: 'inactive' | 'pending' | 'firing' | 'unknown';
  /** It could not be evaluated, and why. */
  readonly error: string | null;
  readonly alerts: number;
};

export type RulesAnswer =
  | { readonly kind: 'rules'; readonly rules: readonly AlertRule[]; readonly body: string }
  | { readonly kind: 'failed'; readonly detail: string };

const ANSWER_BYTES_MAX = 16_000_000;
const RULES_MAX = 50_000;
const STATES = ['inactive', 'pending', 'firing'] as const;

export async function askRules(
  options: PrometheusOptions,
  signal: AbortSignal,
): Promise<RulesAnswer> {
  const credentials = credentialsOf(options);
  if (credentials === null) {
    return { kind: 'failed', detail: 'the bearer token or password cannot be read' };
  }
  const answer = await send({
    method: 'GET',
    url: `${options.url.replace(/\/+$/, '')}/api/v1/rules?type=alert`,
    headers: headersOf(options, credentials),
    timeoutMs: options.timeoutMs,
    responseBytesMax: ANSWER_BYTES_MAX,
    ...(options.tls ? { httpsAgent: tlsAgent(options.tls) } : {}),
    signal,
  });
  if (answer.kind === 'failed') return { kind: 'failed', detail: answer.detail };
  const { status } = answer;
  if (status === 401 || status === 403) {
    return { kind: 'failed', detail: `HTTP ${status}: the credentials were refused` };
  }
  const body = parseJson(answer.body);
  if (status !== 200) {
    const said = isRecord(body) && typeof body['error'] === 'string' ? `: ${body['error']}` : '';
    const secrets = credentials.secret === null ? [] : [credentials.secret];
    return { kind: 'failed', detail: cut(redact(`HTTP ${status}${said}`, secrets)) };
  }
  const rules = isRecord(body) && body['status'] === 'success' ? rulesOf(body['data']) : null;
  if (rules !== null) return { kind: 'rules', rules, body: answer.body };
  const detail = 'the answer has no shape of the rules API: is the url right (path prefix?)';
  return { kind: 'failed', detail };
}

/** null when the data has not the shape of the API. */
function rulesOf(data: unknown): readonly AlertRule[] | null {
  const groups = isRecord(data) ? data['groups'] : null;
  if (!Array.isArray(groups)) return null;
  const all: AlertRule[] = [];
  for (const group of groups) {
    const rules: unknown = isRecord(group) ? group['rules'] : null;
    if (!isRecord(group) || !Array.isArray(rules)) return null;
    for (const rule of rules) {
      if (!isRecord(rule)) return null;
      // A server that does not know the filter also tells recording rules.
      if (rule['type'] === 'alerting') all.push(ruleOf(String(group['name']), rule));
      if (all.length > RULES_MAX) return null;
    }
  }
  return all;
}

function ruleOf(group: string, rule: Readonly<Record<string, unknown>>): AlertRule {
  const { name, state, health, lastError, alerts } = rule;
  const why = typeof lastError === 'string' && lastError !== '' ? lastError : 'no reason given';
  return {
    group,
    name: String(name),
    state: STATES.find((one) => one === state) ?? 'unknown',
    error: health === 'err' ? cut(why) : null,
    alerts: Array.isArray(alerts) ? alerts.length : 0,
  };
}
