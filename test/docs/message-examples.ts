// Every kind of message with an example, made by the code that makes the real ones, from Aurora's
// own policy.
import { parse } from 'yaml';
import { readPolicy } from '../../src/config/to-policy.ts';
import type { Message } from '../../src/core/delivery.ts';
import type { EventBody, EventType, Evidence, WatchEvent } from '../../src/core/event.ts';
import { gateMessage } from '../../src/core/gate-message.ts';
import { tell } from '../../src/core/message.ts';
import type { TellContext } from '../../src/core/message-draft.ts';
import type { GATE_KIND } from '../../src/core/message-kinds.ts';
import {
  journalFailed,
  journalRecovered,
  type OUTAGE_KINDS,
} from '../../src/core/message-outage.ts';
import type { Policy } from '../../src/core/policy.ts';
import { fold } from '../../src/core/watch.ts';
import { aDeploy, someEvidence, started, stopped, T0 } from '../support/build.ts';
import { aDecision } from '../support/gate-decision.ts';
import { read } from './markdown.ts';

/** Events that nobody is told of: they are in the journal only. */
export const UNTOLD = ['watch.baselined', 'window.entered'] as const;
type ToldEvent = Exclude<EventType, (typeof UNTOLD)[number]>;
/** Not events: told while the journal takes none. */
type OutageKind = (typeof OUTAGE_KINDS)[number];
export type MessageKind = ToldEvent | OutageKind | typeof GATE_KIND;

/** When a message of the kind is sent. Complete, or it does not compile. */
export const WHEN: Readonly<Record<MessageKind, string>> = {
  'watch.started':
    'A deploy is watched from now on. Critical when its policy `requires` a GO, and it started without one.',
  'watch.armed': 'Each stop condition has had its first sample.',
  'watch.unarmed': 'After `arm.within` some stop condition never had a sample. By name, once.',
  'conditions.blinded':
    'A condition could not be seen for `blind.after`; three times for each condition, then only when it lasts 30 minutes.',
  'conditions.sighted': 'A condition that on-call was told to be blind is seen again.',
  'condition.warned': 'A warn condition fires; at most three times for each condition.',
  'condition.recovered': 'A warning has been quiet for a minute.',
  'condition.pre_existing':
    'A stop condition fires that was breached before the deploy already, and is not clearly worse.',
  'watch.resumed': 'canaryd was away for at least 15 s and four intervals, and watches again.',
  'watch.stopped':
    'A stop condition fires, or a person stops the deploy. Lists every condition that fires.',
  'action.accepted': 'The receiver answered with 2xx, or the command with exit code 0.',
  'action.delayed': 'Three attempts of an action have failed, and canaryd goes on trying.',
  'action.gave_up':
    'An action was refused, or not accepted in time. Not sent when "not confirmed" says it too.',
  'rollback.confirmed': 'All verify conditions hold together.',
  'rollback.not_confirmed':
    'The verify conditions did not hold within `verify.within`, or the rollback was never accepted.',
  'watch.passed': 'All pass conditions held for their time, and everything was seen.',
  'watch.inconclusive': 'The last window ended without a pass, or too little was seen for one.',
  'watch.cancelled': 'A person ended the watch.',
  'watch.superseded': 'A newer deploy of the same service and environment is watched.',
  'watch.acknowledged': 'A person looks after it.',
  'watch.resolved':
    'A person says that nothing of an ended watch is open any more, or a newer deploy has replaced it.',
  'watch.sign_off_due':
    'At the first tick after `sign_offs.after`, when somebody has not signed. Once; the verdict names who is still missing.',
  'watch.signed': 'A person signed in a role that the policy names under `sign_offs`.',
  'watch.extended': 'A person gave the last window more time.',
  'watch.held': 'A person turned the hold-fire switch on while the watch was open.',
  'watch.released': 'The hold-fire switch is off again.',
  'gate.decided':
    'The decision of a [gate](gate.md) was reported to this daemon. GO is info; NO-GO, a review and a GO by override are a warning.',
  'journal.failed':
    'The journal has taken no writes for 30 s while deploys are or may be watched; again every 15 minutes. By each replica, not in the journal.',
  'journal.recovered': 'The journal takes writes again, after on-call was told that it does not.',
};

export const MESSAGE_KINDS = Object.keys(WHEN) as readonly MessageKind[];

function auroraPolicy(): Policy {
  const result = readPolicy(parse(read('config/policies/aurora.yaml')), 'aurora');
  if (result.kind === 'problems') throw new Error(JSON.stringify(result.problems));
  return result.policy;
}

