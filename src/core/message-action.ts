// What people are told of actions and their proof, and of what other people did.

import { type Draft, type Of, plural, subject, type TellContext } from './message-draft.ts';
import type { ActionName } from './policy.ts';
import { roughDuration } from './quantity.ts';
import { verifyConditions } from './verify.ts';
import { conditionNow } from './wording.ts';

export function acted(
  event: Of<
    | 'action.accepted'
    | 'action.delayed'
    | 'action.gave_up'
    | 'rollback.confirmed'
    | 'rollback.not_confirmed'
  >,
  context: TellContext,
): Draft {
  const name = subject(context);
  const attempts = 'attempts' in event ? plural(event.attempts, 'attempt') : '';
  switch (event.type) {
    case 'action.accepted':
      return accepted(event, context);
    case 'action.delayed':
      return {
        severity: 'critical',
        headline: `${event.action} of ${name} FAILS so far: ${attempts}`,
        lines: [event.detail],
        next: 'canaryd keeps trying. Be ready to act by hand.',
      };
    case 'action.gave_up':
      return {
        severity: event.reason === 'superseded' ? 'info' : 'critical',
        headline: `${event.action} of ${name} NOT DONE: given up after ${attempts} (${event.reason})`,
        lines: [event.detail],
        next: event.reason === 'superseded' ? null : `Do the ${event.action} by hand now.`,
      };
    case 'rollback.confirmed':
      return confirmed(event, context);
    case 'rollback.not_confirmed':
      return notConfirmed(event, context);
    default:
      return event satisfies never;
  }
}

function accepted(event: Of<'action.accepted'>, context: TellContext): Draft {
  const name = subject(context);
  if (context.state.actions[event.action] !== 'accepted') {
    return {
      severity: 'critical',
      headline: `${event.action} of ${name} was TAKEN ON although canaryd had given it up`,
      lines: [event.detail],
      next: 'It may undo a newer deploy: check which version runs now.',
    };
  }
  const attempts = plural(event.attempts, 'attempt');
  return {
    severity: 'info',
    headline: `${event.action} of ${name} accepted after ${roughDuration(event.afterMs)}`,
    lines: [`${event.detail}; ${attempts}. Accepted is not confirmed yet.`],
  };
}

function confirmed(event: Of<'rollback.confirmed'>, context: TellContext): Draft {
  const name = subject(context);
  const { policy, state } = context;
  const lines = event.conditions.map((evidence) => conditionNow(policy, evidence));
  const isWhole = verifyConditions(policy, state).length === policy.verify?.conditions.length;
  if (isWhole) {
    const after = roughDuration(event.afterMs);
    return {
      severity: 'info',
      headline: `${event.action} of ${name} CONFIRMED after ${after}`,
      lines,
    };
  }
  return {
    severity: 'warning',
    headline: `${event.action} of ${name}: figures are good, the running version was NOT checked`,
    lines,
    next: 'The deploy did not name its previous version: check which version runs.',
  };
}

function notConfirmed(event: Of<'rollback.not_confirmed'>, context: TellContext): Draft {
  const name = subject(context);
  const { action, because } = event;
  if (event.reason === 'superseded') {
    return { severity: 'info', headline: supersededText(action, context), lines: because };
  }
  const by = `canaryd does nothing more. Do the ${action} by hand now.`;
  if (event.reason === 'not_accepted') {
    const headline = `${action.toUpperCase()} NOT CONFIRMED: it was not accepted, ${name} still runs`;
    return { severity: 'critical', headline, lines: because, next: by };
  }
  return {
    severity: 'critical',
    headline: `${action.toUpperCase()} NOT CONFIRMED: accepted, but ${name} may still run bad`,
    lines: because,
    next: `Look at the service: canaryd does nothing more. Do the ${action} by hand if it has not happened.`,
  };
}

function supersededText(action: ActionName, context: TellContext): string {
  const isSent = context.state.actions[action] === 'accepted';
  const what = isSent ? 'verification' : action;
  return `The ${what} of ${subject(context)} is called off: a newer deploy has started`;
}

export function human(
  event: Of<
    'watch.acknowledged' | 'watch.resolved' | 'watch.extended' | 'watch.held' | 'watch.released'
  >,
  context: TellContext,
): Draft {
  const name = subject(context);
  if (event.type === 'watch.held') {
    return {
      severity: 'warning',
      headline: `HOLD FIRE by ${event.by}: ${name} is only observed`,
      lines: [event.reason],
      next: 'A stop will only be told, nothing will be sent. End it with: canaryd release --reason "..."',
      cause: { reason: `by ${event.by}`, detail: event.reason },
    };
  }
  if (event.type === 'watch.released') {
    return {
      severity: 'info',
      headline: `Hold fire released by ${event.by}: ${name} can act again`,
      lines: event.reason === '' ? [] : [event.reason],
      cause: { reason: `by ${event.by}`, detail: event.reason },
    };
  }
  if (event.type === 'watch.acknowledged') {
    return {
      severity: 'info',
      headline: `${event.by} looks after ${name}`,
      lines: event.reason === '' ? [] : [event.reason],
    };
  }
  if (event.type === 'watch.resolved') {
    return {
      severity: 'info',
      headline: `RESOLVED ${name} by ${event.by}: nothing is open any more`,
      lines: event.reason === '' ? [] : [event.reason],
    };
  }
  const until = new Date(event.deadlineAtMs).toISOString().slice(0, 16).replace('T', ' ');
  return {
    severity: 'info',
    headline: `Watch of ${name} extended by ${event.by} until ${until} UTC`,
    lines: [event.reason],
  };
}
