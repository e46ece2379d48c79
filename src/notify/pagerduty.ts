// PagerDuty Events v2: incidents of each watch (dedup_key begins with the watch), opened by what is
// bad, acknowledged and resolved by what people and the watch say later. What has to page is never
// added to an open incident: a stop, each call and a storm have one of their own. The begin and the
// pass of a watch and the decision of a gate are change events, which page nobody. Anything else is
// not sent: PagerDuty has no place for it.
import type { Message, Outcome, SendContext, Severity } from '../core/delivery.ts';
import { CALL_KIND } from '../core/escalation.ts';
import { isOfSeveral } from '../core/merge.ts';
import { GATE_KIND } from '../core/message-kinds.ts';
import type { Clock } from '../kit/clock.ts';
import { type HttpAnswer, retryAfterMs, send } from '../kit/http.ts';
import {
  ANSWER_BYTES_MAX,
  httpDetail,
  outcomeOfFailure,
  outcomeOfStatus,
  refused,
  saidBy,
} from '../request/outcome.ts';
import { objectOf, type Send } from './attempt.ts';
import { areOver, endedKeys, ownKeys, receiptFor, watchesOf } from './incident-keys.ts';
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

const CHANGES: readonly string[] = ['watch.started', 'watch.passed', GATE_KIND];

export function createPagerDuty(options: PagerDutyOptions): Send {
  return async (message, signal, context) => {
    const steps = await stepsOf(message, context);
    const events = [
      ...steps.map(({ action, key }): Event => {
        return { path: '/v2/enqueue', body: alertOf(message, options.routingKey, action, key) };
      }),
      ...changesOf(message, options.routingKey),
    ];
    let outcome: Outcome = {
      kind: 'delivered',
      detail: 'not sent: it opens, acknowledges and closes no incident, and is no change',
    };
    // A repetition sends all of them again: each says the same as before.
    for (const event of events) {
      outcome = await post(options, event, signal);
      if (outcome.kind !== 'delivered') return outcome;
    }
    const [opened] = steps;
    if (outcome.kind !== 'delivered' || opened?.action !== 'trigger') return outcome;
    if (Object.values(keysOf(message.watchId)).includes(opened.key)) return outcome;
    return { ...outcome, receipt: receiptFor(opened.key, message) };
  };
}

type Step = { readonly action: Action; readonly key: string };

async function stepsOf(message: Message, context?: SendContext): Promise<readonly Step[]> {
  const own = Object.values(keysOf(message.watchId));
  const all = (action: Action, keys: readonly string[]) => keys.map((key) => ({ action, key }));
  switch (message.incident) {
    case 'opens': {
      const key = keyOf(message, context);
      // Nobody knows of it yet, but it is over: it is told, and not left open.
      const isLate = await areOver(watchesOf(message), context);
      return [{ action: 'trigger', key }, ...(isLate ? all('resolve', [key]) : [])];
    }
    case 'acknowledges':
      return all('acknowledge', [...own, ...(await ownKeys(message, context))]);
    case 'closes':
      return all('resolve', [...own, ...(await endedKeys(message, context))]);
    default:
      return [];
  }
}

/** Two, because PagerDuty only logs what comes to an open incident: a stop has to page all the same. */
function keysOf(watchId: string) {
  return { critical: watchId, warning: `${watchId}-warning` };
}

/** What pages anew, and what is of many watches, is an incident of its own. */
function keyOf(message: Message, context?: SendContext): string {
  const { watchId, atMs, severity, kind } = message;
  if (kind === CALL_KIND) return context?.deliveryId ?? `${watchId}-call-${atMs}`;
  if (isOfSeveral(message)) return `storm-${context?.deliveryId ?? `${watchId}-${atMs}`}`;
  return keysOf(watchId)[severity === 'critical' ? 'critical' : 'warning'];
}

function changesOf(message: Message, routingKey: string): readonly Event[] {
  const isChange =
    CHANGES.includes(message.kind) || (isTrial(message) && message.incident !== 'opens');
  if (!isChange) return [];
  return [{ path: '/v2/change/enqueue', body: changeOf(message, routingKey) }];
}

const SEVERITIES: Readonly<Record<Severity, string>> = {
  critical: 'critical',
  warning: 'warning',
  info: 'info',
};

function alertOf(message: Message, routingKey: string, action: Action, key: string) {
  const head = {
    routing_key: routingKey,
    event_action: action,
    dedup_key: cutUnits(oneLine(key), PAGERDUTY_LIMITS.dedupKey) || 'canaryd',
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
      ...(message.watchId === '' ? {} : { watch: cutUnits(oneLine(message.watchId), NAME_MAX) }),
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
