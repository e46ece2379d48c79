// The fields of the check `benchmark`: figures of pytest-benchmark or of any JSON, and their limits.
import { z } from 'zod';
import { mapping, oneOf, share, text } from '../fields.ts';
import { maxAgeField, pathField, reportField, timeoutField } from './common.ts';
import { figureSchema } from './limit.ts';

export const STATISTICS = ['mean', 'median', 'min', 'max', 'stddev', 'q1', 'q3', 'ops'] as const;
export const SCALES = ['number', 's', 'ms', 'us', 'ns'] as const;

const nameError = 'the name of a benchmark, of 1 to 300 characters';
const named = <Value extends z.ZodType>(value: Value, what: string) =>
  z
    .record(z.string().min(1, { error: nameError }).max(300, { error: nameError }), value, {
      error: what,
    })
    .refine((entries) => Object.keys(entries).length > 0, { error: what });

export const benchmarkSchema = mapping({
  report: reportField('artifacts/performance.json'),
  values: named(
    text(300, 'where a figure stands, such as latency.p99'),
    'a mapping of names to places in the JSON: { p99: latency.p99_ms }',
  )
    .optional()
    .describe(
      'For JSON of any tool: names of figures, and where each stands, by names joined with dots. ' +
        'Without it, the report is JSON of pytest-benchmark.',
    ),
  scale: oneOf(SCALES)
    .default('number')
    .describe('With values: what one is. ms: 200 in the report is 200 ms. Default number.'),
  statistic: oneOf(STATISTICS)
    .default('mean')
    .describe('Of pytest-benchmark: which figure is judged. Default mean.'),
  limits: named(figureSchema, 'a mapping of benchmarks to limits: { test_fill: { below: 100ms } }')
    .optional()
    .describe(
      'By name. With pytest-benchmark, a name without [parameters] is all of them. A limit of a ' +
        'time needs its unit: 200ms.',
    ),
  baseline: pathField('a path such as artifacts/baselines/performance.json')
    .optional()
    .describe('A report of before. Each of its benchmarks is compared.'),
  worse_max: share('10%')
    .optional()
    .describe('With baseline: no benchmark is worse than before by more than this share of it.'),
  better: oneOf(['lower', 'higher'])
    .optional()
    .describe('With baseline: which way is better. Default lower; for the statistic ops higher.'),
  max_age: maxAgeField(),
  timeout: timeoutField('1m'),
})
  .refine((input) => input.limits !== undefined || input.worse_max !== undefined, {
    error: 'limits, worse_max or both; add one',
  })
  .refine((input) => (input.baseline === undefined) === (input.worse_max === undefined), {
    error: 'baseline and worse_max together; add the other one',
  })
  .refine(
    ({ values, limits: of }) =>
      values === undefined || Object.keys(of ?? {}).every((name) => Object.hasOwn(values, name)),
    { error: 'names of values; add the missing one there', path: ['limits'] },
  )
  .describe('Figures of benchmarks and load tests, against limits, a baseline or both.');

export type BenchmarkInput = z.output<typeof benchmarkSchema>;
