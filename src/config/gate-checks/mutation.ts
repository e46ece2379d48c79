import type { z } from 'zod';
import { mapping, oneOf, share, text } from '../fields.ts';
import { maxAgeField, packagesField, pathField, timeoutField } from './common.ts';

export const mutationSchema = mapping({
  report: pathField('a path such as artifacts/mutation.json').describe(
    'Stryker or any report in its schema, mutmut (export-cicd-stats), or any JSON with `score`.',
  ),
  score: text(200, 'where the score stands, such as score or packages.{package}.score')
    .optional()
    .describe(
      'Where the score stands in other JSON, by names joined with dots; with packages, ' +
        '{package} is the name of each.',
    ),
  scale: oneOf(['percent', 'share'])
    .default('percent')
    .describe('With score: whether 81 % is written as 81 (percent) or 0.81 (share).'),
  at_least: share('80%').optional().describe('The mutation score is at least this.'),
  above: share('80%').optional().describe('The mutation score is more than this.'),
  baseline: pathField('a path such as artifacts/baselines/mutation_baseline.json')
    .optional()
    .describe('A report of before, in the same format.'),
  drop_max: share('5%')
    .optional()
    .describe('With baseline: at most so many percentage points below it.'),
  packages: packagesField('The limits hold in each of these packages: [oms, positions, risk].'),
  max_age: maxAgeField(),
  timeout: timeoutField('1m'),
})
  .refine(
    (input) => [input.at_least, input.above, input.drop_max].some((one) => one !== undefined),
    {
      error: 'at_least or above, drop_max or both; add one',
    },
  )
  .refine((input) => input.at_least === undefined || input.above === undefined, {
    error: 'one of at_least and above; keep one',
  })
  .refine((input) => (input.baseline === undefined) === (input.drop_max === undefined), {
    error: 'baseline and drop_max together; add the other one',
  })
  .refine(
    ({ score, packages }) =>
      score === undefined || packages === undefined || score.includes('{package}'),
    { error: 'a path with {package} in it, as there are packages', path: ['score'] },
  )
  .describe('The mutation score, against a limit, a baseline or both.');

export type MutationInput = z.output<typeof mutationSchema>;
