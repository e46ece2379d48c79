// The mutation score against a limit, and against a baseline: points below it, not percent of it.
import { ms, shareValue } from '../../config/fields.ts';
import type { MutationInput } from '../../config/gate-checks/mutation.ts';
import { formatNumber } from '../../core/quantity.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import { parseReport } from '../report/json.ts';
import { type Score, type ScoreFormat, scoreIn } from '../report/mutation.ts';
import { type Refused, type ReportFile, readReports, refused } from '../report/read.ts';
import { type Judgement, runReports } from '../report/run.ts';
import { type ShareLimit, shareLimitOf } from '../share-limit.ts';

export function mutationCheck(input: MutationInput, { values }: MakeTools): MadeCheck {
  const of = input.packages === undefined ? '' : ` (each of ${input.packages.join(', ')})`;
  const limits = [
    ...(limitOf(input) === null ? [] : [limitOf(input)?.words]),
    ...(input.drop_max === undefined
      ? []
      : [`at most ${pointsOf(input.drop_max)} points below ${input.baseline}`]),
  ];
  return {
    kind: 'mutation',
    wants: `mutation score of ${input.report}${of}: ${limits.join(', ')}`,
    timeoutMs: ms(input.timeout),
    run: async (tools) => {
      return runReports(input, values, tools, async (reports) => {
        if (input.baseline === undefined) return judgeMutation(input, reports, null);
        const before = await readReports([input.baseline], values, tools);
        if (before.kind === 'refused') return refused(`the baseline ${before.reason}`);
        return judgeMutation(input, reports, before.files);
      });
    },
  };
}

function limitOf({ above, at_least: least }: MutationInput): ShareLimit | null {
  if (above !== undefined) return shareLimitOf({ above });
  return least === undefined ? null : shareLimitOf(least);
}

function judgeMutation(
  input: MutationInput,
  reports: readonly ReportFile[],
  before: readonly ReportFile[] | null,
): Judgement | Refused {
  const now = onlyReport(reports);
  if (now.kind === 'refused') return now;
  const old = before === null ? null : onlyReport(before);
  if (old?.kind === 'refused') return refused(`the baseline ${old.reason}`);
  const format: ScoreFormat = { path: input.score ?? null, scale: input.scale };
  const [wrong, unclear, fine]: [string[], string[], string[]] = [[], [], []];
  for (const name of input.packages ?? [null]) {
    const score = scoreIn(now.value, name, format);
    const baseline = old === null ? null : scoreIn(old.value, name, format);
    if (score.kind === 'refused') unclear.push(`${now.path} ${score.reason}`);
    else if (baseline?.kind === 'refused') unclear.push(`the baseline ${baseline.reason}`);
    else judgeScore(input, { wrong, fine }, { name, score, baseline });
  }
  return { kind: 'judged', wrong, unclear: [...new Set(unclear)], fine, writtenMs: [null] };
}

type OnlyReport =
  | { readonly kind: 'report'; readonly path: string; readonly value: unknown }
  | Refused;

function onlyReport(files: readonly ReportFile[]): OnlyReport {
  const [file, ...rest] = files;
  if (file === undefined || rest.length > 0) {
    return refused(`${files.length} mutation reports; name one`);
  }
  const parsed = parseReport(file);
  return parsed.kind === 'refused'
    ? parsed
    : { kind: 'report', path: file.path, value: parsed.value };
}

function judgeScore(
  input: MutationInput,
  { wrong, fine }: { readonly wrong: string[]; readonly fine: string[] },
  of: { readonly name: string | null; readonly score: Score; readonly baseline: Score | null },
): void {
  const { name, score, baseline } = of;
  const who = name === null ? '' : `${name} `;
  const shown = `${who}${percent(score.value)}${score.text}`;
  const limit = limitOf(input);
  if (limit !== null) {
    const text = `${shown}, ${limit.words} wanted`;
    if (limit.holds(score.value)) fine.push(text);
    else wrong.push(text);
  }
  const drop = input.drop_max === undefined ? null : shareValue(input.drop_max);
  if (drop === null || baseline === null) return;
  const text =
    `${limit === null ? shown : `${who}${percent(score.value)}`}, ` +
    `${percent(baseline.value)} before, at most ${formatNumber(drop * 100)} points less wanted`;
  // A difference of two decimals has errors in its last places.
  if (baseline.value - score.value > drop + 1e-9) wrong.push(text);
  else fine.push(text);
}

function pointsOf(written: string | number): string {
  return formatNumber((shareValue(written) ?? 0) * 100);
}

/** Rounded down: what is shown as 80 % has reached 80 %. */
function percent(value: number): string {
  return `${formatNumber(Math.floor(value * 10_000 + 1e-7) / 100)} %`;
}
