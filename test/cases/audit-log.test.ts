import { describe, expect, it } from 'vitest';
import { HEALTHY, linesOf, playOne, problemsOf, SHOP } from '../support/case-file.ts';

const POLICY = {
  ...SHOP,
  indicators: {
    ...SHOP.indicators,
    trail: {
      audit_log: {
        ...{ report: '/logs/events.jsonl', bad: 'untraced', time: 'ts' },
        trace: { id: 'trace_id' },
      },
      over: '5m',
    },
  },
  always: { stop: { trail: { above: '1%' } } },
};

const failures = async (own: Readonly<Record<string, unknown>>) =>
  linesOf(await playOne(own, {}, POLICY));

describe('the values of an audit log in a case', () => {
  it('are judged as they are, and a log that is gone is blind', async () => {
    const failed = await failures({
      values: { trail: { '0s': '0.5%', '2m': 'gone', '3m': '2%' } },
      expect: {
        '1m': { trail: 'inactive 0.5%' },
        '2m30s': { trail: 'blind no_series', watch: 'watching' },
        '3m5s': { trail: 'firing 2%', watch: 'stopped' },
      },
    });
    expect(failed).toEqual([]);
  });

  it('may be known from before the deploy: bad before is no reason to roll back', async () => {
    const failed = await failures({
      before: { trail: '2%' },
      values: { trail: '2%' },
      expect: { '2m': { trail: 'firing', watch: 'watching' } },
    });
    expect(failed).toEqual([]);
  });

  it('are asked for: a log cannot be computed offline', () => {
    const one = { name: 'a case', expect: { '1m': { trail: 'inactive' } } };
    const file = { policy: 'shop.yaml', series: HEALTHY, cases: [one] };
    const [problem] = problemsOf(file, POLICY);
    expect(problem).toContain('cases[0].values.trail: found nothing');
    expect(problem).toContain('{ 0s: 0%, 2m: 5% } }: audit_log cannot be computed offline');
  });
});
