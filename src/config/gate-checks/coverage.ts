import type { z } from 'zod';
import { mapping } from '../fields.ts';
import { maxAgeField, packagesField, reportField, timeoutField } from './common.ts';
import { shareLimit } from './limit.ts';

export const coverageSchema = mapping({
  report: reportField('artifacts/coverage.xml'),
  lines: shareLimit('90%')
    .optional()
    .describe('At least this share of the lines is covered; { above: 90% } is more than it.'),
  branches: shareLimit('85%')
    .optional()
    .describe('At least this share of the branches is covered, or { above: 85% }.'),
  packages: packagesField(
    'The limits hold in each of these packages, by the path of the files: [oms, src/risk].',
  ),
  max_age: maxAgeField(),
  timeout: timeoutField('1m'),
})
  .refine(({ lines, branches }) => lines !== undefined || branches !== undefined, {
    error: 'lines, branches or both; add one',
  })
  .describe('Code coverage: Cobertura XML, lcov, Istanbul json-summary, coverage.py JSON.');

export type CoverageInput = z.output<typeof coverageSchema>;
