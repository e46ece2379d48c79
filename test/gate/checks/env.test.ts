import { describe, expect, it } from 'vitest';
import { carriedOut, made, problemsOf } from '../../support/gate-check.ts';

const env = {
  AURORA_MODE: 'testnet',
  BINANCE_FORCE_MOCK: 'false',
  EMPTY: '',
  BLANK: ' \t',
  DB_PASSWORD: ['hunter', '2hunter', '2'].join(''),
  EXPECTED: 'another-value',
};

describe('the check env', () => {
  it.each([
    [{ required: ['AURORA_MODE', 'BINANCE_FORCE_MOCK'] }, '2 of 2 as wanted'],
    [{ equals: { AURORA_MODE: '${environment}' } }, 'AURORA_MODE is "testnet"'],
    [{ not_equals: { BINANCE_FORCE_MOCK: 'true' } }, 'BINANCE_FORCE_MOCK is not "true"'],
    [{ not_equals: { NOT_SET: 'true' } }, 'NOT_SET is not "true"'],
  ])('passes for %o', async (written, text) => {
    expect(await carriedOut({ env: written }, { env })).toMatchObject({ outcome: 'pass', text });
  });

  it.each([
    [{ required: ['MISSING'] }, 'MISSING is not set'],
    [{ required: ['EMPTY'] }, 'EMPTY is not set'],
    [{ required: ['BLANK'] }, 'BLANK is not set'],
    [{ equals: { AURORA_MODE: 'live' } }, 'AURORA_MODE has another value, "live" wanted'],
    [{ equals: { MISSING: 'true' } }, 'MISSING is not set, "true" wanted'],
    [{ not_equals: { AURORA_MODE: 'testnet' } }, 'AURORA_MODE is "testnet", any other is wanted'],
  ])('fails for %o', async (written, text) => {
    expect(await carriedOut({ env: written }, { env })).toMatchObject({ outcome: 'fail', text });
  });

  it('names each that is wrong', async () => {
    const result = await carriedOut(
      { env: { required: ['A', 'AURORA_MODE'], equals: { B: 'x' } } },
      { env },
    );
    expect(result).toMatchObject({
      outcome: 'fail',
      text: 'A is not set (and 1 more)',
      details: ['A is not set', 'B is not set, "x" wanted'],
    });
  });

  it('never shows the value of a variable, nor of a secret', async () => {
    const written = {
      required: ['DB_PASSWORD'],
      equals: { AURORA_MODE: 'live', DB_PASSWORD: '$EXPECTED' },
      not_equals: { DB_PASSWORD: '$DB_PASSWORD' },
    };
    const result = await carriedOut({ env: written }, { env });
    expect(result.details).toEqual([
      'AURORA_MODE has another value, "live" wanted',
      'DB_PASSWORD has another value, that of $EXPECTED wanted',
      'DB_PASSWORD is that of $DB_PASSWORD, any other is wanted',
    ]);
    const all = JSON.stringify([result, made({ env: written }).wants]);
    for (const value of [env.DB_PASSWORD, env.EXPECTED]) expect(all).not.toContain(value);
  });

  it('is unknown when the wanted secret has no value', async () => {
    const result = await carriedOut({ env: { equals: { A_TOKEN: '$NOBODY' } } }, { env });
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain('the secret $NOBODY has no value; set NOBODY');
  });

  it.each([
    [{}, 'required, equals or not_equals; add one'],
    [{ required: ['a b'] }, 'env.required[0]: found a value that is not shown here'],
    [{ equals: { API_TOKEN: 'x' } }, 'wanted the name of a secret as $NAME'],
  ])('refuses %o', (written, problem) => {
    expect(problemsOf({ env: written }).join('\n')).toContain(problem);
  });
});
