import { z } from 'zod';
import { duration, flag, mapping, secret, text, url } from '../fields.ts';
import { timeoutField } from './common.ts';

const WORKFLOWS_MAX = 50;
const repositoryError = 'a repository as owner/name, such as acme/aurora';
const workflowError = 'the file name of a workflow, such as test-workflow.yml';
const listError = `a list of 1 to ${WORKFLOWS_MAX} file names of workflows`;

export const githubRunsSchema = mapping({
  repository: z
    .string({ error: repositoryError })
    .regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,38}\/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$/, {
      error: repositoryError,
    })
    .describe('owner/name.'),
  branch: text(250, 'the name of a branch')
    .optional()
    .describe('Only runs on this branch; may contain placeholders. Default: the default branch.'),
  commit: text(100, 'a commit')
    .optional()
    .describe('Only runs of this commit; may contain placeholders such as ${version}.'),
  workflows: z
    .array(
      z.string({ error: workflowError }).regex(/^[A-Za-z0-9._ -]{1,200}\.ya?ml$/, {
        error: workflowError,
      }),
      { error: listError },
    )
    .min(1, { error: listError })
    .max(WORKFLOWS_MAX, { error: listError })
    .optional()
    .describe('Workflows by file name: the last run of each must have succeeded.'),
  max_age: duration('1m', '365d', '24h')
    .optional()
    .describe('The last run of each workflow may have begun no longer ago than this.'),
  none_failed: flag()
    .default(true)
    .describe(
      'Also the last run of every other workflow that ran on the branch (within max_age) must ' +
        'have ended well: none pending, none failed. Default true.',
    ),
  token: secret()
    .optional()
    .describe('A token as $NAME that may read Actions. Without one only public repositories.'),
  api: url()
    .default('https://api.github.com')
    .describe('Base URL; for GitHub Enterprise Server https://HOST/api/v3.'),
  timeout: timeoutField('30s', '5m'),
})
  .refine(({ workflows, none_failed: none }) => workflows !== undefined || none, {
    error: 'workflows, or none_failed: true; add one',
  })
  .describe('Runs of GitHub Actions: named workflows succeeded, nothing is pending or failed.');

export type GithubRunsInput = z.output<typeof githubRunsSchema>;
