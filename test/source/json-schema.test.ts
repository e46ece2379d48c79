// A schema judges lines that others write: none may take longer than a line does.
import { describe, expect, it } from 'vitest';
import { compileSchema } from '../../src/source/audit-log/json-schema.ts';

const among = (tags: unknown) => compileSchema({ type: 'object', properties: { tags } }).kind;
const unique = { type: 'array', uniqueItems: true };

describe('uniqueItems in the schema of a log', () => {
  it.each([
    ['of anything', unique],
    ['of objects', { ...unique, items: { type: 'object' } }],
    ['of texts or lists', { ...unique, items: { type: ['string', 'array'] } }],
    ['of too many', { ...unique, maxItems: 1_001 }],
    ['of a tuple', { ...unique, items: [{ type: 'string' }] }],
    ['deeper', { anyOf: [{ items: {} }, { type: 'array', contains: unique }] }],
    ['in definitions', { $defs: { uniqueItems: unique } }],
  ])('%s is refused: each would be compared with each', (_, tags) => {
    expect(among(tags)).toBe('refused');
  });

  it('says what to write', () => {
    expect(compileSchema(unique)).toMatchObject({
      reason: 'asks for uniqueItems of any kind, which takes long; add maxItems of at most 1000',
    });
  });

  it.each([
    ['of texts', { ...unique, items: { type: 'string' } }],
    ['of numbers or nothing', { ...unique, items: { type: ['number', 'null'] } }],
    ['of few', { ...unique, maxItems: 1_000 }],
    ['that is the name of a field', { properties: { uniqueItems: true } }],
    ['in a value', { const: unique, default: unique, enum: [unique], examples: [unique] }],
    ['that is not asked for', { type: 'array', uniqueItems: false }],
  ])('%s is fine', (_, tags) => {
    expect(among(tags)).toBe('compiled');
  });

  it('still tells what is not unique', () => {
    const compiled = compileSchema({ ...unique, maxItems: 3 });
    expect(compiled).toMatchObject({ kind: 'compiled' });
    const problem = (value: unknown) => compiled.kind === 'compiled' && compiled.problem(value);
    expect(problem([[1], [1]])).toMatch('must NOT have duplicate items');
    expect(problem([[1], [2]])).toBeNull();
  });
});
