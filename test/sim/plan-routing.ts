// Routing of a simulated world: channels, routes, nights (also those in which the clock is changed),
// who is called, and who answers. Drawn from dice of its own: a world without it stays as it was.
import type { QuietHours } from '../../src/core/quiet.ts';
import { QUIET_CHOICES, type Route, type Routing } from '../../src/core/route.ts';
import type { Dice } from './dice.ts';
import { CHANGES, localMinute, nightEndMs, ZONES } from './local-time.ts';
import { FIRST_EPOCH_MS } from './time.ts';

export type RoutingPlan = {
  readonly routing: Routing;
  readonly channels: readonly string[];
  /** Wall time when the world begins. */
  readonly epochMs: number;
  /** When a night ends that holds the beginning or comes soon, in ms of the world. */
  readonly nightEndMs: number | null;
  /** Its clock is changed while the world lasts. */
  readonly hasChange: boolean;
  /** Further services, for storms. */
  readonly crowd: number;
  /** The source of all is down. */
  readonly storm: { readonly fromMs: number; readonly toMs: number } | null;
  /** Nothing fails but what the storm is made of: the strictest rules hold. */
  readonly isGentle: boolean;
  /** How likely somebody acknowledges after a call. */
  readonly answers: number;
  /** Trouble lasts until the night is over. */
  readonly troubleAtEnd: boolean;
  /** Nobody takes on a disarm: something is left to do when the rollback is confirmed. */
  readonly isDisarmDeaf: boolean;
};

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
/** Nobody waits longer for a night of the simulation to end. */
const LONGEST_NIGHT_MS = 80 * MINUTE_MS;
const CHANNELS = ['chat', 'phone', 'pager'] as const;
const KINDS = [
  ['conditions.blinded', 'conditions.sighted', 'watch.resumed'],
  ['watch.started', 'watch.armed'],
  ['watch.stopped', 'rollback.not_confirmed', 'action.gave_up'],
  ['watch.passed', 'watch.inconclusive', 'rollback.confirmed'],
] as const;

export function routingPlanOf(dice: Dice): RoutingPlan | null {
  if (!dice.chance(0.45)) return null;
  const channels = CHANNELS.slice(0, dice.pick([1, 2, 2, 3]));
  const night = dice.chance(0.75) ? nightOf(dice.of('night')) : null;
  const hasStorm = dice.chance(0.35);
  const fromMs = dice.between(20_000, 90_000);
  const escalation = escalationOf(dice.of('escalation'), channels);
  const endMs = night === null ? null : endOf(night);
  return {
    channels,
    routing: {
      routes: routesOf(dice.of('routes'), channels),
      quietHours: night?.hours ?? null,
      neverQuiet: channels.filter(() => dice.chance(0.2)),
      escalation: dice.chance(0.75) ? escalation : null,
    },
    epochMs: night?.epochMs ?? FIRST_EPOCH_MS,
    nightEndMs: endMs,
    hasChange: night?.hasChange ?? false,
    crowd: hasStorm ? dice.whole(1, 3) : 0,
    storm: hasStorm ? { fromMs, toMs: fromMs + dice.between(45_000, 70_000) } : null,
    isGentle: dice.chance(0.35),
    answers: dice.pick([0, 0.15, 0.5]),
    troubleAtEnd: dice.chance(0.6) && endMs !== null && endMs < 420_000,
    isDisarmDeaf: dice.chance(0.3),
  };
}

type PlannedNight = {
  readonly hours: QuietHours;
  readonly epochMs: number;
  readonly hasChange: boolean;
};

function nightOf(dice: Dice): PlannedNight {
  if (dice.chance(0.35)) return changedNightOf(dice);
  const zone = dice.pick(ZONES);
  const local = localMinute(FIRST_EPOCH_MS, zone);
  const begins = dice.pick([-300, -60, -1, 0, 1, 2]);
  const ends = dice.whole(Math.max(begins, 0) + 1, 7);
  const hours = { zone, fromMinute: clock(local + begins), untilMinute: clock(local + ends) };
  return { hours, epochMs: FIRST_EPOCH_MS, hasChange: false };
}

/** The clock is changed while something is held, or shortly before or after. */
function changedNightOf(dice: Dice): PlannedNight {
  const forward = CHANGES.filter(({ byMinutes }) => byMinutes > 0);
  const back = CHANGES.filter(({ byMinutes }) => byMinutes < 0);
  // An hour that comes twice takes an hour: mostly half an hour on Lord Howe.
  const short = back.filter(({ byMinutes }) => byMinutes > -60);
  const change = dice.pick(dice.chance(0.6) ? forward : dice.chance(0.85) ? short : back);
  const epochMs = change.atMs - dice.whole(1, 4) * MINUTE_MS;
  const { zone } = change;
  const local = localMinute(epochMs, zone);
  // By the clock before the change: around it, in the gap or the doubled hour, or after it.
  const shift = dice.pick([0, change.byMinutes, Math.round(change.byMinutes / 2)]);
  const until = localMinute(change.atMs - MINUTE_MS, zone) + 1 + Math.max(0, shift);
  const untilMinute = clock(until + dice.whole(-1, 3));
  return { hours: { zone, fromMinute: clock(local - 30), untilMinute }, epochMs, hasChange: true };
}

function clock(minute: number): number {
  return (minute + DAY_MINUTES) % DAY_MINUTES;
}

/** The first end of what is held while the story is told. */
function endOf({ hours, epochMs }: PlannedNight): number | null {
  for (let atMs = epochMs; atMs < epochMs + 4 * MINUTE_MS; atMs += MINUTE_MS) {
    const endMs = nightEndMs(atMs, hours);
    if (endMs !== null) return Math.min(endMs - epochMs, LONGEST_NIGHT_MS);
  }
  return null;
}

function routesOf(dice: Dice, channels: readonly string[]): readonly Route[] {
  return Array.from({ length: dice.pick([0, 0, 1, 2, 3]) }, () => ({
    severities: dice.pick([
      ...([null, null, ['critical'], ['critical', 'warning']] as const),
      ...([['info'], ['warning', 'info']] as const),
    ]),
    kinds: dice.chance(0.3) ? dice.pick(KINDS) : null,
    services: dice.chance(0.2) ? ['shop'] : null,
    environments: dice.chance(0.2) ? [dice.pick(['production', 'testnet'])] : null,
    channels: some(dice, channels),
    quietHours: dice.pick(['hold', ...QUIET_CHOICES]),
  }));
}

function escalationOf(dice: Dice, channels: readonly string[]): NonNullable<Routing['escalation']> {
  let afterMs = 0;
  const steps = Array.from({ length: dice.whole(1, 3) }, () => {
    afterMs += Math.round(dice.between(15_000, 45_000));
    return { afterMs, channels: some(dice, channels) };
  });
  const acknowledgedForMs = Math.round(dice.between(25_000, 110_000));
  return { steps, rounds: dice.whole(1, 3), acknowledgedForMs };
}

function some(dice: Dice, channels: readonly string[]): readonly string[] {
  const found = channels.filter(() => dice.chance(0.6));
  return found.length > 0 ? found : [dice.pick(channels)];
}
