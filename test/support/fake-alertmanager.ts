// Alertmanager's API v2, as far as POST /api/v2/alerts goes: alerts are known by their labels.
// Needs no test runner.
import {
  type FakeService,
  isObject,
  type Json,
  type ServiceAnswer,
  type ServiceRequest,
  startFakeService,
} from './fake-service.ts';

export type FiredAlert = {
  readonly labels: Json;
  readonly annotations: Json;
  readonly startsAt: string;
  readonly endsAt: string;
};

export type FakeAlertmanager = FakeService & {
  /** Every alert that was ever known, by its labels. */
  readonly alerts: () => readonly FiredAlert[];
  readonly active: (nowMs: number) => readonly FiredAlert[];
};

/** `{a="1", b="2"}` */
const identityOf = (labels: Json) =>
  JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** @param authorization the header that a request must have */
export async function startFakeAlertmanager(authorization?: string): Promise<FakeAlertmanager> {
  const alerts = new Map<string, FiredAlert>();

  function answer({ method, path, headers, body }: ServiceRequest): ServiceAnswer {
    if (path !== '/api/v2/alerts') return { status: 404, body: 'path not found' };
    if (method !== 'POST') return { status: 405, body: 'method not allowed' };
    if (authorization !== undefined && headers.authorization !== authorization) {
      return { status: 401, body: `Unauthorized: ${headers.authorization}` };
    }
    if (!/^application\/json/.test(headers['content-type'] ?? '')) {
      return { status: 415, body: { code: 415, message: 'unsupported media type' } };
    }
    const list: readonly unknown[] = Array.isArray(body) ? body : [null];
    const wrong = list.map(wrongAlert).find((one) => one !== null);
    if (wrong !== undefined) return { status: 400, body: JSON.stringify(wrong) };
    for (const alert of list) if (isObject(alert)) apply(alert);
    return { status: 200, body: '' };
  }

  function apply(posted: Json): void {
    const labels = posted['labels'] as Json;
    const endsAt = `${posted['endsAt']}`;
    const startsAt = `${posted['startsAt'] ?? endsAt}`;
    const known = alerts.get(identityOf(labels));
    const first = known !== undefined && known.startsAt < startsAt ? known.startsAt : startsAt;
    const annotations = posted['annotations'] as Json;
    alerts.set(identityOf(labels), { labels, annotations, startsAt: first, endsAt });
  }

  const service = await startFakeService(answer);
  return {
    ...service,
    alerts: () => [...alerts.values()],
    active: (nowMs) => [...alerts.values()].filter(({ endsAt }) => Date.parse(endsAt) > nowMs),
    reset() {
      service.reset();
      alerts.clear();
    },
  };
}

/** The reason to refuse it; null when it is good. */
function wrongAlert(alert: unknown): string | null {
  if (!isObject(alert)) return 'invalid alert';
  const { labels, annotations = {}, startsAt, endsAt, generatorURL } = alert;
  if (!isObject(labels) || !hasValues(labels)) return 'at least one label pair required';
  if (!areTexts(labels) || !isObject(annotations) || !areTexts(annotations)) {
    return 'invalid label or annotation set';
  }
  const times = [startsAt, endsAt].filter((time) => time !== undefined).map((time) => `${time}`);
  if (times.some((time) => Number.isNaN(Date.parse(time)))) return 'invalid time';
  const [from = '', to = from] = times;
  if (Date.parse(from) > Date.parse(to)) return 'start time must be before end time';
  if (generatorURL !== undefined && !URL.canParse(`${generatorURL}`)) return 'invalid URL';
  return null;
}

function hasValues(labels: Json): boolean {
  return Object.values(labels).some((value) => value !== '');
}

function areTexts(entries: Json): boolean {
  return Object.entries(entries).every(
    ([name, value]) =>
      /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) && typeof value === 'string' && value.isWellFormed(),
  );
}
