// Test results: how many ran, failed, were skipped or passed only when repeated, and how long all
// took. A report without tests is no proof, and unknown.
import { ms } from '../../config/fields.ts';
import { pathsOf } from '../../config/gate-checks/common.ts';
import type { JunitInput } from '../../config/gate-checks/junit.ts';
import { roughDuration } from '../../core/quantity.ts';
import type { CheckTools } from '../check.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import { type JunitSummary, readJunit, type TestResult } from '../report/junit.ts';
import { isInPackage } from '../report/packages.ts';
import { decode, type Refused, type ReportFile, refused } from '../report/read.ts';
import { type Judgement, runReports } from '../report/run.ts';

const NAMES_MAX = 40;
const ATTEMPTS_MAX = 1_000_000;

export function junitCheck(input: JunitInput, { values }: MakeTools): MadeCheck {
  return {
    kind: 'junit',
    wants: wantsOf(input),
    timeoutMs: ms(input.timeout),
    run: (tools) => runReports(input, values, tools, (files) => judgeJunit(input, files, tools)),
  };
}

function wantsOf(input: JunitInput): string {
  const limits = [
    input.failed_max === 0 ? 'all pass' : `at most ${input.failed_max} failed`,
    ...(input.skipped_max === undefined ? [] : [`at most ${input.skipped_max} skipped`]),
    ...(input.flaky_max === undefined ? [] : [`at most ${input.flaky_max} flaky`]),
    ...(input.runtime_max === undefined ? [] : [`in at most ${input.runtime_max}`]),
    ...(input.max_age === undefined ? [] : [`at most ${input.max_age} old`]),
  ];
  const only = input.packages === undefined ? '' : ` (${input.packages.join(', ')})`;
  return `tests of ${pathsOf(input.report).join(', ')}${only}: ${limits.join(', ')}`;
}

/** Counts tests of the wanted packages as they are read. */
class Tally {
  readonly counts = { passed: 0, failed: 0, skipped: 0, flaky: 0 };
  readonly names = { failed: [] as string[], skipped: [] as string[], flaky: [] as string[] };
  readonly seen = new Set<string>();
  seconds = 0;
  failedOfAll = 0;
  testsOfAll = 0;
  readonly #packages: readonly string[] | null;
  readonly #attempts: Map<string, TestResult> | null;
  tooMany = false;

  constructor({ packages, reruns }: JunitInput) {
    this.#packages = packages ?? null;
    this.#attempts = reruns ? new Map() : null;
  }

  add(test: TestResult): void {
    this.testsOfAll += 1;
    if (test.outcome === 'failed') this.failedOfAll += 1;
    if (this.#packages !== null) {
      const mine = this.#packages.filter((one) => test.places.some((at) => isInPackage(at, one)));
      if (mine.length === 0) return;
      for (const one of mine) this.seen.add(one);
    }
    if (this.#attempts === null) this.#count(test);
    else this.#attempt(this.#attempts, test);
  }

  #attempt(attempts: Map<string, TestResult>, test: TestResult): void {
    const key = JSON.stringify([test.name, test.places]);
    const before = attempts.get(key);
    const seconds = test.seconds + (before?.seconds ?? 0);
    attempts.set(key, { ...test, seconds, outcome: outcomeAfter(before?.outcome, test.outcome) });
    if (attempts.size > ATTEMPTS_MAX) this.tooMany = true;
  }

  end(): void {
    for (const test of this.#attempts?.values() ?? []) this.#count(test);
  }

  #count({ outcome, name, seconds }: TestResult): void {
    this.counts[outcome] += 1;
    this.seconds += seconds;
    if (outcome === 'passed') return;
    const names = this.names[outcome];
    if (names.length < NAMES_MAX) names.push(name);
  }
}

type Outcome = TestResult['outcome'];

/** Of one more attempt; one that was skipped says nothing about the test. */
function outcomeAfter(before: Outcome | undefined, now: Outcome): Outcome {
  if (now === 'skipped') return before ?? now;
  const hasFailed = before === 'failed' || before === 'flaky';
  return now === 'passed' && hasFailed ? 'flaky' : now;
}

