// What `canaryd check` says about a policy: one sentence each, with a name that stays.
import type { FindingName } from '../config/finding-names.ts';
import type { Path } from '../config/problems.ts';
import { CATALOGUE, type Level } from './catalogue.ts';

export type Finding = {
  readonly name: FindingName;
  readonly level: Level;
  readonly policy: string;
  /** Id of the condition it is about. */
  readonly condition: string | null;
  readonly indicator: string | null;
  /** What else it is about: a parameter, a window, an action, a source. */
  readonly subject: string | null;
  /** Where in the policy file. */
  readonly path: Path;
  /** What was found, what is wanted, what to do. */
  readonly message: string;
  /** The reason of its waiver; a waived finding is shown, but does not count. */
  readonly waived: string | null;
};

export type About = {
  readonly policy: string;
  readonly path: Path;
  readonly condition?: string;
  readonly indicator?: string;
  readonly subject?: string;
};

/** @param level where it differs from that of the catalogue */
export function finding(
  name: FindingName,
  about: About,
  found: string,
  wanted: string,
  level: Level = CATALOGUE[name].level,
): Finding {
  return {
    name,
    level,
    policy: about.policy,
    condition: about.condition ?? null,
    indicator: about.indicator ?? null,
    subject: about.subject ?? null,
    path: about.path,
    message: `found ${found}; wanted ${wanted}`,
    waived: null,
  };
}

/** Those that count: a waived finding is right as it is. */
export function countOf(findings: readonly Finding[], level: Level): number {
  return findings.filter((one) => one.waived === null && one.level === level).length;
}
