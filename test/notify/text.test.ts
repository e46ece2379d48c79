import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutLines, cutUnits, linksOf } from '../../src/notify/text.ts';
import { aStopMessage } from './sample.ts';

const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('🚀🚀🚀', 'é', ''));

describe('cutUnits', () => {
  it('keeps within the limit, tears no character, and marks what it cut', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 20 }), (text, max) => {
        const whole = text.toWellFormed();
        const cut = cutUnits(whole, max);
        expect(cut.length).toBeLessThanOrEqual(max);
        expect(cut.isWellFormed()).toBe(true);
        expect(cut === whole || cut.endsWith('…')).toBe(true);
      }),
    );
    expect(cutUnits('a🚀b', 3)).toBe('a…');
  });
});

describe('cutLines', () => {
  it('keeps within the limit, with line ends', () => {
    fc.assert(
      fc.property(fc.array(texts), fc.integer({ min: -5, max: 60 }), (lines, max) => {
        const kept = cutLines(lines, max);
        expect(kept.join('\n').length).toBeLessThanOrEqual(Math.max(0, max));
        const isWhole = kept.length === lines.length && kept.every((one, at) => one === lines[at]);
        expect(isWhole || kept.length === 0 || /…(?: cut)?$/.test(kept.at(-1) ?? '')).toBe(true);
      }),
    );
  });

  it('keeps all that fits, else whole lines and a mark', () => {
    expect(cutLines(['one', 'two'], 8)).toEqual(['one', 'two']);
    expect(cutLines(['one', 'two', 'a long third line'], 20)).toEqual(['one', 'two', '… cut']);
    expect(cutLines(['one', 'two', 'a long third line'], 9)).toEqual(['one …']);
    expect(cutLines(['a long first line'], 8)).toEqual(['a long…']);
  });
});

describe('linksOf', () => {
  it('keeps only what a browser opens', () => {
    const urls = ['javascript:alert(1)', 'ftp://x.test/', 'no url', 'https://ops.test/a b'];
    const links = urls.map((url) => ({ label: 'x', url }));
    expect(linksOf(aStopMessage({ links }))).toEqual([
      { label: 'x', url: 'https://ops.test/a%20b' },
    ]);
  });
});
