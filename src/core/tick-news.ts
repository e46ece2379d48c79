// What people are told at a tick that does not stop the watch: old trouble, arming, blindness,
// warnings, what people have to sign. Each is told once, and what comes and goes a few times at
// most. Never ends a watch.
import { RECOVERED_AFTER_MS } from './condition.ts';
import {
  blindEvidence,
  blindForMs,
  emit,
  evidenceFor,
  isBlindTooLong,
  isWaiting,
  type Scene,
  stateOf,
} from './scene.ts';
import { signOffDue } from './sign-off.ts';

/** A flapping warning is told this often; then it is only in the journal of samples. */
export const WARNINGS_TOLD_MAX = 3;

/** A condition that keeps going blind is told this often; it still counts against coverage. */
export const BLINDNESS_TOLD_MAX = 3;
/** Then only a blindness that lasts so long is told, which bounds how often that can be. */
export const BLINDNESS_STAYS_MS = 30 * 60_000;

/** Old trouble alerts once and blocks a pass; it does not roll this deploy back (rule 5). */
export function tellPreExisting(scene: Scene): void {
  for (const condition of scene.due) {
    if (condition.role !== 'stop' || stateOf(scene, condition) !== 'firing') continue;
    if (scene.state.toldPreExisting.includes(condition.id)) continue;
    emit(scene, { type: 'condition.pre_existing', evidence: evidenceFor(scene, condition) });
  }
}

export function tellArming(scene: Scene): void {
  if (scene.state.arming === 'armed') return;
  const begun = new Set(
    scene.policy.windows.filter((w) => w.fromMs <= scene.sinceDeployMs).map((w) => w.name),
  );
  const stops = scene.policy.conditions.filter(
    ({ role, window }) => role === 'stop' && begun.has(window),
  );
  const unseen = stops.filter(({ id }) => scene.track.conditions[id]?.everSeen !== true);
  const total = stops.length;
  const armed = total - unseen.length;
  if (total === 0) return;
  if (unseen.length === 0) {
    emit(scene, { type: 'watch.armed', armed, total });
    return;
  }
  const watchedMs = scene.tick.atMs - scene.state.startedAtMs;
  if (scene.state.arming === 'unarmed' || watchedMs < scene.policy.armWithinMs) return;
  const missing = unseen.filter((condition) => !isWaiting(scene, condition));
  if (missing.length === 0) return;
  const conditions = missing.map((condition) => blindEvidence(scene, condition));
  emit(scene, { type: 'watch.unarmed', armed, total, conditions });
}

export function tellBlindness(scene: Scene): void {
  const told = scene.state.toldBlind;
  const blind = scene.due.filter(
    (condition) =>
      isBlindTooLong(scene, condition) &&
      told[condition.id] === undefined &&
      ((scene.state.blindnesses[condition.id] ?? 0) < BLINDNESS_TOLD_MAX ||
        blindForMs(scene, condition) >= BLINDNESS_STAYS_MS),
  );
  if (blind.length > 0) {
    const conditions = blind.map((condition) => blindEvidence(scene, condition));
    emit(scene, { type: 'conditions.blinded', conditions });
  }
  const sighted = scene.due.filter(
    (condition) => told[condition.id] !== undefined && stateOf(scene, condition) !== 'blind',
  );
  if (sighted.length === 0) return;
  const conditions = sighted.map(({ id }) => ({
    condition: id,
    blindMs: scene.tick.atMs - (told[id] ?? scene.tick.atMs),
  }));
  emit(scene, { type: 'conditions.sighted', conditions });
}

export function tellWarnings(scene: Scene): void {
  for (const condition of scene.due) {
    if (condition.role !== 'warn') continue;
    const track = scene.track.conditions[condition.id];
    const firedAtMs = scene.state.warned[condition.id];
    if (track?.state === 'firing' && firedAtMs === undefined) {
      if ((scene.state.warnings[condition.id] ?? 0) >= WARNINGS_TOLD_MAX) continue;
      emit(scene, { type: 'condition.warned', evidence: evidenceFor(scene, condition) });
    }
    const isQuiet =
      track?.state === 'inactive' && scene.tick.atMs - track.stateSinceMs >= RECOVERED_AFTER_MS;
    if (isQuiet && firedAtMs !== undefined) {
      const evidence = evidenceFor(scene, condition);
      const firedMs = track.stateSinceMs - firedAtMs;
      emit(scene, { type: 'condition.recovered', evidence, firedMs });
    }
  }
}

export function tellSignOffs(scene: Scene): void {
  const due = signOffDue(scene.policy, scene.state, scene.sinceDeployMs);
  if (due !== null) emit(scene, due);
}
