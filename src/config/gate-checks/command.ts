// A program that a gate runs, field by field.
import { z } from 'zod';
import { choice, duration, environment, isSecretName, mapping, quantity, text } from '../fields.ts';
import { pathField, timeoutField } from './common.ts';
import { pattern } from './http.ts';
import { comparisons, FIGURE_COMPARATORS } from './limit.ts';

const ARGUMENTS_MAX = 100;
const argvError = `a list of 1 to ${ARGUMENTS_MAX} texts: the program, then its arguments`;
const exitError = 'an exit code from 0 to 255, or a list of them';
const exit = z
  .int({ error: exitError })
  .min(0, { error: exitError })
  .max(255, { error: exitError });
const nameError = 'the name of an environment variable that is no secret, such as VIRTUAL_ENV';

const number = choice(
  {
    pattern: pattern().describe(
      'A regular expression (RE2) whose first group is the number: "score: ([0-9.]+%)". ' +
        'The last place in the output counts. A unit inside the group is read: 83%, 12ms, 1GB.',
    ),
    ...comparisons,
    equals: quantity().optional().describe('The value must be exactly this.'),
    of: text(64, 'the name of a number parameter')
      .optional()
      .describe('The limit is this share of a number parameter of the deploy.'),
  },
  FIGURE_COMPARATORS,
).describe('A number in the output, against a limit.');

const patternsError = 'a regular expression (RE2), or a list of 1 to 50';
const patterns = () =>
  z
    .union(
      [
        pattern(),
        z
          .array(pattern(), { error: patternsError })
          .min(1, { error: patternsError })
          .max(50, { error: patternsError }),
      ],
      { error: patternsError },
    )
    .optional();

export const commandSchema = mapping({
  run: z
    .array(text(8_000, 'an argument'), { error: argvError })
    .min(1, { error: argvError })
    .max(ARGUMENTS_MAX, { error: argvError })
    .refine(([program = '']) => !program.includes('${'), {
      error: 'a fixed program; placeholders may stand in its arguments only',
    })
    .describe(
      'The program and its arguments, without a shell: [python, tools/auroractl.py, health]. ' +
        'Arguments may hold placeholders.',
    ),
  folder: pathField('a path of a folder').optional().describe('Where it runs. Default: the gate.'),
  env: environment()
    .optional()
    .describe('More variables. A secret value is written as $NAME, never literally.'),
  inherit: z
    .array(
      z
        .string({ error: nameError })
        .regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, { error: nameError })
        .refine((name) => !isSecretName(name), {
          error: `${nameError}; give a secret as env: { NAME: $NAME }`,
        }),
      { error: 'a list of names of environment variables' },
    )
    .max(100, { error: 'at most 100 names' })
    .optional()
    .describe(
      'Variables that are passed on, besides PATH, HOME, USER, LANG, LC_ALL, TZ, TMPDIR and CI.',
    ),
  exit: z
    .union([exit, z.array(exit).min(1, { error: exitError })], { error: exitError })
    .default(0)
    .describe('Exit code that is wanted, or a list. Default 0.'),
  match: patterns().describe(
    'A regular expression (RE2) that the output matches, or a list: all of them; ^ and $ are ends of a line.',
  ),
  not_match: patterns().describe('One that it does not match, or a list: none of them.'),
  number: number.optional(),
  within: duration('1ms', '6h', '5m')
    .optional()
    .describe('It must have ended after this time; a slower one fails. Default: timeout.'),
  timeout: timeoutField('2m', '6h').describe(
    'It is ended with all its children after this time, and unknown. Default 2m.',
  ),
}).describe('A program without a shell, judged by exit code, output and time.');

export type CommandInput = z.output<typeof commandSchema>;
