// The runs of a repository's workflows, as the REST API of GitHub tells them. Every refusal is a
// reason with what to do; a token or an answer never stands in one.

import { roughDuration } from '../../core/quantity.ts';
import type { Clock } from '../../kit/clock.ts';
import { type HttpAnswer, retryAfterMs } from '../../kit/http.ts';
import { cutEnd, printable } from '../../kit/redact.ts';
import { ask, isRecord, parseJson, placeOf } from '../request.ts';

const ANSWER_BYTES_MAX = 10_000_000;
/** The API gives no more on one page. */
export const RUNS_PER_PAGE = 100;
const PAGES_MAX = 5;
const SAID_MAX = 200;

export type WorkflowRun = {
  /** `.github/workflows/test.yml` → `test.yml` */
  readonly file: string;
  readonly name: string;
  readonly workflowId: number;
  readonly number: number;
  readonly status: string;
  readonly conclusion: string | null;
  /** `push`, `pull_request`, … */
  readonly event: string;
  /** Of its last attempt. */
  readonly startedMs: number;
  readonly createdMs: number;
  readonly commit: string;
  readonly url: string;
};

export type RunsAnswer =
  | { readonly kind: 'runs'; readonly runs: readonly WorkflowRun[]; readonly isCut: boolean }
  | { readonly kind: 'failed'; readonly reason: string };

export type GithubApi = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly hasToken: boolean;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

type Answer =
  | { readonly kind: 'json'; readonly body: Readonly<Record<string, unknown>> }
  | { readonly kind: 'failed'; readonly reason: string };

async function get(api: GithubApi, path: string, what: string): Promise<Answer> {
  const url = `${api.url.replace(/\/+$/, '')}${path}`;
  const asked = await ask({
    method: 'GET',
    url,
    headers: api.headers,
    timeoutMs: api.timeoutMs,
    responseBytesMax: ANSWER_BYTES_MAX,
    signal: api.signal,
  });
  if (asked.kind === 'no_answer') return { kind: 'failed', reason: asked.text };
  const { answer } = asked;
  const body = parseJson(answer.body);
  if (answer.status === 200 && isRecord(body)) return { kind: 'json', body };
  const said = isRecord(body) && typeof body['message'] === 'string' ? body['message'] : '';
  const text = refusal(answer, said, what, api);
  return { kind: 'failed', reason: `${placeOf(url)}: ${text}` };
}

function refusal(
  { status, headers }: HttpAnswer,
  said: string,
  what: string,
  { hasToken, clock }: GithubApi,
): string {
  const words = said === '' ? '' : ` (${cutEnd(printable(said), SAID_MAX)})`;
  const isLimited =
    status === 429 ||
    (status === 403 && (headers['x-ratelimit-remaining'] === '0' || 'retry-after' in headers));
  if (isLimited) {
    const resetMs = Number(headers['x-ratelimit-reset']) * 1_000 - clock.now();
    const waitMs = retryAfterMs(headers, clock.now()) ?? (resetMs > 0 ? resetMs : null);
    const when = waitMs === null ? '' : `; again in ${roughDuration(waitMs)}`;
    const advice = hasToken ? '' : '; a token has a higher limit';
    return `the rate limit is used up${when}${advice}`;
  }
  switch (status) {
    case 200:
      return 'the answer is no JSON of the API: is the base URL right?';
    case 401:
      return `HTTP 401: the token was refused${words}; give one that has not expired`;
    case 403:
      return `HTTP 403: the token may not read Actions${words}`;
    case 404: {
      const advice = hasToken ? 'or the token may not see it' : 'or it is private: give a token';
      return `HTTP 404: there is no ${what}, ${advice}`;
    }
    default:
      return `HTTP ${status}${words}`;
  }
}

/**
 * Of one workflow or of all, newest first. Those of forks are left out: a branch of a fork may have
 * any name, also `main`.
 * @param wanted `last`: enough when one is found
 */
