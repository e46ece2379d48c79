// Plays one case on virtual time with the engine of production, and holds what canaryd shows
// against what the case expects, at every tick and at every time the case names.
import { ALWAYS } from '../core/policy.ts';
import type { WatchView } from '../engine/control.ts';
import { CanarydError } from '../kit/errors.ts';
import type { Case, CaseFile } from './case.ts';
import { Evidence } from './evidence.ts';
import { type Expectation, happens, judge, type Seen } from './expectation.ts';
import { isLasting } from './happening.ts';
import type { CaseResult, Failure, PlayedWatch } from './result.ts';
import { Stage } from './stage.ts';
import { spanText } from './time.ts';

export type PlayOptions = {
  /** For `tookMs`. */
  readonly monotonic: () => number;
  /** Asked between ticks: a person may want to end it. */
  readonly signal: AbortSignal;
};

export async function playCase(
  file: CaseFile,
  one: Case,
  { monotonic, signal }: PlayOptions,
): Promise<CaseResult> {
  const startedAt = monotonic();
  const stage = new Stage(file, one);
  await using _ended = stage.replay;
  const player = new Player(file, one, stage);
  await player.play(signal);
  const { failures, evidence } = player;
  const watches = failures.length === 0 ? [] : await player.played();
  return { name: one.name, failures, tookMs: monotonic() - startedAt, watches, ...evidence.found };
}

class Player {
  readonly failures: Failure[] = [];
  readonly evidence: Evidence;
  readonly #file: CaseFile;
  readonly #case: Case;
  readonly #stage: Stage;
  readonly #seen = new Map<string, Seen>();
  readonly #failed = new Set<Expectation>();

  constructor(file: CaseFile, one: Case, stage: Stage) {
    this.#file = file;
    this.#case = one;
    this.#stage = stage;
    this.evidence = new Evidence(file.policy, one);
  }

  async play(signal: AbortSignal): Promise<void> {
    try {
      await this.#stage.begin();
    } catch (error) {
      if (!(error instanceof CanarydError)) throw error;
      this.#fail({ at: '0s', field: 'deploy', expected: 'a watch', got: error.message });
      return;
    }
    for (const atMs of this.#stops()) {
      if (signal.aborted) return;
      await this.#stage.until(atMs);
      await this.#happen(atMs);
      await this.#look(atMs);
      this.#hold(atMs);
    }
    for (const expectation of this.#case.never) {
      if (this.#failed.has(expectation)) continue;
      for (const seen of this.#seenOf(expectation)) this.evidence.never(expectation, seen);
    }
  }

  async played(): Promise<readonly PlayedWatch[]> {
    const { replay, watches } = this.#stage;
    return Promise.all(
      watches.flatMap(({ id }) => {
        const view = this.#seen.get(id)?.view;
        if (view === undefined) return [];
        const deployedAtMs = Date.parse(view.deployedAt);
        return [
          Promise.all([replay.watch(id), replay.ticks(id)]).then(
            ([{ events }, ticks]): PlayedWatch => ({ id, view, deployedAtMs, events, ticks }),
          ),
        ];
      }),
    );
  }

  /** Every tick, and every time that the case names, in order. */
  #stops(): readonly number[] {
    const { deploy, happens: happenings, expects, untilMs } = this.#case;
    const stops = new Set<number>();
    for (let at = deploy.startedMs; at <= untilMs; at += this.#file.policy.intervalMs) {
      stops.add(at);
    }
    for (const { fromMs, untilMs: endMs } of [...happenings, ...expects]) {
      stops.add(fromMs);
      stops.add(endMs);
    }
    stops.add(untilMs);
    return [...stops].filter((at) => at >= deploy.startedMs && at <= untilMs).sort((a, b) => a - b);
  }

  async #happen(atMs: number): Promise<void> {
    for (const happening of this.#case.happens) {
      const { fromMs, untilMs, deed, text } = happening;
      const edge = fromMs === atMs ? 'begin' : 'end';
      if (atMs !== fromMs && !(isLasting(deed) && atMs === untilMs)) continue;
      const refused = await this.#stage.happen(happening, edge);
      const isMeant = deed.kind === 'human' && deed.isRefused;
      if ((refused !== null) === isMeant) continue;
      const got = refused === null ? 'it was done' : `refused: ${refused}`;
      const expected = isMeant ? 'to be refused' : 'to be done';
      this.#fail({ at: spanText(happening), field: text, expected, got, foundMs: atMs });
    }
  }

