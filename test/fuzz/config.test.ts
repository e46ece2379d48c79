// The shipped files, spoiled: loading gives a config or says what is wrong and where. Nothing else
// is thrown, and no value of a secret shows.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { CanarydError } from '../../src/kit/errors.ts';
import { edited, edits, mutated, mutation } from './mutate.ts';
import { times } from './runs.ts';

const POLICY = readFileSync('config/policies/aurora.yaml', 'utf8');
const CONFIG: unknown = {
  ...(parse(readFileSync('config/canaryd.yaml', 'utf8')) as object),
  policies: ['aurora.yaml'],
  sources: {
    aurora: { scrape: { targets: ['http://127.0.0.1:8080/metrics'], timeout: '2s' } },
    other: {
      prometheus: {
        url: 'http://127.0.0.1:9090',
        bearer_token: '$PROMETHEUS_TOKEN',
        headers: { 'x-api-key': '$PROMETHEUS_KEY' },
        tls: { ca: 'ca.pem' },
      },
    },
  },
  public_url: 'https://canaryd.example',
  secrets: { directory: 'secrets' },
  channels: {
    ops: { slack: { webhook: '$SLACK_WEBHOOK_URL', mention: '<!here>' } },
    bot: {
      slack_bot: {
        ...{ token: '$CI_TOKEN', channel: 'C0123456789' },
        ...{ signing_secret: '$CI_TOKEN', users: ['U0123456789'] },
      },
    },
    marks: { grafana: { url: 'http://grafana:3000', token: '$CI_TOKEN', tags: ['a'] } },
    chat: { telegram: { bot_token: '$BOT_TOKEN', chat: '-100123' } },
    mail: {
      email: {
        url: 'smtps://mail.example.com',
        username: 'canaryd',
        password: '$NAME',
        from: 'canaryd <canaryd@example.com>',
        to: ['oncall@example.com'],
        tls: { ca: 'ca.pem' },
      },
    },
    hook: { webhook: { url: '$SLACK_WEBHOOK_URL', headers: { 'x-token': '$NAME' } } },
    alerts: { alertmanager: { urls: ['http://am:9093'], bearer_token: '$CI_TOKEN' } },
  },
  tokens: [{ name: 'ci', token: '$CI_TOKEN', scopes: ['read', 'start'] }],
  hooks: { github: { secret: '$HOOK_SECRET', environments: ['testnet'] }, generic: {} },
};
const SECRET = 'planted-hunter2-planted-hunter2';
const SLACK_URL = `https://hooks.slack.example/services/${SECRET}`;
const NAMES = ['PROMETHEUS_TOKEN', 'PROMETHEUS_KEY', 'CI_TOKEN', 'HOOK_SECRET', 'NAME'];
const ENV: Readonly<Record<string, string>> = {
  ...Object.fromEntries(NAMES.map((name) => [name, SECRET])),
  SLACK_WEBHOOK_URL: SLACK_URL,
  BOT_TOKEN: `123456:${SECRET}`,
  AURORA_DISARM_SECRET: `whsec_${Buffer.from(SECRET).toString('base64')}`,
  AURORA_ROLLBACK_SECRET: SECRET,
};
const VALUES = [SECRET, Buffer.from(SECRET).toString('base64')];

