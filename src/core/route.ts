// Who is told of a message, when, and how loud. Pure: the config in, the way out.
import type { Message, Severity } from './delivery.ts';
import type { Escalation } from './escalation.ts';
import { type QuietHours, quietUntil } from './quiet.ts';
import type { WatchState } from './watch.ts';

/** What becomes of a message in the quiet hours; a critical one never waits and is never silent. */
export const QUIET_CHOICES = ['ignore', 'hold', 'silent'] as const;
export type QuietChoice = (typeof QUIET_CHOICES)[number];

/** Null matches everything. */
export type Route = {
  readonly severities: readonly Severity[] | null;
  readonly kinds: readonly string[] | null;
  readonly services: readonly string[] | null;
  readonly environments: readonly string[] | null;
  readonly channels: readonly string[];
  readonly quietHours: QuietChoice;
};

export type Routing = {
  /** The first that fits wins; none: every channel. */
  readonly routes: readonly Route[];
  readonly quietHours: QuietHours | null;
  /** Of kinds that are louder or less loud here than by themselves. */
  readonly severities?: Readonly<Record<string, Severity>>;
  /** Channels that get everything at once, because their service keeps quiet by itself. */
  readonly neverQuiet?: readonly string[];
  /**
   * Channels that keep incidents (PagerDuty): they get everything at once, and every end of what
   * they may have been told.
   */
  readonly incidentChannels?: readonly string[];
  readonly escalation: Escalation | null;
};

export const NO_ROUTING: Routing = { routes: [], quietHours: null, escalation: null };

/** Somebody has to get up for these, whatever anybody prefers. */
export const ALWAYS_CRITICAL: readonly string[] = [
  'watch.stopped',
  'action.gave_up',
  'rollback.not_confirmed',
];

/** As loud as the config wants its kind. */
export function loudnessOf(message: Message, { severities = {} }: Routing): Message {
  const severity = Object.hasOwn(severities, message.kind) ? severities[message.kind] : undefined;
  return severity === undefined ? message : { ...message, severity };
}

export type Way = {
  readonly channels: readonly string[];
  /** Held until then; null: it goes at once. */
  readonly heldUntilMs: number | null;
  readonly isSilent: boolean;
};

/**
 * @param channels all there are, for what no route fits
 * @param state of the watch, after the event; null: it is of no watch
 */
export function wayOf(
  message: Message,
  state: Pick<WatchState, 'phase'> | null,
  channels: readonly string[],
  { routes, quietHours }: Routing,
): Way {
  const route = routes.find((candidate) => fits(candidate, message));
  const loud = { channels: route?.channels ?? channels, heldUntilMs: null, isSilent: false };
  const choice = route?.quietHours ?? 'hold';
  if (quietHours === null || message.severity === 'critical' || choice === 'ignore') return loud;
  const untilMs = quietUntil(message.atMs, quietHours);
  if (untilMs === null) return loud;
  // Somebody was woken by the stop and waits for what comes of it.
  if (choice === 'silent' || state?.phase === 'stopped') return { ...loud, isSilent: true };
  return { ...loud, heldUntilMs: untilMs };
}

function fits(route: Route, { severity, kind, deploy }: Message): boolean {
  return (
    has(route.severities, severity) &&
    has(route.kinds, kind) &&
    has(route.services, deploy?.service) &&
    has(route.environments, deploy?.environment)
  );
}

/** Every channel that some message of this service and environment may go to. */
export function reachedBy(
  message: Pick<Message, 'deploy'>,
  channels: readonly string[],
  { routes, escalation }: Routing,
): readonly string[] {
  const calls = escalation?.steps.flatMap((step) => step.channels) ?? [];
  const near = routes.filter(({ services, environments }) => {
    return has(services, message.deploy?.service) && has(environments, message.deploy?.environment);
  });
  // Behind a route that takes everything nothing is reached any more.
  const last = near.findIndex(({ severities, kinds }) => severities === null && kinds === null);
  const taken = last === -1 ? near : near.slice(0, last + 1);
  const rest = last === -1 ? channels : [];
  return [...taken.flatMap((route) => route.channels), ...rest, ...calls];
}

function has(names: readonly string[] | null, name: string | undefined): boolean {
  return names === null || (name !== undefined && names.includes(name));
}
