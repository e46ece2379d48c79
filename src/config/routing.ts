// The routing of the config as plain data, with every name in it checked.

import type { Escalation } from '../core/escalation.ts';
import { MESSAGE_KINDS } from '../core/message-kinds.ts';
import { isZone, type QuietHours } from '../core/quiet.ts';
import { NO_ROUTING, type Routing } from '../core/route.ts';
import type { Problem } from '../kit/errors.ts';
import { ms } from './fields.ts';
import { closest, found, type Path, problem } from './problems.ts';
import type { RoutingInput } from './routing-schema.ts';

const MINUTES_PER_HOUR = 60;

/** @param channels names of the channels that there are */
export function toRouting(
  input: RoutingInput | undefined,
  channels: readonly string[],
  problems: Problem[],
): Routing {
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
  });
  const { except } = input.quiet_hours ?? {};
  check(except ?? [], channels, 'one of the channels', ['routing', 'quiet_hours', 'except']);
  return {
    routes,
    ...(except === undefined ? {} : { neverQuiet: except }),
    quietHours: toQuietHours(input.quiet_hours, problems),
    escalation: toEscalation(input.escalation, problems),
  };
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
    const wanted = 'an IANA name such as Europe/Berlin, America/New_York or UTC';
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
