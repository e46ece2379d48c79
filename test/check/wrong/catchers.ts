// The four that may notice a wrong policy, in the order in which an author meets them.
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { playCase } from '../../../src/cases/play.ts';
import { readCaseFile } from '../../../src/cases/read.ts';
import type { Finding } from '../../../src/check/finding.ts';
import { lookAt } from '../../../src/check/live/look.ts';
import { prometheusSight } from '../../../src/check/live/prometheus-sight.ts';
import { staticFindings } from '../../../src/check/static.ts';
import { type Subject, subjectOf } from '../../../src/check/subject.ts';
import { withWaivers } from '../../../src/check/waivers.ts';
import { readPolicy } from '../../../src/config/to-policy.ts';
import { clockAtT } from '../live-world.ts';
import { DEPLOY, healthyEndpoints } from './healthy.ts';
import { casesFile, type Noticed, type PolicyName, policyFile } from './ways.ts';

/**
 * @param url of a Prometheus with a healthy service
 * @param named the shipped case that is said to fail: the others are not played, which saves
 *   minutes. undefined: none is said to, and all are played
 */
export async function noticedOf(
  name: PolicyName,
  raw: unknown,
  url: string,
  named?: string,
): Promise<Noticed> {
  const read = readPolicy(raw, name);
  if (read.kind === 'problems') return { validator: read.problems[0]?.path ?? '' };
  const subject = subjectOf(read.policy, raw);
  const check = counted(withWaivers(subject, staticFindings(subject), false));
  const live = counted(await liveFindings(name, subject, url));
  const test = await failingCase(name, raw, named);
  return {
    ...(check.length > 0 && { check }),
    ...(live.length > 0 && { live }),
    ...(test !== null && { test }),
  };
}

/** Names of those that let a pipeline with --strict fail. */
function counted(findings: readonly Finding[]): string[] {
  const those = findings.filter(({ level, waived }) => waived === null && level !== 'note');
  return [...new Set(those.map(({ name }) => name))].sort();
}

async function liveFindings(
  name: PolicyName,
  subject: Subject,
  url: string,
): Promise<readonly Finding[]> {
  const report = await lookAt(subject, {
    sight: prometheusSight({ url, timeoutMs: 10_000, clock: clockAtT }),
    readHealth: healthyEndpoints,
    clock: clockAtT,
    signal: new AbortController().signal,
    parameters: DEPLOY[name],
    version: '2.0.0',
  });
  return withWaivers(subject, report.findings, true);
}

const options = { monotonic: () => 0, signal: new AbortController().signal };

/** The first shipped case that fails, as `canaryd test` would run them. */
async function failingCase(name: PolicyName, raw: unknown, named?: string): Promise<string | null> {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-wrong-'));
  try {
    // JSON is YAML.
    writeFileSync(join(folder, basename(policyFile(name))), JSON.stringify(raw));
    const path = join(folder, basename(casesFile(name)));
    copyFileSync(casesFile(name), path);
    const result = readCaseFile(path);
    if (result.kind === 'problems') return 'refused';
    const cases = result.file.cases.filter((one) => one.name === (named ?? one.name));
    for (const one of cases) {
      const { failures } = await playCase(result.file, one, options);
      if (failures.length > 0) return one.name;
    }
    return null;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
