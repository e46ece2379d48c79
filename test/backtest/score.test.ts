import { describe, expect, it } from 'vitest';
import type { DeployResult } from '../../src/backtest/result.ts';
import { isAllRight, scoreOf, totalsOf } from '../../src/backtest/score.ts';
import { T0 } from '../support/build.ts';

function result(over: Partial<DeployResult>, label: 'good' | 'bad' | null = null): DeployResult {
  const verdict = over.verdict ?? 'passed';
  return {
    deploy: {
      ...{ service: 'shop', environment: null, version: '1', previousVersion: null },
      ...{ deployedAtMs: T0, parameters: {}, label },
    },
    ...{ verdict, afterMs: 60_000, by: [], because: [], blindMs: 0 },
    ...{ score: scoreOf(verdict, label), conditions: [], series: [] },
    ...over,
  };
}

describe('the score of a deploy', () => {
  it.each([
    ['stopped', 'bad', 'right'],
    ['stopped', 'good', 'false_stop'],
    ['passed', 'bad', 'missed'],
    ['passed', 'good', 'right'],
    ['inconclusive', 'bad', 'undecided'],
    ['inconclusive', 'good', 'undecided'],
    ['superseded', 'good', 'undecided'],
    ['superseded', 'bad', 'undecided'],
    ['failed', 'bad', null],
    ['stopped', null, null],
  ] as const)('%s and labelled %s is %s', (verdict, label, score) => {
    expect(scoreOf(verdict, label)).toBe(score);
  });
});

describe('the totals of a backtest', () => {
  it('count verdicts and scores, and the time to stop of bad ones only', () => {
    const totals = totalsOf([
      result({ verdict: 'stopped', afterMs: 10_000 }, 'bad'),
      result({ verdict: 'stopped', afterMs: 30_000 }, 'bad'),
      result({ verdict: 'stopped', afterMs: 900_000 }, 'good'),
      result({ verdict: 'passed', afterMs: 60_000, blindMs: 100_000 }),
      result({ verdict: 'failed', afterMs: null }, 'bad'),
    ]);
    expect(totals).toMatchObject({
      deploys: 5,
      verdicts: { stopped: 3, passed: 1, failed: 1, inconclusive: 0 },
      labelled: 4,
      scores: { right: 2, false_stop: 1, missed: 0, undecided: 0 },
      stopsTimed: 2,
      stopAfterMedianMs: 20_000,
      stopAfterMaxMs: 30_000,
      blindShare: 0.1,
    });
  });

  it('time only the stops that both of two policies made', () => {
    const slow = result({ verdict: 'stopped', afterMs: 600_000 }, 'bad');
    const quick = result({ verdict: 'stopped', afterMs: 10_000 }, 'bad');
    const totals = totalsOf([slow, quick], (_, index) => index === 1);
    expect(totals).toMatchObject({ stopsTimed: 1, stopAfterMedianMs: 10_000 });
    expect(totals.scores.right).toBe(2);
  });

  it('say nothing of what there was not', () => {
    expect(totalsOf([])).toMatchObject({ stopAfterMedianMs: null, blindShare: 0 });
  });

  it('are all right only when every labelled deploy was judged, and right', () => {
    const good = result({ verdict: 'passed' }, 'good');
    expect(isAllRight([good, result({ verdict: 'stopped' })])).toBe(true);
    expect(isAllRight([good, result({ verdict: 'failed' }, 'good')])).toBe(false);
    expect(isAllRight([good, result({ verdict: 'inconclusive' }, 'bad')])).toBe(false);
    expect(isAllRight([result({ verdict: 'inconclusive' }, 'good')])).toBe(false);
  });
});
