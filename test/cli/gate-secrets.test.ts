// Secrets that a gate uses are nowhere in what it leaves behind, whoever repeats them to it.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { cli } from '../support/cli.ts';
import { startFakeService } from '../support/fake-service.ts';

const API_KEY = 'api+key/"of" the gate';
const BEARER = 'prometheus-bearer-4711';
const GIVEN = 'given to the program';
const base64 = (text: string) => Buffer.from(text).toString('base64').replace(/=+$/, '');

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

it('writes no secret into evidence, output or decision, however it comes back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-gate-secrets-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  // Says again all that it was told, in every form that it knows.
  const echo = await startFakeService(({ headers }) => {
    const said = Object.values(headers).flat().join(' ');
    const forms = [said, encodeURIComponent(said), base64(said), JSON.stringify(said)];
    return { status: 500, body: [...forms, base64(API_KEY)].join('\n') };
  });
  onTestFinished(() => echo.close());
  const print = [process.execPath, '-e', 'console.log(process.env.TOKEN, process.argv[1])'];
  const checks = [
    { http: { url: `${echo.url}/health`, headers: { 'x-api-key': '$API_KEY' } } },
    {
      metrics: { url: `${echo.url}/metrics`, names: ['up'], headers: { 'x-api-key': '$API_KEY' } },
    },
    { prometheus_rules: { source: 'metrics' } },
    // The argument is what a file of the release might hold: nobody gave it to the program as a secret.
    { command: { run: [...print, API_KEY], env: { TOKEN: '$GIVEN' }, match: 'nothing' } },
  ];
  const gate = {
    title: 'Release',
    service: 'aurora',
    criteria: { green: [{ id: 'echo', title: 'Echo', checks }] },
    decision: { yellow_unmitigated_max: 0 },
  };
  const source = { prometheus: { url: echo.url, bearer_token: '$BEARER' } };
  writeFileSync(join(folder, 'release.yaml'), JSON.stringify(gate));
  writeFileSync(join(folder, 'canaryd.yaml'), JSON.stringify({ sources: { metrics: source } }));
  const summary = join(folder, 'summary.md');
  writeFileSync(summary, '');
  const env = { API_KEY, BEARER, GIVEN, GITHUB_STEP_SUMMARY: summary };
  const one = cli({ server: 'http://127.0.0.1:1', clock: systemClock, env });
  const code = await one.run(
    ...['gate', join(folder, 'release.yaml'), '--version', '2.1.0', '--github-summary'],
    ...['-c', join(folder, 'canaryd.yaml'), '--evidence', join(folder, 'evidence')],
  );
  expect([code, echo.requests.length]).toEqual([1, expect.any(Number)]);
  const written = [summary, ...filesIn(join(folder, 'evidence'))]
    // What was written down as an argument, in the gate itself, is no secret of it.
    .filter((path) => !path.endsWith('release.yaml') && !path.endsWith('gate.yaml'));
  expect(written.length).toBeGreaterThan(4);
  const texts = [...written.map((path) => readFileSync(path, 'utf8')), one.out(), one.err()];
  const withoutArgument = texts.map((text) => text.replaceAll(print.join(' '), ''));
  for (const value of [BEARER, GIVEN]) {
    const forms = [value, encodeURIComponent(value), base64(value)];
    expect(forms.filter((form) => withoutArgument.some((text) => text.includes(form)))).toEqual([]);
  }
  const output = written.find((path) => path.endsWith('output.txt')) ?? '';
  expect(readFileSync(output, 'utf8')).toBe('[redacted] [redacted]\n');
  const response = written.find((path) => path.endsWith('response.txt')) ?? '';
  for (const form of [API_KEY, encodeURIComponent(API_KEY), base64(API_KEY)]) {
    expect(readFileSync(response, 'utf8')).not.toContain(form);
  }
});