export async function workflowRuns(
  api: GithubApi,
  repository: string,
  workflow: string | null,
  filter: Readonly<Record<string, string>>,
  wanted: 'all' | 'last' = 'all',
): Promise<RunsAnswer> {
  const scope = workflow === null ? '' : `/workflows/${encodeURIComponent(workflow)}`;
  const what = workflow === null ? `repository ${repository}` : `workflow ${workflow}`;
  const runs: WorkflowRun[] = [];
  let seen = 0;
  for (let page = 1; page <= PAGES_MAX; page += 1) {
    const query = new URLSearchParams({
      ...filter,
      exclude_pull_requests: 'true',
      per_page: String(RUNS_PER_PAGE),
      page: String(page),
    });
    const answer = await get(api, `/repos/${repository}/actions${scope}/runs?${query}`, what);
    if (answer.kind === 'failed') return answer;
    const { workflow_runs: listed, total_count: total } = answer.body;
    const all: readonly unknown[] = Array.isArray(listed) ? listed : [null];
    const read = all.map((run) => ({ run: runOf(run), isOwn: isOwn(run, repository) }));
    const fit = read.flatMap(({ run, isOwn: own }) => (run !== null && own ? [run] : []));
    if (read.some(({ run }) => run === null)) {
      const reason = `${placeOf(api.url)}: the answer is no list of runs: is the base URL right?`;
      return { kind: 'failed', reason };
    }
    runs.push(...fit);
    seen += all.length;
    const isLast = all.length < RUNS_PER_PAGE || (typeof total === 'number' && seen >= total);
    if (isLast || (wanted === 'last' && runs.length > 0))
      return { kind: 'runs', runs, isCut: false };
  }
  return { kind: 'runs', runs, isCut: true };
}

export async function defaultBranch(
  api: GithubApi,
  repository: string,
): Promise<
  { readonly kind: 'branch'; readonly name: string } | Extract<Answer, { kind: 'failed' }>
> {
  const answer = await get(api, `/repos/${repository}`, `repository ${repository}`);
  if (answer.kind === 'failed') return answer;
  const name = answer.body['default_branch'];
  if (typeof name === 'string') return { kind: 'branch', name };
  return { kind: 'failed', reason: `${placeOf(api.url)}: the answer names no default branch` };
}

/** null instead of a repository: the fork is gone. Where nothing is said, it is the asked one. */
function isOwn(run: unknown, repository: string): boolean {
  const head = isRecord(run) ? run['head_repository'] : undefined;
  if (head === undefined) return true;
  const name = isRecord(head) ? head['full_name'] : null;
  return typeof name === 'string' && name.toLowerCase() === repository.toLowerCase();
}

/** null when it has not the shape of the API. */
function runOf(run: unknown): WorkflowRun | null {
  if (!isRecord(run)) return null;
  const { path, name, workflow_id: id, run_number: number, status, conclusion } = run;
  const createdMs = Date.parse(String(run['created_at']));
  const startedMs = Date.parse(String(run['run_started_at'] ?? run['created_at']));
  if (typeof status !== 'string' || typeof id !== 'number') return null;
  if (Number.isNaN(createdMs) || Number.isNaN(startedMs)) return null;
  // A run of another branch's file has its name behind an "@".
  const file =
    String(path ?? '')
      .split('@')[0]
      ?.split('/')
      .at(-1) ?? '';
  return {
    file,
    name: printable(String(name ?? file)),
    workflowId: id,
    number: typeof number === 'number' ? number : 0,
    status,
    conclusion: typeof conclusion === 'string' ? conclusion : null,
    event: printable(String(run['event'] ?? '')).slice(0, 100),
    ...{ startedMs, createdMs },
    commit: String(run['head_sha'] ?? '').slice(0, 40),
    url: String(run['html_url'] ?? '').slice(0, 500),
  };
}
