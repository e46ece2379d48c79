import { z } from 'zod';
import { environment, mapping } from '../fields.ts';

const nameError = 'the name of an environment variable, such as AURORA_MODE';
const listError = 'a list of 1 to 100 names of environment variables';

export const envSchema = mapping({
  required: z
    .array(z.string({ error: nameError }).regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, nameError), {
      error: listError,
    })
    .min(1, { error: listError })
    .max(100, { error: listError })
    .optional()
    .describe('Variables that are set, and not blank. Values are never shown.'),
  equals: environment()
    .optional()
    .describe('Variables with the value that each must have: { AURORA_MODE: testnet }.'),
  not_equals: environment()
    .optional()
    .describe('Variables with a value that each may not have; one that is not set is fit.'),
})
  .refine((written) => Object.values(written).some((one) => one !== undefined), {
    error: 'required, equals or not_equals; add one',
  })
  .describe('Variables of the environment in which the gate is carried out.');

export type EnvInput = z.output<typeof envSchema>;
