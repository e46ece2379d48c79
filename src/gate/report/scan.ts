// What the scanners' reports have in common: findings with a severity, and signs that the scanner did
// not look at everything. Texts and code of findings are left where they are: they may show a
// password that was found.

import type { SCANNERS, SEVERITIES } from '../../config/gate-checks/scan.ts';
import { isMapping } from '../../kit/json.ts';
import { field, parseReport } from './json.ts';
import { decode, type Refused, type ReportFile, refused } from './read.ts';
import { readSarif } from './sarif.ts';
import {
  readBandit,
  readMypy,
  readNpmAudit,
  readPipAudit,
  readPylint,
  readSafety,
  readTrivy,
  readZap,
} from './scanners.ts';

export type Scanner = (typeof SCANNERS)[number];
export type Severity = (typeof SEVERITIES)[number] | 'info' | 'unrated';

export type Finding = {
  readonly id: string;
  readonly severity: Severity;
  /** `src/oms/book.py:12`, `openssl 3.0.1` */
  readonly where: string;
};

export type ScanRead = {
  readonly kind: 'scan';
  readonly findings: readonly Finding[];
  /** Why the report cannot be the whole truth. */
  readonly gaps: readonly string[];
  /** Left out by the scanner, as somebody told it to. */
  readonly suppressed: number;
  readonly writtenMs: number | null;
  readonly tools: Readonly<Record<string, string>>;
};

export const FINDINGS_MAX = 200_000;

const READERS: Readonly<
  Record<Exclude<Scanner, 'mypy'>, (report: unknown, nowMs: number) => ScanRead>
> = {
  sarif: readSarif,
  bandit: readBandit,
  trivy: readTrivy,
  npm_audit: readNpmAudit,
  pip_audit: readPipAudit,
  safety: readSafety,
  pylint: readPylint,
  zap: readZap,
};

/** Whether the report has the fields by which a format is known. */
const SIGNS: Readonly<Record<Exclude<Scanner, 'mypy'>, (report: unknown) => boolean>> = {
  sarif: (report) => Array.isArray(field(report, 'runs')),
  bandit: (report) => isMapping(field(report, 'metrics')) && has(report, 'results'),
  trivy: (report) => has(report, 'SchemaVersion') && has(report, 'ArtifactName'),
  npm_audit: (report) =>
    isMapping(field(field(report, 'metadata'), 'vulnerabilities')) ||
    (has(report, 'error') && !has(report, 'runs')),
  pip_audit: (report) => Array.isArray(field(report, 'dependencies')) && !has(report, 'metadata'),
  safety: (report) => isMapping(field(report, 'report_meta')) && has(report, 'vulnerabilities'),
  pylint: (report) => Array.isArray(field(report, 'messages')) && has(report, 'statistics'),
  zap: (report) => has(report, 'site') && has(report, '@version'),
};

function has(report: unknown, name: string): boolean {
  return field(report, name) !== undefined;
}

export function readScan(
  file: ReportFile,
  format: Scanner | undefined,
  nowMs: number,
): ScanRead | Refused {
  const { path } = file;
  if (format === 'mypy') {
    const text = decode(file.bytes);
    if (text === null) return refused(`${path} is neither UTF-8 nor UTF-16; write it again`);
    const read = readMypy(text);
    return read ?? refused(`${path} is no JSON of mypy; run it with --output json`);
  }
  const parsed = parseReport(file);
  if (parsed.kind === 'refused') return parsed;
  const { value } = parsed;
  const known = Object.entries(SIGNS).find(([, is]) => is(value))?.[0] as Scanner | undefined;
  const chosen = format ?? known;
  if (chosen === undefined || chosen === 'mypy') {
    return refused(`${path} is no report that is known here; write its format`);
  }
  if (format !== undefined && !isOf(format, value)) {
    return refused(
      `${path} is no report of ${format}${known === undefined ? '' : ` but ${known}`}`,
    );
  }
  const read = READERS[chosen](value, nowMs);
  return read.findings.length > FINDINGS_MAX
    ? refused(`${path} has more than ${FINDINGS_MAX} findings`)
    : read;
}

/** Old versions of these two write a bare list. */
function isOf(format: Exclude<Scanner, 'mypy'>, value: unknown): boolean {
  const isList = Array.isArray(value) && (format === 'pylint' || format === 'pip_audit');
  return isList || SIGNS[format](value);
}
