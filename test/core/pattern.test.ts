import { describe, expect, it } from 'vitest';
import { compilePattern, compileSearch } from '../../src/core/pattern.ts';

describe('a pattern', () => {
  it.each([
    ['5..', '503', true],
    ['5..', '1503', false],
    ['a|b', 'b', true],
    ['', '', true],
    ['.*', 'two\nlines', true],
    ['(?i)prod', 'PROD', true],
    ['a\\-b', 'a-b', true],
    ['\\pL+', 'Straße', true],
    ['(?P<name>x)', 'x', true],
    ['\\Qa.b\\E', 'axb', false],
  ])('%j on %j means what it means in Prometheus', (source, text, isMatch) => {
    expect(compilePattern(source)?.matches(text)).toBe(isMatch);
  });

  it.each(['(', '[a-z', 'a(?=b)', '(?<!a)b', '\\1'])('%j is none', (source) => {
    expect(compilePattern(source)).toBeNull();
  });

  it.each(['(a+)+', '(a|a)*', '(.*a){20}'])('%j is soon done with any text', (source) => {
    // A backtracking engine would need longer than the universe has had.
    expect(compilePattern(source)?.matches(`${'a'.repeat(2_000)}!`)).toBe(false);
  });
});

describe('a search', () => {
  it.each([
    ['score: ([0-9]+)', 'score: 1\nscore: 23\n', ['score: 23', '23']],
    ['^two$', 'one\ntwo\nthree', ['two']],
    ['a(b)?', 'a', ['a', null]],
    ['one.two', 'one\ntwo', null],
    ['missing', '', null],
  ])('finds the last place of %j in %j', (source, text, groups) => {
    expect(compileSearch(source)?.last(text)).toEqual(groups);
  });

  it('is none when RE2 does not know it, and is soon done with any text', () => {
    expect(compileSearch('a(?=b)')).toBeNull();
    expect(compileSearch('(a+)+$')?.last(`${'a'.repeat(20_000)}!`)).toBeNull();
  });
});
