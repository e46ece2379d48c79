// Deploys found in a made-up history: which changes are seen over long times, what that costs, and
// when it is refused.
import { describe, expect, it } from 'vitest';
import { Asker } from '../../src/backtest/asker.ts';
import { CHANGES_MAX, type FindOptions, findChanges } from '../../src/backtest/find.ts';
import { VirtualClock } from '../../src/kit/virtual-clock.ts';
import type { Ask, Question } from '../../src/source/prometheus-api.ts';
import { T0 } from '../support/build.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Which versions are up at a time; in turn, one after the other. */
type World = (sinceMs: number) => readonly string[];

const inTurn =
  (everyMs: number): World =>
  (sinceMs) => [`v${Math.floor(sinceMs / everyMs)}`];

function answering(world: World) {
  const questions: Question[] = [];
  const ask: Ask = async (question) => {
    questions.push(question);
    if (!('fromMs' in question)) throw new Error('an instant was asked');
    const series = new Map<string, [number, number][]>();
    for (let at = question.fromMs; at <= question.toMs; at += question.stepMs) {
      for (const version of world(at - T0)) {
        const points = series.get(version) ?? [];
        series.set(version, points);
        points.push([at, 1]);
      }
    }
    const matrix = [...series].map(([version, points]) => ({
      labels: { version },
      points,
      isNativeHistogram: false,
    }));
    const result = { type: 'matrix' as const, series: matrix };
    const answer = { kind: 'answered' as const, result, warnings: [] };
    return { answer, seconds: 0, bytes: 0, samples: null };
  };
  return { ask, questions };
}

async function find(world: World, sinceMs: number, over: Partial<FindOptions> = {}) {
  const { ask, questions } = answering(world);
  const signal = new AbortController().signal;
  const clock = new VirtualClock(T0);
  const asker = new Asker({ ask, clock, atOnce: 1, paceMs: 0, signal });
  const found = await findChanges({
    ...{ asker, promql: 'up', label: 'version', fromMs: T0, untilMs: T0 + sinceMs, newest: 100 },
    onProgress: () => {},
    ...over,
  });
  const changes = found.kind === 'found' ? found.changes : [];
  const fine = questions.filter((one) => 'stepMs' in one && one.stepMs < MINUTE);
  return { found, changes, fine, said: JSON.stringify(found) };
}

describe('looking for changes of a version label', () => {
  it.each([3, 60, 400])(
    'invents nothing while two versions run side by side for %i days',
    async (days) => {
      const { changes } = await find(() => ['stable', 'canary'], days * DAY);
      expect(changes).toEqual([]);
    },
  );

  it('sees each of the deploys of a long time, to the second', async () => {
    const { changes } = await find(inTurn(7 * DAY + 12_345), 90 * DAY);
    expect(changes.map(({ version }) => version)).toEqual(
      Array.from({ length: 12 }, (_, index) => `v${index + 1}`),
    );
    expect(changes[0]?.atMs).toBe(T0 + 7 * DAY + 13_000);
  });

  it('looks closely only at the deploys that are wanted, the newest', async () => {
    const { changes, fine } = await find(inTurn(60 * MINUTE), 2 * DAY, { newest: 3 });
    expect(changes).toHaveLength(48);
    expect(fine).toHaveLength(3);
  });

  it('takes no rollback for one of them', async () => {
    const back: World = (sinceMs) => [['a', 'b', 'a', 'c'][Math.floor(sinceMs / DAY)] ?? 'd'];
    const { fine } = await find(back, 5 * DAY, { newest: 3 });
    // d, c, the rollback to a, and b.
    expect(fine).toHaveLength(4);
  });

  it('is told to be no version label when there are too many changes', async () => {
    const { found, said } = await find(inTurn(MINUTE), 30 * DAY);
    expect(found.kind).toBe('failed');
    expect(said).toContain(`more than ${CHANGES_MAX} changes`);
    expect(said).toContain('is it the label of a version?');
  });

  it('says how far it is', async () => {
    const shares: number[] = [];
    await find(inTurn(DAY), 30 * DAY, { onProgress: (share) => void shares.push(share) });
    expect(shares.length).toBeGreaterThan(20);
    expect(shares.at(-1)).toBe(1);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  });
});
