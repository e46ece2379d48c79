// `backtest`: a policy over past deploys, out of the history of the Prometheus it will watch with.
// Asks only; nothing is sent to anybody else.
import { chooseDeploys } from '../backtest/deploys.ts';
import { leftOutText, replayedPolicy } from '../backtest/replayed-policy.ts';
import { counted } from '../backtest/report-words.ts';
import type { PastDeploy } from '../backtest/result.ts';
import {
  type BacktestEnd,
  type PolicyUnderTest,
  type Progress,
  runBacktest,
} from '../backtest/run.ts';
import { isAllRight } from '../backtest/score.ts';
import { openStateFile, type StateFile } from '../backtest/state-file.ts';
import { loadConfigSources } from '../config/config-sources.ts';
import { loadPolicyFile } from '../config/load.ts';
import type { Policy } from '../core/policy.ts';
import { formatDuration } from '../core/quantity.ts';
import { policyHash, prometheusOptions } from '../daemon/sources.ts';
import { toWire } from '../http/wire.ts';
import { createAsk, type PrometheusOptions } from '../source/prometheus-api.ts';
import { type DeployOptions, givenDeploys, lostText } from './backtest-deploys.ts';
import { checkReport, writeReport } from './backtest-report.ts';
import { barText, doneText, resultText } from './backtest-table.ts';
import { CliExit, EXIT, type ExitCode, usage } from './exit.ts';
import type { CliIo, Output } from './output.ts';
import { durationOf, parametersOf, wholeOf } from './parse.ts';

export type BacktestOptions = DeployOptions & {
  readonly config: string;
  readonly prometheus?: string;
  readonly param?: readonly string[];
  readonly limit: string;
  readonly compare?: string;
  readonly state?: string;
  readonly report?: string;
  readonly chunk: string;
  readonly atOnce: string;
  readonly pace: string;
  readonly timeout: string;
};

const DEPLOYS_MAX = 1_000;
const AT_ONCE_MAX = 16;
const CHUNK_MIN_MS = 60_000;
const CHUNK_MAX_MS = 24 * 3_600_000;
const PACE_MAX_MS = 60_000;

type Bounds = {
  readonly atOnce: number;
  readonly paceMs: number;
  readonly chunkMs: number;
};

export async function backtest(
  io: CliIo,
  output: Output,
  file: string,
  options: BacktestOptions,
): Promise<ExitCode> {
  try {
    return await run(io, output, file, options);
  } catch (error) {
    const isSaid = error instanceof CliExit && error.exitCode === EXIT.interrupted;
    if (!io.signal.aborted || isSaid) throw error;
    throw new CliExit(EXIT.interrupted, 'interrupted: no deploy was replayed yet');
  }
}

async function run(
  io: CliIo,
  output: Output,
  file: string,
  options: BacktestOptions,
): Promise<ExitCode> {
  const policies = policiesOf(file, options.compare);
  const [{ policy }] = policies;
  const bounds = boundsOf(options);
  const limit = wholeOf('--limit', options.limit, DEPLOYS_MAX);
  const parameters = parametersOf(options.param ?? []);
  const source = sourceOf(io, policy, options);
  if (options.report !== undefined) checkReport(options.report);
  const ask = createAsk(source.options);
  const given = await givenDeploys(options, { io, output, policy, ask, limit, ...bounds });
  const { deploys, others, older } = chooseDeploys(given, policy, { limit, parameters });
  if (deploys.length === 0) {
    const what = others > 0 ? `${others} of other services or environments` : 'none';
    throw usage(`found no deploy of ${policy.service}, but ${what}; wanted at least one`);
  }
  const left = [
    ...(others > 0 ? [`${others} of other services or environments`] : []),
    ...(older > 0 ? [`${older} older ones (--limit)`] : []),
  ];
  const leftText = left.length === 0 ? '' : `; not ${left.join(', not ')}`;
  output.line(
    `${counted(deploys.length, 'deploy')} of ${policy.service} out of ${source.name}${leftText}`,
  );
  const state = stateOf(options.state, source.options.url, output);
  try {
    const end = await runBacktest({
      ...{ policies, deploys, source: source.name, ask, ...bounds, finished: state },
      clock: io.clock,
      signal: io.signal,
      onProgress: (progress) => show(output, progress),
    });
    return finish(output, end, deploys, options);
  } finally {
    state?.close();
  }
}

