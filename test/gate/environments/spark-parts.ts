// What the turns of Spark's gate are written with.
import type { Turn } from './gate-suite.ts';
import type { SparkOwn } from './spark.ts';
import type { Change } from './world.ts';

export type SparkTurn = Turn<SparkOwn>;

export const turn = (
  name: string,
  change: Change,
  turns: Readonly<Record<string, string>>,
): SparkTurn => {
  return { name, change, turns, decision: 'review' };
};

export const files = (all: NonNullable<Change['files']>): Change => ({ files: all });
