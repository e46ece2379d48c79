import { describe, expect, it } from 'vitest';
import { readGitlab } from '../../src/hooks/gitlab.ts';
import { ANY, changed, GITLAB, GITLAB_HEADERS, SHA } from './payloads.ts';

const read = (changes: Readonly<Record<string, unknown>> = {}, settings = ANY) =>
  readGitlab({ headers: GITLAB_HEADERS, body: changed(GITLAB, changes) }, settings);

describe('a GitLab deployment event', () => {
  it('of a success starts a watch with all that it tells', () => {
    expect(read()).toEqual({
      kind: 'start',
      start: {
        service: 'aurora',
        version: SHA,
        environment: 'production',
        deployed_at: '2026-03-01T13:00:00+01:00',
        by: 'alice',
        url: 'https://gitlab.example/trading/core/aurora/-/jobs/796',
      },
      idempotencyKey: 'gitlab:f5e5f430-f57b-4e6e-9fac-d9128cd7232f',
    });
  });

  it.each(['running', 'failed', 'canceled'])('of status %s is no finished deploy', (status) => {
    expect(read({ status })).toMatchObject({ kind: 'ignored' });
  });

  it('is not a pipeline event', () => {
    expect(read({ object_kind: 'pipeline' })).toMatchObject({ kind: 'ignored' });
  });

  it.each([
    ['2021-04-28 21:50:00 +0200', '2021-04-28T21:50:00+02:00'],
    ['2021-04-28 19:50:00 UTC', '2021-04-28T19:50:00Z'],
    ['2021-04-28T19:50:00Z', '2021-04-28T19:50:00Z'],
    ['2021-04-28T19:50:00.123-03:30', '2021-04-28T19:50:00.123-03:30'],
  ])('of the time %s is of %s', (written, deployedAt) => {
    const result = read({ status_changed_at: written });
    expect(result).toMatchObject({ start: { deployed_at: deployedAt } });
  });

  it.each(['yesterday', '2021-04-28 21:50:00', '28.04.2021 21:50 +0200'])(
    'of the time %s is told to be wrong: now could be hours later',
    (written) => {
      expect(read({ status_changed_at: written })).toMatchObject({
        kind: 'invalid',
        problems: [{ path: 'status_changed_at' }],
      });
    },
  );

  it.each([
    ['v1.4.0', `https://x.example/-/commit/${SHA}`, 'v1.4.0'],
    ['main', 'https://x.example/-/commit/0000000000000000000000000000000000000000', '4f1c9e0a'],
    ['main', null, '4f1c9e0a'],
  ])('of ref %s at %s is version %s', (ref, link, version) => {
    expect(read({ ref, commit_url: link })).toMatchObject({ start: { version } });
  });

  it.each([
    ['short_sha', { short_sha: undefined }],
    ['project.path_with_namespace', { 'project.path_with_namespace': undefined }],
  ])('without %s is told to be wrong', (path, changes) => {
    expect(read(changes)).toMatchObject({ kind: 'invalid', problems: [{ path }] });
  });

  it('of a job that is gone has no link', () => {
    expect(read({ deployable_url: null })).not.toHaveProperty('start.url');
  });

  it('takes the service of a project from the config', () => {
    const settings = { ...ANY, services: { 'trading/core/aurora': 'aurora-eu' } };
    expect(read({}, settings)).toMatchObject({ start: { service: 'aurora-eu' } });
  });

  it('has the key of its Standard Webhooks delivery', () => {
    const headers = { 'webhook-id': 'msg_1', 'idempotency-key': '"msg_1"' };
    const keys = [headers, { 'idempotency-key': '"msg_1"' }].map((given) =>
      readGitlab({ headers: given, body: GITLAB }, ANY),
    );
    expect(keys).toMatchObject([
      { idempotencyKey: 'gitlab:msg_1' },
      { idempotencyKey: 'gitlab:msg_1' },
    ]);
  });
});
