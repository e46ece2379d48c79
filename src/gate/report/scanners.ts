// The scanners' own JSON: bandit, Trivy, npm audit, pip-audit, safety, pylint, mypy, OWASP ZAP.
import { isMapping } from '../../kit/json.ts';
import { writtenAnywhere, writtenTime } from '../../kit/written-time.ts';
import { countIn, entriesIn, field, listIn, numberIn, numberOf, textIn } from './json.ts';
import { byScore } from './sarif.ts';
import type { Finding, ScanRead, Severity } from './scan.ts';

const WORDS: Readonly<Record<string, Severity>> = {
  critical: 'critical',
  high: 'high',
  medium: 'medium',
  moderate: 'medium',
  low: 'low',
  negligible: 'low',
  info: 'info',
  none: 'info',
};

function severityOf(word: string | null): Severity {
  const key = word?.toLowerCase() ?? '';
  return Object.hasOwn(WORDS, key) ? (WORDS[key] ?? 'unrated') : 'unrated';
}

function scan(parts: Partial<ScanRead>): ScanRead {
  return {
    ...{ kind: 'scan', findings: [], gaps: [], suppressed: 0, writtenMs: null, tools: {} },
    ...parts,
  };
}

function place(path: string | null, line: number | null): string {
  return line === null ? (path ?? '') : `${path ?? ''}:${line}`;
}

export function readBandit(report: unknown): ScanRead {
  const findings = listIn(report, 'results').map((one): Finding => {
    const severity = severityOf(textIn(one, 'issue_severity'));
    const where = place(textIn(one, 'filename'), numberIn(one, 'line_number'));
    return { id: textIn(one, 'test_id') ?? 'a finding', severity, where };
  });
  const gaps = listIn(report, 'errors').map((one) => {
    return `bandit could not read ${textIn(one, 'filename') ?? 'a file'}`;
  });
  const totals = field(field(report, 'metrics'), '_totals');
  if (!((countIn(totals, 'loc') ?? 0) > 0)) gaps.push('bandit looked at no line of code');
  return scan({ findings, gaps, writtenMs: writtenTime(field(report, 'generated_at')) });
}

const TRIVY_LISTS = ['Vulnerabilities', 'Misconfigurations', 'Secrets', 'Licenses'] as const;

export function readTrivy(report: unknown): ScanRead {
  const results = listIn(report, 'Results');
  const findings = results.flatMap((target) =>
    TRIVY_LISTS.flatMap((list) =>
      listIn(target, list)
        .filter((one) => textIn(one, 'Status') !== 'PASS')
        .map((one): Finding => {
          const id = textIn(one, 'VulnerabilityID') ?? textIn(one, 'ID') ?? textIn(one, 'RuleID');
          const of = textIn(one, 'PkgName') ?? textIn(target, 'Target') ?? '';
          const version = textIn(one, 'InstalledVersion');
          const where = version === null ? of : `${of} ${version}`;
          return { id: id ?? list, severity: severityOf(textIn(one, 'Severity')), where };
        }),
    ),
  );
  // Trivy leaves the field out when it found nothing that it knows how to look at.
  const gaps = results.length === 0 ? ['Trivy found nothing to look at'] : [];
  const version = textIn(field(report, 'Trivy'), 'Version');
  const tools = version === null ? {} : { trivy: version };
  return scan({ findings, gaps, tools, writtenMs: writtenTime(field(report, 'CreatedAt')) });
}

/** npm 7 and later; pnpm and npm 6 list advisories. */
export function readNpmAudit(report: unknown): ScanRead {
  if (field(report, 'error') !== undefined) {
    return scan({ gaps: ['npm audit could not ask the registry: the report holds an error'] });
  }
  const named = (list: string, id: (key: string, one: unknown) => string) =>
    entriesIn(field(report, list)).map(([key, one]): Finding => {
      const where = textIn(one, 'range') ?? textIn(one, 'vulnerable_versions') ?? '';
      return { id: id(key, one), severity: severityOf(textIn(one, 'severity')), where };
    });
  const findings = [
    ...named('vulnerabilities', (key) => key),
    ...named('advisories', (key, one) => textIn(one, 'github_advisory_id') ?? key),
  ];
  const metadata = field(report, 'metadata');
  const gaps: string[] = [];
  const all = field(metadata, 'dependencies');
  // In the old format `dependencies` are only those of production.
  const looked = countIn(all, 'total') ?? countIn(metadata, 'totalDependencies');
  if ((looked ?? countIn(metadata, 'dependencies')) === 0) {
    gaps.push('npm audit looked at no package');
  }
  for (const [word, count] of entriesIn(field(metadata, 'vulnerabilities'))) {
    const severity = severityOf(word);
    if (severity === 'unrated' || typeof count !== 'number') continue;
    const listed = findings.filter((one) => one.severity === severity).length;
    if (count > listed) gaps.push(`npm audit counts ${count} ${word} and lists ${listed}`);
  }
  return scan({ findings, gaps });
}

