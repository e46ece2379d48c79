// The `hooks` section of canaryd.yaml: which deploy events start watches.
import { z } from 'zod';
import { mapping, secret, text } from './fields.ts';

const NAMES_MAX = 1_000;
const PARAMETERS_MAX = 50;

const services = z
  .record(text(200, 'a name at the sender'), text(200, 'the name of a service'), {
    error: 'a mapping of names at the sender to services, such as "org/repo": aurora',
  })
  .refine((map) => Object.keys(map).length <= NAMES_MAX, { error: `at most ${NAMES_MAX} services` })
  .default({});

const parameterValue = z.union([z.number(), text(200, 'a text')], {
  error: 'a number, or a text of 1 to 200 characters',
});

const common = {
  environments: z
    .array(text(200, 'the name of an environment'), { error: 'a list of environments' })
    .min(1, { error: 'at least one environment; leave the field out to take all' })
    .max(100, { error: 'at most 100 environments' })
    .optional()
    .describe('Only deploys to these, as the sender names them. Default: all.'),
  parameters: z
    .record(text(100, 'the name of a parameter'), parameterValue, {
      error: 'a mapping of parameters to values, such as deploy_capital: 100000',
    })
    .refine((map) => Object.keys(map).length <= PARAMETERS_MAX, {
      error: `at most ${PARAMETERS_MAX} parameters`,
    })
    .default({})
    .describe('For parameters that the event does not bring and a policy asks for.'),
};

const repositories = services.describe(
  'Repository as group/name to service. Default: the name of the repository.',
);
const SEVERAL = '16 random characters or more; two, separated by a blank, while it is changed.';

const github = mapping({
  secret: secret().describe(`Secret of the webhook as $NAME; ${SEVERAL}`),
  services: repositories,
  ...common,
}).describe('deployment_status events of GitHub.');

const gitlab = mapping({
  secret: secret().describe(`Secret token, or signing token, as $NAME; ${SEVERAL}`),
  services: repositories,
  ...common,
}).describe('Deployment events of GitLab.');

const optionalSecret = secret()
  .optional()
  .describe('Standard Webhooks key as $NAME. Default: a token with scope start is asked for.');

const cdevents = mapping({
  secret: optionalSecret,
  services: services.describe('subject.id to service. Default: its part after the last slash.'),
  ...common,
}).describe('service.deployed and service.upgraded of CDEvents.');

const generic = mapping({
  secret: optionalSecret,
  services: services.describe('Service in the body to service. Default: as it is there.'),
  ...common,
}).describe('Anything with a template; the body is that of POST /v1/watches. {} is enough.');

export const hooksSchema = mapping({
  github: github.optional(),
  gitlab: gitlab.optional(),
  cdevents: cdevents.optional(),
  generic: generic.optional(),
}).describe('Deploy events that start watches, at /v1/hooks/<kind>. Default: none.');

export type HooksInput = z.infer<typeof hooksSchema>;
