// Many rounds of real kill -9: several daemons side by side, each with its own journal that is kept
// over its rounds. At the end everything is checked once more: a later kill must not have sent
// anything again.
import { setTimeout as elapsed } from 'node:timers/promises';
import { check, type Found } from './check.ts';
import { type Lane, openLane } from './lane.ts';
import { MOMENTS, planOf } from './plan.ts';
import { type Outcome, runRound } from './round.ts';
import { openStore, type Store, type StoreName } from './stores.ts';

/** Slack takes a message a second: what is left then has no bearing on being told twice. */
const TOLD_WITHIN_MS = 60_000;

export type RoundsOptions = {
  readonly store: StoreName;
  /** In place of one of its own. */
  readonly on?: Store;
  readonly rounds: number;
  readonly seed: number;
  /** Daemons at once. */
  readonly lanes: number;
  /** The number of the first round; default 1. */
  readonly from?: number;
  readonly say?: (line: string) => void;
};

export type Summary = {
  readonly rounds: number;
  readonly exactlyOne: number;
  readonly lost: number;
  readonly repeats: number;
  readonly kills: number;
  readonly byMoment: Readonly<Record<string, number>>;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly startsRepeated: number;
  readonly problems: readonly string[];
  readonly line: string;
};

type Done = { readonly outcome: Outcome; readonly found: Found };

export async function runRounds(options: RoundsOptions): Promise<Summary> {
  const { rounds, lanes, from = 1 } = options;
  const store = options.on ?? (await openStore(options.store));
  try {
    const waiting = Array.from({ length: rounds }, (_, index) => from + index);
    const each = Array.from({ length: Math.min(lanes, rounds) }, async () => {
      const lane = await openLane(store.fresh());
      try {
        return await runLane(lane, waiting, options);
      } finally {
        await lane.close();
      }
    });
    const ended = await Promise.allSettled(each);
    const lanesDone = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const done = lanesDone.flatMap((one) => one.done);
    const broken = [
      ...lanesDone.flatMap((one) => one.broken),
      ...ended.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : [])),
    ];
    return summaryOf(options, done, broken);
  } finally {
    if (options.on === undefined) await store.close();
  }
}

async function runLane(
  lane: Lane,
  waiting: number[],
  { seed, say = () => {} }: RoundsOptions,
): Promise<{ readonly done: readonly Done[]; readonly broken: readonly string[] }> {
  const outcomes: Outcome[] = [];
  const broken: string[] = [];
  for (let number = waiting.shift(); number !== undefined; number = waiting.shift()) {
    const plan = planOf(seed, number);
    const outcome = await runRound(lane, plan).catch((error: unknown) => {
      const tail = lane.canaryd.log().slice(-2_000);
      broken.push(`${JSON.stringify(plan)}: ${String(error)}\n${tail}`);
      return null;
    });
    lane.figures.drop(plan.environment);
    // Whatever it is in, the lane is of no more use; its other rounds are still judged.
    if (outcome === null) break;
    outcomes.push(outcome);
    const { kills, tookMs, isStartRepeated } = outcome;
    const start = isStartRepeated ? ', start repeated' : '';
    say(`round ${number}: ${plan.moment}, ${kills} kills, ${Math.round(tookMs)} ms${start}`);
  }
  if (broken.length > 0) {
    await lane.canaryd.kill9();
    await lane.canaryd.start();
  }
  await untilTold(lane);
  const reach = { ...lane, url: lane.canaryd.url };
  const done: Done[] = [];
  for (const outcome of outcomes) {
    done.push({ outcome, found: await check(reach, outcome.expected) });
  }
  return { done, broken };
}

/** Slack has gone quiet. */
async function untilTold({ slack }: Lane): Promise<void> {
  const deadline = performance.now() + TOLD_WITHIN_MS;
  let heard = -1;
  while (heard !== slack.messages.length && performance.now() < deadline) {
    heard = slack.messages.length;
    await elapsed(2_500);
  }
}

function summaryOf(
  { rounds, store, seed }: RoundsOptions,
  done: readonly Done[],
  broken: readonly string[],
): Summary {
  const problems = done.flatMap(({ outcome: { plan }, found }) =>
    found.problems.map((problem) => `round ${plan.number} (${plan.moment}): ${problem}`),
  );
  const count = (words: readonly string[]) => {
    const counts: Record<string, number> = {};
    for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
    return counts;
  };
  const lost = [...problems, ...broken].filter((problem) => problem.includes('LOST')).length;
  const exactlyOne = done.filter(({ found }) => found.problems.length === 0).length;
  const repeats = done.reduce((sum, { found }) => sum + found.repeats, 0);
  const kills = done.reduce((sum, { outcome }) => sum + outcome.kills, 0);
  const slow = done.reduce((sum, { outcome }) => sum + outcome.slowStarts, 0);
  const moments = count(done.map(({ outcome }) => outcome.plan.moment));
  const byMoment = Object.fromEntries(MOMENTS.map((moment) => [moment, moments[moment] ?? 0]));
  const spread = MOMENTS.map((moment) => `${moment} ${byMoment[moment]}`).join(', ');
  return {
    rounds,
    exactlyOne,
    lost,
    repeats,
    kills,
    byMoment,
    verdicts: count(done.map(({ found }) => found.verdict)),
    startsRepeated: done.filter(({ outcome }) => outcome.isStartRepeated).length,
    problems: [...problems, ...broken],
    line:
      `${store}, seed ${seed}: ${rounds} rounds, ${exactlyOne} exactly one, ${lost} lost, ` +
      `${repeats} repeats under the same key, ${kills} kills: ${spread}` +
      (slow === 0 ? '' : `; ${slow} starts took over 15 s and were begun again`),
  };
}
