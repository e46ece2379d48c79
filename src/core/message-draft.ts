// What the parts of `message.ts` share: a draft of a message, and how a deploy, a figure and a
// blindness read in a line.
import type { Message, Severity } from './delivery.ts';
import type { BlindEvidence, Evidence, WatchEvent } from './event.ts';
import type { Policy } from './policy.ts';
import { formatValue } from './quantity.ts';
import type { WatchState } from './watch.ts';
import { conditionNow, sinceText, titleOf } from './wording.ts';

export type TellContext = {
  readonly watchId: string;
  readonly policy: Policy;
  /** After the event. */
  readonly state: WatchState;
  /** Base of links to this daemon, without a slash at the end; null: no link. */
  readonly publicUrl: string | null;
};

export type Draft = {
  readonly severity: Severity;
  readonly headline: string;
  readonly lines?: readonly string[];
  readonly next?: string | null;
  readonly cause?: NonNullable<Message['cause']>;
};

export type Of<T extends WatchEvent['type']> = Extract<WatchEvent, { type: T }>;

/** "aurora 2.4.1 (production)". */
export function subject({ state }: TellContext): string {
  const { deploy } = state;
  return deploy ? `${deploy.service} ${deploy.version} (${deploy.environment})` : 'unknown deploy';
}

/** The figure, since when, and whether it is this deploy. */
export function evidenceLine(policy: Policy, evidence: Evidence): string {
  const unit = policy.indicators[evidence.indicator]?.unit ?? 'number';
  const before = evidence.preExisting
    ? evidence.baseline === undefined
      ? '; was bad before the deploy already'
      : `; was bad before the deploy already (${formatValue(evidence.baseline, unit)})`
    : evidence.baseline === undefined
      ? '; before the deploy: not known'
      : `; before the deploy: ${formatValue(evidence.baseline, unit)}`;
  const isHealth = policy.indicators[evidence.indicator]?.kind === 'http';
  return `${conditionNow(policy, evidence)}; ${sinceText(evidence)}${isHealth ? '' : before}`;
}

export function blindLine(policy: Policy, blind: BlindEvidence): string {
  return `${titleOf(policy, blind.indicator)} (${blind.condition}): ${blind.reason}, ${blind.detail}`;
}

export function list(names: readonly string[]): string {
  const unique = [...new Set(names)];
  const shown = unique.slice(0, 4).join(', ');
  return unique.length > 4 ? `${shown} and ${unique.length - 4} more` : shown;
}

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** The reason that all of them share, with its detail when that is the same too. */
export function commonCause(
  blind: readonly Pick<BlindEvidence, 'reason' | 'detail'>[],
): Pick<Draft, 'cause'> {
  const [first] = blind;
  if (first === undefined || blind.some(({ reason }) => reason !== first.reason)) return {};
  const isSame = blind.every(({ detail }) => detail === first.detail);
  return { cause: { reason: first.reason, detail: isSame ? first.detail : '' } };
}
