// What the journal keeps of gates: signatures, decisions, and who is still to be told of them. It
// judges nothing: whose signature counts is decided in src/gate/.
import type { DeliveryReason } from '../core/event.ts';
import type { NewGateMessage } from '../core/gate-message.ts';
import type { Decision, HeadOf, SignOff, StoredGateRecord } from '../core/gate-record.ts';
import type { CanarydError } from '../kit/errors.ts';

export type GateHead = HeadOf<StoredGateRecord>;

export type GateFilter = {
  readonly gate?: string;
  readonly service?: string;
  readonly environment?: string;
  readonly version?: string;
  readonly decision?: Decision;
  /** Only decisions that were received before this one (for paging). */
  readonly beforeId?: string;
  readonly limit: number;
};

export type SignOffFilter = Pick<GateFilter, 'environment' | 'version' | 'limit'> & {
  readonly gate: string;
};

export type GateMessage = NewGateMessage & {
  readonly state: 'pending' | 'delivered' | 'gave_up';
  readonly attempts: number;
  /** When the last attempt began; null before the first. */
  readonly attemptedAtMs: number | null;
  /** What came of the last attempt that has ended; null: nothing yet, or (the reason) it was told. */
  readonly lastReason: DeliveryReason | null;
  readonly lastDetail: string | null;
};

export type GateMessageUpdate = {
  readonly id: string;
  readonly state: GateMessage['state'];
  /** Whose outcome it is: that of an earlier attempt than the last one changes nothing. */
  readonly attempt: number;
  readonly notBeforeMs: number;
  readonly reason: DeliveryReason | null;
  readonly detail: string;
};

export interface GateStore {
  /** For good: a signature is never changed nor taken away, only followed by another one. */
  addSignOff(signOff: SignOff): Promise<void>;
  /** The newest `limit`, oldest first. */
  signOffs(filter: SignOffFilter): Promise<readonly SignOff[]>;
  /**
   * The decision and who is to be told of it, in one transaction. False: this decision is there
   * already, and nothing was written.
   */
  addGateRecord(record: StoredGateRecord, messages: readonly NewGateMessage[]): Promise<boolean>;
  gateRecord(id: string): Promise<StoredGateRecord | null>;
  /**
   * In the order in which they were received, newest first. A row that is damaged is left out and
   * told, so that it hides no other; with nobody to tell, the call throws.
   */
  gateRecords(
    filter: GateFilter,
    onDamaged?: (error: CanarydError) => void,
  ): Promise<readonly StoredGateRecord[]>;
  /** The same decisions without their criteria. */
  gateHeads(
    filter: GateFilter,
    onDamaged?: (error: CanarydError) => void,
  ): Promise<readonly GateHead[]>;
  /** Oldest first; a damaged row as above. */
  pendingGateMessages(
    limit: number,
    onDamaged?: (error: CanarydError) => void,
  ): Promise<readonly GateMessage[]>;
  /** All of one decision, by channel. */
  gateMessages(recordId: string): Promise<readonly GateMessage[]>;
  /** Marks an attempt as begun, before anything is sent; false: it has ended, or somebody else did. */
  startGateAttempt(id: string, attempt: number, atMs: number): Promise<boolean>;
  endGateAttempt(update: GateMessageUpdate): Promise<void>;
}
