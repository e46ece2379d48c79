import { describe, expect, it } from 'vitest';
import { retry } from '../../src/kit/retry.ts';

const options = {
  isPassing: (result: string) => result === 'away',
  attempts: 3,
  firstWaitMs: 1,
  signal: new AbortController().signal,
};

/** Gives these results, one per call. */
function giving(...results: readonly string[]) {
  const calls: string[] = [];
  const work = async () => {
    const result = results[calls.length] ?? 'too many calls';
    calls.push(result);
    return result;
  };
  return { work, calls };
}

describe('retry', () => {
  it('repeats while the result is passing, and gives the first other one', async () => {
    const { work, calls } = giving('away', 'away', 'here');
    expect(await retry(work, options)).toBe('here');
    expect(calls).toEqual(['away', 'away', 'here']);
  });

  it('gives the last result when every attempt was passing', async () => {
    const { work, calls } = giving('away', 'away', 'away', 'here');
    expect(await retry(work, options)).toBe('away');
    expect(calls).toHaveLength(3);
  });

  it('does not repeat what throws: that is a bug, not bad luck', async () => {
    let calls = 0;
    const work = async (): Promise<string> => {
      calls += 1;
      throw new TypeError('x is not a function');
    };
    await expect(retry(work, options)).rejects.toThrow('x is not a function');
    expect(calls).toBe(1);
  });

  it('ends at once when aborted, with what it knows', async () => {
    const stopping = new AbortController();
    const work = async () => {
      stopping.abort();
      return 'away';
    };
    const waiting = { ...options, firstWaitMs: 60_000, signal: stopping.signal };
    expect(await retry(work, waiting)).toBe('away');
  });
});
