// PagerDuty's Events API v2: takes and refuses what the real one does, and keeps its incidents by
// dedup_key. Needs no test runner.
import {
  type FakeService,
  isObject,
  isText,
  type Json,
  type ServiceAnswer,
  type ServiceRequest,
  startFakeService,
} from './fake-service.ts';

export type Incident = {
  readonly status: 'triggered' | 'acknowledged' | 'resolved';
  readonly summary: string;
  readonly severity: string;
};

export type FakePagerDuty = FakeService & {
  readonly routingKey: string;
  /** By dedup_key. */
  readonly incidents: ReadonlyMap<string, Incident>;
  /** Bodies of change events. */
  readonly changes: readonly Json[];
};

const BYTES_MAX = 512 * 1_024;
const SEVERITIES: readonly unknown[] = ['critical', 'error', 'warning', 'info'];

export async function startFakePagerDuty(): Promise<FakePagerDuty> {
  const routingKey = 'R0secretR0secretR0secretR0secret';
  const incidents = new Map<string, Incident>();
  const changes: Json[] = [];

  function answer({ method, path, headers, text, body }: ServiceRequest): ServiceAnswer {
    if (method !== 'POST') return { status: 405, body: 'Method Not Allowed' };
    if (!/^application\/json/.test(headers['content-type'] ?? '')) return { status: 415, body: '' };
    if (Buffer.byteLength(text) > BYTES_MAX) return { status: 413, body: 'Payload Too Large' };
    if (!isObject(body)) return invalid('JSON is invalid');
    const isChange = path === '/v2/change/enqueue';
    if (!isChange && path !== '/v2/enqueue') return { status: 404, body: 'Not Found' };
    const errors = isChange ? wrongChange(body) : wrongEvent(body);
    if (body['routing_key'] !== routingKey) errors.unshift("'routing_key' is invalid");
    if (errors.length > 0) return invalid('Event object is invalid', errors);
    if (isChange) {
      changes.push(body);
      return { status: 202, body: { status: 'success', message: 'Change event processed' } };
    }
    apply(body);
    const done = { status: 'success', message: 'Event processed', dedup_key: body['dedup_key'] };
    return { status: 202, body: done };
  }

  function apply({ event_action: action, dedup_key: key, payload }: Json): void {
    const known = incidents.get(String(key));
    const isOpen = known !== undefined && known.status !== 'resolved';
    if (action === 'trigger' && isObject(payload)) {
      const { summary, severity } = payload;
      const status = isOpen ? known.status : 'triggered';
      incidents.set(String(key), { status, summary: `${summary}`, severity: `${severity}` });
    } else if (isOpen) {
      const status = action === 'resolve' ? 'resolved' : 'acknowledged';
      incidents.set(String(key), { ...known, status });
    }
  }

  const service = await startFakeService(answer);
  return {
    ...service,
    routingKey,
    incidents,
    changes,
    reset() {
      service.reset();
      incidents.clear();
      changes.length = 0;
    },
  };
}

function invalid(message: string, errors: readonly string[] = []): ServiceAnswer {
  return { status: 400, body: { status: 'invalid event', message, errors } };
}

function wrongEvent(body: Json): string[] {
  const { event_action: action, dedup_key: key, payload } = body;
  const errors: string[] = [];
  if (!['trigger', 'acknowledge', 'resolve'].includes(`${action}`)) {
    errors.push("'event_action' is missing or invalid");
  }
  if (!isText(key, 255)) errors.push("'dedup_key' is missing or longer than 255 characters");
  if (action !== 'trigger') return errors;
  if (!isObject(payload)) return [...errors, "'payload' is missing"];
  if (!SEVERITIES.includes(payload['severity'])) errors.push("'payload.severity' is invalid");
  return [...errors, ...wrongPayload(payload), ...wrongLinks(body)];
}

function wrongChange(body: Json): string[] {
  const { payload } = body;
  if (!isObject(payload)) return ["'payload' is missing"];
  return [...wrongPayload(payload), ...wrongLinks(body)];
}

function wrongPayload({ summary, source, timestamp, custom_details: details }: Json): string[] {
  const errors: string[] = [];
  if (!isText(summary, 1_024)) errors.push("'payload.summary' is missing or too long");
  if (!isText(source, 255)) errors.push("'payload.source' is missing or blank");
  if (timestamp !== undefined && Number.isNaN(Date.parse(`${timestamp}`))) {
    errors.push("'payload.timestamp' is no ISO 8601 time");
  }
  if (details !== undefined && !isObject(details)) errors.push("'custom_details' is no object");
  return errors;
}

function wrongLinks({ links = [] }: Json): string[] {
  const isLink = (link: unknown) =>
    isObject(link) && isText(link['href'], 2_048) && URL.canParse(link['href']);
  return Array.isArray(links) && links.every(isLink) ? [] : ["'links' is invalid"];
}
