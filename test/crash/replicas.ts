// Several daemon processes on one PostgreSQL, many watches, and replicas that are killed hard or
// restarted in turn all the time. Judged from outside, like the rounds; needs no test runner.
import { setTimeout as elapsed } from 'node:timers/promises';
import { type Canaryd, startCanaryd } from '../support/daemon.ts';
import { check, hasEnded, watchesOf } from './check.ts';
import {
  aStart,
  crashPolicy,
  type Figures,
  figuresConfig,
  SECRETS,
  SERVICE,
  startActions,
  startFigures,
} from './lane.ts';
import { dice } from './plan.ts';
import { cpuS, openStore, type Store } from './stores.ts';

const STARTED_WITHIN_MS = 8_000;
const TRIES_MAX = 40;
const TRY_AGAIN_MS = 250;
/** After the last kill: taken over, judged, verified. */
const END_WITHIN_MS = 120_000;

export type ReplicasOptions = {
  /** In place of a server of its own. */
  readonly on?: Store;
  readonly replicas: number;
  readonly watches: number;
  readonly seconds: number;
  readonly seed: number;
  /** `kill`: one SIGKILL every few seconds; `roll`: SIGTERM and a new process, one after another. */
  readonly how: 'kill' | 'roll';
  readonly intervalS: number;
  readonly say?: (line: string) => void;
};

export type ReplicasSummary = {
  readonly exactlyOne: number;
  readonly lost: number;
  readonly ends: number;
  readonly repeats: number;
  readonly largestGapMs: number;
  readonly smallestGapMs: number;
  /** From an end of a replica to the next tick of each watch, when no other came in between. */
  readonly takeOverMs: number;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
  readonly line: string;
};

type Planned = {
  readonly environment: string;
  readonly isBad: boolean;
  readonly startAfterMs: number;
  readonly turnsBadAfterMs: number;
};

type World = ReplicasOptions & {
  readonly figures: Figures;
  readonly receiver: Awaited<ReturnType<typeof startActions>>;
  readonly daemons: readonly Canaryd[];
  readonly random: () => number;
  readonly cpu: Map<number, number>;
  /** When a replica was killed or told to end. */
  readonly endedAtMs: number[];
};

export async function runReplicas(options: ReplicasOptions): Promise<ReplicasSummary> {
  const store = options.on ?? (await openStore('postgres'));
  const figures = await startFigures();
  const receiver = await startActions(figures);
  const daemons: Canaryd[] = [];
  try {
    daemons.push(...(await startDaemons(options, store, figures, receiver.url)));
    const random = dice(options.seed);
    const cpu = new Map<number, number>();
    const world = { ...options, figures, receiver, daemons, random, cpu, endedAtMs: [] };
    return await storm(world, store);
  } finally {
    for (const daemon of daemons) await daemon.dispose();
    await Promise.all([receiver.close(), figures.close()]);
    if (options.on === undefined) await store.close();
  }
}

async function startDaemons(
  { replicas, seconds, intervalS }: ReplicasOptions,
  store: Store,
  figures: Figures,
  receiverUrl: string,
): Promise<readonly Canaryd[]> {
  const journaled = store.fresh();
  const policy = crashPolicy(
    { url: receiverUrl },
    {
      interval: `${intervalS}s`,
      windows: [
        { name: 'immediate', until: `${seconds}s`, stop: { failures: { above: 0 } } },
        {
          name: 'success',
          until: `${seconds + 60}s`,
          stop: { failures: { above: 0 } },
          pass: { failures: { at_most: 0 } },
          for: '3s',
        },
      ],
    },
  );
  const setup = {
    // Messages go to the log: Slack would take one a second.
    config: { ...figuresConfig(figures), journal: journaled.config },
    policies: { [SERVICE]: JSON.stringify(policy) },
    env: { ...SECRETS, ...journaled.env },
  };
  const daemons: Canaryd[] = [];
  for (let index = 0; index < replicas; index += 1) daemons.push(await startCanaryd(setup));
  return daemons;
}

