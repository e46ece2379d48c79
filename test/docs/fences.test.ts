// YAML in the documents is YAML that canaryd takes, or a part of a file that is shipped.
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { casesSchema } from '../../src/config/case-schema.ts';
import { configSchema } from '../../src/config/config-schema.ts';
import { gateSchema } from '../../src/config/gate-schema.ts';
import { indicatorSchema } from '../../src/config/indicator-schema.ts';
import { policySchema } from '../../src/config/policy-schema.ts';
import { readPolicy } from '../../src/config/to-policy.ts';
import { line, problemLines, readText } from '../support/gate.ts';
import { allFences, type Fence, fencesOf, nameOf, read } from './markdown.ts';

const AURORA = 'config/policies/aurora.yaml';
const POLICY_FIELDS = Object.keys(policySchema.shape);
const GATE_FIELDS = Object.keys(gateSchema.shape);
const CONFIG_FIELDS = Object.keys(configSchema.shape);
const BASE_CONFIG = {
  journal: { sqlite: { path: 'canaryd.db' } },
  policies: ['policies/*.yaml'],
  sources: { aurora: { scrape: { targets: ['http://127.0.0.1:8080/metrics'] } } },
};
/** YAML of other programs: their fields, or names with dots, which we have none of. */
const FOREIGN = /^(?:services|groups|scrape_configs|jobs)$|\./;

type Mapping = Readonly<Record<string, unknown>>;

/** What canaryd says of a piece of YAML; null when it is not of canaryd. */
function complaints(value: unknown): readonly string[] | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const keys = Object.keys(value);
  const mapping = value as Mapping;
  if (keys.some((key) => FOREIGN.test(key))) return null;
  if (keys.includes('cases')) {
    const cases = casesSchema.safeParse(mapping);
    return cases.success ? [] : cases.error.issues.map(({ message }) => message);
  }
  const isPolicy = keys.every((key) => POLICY_FIELDS.includes(key));
  if (isPolicy) return policyComplaints(mapping);
  if (keys.every((key) => GATE_FIELDS.includes(key))) return gateComplaints(mapping);
  if (!keys.every((key) => CONFIG_FIELDS.includes(key))) return [`unknown: ${keys.join(', ')}`];
  const parsed = configSchema.safeParse({ ...BASE_CONFIG, ...mapping });
  return parsed.success ? [] : parsed.error.issues.map(({ message }) => message);
}

/** A part is judged inside Aurora's policy; indicators alone are judged one by one. */
function policyComplaints(part: Mapping): readonly string[] {
  const { indicators } = part;
  if (indicators !== undefined && part['windows'] === undefined) {
    return Object.values(indicators as Mapping).flatMap((indicator) => {
      const parsed = indicatorSchema.safeParse(indicator);
      return parsed.success ? [] : parsed.error.issues.map(({ message }) => message);
    });
  }
  const isWhole = indicators !== undefined;
  const base = parse(read(AURORA)) as Mapping;
  const result = readPolicy(isWhole ? part : { ...base, ...part }, 'example');
  if (result.kind === 'policy') return [];
  return result.problems
    .map(({ path, message }) => `${path}: ${message}`)
    .filter((text) => isWhole || !text.includes('that no condition uses'));
}

const SECTIONS = Array.from({ length: 10 }, (_, index) => line(`line_${index}`)).join(', ');
const BASE_GATE = `
title: Base
criteria:
  green: [${line('coverage')}, ${SECTIONS}]
  yellow: [${line('api_docs')}]
decision: { yellow_unmitigated_max: 2 }
`;

/** A part is judged inside a gate that has the criteria of the document. */
function gateComplaints(part: Mapping): readonly string[] {
  const whole = { ...(parse(BASE_GATE) as Mapping), ...part };
  return problemLines(readText(JSON.stringify(whole)));
}

const isExcerpt = ({ file, text }: Fence) =>
  file === 'README.md' && /^service: aurora$/m.test(text);
const fences = allFences('yaml').filter((fence) => !isExcerpt(fence));

describe('YAML in the documents', () => {
  it.each(fences.map((fence) => [nameOf(fence), fence] as const))('%s is valid', (_, { text }) => {
    expect(complaints(parse(text)) ?? []).toEqual([]);
  });

  it('is mostly of canaryd, so that this proves something', () => {
    const ours = fences.filter(({ text }) => complaints(parse(text)) !== null);
    expect(ours.length).toBeGreaterThanOrEqual(8);
  });

  it.each([
    ['interval: 5 seconds', 'interval'],
    ['on_stop: [{ disarm: { webhook: { url: "http://x/", secret: literal } } }]', '$NAME'],
    ['indicators: { a: { gauge: { metric: "a b" } } }', 'more after the metric a'],
    ['listen: { port: -1 }', 'whole number'],
    ['intervall: 5s', 'unknown'],
    ['waivers: [{ criterion: x, by: A, reason: b, until: 2026-01-01 }]', 'waivers[0].criterion'],
  ])('with a mistake (%s) is found', (text, what) => {
    expect(complaints(parse(text))?.join()).toContain(what);
  });
});

/** Lines of a fence in the order in which a file has them; `# …` leaves some out. */
function linesNotIn(fence: Fence, file: string): readonly string[] {
  const lines = read(file).split('\n');
  let from = 0;
  return fence.text.split('\n').filter((line) => {
    if (line.trim() === '' || line.trim() === '# …') return false;
    const at = lines.indexOf(line, from);
    if (at === -1) return true;
    from = at + 1;
    return false;
  });
}

describe('the excerpt of the Aurora policy in README.md', () => {
  const excerpt = fencesOf('README.md').find(isExcerpt);

  it('is in the file, line by line and in this order', () => {
    expect(excerpt && linesNotIn(excerpt, AURORA)).toEqual([]);
  });
});
