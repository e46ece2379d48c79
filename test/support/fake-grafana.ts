// Grafana's annotations, as far as POST and PATCH go: a service account that may write them, and one
// dashboard. Needs no test runner.
import {
  type FakeService,
  isObject,
  type Json,
  type ServiceAnswer,
  type ServiceRequest,
  startFakeService,
} from './fake-service.ts';

export type Annotation = {
  readonly id: number;
  readonly time: number;
  readonly timeEnd: number;
  readonly tags: readonly string[];
  readonly text: string;
  readonly dashboardUID: string | null;
};

export type FakeGrafana = FakeService & {
  readonly token: string;
  readonly dashboard: string;
  readonly annotations: () => readonly Annotation[];
  /** The request after the next one fails. */
  failSecond(): void;
  /** Somebody removes every annotation. */
  deleteAll(): void;
};

export async function startFakeGrafana(): Promise<FakeGrafana> {
  const token = ['glsa', 'secretsecretsecretsecret', '0a1b2c3d'].join('_');
  const dashboard = 'canaryd-on-call';
  const all = new Map<number, Annotation>();
  let count = 40;
  let untilFailure = 0;

  function answer({ method, path, headers, body }: ServiceRequest): ServiceAnswer {
    untilFailure -= 1;
    if (untilFailure === 0) return no(500, 'database is locked');
    if (headers.authorization === undefined) return no(401, 'Unauthorized');
    if (headers.authorization !== `Bearer ${token}`) return no(401, 'Invalid API key');
    if (!/^application\/json/.test(headers['content-type'] ?? '') || !isObject(body)) {
      return no(400, 'bad request data');
    }
    if (method === 'POST' && path === '/api/annotations') return post(body);
    const id = Number(/^\/api\/annotations\/(\d+)$/.exec(path)?.[1]);
    return method === 'PATCH' && id > 0 ? patch(id, body) : no(404, 'Not found');
  }

  function post(body: Json): ServiceAnswer {
    const { time, timeEnd, tags, text, dashboardUID: uid } = body;
    if (typeof text !== 'string' || text === '') return no(400, 'text field should not be empty');
    if (uid !== undefined && uid !== dashboard) return no(404, 'Dashboard not found');
    if (typeof time !== 'number' || !isTags(tags)) return no(400, 'bad request data');
    count += 1;
    const end = typeof timeEnd === 'number' ? timeEnd : time;
    const dashboardUID = uid === undefined ? null : dashboard;
    all.set(count, { id: count, time, timeEnd: end, tags, text, dashboardUID });
    return { status: 200, body: { message: 'Annotation added', id: count } };
  }

  function patch(id: number, body: Json): ServiceAnswer {
    const known = all.get(id);
    if (known === undefined) return no(404, 'Annotation not found');
    const { timeEnd = known.timeEnd, tags = known.tags, text = known.text } = body;
    if (typeof timeEnd !== 'number' || timeEnd < known.time || !isTags(tags)) {
      return no(400, 'bad request data');
    }
    all.set(id, { ...known, timeEnd, tags, text: String(text) });
    return { status: 200, body: { message: 'Annotation patched' } };
  }

  const service = await startFakeService(answer);
  return {
    ...service,
    token,
    dashboard,
    annotations: () => [...all.values()],
    failSecond() {
      untilFailure = 2;
    },
    deleteAll: () => all.clear(),
    reset() {
      service.reset();
      untilFailure = 0;
      all.clear();
    },
  };
}

function isTags(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((tag) => typeof tag === 'string' && tag.length <= 100);
}

function no(status: number, message: string): ServiceAnswer {
  return { status, body: { message } };
}
