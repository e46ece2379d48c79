// One round: a deploy is started, the process is killed with SIGKILL at the planned moment, started
// again, and everything runs to its end.
import { setTimeout as elapsed } from 'node:timers/promises';
import { type Expected, hasEnded, watchesOf } from './check.ts';
import { aStart, type Lane, type Step } from './lane.ts';
import type { Answer, Moment, Plan } from './plan.ts';

/** A moment that has not come by then never will. */
const MOMENT_WITHIN_MS = 25_000;
const END_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 150;
const MESSAGE_LOOK_MS = 4;
const STARTS_MAX = 8;
const SLOW_STARTS_MAX = 3;

export type Outcome = {
  readonly plan: Plan;
  readonly expected: Expected;
  /** Kills in all. */
  readonly kills: number;
  /** Starts that took too long and were begun again. */
  readonly slowStarts: number;
  /** The start was not answered before the kill. */
  readonly isStartRepeated: boolean;
  readonly tookMs: number;
};

export async function runRound(lane: Lane, plan: Plan): Promise<Outcome> {
  const startedAt = performance.now();
  const { environment, isBad, heals } = plan;
  const moments = momentsOf(lane, plan);
  if (isBad) script(lane, plan);
  const key = `start-${environment}`;
  const first = ask(lane, environment, key);
  moments.reached('start asked');
  const acknowledged = await Promise.race([first, moments.killed.then(() => null)]);
  if (acknowledged !== null) {
    moments.reached('start answered');
    moments.reached('watching');
    turnBad(lane, plan);
  }
  void moments.follow();
  await within(moments.killed, MOMENT_WITHIN_MS, `round ${plan.number}: no ${plan.moment}`);
  // The answer may have been on its way when the process died.
  const read = acknowledged ?? (await first);
  await lane.canaryd.kill9();
  const { kills, slow } = await startAgain(lane, plan);
  if (read === null || plan.repeatsStart) {
    const repeated = await askUntilAnswered(lane, environment, key);
    if (read !== null && repeated !== read) throw new Error(`LOST: ${read} became ${repeated}`);
  }
  if (acknowledged === null) turnBad(lane, plan);
  await untilEnded(lane, environment);
  return {
    plan,
    expected: { environment, isBad, heals, acknowledged: read },
    kills: 1 + kills,
    slowStarts: slow,
    isStartRepeated: read === null,
    tookMs: performance.now() - startedAt,
  };
}

/** Kills the process once, so long after the planned moment was reached. */
function momentsOf(lane: Lane, plan: Plan) {
  const killed = Promise.withResolvers<void>();
  const { canaryd, slack } = lane;
  const told = slack.messages.length;
  let isArmed = true;
  const kill = () => {
    process.kill(canaryd.pid, 'SIGKILL');
    killed.resolve();
  };
  const reached = (moment: Moment) => {
    if (!isArmed || moment !== plan.moment) return;
    isArmed = false;
    // At once means now: the request is not answered yet.
    if (plan.delayMs === 0) kill();
    else setTimeout(kill, plan.delayMs);
  };
  const site = {
    environment: plan.environment,
    isBad: false,
    heals: plan.heals,
    slowMs: plan.slowMs,
    onStep(step: Step) {
      reached(step);
      if (step === 'rollback answered') {
        reached('between attempts');
        reached('verifying');
      }
    },
  };
  lane.figures.add(site);
  /** For moments that nobody announces. */
  async function follow(): Promise<void> {
    const isMessage = plan.moment === 'message arrives';
    if (isMessage) slack.slow(200);
    while (isArmed && isMessage) {
      if (slack.messages.length > told) reached('message arrives');
      else await elapsed(MESSAGE_LOOK_MS);
    }
    if (isMessage) slack.up();
    if (plan.moment !== 'ended') return;
    await untilEnded(lane, plan.environment);
    reached('ended');
  }
  return { killed: killed.promise, reached, follow };
}

/** The first request of each path is answered as planned. */
function script({ receiver }: Lane, { disarm, rollback }: Plan): void {
  const set = (path: string, answer: Answer) => {
    if (answer === 'refuses') receiver.path(path).once.respond(503);
    if (answer === 'accepts and hangs') receiver.path(path).once.acceptThenHang();
  };
  set('/disarm', disarm);
  set('/rollback', rollback);
}

function turnBad({ figures }: Lane, { environment, isBad, turnsBadAfterMs }: Plan): void {
  const site = figures.site(environment);
  if (!isBad || site === undefined) return;
  setTimeout(() => {
    site.isBad = true;
  }, turnsBadAfterMs).unref();
}

/** The watch's id, null when there was no answer. */
async function ask({ canaryd }: Lane, environment: string, key: string): Promise<string | null> {
  try {
    const { status, body } = await canaryd.post('/v1/watches', aStart(environment), {
      'idempotency-key': key,
    });
    if (status === 201 || status === 200) return String(body['id']);
    throw new Error(`start of ${environment}: ${status} ${JSON.stringify(body)}`);
  } catch (error) {
    // fetch and a body that ended early; all else is a finding.
    if (error instanceof TypeError || error instanceof SyntaxError) return null;
    throw error;
  }
}

async function askUntilAnswered(lane: Lane, environment: string, key: string): Promise<string> {
  for (let round = 0; round < STARTS_MAX; round += 1) {
    const id = await ask(lane, environment, key);
    if (id !== null) return id;
    await elapsed(LOOK_EVERY_MS);
  }
  throw new Error(`start of ${environment}: no answer`);
}

/** A new process after each kill; further kills hit it while it starts or just after. */
async function startAgain({ canaryd }: Lane, { again }: Plan) {
  let kills = 0;
  for (const { afterMs } of again) {
    const starting = canaryd.start().catch(() => undefined);
    await elapsed(afterMs);
    await canaryd.kill9();
    await starting;
    kills += 1;
  }
  for (let slow = 0; ; slow += 1) {
    try {
      await canaryd.start();
      return { kills, slow };
    } catch (error) {
      // A machine that is too busy; one that ends by itself is a finding.
      if (slow >= SLOW_STARTS_MAX || !String(error).includes('is not ready')) throw error;
      await canaryd.kill9();
    }
  }
}

async function untilEnded({ canaryd }: Lane, environment: string): Promise<void> {
  const deadline = performance.now() + END_WITHIN_MS;
  for (;;) {
    const watches = await watchesOf(canaryd.url, environment).catch(() => []);
    if (watches.length > 0 && watches.every(hasEnded)) return;
    if (performance.now() > deadline) {
      const what = watches.length === 0 ? 'LOST: no watch of' : 'does not end:';
      throw new Error(`${what} ${environment} ${JSON.stringify(watches)}`);
    }
    await elapsed(LOOK_EVERY_MS);
  }
}

async function within(promise: Promise<void>, ms: number, what: string): Promise<void> {
  const tired = new AbortController();
  const late = elapsed(ms, 'late', { signal: tired.signal }).catch(() => 'in time');
  const first = await Promise.race([promise, late]);
  tired.abort();
  if (first === 'late') throw new Error(what);
}
