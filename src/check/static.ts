// Everything that can be said about a policy without asking anybody.
import type { Finding } from './finding.ts';
import { indicatorFindings } from './indicators.ts';
import { limitFindings } from './limits.ts';
import { stepFindings } from './steps.ts';
import type { Subject } from './subject.ts';
import { timeFindings } from './times.ts';
import { twinFindings } from './twins.ts';

/** Before waivers; in the order of the code, which puts what belongs together side by side. */
export function staticFindings(subject: Subject): readonly Finding[] {
  return [
    ...indicatorFindings(subject),
    ...limitFindings(subject),
    ...twinFindings(subject),
    ...timeFindings(subject),
    ...stepFindings(subject),
  ];
}
