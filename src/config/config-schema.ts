// canaryd.yaml: every field, its limits, its default and what it is for. The descriptions are the
// reference that an editor shows (config/canaryd.schema.json is written from here).
import { z } from 'zod';
import { channelsSchema, slackSchema } from './channel-schema.ts';
import {
  choice,
  duration,
  flag,
  headers,
  mapping,
  oneOf,
  secret,
  text,
  url,
  whole,
  word,
} from './fields.ts';
import { hooksSchema } from './hook-schema.ts';
import { journalSchema } from './journal.ts';
import { routingSchema } from './routing-schema.ts';

export const SCOPES = ['read', 'start', 'act'] as const;

const path = (what: string) => text(1_000, 'a path').describe(what);

const tls = mapping({
  ca: path('PEM file of the authority that signed the server. Default: the system.').optional(),
  cert: path('PEM file of the client certificate.').optional(),
  key: path('PEM file of the key of the client certificate.').optional(),
  insecure_skip_verify: flag()
    .default(false)
    .describe('true believes any server: its figures decide about rollbacks. Default false.'),
});

const prometheus = mapping({
  url: url().describe('Base URL, with the path prefix if there is one; without /api/v1.'),
  headers: headers().optional().describe('More headers. A secret value is written as $NAME.'),
  basic_auth: mapping({
    username: text(200, 'a user name').describe('User name.'),
    password: secret().describe('Password as $NAME.'),
  })
    .optional()
    .describe('HTTP basic authentication. Not together with bearer_token.'),
  bearer_token: secret().optional().describe('Bearer token as $NAME.'),
  tenant: text(200, 'a tenant')
    .optional()
    .describe('Value of X-Scope-OrgID for Mimir, Cortex and Loki gateways.'),
  tls: tls.optional().describe('TLS settings; paths are relative to this file.'),
  timeout: duration('100ms', '2m', '5s')
    .default('5s')
    .describe('No answer within this time blinds the indicators of the tick. Default 5s.'),
}).describe('A Prometheus-compatible API: Prometheus, Mimir, Thanos, VictoriaMetrics.');

const scrape = mapping({
  targets: z
    .array(url(), { error: 'a list of URLs such as http://127.0.0.1:8080/metrics' })
    .min(1, { error: 'at least one URL such as http://127.0.0.1:8080/metrics' })
    .max(100, { error: 'at most 100 targets; use a Prometheus for more' })
    .describe('The /metrics URLs of all instances of the service.'),
  headers: headers().optional().describe('More headers. A secret value is written as $NAME.'),
  timeout: duration('100ms', '2m', '5s')
    .default('2s')
    .describe('No answer within this time blinds the indicators of the tick. Default 2s.'),
}).describe("The service's own metrics, read directly: no Prometheus needed, seconds faster.");

const sourceSchema = choice({ prometheus: prometheus.optional(), scrape: scrape.optional() }, [
  'prometheus',
  'scrape',
]).describe('Where indicators are read: exactly one of prometheus and scrape.');

export const sourcesSchema = z
  .record(word('the name of a source'), sourceSchema, { error: 'a mapping of names to sources' })
  .refine((entries) => Object.keys(entries).length > 0, {
    error: 'at least one source; policies refer to it by name',
  })
  .describe('Where indicators are read, by the name that policies use.');

const deadMan = mapping({
  url: secret().describe('What is requested (GET), as $NAME: who knows it can keep it quiet.'),
  every: duration('10s', '1h', '1m')
    .default('1m')
    .describe('Pause between two pings; the monitor should wait for several. Default 1m.'),
}).describe('Pings an outside monitor while canaryd does its work; silence should ring there.');

const tokenSchema = mapping({
  name: word('the name of a token').describe('Who holds it; shown in the journal as "by".'),
  token: secret().describe('The token as $NAME; at least 16 random characters.'),
  scopes: z
    .array(oneOf(SCOPES), { error: `a list of ${SCOPES.join(', ')}` })
    .min(1, { error: `at least one of ${SCOPES.join(', ')}` })
    .max(SCOPES.length, { error: 'each scope once' })
    .describe('read: look; start: start watches; act: stop, cancel, acknowledge, hold fire.'),
});

const retention = mapping({
  samples: duration('1h', '3650d', '30d')
    .default('30d')
    .describe('Samples of closed watches are dropped after this time. Default 30d.'),
  watches: duration('1d', '3650d', '400d')
    .default('400d')
    .describe(
      'Closed watches, decisions of gates and signatures are dropped after this time. Default 400d.',
    ),
});

export const configSchema = mapping({
  listen: mapping({
    host: text(253, 'a host name or address')
      .default('127.0.0.1')
      .describe('Address to listen on. Beyond loopback only with tokens. Default 127.0.0.1.'),
    port: whole(0, 65_535).default(7766).describe('Port; 0 takes any free one. Default 7766.'),
  })
    .optional()
    .describe('Where the API is served.'),
  public_url: url()
    .refine((written) => !URL.canParse(written) || isOrigin(new URL(written)), {
      error: 'a URL without a path: the page and the API are served at the root of a host',
    })
    .optional()
    .describe('How people reach this daemon; links in messages begin with it. Default: none.'),
  journal: journalSchema,
  policies: z
    .array(text(1_000, 'a file name or pattern'), { error: 'a list of file names or patterns' })
    .min(1, { error: 'at least one file name or pattern such as policies/*.yaml' })
    .max(100, { error: 'at most 100 patterns' })
    .describe('Policy files, as patterns relative to this file. Each must match a file.'),
  sources: sourcesSchema,
  slack: slackSchema
    .optional()
    .describe('Short for one channel: channels: { slack: { slack: … } }. Not next to channels.'),
  channels: channelsSchema.optional(),
  routing: routingSchema.optional(),
  dead_man: deadMan.optional(),
  tokens: z
    .array(tokenSchema, { error: 'a list of tokens with name, token and scopes' })
    .max(100, { error: 'at most 100 tokens' })
    .default([])
    .describe('Who may use the API. Without tokens anybody who reaches it may: loopback only.'),
  hooks: hooksSchema.optional(),
  retention: retention.optional().describe('How long the journal keeps what is closed.'),
  stand_by: mapping({
    every: duration('1s', '5m', '15s')
      .default('15s')
      .describe('Period of these readings. Longer saves requests, and knows less. Default 15s.'),
  })
    .optional()
    .describe('While nothing is watched, sources are read now and then: the time before a deploy.'),
  secrets: mapping({
    directory: path('Folder with one file per secret. Default /run/secrets.').optional(),
  })
    .optional()
    .describe('Where $NAME is looked for, after the environment (NAME, NAME_FILE).'),
  log: mapping({
    level: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
      .default('info')
      .describe('Least important line that is written. Default info.'),
  })
    .optional()
    .describe('Structured log on standard output.'),
}).describe('canaryd: the configuration of the daemon.');

export type ConfigInput = z.infer<typeof configSchema>;

function isOrigin({ pathname, search, hash }: URL): boolean {
  return /^\/*$/.test(pathname) && search === '' && hash === '';
}
