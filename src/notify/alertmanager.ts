// Alertmanager v2: an alert for each service and environment that is in trouble, by labels that stay
// the same, so that it groups, is deduplicated and resolves. Everything that changes is an annotation.
// Each Alertmanager of a cluster is told, because they do not pass alerts on. One that takes an alert
// is enough to tell people; its end has to reach all, or one of them goes on.
import type { Message, Outcome } from '../core/delivery.ts';
import type { Clock } from '../kit/clock.ts';
import { retryAfterMs, send } from '../kit/http.ts';
import { createLatest } from './latest.ts';
import {
  ANSWER_BYTES_MAX,
  httpDetail,
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
  /** By watch. */
  const closed = createLatest();
  /** By alert: another watch of the service may have opened it again. */
  const opened = createLatest();
  return async (message, signal) => {
    const { incident, watchId, atMs } = message;
    const all = alertsOf(message, options, closed.after(watchId, atMs));
    if (all.length === 0) return unsent('it opens and closes no alert');
    const isEnd = incident === 'closes';
    const alerts = all.filter(({ labels }) => {
      return !isEnd || opened.after(JSON.stringify(labels), atMs) === null;
    });
    if (alerts.length === 0) return unsent('what it closes has been opened again');
    if (isEnd) closed.note(watchId, atMs);
    else for (const { labels } of alerts) opened.note(JSON.stringify(labels), atMs);
    const body = JSON.stringify(alerts);
    const outcomes = await Promise.all(options.urls.map((url) => post(options, url, body, signal)));
    return joined(outcomes, isEnd || isTrial(message));
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

/** @param closedAtMs the incident was closed already: told, and over */
export function alertsOf(
  message: Message,
  { labels, expireMs, clock }: Pick<AlertmanagerOptions, 'labels' | 'expireMs' | 'clock'>,
  closedAtMs: number | null = null,
): readonly Alert[] {
  const startsAt = isoTime(message.atMs) ?? isoTime(clock.now()) ?? '';
  const identity = (alertname: string, severity: string) => ({
    ...labels,
    job: 'canaryd',
    alertname,
    severity,
    ...placeOf(message),
  });
  const forMs = isTrial(message) ? TRIAL_MS : expireMs;
  const startsAtMs = Date.parse(startsAt);
  const endsAtMs =
    closedAtMs === null
      ? Math.max(startsAtMs, clock.now()) + forMs
      : Math.max(startsAtMs, closedAtMs);
  const alert = (alertname: string, severity: string): Alert => ({
    labels: identity(alertname, severity),
    annotations: annotationsOf(message),
    startsAt,
    endsAt: isoTime(endsAtMs) ?? startsAt,
    ...generatorOf(message),
  });
  if (isTrial(message)) return [alert(ALERTS.trial, message.severity)];
  if (message.incident === 'opens') {
    const severity = message.severity === 'critical' ? 'critical' : 'warning';
    return [alert(ALERTS[severity], severity)];
  }
  if (message.incident !== 'closes') return [];
  // Which of them is open is not known here: one that is not is no news to Alertmanager.
  return (['critical', 'warning'] as const).map((severity) => ({
    labels: identity(ALERTS[severity], severity),
    annotations: annotationsOf(message),
    endsAt: startsAt,
  }));
}

function placeOf({ deploy }: Message): Record<string, string> {
  if (deploy === undefined) return {};
  const { service, environment } = deploy;
  return {
    service: cutUnits(oneLine(service), LABEL_MAX),
    environment: cutUnits(oneLine(environment), LABEL_MAX),
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
