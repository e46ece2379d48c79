import { describe, expect, it } from 'vitest';
import { carriedOut, problemsOf } from '../../support/gate-check.ts';
import { folderWith, reportOf } from '../../support/report-folder.ts';

function judge(body: string | object, fields: object = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const folder = folderWith({ 'scan.json': text });
  return carriedOut({ scan: { report: 'scan.json', ...fields } }, { folder });
}

/** As bandit -f json writes it. */
const bandit = (severities: readonly string[], parts: object = {}) => ({
  errors: [],
  generated_at: '2026-11-22T08:00:00Z',
  metrics: { _totals: { 'SEVERITY.HIGH': 0, loc: 120, nosec: 0, skipped_tests: 0 } },
  results: severities.map((severity, at) => ({
    code: "11 password = 'hunter2'\n",
    filename: './src/oms/book.py',
    issue_confidence: 'MEDIUM',
    issue_severity: severity,
    issue_text: "Possible hardcoded password: 'hunter2'",
    line_number: at + 1,
    test_id: 'B105',
    test_name: 'hardcoded_password_string',
  })),
  ...parts,
});

/** As trivy image --format json writes it. */
const trivy = (severities: readonly string[], parts: object = {}) => ({
  SchemaVersion: 2,
  CreatedAt: '2026-11-22T08:00:00.123456789Z',
  ArtifactName: 'aurora:testnet',
  ArtifactType: 'container_image',
  Results: [
    {
      Target: 'aurora:testnet (debian 12.5)',
      Class: 'os-pkgs',
      Type: 'debian',
      Vulnerabilities: severities.map((Severity, at) => ({
        VulnerabilityID: `CVE-2024-${1_000 + at}`,
        PkgName: 'openssl',
        InstalledVersion: '3.0.1',
        FixedVersion: '3.0.2',
        Severity,
      })),
    },
  ],
  ...parts,
});

const sarif = (results: readonly object[], run: object = {}, rules: readonly object[] = []) => ({
  version: '2.1.0',
  $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
  runs: [
    { tool: { driver: { name: 'CodeQL', semanticVersion: '2.19.3', rules } }, results, ...run },
  ],
});
const found = (ruleId: string, parts: object = {}) => ({
  ruleId,
  message: { text: 'found' },
  locations: [
    {
      physicalLocation: { artifactLocation: { uri: 'src/a.ts' }, region: { startLine: 7 } },
    },
  ],
  ...parts,
});

/** As npm audit --json writes it. */
const npmAudit = (counts: Readonly<Record<string, number>>, names: readonly string[]) => ({
  auditReportVersion: 2,
  vulnerabilities: Object.fromEntries(
    names.map((name) => [
      name,
      { name, severity: 'high', isDirect: true, via: [], range: '<1.2.3' },
    ]),
  ),
  metadata: {
    vulnerabilities: { info: 0, low: 0, moderate: 0, high: 0, critical: 0, total: 0, ...counts },
    dependencies: { prod: 100, dev: 20, optional: 0, peer: 0, peerOptional: 0, total: 119 },
  },
});

/** As npm 6 and pnpm write it. */
const oldNpmAudit = (dependencies: number, devDependencies: number) => ({
  ...{ actions: [], advisories: {}, muted: [] },
  metadata: {
    vulnerabilities: { info: 0, low: 0, moderate: 0, high: 0, critical: 0 },
    ...{ dependencies, devDependencies, optionalDependencies: 0 },
    totalDependencies: dependencies + devDependencies,
  },
});

const pipAudit = (ids: readonly string[]) => ({
  dependencies: [
    { name: 'flask', version: '0.5', vulns: ids.map((id) => ({ id, fix_versions: ['1.0'] })) },
    { name: 'aurora', skip_reason: 'Dependency not found on PyPI' },
  ],
  fixes: [],
});