async function storm(world: World, store: Store): Promise<ReplicasSummary> {
  const { watches, random, seconds, how, say = () => {} } = world;
  const startedAt = performance.now();
  const planned = Array.from({ length: watches }, (_, index): Planned => {
    const startAfterMs = random() * STARTED_WITHIN_MS;
    const spanMs = Math.max(1_000, seconds * 1_000 - STARTED_WITHIN_MS - 4_000);
    const turnsBadAfterMs = 1_000 + random() * spanMs;
    return { environment: `e${index}`, isBad: index % 2 === 0, startAfterMs, turnsBadAfterMs };
  });
  const starting = planned.map((one, index) => startOne(world, one, index));
  await (how === 'kill' ? killOnAndOn(world) : restartInTurn(world));
  const ids = await Promise.all(starting);
  say('waiting for the ends');
  await untilAllEnded(world, planned);
  for (const daemon of world.daemons) note(world, daemon);
  const tookS = (performance.now() - startedAt) / 1_000;
  return judge(world, planned, ids, { tookS, storeCpuS: store.cpuS() });
}

/** Through one replica, or the next when that one is dead; always under one key. */
async function startOne(world: World, planned: Planned, index: number): Promise<string> {
  const { daemons, figures } = world;
  const { environment, isBad, startAfterMs, turnsBadAfterMs } = planned;
  const site = { environment, isBad: false, heals: true, slowMs: 0, onStep: () => {} };
  figures.add(site);
  await elapsed(startAfterMs);
  let problem = '';
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    const daemon = daemons[(index + attempt) % daemons.length];
    const headers = { 'idempotency-key': `start-${environment}` };
    const answer = await daemon
      ?.post('/v1/watches', aStart(environment), headers)
      .catch((error: unknown) => ({ status: 0, body: { error: String(error) } }));
    if (answer?.status === 200 || answer?.status === 201) {
      if (isBad) {
        setTimeout(() => {
          site.isBad = true;
        }, turnsBadAfterMs).unref();
      }
      return String((answer.body as Record<string, unknown>)['id']);
    }
    problem = JSON.stringify(answer);
    await elapsed(TRY_AGAIN_MS);
  }
  throw new Error(`${environment} did not start: ${problem}`);
}

async function killOnAndOn(world: World): Promise<void> {
  const { daemons, random, seconds, say = () => {} } = world;
  const until = performance.now() + seconds * 1_000;
  for (;;) {
    await elapsed(2_000 + random() * 2_500);
    if (performance.now() > until) return;
    const index = Math.floor(random() * daemons.length);
    const victim = daemons[index];
    if (victim === undefined) continue;
    note(world, victim);
    world.endedAtMs.push(Date.now());
    await victim.kill9();
    say(`replica ${index + 1} killed`);
    await elapsed(random() * 2_000);
    await victim.start();
  }
}

async function restartInTurn(world: World): Promise<void> {
  const { daemons, seconds } = world;
  const until = performance.now() + seconds * 1_000;
  for (;;) {
    for (const daemon of daemons) {
      await elapsed(2_000);
      if (performance.now() > until) return;
      note(world, daemon);
      world.endedAtMs.push(Date.now());
      const code = await daemon.end();
      if (code !== 0) throw new Error(`ended with ${code}: ${daemon.log().slice(-2_000)}`);
      await daemon.start();
    }
  }
}

/** CPU seconds of a process so far; before it ends. */
function note({ cpu }: World, { pid }: Canaryd): void {
  cpu.set(pid, cpuS(pid));
}

async function untilAllEnded({ daemons }: World, planned: readonly Planned[]): Promise<void> {
  const deadline = performance.now() + END_WITHIN_MS;
  const url = daemons[0]?.url ?? '';
  for (const { environment } of planned) {
    for (;;) {
      const watches = await watchesOf(url, environment);
      if (watches.length > 0 && watches.every(hasEnded)) break;
      // Those that do not end are told by the checks.
      if (performance.now() > deadline) return;
      await elapsed(500);
    }
  }
}

type Gap = { readonly fromMs: number; readonly toMs: number };

/** Between the ticks of a watch. */
async function gapsOf(url: string, id: string): Promise<readonly Gap[]> {
  const answer = await fetch(`${url}/v1/watches/${id}/samples?limit=5000`);
  const { samples } = (await answer.json()) as { samples: readonly { at_ms: number }[] };
  return samples.slice(1).map(({ at_ms: toMs }, index) => {
    return { fromMs: samples[index]?.at_ms ?? toMs, toMs };
  });
}

