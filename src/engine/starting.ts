// What the start of a watch needs besides the decision of the core: the newest decision of the gate
// that its policy requires, and what it does to earlier watches and under hold fire.
import type { Deploy } from '../core/deploy.ts';
import type { EventBody } from '../core/event.ts';
import { foundInstead } from '../core/gate-needed.ts';
import type { Policy } from '../core/policy.ts';
import type { decideStart } from '../core/start.ts';
import type { GateStore } from '../journal/gate-store.ts';
import type { Hold } from '../journal/journal.ts';
import type { Loaded } from './ledger.ts';

/** What was found instead of the GO that the policy requires; null: nothing is wrong. */
export async function findWithoutGo(
  gates: Pick<GateStore, 'gateRecords'>,
  { requires }: Pick<Policy, 'requires'>,
  { service, environment, version }: Deploy,
  nowMs: number,
): Promise<string | null> {
  if (requires === undefined) return null;
  const { gate } = requires;
  const [newest] = await gates.gateRecords({ gate, service, environment, version, limit: 1 });
  return foundInstead(requires, newest ?? null, nowMs);
}

export function endings(
  earlier: Extract<ReturnType<typeof decideStart>, { kind: 'start' }>['earlier'],
  recent: readonly Loaded[],
) {
  return earlier.flatMap(({ id, events, givesUpActions }) => {
    const loaded = recent.find(({ record }) => record.id === id);
    if (loaded === undefined) return [];
    const detail = 'a newer deploy has started';
    const giveUp = givesUpActions
      ? { giveUpActions: { reason: 'superseded', detail } as const }
      : {};
    return [{ loaded, decision: { events, ...giveUp } }];
  });
}

/** A watch that is started under hold fire says so at once. */
export function heldEvents(held: Hold | null): readonly EventBody[] {
  return held === null ? [] : [{ type: 'watch.held', by: held.by, reason: held.reason }];
}
