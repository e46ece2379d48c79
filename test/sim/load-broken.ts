// Loads a variant of the code that is broken on purpose: the text of one module is changed when it
// is loaded, so that production code needs no switches for tests.
import { registerHooks } from 'node:module';
import { type Broken, VARIANTS } from './broken.ts';

export function breakCode(name: string): Broken {
  const broken = VARIANTS.find((one) => one.name === name);
  if (broken === undefined) {
    const known = VARIANTS.map((one) => one.name).join(', ');
    throw new Error(`there is no variant '${name}'; wanted one of: ${known}`);
  }
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const edits = broken.edits.filter(({ file }) => url.endsWith(`/${file}`));
      if (edits.length === 0) return loaded;
      let source = String(loaded.source);
      for (const edit of edits) source = changed(source, edit);
      return { ...loaded, source };
    },
  });
  return broken;
}

function changed(source: string, { file, find, replace }: Broken['edits'][number]): string {
  const parts = source.split(find);
  if (parts.length !== 2) {
    throw new Error(`${file}: the text to break occurs ${parts.length - 1} times, wanted once`);
  }
  return parts.join(replace);
}
