import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromWire, toWire } from '../../src/http/wire.ts';

describe('toWire', () => {
  it('spells field names in snake_case, in depth', () => {
    const inside = { deployedAtMs: 1, conditions: [{ preExisting: true, id: 'a' }], none: null };
    expect(toWire(inside)).toEqual({
      deployed_at_ms: 1,
      conditions: [{ pre_existing: true, id: 'a' }],
      none: null,
    });
  });

  it('keeps keys that are data: parameter names and condition ids', () => {
    const inside = {
      parameters: { deployCapital: 1 },
      readings: { 'immediate.stop.fillRate': { rangeMs: 5 } },
    };
    expect(toWire(inside)).toEqual({
      parameters: { deployCapital: 1 },
      readings: { 'immediate.stop.fillRate': { range_ms: 5 } },
    });
  });

  it('leaves texts, also those of tuples, as they are', () => {
    expect(toWire({ fields: [['someTitle', 'someValue']] })).toEqual({
      fields: [['someTitle', 'someValue']],
    });
  });
});

describe('fromWire', () => {
  it('is the inverse of toWire for names of ours', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9]*([A-Z][a-z0-9]*){0,3}$/);
    const value = fc.dictionary(word, fc.oneof(fc.integer(), fc.array(fc.string())));
    fc.assert(
      fc.property(fc.dictionary(word, value), (inside) => {
        expect(fromWire(toWire(inside))).toEqual({ ...inside });
      }),
    );
  });
});
