// What the conditions of a watch look like at one tick, and the events decided so far. Shared by
// the parts of the decision (decide, tick-news, tick-end); concludes nothing itself.
import { evidenceOf, stillPreExisting } from './condition.ts';
import type { BlindEvidence, EventBody, Evidence } from './event.ts';
import type { Condition, Policy } from './policy.ts';
import type { Reading, Tick } from './sample.ts';
import type { ConditionTrack, Track } from './track.ts';
import { evolve, type WatchState } from './watch.ts';

/** What the conditions look like at this tick, and a place to collect events. */
export type Scene = {
  readonly policy: Policy;
  readonly tick: Tick;
  readonly track: Track;
  readonly due: readonly Condition[];
  readonly sinceDeployMs: number;
  readonly events: EventBody[];
  state: WatchState;
};

export function emit(scene: Scene, event: EventBody): void {
  scene.events.push(event);
  scene.state = evolve(scene.state, { ...event, seq: 0, atMs: scene.tick.atMs });
}

export function readingOf(tick: Tick, condition: Condition): Reading {
  return (
    tick.readings[condition.indicator] ?? {
      kind: 'blind',
      reason: 'rejected',
      detail: 'the source gave no reading for it',
    }
  );
}

export function evidenceFor(scene: Scene, condition: Condition): Evidence {
  const track = scene.track.conditions[condition.id];
  const baseline = scene.state.baseline[condition.indicator];
  if (track === undefined) throw new Error(`no track for ${condition.id}`);
  const preExisting = scene.state.preExisting.includes(condition.id) && !track.recovered;
  const reading = readingOf(scene.tick, condition);
  return evidenceOf(condition, track, reading, { baseline, preExisting });
}

/** As it was last judged: its window has ended, what is read now says nothing about it. */
export function lastEvidenceFor(scene: Scene, condition: Condition): Evidence {
  const tick = { atMs: scene.tick.atMs, readings: {} };
  return evidenceFor({ ...scene, tick }, condition);
}

export function blindEvidence(scene: Scene, condition: Condition): BlindEvidence {
  const blind = scene.track.conditions[condition.id]?.blind;
  return {
    condition: condition.id,
    indicator: condition.indicator,
    reason: blind?.reason ?? 'no_series',
    detail: blind?.detail ?? unsampled(scene, condition),
    sinceMs: blind?.sinceMs ?? scene.tick.atMs,
  };
}

function unsampled({ policy, sinceDeployMs }: Scene, condition: Condition): string {
  const window = policy.windows.find(({ name }) => name === condition.window);
  const isOver = window !== undefined && window.untilMs <= sinceDeployMs;
  return isOver ? 'its window had ended before the watch saw it' : 'never sampled';
}

export function stateOf(scene: Scene, condition: Condition): ConditionTrack['state'] | undefined {
  return scene.track.conditions[condition.id]?.state;
}

export function blindForMs(scene: Scene, condition: Condition): number {
  const blind = scene.track.conditions[condition.id]?.blind;
  return blind ? scene.tick.atMs - blind.sinceMs : 0;
}

export function isBlindTooLong(scene: Scene, condition: Condition): boolean {
  return (
    stateOf(scene, condition) === 'blind' &&
    !isWaiting(scene, condition) &&
    blindForMs(scene, condition) >= scene.policy.blindAfterMs
  );
}

/** Waiting for the range to fill is planned, not blindness that anybody can mend. */
export function isWaiting(scene: Scene, condition: Condition): boolean {
  return scene.track.conditions[condition.id]?.blind?.reason === 'too_early';
}

export function isOldTrouble(scene: Scene, condition: Condition): boolean {
  const track = scene.track.conditions[condition.id];
  return (
    track !== undefined &&
    stillPreExisting(
      condition,
      track,
      scene.state.preExisting.includes(condition.id),
      scene.state.baseline[condition.indicator],
      scene.policy.worseBy,
    )
  );
}