function takeOverOf(gaps: readonly Gap[], endedAtMs: readonly number[]): number {
  const each = gaps.flatMap(({ fromMs, toMs }) => {
    const [endedMs, ...more] = endedAtMs.filter((atMs) => atMs >= fromMs && atMs < toMs);
    return endedMs === undefined || more.length > 0 ? [] : [toMs - endedMs];
  });
  return Math.max(0, ...each);
}

async function judge(
  world: World,
  planned: readonly Planned[],
  ids: readonly string[],
  run: { readonly tookS: number; readonly storeCpuS: number },
): Promise<ReplicasSummary> {
  const { daemons, receiver, cpu, how, replicas, watches } = world;
  const url = daemons[0]?.url ?? '';
  const problems = [...toldTwice(daemons)];
  const verdicts: Record<string, number> = {};
  const gaps: Gap[] = [];
  let repeats = 0;
  let exactlyOne = 0;
  for (const [index, { environment, isBad }] of planned.entries()) {
    const id = ids[index] ?? '';
    const expected = { environment, isBad, heals: true, acknowledged: id };
    const found = await check({ url, receiver, slack: { messages: [] } }, expected);
    problems.push(...found.problems.map((problem) => `${environment} ${id}: ${problem}`));
    if (found.problems.length === 0) exactlyOne += 1;
    repeats += found.repeats;
    verdicts[found.verdict] = (verdicts[found.verdict] ?? 0) + 1;
    gaps.push(...(await gapsOf(url, id)));
  }
  const lost = problems.filter((problem) => problem.includes('LOST')).length;
  const ends = world.endedAtMs.length;
  const spans = gaps.map(({ fromMs, toMs }) => toMs - fromMs).toSorted((a, b) => a - b);
  const smallestGapMs = spans[0] ?? 0;
  const largestGapMs = spans.at(-1) ?? 0;
  const p99 = spans[Math.floor(spans.length * 0.99)] ?? 0;
  const takeOverMs = takeOverOf(gaps, world.endedAtMs);
  const daemonCpuS = [...cpu.values()].reduce((sum, one) => sum + one, 0);
  const line =
    `postgres, ${replicas} replicas, ${watches} watches, ${Math.round(run.tookS)} s, ` +
    `${ends} ${how === 'kill' ? 'kills' : 'restarts by SIGTERM'}: ${exactlyOne} exactly one ` +
    `or none as due, ${lost} lost, ${repeats} repeats under the same key; ticks every ` +
    `${world.intervalS} s, ${spans.length + watches} in all, gap p99 ${p99} ms, largest ` +
    `${largestGapMs} ms, smallest ${smallestGapMs} ms; from one end to the next tick of any ` +
    `watch ${takeOverMs} ms at most; CPU: daemons ${daemonCpuS.toFixed(1)} s, ` +
    `PostgreSQL ${run.storeCpuS.toFixed(1)} s`;
  return {
    ...{ exactlyOne, lost, ends, repeats, largestGapMs, smallestGapMs, takeOverMs, verdicts },
    ...{ problems, line },
  };
}

type Line = {
  readonly msg?: string;
  readonly kind?: string;
  readonly watchId?: string;
  readonly at?: string;
  readonly headline?: string;
  readonly lines?: readonly string[];
};

/** Messages in the logs of all replicas that are there twice without saying so. */
function toldTwice(daemons: readonly Canaryd[]): readonly string[] {
  const seen = new Map<string, number>();
  const text = daemons.map((daemon) => daemon.log()).join('\n');
  for (const line of text.split('\n')) {
    if (!line.includes('"msg":"message"')) continue;
    const { watchId, kind, at, headline, lines = [] } = JSON.parse(line) as Line;
    if (lines.join().includes('you may have seen it')) continue;
    const key = [watchId, kind, at, headline].join(' ');
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  if (seen.size === 0) return ['the logs hold no message at all'];
  return [...seen].filter(([, times]) => times > 1).map(([key, n]) => `told ${n} times: ${key}`);
}