const CONDITION = 'immediate.stop.fill_rate';
const fill: Evidence = someEvidence({
  value: 0.7234,
  counts: { part: 871, total: 1204 },
  rangeMs: 60_000,
  samples: 1,
  sinceMs: T0 + 190_000,
  atMs: T0 + 190_000,
  baseline: 0.981,
});
const warned: Evidence = {
  ...fill,
  condition: 'warning.warn.submit_latency_p95',
  indicator: 'submit_latency_p95',
  role: 'warn',
  value: 0.62,
  limit: 0.5,
  counts: { part: 0, total: 1204 },
  baseline: 0.2,
  sinceMs: T0 + 1_200_000,
};
const blind = {
  condition: CONDITION,
  indicator: 'fill_rate',
  reason: 'too_few',
  detail: '3 of at least 20 events in 1m',
  sinceMs: T0 + 30_000,
} as const;
const misspelt = {
  ...blind,
  condition: 'always.stop.security_findings',
  indicator: 'security_findings',
  reason: 'no_series',
  detail:
    'no series matches aurora_security_findings: no metric of this name is known, perhaps it is misspelt',
} as const;
const passed: Evidence = {
  ...fill,
  condition: 'success.pass.fill_rate',
  role: 'pass',
  value: 0.9812,
  limit: 0.95,
  counts: { part: 1178, total: 1200 },
};
const { counts: _, ...uncounted } = someEvidence();
const verified: Evidence = {
  ...uncounted,
  condition: 'verify.verify.open_positions',
  indicator: 'open_positions',
  role: 'verify',
  value: 10,
  limit: 12,
};

const UNSIGNED = (auroraPolicy().signOffs?.needed ?? []).filter(({ role }) => role !== 'qa_lead');
const signed = (role: string) => {
  return { type: 'watch.signed', role, name: 'Ada', by: 'ada', note: null } as const;
};

/** The event behind each example, and what came before it. */
const STORIES: Readonly<Record<ToldEvent, readonly EventBody[]>> = {
  'watch.started': [],
  'watch.armed': [
    { type: 'watch.unarmed', armed: 12, total: 13, conditions: [] },
    { type: 'watch.armed', armed: 13, total: 13 },
  ],
  'watch.unarmed': [{ type: 'watch.unarmed', armed: 12, total: 13, conditions: [misspelt] }],
  'conditions.blinded': [{ type: 'conditions.blinded', conditions: [blind] }],
  'conditions.sighted': [
    { type: 'conditions.blinded', conditions: [blind] },
    { type: 'conditions.sighted', conditions: [{ condition: CONDITION, blindMs: 310_000 }] },
  ],
  'condition.warned': [{ type: 'condition.warned', evidence: warned }],
  'condition.recovered': [
    { type: 'condition.warned', evidence: warned },
    { type: 'condition.recovered', evidence: { ...warned, value: 0.21 }, firedMs: 240_000 },
  ],
  'condition.pre_existing': [
    {
      type: 'condition.pre_existing',
      evidence: {
        ...fill,
        value: 0.76,
        counts: { part: 915, total: 1204 },
        baseline: 0.77,
        preExisting: true,
      },
    },
  ],
  'watch.resumed': [{ type: 'watch.resumed', awayMs: 95_000 }],
  'watch.stopped': [stopped({ conditions: [fill], verifies: true })],
  'action.accepted': [
    stopped({ conditions: [fill], verifies: true }),
    {
      type: 'action.accepted',
      action: 'rollback',
      attempts: 1,
      detail: 'HTTP 202 in 41 ms',
      afterMs: 120,
    },
  ],
  'action.delayed': [
    stopped({ conditions: [fill], verifies: true }),
    { type: 'action.delayed', action: 'rollback', attempts: 3, detail: 'HTTP 503' },
  ],
  'action.gave_up': [
    stopped({ conditions: [fill], verifies: true }),
    {
      type: 'action.gave_up',
      action: 'disarm',
      attempts: 1,
      reason: 'client_error',
      detail: 'HTTP 401: unknown signature',
    },
  ],
  'rollback.confirmed': [
    stopped({ conditions: [fill], verifies: true }),
    { type: 'rollback.confirmed', action: 'rollback', conditions: [verified], afterMs: 48_000 },
  ],
  'rollback.not_confirmed': [
    stopped({ conditions: [fill], verifies: true }),
    {
      type: 'rollback.not_confirmed',
      action: 'rollback',
      reason: 'not_verified',
      because: ['Running version failing, 120 checks in a row: version is "2.1.0", wanted "2.0.0"'],
    },
  ],
  'watch.passed': [
    { type: 'condition.warned', evidence: warned },
    ...['engineering_lead', 'qa_lead', 'devops_lead'].map((role) => signed(role)),
    { type: 'watch.passed', conditions: [passed], coverage: {} },
  ],
  'watch.inconclusive': [
    {
      type: 'watch.inconclusive',
      reason: 'coverage',
      coverage: {},
      because: [`${CONDITION} was judged in 12 % of its window, at least 50 % is wanted`],
    },
  ],
  'watch.cancelled': [
    { type: 'condition.warned', evidence: warned },
    { type: 'watch.cancelled', by: 'alice (on-call)', reason: 'load test' },
  ],
  'watch.superseded': [
    { type: 'condition.warned', evidence: warned },
    { type: 'watch.superseded', byWatch: 'w_example2', version: '2.1.1' },
  ],
  'watch.resolved': [
    stopped({ conditions: [fill] }),
    { type: 'watch.resolved', by: 'alice (on-call)', reason: 'rolled back by hand' },
  ],
  'watch.acknowledged': [
    stopped({ conditions: [fill], verifies: true }),
    { type: 'watch.acknowledged', by: 'alice (on-call)', reason: 'looking at it' },
  ],
  'watch.sign_off_due': [signed('qa_lead'), { type: 'watch.sign_off_due', missing: UNSIGNED }],
  'watch.signed': [signed('qa_lead'), signed('engineering_lead')],
  'watch.extended': [
    {
      type: 'watch.extended',
      by: 'alice (on-call)',
      reason: 'little traffic over the holiday',
      deadlineAtMs: T0 + 48 * 3_600_000,
    },
  ],
  'watch.held': [{ type: 'watch.held', by: 'alice (on-call)', reason: 'exchange maintenance' }],
  'watch.released': [
    { type: 'watch.released', by: 'alice (on-call)', reason: 'maintenance is over' },
  ],
};

