// What people are told of conditions: seen, blind, warned of, red before the deploy.
import {
  blindLine,
  commonCause,
  type Draft,
  evidenceLine,
  list,
  type Of,
  subject,
  type TellContext,
} from './message-draft.ts';
import { roughDuration } from './quantity.ts';
import { BLINDNESS_STAYS_MS, BLINDNESS_TOLD_MAX, WARNINGS_TOLD_MAX } from './tick-news.ts';
import { conditionNow } from './wording.ts';

export function sight(
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
        ...commonCause(event.conditions),
      };
    case 'conditions.blinded':
      return {
        severity: 'warning',
        headline: `BLIND ${name}: cannot judge ${list(event.conditions.map((b) => b.indicator))}`,
        lines: event.conditions.map((blind) => blindLine(policy, blind)),
        next: [
          'Blind is no verdict: nothing is rolled back or passed on the strength of it. The rest is still watched.',
          ...flapping(event, context),
        ].join(' '),
        ...commonCause(event.conditions),
      };
    case 'conditions.sighted':
      return {
        severity: 'info',
        headline: `Seen again on ${name}: ${list(event.conditions.map((c) => c.condition))}`,
        lines: [
          ...event.conditions.map((c) => `${c.condition}: blind for ${roughDuration(c.blindMs)}`),
          ...flapping(event, context),
        ],
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

/** Silence must not be taken for sight. */
function flapping(
  { conditions }: Of<'conditions.blinded' | 'conditions.sighted'>,
  { state }: TellContext,
): readonly string[] {
  const often = conditions.filter(
    ({ condition }) => (state.blindnesses[condition] ?? 0) >= BLINDNESS_TOLD_MAX,
  );
  if (often.length === 0) return [];
  const names = list(often.map(({ condition }) => condition));
  const lasts = roughDuration(BLINDNESS_STAYS_MS);
  return [
    `It comes and goes: from now on ${names} is told as blind only once that lasts ${lasts}.`,
  ];
}

export function warning(
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
          told >= WARNINGS_TOLD_MAX
            ? 'It comes and goes: further warnings of this condition are not sent.'
            : null,
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
