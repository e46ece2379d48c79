// Alertmanager v2: an alert for each watch that is in trouble, by labels that stay the same, so that it
// is deduplicated and resolves; it groups by service and environment. Everything that changes is an annotation.
// Each Alertmanager of a cluster is told, because they do not pass alerts on. One that takes an alert
// is enough to tell people; its end has to reach all, or one of them goes on.
import type { Message, Outcome, SendContext } from '../core/delivery.ts';
import { CALL_KIND } from '../core/escalation.ts';
import type { Clock } from '../kit/clock.ts';
import { retryAfterMs, send } from '../kit/http.ts';
import {
  ANSWER_BYTES_MAX,
  httpDetail,
  outcomeOfFailure,
  outcomeOfStatus,
  refused,
  saidBy,
} from '../request/outcome.ts';
import type { Send } from './attempt.ts';
import { endedKeys, isOver, receiptFor } from './incident-keys.ts';
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

const DESCRIPTION_MAX = 8_000;
const NEXT_MAX = 1_000;
const LABEL_MAX = 200;
/** A trial is over by itself. */
const TRIAL_MS = 300_000;

const ALERTS = {
  critical: 'DeployStopped',
  warning: 'DeployWarning',
  trial: 'NotifyTest',
} as const;

export type AlertmanagerOptions = {
  /** Without `/api/v2` and without a slash at the end. */
  readonly urls: readonly string[];
  /** Of each request; holds the secret. */
  readonly authorization: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** An alert that nobody resolves ends after this time. */
  readonly expireMs: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
};

export function createAlertmanager(options: AlertmanagerOptions): Send {
  return async (message, signal, context) => {
    const alerts = await alertsOf(message, options, context);
    if (alerts.length === 0) return unsent('it opens and closes no alert');
    const body = JSON.stringify(alerts);
    const outcomes = await Promise.all(options.urls.map((url) => post(options, url, body, signal)));
    const outcome = joined(outcomes, message.incident === 'closes' || isTrial(message));
    const call = callOf(message, context);
    if (outcome.kind !== 'delivered' || call === null) return outcome;
    return { ...outcome, receipt: receiptFor(call, message) };
  };
}

function unsent(why: string): Outcome {
  return { kind: 'delivered', detail: `not sent: ${why}` };
}

type Alert = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt?: string;
  readonly endsAt: string;
  readonly generatorURL?: string;
};

type AlertOptions = Pick<AlertmanagerOptions, 'labels' | 'expireMs' | 'clock'>;

/** One for each watch: one request for a storm. */
export async function alertsOf(
  message: Message,
  options: AlertOptions,
  context?: SendContext,
): Promise<readonly Alert[]> {
  const { merged, cause } = message;
  if (merged === undefined) return alertsOfOne(message, options, context);
  const why = cause === undefined ? [] : [[cause.reason, cause.detail].filter(Boolean).join(', ')];
  const alerts: Alert[] = [];
  for (const part of merged) {
    const { incident: _, deploy: __, merged: ___, ...common } = message;
    const one = { ...common, lines: why, ...part };
    alerts.push(...(await alertsOfOne(one, options, context)));
  }
  return alerts;
}

async function alertsOfOne(
  message: Message,
  { labels, expireMs, clock }: AlertOptions,
  context: SendContext | undefined,
): Promise<readonly Alert[]> {
  const startsAt = isoTime(message.atMs) ?? isoTime(clock.now()) ?? '';
  const latestMs = Math.max(Date.parse(startsAt), clock.now());
  const identity = (alertname: string, severity: string, call: string | null) => ({
    ...labels,
    job: 'canaryd',
    alertname,
    severity,
    ...placeOf(message),
    ...(call === null ? {} : { call: cutUnits(oneLine(call), LABEL_MAX) }),
  });
  const alert = (alertname: string, severity: string, forMs: number): Alert => ({
    labels: identity(alertname, severity, callOf(message, context)),
    annotations: annotationsOf(message),
    startsAt,
    endsAt: isoTime(latestMs + forMs) ?? startsAt,
    ...generatorOf(message),
  });
  if (isTrial(message)) return [alert(ALERTS.trial, message.severity, TRIAL_MS)];
  if (message.incident === 'opens') {
    const severity = message.severity === 'critical' ? 'critical' : 'warning';
    // Nobody knows of it yet, but it is over: it is told, and not left open.
    const forMs = (await isOver(message.watchId, context)) ? 0 : expireMs;
    return [alert(ALERTS[severity], severity, forMs)];
  }
  if (message.incident !== 'closes') return [];
  const calls = (await endedKeys(message, context)).map((call) => ['critical', call] as const);
  // Which of them is open is not known here: one that is not is no news to Alertmanager.
  return [['critical', null] as const, ['warning', null] as const, ...calls].map(
    ([severity, call]) => ({
      labels: identity(ALERTS[severity], severity, call),
      annotations: annotationsOf(message),
      endsAt: startsAt,
    }),
  );
}

