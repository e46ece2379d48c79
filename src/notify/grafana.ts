// Deploys as annotations of Grafana: a region from the deploy to the end of its watch, and points for
// a stop and for what became of the rollback. Only these kinds are marked. The region is found again
// by the id that Grafana gave for it, which the receipts keep; when nobody has marked the start, the
// end marks all of it.
//
// Changing the region may be repeated, a new mark may not: so the region goes first, a new one leaves
// a receipt whatever comes after it, and what comes of the point is what came of the attempt.
import type { Message, Outcome, SendContext } from '../core/delivery.ts';
import type { Clock } from '../kit/clock.ts';
import { type HttpAnswer, retryAfterMs, send } from '../kit/http.ts';
import {
  ANSWER_BYTES_MAX,
  httpDetail,
  outcomeOfFailure,
  outcomeOfStatus,
  refused,
  retryable,
  saidBy,
} from '../request/outcome.ts';
import { objectOf, type Send } from './attempt.ts';
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
  /** `begins` and `ends` the region of the deploy; `both`: ends it, and is a point as well. */
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
type Marked =
  | { readonly kind: 'marked'; readonly id: number; readonly detail: string }
  | { readonly kind: 'failed'; readonly outcome: Outcome };

export function createGrafana(options: GrafanaOptions): Send {
  return async (message, signal, context) => {
    const mark = isTrial(message) ? TRIAL : MARKS.get(message.kind);
    if (mark === undefined) return { kind: 'delivered', detail: 'not marked' };
    const post = (body: object) => newMark(options, message, body, signal);
    const point = () => post({ time: message.atMs, tags: tagsOf(message, mark.tag, options) });
    if (mark.region === 'none') return outcomeOfMark(await point(), false);

    const id = await regionOf(message, context);
    const from = Math.min(message.deploy?.deployedAtMs ?? message.atMs, message.atMs);
    const regionTags = tagsOf(message, 'deploy', options);
    if (mark.region === 'begins') {
      // The start waited for the end of the quiet hours, and something has ended meanwhile.
      if (id !== null) return { kind: 'delivered', detail: 'marked already' };
      return outcomeOfMark(await post({ time: from, tags: regionTags }), true);
    }
    const region = { timeEnd: message.atMs, tags: [...regionTags, mark.tag] };
    if (id !== null) {
      const body = { ...region, text: textOf(message) };
      const ended = await call(options, 'PATCH', `/api/annotations/${id}`, body, signal);
      if (ended.kind === 'failed') return ended.outcome;
      const isDone = ended.kind === 'ok' && mark.region === 'ends';
      if (isDone) return { kind: 'delivered', detail: `region ended: ${ended.detail}` };
      // Somebody has removed the region: a point is left.
      return outcomeOfMark(await point(), false);
    }
    if (from === message.atMs) return outcomeOfMark(await point(), false);
    const whole = await post({ time: from, ...region });
    if (whole.kind === 'failed' || mark.region === 'ends') return outcomeOfMark(whole, true);
    const outcome = outcomeOfMark(await point(), false);
    return outcome.kind === 'refused' ? outcome : { ...outcome, receipt: receiptOf(whole.id) };
  };
}

function outcomeOfMark(marked: Marked, isRegion: boolean): Outcome {
  if (marked.kind === 'failed') return marked.outcome;
  const receipt = isRegion ? { receipt: receiptOf(marked.id) } : {};
  return { kind: 'delivered', detail: `marked: ${marked.detail}`, ...receipt };
}

function receiptOf(id: number): string {
  return JSON.stringify({ id });
}

/** The region that is there already; null: none that is known. */
async function regionOf(
  { watchId }: Message,
  context: SendContext | undefined,
): Promise<number | null> {
  const receipts = (await context?.receipts(watchId)) ?? [];
  const ids = receipts.map(({ receipt }) => objectOf(receipt)['id']);
  return ids.findLast((id): id is number => Number.isSafeInteger(id)) ?? null;
}

/** What must not be repeated once Grafana has it. */
async function newMark(
  options: GrafanaOptions,
  message: Message,
  what: object,
  signal: AbortSignal,
): Promise<Marked> {
  const { dashboardUid } = options;
  const body = {
    ...what,
    text: textOf(message),
    ...(dashboardUid === null ? {} : { dashboardUID: dashboardUid }),
  };
  const answer = await call(options, 'POST', '/api/annotations', body, signal);
  if (answer.kind === 'failed') return answer;
  if (answer.kind === 'gone') return failed(refused('client_error', NOT_THERE));
  const { id, detail } = answer;
  if (id !== null) return { kind: 'marked', id, detail };
  const why = `${detail}, but without the id of an annotation; check url`;
  return failed(retryable('bad_response', why, { maybeDelivered: true }));
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

function failed(outcome: Outcome) {
  return { kind: 'failed', outcome } as const;
}
