import { z } from 'zod';
import { duration, flag, mapping, secret, text, url, whole } from '../fields.ts';
import { timeoutField } from './common.ts';

const uidError = 'the uid of a dashboard, as in its address: /d/UID/name';

export const grafanaSchema = mapping({
  url: url().describe('Where Grafana is, with its path if it has one.'),
  token: secret()
    .optional()
    .describe('Token of a service account (role Viewer) as $NAME. Without one: anonymous.'),
  dashboard: z
    .string({ error: uidError })
    .regex(/^[A-Za-z0-9_-]{1,40}$/, { error: uidError })
    .describe('The uid of the dashboard.'),
  panels: whole(1, 500)
    .optional()
    .describe(
      'So many panels that ask something it has at least; rows and texts do not count, panels in rows do.',
    ),
  with_data: flag()
    .default(true)
    .describe('Every panel that asks something must get data. Default true.'),
  except: z
    .array(text(200, 'the title of a panel'), { error: 'a list of titles of panels' })
    .max(100, { error: 'at most 100 titles' })
    .optional()
    .describe('Panels that may be without data, such as one of errors, by title.'),
  range: duration('1m', '31d', '1h')
    .default('1h')
    .describe('Panels are asked for this time until now. Default 1h.'),
  variables: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, { error: 'the name of a variable' }),
      text(500, 'a value'),
      { error: 'a mapping of variables to values' },
    )
    .optional()
    .describe('Values for variables of the dashboard. Default: those it was saved with.'),
  timeout: timeoutField('60s', '10m'),
}).describe('A dashboard of Grafana: that it is there, and that its panels show data.');

export type GrafanaInput = z.output<typeof grafanaSchema>;
