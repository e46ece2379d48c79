// Policies as careful people write them, for services of five kinds: whoever is warned of what is
// right stops to read warnings.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { staticFindings } from '../../src/check/static.ts';
import { subjectOf } from '../../src/check/subject.ts';
import { readPolicy } from '../../src/config/to-policy.ts';
import { parseYaml } from '../../src/config/yaml-file.ts';

const FOLDER = new URL('good/', import.meta.url);
const FILES = readdirSync(FOLDER);

describe('a policy that is right', () => {
  it.each(FILES)('%s: nothing is found but notes', (file) => {
    const yaml = parseYaml(readFileSync(new URL(file, FOLDER), 'utf8'));
    const raw = yaml.kind === 'value' ? yaml.value : null;
    const result = readPolicy(raw, file.replace('.yaml', ''));
    expect(result).toMatchObject({ kind: 'policy' });
    const all = result.kind === 'policy' ? staticFindings(subjectOf(result.policy, raw)) : [];
    const counted = all.filter(({ level }) => level !== 'note');
    expect(counted.map(({ name, message }) => `${name}: ${message}`)).toEqual([]);
  });

  it('is one of five kinds of service', () => {
    expect(FILES).toHaveLength(5);
  });
});
