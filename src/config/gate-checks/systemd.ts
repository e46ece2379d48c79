import { z } from 'zod';
import { flag, mapping } from '../fields.ts';
import { timeoutField } from './common.ts';

const UNITS_MAX = 100;
const unitError = 'the name of a systemd unit, such as lunia_core or backup.timer';
const listError = `a list of 1 to ${UNITS_MAX} names of systemd units`;

export const systemdSchema = mapping({
  units: z
    .array(
      z.string({ error: unitError }).regex(/^[A-Za-z0-9_:][A-Za-z0-9:_.@\\-]{0,199}$/, {
        error: unitError,
      }),
      { error: listError },
    )
    .min(1, { error: listError })
    .max(UNITS_MAX, { error: listError })
    .describe('Names of units; without an ending a service is meant.'),
  active: flag().default(true).describe('Each is active (running). Default true.'),
  enabled: flag()
    .default(true)
    .describe(
      'Each is enabled: it starts with the machine; enabled-runtime does not. Default true.',
    ),
  user: flag().default(false).describe('Units of the user instead of the system. Default false.'),
  timeout: timeoutField('10s', '5m'),
})
  .refine(({ active, enabled }) => active || enabled, {
    error: 'active, enabled or both; leave one of them true',
    path: ['enabled'],
  })
  .describe('Units of systemd on the machine where the gate is carried out.');

export type SystemdInput = z.output<typeof systemdSchema>;
