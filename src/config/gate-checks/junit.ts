import type { z } from 'zod';
import { duration, flag, mapping, oneOf, whole } from '../fields.ts';
import { maxAgeField, packagesField, reportField, timeoutField } from './common.ts';

const COUNT_MAX = 10_000_000;

export const junitSchema = mapping({
  report: reportField('artifacts/unit.xml'),
  packages: packagesField(
    'Only tests of these packages, by class, file or suite: [oms, risk]. Each must have tests.',
  ),
  tests_min: whole(1, COUNT_MAX)
    .default(1)
    .describe('At least so many tests have run. Skipped ones have not. Default 1.'),
  failed_max: whole(0, COUNT_MAX).default(0).describe('Failed tests and errors. Default 0.'),
  skipped_max: whole(0, COUNT_MAX).optional().describe('At most so many skipped tests.'),
  flaky_max: whole(0, COUNT_MAX)
    .optional()
    .describe('At most so many tests that passed only when they were repeated.'),
  reruns: flag()
    .default(false)
    .describe(
      'The report has one entry for each attempt of a test: the last one counts, and a test that ' +
        'failed before is flaky. Without it, each entry counts by itself.',
    ),
  counts: oneOf(['tests', 'assertions'])
    .default('tests')
    .describe(
      'What the totals of the report count. A report that counts more tests than it names is ' +
        'unknown. Catch2 and doctest count assertions, and are recognised: by hostname="tbd" and ' +
        'by doctest_version, which --no-version leaves out. Default tests.',
    ),
  runtime_max: duration('1ms', '7d', '15m')
    .optional()
    .describe('All tests together take at most so long, as the report says.'),
  max_age: maxAgeField(),
  timeout: timeoutField('1m'),
}).describe('Test results in the JUnit XML format: pytest, vitest, surefire, gradle and others.');

export type JunitInput = z.output<typeof junitSchema>;