export function readPipAudit(report: unknown): ScanRead {
  const dependencies = Array.isArray(report) ? report : listIn(report, 'dependencies');
  const findings = dependencies.flatMap((dependency) =>
    listIn(dependency, 'vulns').map((one): Finding => {
      const where = `${textIn(dependency, 'name') ?? ''} ${textIn(dependency, 'version') ?? ''}`;
      return { id: textIn(one, 'id') ?? 'a vulnerability', severity: 'unrated', where };
    }),
  );
  const skipped = dependencies.filter((one) => textIn(one, 'skip_reason') !== null).length;
  const why = skipped === 0 ? '' : `: ${skipped} were skipped`;
  const gaps = skipped === dependencies.length ? [`pip-audit looked at no package${why}`] : [];
  return scan({ findings, gaps });
}

export function readSafety(report: unknown, nowMs: number): ScanRead {
  const all = listIn(report, 'vulnerabilities');
  const counted = all.filter((one) => field(one, 'ignored') !== true);
  const findings = counted.map((one): Finding => {
    const cvss = field(field(one, 'severity'), 'cvssv3');
    const score = numberIn(cvss, 'base_score');
    const word = textIn(cvss, 'base_severity');
    const where = `${textIn(one, 'package_name') ?? ''} ${textIn(one, 'analyzed_version') ?? ''}`;
    return {
      id: textIn(one, 'CVE') ?? textIn(one, 'vulnerability_id') ?? 'a vulnerability',
      severity: score === null ? severityOf(word) : byScore(score),
      where: where.trim(),
    };
  });
  const meta = field(report, 'report_meta');
  const packages = countIn(meta, 'packages_found');
  const gaps = (packages ?? 0) === 0 ? ['safety looked at no package'] : [];
  const suppressed = all.length - counted.length + listIn(report, 'ignored_vulnerabilities').length;
  const version = textIn(meta, 'safety_version');
  const tools = version === null ? {} : { safety: version };
  const writtenMs = writtenAnywhere(field(meta, 'timestamp'), nowMs);
  return scan({ findings, gaps, suppressed, tools, writtenMs });
}

const PYLINT: Readonly<Record<string, Severity>> = {
  fatal: 'critical',
  error: 'high',
  warning: 'medium',
  refactor: 'low',
  convention: 'low',
  info: 'info',
};

/** `json` is a list and does not say how much was looked at; `json2` is a mapping, and does. */
export function readPylint(report: unknown): ScanRead {
  const messages = Array.isArray(report) ? report : listIn(report, 'messages');
  const findings = messages.map((one): Finding => {
    const type = textIn(one, 'type') ?? '';
    const id = textIn(one, 'messageId') ?? textIn(one, 'message-id') ?? 'a message';
    const where = place(textIn(one, 'path'), numberIn(one, 'line'));
    return {
      id,
      severity: Object.hasOwn(PYLINT, type) ? (PYLINT[type] ?? 'unrated') : 'unrated',
      where,
    };
  });
  const linted = countIn(field(report, 'statistics'), 'modulesLinted');
  const gaps: string[] = [];
  if (Array.isArray(report) && messages.length === 0) {
    gaps.push('an empty list may be of a run that looked at nothing; run pylint with json2');
  } else if (!Array.isArray(report) && (linted ?? 0) === 0) {
    gaps.push('pylint looked at no module');
  }
  return scan({ findings, gaps });
}

const MYPY_EMPTY =
  'an empty report may be of a run that looked at nothing or broke off; run mypy with ' +
  '--junit-xml and read it with a check junit';

/** One JSON in each line; none when nothing was found or looked at. null: it is something else. */
export function readMypy(text: string): ScanRead | null {
  const findings: Finding[] = [];
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    try {
      const one: unknown = JSON.parse(line);
      const severity = textIn(one, 'severity');
      if (!isMapping(one) || severity === null) return null;
      const where = place(textIn(one, 'file'), numberIn(one, 'line'));
      const id = textIn(one, 'code') ?? 'mypy';
      findings.push({ id, severity: severity === 'error' ? 'high' : 'info', where });
    } catch {
      return null;
    }
  }
  return scan({ findings, gaps: findings.length === 0 ? [MYPY_EMPTY] : [] });
}

const ZAP: readonly Severity[] = ['info', 'low', 'medium', 'high'];

export function readZap(report: unknown): ScanRead {
  const sites = listIn(report, 'site');
  const findings = sites.flatMap((site) =>
    listIn(site, 'alerts').map((one): Finding => {
      const risk = numberOf(field(one, 'riskcode'));
      const id = textIn(one, 'alertRef') ?? textIn(one, 'pluginid') ?? 'an alert';
      const isKnown = risk !== null && Object.hasOwn(ZAP, risk);
      const severity = isKnown ? (ZAP[risk] ?? 'unrated') : 'unrated';
      return { id, severity, where: textIn(site, '@name') ?? '' };
    }),
  );
  const gaps = sites.length === 0 ? ['ZAP looked at no site'] : [];
  const version = textIn(report, '@version');
  const tools = version === null ? {} : { zap: version };
  return scan({ findings, gaps, tools, writtenMs: writtenTime(field(report, 'created')) });
}
