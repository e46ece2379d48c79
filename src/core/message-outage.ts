// What people are told of canaryd itself: that its journal takes no writes, and that it does again.
import type { Message } from './delivery.ts';
import { roughDuration } from './quantity.ts';

export const OUTAGE_KINDS = ['journal.failed', 'journal.recovered'] as const;

export type Outage = {
  /** Where this replica runs. */
  readonly host: string;
  readonly forMs: number;
  /** What the journal said last. */
  readonly failure: string;
  /** It was told before, and still lasts. */
  readonly isReminder: boolean;
  readonly atMs: number;
};

export function journalFailed(outage: Outage): Message {
  const { host, forMs, failure, isReminder } = outage;
  const verb = isReminder ? 'still cannot' : 'cannot';
  return message('journal.failed', outage, {
    incident: 'opens',
    severity: 'critical',
    headline: `canaryd on ${host} ${verb} write its journal: no deploy is judged`,
    lines: [
      `For ${roughDuration(forMs)} nothing could be written. Until that is mended nothing is judged, stopped or rolled back, and no other message is sent.`,
      `The journal said: ${failure}`,
      'This message is not in the journal: the journal is what fails.',
    ],
    next: 'Watch the open deploys yourself and hold back new ones. Is the disk full or read-only, is the database up? Make room or bring it back: canaryd goes on by itself, nothing that was decided is lost.',
  });
}

export function journalRecovered(outage: Omit<Outage, 'failure' | 'isReminder'>): Message {
  const { host, forMs } = outage;
  return message('journal.recovered', outage, {
    incident: 'closes',
    severity: 'info',
    headline: `canaryd on ${host} writes its journal again, after ${roughDuration(forMs)}`,
    lines: [
      'Open watches go on. What nobody saw meanwhile does not count towards a pass; what was decided before is sent now.',
    ],
    next: null,
  });
}

function message(
  kind: (typeof OUTAGE_KINDS)[number],
  { host, atMs }: Pick<Outage, 'host' | 'atMs'>,
  words: Pick<Message, 'severity' | 'headline' | 'lines' | 'next' | 'incident'>,
): Message {
  // It is of no watch; services that know incidents need a name for this one all the same.
  const watchId = `canaryd@${host}`;
  return { kind, ...words, fields: [['Host', host]], links: [], watchId, atMs };
}
