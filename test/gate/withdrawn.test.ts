import { describe, expect, it } from 'vitest';
import { nameFlaw, personOf } from '../../src/core/signature.ts';
import { decided, HOUR, signOff } from '../support/gate.ts';

const SIGNED = `
title: Release
service: aurora
criteria:
  green:
    - { id: review_done, title: Code review, sign_off: { role: engineering_lead } }
    - { id: looked, title: Looked at, checks: [{ env: { required: [A] } }] }
decision: { count: criteria, go: 2, review: { from: 1, approvals: { cto: 1 } } }
override: { approvals: { cto: 1, senior_engineer: 1 } }
`;

const ada = signOff('review_done', 'engineering_lead', 'Ada');
const back = (one: ReturnType<typeof signOff>, more = {}) =>
  ({ ...one, atMs: one.atMs + 60_000, note: null, isWithdrawn: true, ...more }) as const;
const reasonOf = (signed: Parameters<typeof decided>[1]) => {
  const { decision, reasons, criteria } = decided(SIGNED, signed);
  return { decision, reasons: reasons.join('\n'), by: criteria[0]?.signOffs[0]?.signed ?? null };
};

describe('a signature that was taken back', () => {
  it('counts no more, and the reason names who, when and why', () => {
    const { decision, reasons, by } = reasonOf({ signed: [ada, back(ada, { note: 'a bug' })] });
    expect([decision, by]).toEqual(['review', null]);
    expect(reasons).toContain(
      'nobody has signed as engineering_lead: Ada has taken the signature back on 2025-12-31T23:01:00Z: a bug',
    );
  });

  it('counts again when the same person signs anew: the newest word decides', () => {
    const again = { ...ada, atMs: ada.atMs + 120_000 };
    expect(reasonOf({ signed: [ada, back(ada), again] })).toMatchObject({
      decision: 'go',
      by: again,
    });
  });

  it('is the older of two at one time when it is written first', () => {
    const same = { atMs: ada.atMs };
    expect(reasonOf({ signed: [ada, back(ada, same)] }).decision).toBe('review');
    expect(reasonOf({ signed: [back(ada, same), ada] }).decision).toBe('go');
  });

  it('leaves those of others alone', () => {
    const eve = signOff('review_done', 'engineering_lead', 'Eve', { atMs: ada.atMs - HOUR });
    expect(reasonOf({ signed: [eve, ada, back(ada)] }).by).toEqual(eve);
  });

  it.each([
    ['another role', { role: 'qa_lead' }],
    ['another version', { version: '2.0.9' }],
    ['another environment', { environment: 'production' }],
    ['another criterion', { criterion: 'looked' }],
    ['another gate', { gate: 'other' }],
    ['another person', { name: 'Adam' }],
    ['an earlier time', { atMs: ada.atMs - 1 }],
  ])('is not meant by a word for %s', (_, other) => {
    expect(reasonOf({ signed: [back(ada, other), ada, back(ada, other)] }).decision).toBe('go');
  });

  it('is meant by the same name, however it is written', () => {
    const { decision } = reasonOf({ signed: [ada, back(ada, { name: ' ADA\u200b ' })] });
    expect(decision).toBe('review');
  });

  it('is no signature itself', () => {
    expect(reasonOf({ signed: [back(ada)] })).toMatchObject({ decision: 'review', by: null });
  });

  it('takes an approval of a review back', () => {
    const cto = signOff('review', 'cto', 'Grace');
    expect(reasonOf({ signed: [cto] }).decision).toBe('go');
    const { decision, reasons } = reasonOf({ signed: [cto, back(cto)] });
    expect(decision).toBe('review');
    expect(reasons).toContain('Grace has taken the signature back');
  });

  it('takes an approval of an override back', () => {
    const found = { looked: 'fail' } as const;
    const cto = signOff('override', 'cto', 'Grace', { note: 'small' });
    const bob = signOff('override', 'senior_engineer', 'Bob', { note: 'small' });
    expect(reasonOf({ found, signed: [cto, bob] }).decision).toBe('go');
    const { decision, reasons } = reasonOf({ found, signed: [cto, bob, back(bob)] });
    expect(decision).toBe('no_go');
    expect(reasons).toContain('Bob has taken the signature back');
  });
});

describe('a signature for a service', () => {
  it('does not count for another one, which is told', () => {
    expect(reasonOf({ signed: [{ ...ada, service: 'aurora' }] }).decision).toBe('go');
    const { decision, reasons } = reasonOf({ signed: [{ ...ada, service: 'spark' }] });
    expect(decision).toBe('review');
    expect(reasons).toContain('Ada has signed for the service spark, not for aurora');
  });

  it('is taken back by a word without one, and not by one for another', () => {
    const own = { ...ada, service: 'aurora' };
    const { service: _, ...without } = back(own);
    expect(reasonOf({ signed: [own, without] }).decision).toBe('review');
    expect(reasonOf({ signed: [own, back(own, { service: 'spark' })] }).decision).toBe('go');
  });
});

describe('names of people', () => {
  it.each([
    'Ada Lovelace',
    ' ada  LOVELACE ',
    'Ada\u00a0Lovelace',
    'A\u200bda Lovelace',
    'Ada\tLovelace',
    'Ada  Lovelace.',
    'Ada-Lovelace',
    'Ada Lovelace\u3164',
    'Ada\u2800Lovelace',
    'Ada\u3164Lovelace',
    'A\u115fda Love\ufe0flace\u{e0041}',
  ])('are one person: %j', (name) => expect(personOf(name)).toBe('adalovelace'));

  it.each([
    ...['Ada', '李', 'علی', '  7  '],
    ...['Иван Петров (CTO)', 'Иван Петров, CTO', 'CTO/Иван', 'Ω Ada'],
  ])('are names: %j', (name) => {
    expect(nameFlaw(name)).toBeNull();
  });

  it.each(['Аda Lovelace', 'А-da', 'А\u200bda', 'А\ufeffda', 'А\u2800da', "О'Neill"])(
    'mix scripts in one word: %j',
    (name) => expect(nameFlaw(name)).toBe('has letters of Latin and Cyrillic in one word'),
  );

  it.each(['', ' ', '-', '\u3164', '\u200b\u202e', '\u2800.'])('are none: %j', (name) => {
    expect(nameFlaw(name)).toContain('no letters');
    expect(reasonOf({ signed: [{ ...ada, name }] })).toMatchObject({
      decision: 'review',
      by: null,
    });
  });

  it('are one approver of an override, whatever nobody sees in them', () => {
    const approvals = (name: string) => [
      signOff('override', 'cto', 'Grace', { note: 'small' }),
      signOff('override', 'senior_engineer', name, { note: 'I agree' }),
    ];
    const found = { looked: 'fail' } as const;
    expect(reasonOf({ found, signed: approvals('Bob') }).decision).toBe('go');
    expect(reasonOf({ found, signed: approvals('Grace\u3164') }).decision).toBe('no_go');
  });
});
