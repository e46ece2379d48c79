// Fields that several kinds of checks have.
import { z } from 'zod';
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

/** One report, or several: paths and patterns, relative to the folder of the gate. */
export function reportField(example: string) {
  const error = `a path such as ${example}, a pattern such as artifacts/*.xml, or a list of them`;
  const one = z.string({ error }).min(1, { error }).max(1_000, { error });
  return z
    .union([one, z.array(one, { error }).min(1, { error }).max(20, { error })], { error })
    .describe(
      'The report: a path, a pattern or a list, relative to the folder in which the gate is ' +
        'carried out. May hold placeholders such as ${version}.',
    );
}

export function pathsOf(written: string | readonly string[]): readonly string[] {
  return typeof written === 'string' ? [written] : written;
}

/** `max_age: 24h` */
export function maxAgeField() {
  return duration('1s', '3650d', '24h')
    .optional()
    .describe(
      'At most so old, by the time in the report or of the file, whichever is older. A time that ' +
        'JUnit or safety wrote without a zone is read as UTC or as that of this machine, ' +
        'whichever is nearer before now.',
    );
}

/** `packages: [oms, positions, risk]` */
export function packagesField(what: string) {
  const error = 'a list of 1 to 50 packages, such as [oms, positions, risk]';
  return z
    .array(text(200, 'a package such as oms or src/oms'), { error })
    .min(1, { error })
    .max(50, { error })
    .optional()
    .describe(what);
}
