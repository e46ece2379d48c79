// What people are told, in plain text: from an event to a message. Each channel escapes, formats
// and cuts it. Written for somebody who was just woken: what, how bad, is it this deploy, what
// canaryd does about it, what to do.
import type { Message, Severity } from './delivery.ts';
import type { BlindEvidence, Evidence, WatchEvent } from './event.ts';
import type { ActionName, Policy } from './policy.ts';
import { formatValue, roughDuration } from './quantity.ts';
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

type Draft = {
  readonly severity: Severity;
  readonly headline: string;
  readonly lines?: readonly string[];
  readonly next?: string | null;
};

/** @returns null when nobody needs to be told */
export function tell(event: WatchEvent, context: TellContext): Message | null {
  const draft = draftOf(event, context);
  if (draft === null) return null;
  return {
    kind: event.type,
    severity: draft.severity,
    headline: cut(draft.headline, 150),
    lines: draft.lines ?? [],
    fields: fieldsOf(event, context),
    next: draft.next ?? null,
    links: linksOf(context),
    watchId: context.watchId,
    atMs: event.atMs,
  };
}

function draftOf(event: WatchEvent, context: TellContext): Draft | null {
  switch (event.type) {
    case 'watch.started':
      return started(event, context);
    case 'watch.stopped':
      return stopped(event, context);
    case 'watch.passed':
    case 'watch.inconclusive':
    case 'watch.cancelled':
    case 'watch.superseded':
      return ended(event, context);
    case 'watch.armed':
    case 'watch.unarmed':
    case 'conditions.blinded':
    case 'conditions.sighted':
    case 'watch.resumed':
      return sight(event, context);
    case 'condition.warned':
    case 'condition.recovered':
    case 'condition.pre_existing':
      return warning(event, context);
    case 'action.accepted':
    case 'action.delayed':
    case 'action.gave_up':
    case 'rollback.confirmed':
    case 'rollback.not_confirmed':
      return acted(event, context);
    case 'watch.acknowledged':
    case 'watch.extended':
    case 'watch.held':
    case 'watch.released':
      return human(event, context);
    case 'watch.baselined':
    case 'window.entered':
      return null;
    default:
      return event satisfies never;
  }
}

type Of<T extends WatchEvent['type']> = Extract<WatchEvent, { type: T }>;

/** "aurora 2.4.1 (production)". */
function subject({ state }: TellContext): string {
  const { deploy } = state;
  return deploy ? `${deploy.service} ${deploy.version} (${deploy.environment})` : 'unknown deploy';
}

function started(event: Of<'watch.started'>, context: TellContext): Draft {
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
  const actions = policy.actions.map(({ name }) => name).join(', then ');
  const next =
    event.mode === 'observe'
      ? 'Observe mode: canaryd will say what it would do, and do nothing.'
      : actions === ''
        ? 'The policy has no action: a stop only alerts.'
        : `On a stop canaryd does: ${actions}.`;
  return { severity: 'info', headline: `Watching ${subject(context)}`, lines, next };
}

