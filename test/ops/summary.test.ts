import { describe, expect, it } from 'vitest';
import { type Report, summaryOf } from '../support/summary.ts';

function reportOf(...statuses: readonly string[]): Report {
  const assertionResults = statuses.map((status, at) => ({ fullName: `test ${at}`, status }));
  return { testResults: [{ name: 'a.test.ts', status: 'passed', assertionResults }] };
}

describe('summaryOf', () => {
  it('counts what passed and what failed', () => {
    const summary = summaryOf(reportOf('passed', 'failed', 'passed'));
    expect(summary.line).toBe('2 passed, 1 failed');
  });

  it('names what was skipped', () => {
    const summary = summaryOf(reportOf('passed', 'skipped', 'pending', 'todo'));
    expect(summary.line).toBe('1 passed, 0 failed, 3 skipped');
    expect(summary.skipped).toEqual(['test 1', 'test 2', 'test 3']);
  });

  it('counts a file that could not be loaded as a failure', () => {
    const broken = { name: 'b.test.ts', status: 'failed', assertionResults: [] };
    const report = { testResults: [...reportOf('passed').testResults, broken] };
    expect(summaryOf(report).line).toBe('1 passed, 1 failed');
  });

  it('counts a file whose failures are named only once', () => {
    const [file] = reportOf('failed').testResults;
    const report = { testResults: file === undefined ? [] : [{ ...file, status: 'failed' }] };
    expect(summaryOf(report).line).toBe('0 passed, 1 failed');
  });

  it('fails a run in which nothing was tested', () => {
    expect(summaryOf({ testResults: [] }).failed).toBe(1);
    expect(summaryOf(reportOf('skipped')).failed).toBe(1);
  });

  it('fails a run that left no report', () => {
    expect(summaryOf(null).line).toBe('0 passed, 1 failed');
  });
});
