// A figure against a limit, as kinds of checks write it: exactly one comparison.
import { z } from 'zod';
import { choice, quantity, share, text } from '../fields.ts';

export const FIGURE_COMPARATORS = [
  'above',
  'below',
  'at_least',
  'at_most',
  'within',
  'equals',
] as const;

export const comparisons = {
  above: quantity().optional().describe('The value must be greater.'),
  below: quantity().optional().describe('The value must be smaller.'),
  at_least: quantity().optional().describe('The value must be greater or equal.'),
  at_most: quantity().optional().describe('The value must be smaller or equal.'),
  within: quantity().optional().describe('The value must be this close to 0.'),
};

export const figureSchema = choice(
  {
    ...comparisons,
    equals: quantity().optional().describe('The value must be exactly this.'),
    of: text(64, 'the name of a number parameter')
      .optional()
      .describe('The limit is this share of a number parameter of the deploy.'),
  },
  FIGURE_COMPARATORS,
).describe('A limit: exactly one comparison. 80% is 0.8, 2s is 2, 1GB is 1000000000.');

export type FigureInput = z.output<typeof figureSchema>;

/** `90%` is at least 90 %; `{ above: 90% }` is more than that. */
export function shareLimit(example: string) {
  const error = `a share such as ${example}, { at_least: ${example} } or { above: ${example} }`;
  return z.union(
    [
      share(example),
      choice(
        {
          at_least: share(example).optional().describe('At least this share.'),
          above: share(example).optional().describe('More than this share.'),
        },
        ['at_least', 'above'],
      ),
    ],
    { error },
  );
}

export type ShareLimitInput = z.output<ReturnType<typeof shareLimit>>;
