// What the start of a watch needs besides the decision of the core: the newest decision of the gate
// that its policy requires, and what it does to earlier watches and under hold fire.
import type { Deploy } from '../core/deploy.ts';
import type { EventBody } from '../core/event.ts';
import { foundInstead } from '../core/gate-needed.ts';
import type { GateRecord, SignOff } from '../core/gate-record.ts';
import type { Policy } from '../core/policy.ts';
import { isSamePlace, standing } from '../core/signature.ts';
import { decideStart } from '../core/start.ts';
import type { GateStore } from '../journal/gate-store.ts';
import type { Hold } from '../journal/journal.ts';
import { CanarydError } from '../kit/errors.ts';
import { countedIn, newestDecision, SIGN_OFFS_READ_MAX } from './gate-desk.ts';
import type { Loaded } from './ledger.ts';

type Decisions = Pick<GateStore, 'gateHeads' | 'gateRecord' | 'signOffs'>;

/** What was found instead of the GO that the policy requires; null: nothing is wrong. */
async function findWithoutGo(
  gates: Decisions,
  { requires }: Pick<Policy, 'requires'>,
  { service, environment, version, parameters }: Deploy,
  nowMs: number,
): Promise<string | null> {
  if (requires === undefined) return null;
  const key = { gate: requires.gate, service, environment, version };
  const damaged: CanarydError[] = [];
  const [last] = await gates.gateHeads({ ...key, limit: 1 }, (error) => damaged.push(error));
  const [unreadable] = damaged;
  if (unreadable !== undefined) return `a decision that cannot be read (${unreadable.message})`;
  const isGo = last?.decision === 'go';
  const newest = isGo ? await newestDecision(gates, key, parameters) : (last ?? null);
  const found = (takenBack: string | null) =>
    foundInstead(
      requires,
      newest && { ...newest, parameters: newest.deploy.parameters, takenBack },
      parameters,
      nowMs,
    );
  const without = found(null);
  if (newest === null || without !== null) return without;
  const { gate } = requires;
  try {
    const limit = SIGN_OFFS_READ_MAX;
    const signOffs = await gates.signOffs({ gate, environment, version, limit });
    const record = await gates.gateRecord(newest.id);
    return found(record && takenBackIn(record, signOffs));
  } catch (error) {
    // Whatever makes them unreadable: who could have taken one back is not known.
    if (!(error instanceof CanarydError)) throw error;
    return `a GO whose signatures cannot be read (${error.message})`;
  }
}

/** The name on a signature that made it GO and no longer stands; null: all of them do. */
function takenBackIn(record: GateRecord, all: readonly SignOff[]): string | null {
  const stand = standing(all);
  const isTaken = (signature: SignOff) =>
    all.some(
      (one) =>
        one.isWithdrawn === true && one.atMs >= signature.atMs && isSamePlace(one, signature),
    ) && !stand.some((one) => isSamePlace(one, signature));
  return countedIn(record).find(isTaken)?.name ?? null;
}

/** The gate is asked only for a watch that would start, and hinders none that needs no GO. */
export async function withGate(
  asked: Parameters<typeof decideStart>[0],
  gates: Decisions,
): Promise<ReturnType<typeof decideStart>> {
  const decided = decideStart(asked);
  if (decided.kind !== 'start' || asked.policy.requires === undefined) return decided;
  const finding = findWithoutGo(gates, asked.policy, asked.deploy, asked.nowMs);
  const withoutGo = decided.needsGo
    ? await finding
    : await finding.catch(() => 'decisions that cannot be read');
  return decideStart({ ...asked, withoutGo });
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
