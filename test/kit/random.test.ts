import { describe, expect, it } from 'vitest';
import { newWatchId, systemRandom } from '../../src/kit/random.ts';

describe('newWatchId', () => {
  it('is safe in a URL, a file name and a signed field, and never the same', () => {
    const ids = Array.from({ length: 1_000 }, newWatchId);
    expect(new Set(ids).size).toBe(1_000);
    expect(ids.filter((id) => !/^w_[0-9a-hjkmnp-tv-z]{16}$/.test(id))).toEqual([]);
  });

  it('uses its whole alphabet: five bits a character', () => {
    const used = new Set(Array.from({ length: 1_000 }, newWatchId).join('').slice(2));
    used.delete('_');
    expect(used.size).toBe(32);
  });
});

describe('systemRandom', () => {
  it('is at least 0 and below 1', () => {
    const numbers = Array.from({ length: 1_000 }, systemRandom);
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...numbers)).toBeLessThan(1);
    expect(new Set(numbers).size).toBeGreaterThan(900);
  });
});
