import { z } from 'zod';
import { choice, headers, mapping, oneOf, quantity, selector, text, url } from '../fields.ts';
import { timeoutField } from './common.ts';
import { comparisons, FIGURE_COMPARATORS } from './limit.ts';

const NAMES_MAX = 500;
const nameError = 'the name of a metric such as http_requests_total';
const namesError = `a list of 1 to ${NAMES_MAX} names of metrics`;

const figure = choice(
  {
    metric: selector().describe('Which series.'),
    aggregate: oneOf(['one', 'sum', 'min', 'max', 'avg'])
      .default('one')
      .describe('How several series become one number. Default one: several are unknown.'),
    ...comparisons,
    equals: quantity().optional().describe('The value must be exactly this.'),
    of: text(64, 'the name of a number parameter')
      .optional()
      .describe('The limit is this share of a number parameter of the deploy.'),
  },
  FIGURE_COMPARATORS,
).describe('The value of a metric against a limit.');

export const metricsSchema = mapping({
  url: url().describe('Address of the metrics, in the text format of Prometheus or OpenMetrics.'),
  headers: headers()
    .optional()
    .describe('Headers of the request. A secret value is written as $NAME, never literally.'),
  names: z
    .array(
      z.string({ error: nameError }).regex(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,199}$/, {
        error: nameError,
      }),
      { error: namesError },
    )
    .min(1, { error: namesError })
    .max(NAMES_MAX, { error: namesError })
    .optional()
    .describe(
      'Metrics that must be there with at least one sample; of a histogram or a counter the ' +
        'base name is enough: request_duration for request_duration_bucket.',
    ),
  values: z
    .array(figure, { error: 'a list of metrics with their limits' })
    .min(1, { error: 'at least one metric with its limit' })
    .max(100, { error: 'at most 100 metrics with limits; split the check' })
    .optional()
    .describe('Values of metrics, as they are now, against limits.'),
  timeout: timeoutField('10s', '5m'),
})
  .refine(({ names, values }) => names !== undefined || values !== undefined, {
    error: 'names, values or both; add one',
  })
  .describe('What a service exposes as its metrics.');

export type MetricsInput = z.output<typeof metricsSchema>;
