// The fields of the check `file`: what is wanted of a file, and of what stands in it.
import { z } from 'zod';
import { compileSearch } from '../../core/pattern.ts';
import { duration, flag, mapping, quantity, text, whole } from '../fields.ts';
import { maxAgeField, pathField, reportField, timeoutField } from './common.ts';

const textsError = 'a text of 1 to 500 characters, or a list of up to 50';
const oneText = z.string({ error: textsError }).min(1, textsError).max(500, textsError);
const texts = () =>
  z
    .union(
      [oneText, z.array(oneText, { error: textsError }).min(1, textsError).max(50, textsError)],
      {
        error: textsError,
      },
    )
    .optional();

const patternError = 'a regular expression (RE2) of 1 to 500 characters, or a list of up to 50';
const pattern = oneText.refine((source) => compileSearch(source) !== null, patternError);
const patterns = () =>
  z.union([pattern, z.array(pattern).min(1, patternError).max(50, patternError)], {
    error: patternError,
  });

const role = text(100, 'a role such as CTO');
const approversError = 'a list of 1 to 30 roles: [CTO, { role: DevOps Lead, name: Ada King }]';
const approversSchema = z
  .array(
    z.union([
      role,
      mapping({
        role: role.describe('The role, as the file names it.'),
        name: text(100, 'a name').optional().describe('Who it must be.'),
      }),
    ]),
    { error: approversError },
  )
  .min(1, { error: approversError })
  .max(30, { error: approversError });

const signedSchema = mapping({
  signature: pathField('a path such as docs/report.md.sig').describe('The detached signature.'),
  key: pathField('a path such as keys/release.pub').describe(
    'The public key: PEM (Ed25519, or ECDSA P-256 as cosign makes it), or OpenSSH (ssh-ed25519).',
  ),
  namespace: text(100, 'a namespace')
    .default('file')
    .describe('Of an SSH signature, as in ssh-keygen -Y sign -n. Default file.'),
}).describe('Signed with a key: what is verified is this key, and no certificate or log.');

export const fileSchema = mapping({
  path: reportField('docs/RELEASE_REPORT.md').describe(
    'The files: a path, a pattern or a list, relative to the folder in which the gate is carried out.',
  ),
  newest: flag()
    .default(false)
    .describe(
      'Of the files that match, only the newest is looked at, or the newest files_min. Without it, each.',
    ),
  files_min: whole(1, 500).default(1).describe('At least so many files are there. Default 1.'),
  size_min: quantity()
    .optional()
    .describe('Each is at least so large: 1kB. Default: it is not empty; 0 lets that pass.'),
  contains: texts().describe('Each of these texts stands in it.'),
  lacks: texts().describe('None of these texts stands in it: "- [ ]".'),
  matches: patterns()
    .optional()
    .describe(
      'Each of these patterns (RE2) matches somewhere in it, ^ and $ at the ends of a line: ' +
        '"^retention_days: 30$" is no comment, and not 300. Placeholders stand for themselves.',
    ),
  date: mapping({
    after: text(100, 'a text such as "Date:"')
      .default('Date')
      .describe('The date stands behind this text, in the same line. Default Date.'),
    max_age: duration('1s', '3650d', '7d').describe('It is at most so old.'),
  })
    .optional()
    .describe('A date in it: 2026-11-20, 20 November 2026 or November 20, 2026.'),
  approved_by: approversSchema
    .optional()
    .describe(
      'For each role a line with its approval: one that says so, such as "CTO: approved, Ada ' +
        'King" or "- [x] CTO: Ada King"; "Approved by: CTO, DevOps Lead"; or, under a heading or ' +
        'table head that says approval or sign-off, a line or a row filled to its end with a date ' +
        'or a word such as ok: "CTO: Ada King, 2026-11-20". A name alone is none, nor is a ticked ' +
        'to-do ("Reminded the CTO"), struck text or a comment. A line of the role that is open or ' +
        'refuses (no, N/A, in review, approved if, an empty box) counts more than any other. A ' +
        'name that reads like a refusal, such as "No Min", is one unless name asks for it.',
    ),
  sha256: z
    .string({ error: '64 hexadecimal digits' })
    .regex(/^[0-9a-fA-F]{64}$/, { error: '64 hexadecimal digits' })
    .optional()
    .describe('The hash that the file must have.'),
  signed: signedSchema.optional(),
  max_age: maxAgeField().describe(
    'Written at most so long ago. A checkout sets this time anew: date says when it was signed.',
  ),
  timeout: timeoutField('30s'),
}).describe('Files: there, of an age, with texts, dates, approvals or a signature in them.');

export type FileInput = z.output<typeof fileSchema>;
