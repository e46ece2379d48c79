// What the checker may know of the simulated world: what is really so.
import type { Ailment } from './plan.ts';
import type { SampleSeries } from './samples.ts';

export type Truth = {
  /** True time, in ms of the world. */
  now(): number;
  /** Since when nothing fails any more; null while things still fail. */
  calmSince(): number | null;
  /** Since when nothing fails but sources, which no message needs; null while more may fail. */
  wellSince(): number | null;
  /** How far the clock of any machine was ahead at most, so far. */
  aheadMs(): number;
  /** Until when a channel has asked to be left alone, or may be because it failed. */
  blockedUntil(channel: string): number;
  /** Version that runs. */
  versionOf(service: string): string;
  ailedWithin(service: string, ailment: Ailment, fromMs: number, toMs: number): boolean;
  illSince(service: string, ailment: Ailment): number | null;
  /** Whether a health endpoint was made to look bad in this span. */
  healthTroubledWithin(fromMs: number, toMs: number): boolean;
  /** Since when the store has told everybody, without a break, that this replica lives. */
  livesSince(replica: string): number | null;
  samples(metric: string, labels: Readonly<Record<string, string>>): readonly SampleSeries[];
};
