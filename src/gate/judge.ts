// One run of a gate, from its file to the record: checks, signatures, decision. An interrupted run,
// and one of some criteria only, decide nothing: half a checklist is no GO.
import type { CriterionRecord, GateRecord, SignOff } from '../core/gate-record.ts';
import { newGateRunId } from '../kit/random.ts';
import { VERSION } from '../kit/version.ts';
import { criterionRecords, decide } from './decide.ts';
import type { EvidenceFile } from './exhibits.ts';
import type { SignOffStore, SignOffsFailed } from './gate.ts';
import type { GateFile } from './read.ts';
import { type RunTools, runGate } from './run.ts';

export type Judged =
  | {
      readonly kind: 'decided';
      readonly record: GateRecord;
      readonly files: readonly EvidenceFile[];
      readonly signOffs: readonly SignOff[];
    }
  | {
      readonly kind: 'undecided';
      readonly why: 'interrupted' | 'only';
      /** As far as it came. */
      readonly criteria: readonly CriterionRecord[];
    }
  /** The signatures cannot be read. */
  | SignOffsFailed;

/** Never rejects. */
export async function judge(
  { gate, deploy, revealed }: GateFile,
  store: SignOffStore,
  tools: RunTools,
): Promise<Judged> {
  // Before the checks, which may take long: what cannot be read then will not be later.
  const early = await store.list(gate.name);
  if (early.kind === 'failed') return early;
  const ran = await runGate(gate, { ...tools, revealed });
  // Whoever interrupts waits for nothing more.
  const late = ran.wasInterrupted ? early : await store.list(gate.name);
  if (late.kind === 'failed') return late;
  const { signOffs } = late;
  const { only } = tools;
  const input = { gate, deploy, checks: ran.checks, signOffs, nowMs: ran.endedAtMs };
  if (ran.wasInterrupted || only !== undefined) {
    const criteria = criterionRecords(input).filter(({ id }) => only?.includes(id) ?? true);
    return { kind: 'undecided', why: ran.wasInterrupted ? 'interrupted' : 'only', criteria };
  }
  const record: GateRecord = {
    id: newGateRunId(),
    gate: gate.name,
    title: gate.title,
    deploy,
    startedAt: new Date(ran.startedAtMs).toISOString(),
    endedAt: new Date(ran.endedAtMs).toISOString(),
    ...decide(input),
    next: gate.next,
    gateHash: gate.hash,
    tools: { ...ran.tools, canaryd: VERSION, node: process.versions.node },
    version: VERSION,
  };
  return { kind: 'decided', record, files: ran.files, signOffs };
}