const safety = (severity: object | null, parts: object = {}) => ({
  report_meta: { packages_found: 30, timestamp: '2026-11-22 08:00:00', safety_version: '3.2.0' },
  vulnerabilities: [
    {
      ...{ vulnerability_id: '38834', package_name: 'jinja2', analyzed_version: '2.11', severity },
      ...{ ignored: false, CVE: 'CVE-2020-28493' },
    },
  ],
  ignored_vulnerabilities: [],
  ...parts,
});

const zap = (riskcodes: readonly string[]) => ({
  '@programName': 'ZAP',
  '@version': '2.15.0',
  '@generated': 'Sun, 22 Nov 2026 08:00:00',
  site: [
    {
      '@name': 'http://127.0.0.1',
      alerts: riskcodes.map((riskcode) => ({ pluginid: '10038', alertRef: '10038-1', riskcode })),
    },
  ],
});

describe('the check scan, by scanner', () => {
  it.each([
    ['bandit, nothing', bandit([]), 'pass', 'no finding'],
    ['bandit, medium', bandit(['MEDIUM', 'LOW']), 'pass', '1 medium, 1 low'],
    ['bandit, high', bandit(['HIGH', 'LOW']), 'fail', '1 high or worse, at most 0 wanted'],
    ['Trivy, nothing', trivy([]), 'pass', 'no finding'],
    ['Trivy, critical', trivy(['CRITICAL', 'LOW']), 'fail', '1 high or worse, at most 0 wanted'],
    ['SARIF, nothing', sarif([]), 'pass', 'no finding'],
    ['SARIF, by level', sarif([found('a', { level: 'error' })]), 'fail', '1 high or worse'],
    ['SARIF, warning as preset', sarif([found('a')]), 'pass', '1 medium'],
    ['npm audit, nothing', npmAudit({}, []), 'pass', 'no finding'],
    ['npm audit of old, only for development', oldNpmAudit(0, 10), 'pass', 'no finding'],
    ['npm audit, high', npmAudit({ high: 1 }, ['tar']), 'fail', '1 high or worse'],
    ['safety, by score', safety({ cvssv3: { base_score: 9.8 } }), 'fail', '1 high or worse'],
    ['safety, by word', safety({ cvssv3: { base_severity: 'MEDIUM' } }), 'pass', '1 medium'],
    ['pylint json2', reportOf('pylint2.json'), 'pass', '3 low'],
    ['ZAP, medium', zap(['2', '0']), 'pass', '1 medium, 1 info'],
    ['ZAP, high', zap(['3']), 'fail', '1 high or worse, at most 0 wanted'],
  ])('%s: %o', async (_, body, outcome, text) => {
    const result = await judge(body);
    expect(result.outcome).toBe(outcome);
    expect(result.text).toContain(text);
  });

  it('pylint json and mypy say nothing about themselves: their format is written', async () => {
    const pylint = await judge(reportOf('pylint.json'), { format: 'pylint', limits: { high: 0 } });
    expect(pylint).toMatchObject({ outcome: 'pass', text: '3 low' });
    const mypy = await judge(reportOf('mypy.jsonl'), { format: 'mypy', limits: { high: 0 } });
    expect(mypy).toMatchObject({
      outcome: 'fail',
      text: '1 high or worse, at most 0 wanted',
      details: ['high: assignment <string>:1'],
    });
  });

  it.each([
    ['mypy', '', 'run mypy with --junit-xml'],
    ['pylint', [], 'run pylint with json2'],
  ])('%s: an empty report is unknown', async (format, body, reason) => {
    const result = await judge(body, { format });
    expect([result.outcome, result.text]).toEqual(['unknown', expect.stringContaining(reason)]);
  });

  it('SARIF: the score of the rule counts more than the level', async () => {
    const rules = [{ id: 'js/xss', properties: { 'security-severity': '9.1' } }];
    const result = await judge(sarif([found('js/xss', { level: 'note' })], {}, rules), {
      limits: { critical: 0 },
    });
    expect(result).toMatchObject({
      outcome: 'fail',
      text: '1 critical, at most 0 wanted',
      details: ['critical: js/xss src/a.ts:7'],
      tools: { CodeQL: '2.19.3' },
    });
  });

  it('SARIF: what is suppressed, passed or gone does not count, and is told', async () => {
    const body = sarif([
      found('a', { level: 'error', suppressions: [{ kind: 'inSource' }] }),
      found('b', { level: 'error', kind: 'pass' }),
      found('c', { level: 'error', baselineState: 'absent' }),
      found('d', { level: 'note', suppressions: [{ kind: 'external', status: 'rejected' }] }),
    ]);
    expect(await judge(body)).toMatchObject({
      outcome: 'pass',
      text: '1 low, 1 suppressed in the scanner',
    });
  });

  it('pip-audit gives no severity: without a limit for those it is unknown', async () => {
    const body = pipAudit(['PYSEC-2019-179']);
    expect(await judge(body)).toMatchObject({
      outcome: 'unknown',
      text: '1 findings without a severity; add the limit unrated or total',
    });
    expect(await judge(body, { limits: { total: 0 } })).toMatchObject({
      outcome: 'fail',
      text: '1 in total, at most 0 wanted',
      details: ['unrated: PYSEC-2019-179 flask 0.5'],
    });
    expect(await judge(pipAudit([]), { limits: { total: 0 } })).toMatchObject({ outcome: 'pass' });
  });
});

