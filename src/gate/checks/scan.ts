// Findings of scanners, counted by severity. What a scanner did not look at, and findings without a
// severity for which there is no limit, make it unknown: nobody knows how bad they are.
import { ms } from '../../config/fields.ts';
import { pathsOf } from '../../config/gate-checks/common.ts';
import { type ScanInput, SEVERITIES } from '../../config/gate-checks/scan.ts';
import { sha256 } from '../exhibits.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import type { Refused, ReportFile } from '../report/read.ts';
import { type Judgement, runReports } from '../report/run.ts';
import { type Finding, readScan, type ScanRead } from '../report/scan.ts';
import { exhibit } from '../result.ts';

const DAY_MS = 86_400_000;
const SHOWN_MAX = 40;
const ORDER = [...SEVERITIES, 'unrated', 'info'] as const;
/** In the evidence; the report itself may show what was found, such as a password. */
const LISTED_MAX = 5_000;

export function scanCheck(input: ScanInput, { values }: MakeTools): MadeCheck {
  return {
    kind: 'scan',
    wants: `findings of ${pathsOf(input.report).join(', ')}: ${limitsText(input)}`,
    timeoutMs: ms(input.timeout),
    run: (tools) =>
      runReports(input, values, tools, async (files) => judgeScan(input, files, tools.clock.now())),
  };
}

type Limit = {
  readonly name: string;
  readonly max: number;
  readonly counts: (of: Finding) => boolean;
};

function limitsOf({ limits }: ScanInput): readonly Limit[] {
  const found: Limit[] = [];
  for (const [at, name] of SEVERITIES.entries()) {
    const max = limits[name];
    const worse: readonly string[] = SEVERITIES.slice(0, at + 1);
    if (max === undefined) continue;
    found.push({
      name: at === 0 ? name : `${name} or worse`,
      max,
      counts: (one) => worse.includes(one.severity),
    });
  }
  const { unrated, total } = limits;
  if (unrated !== undefined) {
    found.push({ name: 'unrated', max: unrated, counts: (one) => one.severity === 'unrated' });
  }
  if (total !== undefined) found.push({ name: 'in total', max: total, counts: () => true });
  return found;
}

function limitsText(input: ScanInput): string {
  const texts = limitsOf(input).map(({ name, max }) => `at most ${max} ${name}`);
  return texts.join(', ');
}

function judgeScan(
  input: ScanInput,
  files: readonly ReportFile[],
  nowMs: number,
): Judgement | Refused {
  const read: ScanRead[] = [];
  for (const file of files) {
    const one = readScan(file, input.format, nowMs);
    if (one.kind === 'refused') return one;
    read.push(one);
  }
  const all = read.flatMap((one) => one.findings);
  const accepted = (input.accept ?? []).filter(({ until }) => Date.parse(until) + DAY_MS > nowMs);
  const ids = new Set(accepted.map(({ id }) => id));
  const counted = all.filter(({ id }) => !ids.has(id));
  const wrong: string[] = [];
  for (const { name, max, counts } of limitsOf(input)) {
    const count = counted.filter(counts).length;
    if (count > max) wrong.push(`${count} ${name}, at most ${max} wanted`);
  }
  const unclear = [...new Set(read.flatMap((one) => one.gaps))];
  const unrated = counted.filter(({ severity }) => severity === 'unrated').length;
  const { limits } = input;
  if (unrated > 0 && limits.unrated === undefined && limits.total === undefined) {
    unclear.push(`${unrated} findings without a severity; add the limit unrated or total`);
  }
  const suppressed = read.reduce((sum, one) => sum + one.suppressed, 0);
  return {
    kind: 'judged',
    wrong,
    unclear,
    fine: [`${countsText(counted)}${leftOut(all.length - counted.length, suppressed)}`],
    details: detailsOf(counted, input, nowMs),
    tools: Object.assign({}, ...read.map((one) => one.tools)),
    writtenMs: read.map((one) => one.writtenMs),
    exhibits: [exhibit('findings.json', listText(files, read, accepted))],
  };
}

function countsText(findings: readonly Finding[]): string {
  const texts = ORDER.flatMap((severity) => {
    const count = findings.filter((one) => one.severity === severity).length;
    return count === 0 ? [] : [`${count} ${severity}`];
  });
  return texts.length === 0 ? 'no finding' : texts.join(', ');
}

function leftOut(accepted: number, suppressed: number): string {
  return (
    (accepted === 0 ? '' : `, ${accepted} accepted in writing`) +
    (suppressed === 0 ? '' : `, ${suppressed} suppressed in the scanner`)
  );
}

function detailsOf(
  findings: readonly Finding[],
  { accept = [] }: ScanInput,
  nowMs: number,
): readonly string[] {
  const rank = ({ severity }: Finding) => ORDER.indexOf(severity);
  const shown = [...findings].sort((a, b) => rank(a) - rank(b)).slice(0, SHOWN_MAX);
  const expired = accept.filter(({ until }) => Date.parse(until) + DAY_MS <= nowMs);
  return [
    ...expired.map(({ id, until }) => `${id} was accepted until ${until}`),
    ...shown.map(({ id, severity, where }) => `${severity}: ${id} ${where}`.trim()),
  ];
}

function listText(
  files: readonly ReportFile[],
  read: readonly ScanRead[],
  accepted: ScanInput['accept'],
): string {
  const reports = files.map(({ path, bytes }, at) => {
    const { findings = [], gaps = [], suppressed = 0 } = read[at] ?? {};
    return {
      ...{ path, sha256: sha256(bytes), bytes: bytes.length, gaps, suppressed },
      ...{ count: findings.length, findings: findings.slice(0, LISTED_MAX) },
    };
  });
  return `${JSON.stringify({ reports, accepted }, null, 2)}\n`;
}
