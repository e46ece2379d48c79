// What people are told of the signatures that a policy wants: that it is time, who has signed, and
// who is missing at the end.
import { type Draft, type Of, subject, type TellContext } from './message-draft.ts';
import { missingSignOffs, type SignOffNeed } from './sign-off.ts';

/** Roles that a line names; the rest is counted. */
const NAMED_MAX = 10;

export function signing(
  event: Of<'watch.sign_off_due' | 'watch.signed'>,
  context: TellContext,
): Draft {
  const name = subject(context);
  const missing = missingSignOffs(context.policy, context.state);
  if (event.type === 'watch.sign_off_due') {
    return {
      severity: 'warning',
      headline: `SIGN-OFF DUE ${name}: ${rolesText(event.missing)}`,
      lines: event.missing.map(({ role, statement }) => `${role}: ${statement}`),
      next: `Look, then sign on the page of the watch, or: ${signCommand(context.watchId)}`,
    };
  }
  const { role, note } = event;
  const statement = context.policy.signOffs?.needed.find((need) => need.role === role)?.statement;
  return {
    severity: 'info',
    headline: `${event.name} signed ${name} as ${role}`,
    lines: [
      ...[statement, note].filter((text) => text !== undefined && text !== null),
      missing.length === 0 ? 'All have signed.' : `Still missing: ${rolesText(missing)}`,
    ],
  };
}

/** What the verdict says of signatures; nothing when none is missing. */
export function unsignedLines({ policy, state }: TellContext): readonly string[] {
  return missingSignOffs(policy, state).map(
    ({ role, statement }) => `Not signed by ${role}: ${statement}`,
  );
}

export function unsignedNext({ policy, state, watchId }: TellContext): string | null {
  const [first] = missingSignOffs(policy, state);
  return first === undefined ? null : `Sign what is missing: ${signCommand(watchId, first.role)}`;
}

function signCommand(watchId: string, role = 'ROLE'): string {
  return `canaryd sign ${watchId} --role ${role} --name NAME`;
}

function rolesText(needs: readonly SignOffNeed[]): string {
  const shown = needs.slice(0, NAMED_MAX).map(({ role }) => role);
  const more = needs.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
