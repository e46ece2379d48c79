// `npm run bench:backtest`: many deploys with six conditions on a real Prometheus. Prints how long
// the backtest took and what it cost the server, then plays every deploy live (the daemon's own
// requests, tick by tick) and compares each result. Exits with 1 when one differs.
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { Asker, NO_LOAD, plus } from '../../src/backtest/asker.ts';
import { replayDeploy } from '../../src/backtest/replay-deploy.ts';
import { replayedPolicy } from '../../src/backtest/replayed-policy.ts';
import { verdictsText } from '../../src/backtest/report-words.ts';
import type { BacktestResult, Load } from '../../src/backtest/result.ts';
import { runBacktest } from '../../src/backtest/run.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { askOf, backtestOf, policyUnderTest } from '../support/backtest.ts';
import {
  FAULTS,
  PAST_POLICY,
  pastDeploys,
  pastService,
  pastVersions,
} from '../support/past-service.ts';
import { startPrometheus } from '../support/prometheus.ts';

const MINUTE = 60_000;
const EVERY = 2 * 60 * MINUTE;
const count = Number(process.argv[2] ?? 50);
const fromMs = Math.floor(systemClock.now() / EVERY) * EVERY - (count + 1) * EVERY;
/** Every fifth deploy is bad, each in another way. */
const faults = Array.from({ length: count }, (_, index) =>
  index % 5 === 4 ? (FAULTS[Math.floor(index / 5) % FAULTS.length] ?? null) : null,
);
const versions = pastVersions(fromMs, EVERY, faults);
const deploys = pastDeploys(versions);
/** Windows as people have them: a pass is known after an hour. */
const text = PAST_POLICY.replace('until: 5m', 'until: 15m').replace(
  'until: 15m\n    pass',
  'until: 2h\n    pass',
);
const policies = [policyUnderTest(text.replace('for: 2m', 'for: 45m'))];
const [policy] = policies;
if (policy === undefined) throw new Error('no policy');
const say = (line: string) => void process.stdout.write(`${line}\n`);
const signal = new AbortController().signal;

/** Seconds of CPU, as Linux says in hundredths; null elsewhere. */
function cpuSeconds(pid: number): number | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return null;
  }
}

function loadText(load: Load, cpu: number): string {
  const megabytes = (load.bytes / 1_000_000).toFixed(1);
  const waited = `${load.seconds.toFixed(1)} s of waiting, slowest ${load.slowestSeconds.toFixed(2)} s`;
  return (
    `${load.requests} requests, ${load.samples} samples, ${megabytes} MB, ${waited}, ` +
    `${cpu.toFixed(1)} s of CPU of Prometheus`
  );
}

async function timed<T>(pid: number, work: () => Promise<T>) {
  const [startedAt, cpuBefore] = [systemClock.monotonic(), cpuSeconds(pid) ?? 0];
  const ownBefore = process.cpuUsage();
  const value = await work();
  const seconds = (systemClock.monotonic() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(ownBefore);
  const own = (user + system) / 1_000_000;
  return { value, seconds, own, cpu: (cpuSeconds(pid) ?? 0) - cpuBefore };
}

const recorded = { stepMs: 5_000, beforeMs: 40 * MINUTE, afterMs: 75 * MINUTE };
const history = pastService({ versions, ...recorded });
const samples = history.reduce((sum, { points }) => sum + points.length, 0);
say(`${count} deploys, ${policy.policy.conditions.length} conditions, ${samples} samples`);
const server = await startPrometheus({ history });
try {
  const past = await timed(server.pid, () =>
    runBacktest(backtestOf({ ask: askOf(server.url), deploys, policies })),
  );
  if (past.value.kind !== 'done') throw new Error(JSON.stringify(past.value));
  const [result] = past.value.results as readonly [BacktestResult];
  say(
    `backtest: ${past.seconds.toFixed(1)} s (${past.own.toFixed(1)} s of CPU); ${loadText(result.load, past.cpu)}`,
  );
  say(`  ${verdictsText(result.totals)}; right ${result.totals.scores.right} of ${count}`);

  const replayed = replayedPolicy(policy.policy);
  let load = NO_LOAD;
  let different = 0;
  const live = await timed(server.pid, async () => {
    for (const [index, deploy] of deploys.entries()) {
      const ask = askOf(server.url);
      const asker = new Asker({ ask, clock: systemClock, atOnce: 16, paceMs: 0, signal });
      const wanted = await replayDeploy({
        ...{ deploy, replayed, hash: policy.hash, signal, nowMs: systemClock.now() },
        query: (promql, atMs) => asker.ask({ promql, atMs }),
      });
      load = plus(load, asker.takeLoad());
      const found = result.deploys[index];
      if (isDeepStrictEqual(found, wanted)) continue;
      different += 1;
      say(`  ${deploy.version} differs: ${found?.verdict}, live ${wanted.verdict}`);
    }
  });
  say(
    `live:     ${live.seconds.toFixed(1)} s (${live.own.toFixed(1)} s of CPU); ${loadText(load, live.cpu)}`,
  );
  say(`  ${different} of ${count} results differ`);
  process.exitCode = different === 0 ? 0 : 1;
} finally {
  await server.stop();
}
