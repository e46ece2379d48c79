// From vitest's JSON report to the last lines of a test run. A run in which nothing was tested
// has failed, and a file that could not be loaded counts as a failed test.

export type Report = {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
};

export type Summary = {
  readonly passed: number;
  readonly failed: number;
  /** Their titles say why. */
  readonly skipped: readonly string[];
  /** `3 passed, 0 failed, 1 skipped` */
  readonly line: string;
};

/** `null`: there is no report, because the runner itself broke. */
export function summaryOf(report: Report | null): Summary {
  const files = report?.testResults ?? [];
  const tests = files.flatMap((file) => file.assertionResults);
  const count = (status: string) => tests.filter((test) => test.status === status).length;
  const failedTests = count('failed');
  const brokenFiles = files.filter(
    (file) =>
      file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed'),
  ).length;
  const passed = count('passed');
  const nothingRan = passed + failedTests + brokenFiles === 0;
  const failed = failedTests + brokenFiles + (nothingRan ? 1 : 0);
  const skipped = tests
    .filter((test) => ['skipped', 'pending', 'todo'].includes(test.status))
    .map((test) => test.fullName);
  const tail = skipped.length === 0 ? '' : `, ${skipped.length} skipped`;
  return { passed, failed, skipped, line: `${passed} passed, ${failed} failed${tail}` };
}
