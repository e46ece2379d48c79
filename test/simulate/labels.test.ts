import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../src/core/pattern.ts';
import { examplesOf, labelsFor, without } from '../../src/simulate/labels.ts';

const matcher = (label: string, op: '=' | '!=' | '=~' | '!~', value: string) => ({
  label,
  op,
  value,
});

describe('an example of a regular expression', () => {
  it.each([
    ['5..', '500'],
    ['5[0-9]{2}', '500'],
    ['HIGH|CRITICAL', 'HIGH'],
    ['(GET|POST) /api/.*', 'GET /api/'],
    ['^/v\\d+/pay\\.json$', '/v0/pay.json'],
    ['(?:a|b)+c?', 'a'],
    ['[^x]y', '0y'],
    ['.+', '0'],
  ])('%s: %s', (pattern, example) => {
    expect(examplesOf(pattern)[0]).toBe(example);
    expect(compilePattern(pattern)?.matches(example)).toBe(true);
  });

  it('is found in bounded time for any text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (pattern) => {
        expect(examplesOf(pattern).join('').length).toBeLessThan(30_000);
      }),
    );
  });
});

describe('labels', () => {
  it('satisfy all matchers of a label together', () => {
    expect(labelsFor([matcher('status', '=~', '4..|5..'), matcher('status', '!~', '4..')])).toEqual(
      { status: '500' },
    );
    expect(labelsFor([matcher('route', '!=', '200')])).toEqual({ route: '500' });
  });

  it('are left out where they must be empty', () => {
    expect(labelsFor([matcher('canary', '=', '')])).toEqual({});
  });

  it('are not made up where there are none', () => {
    expect(labelsFor([matcher('a', '=', 'x'), matcher('a', '=~', 'y')])).toBe(null);
  });

  it('of the other events are those that the part does not mean', () => {
    const all = { metric: 'http_requests_total', matchers: [matcher('job', '=', 'api')] };
    const part = { ...all, matchers: [...all.matchers, matcher('status', '=~', '5..')] };
    expect(without(part, all)).toEqual(matcher('status', '!~', '5..'));
    expect(without(all, all)).toBe(null);
  });
});
