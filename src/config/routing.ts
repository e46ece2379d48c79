// The routing of the config as plain data, with every name in it checked.

import type { Severity } from '../core/delivery.ts';
import type { Escalation } from '../core/escalation.ts';
import { MESSAGE_KINDS } from '../core/message-kinds.ts';
import { isZone, type QuietHours } from '../core/quiet.ts';
import { ALWAYS_CRITICAL, NO_ROUTING, type Routing } from '../core/route.ts';
import type { Problem } from '../kit/errors.ts';
import { ms } from './fields.ts';
import { closest, didYouMean, found, type Path, problem } from './problems.ts';
import { routeProblems } from './routing-checks.ts';
import type { RoutingInput } from './routing-schema.ts';

const MINUTES_PER_HOUR = 60;

/**
 * @param channels names of the channels that there are
 * @param read names of those that people read, other than in hindsight
 */
export function toRouting(
  input: RoutingInput | undefined,
  channels: readonly string[],
  read: readonly string[],
  problems: Problem[],
): Routing {
  if (read.length === 0) {
    const wanted = 'one more that people read: nobody would hear of a stop';
    problems.push(problem(['channels'], `only ${channels.join(', ')}`, wanted));
  }
  if (input === undefined) return NO_ROUTING;
  const check = (names: readonly string[], known: readonly string[], what: string, path: Path) => {
    names.forEach((name, index) => {
      if (known.includes(name)) return;
      const near = closest(name, known);
      const hint = near === null ? '' : `; perhaps "${near}"`;
      const wanted = `${what}: ${known.join(', ')}${hint}`;
      problems.push(problem([...path, index], found(name), wanted));
    });
  };
  const routes = input.routes.map((route, index) => {
    const path = ['routing', 'routes', index];
    check(route.channels, channels, 'one of the channels', [...path, 'channels']);
    check(route.kind ?? [], MESSAGE_KINDS, 'a kind of message', [...path, 'kind']);
    return {
      severities: route.severity ?? null,
      kinds: route.kind ?? null,
      services: route.service ?? null,
      environments: route.environment ?? null,
      channels: [...new Set(route.channels)],
      quietHours: route.quiet_hours,
    };
  });
  input.escalation?.steps.forEach((step, index) => {
    const path = ['routing', 'escalation', 'steps', index, 'channels'];
    check(step.channels, channels, 'one of the channels', path);
    if (step.channels.some((name) => read.includes(name) || !channels.includes(name))) return;
    problems.push(problem(path, step.channels.join(', '), 'a channel that people read'));
  });
  const severities = toSeverities(input.severity ?? {}, problems);
  problems.push(...routeProblems(routes, severities, { channels, read }));
  const { except } = input.quiet_hours ?? {};
  check(except ?? [], channels, 'one of the channels', ['routing', 'quiet_hours', 'except']);
  return {
    routes,
    ...(input.severity === undefined ? {} : { severities }),
    ...(except === undefined ? {} : { neverQuiet: except }),
    quietHours: toQuietHours(input.quiet_hours, problems),
    escalation: toEscalation(input.escalation, problems),
  };
}

function toSeverities(
  input: NonNullable<RoutingInput['severity']>,
  problems: Problem[],
): Readonly<Record<string, Severity>> {
  for (const [kind, severity] of Object.entries(input)) {
    const path = ['routing', 'severity', kind];
    if (!MESSAGE_KINDS.includes(kind)) {
      const advice = didYouMean(kind, MESSAGE_KINDS);
      const wanted = `a kind of message: ${MESSAGE_KINDS.join(', ')}${advice}`;
      problems.push(problem(path, `the kind ${found(kind)}`, wanted));
    } else if (ALWAYS_CRITICAL.includes(kind) && severity !== 'critical') {
      problems.push(problem(path, found(severity), 'critical, always: remove this line'));
    }
  }
  return input;
}

function toQuietHours(input: RoutingInput['quiet_hours'], problems: Problem[]): QuietHours | null {
  if (input === undefined) return null;
  const { from, until, zone } = input;
  const path = ['routing', 'quiet_hours'];
  if (from === until) {
    const wanted = 'another time than from: to be never loud or always; leave quiet_hours out';
    problems.push(problem([...path, 'until'], found(until), wanted));
  }
  if (!isZone(zone)) {
    const wanted =
      'an IANA name with rules for summer time, such as Europe/Berlin, America/New_York or UTC';
    problems.push(problem([...path, 'zone'], found(zone), wanted));
  }
  return { fromMinute: minuteOf(from), untilMinute: minuteOf(until), zone };
}

function minuteOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * MINUTES_PER_HOUR + minutes;
}

function toEscalation(input: RoutingInput['escalation'], problems: Problem[]): Escalation | null {
  if (input === undefined) return null;
  const steps = input.steps.map(({ after, channels }) => ({
    afterMs: ms(after),
    channels: [...new Set(channels)],
  }));
  steps.forEach(({ afterMs }, index) => {
    if (afterMs > (steps[index - 1]?.afterMs ?? 0)) return;
    const path = ['routing', 'escalation', 'steps', index, 'after'];
    const wanted = 'more than the step before it: steps stand in the order of their time';
    problems.push(problem(path, found(input.steps[index]?.after), wanted));
  });
  return { steps, rounds: input.rounds, acknowledgedForMs: ms(input.acknowledged_for) };
}
