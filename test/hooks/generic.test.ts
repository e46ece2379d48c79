import { describe, expect, it } from 'vitest';
import { readGeneric } from '../../src/hooks/generic.ts';
import { parsedJson } from '../../src/hooks/hook.ts';
import { ANY } from './payloads.ts';

const BODY = {
  service: 'org/aurora',
  version: '1.4.0',
  environment: 'production',
  mode: 'observe',
};

describe('a generic event', () => {
  it('is the body of a start, as it is', () => {
    expect(readGeneric({ headers: {}, body: BODY }, ANY)).toEqual({
      kind: 'start',
      start: BODY,
      idempotencyKey: null,
    });
  });

  it('takes another name of a service from the config', () => {
    const settings = { ...ANY, services: { 'org/aurora': 'aurora' } };
    const result = readGeneric({ headers: {}, body: BODY }, settings);
    expect(result).toMatchObject({ start: { ...BODY, service: 'aurora' } });
  });

  it.each([{ ...BODY, environment: 'staging' }, { service: 'aurora' }])(
    'is ignored when its environment is not watched: %j',
    (body) => {
      const settings = { ...ANY, environments: ['production'] };
      expect(readGeneric({ headers: {}, body }, settings)).toMatchObject({ kind: 'ignored' });
    },
  );

  it('has the signed id of its delivery as key, else its Idempotency-Key', () => {
    const keys = [
      { 'webhook-id': 'msg_1', 'idempotency-key': 'run-42' },
      { 'idempotency-key': 'run-42' },
    ].map((headers) => readGeneric({ headers, body: BODY }, ANY));
    expect(keys).toMatchObject([{ idempotencyKey: 'generic:msg_1' }, { idempotencyKey: 'run-42' }]);
  });
});

describe('parsedJson', () => {
  it('drops what could reach a prototype, at any depth', () => {
    const value = parsedJson('{"a":{"__proto__":{"x":1},"b":2},"__proto__":{"y":1}}');
    expect(JSON.stringify(value)).toBe('{"a":{"b":2}}');
  });

  it.each(['', '{', 'undefined', '['.repeat(200_000)])(
    'is undefined for what is none: %#',
    (text) => {
      expect(parsedJson(text)).toBeUndefined();
    },
  );
});
