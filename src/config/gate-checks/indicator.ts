// A figure of the policy language in a gate, field by field: the fields of an indicator and of a
// limit side by side.
import { z } from 'zod';
import { duration, mapping, quantity, text, word } from '../fields.ts';
import { INDICATOR_KINDS, indicatorSchema } from '../indicator-schema.ts';
import { pathField, timeoutField } from './common.ts';

const { early: _early, http: _http, audit_log: _log, ...figures } = indicatorSchema.shape;

/** What an indicator of the policy language is written with, as far as it is read once. */
export const FIGURE_FIELDS = Object.keys(figures) as readonly (keyof typeof figures)[];
export const LIMIT_WORDS = ['above', 'below', 'at_least', 'at_most', 'within'] as const;
export const FIGURE_KINDS = INDICATOR_KINDS.filter(
  (kind) => kind !== 'http' && kind !== 'audit_log',
);

const MEASURES = ['policy', ...FIGURE_KINDS] as const;

export const indicatorCheckSchema = mapping({
  source: word('the name of a source').describe('A source of canaryd.yaml.'),
  policy: pathField('a path such as config/policies/aurora.yaml')
    .optional()
    .describe('The file of a policy whose indicator is read, instead of one that is written here.'),
  name: text(64, 'the name of an indicator').optional().describe('Which indicator of the policy.'),
  ...figures,
  above: quantity().optional().describe('The value must be greater.'),
  below: quantity().optional().describe('The value must be smaller.'),
  at_least: quantity().optional().describe('The value must be greater or equal.'),
  at_most: quantity().optional().describe('The value must be smaller or equal.'),
  within: quantity().optional().describe('The value must be this close to 0.'),
  of: text(64, 'the name of a number parameter')
    .optional()
    .describe('The limit is this share of a number parameter of the deploy.'),
  match: z
    .record(
      z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, { error: 'the name of a label' }),
      text(200, 'a label value'),
      { error: 'a mapping of labels to values' },
    )
    .optional()
    .describe('Labels added to a structured indicator. Default: those of the policy.'),
  stale_after: duration('5s', '1h', '2m')
    .default('2m')
    .describe('A sample older than this is no longer believed. Default 2m.'),
  timeout: timeoutField('30s', '30m').describe(
    'The check is cut off after this time, and unknown. On a scrape source the time of the ' +
      'range comes on top: it is waited for. Default 30s.',
  ),
})
  .superRefine((written, context) => {
    const add = (message: string) => context.addIssue({ code: 'custom', message });
    const kinds = MEASURES.filter((kind) => written[kind] !== undefined);
    if (kinds.length !== 1) add(exactlyOne(kinds, MEASURES));
    const limits = LIMIT_WORDS.filter((one) => written[one] !== undefined);
    if (limits.length !== 1) add(exactlyOne(limits, LIMIT_WORDS));
    if ((written.policy === undefined) !== (written.name === undefined)) {
      add('found one of policy and name; wanted both or none; add or remove one');
    }
  })
  .describe(
    'One figure of the policy language against a limit, read once. What cannot be seen, or is ' +
      'too few to judge, is unknown: also when Prometheus knows less than 80 % of the range for ' +
      'one of the jobs that are seen in it (pods of a job may replace each other; a job that is ' +
      'never seen is not missed), and when a counter first appears in it with a value and neither ' +
      'its target (up) nor another series of its name was seen before. Series without job and ' +
      'instance (remote write) prove only themselves: there a counter that is born with a value ' +
      'is unknown. In PromQL each metric with a range behind it, such as a[${range}] or ' +
      'a[${range}:1m], is looked for, by its own name: a counter that is born in the range is ' +
      'unknown. Not checked there: the range of a subquery behind a parenthesis, ' +
      '(…)[${range}:1m], and what offset and @ move to another time.',
  );

function exactlyOne(found: readonly string[], wanted: readonly string[]): string {
  const what = found.length === 0 ? 'none of them' : found.join(' and ');
  const advice = found.length === 0 ? 'add one' : 'keep one';
  return `found ${what}; wanted exactly one of ${wanted.join(', ')}; ${advice}`;
}

export type IndicatorCheckInput = z.output<typeof indicatorCheckSchema>;
