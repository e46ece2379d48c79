import { describe, expect, it } from 'vitest';
import { measure } from '../../src/core/measure.ts';
import type { GaugeIndicator } from '../../src/core/policy.ts';
import type { Point, Series } from '../../src/core/series.ts';
import { aRatio, T0 } from '../support/build.ts';

const view = { atMs: T0 + 10_000, deployedAtMs: T0, staleAfterMs: 30_000, previous: null };

function series(metric: string, values: readonly number[], pod = 'a'): Series {
  const points = values.map((value, index): Point => [T0 + 5_000 * (index + 1), value]);
  return { metric, labels: { pod }, points };
}

describe('Figures without measure', () => {
  it('of a count are no share', () => {
    const all = [
      series('orders_submitted_total', [-1e308, 1e308]),
      series('orders_filled_total', [0, 5]),
    ];
    const reading = measure(aRatio({ minTotal: 1 }), { series: all, coveredFromMs: 0 }, view);
    expect(reading).toMatchObject({ kind: 'blind', reason: 'not_finite' });
    expect(JSON.stringify(reading)).not.toContain('null');
  });

  it('of series are not too many for a call', () => {
    const positions: GaugeIndicator = {
      ...{ kind: 'gauge', id: 'positions', title: 'Positions', unit: 'number' },
      ...{ metric: { metric: 'positions', matchers: [] }, aggregate: 'max', negate: false },
    };
    const all = Array.from({ length: 200_000 }, (_, pod) => series('positions', [pod], `p${pod}`));
    const reading = measure(positions, { series: all, coveredFromMs: 0 }, view);
    expect(reading).toMatchObject({ kind: 'value', value: 199_999 });
  });
});
