// Fields that several kinds of checks have.
import { duration, text } from '../fields.ts';

/** `timeout: 30s`: a check that takes longer is cut off, and unknown. */
export function timeoutField(preset: string, max = '1h') {
  return duration('100ms', max, preset)
    .default(preset)
    .describe(`The check is cut off after this time, and unknown. Default ${preset}.`);
}

/** A path, relative to the folder in which the gate is carried out; may hold placeholders. */
export function pathField(what = 'a path such as artifacts/coverage.xml') {
  return text(1_000, what);
}
