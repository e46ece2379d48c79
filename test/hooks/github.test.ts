import { describe, expect, it } from 'vitest';
import { readGithub } from '../../src/hooks/github.ts';
import type { HookSettings } from '../../src/hooks/hook.ts';
import { ANY, changed, GITHUB, GITHUB_HEADERS, SHA } from './payloads.ts';

const read = (
  changes: Readonly<Record<string, unknown>> = {},
  settings: HookSettings = ANY,
  headers: Readonly<Record<string, string>> = GITHUB_HEADERS,
) => readGithub({ headers, body: changed(GITHUB, changes) }, settings);

describe('a GitHub deployment status', () => {
  it('of a success starts a watch with all that it tells', () => {
    expect(read()).toEqual({
      kind: 'start',
      start: {
        service: 'aurora',
        version: SHA,
        environment: 'production',
        deployed_at: '2026-03-01T12:00:00Z',
        by: 'octocat',
        url: 'https://github.com/example-org/aurora/actions/runs/42/job/1',
      },
      idempotencyKey: 'github:72d3162e-cc78-11e3-81ab-4c9367dc0958',
    });
  });

  it.each(['error', 'failure', 'inactive', 'in_progress', 'queued', 'pending'])(
    'of state %s is no finished deploy',
    (state) => {
      const why = `state "${state}"; only success starts a watch`;
      expect(read({ 'deployment_status.state': state })).toEqual({ kind: 'ignored', why });
    },
  );

  it('of another action is ignored', () => {
    expect(read({ action: 'deleted' })).toMatchObject({ kind: 'ignored' });
  });

  it.each(['ping', 'deployment', 'push'])('is not the event %s', (event) => {
    const headers = { ...GITHUB_HEADERS, 'x-github-event': event };
    expect(read({}, ANY, headers)).toMatchObject({ kind: 'ignored' });
  });

  it.each([
    ['v1.4.0', 'v1.4.0'],
    ['1.4.0-rc.1', '1.4.0-rc.1'],
    ['refs/tags/v1.4.0', 'v1.4.0'],
    ['main', SHA],
    ['release-1.4.0', SHA],
    ['1.4', SHA],
    ['1.4.x', SHA],
  ])('of ref %s is version %s: a branch is none', (ref, version) => {
    expect(read({ 'deployment.ref': ref })).toMatchObject({ start: { version } });
  });

  const EXTRAS = {
    version: '2026.3.1',
    previous_version: '2026.2.9',
    parameters: { deploy_capital: 100_000 },
  };
  it.each([
    ['an object', { ...EXTRAS, ticket: 'OPS-1' }],
    ['its JSON', JSON.stringify(EXTRAS)],
  ])('takes version, previous version and parameters from a payload that is %s', (_, payload) => {
    const result = read({ 'deployment.payload': payload });
    expect(result).toMatchObject({ start: EXTRAS });
    expect(result).not.toHaveProperty('start.ticket');
  });

  it.each(['', 'deployed by hand', '[1]', null, '{"version":null}'])(
    'takes nothing from the payload %j',
    (payload) => {
      expect(read({ 'deployment.payload': payload })).toEqual(read());
    },
  );

  it('takes the service of a repository from the config, else its name', () => {
    const settings = { ...ANY, services: { 'example-org/aurora': 'aurora-eu' } };
    expect(read({}, settings)).toMatchObject({ start: { service: 'aurora-eu' } });
    const other = { 'repository.full_name': 'constructor' };
    expect(read(other)).toMatchObject({ start: { service: 'constructor' } });
  });

  it('to an environment that is not watched is ignored', () => {
    const settings = { ...ANY, environments: ['production'] };
    expect(read({}, settings)).toMatchObject({ kind: 'start' });
    expect(read({ 'deployment_status.environment': 'staging' }, settings)).toEqual({
      kind: 'ignored',
      why: 'environment "staging" is none of those watched (production)',
    });
  });

  it('of a preview is ignored unless its environment is named', () => {
    const preview = { 'deployment.transient_environment': true };
    expect(read(preview)).toMatchObject({ kind: 'ignored' });
    const settings = { ...ANY, environments: ['production'] };
    expect(read(preview, settings)).toMatchObject({ kind: 'start' });
  });

  it.each(['', 'javascript:alert(1)', 'not a url', `https://x.example/${'a'.repeat(2_000)}`, 7])(
    'loses a link that is none: %#',
    (link) => {
      const result = read({ 'deployment_status.log_url': link });
      expect(result).toMatchObject({ kind: 'start' });
      expect(result).not.toHaveProperty('start.url');
    },
  );

  it('cuts and cleans the name of who deployed', () => {
    const login = `\u001b[31mbad\n${'x'.repeat(200)}`;
    const result = read({ 'deployment.creator.login': login });
    const by = result.kind === 'start' ? String(result.start['by']) : '';
    expect(by).toMatch(/^bad x+…$/);
    expect(by).toHaveLength(100);
  });

  it.each([
    ['repository.full_name', undefined],
    ['deployment.sha', undefined],
    ['deployment.sha', ''],
  ])('without %s (%j) is told to be wrong', (path, value) => {
    expect(read({ [path]: value })).toMatchObject({ kind: 'invalid', problems: [{ path }] });
  });

  it.each([{}, { action: 'created' }, { action: 'created', deployment_status: null }])(
    'is ignored when it is only %j',
    (body) => {
      const result = readGithub({ headers: GITHUB_HEADERS, body }, ANY);
      expect(result).toMatchObject({ kind: 'ignored' });
    },
  );
});
