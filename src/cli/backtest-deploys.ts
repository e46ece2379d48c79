// Where the deploys of a backtest come from: a list, a version label in the history, or canaryd's
// own journal, of a daemon or as a file.
import { existsSync } from 'node:fs';
import { Asker, SourceLost } from '../backtest/asker.ts';
import type { GivenDeploy } from '../backtest/deploys.ts';
import { deploysOf, findChanges, LOOK_BACK_MAX_MS } from '../backtest/find.ts';
import { counted } from '../backtest/report-words.ts';
import { readDeploysFile } from '../config/deploys-file.ts';
import { loadConfig } from '../config/load.ts';
import { problemsText } from '../config/problems.ts';
import type { Policy } from '../core/policy.ts';
import type { Journal } from '../journal/journal.ts';
import { openJournal } from '../journal/open.ts';
import type { Ask } from '../source/prometheus-api.ts';
import { barText } from './backtest-table.ts';
import { createClient, need, readList, serverOf, tokenOf, type WireWatch } from './client.ts';
import { CliExit, EXIT, usage } from './exit.ts';
import type { CliIo, Output } from './output.ts';
import { durationOf, timeOf } from './parse.ts';

export type DeployOptions = {
  readonly deploys?: string;
  readonly find?: string;
  readonly label?: string;
  readonly since?: string;
  readonly until?: string;
  readonly rolledBackIsBad?: boolean;
  readonly journal?: string;
  readonly tokenFile?: string;
};

/** Watches that one page of the API holds, and that are looked at in all. */
const PAGE = 200;
const WATCHES_MAX = 10_000;
const SINCE_DEFAULT = '30d';
const LABEL_DEFAULT = 'version';

export type Finding = {
  readonly io: CliIo;
  readonly output: Output;
  readonly policy: Policy;
  readonly ask: Ask;
  readonly atOnce: number;
  readonly paceMs: number;
  /** Enough, the newest first. */
  readonly limit: number;
};

export async function givenDeploys(
  options: DeployOptions,
  finding: Finding,
): Promise<readonly GivenDeploy[]> {
  const ways = [options.deploys, options.find, options.journal].filter((way) => way !== undefined);
  if (ways.length !== 1) {
    const found = ways.length === 0 ? 'none' : 'several';
    throw usage(`found ${found} of --deploys, --find and --journal; wanted exactly one of them`);
  }
  refuseStrays(options);
  if (options.deploys !== undefined) return listed(options.deploys);
  if (options.find !== undefined) return inHistory(options.find, options, finding);
  return inJournal(options.journal ?? '', options, finding);
}

/** An option that nobody reads was meant to do something. */
function refuseStrays(options: DeployOptions): void {
  const { find, journal, label, since, until, rolledBackIsBad, tokenFile } = options;
  const ofFind = { label, since, until, 'rolled-back-is-bad': rolledBackIsBad };
  for (const [name, value] of Object.entries(ofFind)) {
    if (value !== undefined && find === undefined)
      throw usage(`--${name}: wanted only with --find`);
  }
  if (tokenFile !== undefined && !isUrl(journal)) {
    throw usage('--token-file: wanted only with --journal and the URL of a daemon');
  }
}

const isUrl = (where: string | undefined) => /^https?:/.test(where ?? '');

function listed(path: string): readonly GivenDeploy[] {
  const read = readDeploysFile(path);
  if (read.kind === 'problems') throw usage(problemsText(path, read.problems));
  return read.deploys;
}

