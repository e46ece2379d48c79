// The cases of the policies that canaryd ships: all pass, and no condition is left out.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { coverageOf, isBothWays } from '../../src/cases/coverage.ts';
import { playCase } from '../../src/cases/play.ts';
import { readCaseFile } from '../../src/cases/read.ts';
import type { CaseResult } from '../../src/cases/result.ts';
import { linesOf } from '../support/case-file.ts';

const CONFIG = new URL('../../config/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, CONFIG), 'utf8');
const options = { monotonic: () => 0, signal: new AbortController().signal };

const FILES = [
  ['policies/aurora.test.yaml', '../policy-test.schema.json'],
  ['policies/examples/http-api.test.yaml', '../../policy-test.schema.json'],
  ['compose/policies/aurora.test.yaml', '../../policy-test.schema.json'],
] as const;

describe.each(FILES)('config/%s', (name, schema) => {
  it('is valid for editors, and names its schema', () => {
    const validate = new Ajv2020({ strict: false }).compile(
      JSON.parse(read('policy-test.schema.json')),
    );
    expect(read(name).split('\n')[0]).toBe(`# yaml-language-server: $schema=${schema}`);
    expect(validate(parse(read(name)))).toBe(true);
  });

  it('passes, and sees each condition fire and hold', async () => {
    const result = readCaseFile(fileURLToPath(new URL(name, CONFIG)));
    if (result.kind === 'problems') throw new Error(JSON.stringify(result.problems));
    const results: CaseResult[] = [];
    for (const one of result.file.cases) results.push(await playCase(result.file, one, options));
    expect(results.flatMap(linesOf)).toEqual([]);
    const coverage = coverageOf(result.file.policy, results);
    expect(coverage.filter((one) => !isBothWays(one))).toEqual([]);
  }, 120_000);
});
