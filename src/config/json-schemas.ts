// The JSON Schemas that editors and CI use, from the very definitions that validate.
import { z } from 'zod';
import { casesSchema } from './case-schema.ts';
import { configSchema } from './config-schema.ts';
import { gateSchema } from './gate-schema.ts';
import { policySchema } from './policy-schema.ts';

/** File name in `config/` → its text. */
export function jsonSchemaFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const [name, title, schema] of [
    ['policy.schema.json', 'canaryd policy', policySchema],
    ['canaryd.schema.json', 'canaryd.yaml', configSchema],
    ['gate.schema.json', 'canaryd gate', gateSchema],
    ['policy-test.schema.json', 'canaryd test', casesSchema],
  ] as const) {
    const json = { title, ...z.toJSONSchema(schema, { io: 'input' }) };
    files.set(name, `${JSON.stringify(json, null, 2)}\n`);
  }
  return files;
}
