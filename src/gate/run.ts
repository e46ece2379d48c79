// Carries out the checks of a gate: side by side, so many at once, each with its own time limit and
// all together with one. Decides nothing. A check that hangs, throws or is interrupted is `unknown`;
// what it still gives after it was cut off does not count.

import type { CheckRecord, Outcome } from '../core/gate-record.ts';
import { formatDuration } from '../core/quantity.ts';
import type { Clock } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import { within } from '../kit/within.ts';
import type { Check, CheckResult } from './check.ts';
import { type EvidenceFile, EXHIBITS_BYTES_MAX, keepExhibits } from './exhibits.ts';
import type { Criterion, Gate } from './gate.ts';
import { hideSecrets } from './hidden.ts';
import { unknown } from './result.ts';

/** A check that was cut off has so long to end its processes and say how far it came. */
const GRACE_MS = 2_000;

export type Progress =
  | { readonly kind: 'begun'; readonly criterion: string; readonly check: string }
  | {
      readonly kind: 'ended';
      readonly criterion: string;
      readonly check: string;
      readonly outcome: Outcome;
      readonly text: string;
      readonly tookMs: number;
      readonly done: number;
      readonly total: number;
    };

export type RunTools = {
  readonly clock: Clock;
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted: somebody interrupted. Nothing is decided then. */
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Ids of criteria; without it, all. */
  readonly only?: readonly string[];
  /** Values of secrets that were used so far: nothing that is found may hold them. */
  readonly revealed?: () => readonly string[];
};

export type RanGate = {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** By id of the criterion, in the order of the gate. */
  readonly checks: ReadonlyMap<string, readonly CheckRecord[]>;
  readonly files: readonly EvidenceFile[];
  readonly tools: Readonly<Record<string, string>>;
  readonly wasInterrupted: boolean;
};

type Job = { readonly criterion: Criterion; readonly check: Check };
type Ended = { readonly result: CheckResult; readonly tookMs: number };

/** Never rejects. */
export async function runGate(gate: Gate, tools: RunTools): Promise<RanGate> {
  const { clock, only } = tools;
  const startedAtMs = clock.now();
  const chosen = gate.criteria.filter(({ id }) => only === undefined || only.includes(id));
  const jobs = chosen.flatMap((criterion) =>
    criterion.checks.map((check): Job => ({ criterion, check })),
  );
  const ended = new Map<Job, Ended>();
  const over = new AbortController();
  const stop = AbortSignal.any([tools.signal, over.signal]);
  const why = () =>
    tools.signal.aborted
      ? 'interrupted'
      : `the gate's time of ${formatDuration(gate.timeoutMs)} was over`;
  const queue = [...jobs];
  const work = async (): Promise<void> => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const { criterion, check } = job;
      const at = { criterion: criterion.id, check: check.id };
      tools.onProgress?.({ kind: 'begun', ...at });
      const begunAt = clock.monotonic();
      const found = stop.aborted
        ? unknown(`not begun: ${why()}`)
        : await runCheck(check, { tools, stop, why });
      const result = hideSecrets(tools.revealed?.() ?? [], found);
      const tookMs = Math.round(clock.monotonic() - begunAt);
      ended.set(job, { result, tookMs });
      const { outcome, text } = result;
      const counts = { done: ended.size, total: jobs.length };
      tools.onProgress?.({ kind: 'ended', ...at, outcome, text, tookMs, ...counts });
    }
  };
  const workers = Array.from({ length: Math.min(gate.checksAtOnce, jobs.length) }, work);
  const all = Promise.all(workers);
  // Each job ends soon after the signal: `all` needs no bound of its own.
  await within(
    clock,
    gate.timeoutMs,
    () => all,
    () => over.abort(new Error('the time of the gate is over')),
  );
  await all;
  return { startedAtMs, ...gather(chosen, jobs, ended), ...endOf(tools) };
}

function endOf({ clock, signal }: RunTools) {
  return { endedAtMs: clock.now(), wasInterrupted: signal.aborted };
}

type Stop = {
  readonly tools: RunTools;
  readonly stop: AbortSignal;
  readonly why: () => string;
};

async function runCheck(check: Check, { tools, stop, why }: Stop): Promise<CheckResult> {
  const { clock, folder, env } = tools;
  const { timeoutMs } = check;
  const cut = new AbortController();
  const signal = AbortSignal.any([stop, cut.signal]);
  const running: Promise<CheckResult> = Promise.resolve()
    .then(() => check.run({ clock, folder, env, signal, timeoutMs }))
    // A bug of the check: the others, and the gate, go on.
    .catch((error: unknown) => unknown(`the check itself failed: ${messageOf(error)}`));
  const stopped = aborted(stop);
  const first = await within<CheckResult | null, null>(
    clock,
    timeoutMs,
    () => Promise.race([running, stopped.promise]),
    () => null,
  );
  stopped.forget();
  if (first !== null && !stop.aborted) return first;
  const text = stop.aborted
    ? `cut off: ${why()}`
    : `no result within ${formatDuration(timeoutMs)}: cut off`;
  cut.abort(new Error(text));
  const late = await within(
    clock,
    GRACE_MS,
    () => running,
    () => null,
  );
  const { details = [], exhibits = [], tools: named = {} } = late ?? {};
  return unknown(text, { details, exhibits, tools: named });
}

/** Resolves with null when the signal is aborted; `forget` leaves nothing behind on it. */
function aborted(signal: AbortSignal) {
  let settle: (nothing: null) => void = () => {};
  const promise = new Promise<null>((resolve) => {
    settle = resolve;
  });
  const onAbort = () => settle(null);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return { promise, forget: () => signal.removeEventListener('abort', onAbort) };
}

function gather(
  chosen: readonly Criterion[],
  jobs: readonly Job[],
  ended: ReadonlyMap<Job, Ended>,
): Pick<RanGate, 'checks' | 'files' | 'tools'> {
  const checks = new Map<string, CheckRecord[]>(chosen.map(({ id }) => [id, []]));
  const files: EvidenceFile[] = [];
  const tools = new Map<string, Set<string>>();
  let room = EXHIBITS_BYTES_MAX;
  for (const job of jobs) {
    const { criterion, check } = job;
    const { result, tookMs } = ended.get(job) ?? { result: unknown('not begun'), tookMs: 0 };
    const kept = keepExhibits(`checks/${criterion.id}/${check.id}`, result.exhibits, room);
    for (const file of kept.files) room -= file.bytes.length;
    files.push(...kept.files);
    for (const [name, version] of Object.entries(result.tools)) {
      tools.set(name, (tools.get(name) ?? new Set()).add(version));
    }
    const { id, kind, wants } = check;
    const { outcome, text } = result;
    const missing = kept.leftOut.map((name) => `left out of the evidence, no room: ${name}`);
    const details = [...result.details, ...missing];
    const record = { id, kind, wants, outcome, text, details, tookMs, exhibits: kept.records };
    checks.get(criterion.id)?.push(record);
  }
  const named = [...tools].map(([name, versions]) => [name, [...versions].join(', ')]);
  return { checks, files, tools: Object.fromEntries(named) };
}
