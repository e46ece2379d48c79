// The fields of the check `scan`: whose report, how many findings, and which are accepted.
import { z } from 'zod';
import { mapping, oneOf, text, whole } from '../fields.ts';
import { maxAgeField, reportField, timeoutField } from './common.ts';

export const SEVERITIES = ['critical', 'high', 'medium', 'low'] as const;
export const SCANNERS = [
  'sarif',
  'bandit',
  'trivy',
  'npm_audit',
  'pip_audit',
  'safety',
  'pylint',
  'mypy',
  'zap',
] as const;

const COUNT_MAX = 1_000_000;
const orWorse = (what: string) =>
  whole(0, COUNT_MAX).optional().describe(`At most so many findings that are ${what}.`);

const limitsSchema = mapping({
  critical: orWorse('critical'),
  high: orWorse('high or critical'),
  medium: orWorse('medium or worse'),
  low: orWorse('low or worse'),
  unrated: orWorse('without a severity; pip-audit gives none'),
  total: orWorse('there, of any severity'),
})
  .refine((limits) => Object.keys(limits).length > 0, { error: 'at least one limit; add high: 0' })
  .describe('How many findings there may be. A severity counts what is worse, too.');

const acceptedSchema = mapping({
  id: text(200, 'the id of a finding, such as CVE-2024-1234').describe('As the scanner names it.'),
  by: text(200, 'a name').describe('Who accepts it.'),
  reason: text(1_000, 'a reason').describe('Why it does no harm here.'),
  until: z
    .string({ error: 'a day such as 2026-12-01' })
    .regex(/^\d{4}-\d\d-\d\d$/, { error: 'a day such as 2026-12-01; quote it' })
    .refine((day) => !Number.isNaN(Date.parse(day)), { error: 'a day that exists' })
    .describe('The last day on which it is accepted, in UTC.'),
});

const listError = 'a list of up to 200 accepted findings, each with id, by, reason and until';

export const scanSchema = mapping({
  report: reportField('artifacts/bandit.json'),
  format: oneOf(SCANNERS)
    .optional()
    .describe(
      'Whose report it is. Needed for pylint and mypy; others are recognised. An empty list of ' +
        'pylint (json) and an empty file of mypy do not say whether anything was looked at: use ' +
        'json2 of pylint, and mypy --junit-xml with a check junit.',
    ),
  limits: limitsSchema.default({ high: 0 }),
  accept: z
    .array(acceptedSchema, { error: listError })
    .max(200, { error: listError })
    .optional()
    .describe('Findings that do not count, in writing, until a day.'),
  max_age: maxAgeField(),
  timeout: timeoutField('1m'),
}).describe(
  'Findings of scanners by severity: SARIF, bandit, Trivy, npm audit, pip-audit, safety, pylint, ' +
    'mypy, OWASP ZAP.',
);

export type ScanInput = z.output<typeof scanSchema>;
