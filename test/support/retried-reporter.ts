// Names the tests that passed only at a second try, so that they are mended and not forgotten.
import type { Reporter, TestCase } from 'vitest/node';

export default class RetriedReporter implements Reporter {
  readonly #retried: string[] = [];

  onTestCaseResult(test: TestCase): void {
    const isRetried = (test.diagnostic()?.retryCount ?? 0) > 0;
    if (isRetried && test.result().state === 'passed') {
      this.#retried.push(`  ${test.module.relativeModuleId} > ${test.fullName}\n`);
    }
  }

  onTestRunEnd(): void {
    if (this.#retried.length === 0) return;
    process.stdout.write(`\nPassed only at a second try:\n${this.#retried.join('')}`);
  }
}