/** Alertmanager is silent about an alert that fires already: a call is one of its own. */
function callOf(message: Message, context: SendContext | undefined): string | null {
  if (message.kind !== CALL_KIND) return null;
  return context?.deliveryId ?? `${message.watchId}-call-${message.atMs}`;
}

/** With the watch: the end of one deploy's trouble must not end that of another one. */
function placeOf({ deploy, watchId }: Message): Record<string, string> {
  if (deploy === undefined) return {};
  const { service, environment } = deploy;
  return {
    service: cutUnits(oneLine(service), LABEL_MAX),
    environment: cutUnits(oneLine(environment), LABEL_MAX),
    watch: cutUnits(oneLine(watchId), LABEL_MAX),
  };
}

function annotationsOf(message: Message): Record<string, string> {
  const fields = fieldsOf(message).map(([title, value]) => `${title}: ${value}`);
  const runbook = linksOf(message).find(({ label }) => /^runbook$/i.test(label));
  const next = nextOf(message, NEXT_MAX);
  return {
    summary: headlineOf(message, 300),
    description: cutLines([...linesOf(message), ...fields], DESCRIPTION_MAX).join('\n'),
    ...(next === '' ? {} : { next }),
    ...(runbook === undefined ? {} : { runbook_url: runbook.url }),
    watch: cutUnits(oneLine(message.watchId), LABEL_MAX),
    ...(message.deploy ? { version: cutUnits(oneLine(message.deploy.version), LABEL_MAX) } : {}),
  };
}

function generatorOf(message: Message) {
  const watch = linksOf(message).find(({ label }) => /^watch$/i.test(label));
  return watch === undefined ? {} : { generatorURL: watch.url };
}

async function post(
  options: AlertmanagerOptions,
  url: string,
  body: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const { authorization, timeoutMs, clock } = options;
  const answer = await send({
    method: 'POST',
    url: `${url}/api/v2/alerts`,
    headers: {
      'content-type': 'application/json',
      ...(authorization === null ? {} : { authorization }),
    },
    body,
    timeoutMs,
    responseBytesMax: ANSWER_BYTES_MAX,
    signal,
  });
  if (answer.kind === 'failed') return outcomeOfFailure(answer);
  if (answer.status === 200) {
    return { kind: 'delivered', detail: `HTTP 200 in ${Math.round(answer.tookMs)} ms` };
  }
  const secret = authorization?.replace(/^\S+ /, '') ?? '';
  const detail = httpDetail(answer, saidBy(answer.body, [secret, passwordOf(secret)]));
  if (answer.status === 401 || answer.status === 403) {
    return refused('misconfigured', `${detail}; check basic_auth or bearer_token`);
  }
  return outcomeOfStatus(answer.status, detail, retryAfterMs(answer.headers, clock.now()));
}

/** A proxy may repeat what it was given in clear. */
function passwordOf(basic: string): string {
  return Buffer.from(basic, 'base64').toString('utf8').split(':').slice(1).join(':');
}

/** @param isForAll not delivered before each has taken it; else one is enough */
function joined(outcomes: readonly Outcome[], isForAll: boolean): Outcome {
  const [one] = outcomes;
  if (one === undefined) return refused('misconfigured', 'no urls');
  if (outcomes.length === 1) return one;
  const took = outcomes.filter(({ kind }) => kind === 'delivered');
  const said = outcomes.map(({ detail }, index) => `${index + 1}: ${detail}`).join('; ');
  const detail = `${took.length} of ${outcomes.length} took it (${said})`;
  if (took.length === outcomes.length || (took.length > 0 && !isForAll)) {
    return { kind: 'delivered', detail };
  }
  const again = outcomes.find(({ kind }) => kind === 'retryable');
  const failed = again ?? outcomes.find(({ kind }) => kind === 'refused') ?? one;
  return { ...failed, detail };
}
