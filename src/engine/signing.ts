// Whether a signature on a watch is taken, in words that say what to do when it is not. Judges
// nothing about the deploy: a signature never changes a verdict.
import type { EventBody } from '../core/event.ts';
import type { Policy } from '../core/policy.ts';
import { neededSignOffs, signatureOf } from '../core/sign-off.ts';
import { personOf } from '../core/signature.ts';
import type { Phase, WatchState } from '../core/watch.ts';
import { CanarydError } from '../kit/errors.ts';
import type { SignCommand } from './control.ts';

/** What became of the version in these ends is known already: a signature would say nothing. */
const NOT_SIGNED: Readonly<Partial<Record<Phase, string>>> = {
  stopped: 'its version was stopped',
  cancelled: 'nobody watched its version to an end',
  superseded: 'a newer version was deployed',
};

/** @returns null: this person has signed in this role already */
export function signed(
  id: string,
  policy: Policy,
  state: WatchState,
  { role, name, by, note }: SignCommand,
): EventBody | null {
  const why = NOT_SIGNED[state.phase];
  if (why !== undefined) {
    const text = `Cannot sign: watch ${id} has ended (${state.phase}), ${why}; sign the watch of the version that runs`;
    throw new CanarydError('watch_closed', text);
  }
  const needed = neededSignOffs(policy, state);
  if (needed.length === 0) {
    const none =
      state.rollbackOf === null
        ? `policy '${policy.name}' has no sign_offs`
        : `it watches the rollback of ${state.rollbackOf}, which nobody signs`;
    throw new CanarydError('conflict', `Cannot sign watch ${id}: ${none}`);
  }
  if (!needed.some((need) => need.role === role)) {
    const roles = needed.map((need) => need.role).join(', ');
    const message = `found ${role}; wanted one of ${roles}: these sign this watch`;
    throw new CanarydError('usage', `Cannot sign watch ${id}: role: ${message}`, {
      problems: [{ path: 'role', message }],
    });
  }
  const known = signatureOf(state, role);
  if (known !== null && personOf(known.name) === personOf(name)) return null;
  return { type: 'watch.signed', role, name, by, note };
}
