import { describe, expect, it } from 'vitest';
import { readCdevents } from '../../src/hooks/cdevents.ts';
import { ANY, CDEVENT, CDEVENT_HEADERS, changed } from './payloads.ts';

const read = (changes: Readonly<Record<string, unknown>> = {}) =>
  readCdevents({ headers: CDEVENT_HEADERS, body: changed(CDEVENT, changes) }, ANY);

const STARTED = {
  service: 'aurora',
  version: 'sha256:4f1c9e0a',
  previous_version: 'sha256:3333',
  environment: 'production',
  deployed_at: '2026-03-01T12:00:00Z',
  parameters: { deploy_capital: 100_000 },
};

describe('a CDEvent', () => {
  it('in binary mode starts a watch with all that it tells', () => {
    expect(read()).toMatchObject({ kind: 'start', start: STARTED });
  });

  it('in structured mode is the same event, with the same key', () => {
    const headers = { 'content-type': 'application/cloudevents+json; charset=UTF-8' };
    const envelope = { specversion: '1.0', id: 'e-1', source: '/x', type: 'y', data: CDEVENT };
    expect(readCdevents({ headers, body: envelope }, ANY)).toEqual(read());
  });

  it('in structured mode without data is told to be wrong', () => {
    const headers = { 'content-type': 'application/cloudevents+json' };
    const result = readCdevents({ headers, body: { data_base64: 'e30=' } }, ANY);
    expect(result).toMatchObject({ kind: 'invalid', problems: [{ path: 'data' }] });
  });

  it.each([
    ['dev.cdevents.service.deployed.0.3.0', 'start'],
    ['dev.cdevents.service.upgraded.0.2.0', 'start'],
    ['dev.cdevents.service.rolledback.0.3.0', 'ignored'],
    ['dev.cdevents.service.removed.0.3.0', 'ignored'],
    ['dev.cdevents.service.deployed', 'ignored'],
    ['xdev.cdevents.service.deployed.0.3.0', 'ignored'],
  ])('of type %s is a %s', (type, kind) => {
    expect(read({ 'context.type': type })).toMatchObject({ kind });
  });

  it.each([
    ['pkg:oci/aurora@sha256%3A4f1c9e0a', 'sha256:4f1c9e0a'],
    ['pkg:npm/%40trading/aurora@1.4.0#dist', '1.4.0'],
    ['pkg:npm/@trading/aurora@1.4.0', '1.4.0'],
    ['pkg:deb/debian/aurora@1.4.0-1?arch=amd64', '1.4.0-1'],
  ])('of artifact %s has version %s', (artifact, version) => {
    expect(read({ 'subject.content.artifactId': artifact })).toMatchObject({ start: { version } });
  });

  it.each([
    'pkg:oci/aurora',
    'pkg:npm/@trading/aurora',
    'pkg:oci/aurora@',
    'pkg:oci/aurora@%zz',
    'aurora@1.4.0',
    '',
    7,
  ])('of artifact %j has no version', (artifact) => {
    expect(read({ 'subject.content.artifactId': artifact })).toMatchObject({
      kind: 'invalid',
      problems: [{ path: 'subject.content.artifactId' }],
    });
  });

  it('without a version in its artifact may carry one', () => {
    const changes = {
      'subject.content.artifactId': 'pkg:oci/aurora',
      customData: '{"version":"7"}',
    };
    expect(read(changes)).toMatchObject({ start: { version: '7' } });
  });

  it.each(['context.type', 'subject.id'])('without %s is told to be wrong', (path) => {
    expect(read({ [path]: undefined })).toMatchObject({ kind: 'invalid', problems: [{ path }] });
  });

  it('has the key of its source and id together', () => {
    const keys = [
      read(),
      read({ 'context.id': 'other' }),
      read({ 'context.source': `/${'long/'.repeat(400)}` }),
    ].map((result) => (result.kind === 'start' ? result.idempotencyKey : null));
    expect(new Set(keys).size).toBe(3);
    for (const key of keys) expect(key).toMatch(/^cdevents:[0-9a-f]{64}$/);
  });
});
