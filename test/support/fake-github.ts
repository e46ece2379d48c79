// GitHub's REST API, as far as the runs of workflows go: filters, pages, tokens and its ways to
// refuse. Needs no test runner.
import {
  type FakeService,
  type Json,
  type ServiceAnswer,
  startFakeService,
} from './fake-service.ts';

export type Run = {
  readonly file: string;
  readonly branch?: string;
  readonly sha?: string;
  /** null: that was deleted. */
  readonly fork?: string | null;
  readonly event?: string;
  readonly status?: string;
  readonly conclusion?: string | null;
  readonly createdMs: number;
  /** Of a later attempt. */
  readonly startedMs?: number;
};

export type FakeGithub = FakeService & {
  readonly token: string;
  readonly repository: string;
  /** Replaces all runs. */
  setRuns(runs: readonly Run[]): void;
};

export async function startFakeGithub(
  prefix = '',
  repository = 'acme/aurora',
): Promise<FakeGithub> {
  const token = ['ghp', 'abcdefghijklmnopqrstuvwxyz0123456789'].join('_');
  let runs: readonly (Run & { readonly number: number })[] = [];
  let files: readonly string[] = [];

  function answer({
    path,
    headers,
  }: {
    readonly path: string;
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  }): ServiceAnswer {
    const { authorization } = headers;
    if (authorization !== undefined && authorization !== `Bearer ${token}`) {
      return no(401, 'Bad credentials');
    }
    if (headers['user-agent'] === undefined) return no(403, 'Request forbidden');
    const url = new URL(path, 'http://github');
    const base = `${prefix}/repos/${repository}`;
    if (authorization === undefined || !url.pathname.startsWith(base)) return no(404, 'Not Found');
    const rest = url.pathname.slice(base.length);
    if (rest === '') return { status: 200, body: { default_branch: 'main' } };
    if (rest === '/actions/runs') return listed(runs, url.searchParams);
    const file = /^\/actions\/workflows\/([^/]+)\/runs$/.exec(rest)?.[1];
    const name = file === undefined ? '' : decodeURIComponent(file);
    if (!files.includes(name)) return no(404, 'Not Found');
    return listed(
      runs.filter((run) => run.file === name),
      url.searchParams,
    );
  }

  function listed(all: typeof runs, query: URLSearchParams): ServiceAnswer {
    const sinceMs = Date.parse(query.get('created')?.replace(/^>=/, '') ?? '1970-01-01');
    const fit = all
      .filter(({ branch = 'main' }) => branch === (query.get('branch') ?? branch))
      .filter(({ sha = 'abc' }) => sha === (query.get('head_sha') ?? sha))
      .filter(({ createdMs }) => createdMs >= sinceMs)
      .toSorted((a, b) => b.createdMs - a.createdMs);
    const size = Number(query.get('per_page') ?? 30);
    const from = (Number(query.get('page') ?? 1) - 1) * size;
    const body = { total_count: fit.length, workflow_runs: fit.slice(from, from + size).map(told) };
    return { status: 200, body };
  }

  function told(run: (typeof runs)[number]): Json {
    const { status = 'completed', branch = 'main', sha = 'abc' } = run;
    const done = run.conclusion === undefined ? 'success' : run.conclusion;
    return {
      id: 1_000 + run.number,
      name: run.file.replace('.yml', ''),
      path: `.github/workflows/${run.file}`,
      workflow_id: files.indexOf(run.file) + 1,
      run_number: run.number,
      head_branch: branch,
      event: run.event ?? 'push',
      head_repository:
        run.fork === null ? null : { full_name: run.fork ?? repository, private: true },
      head_sha: sha,
      status,
      conclusion: status === 'completed' ? done : null,
      created_at: new Date(run.createdMs).toISOString(),
      run_started_at: new Date(run.startedMs ?? run.createdMs).toISOString(),
      html_url: `https://github.example/${repository}/actions/runs/${1_000 + run.number}`,
    };
  }

  const service = await startFakeService(answer);
  return {
    ...service,
    token,
    repository,
    setRuns(all) {
      runs = all.map((run, index) => ({ ...run, number: index + 1 }));
      files = [...new Set(all.map(({ file }) => file))];
    },
  };
}

function no(status: number, message: string): ServiceAnswer {
  const body = {
    message,
    documentation_url: 'https://docs.github.com/rest',
    status: String(status),
  };
  return { status, body };
}
