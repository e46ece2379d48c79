// A dashboard of Grafana: that it is there, with so many panels, and that each panel that asks
// something gets data, asked by the same API as Grafana's own pages use.
import { ms } from '../../config/fields.ts';
import type { GrafanaInput } from '../../config/gate-checks/grafana.ts';
import type { HttpAnswer } from '../../kit/http.ts';
import { cutEnd, printable } from '../../kit/redact.ts';
import type { CheckResult, CheckTools } from '../check.ts';
import { type Found, summedUp } from '../found.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import { ask, isRecord, parseJson, placeOf, type Revealed, withToken } from '../request.ts';
import { exhibit, fail, type ResultParts, unknown } from '../result.ts';
import {
  asks,
  type Datasource,
  dataIn,
  datasourceOf,
  filledAll,
  type Panel,
  panelOf,
  panelsOf,
  type Variables,
  variablesOf,
} from './grafana-dashboard.ts';

const ANSWER_BYTES_MAX = 20_000_000;
const PANELS_AT_ONCE = 4;
const POINTS_MAX = 100;
const SAID_MAX = 200;
const BEYOND_ASKS_MS = 1_000;

type Headers = Extract<Revealed, { kind: 'headers' }>;
type Answer =
  | { readonly kind: 'json'; readonly status: number; readonly body: unknown }
  | { readonly kind: 'failed'; readonly text: string };
type Get = (path: string, body?: object) => Promise<Answer>;

export function grafanaCheck(input: GrafanaInput, make: MakeTools): MadeCheck {
  return {
    kind: 'grafana',
    wants: wantsText(input),
    timeoutMs: ms(input.timeout) + BEYOND_ASKS_MS,
    run: async (tools) => {
      const headers = withToken(input.token, make.secrets, { accept: 'application/json' });
      if (headers.kind === 'missing') return unknown(headers.text);
      return look(input, asking(input, headers, tools), headers.clean, tools);
    },
  };
}

function asking(
  input: GrafanaInput,
  { headers, clean }: Headers,
  { signal, clock }: CheckTools,
): Get {
  const base = input.url.replace(/\/+$/, '');
  const untilMs = clock.monotonic() + ms(input.timeout);
  return async (path, body) => {
    const asked = await ask({
      method: body === undefined ? 'GET' : 'POST',
      url: base + path,
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      timeoutMs: Math.max(1, Math.ceil(untilMs - clock.monotonic())),
      responseBytesMax: ANSWER_BYTES_MAX,
      signal,
    });
    if (asked.kind === 'no_answer') return { kind: 'failed', text: asked.text };
    const { answer } = asked;
    const parsed = parseJson(answer.body);
    const text = refusal(answer, parsed, input.token !== undefined);
    if (text !== null) return { kind: 'failed', text: `${placeOf(base)}: ${clean(text)}` };
    return { kind: 'json', status: answer.status, body: parsed };
  };
}

/** null when the answer can be looked at. A query's own mistake comes as 400, in its results. */
function refusal({ status }: HttpAnswer, body: unknown, hasToken: boolean): string | null {
  const message = isRecord(body) && typeof body['message'] === 'string' ? body['message'] : '';
  const words = message === '' ? '' : ` (${cutEnd(printable(message), SAID_MAX)})`;
  if (status === 401) {
    return hasToken ? `HTTP 401: the token was refused${words}` : 'HTTP 401: give a token';
  }
  if (status === 403) return `HTTP 403: the token may not see this${words}`;
  if (status >= 300 && status < 400) return `HTTP ${status}: redirects are not followed`;
  if (!isRecord(body) && !Array.isArray(body)) {
    return `HTTP ${status} with a body that is no JSON: is the url right (path?)`;
  }
  const isLooked = status < 300 || status === 404 || (status === 400 && isRecord(body));
  return isLooked ? null : `HTTP ${status}${words}`;
}

async function look(
  input: GrafanaInput,
  get: Get,
  clean: (text: string) => string,
  { clock }: CheckTools,
): Promise<CheckResult> {
  const answer = await get(`/api/dashboards/uid/${input.dashboard}`);
  if (answer.kind === 'failed') return unknown(answer.text);
  const { body } = answer;
  if (answer.status === 404) {
    // Another page under a wrong path also says 404, in other words.
    const isSaid = isRecord(body) && /dashboard/i.test(String(body['message']));
    const text = `${placeOf(input.url)}: there is no dashboard ${input.dashboard}`;
    return isSaid ? fail(text) : unknown(`${text}, or the url is not right`);
  }
  const dashboard = isRecord(body) ? body['dashboard'] : null;
  if (!isRecord(dashboard)) return unknown('the answer has no shape of the dashboard API');
  const panels = panelsOf(dashboard);
  const parts: ResultParts = {
    exhibits: [exhibit('dashboard.json', clean(JSON.stringify(dashboard, null, 2)))],
    tools: await versionOf(get),
  };
  if (panels === null) {
    return unknown('the dashboard has no list of panels: its schema is not known', parts);
  }
  const variables = variablesOf(dashboard, input.variables ?? {});
  const found: Found[] = [countFound(input, panels, variables)];
  if (input.with_data) {
    const nowMs = clock.now();
    const sources = sourcesBy(get);
    for (let from = 0; from < panels.length; from += PANELS_AT_ONCE) {
      const some = panels.slice(from, from + PANELS_AT_ONCE);
      const asked = some.map((panel) =>
        panelFound(panel, { input, get, variables, sources, nowMs }),
      );
      found.push(...(await Promise.all(asked)));
    }
  }
  return summedUp(
    found.map(({ kind, text }) => ({ kind, text: clean(text) })),
    parts,
  );
}

