// Deploys as annotations of Grafana: a region from the start of the watch to its end, and points for
// a stop and for what became of the rollback. Only these kinds are marked. The region is found again
// by the id that Grafana gave for it, which the receipts keep; without it the end is a point.
//
// Changing the region may be repeated, a new mark may not: so the change goes first, and what comes
// of the new mark is what came of the attempt.
import type { Message, Outcome, SendContext } from '../core/delivery.ts';
import type { Clock } from '../kit/clock.ts';
import { type HttpAnswer, retryAfterMs, send } from '../kit/http.ts';
import {
  ANSWER_BYTES_MAX,
  httpDetail,
  objectOf,
  outcomeOfFailure,
  outcomeOfStatus,
  refused,
  retryable,
  type Send,
  saidBy,
} from './outcome.ts';
import { cutUnits, linksOf, oneLine } from './text.ts';
import { isTrial } from './trial.ts';

export type GrafanaOptions = {
  /** Base of Grafana, without a slash at the end. */
  readonly url: string;
  readonly token: string;
  /** Besides those that canaryd sets itself. */
  readonly tags: readonly string[];
  /** null: on every dashboard that asks for the tags. */
  readonly dashboardUid: string | null;
  readonly timeoutMs: number;
  readonly clock: Clock;
};

const TAG_MAX = 100;
const TEXT_MAX = 500;

type Mark = {
  readonly tag: string;
  /** `begins` and `ends` the region of the watch; `both`: ends it, and is a point as well. */
  readonly region: 'begins' | 'ends' | 'both' | 'none';
};
const MARKS: ReadonlyMap<string, Mark> = new Map([
  ['watch.started', { tag: 'deploy', region: 'begins' }],
  ['watch.stopped', { tag: 'stopped', region: 'both' }],
  ['rollback.confirmed', { tag: 'rollback_confirmed', region: 'none' }],
  ['rollback.not_confirmed', { tag: 'rollback_not_confirmed', region: 'none' }],
  ['watch.passed', { tag: 'passed', region: 'ends' }],
  ['watch.inconclusive', { tag: 'inconclusive', region: 'ends' }],
  ['watch.cancelled', { tag: 'cancelled', region: 'ends' }],
  ['watch.superseded', { tag: 'superseded', region: 'ends' }],
]);
const TRIAL: Mark = { tag: 'test', region: 'none' };

type Answered =
  | { readonly kind: 'ok'; readonly id: number | null; readonly detail: string }
  | { readonly kind: 'gone' }
  | { readonly kind: 'failed'; readonly outcome: Outcome };

export function createGrafana(options: GrafanaOptions): Send {
  return async (message, signal, context) => {
    const mark = isTrial(message) ? TRIAL : MARKS.get(message.kind);
    if (mark === undefined) return { kind: 'delivered', detail: 'not marked' };
    if (mark.region === 'ends' || mark.region === 'both') {
      const ended = await endRegion(options, message, mark, signal, context);
      if (ended.kind === 'failed') return ended.outcome;
      const isDone = ended.kind === 'ok' && mark.region === 'ends';
      if (isDone) return { kind: 'delivered', detail: `region ended: ${ended.detail}` };
    }
    const body = {
      time: message.atMs,
      tags: tagsOf(message, mark.tag, options),
      text: textOf(message),
      ...(options.dashboardUid === null ? {} : { dashboardUID: options.dashboardUid }),
    };
    const answer = await call(options, 'POST', '/api/annotations', body, signal);
    if (answer.kind === 'failed') return answer.outcome;
    if (answer.kind === 'gone') return refused('client_error', NOT_THERE);
    if (answer.id === null) {
      const detail = `${answer.detail}, but without the id of an annotation; check url`;
      return retryable('bad_response', detail, { maybeDelivered: true });
    }
    const receipt = mark.region === 'begins' ? { receipt: JSON.stringify({ id: answer.id }) } : {};
    return { kind: 'delivered', detail: `marked: ${answer.detail}`, ...receipt };
  };
}

/** `gone`: there is no region, or somebody has removed it. */
async function endRegion(
  options: GrafanaOptions,
  message: Message,
  { tag }: Mark,
  signal: AbortSignal,
  context: SendContext | undefined,
): Promise<Answered> {
  const receipts = (await context?.receipts(message.watchId)) ?? [];
  const begun = receipts.findLast(({ kind }) => kind === 'watch.started');
  const { id } = objectOf(begun?.receipt ?? '');
  if (!Number.isSafeInteger(id)) return { kind: 'gone' };
  const body = {
    timeEnd: message.atMs,
    // Those that are given replace those that were.
    tags: [...tagsOf(message, 'deploy', options), tag],
    text: textOf(message),
  };
  return call(options, 'PATCH', `/api/annotations/${id}`, body, signal);
}

function tagsOf({ deploy }: Message, tag: string, { tags }: GrafanaOptions): readonly string[] {
  const own = ['canaryd', tag];
  if (deploy !== undefined) {
    const { service, environment, version } = deploy;
    own.push(`service:${service}`, `environment:${environment}`, `version:${version}`);
  }
  return [...new Set([...own, ...tags])].map((one) => cutUnits(oneLine(one), TAG_MAX));
}

/** Grafana shows it as HTML. */
function textOf(message: Message): string {
  const headline = escapeHtml(cutUnits(oneLine(message.headline), TEXT_MAX) || 'canaryd');
  const [link] = linksOf(message);
  if (link === undefined) return headline;
  return `${headline} <a href="${escapeHtml(link.url)}">${escapeHtml(link.label)}</a>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

const NOT_THERE = 'HTTP 404: there is no API of Grafana, or no such dashboard; check url';

async function call(
  options: GrafanaOptions,
  method: 'POST' | 'PATCH',
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<Answered> {
  const answer = await send({
    method,
    url: `${options.url}${path}`,
    headers: {
      authorization: `Bearer ${options.token}`,
      'content-type': 'application/json',
      accept: 'application/json',
    },
    body: JSON.stringify(body),
    timeoutMs: options.timeoutMs,
    responseBytesMax: ANSWER_BYTES_MAX,
    signal,
  });
  if (answer.kind === 'failed') return { kind: 'failed', outcome: outcomeOfFailure(answer) };
  return answered(answer, options);
}

function answered(answer: HttpAnswer, { token, clock }: GrafanaOptions): Answered {
  const { status, body, headers, tookMs } = answer;
  if (status === 200) {
    const { id, message } = objectOf(body);
    const isGrafana = typeof message === 'string';
    if (isGrafana) {
      const detail = `HTTP 200 in ${Math.round(tookMs)} ms`;
      return {
        kind: 'ok',
        id: typeof id === 'number' && Number.isSafeInteger(id) ? id : null,
        detail,
      };
    }
  }
  if (status === 404) return { kind: 'gone' };
  const detail = httpDetail(answer, saidBy(body, [token]));
  if (status === 401) {
    return failed(refused('misconfigured', `${detail}; check the token`));
  }
  if (status === 403) {
    const wanted = 'the token needs annotations:create and annotations:write (role Editor)';
    return failed(refused('misconfigured', `${detail}; ${wanted}`));
  }
  return failed(outcomeOfStatus(status, detail, retryAfterMs(headers, clock.now())));
}

function failed(outcome: Outcome): Answered {
  return { kind: 'failed', outcome };
}
