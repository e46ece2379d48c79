import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelConfig } from '../../src/config/channels.ts';
import { revealHeaders } from '../../src/config/config-context.ts';
import { checkPolicyFile, loadConfig, loadPolicyFile } from '../../src/config/load.ts';
import { CanarydError, type Problem } from '../../src/kit/errors.ts';
import { changed } from './sample-policy.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'canaryd-config-'));
  mkdirSync(join(dir, 'policies'));
  write('policies/shop.yaml', changed());
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

const MINIMAL = {
  journal: { sqlite: { path: 'data/canaryd.db' } },
  policies: ['policies/*.yaml'],
  sources: { prometheus: { prometheus: { url: 'http://127.0.0.1:9090' } } },
};

/** JSON is YAML, too. */
function write(name: string, content: unknown): string {
  const path = join(dir, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  return path;
}

function load(config: unknown, env: Record<string, string> = {}) {
  return loadConfig(write('canaryd.yaml', config), { env });
}

/** Problems of a config that is refused, with paths relative to the test's folder. */
function refused(config: unknown, env: Record<string, string> = {}): readonly Problem[] {
  try {
    load(config, env);
  } catch (error) {
    expect(error).toBeInstanceOf(CanarydError);
    expect(error).toMatchObject({ code: 'config_invalid' });
    return (error as CanarydError).problems.map(({ path, message }) => ({
      path: path.replace(/^.*canaryd-config-[^/]*\//, ''),
      message,
    }));
  }
  return [];
}

function slackOf(channels: Readonly<Record<string, ChannelConfig>>) {
  const slack = channels['slack'];
  if (slack?.kind !== 'slack') throw new Error('there is no channel for Slack');
  return slack;
}

describe('canaryd.yaml', () => {
  test('is completed with every default, paths relative to the file', () => {
    const { config, policies, files } = load(MINIMAL);
    expect(config).toEqual({
      listen: { host: '127.0.0.1', port: 7766 },
      publicUrl: null,
      routing: { routes: [], quietHours: null, escalation: null },
      journal: { sqlite: { path: join(dir, 'data/canaryd.db') } },
      sources: {
        prometheus: {
          kind: 'prometheus',
          url: 'http://127.0.0.1:9090',
          headers: {},
          basicAuth: null,
          bearerToken: null,
          tenant: null,
          tls: null,
          timeoutMs: 5_000,
        },
      },
      channels: {},
      deadMan: null,
      tokens: [],
      hooks: { github: null, gitlab: null, cdevents: null, generic: null },
      retention: { samplesMs: 30 * 86_400_000, watchesMs: 400 * 86_400_000 },
      standBy: { everyMs: 15_000 },
      log: { level: 'info' },
    });
    expect(policies.map(({ name }) => name)).toEqual(['shop']);
    expect(files).toEqual([join(dir, 'canaryd.yaml'), join(dir, 'policies/shop.yaml')]);
  });

  test('hands out secrets as handles that never print', () => {
    const env = {
      TOKEN: 'hunter2-hunter2-hunter2',
      SLACK: 'http://127.0.0.1/hunter2',
      PASSWORD: 'hunter2',
    };
    const prometheus = {
      url: 'http://127.0.0.1:9090',
      headers: { 'x-api-key': '$PASSWORD', 'x-team': 'shop' },
      basic_auth: { username: 'canaryd', password: '$PASSWORD' },
    };
    const loaded = load(
      {
        ...MINIMAL,
        listen: { host: '0.0.0.0', port: 80 },
        sources: { prometheus: { prometheus } },
        slack: { webhook: '$SLACK' },
        tokens: [{ name: 'ci', token: '$TOKEN', scopes: ['read', 'start'] }],
      },
      env,
    );
    const { channels, tokens, sources } = loaded.config;
    expect(slackOf(channels).webhook.reveal()).toBe('http://127.0.0.1/hunter2');
    expect(slackOf(channels).criticalWebhook).toBe(slackOf(channels).webhook);
    expect(tokens[0]?.token.reveal()).toBe('hunter2-hunter2-hunter2');
    expect(revealHeaders(sources['prometheus']?.headers ?? {})).toEqual({
      'x-api-key': 'hunter2',
      'x-team': 'shop',
    });
    expect(JSON.stringify(loaded) + inspect(loaded, { depth: 20 })).not.toContain('hunter2');
  });

  test('finds secrets in the folder it names', () => {
    mkdirSync(join(dir, 'keys'));
    write('keys/SLACK', 'http://127.0.0.1/x\n');
    const secrets = { directory: 'keys' };
    const { config } = load({ ...MINIMAL, secrets, slack: { webhook: '$SLACK' } });
    expect(slackOf(config.channels).webhook.reveal()).toBe('http://127.0.0.1/x');
  });

  test('lists the secrets that policies miss, without refusing to start', () => {
    expect(load(MINIMAL, { SECRET_A: 'x' }).missingSecrets).toEqual([
      { policy: 'shop', secrets: ['SECRET_B'] },
    ]);
  });

  test('is refused with the mistakes of all files at once', () => {
    write('policies/bad.yaml', changed(['interval', '1h'], ['source', 'prometheus']));
    write('policies/worse.yaml', 'service: a\nservice: b\n');
    const found = refused({ ...MINIMAL, logg: {}, slack: { webhook: '$NOT_THERE' } });
    expect(found.map(({ path }) => path)).toEqual([
      'canaryd.yaml: logg',
      'canaryd.yaml: slack.webhook',
      'policies/bad.yaml: interval',
      'policies/worse.yaml: line 2, column 1',
    ]);
    expect(found[1]?.message).toContain('set the environment variable NOT_THERE');
  });

  test('tells all missing secrets at once', () => {
    const config = {
      ...MINIMAL,
      slack: { webhook: '$A', critical_webhook: '$B' },
      tokens: [{ name: 'ci', token: '$C', scopes: ['read'] }],
    };
    expect(refused(config).map(({ path }) => path)).toEqual([
      'canaryd.yaml: slack.webhook',
      'canaryd.yaml: slack.critical_webhook',
      'canaryd.yaml: tokens[0].token',
    ]);
  });
});

describe('a wrong canaryd.yaml', () => {
  const TOKEN = { name: 'ci', token: '$TOKEN', scopes: ['read'] };
  const PROMETHEUS = { url: 'http://127.0.0.1:9090' };
  test.each([
    [
      { listen: { host: '0.0.0.0' } },
      'listen.host',
      'because without tokens anybody who reaches the port can roll back',
    ],
    [
      { listen: { port: 70_000 } },
      'listen.port',
      'found 70000; wanted a whole number from 0 to 65535',
    ],
    [
      { public_url: 'https://example.com/canaryd' },
      'public_url',
      'wanted a URL without a path: the page and the API are served at the root of a host',
    ],
    [{ policies: ['nothing/*.yaml'] }, 'policies[0]', 'wanted a pattern that matches a file'],
    [{ sources: {} }, 'sources', 'at least one source'],
    [
      { sources: { prometheus: {} } },
      'sources.prometheus',
      'found none of them; wanted exactly one of prometheus, scrape',
    ],
    [
      { sources: { prometheus: { scrape: { targets: [] } } } },
      'sources.prometheus.scrape.targets',
      'at least one URL',
    ],
    [
      { sources: { prometheus: { prometheus: { ...PROMETHEUS, bearer_token: 'hunter2' } } } },
      'sources.prometheus.prometheus.bearer_token',
      'found a value that is not shown here; wanted the name of a secret',
    ],
    [
      { sources: { prometheus: { prometheus: { url: 'http://u:hunter2@host' } } } },
      'sources.prometheus.prometheus.url',
      'without user and password',
    ],
    [
      { sources: { prometheus: { prometheus: { ...PROMETHEUS, tls: { ca: 'no.pem' } } } } },
      'sources.prometheus.prometheus.tls.ca',
      'wanted a PEM file that can be read',
    ],
    [
      { sources: { prometheus: { prometheus: { ...PROMETHEUS, tls: { cert: 'canaryd.yaml' } } } } },
      'sources.prometheus.prometheus.tls',
      'cert and key together',
    ],
    [
      {
        sources: {
          prometheus: {
            prometheus: {
              ...PROMETHEUS,
              bearer_token: '$TOKEN',
              basic_auth: { username: 'u', password: '$TOKEN' },
            },
          },
        },
      },
      'sources.prometheus.prometheus.bearer_token',
      'one way to log in',
    ],
    [
      { slack: { webhook: 'https://hooks.example/hunter2' } },
      'slack.webhook',
      'found a value that is not shown here',
    ],
    [{ slack: { webhook: '$WORD' } }, 'slack.webhook', 'found an unfit value for WORD'],
    [{ tokens: [{ ...TOKEN, token: '$WORD' }] }, 'tokens[0].token', '16 to 512 characters'],
    [
      { tokens: [{ ...TOKEN, scopes: ['admin'] }] },
      'tokens[0].scopes[0]',
      'one of read, start, act',
    ],
    [{ tokens: [TOKEN, TOKEN] }, 'tokens[1].name', 'a second time'],
    [{ journal: undefined }, 'journal', 'found nothing; wanted a mapping with sqlite, postgres'],
    [{ retention: { sample: '1d' } }, 'retention.sample', 'did you mean samples?'],
  ])('is refused: %j', (change, path, fragment) => {
    const env = { TOKEN: 'hunter2-hunter2-hunter2', WORD: 'hunter2' };
    const found = refused({ ...MINIMAL, ...change }, env);
    expect(found).toContainEqual({
      path: `canaryd.yaml: ${path}`,
      message: expect.stringContaining(fragment),
    });
    expect(JSON.stringify(found)).not.toContain('hunter2');
  });

  test.each(['localhost', '127.0.0.1', '127.1.2.3', '::1'])('may listen on %s', (host) => {
    expect(refused({ ...MINIMAL, listen: { host } })).toEqual([]);
  });

  test.each(['', 'null', '[]', '5', 'a: [', '\t- a'])('is refused as a whole: %j', (text) => {
    expect(refused(text).length).toBeGreaterThan(0);
  });
});

describe('a policy next to its config', () => {
  test('is refused when its source does not exist', () => {
    write('policies/shop.yaml', changed(['source', 'promethus']));
    expect(refused(MINIMAL)).toEqual([
      {
        path: 'policies/shop.yaml: source',
        message: expect.stringContaining('did you mean prometheus?'),
      },
    ]);
  });

  test('is refused when it asks a scrape source for PromQL', () => {
    const scrape = { targets: ['http://127.0.0.1:1/metrics'] };
    expect(refused({ ...MINIMAL, sources: { prometheus: { scrape } } })).toEqual([
      {
        path: 'policies/shop.yaml: indicators.loss.promql',
        message: expect.stringContaining('while the source prometheus is of kind scrape'),
      },
    ]);
  });

  test('is refused when another policy has its name', () => {
    write('policies/zzz.yaml', changed(['name', 'shop']));
    expect(refused(MINIMAL)).toEqual([
      { path: 'policies/zzz.yaml: name', message: expect.stringContaining('policies/shop.yaml') },
    ]);
  });
});

describe('a single policy file', () => {
  test('is loaded under its file name', () => {
    expect(loadPolicyFile(join(dir, 'policies/shop.yaml')).name).toBe('shop');
  });

  test.each([
    ['service: a\nservice: b\n', 'line 2, column 1', 'the same key twice'],
    ['service: [a\nwindows: 1\n', 'line 2, column 1', 'broken YAML'],
    ['service: a\n---\nservice: b\n', 'line 2, column 1', 'a second document'],
    ['service: a\n"service": b\n', 'line 2, column 1', 'the same key twice'],
    ['service: *nobody\n', '', 'an alias that cannot be resolved'],
    ['match: &m\n  a: *m\n', 'line 2, column 6', 'the alias *m inside of what it names'],
    ['['.repeat(5_000), 'line 1, column', 'nested too deeply'],
  ])('says where its YAML is broken: %j', (text, path, fragment) => {
    expect(checkPolicyFile(write('broken.yaml', text))).toMatchObject({
      kind: 'problems',
      problems: expect.arrayContaining([
        { path: expect.stringContaining(path), message: expect.stringContaining(fragment) },
      ]),
    });
  });

  test('of the largest size and the most keys is read in seconds, not in minutes', () => {
    const keys = Array.from({ length: 100_000 }, (_, index) => `k${index}:\n`);
    const result = checkPolicyFile(write('keys.yaml', keys.join('')));
    expect(result.kind === 'problems' && result.problems.length).toBeGreaterThan(100_000);
  });

  test('that cannot be read is refused', () => {
    expect(() => loadPolicyFile(join(dir, 'nowhere.yaml'))).toThrow('1 problem');
    expect(checkPolicyFile(join(dir, 'nowhere.yaml'))).toMatchObject({
      problems: [{ message: expect.stringContaining('found no readable file (ENOENT)') }],
    });
  });
});
