// The language of `canaryd test`: a file of cases for one policy. The descriptions are what an
// editor shows (config/policy-test.schema.json is written from here). Texts with a grammar of their
// own (series, answers, happenings, expectations) are read in `src/cases/`.
import { z } from 'zod';
import { duration, mapping, oneOf, quantity, text } from './fields.ts';

export const CASES_MAX = 200;
export const SERIES_IN_CASE_MAX = 2_000;
export const UNTIL_MAX = '24h';
const TEXT_CHARS_MAX = 10_000;
const PIECES_MAX = 1_000;

/** A number that holds, a text in a notation, or pieces by time. */
const course = z.union(
  [
    z.number(),
    z.string().max(TEXT_CHARS_MAX),
    z
      .record(z.string(), z.union([z.number(), z.string().max(TEXT_CHARS_MAX)]))
      .refine((pieces) => Object.keys(pieces).length <= PIECES_MAX),
  ],
  {
    error:
      "a number that holds, a course such as +98/s, pieces such as { 0s: +98/s, 2m: +72/s }, or promtool's notation",
  },
);

const courses = (what: string) =>
  z
    .record(z.string().min(1).max(1_000), course, { error: 'a mapping of series to courses' })
    .optional()
    .describe(what);

const answers = z.union(
  [
    z.string().max(TEXT_CHARS_MAX),
    z.record(z.string(), z.string().max(TEXT_CHARS_MAX)),
    z.record(z.string(), z.record(z.string(), z.string().max(TEXT_CHARS_MAX))),
  ],
  { error: 'answers such as "ok 4m, HTTP 503 2m, no answer", by time, or by indicator' },
);

const receivers = mapping({
  disarm: text(1_000, 'answers such as "times out 2x, accepted"')
    .optional()
    .describe('What the disarm endpoint answers.'),
  rollback: text(1_000, 'answers such as "times out 2x, accepted"')
    .optional()
    .describe('What the rollback endpoint answers.'),
})
  .optional()
  .describe('Answers to each attempt, in order; the last one repeats. Default: accepted.');

const deploy = mapping({
  version: text(200, 'a version').optional().describe('Default 2.0.0.'),
  previous_version: text(200, 'a version').optional().describe('Default 1.0.0.'),
  parameters: z
    .record(z.string(), z.union([z.number(), z.string().max(200)]), {
      error: 'a mapping of parameters to values',
    })
    .optional()
    .describe('What the policy wants a deploy to bring.'),
  at: text(40, 'a time such as 2026-03-01T12:00:00Z')
    .optional()
    .describe('Wall clock of the deploy, as messages show it. Default 2026-01-01T12:00:00Z.'),
  started: duration('0s', '24h', '3m')
    .optional()
    .describe('The watch starts so long after the deploy. Default 0s.'),
  mode: oneOf(['act', 'observe']).optional().describe('observe: the watch may not act.'),
})
  .optional()
  .describe('The deploy that is watched.');

const expectation = z.union(
  [z.string(), z.number(), z.array(z.string()), z.record(z.string(), z.string())],
  {
    error: 'a word such as firing, a value such as 72%, or a list',
  },
);
const expectations = z.record(z.string(), expectation, {
  error: 'a mapping such as { fill_rate: firing, watch: stopped }',
});

const shared = {
  deploy,
  before: courses('Series of the time before the deploy, up to it. Baselines come from here.'),
  series: courses('Series from the deploy on, as the source scrapes them.'),
  values: courses(
    'Values of promql and audit_log indicators, by indicator: they cannot be computed offline. Of ' +
      'an audit log that is gone no event is known; its min_total is not tried.',
  ),
  health: answers.optional().describe('What health endpoints answer. Default: ok.'),
  receivers,
};

export const caseSchema = mapping({
  name: text(200, 'a sentence').describe('What is shown, as a sentence.'),
  ...shared,
  happens: z
    .record(z.string(), z.union([z.string(), z.array(z.string()).max(20)]), {
      error: 'a mapping of times to what happens then',
    })
    .optional()
    .describe(
      'By time, or from-to: source down, canaryd down, canaryd restarts, ann stops (reason), deploy 2.0.1.',
    ),
  expect: z
    .record(z.string(), expectations, { error: 'a mapping of times to expectations' })
    .optional()
    .describe('By time, or from-to: what must be so then.'),
  never: expectations.optional().describe('What may be so at no time of the case.'),
  until: duration('1s', UNTIL_MAX)
    .optional()
    .describe('End of the case since the deploy. Default: the last time it names. At most 24h.'),
}).describe('One story: what happens after a deploy, and what canaryd must do.');

export const casesSchema = mapping({
  policy: text(500, 'the path of a policy').describe('The policy, relative to this file.'),
  source: oneOf(['prometheus', 'scrape'])
    .default('prometheus')
    .describe("How series are read: as a Prometheus's, or from /metrics. Default prometheus."),
  interval: duration('1s', '5m', '5s')
    .optional()
    .describe(
      "How often series are scraped; the step of promtool's notation. Default: as the policy.",
    ),
  buckets: z
    .array(quantity(), { error: 'a list of bounds such as [100ms, 500ms, 2s]' })
    .max(200, { error: 'at most 200 bounds' })
    .optional()
    .describe('Bucket bounds of histograms written as "+95/s of 200ms". Default: 5ms to 10s.'),
  ...shared,
  cases: z
    .array(caseSchema, { error: 'a list of cases with name and expect' })
    .min(1, { error: 'at least one case' })
    .max(CASES_MAX, { error: `at most ${CASES_MAX} cases; split the file` })
    .describe('The cases. What they leave out is as the file says above.'),
}).describe('canaryd test: cases of one policy, played offline.');

export type CasesInput = z.infer<typeof casesSchema>;
export type CaseInput = z.infer<typeof caseSchema>;
export type CourseInput = z.infer<typeof course>;
export type AnswersInput = z.infer<typeof answers>;
export type ExpectationInput = z.infer<typeof expectation>;