async function inHistory(
  promql: string,
  options: DeployOptions,
  { io, output, policy, ask, atOnce, paceMs, limit }: Finding,
): Promise<readonly GivenDeploy[]> {
  const { clock, signal } = io;
  const label = options.label ?? LABEL_DEFAULT;
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label)) {
    throw usage(`--label: found ${JSON.stringify(label)}, wanted the name of a label`);
  }
  const untilMs =
    options.until === undefined ? clock.now() : Date.parse(timeOf('--until', options.until));
  const since = options.since ?? SINCE_DEFAULT;
  const sinceMs = durationOf('--since', since);
  if (sinceMs > LOOK_BACK_MAX_MS) throw usage(`--since: found ${since}, wanted at most 732d`);
  const fromMs = untilMs - sinceMs;
  const asker = new Asker({ ask, clock, atOnce, paceMs, signal });
  output.line(`looking for changes of ${label} in ${since} of ${promql}`);
  const onProgress = (share: number) => output.live(`${barText(Math.floor(share * 100), 100)} %`);
  const found = await findChanges({
    ...{ asker, promql, label, fromMs, untilMs, newest: limit, onProgress },
  }).catch((error: unknown) => {
    if (error instanceof SourceLost) throw new CliExit(EXIT.unreachable, lostText(error.message));
    throw error;
  });
  if (found.kind === 'failed') throw usage(`--find: ${found.detail}`);
  const deploys = deploysOf(found.changes, {
    service: policy.service,
    environment: policy.environment,
    parameters: {},
    rolledBackIsBad: options.rolledBackIsBad === true,
  });
  const rollbacks = found.changes.length - deploys.length;
  output.line(
    `found ${counted(deploys.length, 'deploy')} and ${counted(rollbacks, 'rollback')} ` +
      `(${counted(asker.takeLoad().requests, 'request')})`,
  );
  return deploys;
}

export function lostText(detail: string): string {
  return `the source cannot be asked: ${detail}`;
}

async function inJournal(
  where: string,
  options: DeployOptions,
  { io, policy, limit }: Finding,
): Promise<readonly GivenDeploy[]> {
  // Each deploy may have a rollback.
  const wanted = Math.min(WATCHES_MAX, Math.max(2 * limit, PAGE));
  if (isUrl(where)) return fromDaemon(where, options, io, policy, wanted);
  if (!existsSync(where)) throw usage(`--journal: cannot read ${where}`);
  const config = /\.ya?ml$/.test(where)
    ? loadConfig(where, { env: io.env }).config.journal
    : { sqlite: { path: where } };
  // Awaited below: the journal must stay open until it was read.
  await using journal = await openJournal(config, { readOnly: true });
  return await fromJournal(journal, policy, wanted);
}

async function fromJournal(
  journal: Journal,
  { service }: Policy,
  limit: number,
): Promise<readonly GivenDeploy[]> {
  const records = await journal.watches({ service, limit });
  return Promise.all(
    records.map(async ({ deploy, id, startedAtMs }) => {
      const [first] = await journal.events(id, 0, 1);
      const isRollback = first?.type === 'watch.started' && first.rollbackOf !== null;
      return given(deploy, startedAtMs, isRollback);
    }),
  );
}

async function fromDaemon(
  url: string,
  { tokenFile }: DeployOptions,
  io: CliIo,
  { service }: Policy,
  limit: number,
): Promise<readonly GivenDeploy[]> {
  const { env, signal } = io;
  const client = createClient({
    server: serverOf(url, env),
    token: tokenOf(tokenFile, env),
    signal,
  });
  const watches: WireWatch[] = [];
  let before: string | null = null;
  do {
    const query = new URLSearchParams({ service, limit: String(PAGE) });
    if (before !== null) query.set('before', before);
    const page: NonNullable<ReturnType<typeof readList>> = need(
      await client.ask({ path: `/v1/watches?${query}`, read: readList }),
      client,
    );
    watches.push(...page.watches);
    before = page.next_before;
  } while (before !== null && watches.length < limit);
  return watches.map((watch) => {
    const deploy = {
      service: watch.service,
      environment: watch.environment,
      version: watch.version,
      previousVersion: watch.previous_version,
      deployedAtMs: Date.parse(watch.deployed_at),
      parameters: watch.parameters,
    };
    return given(deploy, Date.parse(watch.started_at), watch.rollback_of !== null);
  });
}

/** The rollback of a watch is a deploy, too: it ends the time of the one it took back. */
function given(
  deploy: Omit<GivenDeploy, 'label' | 'replaced'>,
  startedAtMs: number,
  isRollback: boolean,
): GivenDeploy {
  const { service, environment, version, previousVersion, deployedAtMs, parameters } = deploy;
  return {
    ...{ service, environment, version, previousVersion, deployedAtMs, parameters },
    ...{ startedAtMs, isRollback, label: null },
  };
}
