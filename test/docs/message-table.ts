// All kinds of messages at a glance, and examples of those that are made of others: asked of the
// code that plans them.
import type { Message } from '../../src/core/delivery.ts';
import { CALL_KIND, type Escalation, planCalls } from '../../src/core/escalation.ts';
import { DIGEST_KIND, digestOf, isMerged, mergeMessages } from '../../src/core/merge.ts';
import { GATE_KIND } from '../../src/core/message-kinds.ts';
import { NO_ROUTING, wayOf } from '../../src/core/route.ts';
import { trialMessage } from '../../src/notify/trial.ts';
import {
  eventOf,
  exampleOf,
  MESSAGE_KINDS,
  type MessageKind,
  section,
  WHEN,
} from './message-examples.ts';

const MINUTE_MS = 60_000;
const ESCALATION: Escalation = {
  steps: [
    { afterMs: 5 * MINUTE_MS, channels: ['phone'] },
    { afterMs: 15 * MINUTE_MS, channels: ['phone'] },
  ],
  rounds: 1,
  acknowledgedForMs: 30 * MINUTE_MS,
};
/** Examples happen just after midnight. */
const NIGHT = { ...NO_ROUTING, quietHours: { fromMinute: 1_320, untilMinute: 360, zone: 'UTC' } };

function calls(kind: MessageKind) {
  const story = eventOf(kind);
  return story === null ? [] : planCalls(story.event, story.context, ESCALATION);
}

function atNight(kind: MessageKind): string {
  const story = eventOf(kind);
  // Told directly, not from the journal.
  if (story === null && kind !== GATE_KIND) return 'at once';
  const way = wayOf(exampleOf(kind), story?.context.state ?? null, [], NIGHT);
  if (way.heldUntilMs !== null) return 'held';
  return way.isSilent ? 'silent' : 'at once';
}

/** These begin with the stop; the calls of what comes after it are those that run already. */
function opensCalls(kind: MessageKind): string {
  const { critical } = eventOf(kind)?.context.state ?? { critical: null };
  if (calls(kind).length > 0) return 'begins';
  if (critical === null) return '';
  return critical.openings.length > 1 ? 'begins, unless they run' : '';
}

/** Also sent after a stop, and then never held. */
const ALSO_AFTER_A_STOP: readonly MessageKind[] = ['watch.acknowledged'];

function quietText(kind: MessageKind): string {
  return ALSO_AFTER_A_STOP.includes(kind) ? `${atNight(kind)}; after a stop silent` : atNight(kind);
}

/** Who is told, where it is not what the routes say. */
const TO_WHOM: Readonly<Partial<Record<MessageKind, string>>> = {
  'journal.failed': 'every channel',
  'journal.recovered': 'every channel',
};

function toWhom(kind: MessageKind): string {
  const keepers = exampleOf(kind).incident === 'closes' || kind === 'watch.acknowledged';
  return TO_WHOM[kind] ?? (keepers ? 'its route; who keeps incidents' : 'its route');
}

const cell = (text: string) => text.replaceAll('|', '\\|');

export function messageTable(): string {
  const rows = MESSAGE_KINDS.map((kind) => {
    const message = exampleOf(kind);
    const many = isMerged(message) ? 'one message' : '';
    const more = [toWhom(kind), message.severity, quietText(kind), many, opensCalls(kind)];
    return row(kind, WHEN[kind], more, message);
  });
  const { call, digest, trial } = made();
  const others = [
    row(CALL_KIND, CALL_WHEN, ['the channels of the step', 'critical', 'at once', '', ''], call),
    row(DIGEST_KIND, DIGEST_WHEN, [DIGEST_TO, digest.severity, '', 'is many', ''], digest),
    row(
      trial.kind,
      TRIAL_WHEN,
      ['every channel, or those named', 'info', 'at once', '', ''],
      trial,
    ),
  ];
  const head =
    '| kind | when | to whom | severity | in quiet hours | many at once | calls | example |';
  return [head, '|---|---|---|---|---|---|---|---|', ...rows, ...others].join('\n');
}

function row(kind: string, when: string, more: readonly string[], { headline }: Message): string {
  const anchor = kind.replaceAll('.', '');
  const cells = [`[\`${kind}\`](#${anchor})`, cell(when), ...more, cell(headline)];
  return `| ${cells.join(' | ')} |`;
}

const CALL_WHEN = 'Nobody has acknowledged; the steps of `routing.escalation`.';
const DIGEST_WHEN = 'The quiet hours are over: what they held back.';
const DIGEST_TO = 'each channel that was held back';
const TRIAL_WHEN = '`canaryd notify test`. With `--critical` it is marked critical.';

/** Made of others when they are sent, or of none. */
function made() {
  const blind = exampleOf('conditions.blinded');
  const others = ['w_2', 'w_3', 'w_4'].map((watchId) => ({ ...blind, watchId }));
  const warned = exampleOf('condition.warned');
  const recovered = { ...exampleOf('condition.recovered'), atMs: warned.atMs + 4 * MINUTE_MS };
  const digest = digestOf(
    [warned, recovered, { ...blind, watchId: 'w_2' }],
    warned.atMs + 360 * MINUTE_MS,
    (watchId) => watchId === 'w_2',
  );
  const [call] = calls('watch.stopped').map(({ content }) =>
    content.kind === 'message' ? content.message : null,
  );
  if (!call) throw new Error('no call is planned');
  const trial = trialMessage({ isCritical: false, channels: 2, atMs: warned.atMs });
  return { storm: mergeMessages([blind, ...others]), digest, call, trial };
}

export function madeReference(): string {
  const { storm, digest, call, trial } = made();
  const parts: readonly (readonly [string, string, Message])[] = [
    ['A storm', 'Messages of one kind that come together, here of four watches.', storm],
    [DIGEST_KIND, DIGEST_WHEN, digest],
    [CALL_KIND, CALL_WHEN, call],
    [trial.kind, TRIAL_WHEN, trial],
  ];
  return parts.map(([title, when, message]) => section(title, when, message)).join('\n\n');
}
