import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Point } from '../../src/core/series.ts';
import { PackedPoints } from '../../src/source/packed-points.ts';

function packed(...points: readonly Point[]): PackedPoints {
  const all = new PackedPoints();
  all.merge(points);
  return all;
}

describe('points in one piece of memory', () => {
  it('are read by index from both ends, and in order', () => {
    const points = packed([10, 1], [20, 2], [30, 3]);
    expect([points.at(0), points.at(-1), points.at(3), points.at(-4)]).toEqual([
      [10, 1],
      [30, 3],
      undefined,
      undefined,
    ]);
    expect([...points]).toEqual([
      [10, 1],
      [20, 2],
      [30, 3],
    ]);
  });

  it('take what came late where it belongs, and the newer word at a time that is known', () => {
    const points = packed([10, 1], [40, 4]);
    points.merge([
      [20, 2],
      [40, 4.5],
      [50, 5],
    ]);
    expect([...points]).toEqual([
      [10, 1],
      [20, 2],
      [40, 4.5],
      [50, 5],
    ]);
  });

  it('keep no more room than an eighth beyond what is kept, however long they go on', () => {
    const points = new PackedPoints();
    const kept = 120;
    let most = 0;
    for (let at = 0; at < 72 * 720; at += 1) {
      points.merge([[at * 5_000, at]]);
      points.dropFirst(points.length - kept);
      most = Math.max(most, points.room);
    }
    expect(points.length).toBe(kept);
    expect(most).toBeLessThanOrEqual((kept + 1) * 1.125);
  });

  it('keep of an old time its last point, and falls with the point before', () => {
    const points = packed([1, 5], [2, 6], [3, 1], [4, 2], [5, Number.NaN], [6, 3], [7, 4], [8, 5]);
    points.keepFallsBefore(8);
    expect([...points]).toEqual([
      [2, 6],
      [3, 1],
      [4, 2],
      [5, Number.NaN],
      [6, 3],
      [7, 4],
      [8, 5],
    ]);
    points.keepFallsBefore(100);
    expect(points.at(-1)).toEqual([8, 5]);
  });

  it('hold what a list that is sorted by time would hold, whatever comes and goes', () => {
    const answer = fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.double()), {
      maxLength: 12,
    });
    const step = fc.tuple(answer, fc.integer({ min: -1, max: 4 }), fc.nat(70));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const points = new PackedPoints();
        let model: readonly (readonly [number, number])[] = [];
        for (const [came, dropped, atMs] of steps) {
          const ordered = [...new Map(came)].sort(([a], [b]) => a - b);
          points.merge(ordered);
          model = [...new Map([...model, ...ordered])].sort(([a], [b]) => a - b);
          expect(points.firstFrom(atMs)).toBe(model.filter(([time]) => time < atMs).length);
          points.dropFirst(dropped);
          model = model.slice(Math.max(0, dropped));
          expect([...points]).toEqual(model);
        }
      }),
    );
  });
});