  /** What canaryd shows now; while it is down, what it showed last. */
  async #look(atMs: number): Promise<void> {
    const { replay, watches, sinceMs } = this.#stage;
    const { expects, never } = this.#case;
    const needsMessages = [...expects, ...never].some(
      ({ check, fromMs, untilMs }) => check.kind === 'message' && fromMs <= atMs && atMs <= untilMs,
    );
    for (const { id } of watches) {
      const before = this.#seen.get(id);
      if (!replay.isRunning) {
        if (before !== undefined) this.#seen.set(id, { ...before, sinceMs });
        continue;
      }
      const view = await replay.control.watch(id);
      const messages = needsMessages ? (await replay.watch(id)).messages : [];
      const judged = judgedOf(view);
      this.#seen.set(id, { sinceMs, view, messages, judged });
      if (view.lastTickAt !== before?.view.lastTickAt) this.evidence.tick(view, judged);
    }
  }

  #hold(atMs: number): void {
    for (const expectation of this.#case.expects) {
      const { fromMs, untilMs } = expectation;
      if (atMs < fromMs || atMs > untilMs || this.#failed.has(expectation)) continue;
      const all = this.#seenOf(expectation);
      const seen = expectation.version === null ? all[0] : all.at(-1);
      const judged =
        seen === undefined
          ? { isMet: false, got: 'no such deploy was watched' }
          : judge(expectation.check, seen);
      if (seen !== undefined && judged.isMet) this.evidence.met(expectation, seen);
      else this.#unmet(expectation, spanText(expectation), judged.got, seen);
    }
    for (const expectation of this.#case.never) {
      if (this.#failed.has(expectation)) continue;
      for (const seen of this.#seenOf(expectation)) {
        const judged = happens(expectation.check, seen);
        if (!judged.isMet) continue;
        this.#unmet(expectation, 'never', judged.got, seen);
        break;
      }
    }
  }

  /** Of each watch of that version (null: of each), in the order of their starts. */
  #seenOf({ version }: Expectation): readonly Seen[] {
    return this.#stage.watches.flatMap((watch) => {
      const seen = this.#seen.get(watch.id);
      return seen === undefined || (version !== null && watch.version !== version) ? [] : [seen];
    });
  }

  #unmet(expectation: Expectation, at: string, got: string, seen: Seen | undefined): void {
    this.#failed.add(expectation);
    const { field, text, check } = expectation;
    const named = check.kind === 'condition' ? check.name : null;
    const condition = seen?.view.conditions.find(
      (one) => one.condition === named || one.indicator === named,
    );
    const expected = at === 'never' ? `not ${text}` : text;
    // A stop that was not meant is best explained by what stopped.
    const worst = seen?.view.phase === 'stopped' ? seen.view.worst?.condition : undefined;
    const stopped = seen?.view.conditions.find((one) => one.condition === worst);
    const indicator = (condition ?? stopped)?.indicator ?? null;
    this.#fail({ at, field, expected, got, indicator, watchId: seen?.view.id ?? null });
  }

  #fail(failure: Pick<Failure, 'at' | 'field' | 'expected' | 'got'> & Partial<Failure>): void {
    const watchId = this.#stage.watches[0]?.id ?? null;
    this.failures.push({ foundMs: this.#stage.sinceMs, indicator: null, watchId, ...failure });
  }
}

/** Conditions that were judged at the last tick: also the one that ended the watch. */
function judgedOf({ lastTickAt, closedAt, phase, windows, conditions }: WatchView): Seen['judged'] {
  if (lastTickAt === null) return new Set();
  const atMs = Math.min(Date.parse(lastTickAt), Date.parse(closedAt ?? lastTickAt));
  const names = windows
    .filter(({ fromAt, untilAt }) => Date.parse(fromAt) <= atMs && atMs < Date.parse(untilAt))
    .map(({ name }) => name);
  const judged = conditions.filter(({ role, window, state }) =>
    role === 'verify'
      ? phase === 'stopped' && state !== 'waiting'
      : names.includes(window) || (window === ALWAYS && names.length > 0),
  );
  return new Set(judged.map(({ condition }) => condition));
}
