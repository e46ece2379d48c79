// What we show people must hold before our own check.
import { describe, expect, it } from 'vitest';
import { staticFindings } from '../../src/check/static.ts';
import { subjectOf } from '../../src/check/subject.ts';
import { withWaivers } from '../../src/check/waivers.ts';
import { readPolicy } from '../../src/config/to-policy.ts';
import { parseYaml } from '../../src/config/yaml-file.ts';
import { allFences, nameOf } from '../docs/markdown.ts';

/** Whole policies in the documents. */
const policies = allFences('yaml').flatMap((fence) => {
  const yaml = parseYaml(fence.text);
  const raw = yaml.kind === 'value' ? yaml.value : null;
  const result = readPolicy(raw, 'shown');
  return result.kind === 'policy' ? [[nameOf(fence), subjectOf(result.policy, raw)] as const] : [];
});

describe('policies in the documents', () => {
  it.each(policies)('%s: nothing is found that counts', (_, subject) => {
    const all = withWaivers(subject, staticFindings(subject), false);
    // A short example may leave the proof of a rollback out.
    const counted = all.filter(({ waived, name }) => waived === null && name !== 'no-verify');
    expect(counted.map(({ name, message }) => `${name}: ${message}`)).toEqual([]);
  });

  it('exist', () => {
    expect(policies.length).toBeGreaterThanOrEqual(2);
  });
});
