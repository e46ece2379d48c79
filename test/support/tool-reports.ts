// Reports in the forms in which the tools write them, with what a test wants to be found in them.
// The times in them are those of the run, so that they are as old as the test says.

export type Tests = {
  readonly passed?: number;
  readonly failed?: number;
  readonly skipped?: number;
  /** Class of every test: `tests.risk.test_limits`. */
  readonly of?: string;
  readonly ageHours?: number;
};

const HOUR_MS = 3_600_000;

export function timeAgo(hours: number): string {
  return new Date(Date.now() - hours * HOUR_MS).toISOString();
}

/** `2026-11-20` */
export function dayAgo(days: number): string {
  return timeAgo(days * 24).slice(0, 10);
}

/** As pytest writes it. */
export function junit({ passed = 12, failed = 0, skipped = 0, of, ageHours = 0 }: Tests = {}) {
  const place = of ?? 'tests.unit.test_orders';
  const all = [
    ...Array.from({ length: passed }, (_, at) => testCase(place, `test_${at}`, '')),
    ...Array.from({ length: failed }, (_, at) => {
      const inner = '<failure message="assert 1 == 2">def test(): assert 1 == 2</failure>';
      return testCase(place, `test_broken_${at}`, inner);
    }),
    ...Array.from({ length: skipped }, (_, at) => {
      const inner = '<skipped type="pytest.skip" message="later">tests: later</skipped>';
      return testCase(place, `test_later_${at}`, inner);
    }),
  ];
  const counts = `errors="0" failures="${failed}" skipped="${skipped}" tests="${all.length}"`;
  const when = `time="1.250" timestamp="${timeAgo(ageHours).replace('Z', '+00:00')}"`;
  return [
    '<?xml version="1.0" encoding="utf-8"?>',
    `<testsuites name="pytest tests"><testsuite name="pytest" ${counts} ${when} hostname="ci">`,
    ...all,
    '</testsuite></testsuites>',
    '',
  ].join('\n');
}

function testCase(place: string, name: string, inner: string): string {
  return `<testcase classname="${place}" name="${name}" time="0.010">${inner}</testcase>`;
}

/** As coverage.py writes it for Cobertura. */
export function cobertura(covered: number, total = 1_000): string {
  const lines = Array.from({ length: total }, (_, at) => {
    return `<line number="${at + 1}" hits="${at < covered ? 1 : 0}"/>`;
  });
  const rate = `line-rate="${(covered / total).toFixed(4)}" branch-rate="0" complexity="0"`;
  return [
    '<?xml version="1.0" ?>',
    `<coverage version="7.6.1" timestamp="${Date.now()}" lines-valid="${total}" ` +
      `lines-covered="${covered}" branches-covered="0" branches-valid="0" ${rate}>`,
    `<packages><package name="core" ${rate}><classes>`,
    `<class name="orders.py" filename="core/orders.py" ${rate}><methods/><lines>`,
    ...lines,
    '</lines></class></classes></package></packages></coverage>',
    '',
  ].join('\n');
}

/** As Istanbul writes its json-summary. */
export function istanbulSummary(covered: number, total = 1_000): string {
  const share = { total, covered, skipped: 0, pct: Math.floor((covered / total) * 10_000) / 100 };
  const none = { total: 0, covered: 0, skipped: 0, pct: 100 };
  const all = { lines: share, statements: share, functions: none, branches: none };
  return JSON.stringify({ total: all, '/build/src/orders.ts': all });
}

/** As `bandit -f json` writes it. */
export function bandit(severities: readonly string[] = []): string {
  const results = severities.map((issue_severity) => ({
    ...{ filename: 'core/orders.py', line_number: 12, test_id: 'B602', issue_severity },
    ...{ issue_confidence: 'HIGH', issue_text: 'subprocess call with shell=True' },
  }));
  const metrics = { _totals: { loc: 5_321, nosec: 0 } };
  return JSON.stringify({ errors: [], generated_at: timeAgo(0), metrics, results });
}

/** As `trivy --format json` writes it: of an image, or of configuration. */
export function trivy(severities: readonly string[] = [], list = 'Vulnerabilities'): string {
  const found = severities.map((Severity, at) => ({
    ...(list === 'Vulnerabilities'
      ? { VulnerabilityID: `CVE-2026-100${at}`, PkgName: 'openssl', InstalledVersion: '3.0.1' }
      : { ID: `AVD-DS-000${at}`, Status: 'FAIL' }),
    Severity,
  }));
  const target = { Target: 'app', Class: 'os-pkgs', [list]: found };
  return JSON.stringify({
    ...{ SchemaVersion: 2, CreatedAt: timeAgo(0), ArtifactName: 'app', Results: [target] },
  });
}

/** As ZAP writes its JSON report: 0 is informational, 3 is high. */
export function zap(risks: readonly number[] = []): string {
  const alerts = risks.map((risk) => ({
    ...{ pluginid: '10038', alertRef: '10038-1', name: 'Content Security Policy', count: '1' },
    ...{ riskcode: `${risk}`, confidence: '3' },
  }));
  const site = [{ '@name': 'http://127.0.0.1:8000', alerts }];
  return JSON.stringify({ '@version': '2.15.0', created: timeAgo(0), site });
}

/** As `gitleaks --report-format sarif` writes it. */
export function gitleaks(files: readonly string[] = []): string {
  const results = files.map((uri) => ({
    ruleId: 'generic-api-key',
    message: { text: 'generic-api-key has detected secret' },
    locations: [{ physicalLocation: { artifactLocation: { uri }, region: { startLine: 3 } } }],
  }));
  const tool = { driver: { name: 'gitleaks', semanticVersion: 'v8.18.0', rules: [] } };
  return JSON.stringify({ version: '2.1.0', runs: [{ tool, results }] });
}

/** As `pip-audit --format json` writes it. */
export function pipAudit(ids: readonly string[] = []): string {
  const vulns = ids.map((id) => ({ id, fix_versions: ['2.32.0'], aliases: [], description: '' }));
  const dependencies = [
    { name: 'requests', version: '2.31.0', vulns },
    { name: 'numpy', version: '2.1.0', vulns: [] },
  ];
  return JSON.stringify({ dependencies, fixes: [] });
}