const OUTAGE = { host: 'node-1', forMs: 31_000, atMs: T0 + 190_000 };
const failure =
  'Cannot write to it: the journal /var/lib/canaryd/canaryd.db: database or disk is full';
/** Of what is no event of a watch. */
const OTHERS: Readonly<Record<OutageKind | typeof GATE_KIND, () => Message>> = {
  'gate.decided': () => {
    const coverage = ['fail', 'lines 88 %, at least 90 % wanted'] as const;
    const log = ['unknown', 'no file of the last 24h'] as const;
    return gateMessage(
      aDecision({ found: { test_coverage: coverage, xai_log_integrity: log } }),
      null,
    );
  },
  'journal.failed': () => journalFailed({ ...OUTAGE, failure, isReminder: false }),
  'journal.recovered': () => journalRecovered({ ...OUTAGE, forMs: 340_000 }),
};

function isOther(kind: MessageKind): kind is keyof typeof OTHERS {
  return Object.hasOwn(OTHERS, kind);
}

const AFTER_MS: Readonly<Partial<Record<MessageKind, number>>> = {
  'watch.started': 0,
  'watch.passed': 65 * 60_000,
  'watch.sign_off_due': 15 * 60_000,
  'watch.signed': 17 * 60_000,
};

export function exampleOf(kind: MessageKind): Message {
  if (isOther(kind)) return OTHERS[kind]();
  const { event, context } = storyOf(kind);
  const message = tell(event, context);
  if (message?.kind !== kind) throw new Error(`no example of ${kind}`);
  return message;
}

/** The event of a kind and the watch after it; null for what is no event. */
export function eventOf(kind: MessageKind): ReturnType<typeof storyOf> | null {
  return isOther(kind) ? null : storyOf(kind);
}

function storyOf(kind: ToldEvent): { readonly event: WatchEvent; readonly context: TellContext } {
  const policy = auroraPolicy();
  const deploy = aDeploy({
    service: 'aurora',
    environment: 'testnet',
    version: '2.1.0',
    previousVersion: '2.0.0',
    parameters: { deploy_capital: 100_000, expected_positions: 10 },
  });
  const atMs = T0 + (AFTER_MS[kind] ?? 190_000);
  const bodies = [started({ deploy, policy: 'aurora', stopConditions: 13 }), ...STORIES[kind]];
  const events = bodies.map((body, index): WatchEvent => ({ ...body, seq: index + 1, atMs }));
  const event = events.at(-1);
  if (event === undefined) throw new Error(`no story of ${kind}`);
  const context = { watchId: 'w_example', policy, state: fold(events), publicUrl: null };
  return { event, context };
}

function exampleText({ headline, lines, next }: Message): string {
  return [headline, ...lines, ...(next === null ? [] : [`Next: ${next}`])].join('\n');
}

export function messageReference(): string {
  return MESSAGE_KINDS.map((kind) => section(kind, WHEN[kind], exampleOf(kind))).join('\n\n');
}

export function section(title: string, when: string, message: Message): string {
  return `### ${title}\n\n_${message.severity}_. ${when}\n\n\`\`\`text\n${exampleText(message)}\n\`\`\``;
}
