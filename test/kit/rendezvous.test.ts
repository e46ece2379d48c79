import { describe, expect, it } from 'vitest';
import { memberOf } from '../../src/kit/rendezvous.ts';

const KEYS = Array.from({ length: 300 }, (_, index) => `w_${index}`);
const owners = (members: readonly string[]) => KEYS.map((key) => memberOf(key, members));

describe('memberOf', () => {
  it('says the same to everybody, in whatever order the members are named', () => {
    expect(owners(['r_1', 'r_2', 'r_3'])).toEqual(owners(['r_3', 'r_1', 'r_2']));
  });

  it('gives each member about its share', () => {
    for (const member of ['r_1', 'r_2', 'r_3']) {
      const share = owners(['r_1', 'r_2', 'r_3']).filter((owner) => owner === member);
      expect(share.length).toBeGreaterThan(60);
      expect(share.length).toBeLessThan(140);
    }
  });

  it('moves only the keys of the member that is gone', () => {
    const before = owners(['r_1', 'r_2', 'r_3']);
    const after = owners(['r_1', 'r_3']);
    const moved = KEYS.filter((_, index) => before[index] !== after[index]);
    expect(moved).toEqual(KEYS.filter((_, index) => before[index] === 'r_2'));
  });

  it('names nobody when nobody is there', () => {
    expect(memberOf('w_1', [])).toBeNull();
  });
});
