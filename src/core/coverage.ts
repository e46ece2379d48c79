// How much of its window each stop and warn condition was really judged (J6). Counted against the window's
// own time since the deploy: a late start, an outage of canaryd and a blind source all count as
// not seen. Ticks that waited by design (`too_early`) are left out on both sides.
import type { Condition, Policy } from './policy.ts';
import type { Track } from './track.ts';

export type Coverage = Readonly<Record<string, number>>;

export function coverageOf(policy: Policy, track: Track, sinceDeployMs: number): Coverage {
  const coverage: Record<string, number> = {};
  for (const condition of policy.conditions) {
    if (condition.role !== 'stop' && condition.role !== 'warn') continue;
    const window = policy.windows.find(({ name }) => name === condition.window);
    if (window === undefined || window.fromMs >= sinceDeployMs) continue;
    const elapsedMs = Math.min(sinceDeployMs, window.untilMs) - window.fromMs;
    const ticks = track.conditions[condition.id];
    const expected = elapsedMs / policy.intervalMs - (ticks?.ticksEarly ?? 0);
    const judged = ticks?.ticksJudged ?? 0;
    coverage[condition.id] = judged === 0 ? 0 : Math.min(1, judged / Math.max(expected, 1));
  }
  return coverage;
}

export type Shortfall = {
  /** Conditions that were seen too little so far, in words. */
  readonly all: readonly string[];
  /** Those whose window has ended: it cannot get better. */
  readonly final: readonly string[];
};

export function coverageShortfall(
  policy: Policy,
  coverage: Coverage,
  sinceDeployMs: number,
): Shortfall {
  const all: string[] = [];
  const final: string[] = [];
  for (const condition of policy.conditions) {
    const seen = coverage[condition.id];
    if (seen === undefined || isEnough(condition, seen, policy)) continue;
    const percent = `${Math.floor(seen * 100)} %`;
    const wanted = `${Math.round(policy.coverage * 100)} %`;
    const text =
      condition.role === 'warn'
        ? `${condition.id} was never judged in its window`
        : `${condition.id} was judged in ${percent} of its window, at least ${wanted} is wanted`;
    all.push(text);
    const window = policy.windows.find(({ name }) => name === condition.window);
    if (window !== undefined && window.untilMs <= sinceDeployMs) final.push(text);
  }
  return { all, final };
}

/** A warning may be seen seldom, but never measured is never green (rule 10). */
function isEnough({ role }: Condition, seen: number, policy: Policy): boolean {
  return role === 'warn' ? seen > 0 : seen > 0 && seen >= policy.coverage;
}
