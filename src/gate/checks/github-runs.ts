// Runs of GitHub Actions: the last run of each named workflow succeeded and is fresh, and nothing
// else on the branch is pending or failed. Whatever GitHub does not tell is unknown.
import { ms } from '../../config/fields.ts';
import type { GithubRunsInput } from '../../config/gate-checks/github-runs.ts';
import { roughDuration } from '../../core/quantity.ts';
import { fill } from '../../core/template.ts';
import type { CheckResult, CheckTools } from '../check.ts';
import { type Found, summedUp } from '../found.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import { withToken } from '../request.ts';
import { exhibit, unknown } from '../result.ts';
import { defaultBranch, type GithubApi, type WorkflowRun, workflowRuns } from './github-api.ts';

const API_VERSION = '2022-11-28';
const ASKS_AT_ONCE = 4;
const BEYOND_ASKS_MS = 1_000;
/** Ended, and nothing is wrong: a workflow may skip itself. */
const FINE = new Set(['success', 'skipped', 'neutral']);

type Asked = {
  readonly api: GithubApi;
  readonly repository: string;
  readonly filter: Readonly<Record<string, string>>;
  /** "on main" */
  readonly where: string;
};

export function githubRunsCheck(input: GithubRunsInput, make: MakeTools): MadeCheck {
  return {
    kind: 'github_runs',
    wants: wantsText(input),
    timeoutMs: ms(input.timeout) + BEYOND_ASKS_MS,
    run: async (tools) => {
      const asked = await prepared(input, make, tools);
      if ('text' in asked) return unknown(asked.text);
      return look(input, asked, tools);
    },
  };
}

async function prepared(
  input: GithubRunsInput,
  { secrets, values }: MakeTools,
  { clock, signal }: CheckTools,
): Promise<Asked | { readonly text: string }> {
  const headers = withToken(input.token, secrets, {
    accept: 'application/vnd.github+json',
    'x-github-api-version': API_VERSION,
    'user-agent': 'canaryd',
  });
  if (headers.kind === 'missing') return { text: headers.text };
  const { repository } = input;
  const api: GithubApi = {
    ...{ url: input.api, headers: headers.headers, hasToken: input.token !== undefined },
    ...{ timeoutMs: ms(input.timeout), clock, signal },
  };
  const commit = input.commit === undefined ? {} : { head_sha: fill(input.commit, values) };
  if (input.branch === undefined && input.commit !== undefined) {
    return { api, repository, filter: commit, where: `of ${fill(input.commit, values)}` };
  }
  const branch =
    input.branch === undefined
      ? await defaultBranch(api, repository)
      : ({ kind: 'branch', name: fill(input.branch, values) } as const);
  if (branch.kind === 'failed') return { text: branch.reason };
  const filter = { branch: branch.name, ...commit };
  return { api, repository, filter, where: `on ${branch.name}` };
}

async function look(
  input: GithubRunsInput,
  asked: Asked,
  { clock }: CheckTools,
): Promise<CheckResult> {
  const { workflows = [] } = input;
  const found: Found[] = [];
  const seen: WorkflowRun[] = [];
  for (let from = 0; from < workflows.length; from += ASKS_AT_ONCE) {
    const some = workflows.slice(from, from + ASKS_AT_ONCE);
    const answers = await Promise.all(
      some.map(async (file) => ({ file, ...(await named(file, input, asked, clock.now())) })),
    );
    for (const { found: one, run } of answers) {
      found.push(one);
      if (run !== null) seen.push(run);
    }
  }
  if (input.none_failed) {
    const others = await unnamed(input, asked, clock.now());
    found.push(...others.found);
    seen.push(...others.runs);
  }
  const body = JSON.stringify({ repository: input.repository, runs: seen }, null, 2);
  return summedUp(found, { exhibits: [exhibit('runs.json', body)] });
}

type Named = { readonly found: Found; readonly run: WorkflowRun | null };

