// A backtest in a test: complete options with one visible difference, and what of a result does
// not depend on when and how it was fetched.
import type { BacktestResult } from '../../src/backtest/result.ts';
import type { BacktestOptions, PolicyUnderTest } from '../../src/backtest/run.ts';
import { policyHash } from '../../src/daemon/sources.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { type Ask, createAsk } from '../../src/source/prometheus-api.ts';
import { PAST_POLICY, policyOf } from './past-service.ts';

export function policyUnderTest(text = PAST_POLICY, file = 'shop.yaml'): PolicyUnderTest {
  const policy = policyOf(text);
  return { policy, file, hash: policyHash(policy) };
}

export function askOf(url: string, timeoutMs = 30_000): Ask {
  return createAsk({ url, timeoutMs, clock: systemClock });
}

export function backtestOf(
  over: Pick<BacktestOptions, 'ask' | 'deploys'> & Partial<BacktestOptions>,
): BacktestOptions {
  return {
    policies: [policyUnderTest()],
    source: 'prometheus',
    clock: systemClock,
    atOnce: 2,
    paceMs: 0,
    chunkMs: 3_600_000,
    signal: new AbortController().signal,
    finished: null,
    onProgress: () => {},
    firstWaitMs: 1,
    ...over,
  };
}

export function found({ deploys, totals, leftOut }: BacktestResult) {
  return { deploys, totals, leftOut };
}
