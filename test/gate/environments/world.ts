// What a gate looks at, as plain data: files, programs, variables, sites, sources, signatures. A test
// has one world in which the gate says GO, and changes of it; each run is carried out in a world that
// is made anew, so that nothing has to be undone.
import type { Said } from './programs.ts';
import type { SiteAnswer } from './sites.ts';
import type { Telemetry, TelemetryChange } from './telemetry.ts';

export type Written =
  | string
  | { readonly body: string; readonly ageHours?: number }
  /** It can be carried out. */
  | { readonly program: string };

/** In the copy of the shipped gate: what is there, and what stands there instead. */
export type Edit = readonly [from: string, to: string];

export type World = {
  /** By path in the folder in which the gate is carried out. */
  readonly files: Readonly<Record<string, Written>>;
  /** By name; they are the first on PATH. */
  readonly programs: Readonly<Record<string, readonly Said[]>>;
  readonly env: Readonly<Record<string, string>>;
  /** By name of the site and `GET /path`. */
  readonly sites: Readonly<Record<string, Readonly<Record<string, SiteAnswer>>>>;
  /** By name of the source in canaryd's config. */
  readonly telemetry: Readonly<Record<string, Telemetry>>;
  /** Hosts, ports and pauses; nothing else of what was shipped. */
  readonly gate: readonly Edit[];
};

/** null takes away. */
export type Change = {
  readonly files?: Readonly<Record<string, Written | null>>;
  /** Instead of what is said to the same arguments. */
  readonly programs?: Readonly<Record<string, readonly Said[] | null>>;
  readonly env?: Readonly<Record<string, string | null>>;
  readonly sites?: Readonly<Record<string, Readonly<Record<string, SiteAnswer>>>>;
  /** `down`: nothing listens where the source should be. */
  readonly telemetry?: Readonly<Record<string, TelemetryChange | 'down'>>;
  readonly gate?: readonly Edit[];
};

export function changed(world: World, change: Change): World {
  return {
    files: merged(world.files, change.files),
    programs: merged(mapped(world.programs, change.programs, programAfter)),
    env: merged(world.env, change.env),
    sites: mapped(world.sites, change.sites, (before = {}, now) => ({ ...before, ...now })),
    telemetry: mapped(world.telemetry, change.telemetry, telemetryAfter),
    gate: [...world.gate, ...(change.gate ?? [])],
  };
}

function programAfter(
  before: readonly Said[] | null | undefined,
  now: readonly Said[] | null,
): readonly Said[] | null {
  const kept = (before ?? []).filter(({ args }) => now?.every((one) => one.args !== args));
  return now === null ? null : [...now, ...kept];
}

function telemetryAfter(before: Telemetry | undefined, now: TelemetryChange | 'down'): Telemetry {
  if (now === 'down') return { ...before, isDown: true };
  return {
    ...before,
    series: merged(before?.series ?? {}, now.series),
    rules: merged(before?.rules ?? {}, now.rules),
  };
}

function merged<T>(
  before: Readonly<Record<string, T | null>>,
  now: Readonly<Record<string, T | null>> = {},
): Readonly<Record<string, T>> {
  const all = Object.entries({ ...before, ...now });
  return Object.fromEntries(all.flatMap(([name, one]) => (one === null ? [] : [[name, one]])));
}

function mapped<T, C>(
  before: Readonly<Record<string, T>>,
  now: Readonly<Record<string, C>> = {},
  join: (before: T | undefined, now: C) => T,
): Readonly<Record<string, T>> {
  const joined = Object.entries(now).map(([name, one]) => [name, join(before[name], one)]);
  return { ...before, ...Object.fromEntries(joined) };
}
