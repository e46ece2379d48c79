// `npm run schemas`: writes config/*.schema.json. A test fails while they are out of date.
import { writeFileSync } from 'node:fs';
import { jsonSchemaFiles } from './json-schemas.ts';

for (const [name, text] of jsonSchemaFiles()) {
  writeFileSync(new URL(`../../config/${name}`, import.meta.url), text);
}