async function judgeJunit(
  input: JunitInput,
  files: readonly ReportFile[],
  { signal, clock }: CheckTools,
): Promise<Judgement | Refused> {
  const tally = new Tally(input);
  const summaries: JunitSummary[] = [];
  const unclear: string[] = [];
  for (const { path, bytes } of files) {
    const [before, failedBefore] = [tally.testsOfAll, tally.failedOfAll];
    const text = decode(bytes);
    if (text === null) return refused(`${path} is not in the encoding that it names`);
    const summary = await readJunit(text, (test) => tally.add(test), {
      ...{ signal, nowMs: clock.now() },
    });
    if (summary.kind === 'refused') return refused(`${path} ${summary.reason}`);
    if (tally.tooMany) return refused(`${path} has too many tests for reruns: true`);
    if (input.counts === 'assertions' || summary.countsAssertions) {
      const failed = tally.failedOfAll - failedBefore;
      summaries.push(failed > 0 ? { ...summary, failedAsDeclared: failed } : summary);
      continue;
    }
    summaries.push(summary);
    const [declared, named] = [summary.testsAsDeclared ?? 0, tally.testsOfAll - before];
    if (declared > named) {
      unclear.push(`${path} counts ${countText(declared, 'test')} and names ${named}`);
    }
  }
  tally.end();
  const all = judged(input, tally, summaries);
  return { ...all, unclear: [...all.unclear, ...unclear] };
}

function judged(input: JunitInput, tally: Tally, summaries: readonly JunitSummary[]): Judgement {
  const { passed, failed, skipped, flaky } = tally.counts;
  const ran = passed + failed + flaky;
  const wrong: string[] = [];
  const unclear: string[] = [];
  if (failed > input.failed_max) {
    wrong.push(`${failed} of ${ran} tests failed, at most ${input.failed_max} wanted`);
  }
  const declared = sumOf(summaries.map(({ failedAsDeclared }) => failedAsDeclared));
  if (declared > input.failed_max && declared > tally.failedOfAll) {
    const what = `the report counts ${declared} failures and names ${tally.failedOfAll}`;
    if (input.packages === undefined) wrong.push(what);
    else unclear.push(`${what}: they may be in these packages`);
  }
  const missing = (input.packages ?? []).filter((one) => !tally.seen.has(one));
  if (missing.length > 0) unclear.push(`no test of ${missing.join(', ')} in the report`);
  if (ran < input.tests_min) {
    unclear.push(`${countText(ran, 'test')} ran, at least ${input.tests_min} wanted`);
  }
  limit(wrong, skipped, input.skipped_max, 'skipped');
  limit(wrong, flaky, input.flaky_max, 'flaky');
  const seconds = secondsOf(input, tally, summaries);
  const took = roughDuration(seconds * 1_000);
  if (input.runtime_max !== undefined && seconds * 1_000 > ms(input.runtime_max)) {
    wrong.push(`took ${took}, at most ${input.runtime_max} wanted`);
  }
  const rest = [
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    ...(flaky > 0 ? [`${flaky} flaky`] : []),
  ];
  const fine = `${countText(ran, 'test')} ran in ${took}: ${rest.join(', ') || 'all passed'}`;
  const details = (['failed', 'flaky', 'skipped'] as const).flatMap((outcome) =>
    tally.names[outcome].map((name) => `${outcome}: ${name}`),
  );
  const writtenMs = summaries.map((summary) => summary.writtenMs);
  return { kind: 'judged', wrong, unclear, fine: [fine], details, writtenMs };
}

function limit(wrong: string[], count: number, max: number | undefined, what: string): void {
  if (max === undefined || count <= max) return;
  wrong.push(`${countText(count, `${what} test`)}, at most ${max} wanted`);
}

function sumOf(values: readonly (number | null)[]): number {
  return values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
}

/** Of the run as a whole where the report says it: tests may run side by side. */
function secondsOf(
  { packages }: JunitInput,
  tally: Tally,
  summaries: readonly JunitSummary[],
): number {
  const isWhole = packages === undefined && summaries.every(({ seconds }) => seconds !== null);
  return isWhole ? sumOf(summaries.map(({ seconds }) => seconds)) : tally.seconds;
}

function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