describe('the check scan', () => {
  it('a limit for a severity counts what is worse', async () => {
    const body = trivy(['CRITICAL', 'HIGH', 'MEDIUM']);
    const count = async (limits: object) => (await judge(body, { limits })).text;
    expect(await count({ critical: 0 })).toBe('1 critical, at most 0 wanted');
    expect(await count({ high: 1 })).toBe('2 high or worse, at most 1 wanted');
    expect(await count({ medium: 2 })).toBe('3 medium or worse, at most 2 wanted');
  });

  it('never shows what was found: neither in texts nor in the evidence', async () => {
    const result = await judge(bandit(['HIGH']));
    expect(result.details).toEqual(['high: B105 ./src/oms/book.py:1']);
    expect(JSON.stringify(result)).not.toContain('hunter2');
    expect(JSON.parse(String(result.exhibits[0]?.body))).toMatchObject({
      reports: [{ path: 'scan.json', sha256: expect.stringMatching(/^[0-9a-f]{64}$/), count: 1 }],
    });
  });

  it('accepted in writing, until the day is over', async () => {
    const accept = (until: string) => [{ id: 'CVE-2024-1000', by: 'Ada', reason: 'unused', until }];
    const body = trivy(['HIGH']);
    expect(await judge(body, { accept: accept('2999-01-01') })).toMatchObject({
      outcome: 'pass',
      text: 'no finding, 1 accepted in writing',
    });
    expect(await judge(body, { accept: accept('2020-01-01') })).toMatchObject({
      outcome: 'fail',
      details: ['CVE-2024-1000 was accepted until 2020-01-01', 'high: CVE-2024-1000 openssl 3.0.1'],
    });
  });

  it('several scanners together', async () => {
    const folder = folderWith({
      'a.json': JSON.stringify(bandit(['MEDIUM'])),
      'b.json': JSON.stringify(trivy(['HIGH'])),
    });
    const scan = { report: ['a.json', 'b.json'] };
    expect((await carriedOut({ scan }, { folder })).text).toBe('1 high or worse, at most 0 wanted');
  });

  it('an old scan fails by the time in it', async () => {
    const body = bandit([], { generated_at: '2020-01-01T00:00:00Z' });
    expect(await judge(body, { max_age: '24h' })).toMatchObject({ outcome: 'fail' });
  });
});

