// Routes that are well written and still wrong: that nothing reaches, of a service that nobody deploys,
// or that take what is critical to where nobody looks.
import type { Severity } from '../core/delivery.ts';
import type { Policy } from '../core/policy.ts';
import type { Route, Routing } from '../core/route.ts';
import type { Problem } from '../kit/errors.ts';
import { didYouMean, found, problem } from './problems.ts';

/** Kinds that are critical by themselves, at least sometimes. */
const CRITICAL_KINDS: readonly string[] = [
  'watch.stopped',
  'action.delayed',
  'action.accepted',
  'action.gave_up',
  'rollback.not_confirmed',
];

type Names = readonly string[] | null;

/** @param names of all channels, and of those that people read */
export function routeProblems(
  routes: readonly Route[],
  severities: Readonly<Record<string, Severity>>,
  { channels, read }: { readonly channels: readonly string[]; readonly read: readonly string[] },
): readonly Problem[] {
  return routes.flatMap((route, index) => {
    const earlier = routes.slice(0, index);
    const path = ['routing', 'routes', index];
    const before = earlier.findIndex((other) => covers(other, route));
    if (before >= 0) {
      const wanted = `one that something reaches: routes[${before}] takes all that it fits; put it before that one, or remove it`;
      return [problem(path, 'a route that nothing reaches', wanted)];
    }
    const isRead = route.channels.some((name) => read.includes(name) || !channels.includes(name));
    const critical = criticalPart(route, severities);
    const isTaken = critical !== null && earlier.some((other) => covers(other, critical));
    if (isRead || critical === null || isTaken) return [];
    const wanted =
      'a channel that people read as well: critical messages that this route fits go nowhere else; or put a route for severity [critical] before it';
    return [problem([...path, 'channels'], route.channels.join(', '), wanted)];
  });
}

/** Services in routes that no policy has. Nothing to say while there are no policies. */
export function routedServiceProblems(
  { routes }: Routing,
  policies: readonly Policy[],
): readonly Problem[] {
  const served = [...new Set(policies.map(({ service }) => service))];
  if (served.length === 0) return [];
  return routes.flatMap(({ services }, index) =>
    (services ?? []).flatMap((service, place) => {
      if (served.includes(service)) return [];
      const wanted = `a service of a policy (${served.join(', ')})${didYouMean(service, served)}`;
      return [problem(['routing', 'routes', index, 'service', place], found(service), wanted)];
    }),
  );
}

/** Whether a route takes all that another one fits. */
function covers(route: Route, other: Route): boolean {
  const takes = (mine: Names, theirs: Names) =>
    mine === null || (theirs?.every((name) => mine.includes(name)) ?? false);
  return (
    takes(route.severities, other.severities) &&
    takes(route.kinds, other.kinds) &&
    takes(route.services, other.services) &&
    takes(route.environments, other.environments)
  );
}

/** What a route fits of the critical messages; null: none. */
function criticalPart(route: Route, chosen: Readonly<Record<string, Severity>>): Route | null {
  if (route.severities?.includes('critical') === false) return null;
  const isCritical = (kind: string) => (chosen[kind] ?? 'critical') === 'critical';
  const kinds = route.kinds?.filter(
    (kind) => isCritical(kind) && (CRITICAL_KINDS.includes(kind) || chosen[kind] !== undefined),
  );
  if (kinds?.length === 0) return null;
  return { ...route, severities: ['critical'], kinds: kinds ?? null };
}