async function named(
  file: string,
  { max_age: maxAge }: GithubRunsInput,
  { api, repository, filter, where }: Asked,
  nowMs: number,
): Promise<Named> {
  const answer = await workflowRuns(api, repository, file, filter, 'last');
  if (answer.kind === 'failed') return { found: unseen(answer.reason), run: null };
  const [run] = newestFirst(answer.runs);
  if (run === undefined && answer.isCut) {
    return { found: unseen(`${file}: only runs of forks among the last ones ${where}`), run: null };
  }
  if (run === undefined) return { found: bad(`${file} has no run ${where}`), run: null };
  const complaint = complaintOf(run);
  const age = `${roughDuration(Math.max(0, nowMs - run.startedMs))} ago`;
  if (complaint !== null) return { found: bad(`${file} ${complaint}, ${age}`), run };
  if (run.conclusion !== 'success') {
    return { found: bad(`${file} #${run.number} was ${run.conclusion}, success wanted`), run };
  }
  if (maxAge !== undefined && nowMs - run.startedMs > ms(maxAge)) {
    const text = `${file} #${run.number} succeeded ${age}, within ${maxAge} wanted`;
    return { found: bad(text), run };
  }
  return { found: { kind: 'good', text: `${file} #${run.number} succeeded ${age}` }, run };
}

/** The last run of each workflow that is not named. */
async function unnamed(
  { workflows = [], max_age: maxAge }: GithubRunsInput,
  { api, repository, filter, where }: Asked,
  nowMs: number,
): Promise<{ readonly found: readonly Found[]; readonly runs: readonly WorkflowRun[] }> {
  const since = maxAge === undefined ? null : new Date(nowMs - ms(maxAge)).toISOString();
  const created = since === null ? {} : { created: `>=${since.replace(/\.\d+Z$/, 'Z')}` };
  const answer = await workflowRuns(api, repository, null, { ...filter, ...created });
  if (answer.kind === 'failed') return { found: [unseen(answer.reason)], runs: [] };
  if (answer.isCut && maxAge !== undefined) {
    const text = `more than ${answer.runs.length} runs ${where} within ${maxAge}; set a shorter max_age`;
    return { found: [unseen(text)], runs: [] };
  }
  const last = new Map<number, WorkflowRun>();
  for (const run of newestFirst(answer.runs)) {
    if (!last.has(run.workflowId) && !workflows.includes(run.file)) last.set(run.workflowId, run);
  }
  const runs = [...last.values()];
  const wrong = runs.flatMap((run) => {
    const complaint = complaintOf(run);
    return complaint === null ? [] : [bad(`${run.file || run.name} ${complaint}`)];
  });
  if (wrong.length > 0) return { found: wrong, runs };
  const others = workflows.length === 0 ? 'workflows' : 'other workflows';
  if (runs.length === 0 && workflows.length === 0) {
    return { found: [unseen(`no workflow has run ${where}`)], runs };
  }
  const text = `none of ${runs.length} ${others} ${where} pending or failed`;
  return { found: [{ kind: 'good', text }], runs };
}

/** By the number that counts up: a repeated attempt keeps the place of its run. */
function newestFirst(runs: readonly WorkflowRun[]): readonly WorkflowRun[] {
  return runs.toSorted((a, b) => b.createdMs - a.createdMs || b.number - a.number);
}

function complaintOf({ status, conclusion, number }: WorkflowRun): string | null {
  if (status !== 'completed') return `#${number} is ${status.replace('_', ' ')}`;
  if (conclusion !== null && FINE.has(conclusion)) return null;
  return `#${number} ended with ${conclusion?.replace('_', ' ') ?? 'no conclusion'}`;
}

function bad(text: string): Found {
  return { kind: 'bad', text };
}

function unseen(text: string): Found {
  return { kind: 'unknown', text };
}

function wantsText(input: GithubRunsInput): string {
  const { workflows = [], branch, commit, max_age: maxAge, none_failed: none } = input;
  const where = branch ?? (commit === undefined ? 'the default branch' : commit);
  const age = maxAge === undefined ? '' : ` within ${maxAge}`;
  const parts = [
    ...(workflows.length === 0 ? [] : [`${workflows.join(', ')} succeeded${age}`]),
    ...(none ? ['none pending or failed'] : []),
  ];
  return `${input.repository} on ${where}: ${parts.join(', ')}`;
}
