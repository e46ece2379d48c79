// Why a command is refused, in words that say what to do. Throws or returns errors; decides nothing
// about a watch.
import { type Deploy, deployKey } from '../core/deploy.ts';
import { gateCommand } from '../core/gate-needed.ts';
import type { Policy } from '../core/policy.ts';
import { placeholdersOf } from '../core/template.ts';
import { isIncidentOpen, type WatchState } from '../core/watch.ts';
import { CanarydError } from '../kit/errors.ts';

/** A rollback to an empty version may deploy anything. */
export function demandPreviousVersion(policy: Policy, deploy: Deploy): void {
  const asking = policy.actions.filter(({ via }) =>
    placeholdersOf(JSON.stringify(via)).includes('previous_version'),
  );
  if (deploy.previousVersion !== null || asking.length === 0) return;
  const names = asking.map(({ name }) => name).join(' and ');
  const message = `found nothing; wanted the version to go back to, because ${names} of policy '${policy.name}' names it; give previous_version, or start with mode observe`;
  throw new CanarydError('start_invalid', `Cannot start: previous_version: ${message}`, {
    problems: [{ path: 'previous_version', message }],
  });
}

export function differs(deploy: Deploy, watchId: string): CanarydError {
  return new CanarydError(
    'conflict',
    `Cannot watch ${deploy.service} ${deploy.version}: watch ${watchId} is of the same deploy with other parameters; cancel it to start again`,
  );
}

export function outdated(deploy: Deploy, newer: string): CanarydError {
  const at = new Date(deploy.deployedAtMs).toISOString();
  return new CanarydError(
    'conflict',
    `Cannot watch ${deployKey(deploy)} deployed at ${at}: watch ${newer} is of a later deploy of the same service and environment`,
  );
}

/** @param found instead of the GO that counts */
export function gateMissing(policy: Policy, deploy: Deploy, found: string): CanarydError {
  const { service, version, environment } = deploy;
  const gate = policy.requires?.gate ?? '';
  const message = `policy '${policy.name}' wants a fresh GO of gate ${gate}; found ${found}; carry it out (${gateCommand(gate, deploy)}), then start again`;
  return new CanarydError(
    'gate_missing',
    `Cannot watch ${service} ${version} (${environment}): ${message}`,
    { problems: [{ path: 'requires', message }] },
  );
}

export function closed(id: string, phase: string): CanarydError {
  return new CanarydError(
    'watch_closed',
    `Watch ${id} has ended (${phase}); only an open watch can be changed`,
  );
}

/** Only what has ended and still waits for a person; null: it may be resolved. */
export function cannotResolve(id: string, state: WatchState): CanarydError | null {
  if (state.phase === 'watching') {
    return new CanarydError(
      'conflict',
      `Cannot resolve: watch ${id} is still open, and closes what it told by itself; acknowledge it, or cancel the watch`,
    );
  }
  if (isIncidentOpen(state)) return null;
  return new CanarydError(
    'conflict',
    `Cannot resolve: nothing of watch ${id} (${state.phase}) waits for a person; there is nothing to do`,
  );
}