function policiesOf(
  file: string,
  other: string | undefined,
): readonly [PolicyUnderTest, ...PolicyUnderTest[]] {
  const load = (path: string): PolicyUnderTest => {
    const policy = loadPolicyFile(path);
    const { policy: replayed, leftOut } = replayedPolicy(policy);
    if (replayed.conditions.length === 0) {
      const why = leftOut.map((one) => `\n  ${leftOutText(one)}`).join('');
      throw usage(`${path}: found no condition that can be replayed; wanted at least one:${why}`);
    }
    return { policy, file: path, hash: policyHash(policy) };
  };
  const first = load(file);
  if (other === undefined) return [first];
  const second = load(other);
  if (first.policy.service !== second.policy.service) {
    const [a, b] = [first.policy.service, second.policy.service];
    throw usage(`--compare: found a policy of ${b}, wanted one of ${a}, like ${file}`);
  }
  return [first, second];
}

function boundsOf({ chunk, atOnce, pace }: BacktestOptions): Bounds {
  const chunkMs = durationOf('--chunk', chunk);
  const paceMs = pace === '0s' ? 0 : durationOf('--pace', pace);
  if (chunkMs < CHUNK_MIN_MS || chunkMs > CHUNK_MAX_MS) {
    throw usage(`--chunk: found ${chunk}, wanted a duration from 1m to 24h`);
  }
  if (paceMs > PACE_MAX_MS) throw usage(`--pace: found ${pace}, wanted at most 1m`);
  return { chunkMs, paceMs, atOnce: wholeOf('--at-once', atOnce, AT_ONCE_MAX) };
}

/** By a URL, or by the name that the policy uses in the config. */
function sourceOf(
  io: CliIo,
  policy: Policy,
  { prometheus, config: path, timeout }: BacktestOptions,
): { readonly name: string; readonly options: PrometheusOptions } {
  const timeoutMs = durationOf('--timeout', timeout);
  const { clock, env } = io;
  if (prometheus !== undefined) {
    const url = URL.parse(prometheus);
    if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '') {
      const wanted = 'wanted a URL such as http://127.0.0.1:9090, without a password';
      throw usage(
        `--prometheus: found ${url?.username ? 'a password' : JSON.stringify(prometheus)}; ${wanted}`,
      );
    }
    return { name: url.origin, options: { url: prometheus, timeoutMs, clock } };
  }
  const source = loadConfigSources(path, { env }).find(policy.source) ?? undefined;
  if (source?.kind === 'prometheus') {
    const options = prometheusOptions(source, clock);
    const patientMs = Math.max(timeoutMs, source.timeoutMs);
    return { name: policy.source, options: { ...options, timeoutMs: patientMs } };
  }
  const found = source === undefined ? 'no such source' : 'a source of kind scrape, without a past';
  throw usage(
    `${path}: sources.${policy.source}: found ${found}; wanted a prometheus; ` +
      'name the Prometheus that scrapes the service with --prometheus URL',
  );
}

function stateOf(path: string | undefined, url: string, output: Output): StateFile | null {
  if (path === undefined) return null;
  const opened = openStateFile(path, url, (detail) =>
    output.error(`--state ${path}: ${detail}; going on without it`),
  );
  if (opened.kind === 'failed') throw usage(`--state ${path}: ${opened.detail}`);
  const { state } = opened;
  if (state.found > 0)
    output.line(`goes on: ${counted(state.found, 'replay')} of earlier runs in ${path}`);
  return state;
}

function show(output: Output, progress: Progress): void {
  const bar = barText(progress.done, progress.total);
  if (progress.kind === 'at') {
    const since = formatDuration(Math.round(progress.sinceMs / 60_000) * 60_000);
    output.live(`${bar}  ${progress.deploy.version} +${since}`);
    return;
  }
  output.line(`${progress.done}/${progress.total} ${doneText(progress.result)}`);
  output.live(bar);
}

function finish(
  output: Output,
  end: BacktestEnd,
  deploys: readonly PastDeploy[],
  { state, report }: BacktestOptions,
): ExitCode {
  if (end.kind !== 'done') {
    const kept =
      state === undefined
        ? 'with --state FILE the next run would go on here'
        : `the same command again goes on here (${state})`;
    const where = `${end.done} of ${end.total} replays are done; ${kept}`;
    if (end.kind === 'interrupted') throw new CliExit(EXIT.interrupted, `interrupted: ${where}`);
    throw new CliExit(EXIT.unreachable, `${lostText(end.detail)}; ${where}`);
  }
  const { results } = end;
  if (output.isJson) output.json({ results: toWire(results) });
  else output.line(`\n${resultText(results)}`);
  if (report !== undefined) {
    writeReport(report, results);
    output.line(`report: ${report}`);
  }
  const all = results.flatMap((one) => one.deploys);
  if (all.every(({ verdict }) => verdict === 'failed')) {
    const [cause = ''] = all[0]?.because ?? [];
    throw usage(
      `none of ${counted(deploys.length, 'deploy')} could be replayed; the first: ${cause}`,
    );
  }
  return isAllRight(results[0]?.deploys ?? []) ? EXIT.passed : EXIT.stopped;
}
