// Waivers of a policy: which findings are right as they are, and which waivers nobody needs.
import { type FindingName, LIVE_FINDINGS } from '../config/finding-names.ts';
import { fieldOf, itemsOf } from '../config/policy-draft.ts';
import type { WaiverInput } from '../config/policy-schema.ts';
import { pathText } from '../config/problems.ts';
import { type Finding, finding } from './finding.ts';
import type { Subject } from './subject.ts';

/** Also found at the source: without it nothing is known about their waivers. */
const ALSO_LIVE: ReadonlySet<FindingName> = new Set([...LIVE_FINDINGS, 'counter-as-gauge']);

/**
 * Marks what is waived, and adds a note for each waiver without a finding.
 * @param sawLive what only the source can show was looked for
 */
export function withWaivers(
  subject: Subject,
  findings: readonly Finding[],
  sawLive: boolean,
): readonly Finding[] {
  // The validator has read them: they have the shape of the schema.
  const waivers = itemsOf(fieldOf(subject.raw, 'waive')) as readonly WaiverInput[];
  const used = new Set<WaiverInput>();
  const marked = findings.map((one) => {
    const waiver = waivers.find((candidate) => isMeant(candidate, one));
    if (waiver === undefined) return one;
    used.add(waiver);
    return { ...one, waived: waiver.reason };
  });
  const unused = waivers.flatMap((waiver, index) => {
    if (used.has(waiver) || (!sawLive && ALSO_LIVE.has(waiver.finding))) return [];
    const of = waiver.of === undefined ? '' : ` of ${waiver.of}`;
    const about = { policy: subject.policy.name, path: ['waive', index], subject: waiver.finding };
    const found = `a waiver of ${waiver.finding}${of}, which is not found`;
    return [finding('unused-waiver', about, found, 'only waivers that are needed; remove it')];
  });
  return [...marked, ...unused];
}

function isMeant({ finding: name, of }: WaiverInput, one: Finding): boolean {
  if (name !== one.name) return false;
  return (
    of === undefined || [one.condition, one.indicator, one.subject, pathText(one.path)].includes(of)
  );
}
