import { describe, expect, it } from 'vitest';
import { GENERATED } from './generated.ts';
import { read, sectionBetween } from './markdown.ts';
import { exampleOf, MESSAGE_KINDS } from './message-examples.ts';
import { fieldsOf, schemaOf } from './schema-tables.ts';

describe.each(GENERATED)('$name in $file', ({ file, name, make }) => {
  it('are those of the code (else: node test/docs/write.ts)', () => {
    expect(sectionBetween(read(file), name)).toBe(make());
  });
});

describe.each([
  ['docs/policy.md', 'policy'],
  ['docs/config.md', 'canaryd'],
  ['docs/gate.md', 'gate'],
] as const)('%s', (file, schema) => {
  it('mentions every field of the schema', () => {
    const text = read(file);
    const names = fieldsOf(schemaOf(schema)).map(([path]) => path.split('.').at(-1) ?? path);
    const missing = [...new Set(names)].filter(
      (name) => !new RegExp(`[\`.]${name.replace('[]', '')}\\b`).test(text),
    );
    expect(missing).toEqual([]);
  });

  it('says for every field with a default which one it is', () => {
    const silent = fieldsOf(schemaOf(schema)).filter(([path, field]) => {
      const row = read(file)
        .split('\n')
        .find((line) => line.startsWith(`| \`${path}\``));
      const preset = field.default;
      return row !== undefined && preset !== undefined && typeof preset !== 'object'
        ? !row.includes(String(preset))
        : false;
    });
    expect(silent.map(([path]) => path)).toEqual([]);
  });
});

describe('docs/messages.md', () => {
  const text = read('docs/messages.md');

  it.each(MESSAGE_KINDS)('documents %s with its severity and headline', (kind) => {
    const section = text.split(`\n### ${kind}\n`)[1]?.split('\n### ')[0] ?? '';
    const { severity, headline } = exampleOf(kind);
    expect(section).toContain(`_${severity}_`);
    expect(section).toContain(headline);
  });
});
