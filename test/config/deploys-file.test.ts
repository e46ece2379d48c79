import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readDeploysFile } from '../../src/config/deploys-file.ts';
import { fencesOf } from '../docs/markdown.ts';

function readText(extension: string, text: string) {
  const dir = mkdtempSync(join(tmpdir(), 'canaryd-deploys-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, `deploys.${extension}`);
  writeFileSync(path, text);
  return readDeploysFile(path);
}

function problemsOf(extension: string, text: string): readonly string[] {
  const read = readText(extension, text);
  if (read.kind !== 'problems') throw new Error('it was read');
  return read.problems.map(({ path, message }) => `${path}: ${message}`);
}

const AT = '2026-01-01T00:20:00Z';
const TWO = `{ version: "2", deployed_at: ${AT} }`;
const one = {
  service: null,
  environment: null,
  version: '1.1.0',
  previousVersion: null,
  deployedAtMs: Date.parse(AT),
  parameters: {},
  label: null,
  replaced: null,
};

describe('a file of deploys', () => {
  it.each([
    ['yaml', `- { version: 1.1.0, deployed_at: ${AT} }`],
    ['yml', `deploys:\n  - version: 1.1.0\n    deployed_at: ${AT}`],
    ['json', `{"deploys":[{"version":"1.1.0","deployed_at":"${AT}"}]}`],
    ['csv', `version,deployed_at\r\n1.1.0,${AT}\r\n`],
    ['csv', `\ufeffdeployed_at,version,label\n${AT},"1.1.0",\n\n`],
    ['csv', `version,deployed_at\n1.1.0,2026-01-01T01:20:00+01:00`],
    ['csv', `version,deployed_at\n1.1.0,${AT},,`],
  ])('is read as %s: %j', (extension, text) => {
    expect(readText(extension, text)).toEqual({ kind: 'deploys', deploys: [one] });
  });

  it('brings everything that is known of a deploy', () => {
    const csv = `version,deployed_at,service,environment,previous_version,label,rolled_back_at,param.who,param.n
"1,1 ""rc""",${AT},shop,live,1.0.0,bad,2026-01-01T00:23:00Z,me,7`;
    expect(readText('csv', csv)).toEqual({
      kind: 'deploys',
      deploys: [
        {
          service: 'shop',
          environment: 'live',
          version: '1,1 "rc"',
          previousVersion: '1.0.0',
          deployedAtMs: Date.parse(AT),
          parameters: { who: 'me', n: '7' },
          label: 'bad',
          replaced: { atMs: Date.parse(AT) + 180_000, version: '1.0.0' },
        },
      ],
    });
  });

  it.each([
    ['yaml', '[]', /wanted a list of deploys/],
    ['yaml', 'deploys: 7', /wanted a list of deploys/],
    ['yaml', `- { version: 1.10, deployed_at: ${AT} }`, /version: found 1\.1; .*quote it/],
    ['yaml', '- { version: "1" }', /deployed_at: found nothing; wanted a time with offset/],
    ['yaml', '- { version: "1", deployed_at: 2026-01-01T00:00:00 }', /wanted a time with offset/],
    ['yaml', `- { version: "1", deployed_at: ${AT}, label: ugly }`, /one of good, bad/],
    ['yaml', `- { version: "1", deploy_at: ${AT} }`, /did you mean deployed_at/],
    ['csv', `version,when\n1,${AT}`, /line 1: found "when"; wanted each of version/],
    ['csv', `version,version\n1,1`, /a column twice/],
    ['csv', `version,deployed_at\n\n1,${AT}\n,${AT}`, /^line 4, version: found nothing/],
    ['csv', `version,deployed_at\n1,${AT}\n"2,${AT}\n3,${AT}`, /^line 3: found a quoted cell that/],
    ['csv', `version,deployed_at\n"1"2,${AT}`, /^line 2: found a quoted cell that does not end/],
    ['csv', `version,deployed_at\n1,${AT},bad`, /^line 2: found 3 cells; wanted 2/],
    ['csv', `version,deployed_at\n"1\n",${AT}\n2,${AT},x`, /^line 4: found 3 cells/],
    ['csv', `version,deployed_at\n1,${AT}\n1,${AT}`, /^line 3: found 1 at this time twice/],
    ['yaml', `[${TWO}, ${TWO}]`, /^\[1\]: found 2 at this time twice; wanted it once; remove one/],
    [
      'yaml',
      `[{ version: v2, deployed_at: ${AT}, rolled_back_at: ${AT} }]`,
      /rolled_back_at: found a/,
    ],
  ])('is refused with every mistake: %s %j', (extension, text, mistake) => {
    expect(problemsOf(extension, text).join('\n')).toMatch(mistake);
  });

  it('is what the documents show', () => {
    const fences = fencesOf('docs/backtest.md').filter(({ text }) => text.includes('deployed_at'));
    expect(fences.map(({ language }) => language)).toEqual(['yaml', 'csv']);
    for (const { language, text } of fences) {
      expect(readText(language, text)).toMatchObject({ deploys: [{ label: 'bad' }, {}] });
    }
  });

  it('that is not there is no crash', () => {
    expect(readDeploysFile('nowhere.csv').kind).toBe('problems');
    expect(readDeploysFile('nowhere.yaml').kind).toBe('problems');
  });
});
