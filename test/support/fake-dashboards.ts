// Grafana's dashboards, as far as reading one and asking its data sources goes, in its own words.
// Needs no test runner.
import {
  type FakeService,
  isObject,
  type Json,
  type ServiceAnswer,
  type ServiceRequest,
  startFakeService,
} from './fake-service.ts';

export type FakeDashboards = FakeService & {
  readonly token: string;
  readonly uid: string;
  /** `panels`, `templating` and whatever else the dashboard has. */
  setDashboard(dashboard: Json): void;
  /** Until one is set again. */
  removeDashboard(): void;
  setLibrary(uid: string, model: Json): void;
  /** What each expression gives; others give nothing. */
  readonly values: Map<string, readonly (number | null)[]>;
};

const SOURCES: readonly Json[] = [
  { id: 1, uid: 'prom', name: 'Prometheus', type: 'prometheus', isDefault: true },
  { id: 2, uid: 'logs', name: 'Loki', type: 'loki', isDefault: false },
];

export async function startFakeDashboards(uid = 'risk-idempotency-pitr'): Promise<FakeDashboards> {
  const token = ['glsa', 'dashboardsdashboards', '1a2b3c4d'].join('_');
  const values = new Map<string, readonly (number | null)[]>();
  const library = new Map<string, Json>();
  let dashboard: Json | null = { uid, panels: [] };

  function answer({ method, path, headers, body }: ServiceRequest): ServiceAnswer {
    if (path === '/api/health') return { status: 200, body: { database: 'ok', version: '11.3.0' } };
    if (headers.authorization === undefined) return no(401, 'Unauthorized');
    if (headers.authorization !== `Bearer ${token}`) return no(401, 'Invalid API key');
    if (path === '/api/datasources') return { status: 200, body: SOURCES };
    if (dashboard !== null && path === `/api/dashboards/uid/${uid}`) {
      return { status: 200, body: { meta: { slug: 'risk' }, dashboard } };
    }
    if (path.startsWith('/api/dashboards/uid/')) return no(404, 'Dashboard not found');
    const element = library.get(path.replace('/api/library-elements/', ''));
    if (element !== undefined) return { status: 200, body: { result: { model: element } } };
    if (method === 'POST' && path === '/api/ds/query') return queried(body);
    return no(404, 'Not found');
  }

  function queried(body: unknown): ServiceAnswer {
    const queries = isObject(body) && Array.isArray(body['queries']) ? body['queries'] : [];
    if (!isObject(body) || queries.length === 0) return no(400, 'No queries found in query');
    if (![body['from'], body['to']].every((time) => /^\d{13}$/.test(String(time)))) {
      return no(400, 'invalid time range');
    }
    const results: Record<string, Json> = {};
    let status = 200;
    for (const query of queries.filter(isObject)) {
      const { refId, expr, datasource } = query;
      const known = SOURCES.some((one) => isObject(datasource) && one['uid'] === datasource['uid']);
      if (!known) return no(404, 'Data source not found');
      const broken = typeof expr !== 'string' || expr.includes('(('); // a parse error
      if (broken) status = 400;
      results[String(refId)] = broken
        ? { error: 'bad_data: 1:9: parse error: unclosed left parenthesis', status: 400 }
        : { status: 200, frames: [frame(String(refId), values.get(expr) ?? [])] };
    }
    return { status, body: { results } };
  }

  const service = await startFakeService(answer);
  return {
    ...service,
    token,
    uid,
    values,
    setDashboard(more) {
      dashboard = { uid, title: 'Risk', schemaVersion: 39, ...more };
    },
    removeDashboard() {
      dashboard = null;
    },
    setLibrary: (name, model) => void library.set(name, model),
  };
}

/** As the data plane tells it: a column of times, a column of figures. */
function frame(refId: string, figures: readonly (number | null)[]): Json {
  const fields = [
    { name: 'Time', type: 'time' },
    { name: 'Value', type: 'number', labels: {} },
  ];
  const times = figures.map((_, index) => 1_700_000_000_000 + index * 1_000);
  return {
    schema: { refId, fields: figures.length === 0 ? [] : fields },
    data: { values: figures.length === 0 ? [] : [times, figures] },
  };
}

function no(status: number, message: string): ServiceAnswer {
  return { status, body: { message, traceID: '' } };
}
