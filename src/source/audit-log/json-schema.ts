// A JSON Schema, compiled to a function. Patterns run in RE2 and nothing is fetched. The only door
// to ajv.
import { Ajv } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { compileSchemaPattern } from '../../core/pattern.ts';
import { isMapping, type Mapping } from '../../kit/json.ts';

/** So many items may be compared each with each. */
const COMPARED_MAX = 1_000;
const SCALARS: readonly unknown[] = ['string', 'number', 'integer', 'boolean', 'null'];
/** Their values are schemas by a name that the author chose. */
const NAMED = ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'];
/** Their values are no schemas. */
const VALUES = ['const', 'default', 'enum', 'examples'];

type Refused = { readonly kind: 'refused'; readonly reason: string };

function refused(reason: string): Refused {
  return { kind: 'refused', reason };
}

export type Compiled = {
  readonly kind: 'compiled';
  /** null: it matches; else where and why not, without the value. */
  readonly problem: (value: unknown) => string | null;
};

type Tester = { test: (text: string) => boolean; toString: () => string };

function regExp(source: string): Tester {
  const test = compileSchemaPattern(source);
  if (test === null) throw new Error('pattern');
  // Ajv tells patterns apart by their text.
  return { test, toString: () => source };
}
/** For code that ajv writes to files, which is not done here. */
regExp.code = 'regExp';

export function compileSchema(schema: unknown): Compiled | Refused {
  const dialect =
    isMapping(schema) && typeof schema['$schema'] === 'string' ? schema['$schema'] : '';
  if (/draft-0[346]/.test(dialect)) {
    return refused('is of a draft before 07; write it as draft-07 or later');
  }
  if (!isMapping(schema)) return refused('is no JSON Schema');
  if (isSlow(schema)) {
    const few = `add maxItems of at most ${COMPARED_MAX}`;
    return refused(`asks for uniqueItems of any kind, which takes long; ${few}`);
  }
  const Dialect = /2020-12/.test(dialect) ? Ajv2020 : /2019-09/.test(dialect) ? Ajv2019 : Ajv;
  try {
    const ajv = new Dialect({ strict: false, logger: false, code: { regExp } });
    formats.default(ajv as Ajv);
    const validate = ajv.compile(schema);
    return {
      kind: 'compiled',
      problem: (value) => {
        try {
          if (validate(value)) return null;
        } catch (error) {
          // A schema that refers to itself, and an event without an end.
          if (error instanceof RangeError) return '(event) is nested too deeply';
          throw error;
        }
        const [error] = validate.errors ?? [];
        return `${error?.instancePath || '(event)'} ${error?.message ?? 'does not match'}`;
      },
    };
  } catch (error) {
    return refused(schemaCause(error));
  }
}

/** A list of one line could be long enough to hold up everything else. */
function isSlow(schema: Mapping): boolean {
  const left: { readonly value: unknown; readonly isNamed: boolean }[] = [
    { value: schema, isNamed: false },
  ];
  for (let item = left.pop(); item !== undefined; item = left.pop()) {
    const { value, isNamed } = item;
    if (Array.isArray(value)) {
      for (const one of value) left.push({ value: one, isNamed: false });
    } else if (isMapping(value)) {
      if (!isNamed && comparesEach(value)) return true;
      for (const [key, one] of Object.entries(value)) {
        if (!isNamed && VALUES.includes(key)) continue;
        left.push({ value: one, isNamed: !isNamed && NAMED.includes(key) });
      }
    }
  }
  return false;
}

function comparesEach({ uniqueItems, maxItems, items }: Mapping): boolean {
  if (uniqueItems !== true) return false;
  if (typeof maxItems === 'number' && maxItems <= COMPARED_MAX) return false;
  // Of texts and numbers ajv makes one pass.
  const types = isMapping(items) ? [items['type'] ?? null].flat() : [];
  return types.length === 0 || types.some((type) => !SCALARS.includes(type));
}

function schemaCause(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  if (message === 'pattern') {
    return 'has a pattern that RE2 does not know, such as a look-ahead; write it without';
  }
  if (/can't resolve reference/.test(message)) {
    return 'refers to another file or URL; write what it refers to into $defs';
  }
  if (/no schema with key or ref/.test(message)) {
    return 'names a $schema that is not known; write draft-07, 2019-09 or 2020-12';
  }
  return 'is no valid JSON Schema; correct it';
}
