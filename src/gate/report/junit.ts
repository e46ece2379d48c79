// JUnit XML of pytest, vitest, surefire, gradle, `node --test` and others, test by test.
import { writtenAnywhere } from '../../kit/written-time.ts';
import { type Refused, refused } from './read.ts';
import { type Element, visitXml } from './xml.ts';

export type TestResult = {
  readonly name: string;
  /** Names that tell where it belongs: class, file, suites. */
  readonly places: readonly string[];
  readonly outcome: 'passed' | 'failed' | 'skipped' | 'flaky';
  readonly seconds: number;
};

export type JunitSummary = {
  readonly kind: 'summary';
  /** Failures and errors as the suites count them; null: they do not. */
  readonly failedAsDeclared: number | null;
  readonly testsAsDeclared: number | null;
  /** By the marks of Catch2 and doctest: these figures are of assertions, not of tests. */
  readonly countsAssertions: boolean;
  /** Of the whole run; null: only of single tests. */
  readonly seconds: number | null;
  readonly writtenMs: number | null;
};

const SUITES = new Set(['testsuites', 'testsuite']);
const FAILURES = new Set(['failure', 'error']);
const FLAKES = new Set(['flakyFailure', 'flakyError']);
const NOT_RUN = new Set(['notrun', 'disabled', 'skipped', 'ignored', 'suppressed']);
const FAILED = new Set([
  ...['failed', 'failure', 'fail', 'error', 'errored', 'broken'],
  ...['crashed', 'aborted', 'timeout', 'timedout'],
]);

type Open = {
  readonly name: string;
  readonly places: readonly string[];
  readonly seconds: number;
  outcome: TestResult['outcome'];
};

/** `1,234.5` as surefire writes it. */
function secondsOf(element: Element): number | null {
  const written = element.attribute('time')?.replaceAll(',', '') ?? '';
  const value = written.trim() === '' ? Number.NaN : Number(written);
  return Number.isFinite(value) && value >= 0 ? value : null;
}

function countOf(element: Element, names: readonly string[]): number | null {
  let sum: number | null = null;
  for (const name of names) {
    const written = element.attribute(name);
    if (written !== null && /^\d{1,9}$/.test(written)) sum = (sum ?? 0) + Number(written);
  }
  return sum;
}

/** Catch2 has never filled in the host; doctest writes its version. */
function countsAssertions(suite: Element): boolean {
  return suite.attribute('hostname') === 'tbd' || suite.attribute('doctest_version') !== null;
}

class Reader {
  readonly suites: string[] = [];
  readonly #onTest: (test: TestResult) => void;
  readonly #nowMs: number;
  #test: Open | null = null;
  root: string | null = null;
  #ofRoot: { failed: number | null; tests: number | null; seconds: number | null } | null = null;
  #failed: number | null = null;
  #tests: number | null = null;
  #seconds: number | null = null;
  writtenMs: number | null = null;
  readonly #suiteCounts = { all: 0, ofAssertions: 0 };

  constructor(onTest: (test: TestResult) => void, nowMs: number) {
    this.#onTest = onTest;
    this.#nowMs = nowMs;
  }

  open(element: Element): void {
    const { name, around } = element;
    this.root ??= name;
    if (SUITES.has(name)) this.#openSuite(element);
    else if (name === 'testcase') this.#test = this.#opened(element);
    else if (this.#test !== null && around.at(-1) === 'testcase') mark(this.#test, name);
    else if (FAILURES.has(name) && SUITES.has(around.at(-1) ?? '')) {
      const suite = this.suites.findLast((one) => one !== '') ?? 'suite';
      this.#onTest({ name: `${suite} itself`, places: this.suites, outcome: 'failed', seconds: 0 });
    }
  }

  close(name: string): void {
    if (SUITES.has(name)) this.suites.pop();
    if (name !== 'testcase' || this.#test === null) return;
    this.#onTest(this.#test);
    this.#test = null;
  }

  #openSuite(element: Element): void {
    this.suites.push(element.attribute('name') ?? '');
    if (element.name === 'testsuite') {
      this.#suiteCounts.all += 1;
      if (countsAssertions(element)) this.#suiteCounts.ofAssertions += 1;
    }
    const at = writtenAnywhere(element.attribute('timestamp'), this.#nowMs);
    if (at !== null) this.writtenMs = Math.min(at, this.writtenMs ?? at);
    const failed = countOf(element, ['failures', 'errors']);
    const tests = countOf(element, ['tests']);
    const seconds = secondsOf(element);
    if (element.around.length === 0) this.#ofRoot = { failed, tests, seconds };
    if (element.around.length !== 1) return;
    if (failed !== null) this.#failed = (this.#failed ?? 0) + failed;
    if (tests !== null) this.#tests = (this.#tests ?? 0) + tests;
    if (seconds !== null) this.#seconds = (this.#seconds ?? 0) + seconds;
  }

  #opened(element: Element): Open {
    const classname = element.attribute('classname') ?? '';
    const name = element.attribute('name') ?? '';
    const places = [classname, element.attribute('file') ?? '', ...this.suites];
    const seconds = secondsOf(element);
    // `node --test` has tests without a suite.
    if (element.around.length === 1 && this.root === 'testsuites' && seconds !== null) {
      this.#seconds = (this.#seconds ?? 0) + seconds;
    }
    const said = ['status', 'result'].map((one) => element.attribute(one)?.toLowerCase() ?? '');
    const outcome = said.some((one) => FAILED.has(one)) ? 'failed' : 'passed';
    return {
      name: classname === '' ? name : `${classname} › ${name}`,
      places: places.filter((place) => place !== ''),
      seconds: seconds ?? 0,
      outcome: outcome === 'passed' && said.some((one) => NOT_RUN.has(one)) ? 'skipped' : outcome,
    };
  }

  summary(): JunitSummary {
    const { failed = null, tests = null, seconds = null } = this.#ofRoot ?? {};
    const { all, ofAssertions } = this.#suiteCounts;
    return {
      kind: 'summary',
      failedAsDeclared: most(failed, this.#failed),
      testsAsDeclared: most(tests, this.#tests),
      countsAssertions: all > 0 && all === ofAssertions,
      seconds: seconds ?? this.#seconds,
      writtenMs: this.writtenMs,
    };
  }
}

function most(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}

/** The worst that is said about it counts. */
function mark(test: Open, name: string): void {
  if (FAILURES.has(name)) test.outcome = 'failed';
  else if (name === 'skipped' && test.outcome !== 'failed') test.outcome = 'skipped';
  else if (FLAKES.has(name) && test.outcome === 'passed') test.outcome = 'flaky';
}

export async function readJunit(
  text: string,
  onTest: (test: TestResult) => void,
  { signal, nowMs }: { readonly signal: AbortSignal; readonly nowMs: number },
): Promise<JunitSummary | Refused> {
  const reader = new Reader(onTest, nowMs);
  const problem = await visitXml(
    text,
    { open: (element) => reader.open(element), close: (name) => reader.close(name) },
    signal,
  );
  if (problem !== null) return problem;
  if (!SUITES.has(reader.root ?? '')) {
    return refused(`is no JUnit report: it begins with <${(reader.root ?? '').slice(0, 40)}>`);
  }
  return reader.summary();
}
