// How every check of reports is carried out: read the files, judge them, look at their age, keep them
// as evidence. What is wrong makes it fail; what cannot be told makes it unknown.
import { ms } from '../../config/fields.ts';
import { pathsOf } from '../../config/gate-checks/common.ts';
import type { TemplateValues } from '../../core/template.ts';
import type { CheckResult, CheckTools, Exhibit } from '../check.ts';
import { fail, pass, unknown } from '../result.ts';
import { ageOf } from './age.ts';
import {
  exhibitsOf,
  type ReadReports,
  type Refused,
  type ReportFile,
  readReports,
} from './read.ts';

export type Judgement = {
  readonly kind: 'judged';
  /** Why it fails, most important first. */
  readonly wrong: readonly string[];
  /** Why it cannot be told. */
  readonly unclear: readonly string[];
  /** What was found, when all is well. */
  readonly fine: readonly string[];
  readonly details?: readonly string[];
  readonly tools?: Readonly<Record<string, string>>;
  /** In the order of the files: when the tool wrote it, as far as it says so. */
  readonly writtenMs: readonly (number | null)[];
  /** Instead of the files, where these may hold secrets. */
  readonly exhibits?: readonly Exhibit[];
};

export type ReportInput = {
  readonly report: string | readonly string[];
  readonly max_age?: string | undefined;
};

export type JudgeReports = (
  files: readonly ReportFile[],
  tools: CheckTools,
) => Promise<Judgement | Refused>;

export async function runReports(
  input: ReportInput,
  values: TemplateValues,
  tools: CheckTools,
  judge: JudgeReports,
): Promise<CheckResult> {
  const read: ReadReports = await readReports(pathsOf(input.report), values, tools);
  if (read.kind === 'refused') return unknown(read.reason);
  let judged: Judgement | Refused;
  try {
    judged = await judge(read.files, tools);
  } catch (error) {
    // A report that was made to break its reader: too deep, too long.
    if (!(error instanceof RangeError)) throw error;
    judged = { kind: 'refused', reason: 'the report is too deep or too long to be judged' };
  }
  if (judged.kind === 'refused') {
    return unknown(judged.reason, { exhibits: exhibitsOf(read.files) });
  }
  return concluded(withAge(judged, read.files, input, tools), read.files);
}

function withAge(
  judged: Judgement,
  files: readonly ReportFile[],
  { max_age: maxAge }: ReportInput,
  { clock }: CheckTools,
): Judgement {
  if (maxAge === undefined) return judged;
  const dated = files.map(({ path, modifiedMs }, at) => {
    return { path, modifiedMs, writtenMs: judged.writtenMs[at] ?? null };
  });
  const age = ageOf(dated, clock.now(), ms(maxAge));
  switch (age.kind) {
    case 'fresh':
      return { ...judged, fine: [...judged.fine, age.text] };
    case 'old':
      return { ...judged, wrong: [...judged.wrong, age.text] };
    case 'future':
      return { ...judged, unclear: [...judged.unclear, age.text] };
  }
}

function concluded(judged: Judgement, files: readonly ReportFile[]): CheckResult {
  const { wrong, unclear, fine, tools = {} } = judged;
  const exhibits = judged.exhibits ?? exhibitsOf(files);
  // The line is cut when there is much to say; the details have it whole.
  const said = [...wrong, ...unclear];
  const details = [...(said.length > 1 ? said : []), ...(judged.details ?? [])];
  const parts = { details, exhibits, tools };
  if (wrong.length > 0) return fail(wrong.join('; '), parts);
  if (unclear.length > 0) return unknown(unclear.join('; '), parts);
  return pass(fine.join('; '), parts);
}