/** As `npm audit --json` writes it when the registry has no such service. */
const NO_SERVICE = {
  message: '405 Method Not Allowed',
  statusCode: 405,
  body: '',
  error: { summary: '', detail: '' },
};

describe('a scan that did not look at everything is unknown', () => {
  it.each([
    ['npm without an answer', NO_SERVICE, 'npm audit could not ask the registry'],
    ['npm that lists less than it counts', npmAudit({ low: 2 }, []), 'counts 2 low and lists 0'],
    [
      'bandit that could not read a file',
      bandit([], { errors: [{ filename: 'src/a.py', reason: 'syntax error while parsing AST' }] }),
      'bandit could not read src/a.py',
    ],
    ['bandit of nothing', bandit([], { metrics: { _totals: { loc: 0 } } }), 'at no line of code'],
    ['bandit without figures', bandit([], { metrics: {} }), 'at no line of code'],
    ['safety without figures', safety(null, { report_meta: {} }), 'safety looked at no package'],
    ['npm audit of old of nothing', oldNpmAudit(0, 0), 'npm audit looked at no package'],
    [
      'npm audit of nothing',
      { ...npmAudit({}, []), metadata: { vulnerabilities: {}, dependencies: { total: 0 } } },
      'npm audit looked at no package',
    ],
    [
      'pip-audit that skipped all',
      { dependencies: [{ name: 'aurora', skip_reason: 'not found on PyPI' }], fixes: [] },
      'pip-audit looked at no package: 1 were skipped',
    ],
    [
      'pylint json2 without figures',
      { messages: [], statistics: {} },
      'pylint looked at no module',
    ],
    ['Trivy of nothing', trivy([], { Results: undefined }), 'Trivy found nothing to look at'],
    ['SARIF without a run', { version: '2.1.0', runs: [] }, 'has no run of a scanner'],
    ['SARIF without results', sarif([], { results: undefined }), 'CodeQL has no results'],
    [
      'SARIF of a scanner that broke off',
      sarif([], { invocations: [{ executionSuccessful: false }] }),
      'CodeQL says that it did not end well',
    ],
    ['pip-audit of nothing', { dependencies: [], fixes: [] }, 'pip-audit looked at no package'],
    ['ZAP of nothing', { ...zap([]), site: [] }, 'ZAP looked at no site'],
    ['nothing', '', 'is empty'],
    ['something else', { ok: true }, 'is no report that is known here; write its format'],
    ['an empty list', [], 'is no report that is known here; write its format'],
    ['cut off', JSON.stringify(trivy(['HIGH'])).slice(0, 200), 'is truncated JSON'],
    [
      'fields of the wrong kind',
      { runs: [null, 7, { results: [null] }] },
      'a scanner has no results',
    ],
  ])('%s', async (_, body, reason) => {
    const result = await judge(body);
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain(reason);
  });

  it('a report of another scanner than written', async () => {
    const result = await judge(trivy([]), { format: 'bandit' });
    expect(result).toMatchObject({
      outcome: 'unknown',
      text: 'scan.json is no report of bandit but trivy',
    });
  });

  it('text of people instead of JSON of mypy', async () => {
    const result = await judge('a.py:1: error: Name "x" is not defined', { format: 'mypy' });
    expect(result.text).toBe('scan.json is no JSON of mypy; run it with --output json');
  });
});

describe('a mistake in scan', () => {
  it.each([
    [{ report: 'a', limits: {} }, 'at least one limit; add high: 0'],
    [{ report: 'a', limits: { severe: 0 } }, 'scan.limits.severe: found a field that does not'],
    [{ report: 'a', format: 'snyk' }, 'scan.format: found "snyk"; wanted one of sarif, bandit'],
    [
      { report: 'a', accept: [{ id: 'a', by: 'b', reason: 'c', until: '2026-13-01' }] },
      'wanted a day that exists',
    ],
  ])('%j', (written, problem) => {
    expect(problemsOf({ scan: written }).join('\n')).toContain(problem);
  });
});
