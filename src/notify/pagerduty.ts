// PagerDuty Events v2: one incident for each watch (dedup_key is the watch), opened by what is bad,
// acknowledged and resolved by what people and the watch say later. The begin and the pass of a watch
// are change events, which page nobody. Anything else is not sent: PagerDuty has no place for it.
import type { Message, Outcome, Severity } from '../core/delivery.ts';
import type { Clock } from '../kit/clock.ts';
import { type HttpAnswer, retryAfterMs, send } from '../kit/http.ts';
import { createLatest } from './latest.ts';
import {
  ANSWER_BYTES_MAX,
  httpDetail,
  objectOf,
  outcomeOfFailure,
  outcomeOfStatus,
  refused,
  type Send,
  saidBy,
} from './outcome.ts';
import {
  cutLines,
  cutUnits,
  fieldsOf,
  headlineOf,
  isoTime,
  linesOf,
  linksOf,
  nextOf,
  oneLine,
} from './text.ts';
import { isTrial } from './trial.ts';

export const PAGERDUTY_LIMITS = { summary: 1_024, dedupKey: 255, bytes: 512 * 1_024 };
const DETAILS_MAX = 8_000;
const NEXT_MAX = 1_000;
const NAME_MAX = 250;

export type PagerDutyOptions = {
  /** Base of the Events API, without a slash at the end. */
  readonly url: string;
  readonly routingKey: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
};

type Event = {
  readonly path: '/v2/enqueue' | '/v2/change/enqueue';
  readonly body: Readonly<Record<string, unknown>>;
};
type Action = 'trigger' | 'acknowledge' | 'resolve';

const CHANGES: readonly string[] = ['watch.started', 'watch.passed'];

export function createPagerDuty(options: PagerDutyOptions): Send {
  const [closed, opened] = [createLatest(), createLatest()];
  return async (message, signal) => {
    const { incident, watchId, atMs } = message;
    const isLate = incident === 'opens' && closed.after(watchId, atMs) !== null;
    if (incident === 'closes' && opened.after(watchId, atMs) !== null) {
      return { kind: 'delivered', detail: 'not sent: the incident has been opened again' };
    }
    if (incident === 'opens') opened.note(watchId, atMs);
    if (incident === 'closes') closed.note(watchId, atMs);
    const events = eventsOf(message, options.routingKey, isLate);
    let outcome: Outcome = {
      kind: 'delivered',
      detail: 'not sent: it opens, acknowledges and closes no incident, and is no change',
    };
    // A repetition sends all of them again: each says the same as before.
    for (const event of events) {
      outcome = await post(options, event, signal);
      if (outcome.kind !== 'delivered') return outcome;
    }
    return outcome;
  };
}

function eventsOf(message: Message, routingKey: string, isLate: boolean): readonly Event[] {
  const alert = (action: Action): Event => ({
    path: '/v2/enqueue',
    body: alertOf(message, routingKey, action),
  });
  const isChange =
    CHANGES.includes(message.kind) || (isTrial(message) && message.incident !== 'opens');
  const change: Event = { path: '/v2/change/enqueue', body: changeOf(message, routingKey) };
  const steps: readonly Event[] =
    message.incident === 'opens'
      ? // Nobody knows of it yet, but it is over: it is told, and not left open.
        [alert('trigger'), ...(isLate ? [alert('resolve')] : [])]
      : message.incident === 'acknowledges'
        ? [alert('acknowledge')]
        : message.incident === 'closes'
          ? [alert('resolve')]
          : [];
  return [...steps, ...(isChange ? [change] : [])];
}

const SEVERITIES: Readonly<Record<Severity, string>> = {
  critical: 'critical',
  warning: 'warning',
  info: 'info',
};

function alertOf(message: Message, routingKey: string, action: Action) {
  const head = {
    routing_key: routingKey,
    event_action: action,
    dedup_key: cutUnits(oneLine(message.watchId), PAGERDUTY_LIMITS.dedupKey) || 'canaryd',
  };
  if (action !== 'trigger') return head;
  const links = linksOf(message);
  return {
    ...head,
    client: 'canaryd',
    ...clientUrl(links),
    links: links.map(({ label, url }) => ({ href: url, text: label })),
    payload: {
      ...commonOf(message),
      severity: SEVERITIES[message.severity],
      class: cutUnits(oneLine(message.kind), NAME_MAX) || 'message',
      ...placeOf(message),
    },
  };
}

function changeOf(message: Message, routingKey: string) {
  return {
    routing_key: routingKey,
    payload: commonOf(message),
    links: linksOf(message).map(({ label, url }) => ({ href: url, text: label })),
  };
}

function commonOf(message: Message) {
  const { deploy } = message;
  const timestamp = isoTime(message.atMs);
  const next = nextOf(message, NEXT_MAX);
  return {
    summary: headlineOf(message, PAGERDUTY_LIMITS.summary),
    source: (deploy && cutUnits(oneLine(deploy.service), NAME_MAX)) || 'canaryd',
    ...(timestamp === null ? {} : { timestamp }),
    custom_details: {
      ...Object.fromEntries(fieldsOf(message)),
      watch: cutUnits(oneLine(message.watchId), NAME_MAX),
      what: cutLines(linesOf(message), DETAILS_MAX).join('\n'),
      ...(next === '' ? {} : { next }),
    },
  };
}

function placeOf({ deploy }: Message) {
  if (deploy === undefined) return {};
  return {
    component: cutUnits(oneLine(deploy.service), NAME_MAX),
    group: cutUnits(oneLine(deploy.environment), NAME_MAX),
  };
}

function clientUrl(links: readonly { readonly label: string; readonly url: string }[]) {
  const watch = links.find(({ label }) => /^watch$/i.test(label));
  return watch === undefined ? {} : { client_url: watch.url };
}

async function post(
  { url, routingKey, timeoutMs, clock }: PagerDutyOptions,
  { path, body }: Event,
  signal: AbortSignal,
): Promise<Outcome> {
  const answer = await send({
    method: 'POST',
    url: `${url}${path}`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    timeoutMs,
    responseBytesMax: ANSWER_BYTES_MAX,
    signal,
  });
  if (answer.kind === 'failed') return outcomeOfFailure(answer);
  // 202 is the only yes there is.
  if (answer.status === 202) {
    const what = body['event_action'] ?? 'change';
    return { kind: 'delivered', detail: `${what}: HTTP 202 in ${Math.round(answer.tookMs)} ms` };
  }
  const detail = httpDetail(answer, saidBy(wordsOf(answer), [routingKey]));
  if (answer.status === 401 || answer.status === 403) {
    return refused('misconfigured', `${detail}; check the routing key`);
  }
  return outcomeOfStatus(answer.status, detail, retryAfterMs(answer.headers, clock.now()));
}

/** `{ status, message, errors }`; a proxy answers as it likes. */
function wordsOf({ body }: HttpAnswer): string {
  const { message, errors } = objectOf(body);
  const list = Array.isArray(errors) ? errors.filter((one) => typeof one === 'string') : [];
  const words = [...(typeof message === 'string' ? [message] : []), ...list];
  return words.length === 0 ? body : words.join('; ');
}
