// Whether a tick ends the watch without a stop: passed, or inconclusive with what stood in the way.
// A pass needs positive evidence (rule 10, J6): missing data is never health.
import { coverageOf, coverageShortfall } from './coverage.ts';
import { ALWAYS, type Condition, policyEndMs, windowAt } from './policy.ts';
import { formatDuration, roughDuration } from './quantity.ts';
import { emit, evidenceFor, isWaiting, lastEvidenceFor, type Scene, stateOf } from './scene.ts';
import { conditionNow } from './wording.ts';

/** A watch nobody evaluated until this long after its deadline says so. */
export const DEADLINE_GRACE_MS = 60_000;

export function decideEnd(scene: Scene): void {
  const { policy, state, track, tick } = scene;
  const coverage = coverageOf(policy, track, scene.sinceDeployMs);
  const shortfall = coverageShortfall(policy, coverage, scene.sinceDeployMs);
  const obstacles = obstaclesToPass(scene);
  const passes = scene.due.filter(({ role }) => role === 'pass');
  const passForMs = windowAt(policy, scene.sinceDeployMs)?.passForMs ?? 0;
  const isHeldLong = track.passSinceMs !== null && tick.atMs - track.passSinceMs >= passForMs;
  if (isHeldLong && obstacles.length === 0) {
    if (shortfall.all.length === 0) {
      const conditions = passes.map((condition) => evidenceFor(scene, condition));
      emit(scene, { type: 'watch.passed', conditions, coverage });
      return;
    }
    // What was not seen in a window that has ended will never be seen: no use in waiting.
    if (shortfall.final.length > 0) {
      const because = shortfall.final;
      emit(scene, { type: 'watch.inconclusive', reason: 'coverage', coverage, because });
      return;
    }
  }
  if (tick.atMs < state.deadlineAtMs) return;
  const needsPass = policy.conditions.some(({ role }) => role === 'pass');
  const isLate = tick.atMs > state.deadlineAtMs + DEADLINE_GRACE_MS;
  const because = [...unmetPasses(scene), ...obstacles, ...shortfall.all];
  if (!needsPass && because.length === 0 && !isLate) {
    emit(scene, { type: 'watch.passed', conditions: [], coverage });
    return;
  }
  if (because.length === 0) because.push(isLate ? notEvaluated(scene) : notHeldLong(scene));
  const reason = isLate ? 'not_evaluated' : 'deadline';
  emit(scene, { type: 'watch.inconclusive', reason, coverage, because });
}

function notEvaluated({ tick, state }: Scene): string {
  const late = roughDuration(tick.atMs - state.deadlineAtMs);
  return `canaryd looked again only ${late} after the deadline`;
}

function notHeldLong({ policy }: Scene): string {
  const end = policyEndMs(policy);
  const last = policy.windows.find(({ untilMs, name }) => untilMs === end && name !== ALWAYS);
  const wanted = formatDuration(last?.passForMs ?? 0);
  return `the pass conditions did not hold together for ${wanted} without a gap`;
}

/**
 * Why a pass is out of the question at this tick, although all pass conditions may hold. The last
 * windows count at their end too; of a window that ended earlier remains what a stop condition
 * ended with: old trouble that was never seen to heal.
 */
function obstaclesToPass(scene: Scene): readonly string[] {
  const { policy, sinceDeployMs } = scene;
  const end = policyEndMs(policy);
  return policy.conditions.flatMap((condition) => {
    const window = policy.windows.find(({ name }) => name === condition.window);
    if (condition.role !== 'stop' && condition.role !== 'warn') return [];
    if (window === undefined || window.fromMs > sinceDeployMs) return [];
    if (window.untilMs > sinceDeployMs) return obstacleOf(scene, condition);
    if (window.untilMs === end) return obstacleOf(scene, condition);
    if (condition.role !== 'stop' || stateOf(scene, condition) !== 'firing') return [];
    const last = conditionNow(policy, lastEvidenceFor(scene, condition));
    return [`${condition.id} was still breached when its window ended: ${last}`];
  });
}

function obstacleOf(scene: Scene, condition: Condition): readonly string[] {
  const track = scene.track.conditions[condition.id];
  if (track === undefined || track.state === 'inactive') return [];
  if (track.state === 'blind') {
    if (condition.role !== 'stop' || isWaiting(scene, condition)) return [];
    return [`${condition.id} is blind: ${track.blind?.reason} (${track.blind?.detail})`];
  }
  if (condition.role === 'warn' && track.state === 'pending') return [];
  return [conditionNow(scene.policy, evidenceFor(scene, condition))];
}

/** Pass conditions of the last window that do not hold, in words. */
function unmetPasses(scene: Scene): readonly string[] {
  const end = policyEndMs(scene.policy);
  const last = scene.policy.windows.filter((w) => w.untilMs === end && w.name !== ALWAYS);
  return scene.policy.conditions
    .filter(({ role, window }) => role === 'pass' && last.some(({ name }) => name === window))
    .flatMap((condition) => {
      const track = scene.track.conditions[condition.id];
      if (track === undefined) return [`${condition.id} was never judged`];
      if (track.state === 'firing') return [];
      if (track.state === 'blind') {
        return [`${condition.id} is blind: ${track.blind?.reason} (${track.blind?.detail})`];
      }
      const now = conditionNow(scene.policy, lastEvidenceFor(scene, condition));
      return [`${condition.id} does not hold: ${now}`];
    });
}
