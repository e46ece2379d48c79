import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { CanarydError } from '../../src/kit/errors.ts';
import { changed } from './sample-policy.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'canaryd-config-hooks-'));
  mkdirSync(join(dir, 'policies'));
  writeFileSync(join(dir, 'policies/shop.yaml'), JSON.stringify(changed()));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

const FIT = 'a-secret-of-some-length';

function load(hooks: unknown, env: Record<string, string> = { HOOK: FIT }) {
  const path = join(dir, 'canaryd.yaml');
  const config = {
    journal: { sqlite: { path: 'canaryd.db' } },
    policies: ['policies/*.yaml'],
    sources: { prometheus: { prometheus: { url: 'http://127.0.0.1:9090' } } },
    hooks,
  };
  writeFileSync(path, JSON.stringify(config));
  return loadConfig(path, { env }).config.hooks;
}

/** Paths within the config and messages of what is refused. */
function refused(hooks: unknown, env?: Record<string, string>) {
  try {
    load(hooks, env);
  } catch (error) {
    expect(error).toBeInstanceOf(CanarydError);
    return (error as CanarydError).problems.map(
      ({ path, message }) => `${path.split(': ')[1]}: ${message}`,
    );
  }
  return [];
}

describe('hooks', () => {
  test('are completed with defaults; a kind that is not written is not taken', () => {
    const hooks = load({ github: { secret: '$HOOK' }, generic: {} });
    expect(hooks).toEqual({
      github: { secret: expect.anything(), services: {}, environments: null, parameters: {} },
      gitlab: null,
      cdevents: null,
      generic: { secret: null, services: {}, environments: null, parameters: {} },
    });
    expect(hooks.github?.secret?.reveal()).toBe(FIT);
  });

  test.each(['github', 'gitlab'])('of %s need a secret', (kind) => {
    expect(refused({ [kind]: {} })).toEqual([
      expect.stringMatching(
        new RegExp(`^hooks\\.${kind}\\.secret: found nothing; wanted the name`),
      ),
    ]);
  });

  test('with a secret that is not set are refused', () => {
    expect(refused({ gitlab: { secret: '$HOOK' } }, {})).toEqual([
      expect.stringContaining('hooks.gitlab.secret: found no value for the secret HOOK'),
    ]);
  });

  test('tell of a missing secret beside other mistakes', () => {
    expect(refused({ github: { secret: '$HOOK', what: 1 } }, {})).toHaveLength(2);
  });

  test.each([
    ['github', 'too-short'],
    ['github', 'a passphrase of several words'],
    ['gitlab', 'whsec_not!base64-not!base64'],
    ['generic', 'whsec_not!base64-not!base64'],
  ])('of %s refuse an unfit secret, and do not show it: %#', (kind, value) => {
    const problems = refused({ [kind]: { secret: '$HOOK' } }, { HOOK: value });
    expect(problems).toEqual([
      expect.stringContaining(`hooks.${kind}.secret: found an unfit value`),
    ]);
    expect(problems.join('')).not.toContain(value);
  });

  test('may have two secrets while one replaces the other', () => {
    const env = { HOOK: `${FIT} another-${FIT}` };
    expect(load({ github: { secret: '$HOOK' } }, env).github?.secret?.reveal()).toBe(env.HOOK);
  });

  test('name services and parameters that a policy knows', () => {
    const problems = refused({
      generic: { services: { 'org/shop': 'shoop' }, parameters: { nothing_of_ours: 1 } },
    });
    expect(problems).toEqual([
      expect.stringMatching(/^hooks\.generic\.services\["org\/shop"\]: .*did you mean shop\?$/),
      expect.stringMatching(
        /^hooks\.generic\.parameters\.nothing_of_ours: .*a parameter of a policy/,
      ),
    ]);
  });

  test('of the shipped example are for the environment of the shipped policy', () => {
    const example = readFileSync('config/canaryd.yaml', 'utf8');
    const policy = readFileSync('config/policies/aurora.yaml', 'utf8');
    const [, environment = 'none'] = /^environment: (\w+)/m.exec(policy) ?? [];
    expect(example).toMatch(new RegExp(`^# +environments: \\[${environment}\\]$`, 'm'));
  });

  test('do not accuse a service whose policy cannot be read', () => {
    writeFileSync(join(dir, 'policies/other.yaml'), 'service: other');
    const problems = refused({ generic: { services: { x: 'other' } } });
    expect(problems.join('\n')).not.toContain('hooks');
  });

  test.each([
    [{ bitbucket: {} }, 'hooks'],
    [{ github: { secret: 'literal-secret-in-the-file' } }, 'hooks.github.secret'],
    [{ generic: { environments: [] } }, 'hooks.generic.environments'],
    [{ generic: { parameters: { a: { b: 1 } } } }, 'hooks.generic.parameters.a'],
    [{ generic: { repositories: {} } }, 'hooks.generic'],
  ])('%j is refused at %s', (hooks, path) => {
    expect(refused(hooks)).toEqual([expect.stringMatching(new RegExp(`^${path}`))]);
  });
});
