// SARIF 2.1.0: of CodeQL, semgrep, ruff, eslint, gosec and many others.
import { isMapping } from '../../kit/json.ts';
import { writtenTime } from '../../kit/written-time.ts';
import { field, listIn, numberIn, numberOf, textIn } from './json.ts';
import type { Finding, ScanRead, Severity } from './scan.ts';

const BY_LEVEL: Readonly<Record<string, Severity>> = {
  error: 'high',
  warning: 'medium',
  note: 'low',
  none: 'info',
};
/** Results that say that something was looked at, and not what was found. */
const NO_FINDING = new Set(['pass', 'notApplicable', 'informational']);

export function readSarif(report: unknown): ScanRead {
  const findings: Finding[] = [];
  const gaps: string[] = [];
  const tools: Record<string, string> = {};
  let suppressed = 0;
  let writtenMs: number | null = null;
  const runs = listIn(report, 'runs');
  if (runs.length === 0) gaps.push('the report has no run of a scanner');
  for (const run of runs) {
    const driver = field(field(run, 'tool'), 'driver');
    const name = textIn(driver, 'name') ?? 'a scanner';
    tools[name] = textIn(driver, 'semanticVersion') ?? textIn(driver, 'version') ?? 'unknown';
    if (!Array.isArray(field(run, 'results'))) gaps.push(`${name} has no results: it did not scan`);
    for (const invocation of listIn(run, 'invocations')) {
      if (field(invocation, 'executionSuccessful') === false) {
        gaps.push(`${name} says that it did not end well`);
      }
      const at = writtenTime(field(invocation, 'endTimeUtc'));
      if (at !== null) writtenMs = Math.min(at, writtenMs ?? at);
    }
    const rules = rulesOf(run);
    for (const result of listIn(run, 'results')) {
      if (NO_FINDING.has(textIn(result, 'kind') ?? 'fail')) continue;
      if (textIn(result, 'baselineState') === 'absent') continue;
      if (isSuppressed(result)) suppressed += 1;
      else findings.push(findingOf(result, rules));
    }
  }
  return { kind: 'scan', findings, gaps, suppressed, writtenMs, tools };
}

function isSuppressed(result: unknown): boolean {
  const all = listIn(result, 'suppressions');
  const counts = (one: unknown) => (textIn(one, 'status') ?? 'accepted') === 'accepted';
  return all.length > 0 && all.every(counts);
}

type Rules = { readonly byId: ReadonlyMap<string, unknown>; readonly list: readonly unknown[] };

function rulesOf(run: unknown): Rules {
  const driver = listIn(field(field(run, 'tool'), 'driver'), 'rules');
  const extensions = listIn(field(run, 'tool'), 'extensions');
  const all = [...driver, ...extensions.flatMap((one) => listIn(one, 'rules'))];
  const byId = new Map(all.map((rule) => [textIn(rule, 'id') ?? '', rule]));
  return { byId, list: driver };
}

function findingOf(result: unknown, rules: Rules): Finding {
  const reference = field(result, 'rule');
  const id = textIn(result, 'ruleId') ?? textIn(reference, 'id');
  const index = numberIn(result, 'ruleIndex') ?? -1;
  const rule = (id === null ? undefined : rules.byId.get(id)) ?? rules.list[index];
  const name = id ?? textIn(rule, 'id') ?? 'a finding';
  return { id: name, severity: severityOf(result, rule), where: whereOf(result) };
}

/** The score where there is one, as code hosts read it; else the level. */
function severityOf(result: unknown, rule: unknown): Severity {
  const score =
    numberOf(field(field(result, 'properties'), 'security-severity')) ??
    numberOf(field(field(rule, 'properties'), 'security-severity'));
  if (score !== null) return byScore(score);
  const preset = textIn(field(rule, 'defaultConfiguration'), 'level');
  return BY_LEVEL[textIn(result, 'level') ?? preset ?? 'warning'] ?? 'unrated';
}

/** CVSS 3. */
export function byScore(score: number): Severity {
  if (score >= 9) return 'critical';
  if (score >= 7) return 'high';
  if (score >= 4) return 'medium';
  return score > 0 ? 'low' : 'info';
}

function whereOf(result: unknown): string {
  const [location] = listIn(result, 'locations');
  const physical = field(location, 'physicalLocation');
  const path = textIn(field(physical, 'artifactLocation'), 'uri') ?? '';
  const region = field(physical, 'region');
  const line = isMapping(region) ? numberIn(region, 'startLine') : null;
  return line === null ? path : `${path}:${line}`;
}