function stopped(event: Of<'watch.stopped'>, context: TellContext): Draft {
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

/** The figure, since when, and whether it is this deploy. */
function evidenceLine(policy: Policy, evidence: Evidence): string {
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

function blindLine(policy: Policy, blind: BlindEvidence): string {
  return `${titleOf(policy, blind.indicator)} (${blind.condition}): ${blind.reason}, ${blind.detail}`;
}

function ended(
  event: Of<'watch.passed' | 'watch.inconclusive' | 'watch.cancelled' | 'watch.superseded'>,
  context: TellContext,
): Draft {
  const name = subject(context);
  switch (event.type) {
    case 'watch.passed':
      return {
        severity: 'info',
        headline: `PASSED ${name}`,
        lines: event.conditions.map((evidence) => conditionNow(context.policy, evidence)),
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
        lines: event.because.slice(0, 20),
        next: 'Not passed: check by hand whether this deploy is good.',
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

function sight(
  event: Of<
    'watch.armed' | 'watch.unarmed' | 'conditions.blinded' | 'conditions.sighted' | 'watch.resumed'
  >,
  context: TellContext,
): Draft {
  const { policy } = context;
  const name = subject(context);
  switch (event.type) {
    case 'watch.armed':
      return {
        severity: 'info',
        headline: `Armed: ${event.armed} of ${event.total} stop conditions of ${name}`,
      };
    case 'watch.unarmed':
      return {
        severity: 'warning',
        headline: `NOT ARMED ${name}: only ${event.armed} of ${event.total} stop conditions have data`,
        lines: event.conditions.map((blind) => blindLine(policy, blind)),
        next: event.conditions.some(({ reason }) => reason === 'no_series')
          ? 'These cannot stop this deploy while they have no data. A misspelt metric looks like this.'
          : 'These cannot stop this deploy while they have no data.',
      };
    case 'conditions.blinded':
      return {
        severity: 'warning',
        headline: `BLIND ${name}: cannot judge ${list(event.conditions.map((b) => b.indicator))}`,
        lines: event.conditions.map((blind) => blindLine(policy, blind)),
        next: 'Blind is no verdict: nothing is rolled back or passed on the strength of it. The rest is still watched.',
      };
    case 'conditions.sighted':
      return {
        severity: 'info',
        headline: `Seen again on ${name}: ${list(event.conditions.map((c) => c.condition))}`,
        lines: event.conditions.map((c) => `${c.condition}: blind for ${roughDuration(c.blindMs)}`),
      };
    case 'watch.resumed':
      return {
        severity: 'warning',
        headline: `canaryd was away for ${roughDuration(event.awayMs)}: watching ${name} again`,
        lines: ['That time was not judged and does not count towards a pass.'],
      };
    default:
      return event satisfies never;
  }
}

function warning(
  event: Of<'condition.warned' | 'condition.recovered' | 'condition.pre_existing'>,
  context: TellContext,
): Draft {
  const { policy, state } = context;
  const now = conditionNow(policy, event.evidence);
  const name = subject(context);
  switch (event.type) {
    case 'condition.warned': {
      const told = state.warnings[event.evidence.condition] ?? 1;
      return {
        severity: 'warning',
        headline: `Warning ${name}: ${now}`,
        lines: [evidenceLine(policy, event.evidence)],
        next:
          told >= 3 ? 'It comes and goes: further warnings of this condition are not sent.' : null,
      };
    }
    case 'condition.recovered':
      return {
        severity: 'info',
        headline: `Recovered ${name}: ${now}`,
        lines: [`The warning lasted ${roughDuration(event.firedMs)}.`],
      };
    case 'condition.pre_existing':
      return {
        severity: 'warning',
        headline: `Already bad before the deploy of ${name}: ${now}`,
        lines: [evidenceLine(policy, event.evidence)],
        next: 'It does not roll back this deploy unless it gets clearly worse, and it blocks a pass.',
      };
    default:
      return event satisfies never;
  }
}

function acted(
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
      return {
        severity: 'info',
        headline: `${event.action} of ${name} accepted after ${roughDuration(event.afterMs)}`,
        lines: [`${event.detail}; ${attempts}. Accepted is not confirmed yet.`],
      };
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
      return {
        severity: 'info',
        headline: `${event.action} of ${name} CONFIRMED after ${roughDuration(event.afterMs)}`,
        lines: event.conditions.map((evidence) => conditionNow(context.policy, evidence)),
      };
    case 'rollback.not_confirmed': {
      const isOver = event.reason === 'superseded';
      return {
        severity: isOver ? 'info' : 'critical',
        headline: isOver
          ? supersededText(event.action, context)
          : `${event.action.toUpperCase()} NOT CONFIRMED: ${name} may still be bad (${event.reason})`,
        lines: event.because,
        next: isOver
          ? null
          : `Look at the service now and do the ${event.action} by hand if it has not happened.`,
      };
    }
    default:
      return event satisfies never;
  }
}

function supersededText(action: ActionName, context: TellContext): string {
  const isSent = context.state.actions[action] === 'accepted';
  const what = isSent ? 'verification' : action;
  return `The ${what} of ${subject(context)} is called off: a newer deploy has started`;
}

function human(
  event: Of<'watch.acknowledged' | 'watch.extended' | 'watch.held' | 'watch.released'>,
  context: TellContext,
): Draft {
  const name = subject(context);
  if (event.type === 'watch.held') {
    return {
      severity: 'warning',
      headline: `HOLD FIRE by ${event.by}: ${name} is only observed`,
      lines: [event.reason],
      next: 'A stop will only be told, nothing will be sent. End it with: canaryd release --reason "..."',
    };
  }
  if (event.type === 'watch.released') {
    return {
      severity: 'info',
      headline: `Hold fire released by ${event.by}: ${name} can act again`,
      lines: event.reason === '' ? [] : [event.reason],
    };
  }
  if (event.type === 'watch.acknowledged') {
    return {
      severity: 'info',
      headline: `${event.by} looks after ${name}`,
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

function fieldsOf(event: WatchEvent, { state, policy }: TellContext): Message['fields'] {
  const { deploy } = state;
  if (deploy === null) return [];
  const fields: [string, string][] = [
    ['Version', `${deploy.previousVersion ?? 'unknown'} → ${deploy.version}`],
    ['Since the deploy', roughDuration(Math.max(0, event.atMs - deploy.deployedAtMs))],
  ];
  if (state.window !== null) fields.push(['Window', state.window]);
  if (deploy.by !== null) fields.push(['Deployed by', deploy.by]);
  fields.push(['Policy', policy.name]);
  return fields;
}

function linksOf({ state, policy, publicUrl, watchId }: TellContext): Message['links'] {
  const links = [];
  if (publicUrl !== null) {
    links.push({ label: 'Watch', url: `${publicUrl}/v1/watches/${watchId}` });
  }
  if (policy.dashboard !== null) links.push({ label: 'Dashboard', url: policy.dashboard });
  if (policy.runbook !== null) links.push({ label: 'Runbook', url: policy.runbook });
  if (state.deploy?.url) links.push({ label: 'Pipeline', url: state.deploy.url });
  return links;
}

function list(names: readonly string[]): string {
  const unique = [...new Set(names)];
  const shown = unique.slice(0, 4).join(', ');
  return unique.length > 4 ? `${shown} and ${unique.length - 4} more` : shown;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** By code point, so that no character is torn. */
function cut(text: string, max: number): string {
  const points = [...text];
  return points.length <= max ? text : `${points.slice(0, max - 1).join('')}…`;
}