const YAML_PIECES = [
  ...['&a ', '*a', '<<: *a\n', '? ', '- ', ': ', '\t', '---\n', '...\n', '%YAML 1.1\n---\n'],
  ...['!!binary ', '!!set ', '!!timestamp ', '!!js/function ', '!<x> ', '|\n', '>-\n', '# '],
  ...['{', '}', '[', ']', '"', "'", ',', '\0', '\ufeff', '\u2028', '\ud800', '\r', '@', '`'],
  ...['.nan', '.inf', '-.inf', '0x1F', '0o17', '1e999', '12345678901234567890', '~', 'yes'],
  ...['[[[[[[[[', '{a: {a: {a: ', '*a *a *a', '&a [*a]', 'null: ', '"\\ud800": ', '\n  ', '\n'],
];

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'canaryd-fuzz-'));
  mkdirSync(join(folder, 'secrets'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Everything that loading these two files says, for people. */
function said(config: string, policy: string): string {
  writeFileSync(join(folder, 'canaryd.yaml'), config);
  writeFileSync(join(folder, 'aurora.yaml'), policy);
  writeFileSync(join(folder, 'ca.pem'), 'no key');
  try {
    const loaded = loadConfig(join(folder, 'canaryd.yaml'), { env: ENV });
    return `${inspect(loaded, { depth: 20 })}${JSON.stringify(loaded)}`;
  } catch (error) {
    expect(error, inspect(error)).toBeInstanceOf(CanarydError);
    const { code, problems, message } = error as CanarydError;
    expect(code).toBe('config_invalid');
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.filter(({ path, message: text }) => path === '' || text === '')).toEqual([]);
    return `${message}${JSON.stringify(problems)}`;
  }
}

function expectNoSecret(text: string): void {
  expect(VALUES.filter((value) => text.includes(value))).toEqual([]);
}

const mutations = fc.array(mutation, { minLength: 1, maxLength: 3 });
/** With anchors, tags and comments out of the way: only the values differ. */
const asYaml = (value: unknown) => stringify(value, { aliasDuplicateObjects: false });

describe('loading', () => {
  test('takes the files as they are', () => {
    expectNoSecret(said(asYaml(CONFIG), POLICY));
    expect(said(asYaml(CONFIG), POLICY)).toContain("service: 'aurora'");
  });

  test('tells what is wrong when values of the policy are spoiled', () => {
    const base: unknown = parse(POLICY);
    const config = asYaml(CONFIG);
    const property = fc.property(mutations, (changes) => {
      expectNoSecret(said(config, asYaml(mutated(base, changes))));
    });
    fc.assert(property, times(200));
  });

  test('tells what is wrong when the text of the policy is spoiled', () => {
    const config = asYaml(CONFIG);
    const property = fc.property(edits(YAML_PIECES), (changes) => {
      expectNoSecret(said(config, edited(POLICY, changes)));
    });
    fc.assert(property, times(150));
  });

  test('tells what is wrong when values of the config are spoiled', () => {
    const property = fc.property(mutations, (changes) => {
      expectNoSecret(said(asYaml(mutated(CONFIG, changes)), POLICY));
    });
    fc.assert(property, times(150));
  });

  test('tells what is wrong when the text of the config is spoiled', () => {
    const base = asYaml(CONFIG);
    const property = fc.property(edits(YAML_PIECES), (changes) => {
      expectNoSecret(said(edited(base, changes), POLICY));
    });
    fc.assert(property, times(150));
  });

  test('tells what is wrong in a file of anything', () => {
    const bytes = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 500 }),
      fc.array(fc.constantFrom(...YAML_PIECES), { maxLength: 60 }).map((parts) => parts.join('')),
    );
    const property = fc.property(bytes, (text) => {
      said(text, POLICY);
      said(asYaml(CONFIG), text);
    });
    fc.assert(property, times(200));
  });

  test.each([
    ['aliases that multiply', laughs(9)],
    ['deep nesting', `match: ${'{a: '.repeat(20_000)}`],
    [
      'deep nesting in blocks',
      Array.from({ length: 900 }, (_, n) => `${' '.repeat(n)}a:`).join('\n'),
    ],
    ['a document that is never closed', `service: "${'x\n'.repeat(100_000)}`],
    ['ten thousands of broken lines', '}\n'.repeat(50_000)],
    ['more bytes than a policy has', `# ${'x'.repeat(1_000_000)}`],
  ])('ends soon with a problem: %s', (_, text) => {
    expect(said(asYaml(CONFIG), text)).toContain('wanted');
  });
});

function laughs(levels: number): string {
  const rows = Array.from({ length: levels }, (_, level) => {
    const inner = level === 0 ? 'ha' : `*a${level - 1}`;
    return `k${level}: &a${level} [${Array(9).fill(inner).join(', ')}]`;
  });
  return rows.join('\n');
}
