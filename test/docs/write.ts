// Writes the generated parts of the documents: node test/docs/write.ts
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GENERATED } from './generated.ts';
import { read, root, withSection } from './markdown.ts';

for (const { file, name, make } of GENERATED) {
  writeFileSync(join(root, file), withSection(read(file), name, make()));
}