function countFound(
  { panels: wanted, with_data: withData }: GrafanaInput,
  panels: readonly Panel[],
  variables: Variables,
): Found {
  const isCounted = wanted !== undefined || withData;
  const { length } = isCounted ? panels.filter((panel) => asks(panel, variables)) : panels;
  const text = `${length} ${length === 1 ? 'panel' : 'panels'}`;
  if (wanted === undefined) return { kind: length > 0 ? 'good' : 'bad', text };
  return { kind: length >= wanted ? 'good' : 'bad', text: `${text}, at least ${wanted} wanted` };
}

async function versionOf(get: Get): Promise<Record<string, string>> {
  const answer = await get('/api/health');
  const version = answer.kind === 'json' && isRecord(answer.body) ? answer.body['version'] : null;
  return typeof version === 'string' ? { grafana: printable(version) } : {};
}

type Sources = () => Promise<readonly Readonly<Record<string, unknown>>[] | string>;

/** All data sources, asked for once, and only when a panel does not say its own by uid. */
function sourcesBy(get: Get): Sources {
  let asked: ReturnType<Sources> | null = null;
  const askAll = async () => {
    const answer = await get('/api/datasources');
    if (answer.kind === 'failed') return answer.text;
    return Array.isArray(answer.body) ? answer.body.filter(isRecord) : 'no list of data sources';
  };
  return () => {
    asked ??= askAll();
    return asked;
  };
}

type Looking = {
  readonly input: GrafanaInput;
  readonly get: Get;
  readonly variables: Variables;
  readonly sources: Sources;
  readonly nowMs: number;
};

async function panelFound(listed: Panel, looking: Looking): Promise<Found> {
  const { input, get, variables, nowMs } = looking;
  const named = (kind: Found['kind'], text: string): Found => {
    return { kind, text: `panel ${JSON.stringify(listed.title)} ${text}` };
  };
  if (input.except?.includes(listed.title)) return named('good', 'may be without data');
  const panel = await withLibrary(listed, get);
  if (typeof panel === 'string') return named('unknown', `is not known: ${panel}`);
  const queries: object[] = [];
  const refIds: string[] = [];
  for (const [index, target] of panel.targets.entries()) {
    const written = datasourceOf(target['datasource'] ?? panel.datasource, variables);
    if (written.kind === 'none') continue;
    const uid = await uidOf(written, looking.sources);
    if (uid.kind === 'unknown') return named('unknown', uid.text);
    const refId = typeof target['refId'] === 'string' ? target['refId'] : `Q${index}`;
    queries.push(queryOf(target, refId, uid.uid, looking));
    if (target['hide'] !== true) refIds.push(refId);
  }
  if (refIds.length === 0) return named('good', 'asks nothing');
  const range = { from: String(nowMs - ms(input.range)), to: String(nowMs) };
  const answer = await get('/api/ds/query', { queries, ...range });
  if (answer.kind === 'failed') return named('unknown', `gives no answer: ${answer.text}`);
  const data = dataIn(answer.body, refIds);
  if (data === null) return named('unknown', `gives HTTP ${answer.status} without results`);
  if (data.kind === 'error') {
    return named('bad', `fails: ${cutEnd(printable(data.text), SAID_MAX)}`);
  }
  return data.kind === 'data'
    ? named('good', 'has data')
    : named('bad', `has no data in the last ${input.range}`);
}

async function withLibrary(panel: Panel, get: Get): Promise<Panel | string> {
  if (panel.library === null) return panel;
  const answer = await get(`/api/library-elements/${encodeURIComponent(panel.library)}`);
  if (answer.kind === 'failed') return answer.text;
  const result = isRecord(answer.body) ? answer.body['result'] : null;
  const model = isRecord(result) ? result['model'] : null;
  return isRecord(model) ? panelOf(model) : 'its library element cannot be read';
}

function queryOf(
  target: Readonly<Record<string, unknown>>,
  refId: string,
  uid: string,
  { variables, input }: Looking,
): object {
  const filled = filledAll(target, variables);
  const { range, instant, datasource } = target;
  const type = isRecord(datasource) ? { type: datasource['type'] } : {};
  return {
    ...(isRecord(filled) ? filled : {}),
    // Older targets of Prometheus say neither: they are ranges.
    ...(range === undefined && instant === undefined ? { range: true } : {}),
    refId,
    datasource: { ...type, uid },
    intervalMs: Math.ceil(ms(input.range) / POINTS_MAX),
    maxDataPoints: POINTS_MAX,
  };
}

async function uidOf(
  source: Exclude<Datasource, { kind: 'none' }>,
  sources: Sources,
): Promise<{ readonly kind: 'uid'; readonly uid: string } | { kind: 'unknown'; text: string }> {
  if (source.kind === 'uid') return { kind: 'uid', uid: source.uid };
  const all = await sources();
  const what = source.kind === 'name' ? `data source ${source.name}` : 'default data source';
  if (typeof all === 'string') return { kind: 'unknown', text: `needs the ${what}: ${all}` };
  const meant = all.find((one) =>
    source.kind === 'default' ? one['isDefault'] === true : one['name'] === source.name,
  );
  const uid = meant?.['uid'];
  if (typeof uid === 'string') return { kind: 'uid', uid };
  return { kind: 'unknown', text: `needs the ${what}, which is not there` };
}

function wantsText({ url, dashboard, panels, with_data: withData }: GrafanaInput): string {
  const parts = [
    ...(panels === undefined ? ['there'] : [`at least ${panels} panels`]),
    ...(withData ? ['every panel with data'] : []),
  ];
  return `dashboard ${dashboard} of ${placeOf(url)}: ${parts.join(', ')}`;
}
