// What people are told of the watch itself: its start, its stop and every other end.

import { gateCommand } from './gate-needed.ts';
import {
  blindLine,
  type Draft,
  evidenceLine,
  type Of,
  subject,
  type TellContext,
} from './message-draft.ts';
import { unsignedLines, unsignedNext } from './message-sign-off.ts';
import type { Policy } from './policy.ts';
import { roughDuration } from './quantity.ts';
import { verifyConditions } from './verify.ts';
import { conditionNow } from './wording.ts';

export function started(event: Of<'watch.started'>, context: TellContext): Draft {
  const { policy } = context;
  const lines = [
    `Windows: ${policy.windows
      .filter(({ name }) => name !== 'always')
      .map((w) => `${w.name} ${roughDuration(w.fromMs)}-${roughDuration(w.untilMs)}`)
      .join(
        ', ',
      )}. ${event.stopConditions} stop conditions, judged every ${roughDuration(policy.intervalMs)}.`,
  ];
  if (event.lateMs > 0) {
    lines.push(
      `The watch started ${roughDuration(event.lateMs)} after the deploy: windows count from the deploy, that time was not seen.`,
    );
  }
  if (event.rollbackOf !== null) {
    lines.push(
      `This deploy is the rollback of ${event.rollbackOf}: observed, it cannot roll back.`,
    );
  }
  const isUnproven = verifyConditions(policy, context.state).length < verified(policy);
  if (isUnproven && event.mode === 'act') {
    lines.push(
      'The deploy did not name its previous version: after a rollback the running version cannot be verified.',
    );
  }
  const actions = policy.actions.map(({ name }) => name).join(', then ');
  const next =
    event.mode === 'observe'
      ? 'Observe mode: canaryd will say what it would do, and do nothing.'
      : actions === ''
        ? 'The policy has no action: a stop only alerts.'
        : `On a stop canaryd does: ${actions}.`;
  const { withoutGo } = event;
  const gate = policy.requires?.gate ?? 'its policy';
  if (event.neededNoGo !== undefined) {
    lines.push(`A rollback needs no GO of gate ${gate}; found: ${event.neededNoGo}.`);
  }
  if (withoutGo === undefined) {
    return { severity: 'info', headline: `Watching ${subject(context)}`, lines, next };
  }
  return {
    severity: 'critical',
    headline: `${subject(context)} started WITHOUT a GO of gate ${gate}`,
    lines: [`Found: ${withoutGo}.`, ...lines],
    next: `It is watched all the same. Ask who deployed it and why, and carry the gate out: ${gateCommand(gate, event.deploy)}. ${next}`,
  };
}

function verified(policy: Policy): number {
  return policy.verify?.conditions.length ?? 0;
}

export function stopped(event: Of<'watch.stopped'>, context: TellContext): Draft {
  const { policy } = context;
  const would = event.mode === 'act' ? '' : ' WOULD';
  const first = event.conditions[0];
  const cause =
    event.cause === 'human'
      ? `by ${event.by}: ${event.reason}`
      : first
        ? conditionNow(policy, first)
        : event.reason;
  const more = event.conditions.length > 1 ? ` (+${event.conditions.length - 1} more)` : '';
  const verb = event.mode === 'act' ? 'STOPPED' : `${would.trim()} STOP`;
  return {
    severity: 'critical',
    headline: `${verb} ${subject(context)}: ${cause}${more}`,
    lines: [
      ...event.conditions.map((evidence) => evidenceLine(policy, evidence)),
      ...event.blind.map((blind) => blindLine(policy, blind)),
      ...(event.cause === 'human' ? [`Stopped by ${event.by}: ${event.reason}`] : []),
    ],
    next: nextAfterStop(event, context),
  };
}

function nextAfterStop(event: Of<'watch.stopped'>, { policy, watchId }: TellContext): string {
  const planned = policy.actions.map(({ name }) => name).join(', then ');
  if (event.mode === 'hold') {
    return `The hold-fire switch is on: nothing was sent. canaryd would have done: ${planned || 'nothing'}. Act by hand if needed.`;
  }
  if (event.mode === 'observe') {
    return `Observe mode: nothing was sent. canaryd would have done: ${planned || 'nothing'}.`;
  }
  if (event.actions.length === 0) return 'The policy has no action: act by hand.';
  const verify = policy.verify
    ? ` Confirmation is expected within ${roughDuration(policy.verify.withinMs)} of its acceptance.`
    : '';
  return `canaryd now does: ${event.actions.join(', then ')}.${verify} To stop what was not sent yet: canaryd hold --reason "...". Details: canaryd show ${watchId}`;
}

export function ended(
  event: Of<'watch.passed' | 'watch.inconclusive' | 'watch.cancelled' | 'watch.superseded'>,
  context: TellContext,
): Draft {
  const name = subject(context);
  switch (event.type) {
    case 'watch.passed':
      return {
        severity: 'info',
        headline: `PASSED ${name}`,
        lines: [
          ...event.conditions.map((evidence) => conditionNow(context.policy, evidence)),
          ...unsignedLines(context),
        ],
        next: unsignedNext(context),
      };
    case 'watch.inconclusive': {
      const why = {
        deadline: 'the last window ended without a pass',
        coverage: 'conditions were not seen for long enough',
        not_evaluated: 'nobody evaluated the watch until its deadline',
      }[event.reason];
      return {
        severity: 'warning',
        headline: `INCONCLUSIVE ${name}: ${why}`,
        lines: [...event.because.slice(0, 20), ...unsignedLines(context)],
        next: ['Not passed: check by hand whether this deploy is good.', unsignedNext(context)]
          .filter((text) => text !== null)
          .join(' '),
      };
    }
    case 'watch.cancelled':
      return {
        severity: 'info',
        headline: `Watch of ${name} cancelled by ${event.by}`,
        lines: [event.reason],
      };
    case 'watch.superseded':
      return {
        severity: 'info',
        headline: `Watch of ${name} superseded by ${event.version}`,
        lines: [
          'A newer deploy is watched now; this one may no longer roll back. It did not pass.',
        ],
      };
    default:
      return event satisfies never;
  }
}
