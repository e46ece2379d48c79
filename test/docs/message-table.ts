// All kinds of messages at a glance, and examples of those that are made of others: asked of the
// code that plans them.
import type { Message } from '../../src/core/delivery.ts';
import { CALL_KIND, type Escalation, planCalls } from '../../src/core/escalation.ts';
import { DIGEST_KIND, digestOf, isMerged, mergeMessages } from '../../src/core/merge.ts';
import { NO_ROUTING, wayOf } from '../../src/core/route.ts';
import {
  eventOf,
  exampleOf,
  MESSAGE_KINDS,
  type MessageKind,
  section,
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
  if (story === null) return 'at once';
  const way = wayOf(exampleOf(kind), story.context.state, [], NIGHT);
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

export function messageTable(): string {
  const rows = MESSAGE_KINDS.map((kind) => {
    const message = exampleOf(kind);
    const anchor = kind.replaceAll('.', '');
    const cells = [
      `[\`${kind}\`](#${anchor})`,
      message.severity,
      atNight(kind),
      isMerged(message) ? 'one message' : '',
      opensCalls(kind),
      message.headline.replaceAll('|', '\\|'),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const head = '| kind | severity | in quiet hours | many at once | calls | example |';
  return [head, '|---|---|---|---|---|---|', ...rows].join('\n');
}

/** Made of others when they are sent. */
export function madeReference(): string {
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
  const parts: readonly (readonly [string, string, Message])[] = [
    [
      'A storm',
      'Messages of one kind that come together, here of four watches.',
      mergeMessages([blind, ...others]),
    ],
    [DIGEST_KIND, 'The quiet hours are over: what they held back.', digest],
    [CALL_KIND, 'Nobody has acknowledged; the steps of `routing.escalation`.', call],
  ];
  return parts.map(([title, when, message]) => section(title, when, message)).join('\n\n');
}
