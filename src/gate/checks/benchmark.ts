// Figures of benchmarks against limits, and against a baseline: none may be worse by more than a
// share. A benchmark that was not run, is not there to be compared: unknown.
import { ms, shareValue } from '../../config/fields.ts';
import type { BenchmarkInput } from '../../config/gate-checks/benchmark.ts';
import { pathsOf } from '../../config/gate-checks/common.ts';
import { FIGURE_COMPARATORS } from '../../config/gate-checks/limit.ts';
import { formatNumber, formatValue, parseQuantity } from '../../core/quantity.ts';
import type { TemplateValues } from '../../core/template.ts';
import { figureWords, judgeFigure } from '../figure.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import { type Figure, type FiguresRead, isNamed, readFigures } from '../report/benchmark.ts';
import { type Refused, type ReportFile, readReports, refused } from '../report/read.ts';
import { type Judgement, runReports } from '../report/run.ts';

type Verdict = { readonly wrong: string[]; readonly unclear: string[]; readonly fine: string[] };

export function benchmarkCheck(input: BenchmarkInput, tools: MakeTools): MadeCheck {
  const { values } = tools;
  checkUnits(input, tools);
  return {
    kind: 'benchmark',
    wants: wantsOf(input),
    timeoutMs: ms(input.timeout),
    run: (run) =>
      runReports(input, values, run, async (files) => {
        if (input.baseline === undefined) return judgeBenchmarks(input, values, files, null);
        const before = await readReports([input.baseline], values, run);
        if (before.kind === 'refused') return refused(`the baseline ${before.reason}`);
        return judgeBenchmarks(input, values, files, before.files);
      }),
  };
}

/** 200 where a time is meant would be 200 s; 200ms where nobody knows what one is, anything. */
function checkUnits(input: BenchmarkInput, { report }: MakeTools): void {
  const isTime = unitOf(input) === 'seconds';
  for (const [name, limit] of Object.entries(input.limits ?? {})) {
    if (limit.of !== undefined) continue;
    const written = FIGURE_COMPARATORS.map((one) => limit[one]).find((one) => one !== undefined);
    const quantity = parseQuantity(written ?? '');
    const shown = JSON.stringify(written);
    if (isTime && quantity?.unit !== 'seconds' && quantity?.value !== 0) {
      report(['limits', name], shown, `a time with its unit, such as ${Number(written) || 200}ms`);
    } else if (!isTime && input.values !== undefined && quantity?.unit === 'seconds') {
      const wanted = 'a number, or scale: ms (or s, us, ns), which says what one is';
      report(['limits', name], shown, wanted);
    }
  }
}

function wantsOf(input: BenchmarkInput): string {
  const limits = Object.entries(input.limits ?? {}).map(
    ([name, limit]) => `${name} ${figureWords(limit)}`,
  );
  const drop =
    input.worse_max === undefined
      ? []
      : [`none worse than ${input.baseline} by more than ${input.worse_max}`];
  return `benchmarks of ${pathsOf(input.report).join(', ')}: ${[...limits, ...drop].join(', ')}`;
}

function judgeBenchmarks(
  input: BenchmarkInput,
  values: TemplateValues,
  files: readonly ReportFile[],
  before: readonly ReportFile[] | null,
): Judgement | Refused {
  const { scale, statistic } = input;
  const read = readAll(files, { values: input.values, scale, statistic });
  if (!Array.isArray(read)) return read as Refused;
  const verdict: Verdict = { wrong: [], unclear: read.flatMap(({ missing }) => missing), fine: [] };
  const figures = read.flatMap((one: FiguresRead) => one.figures);
  for (const figure of figures.filter((one) => isNoTime(one, input))) {
    verdict.unclear.push(`${figure.name} is ${formatNumber(figure.value)} s, which no time can be`);
  }
  for (const [name, limit] of Object.entries(input.limits ?? {})) {
    const mine = figures.filter((figure) => isNamed(figure, name));
    if (mine.length === 0) verdict.unclear.push(`${name} is not in the report`);
    for (const figure of mine) {
      if (isNoTime(figure, input)) continue;
      const judged = judgeFigure(limit, figure.value, values);
      const text = `${figure.name} ${judged.text}`;
      if (judged.kind === 'unusable') verdict.unclear.push(text);
      else if (judged.holds) verdict.fine.push(text);
      else verdict.wrong.push(text);
    }
  }
  const details: string[] = [];
  if (before !== null) {
    const old = readAll(before, { values: input.values, scale, statistic });
    if (!Array.isArray(old)) return refused(`the baseline ${(old as Refused).reason}`);
    compare(input, verdict, figures, old);
    details.push(...otherProcessor(read, old));
  }
  const tools = Object.assign({}, ...read.map((one: FiguresRead) => one.tools));
  return {
    kind: 'judged',
    ...verdict,
    unclear: [...new Set(verdict.unclear)],
    details,
    tools,
    writtenMs: read.map((one: FiguresRead) => one.writtenMs),
  };
}

function readAll(
  files: readonly ReportFile[],
  format: Parameters<typeof readFigures>[1],
): readonly FiguresRead[] | Refused {
  const read: FiguresRead[] = [];
  for (const file of files) {
    const one = readFigures(file, format);
    if (one.kind === 'refused') return one;
    read.push(one);
  }
  return read;
}

/** Each benchmark of the baseline: one that nobody ran any more hides what became of it. */
function compare(
  input: BenchmarkInput,
  verdict: Verdict,
  figures: readonly Figure[],
  baseline: readonly FiguresRead[],
): void {
  const limit = shareValue(input.worse_max ?? 0) ?? 0;
  const isHigherBetter =
    (input.better ?? (input.statistic === 'ops' ? 'higher' : 'lower')) === 'higher';
  const old = baseline.flatMap((one) => one.figures);
  if (old.length === 0) verdict.unclear.push('the baseline has no benchmark');
  for (const missing of baseline.flatMap((one) => one.missing)) {
    verdict.unclear.push(`in the baseline, ${missing}`);
  }
  let worst = { name: '', by: Number.NEGATIVE_INFINITY };
  for (const was of old) {
    const now = figures.find(({ fullName }) => fullName === was.fullName);
    if (now === undefined) {
      verdict.unclear.push(`${was.name} of the baseline was not run`);
      continue;
    }
    if (was.value <= 0) {
      verdict.unclear.push(`${was.name} is ${was.value} in the baseline; nothing compares to it`);
      continue;
    }
    const by = (isHigherBetter ? was.value - now.value : now.value - was.value) / was.value;
    if (by > worst.by) worst = { name: was.name, by };
    if (by <= limit + 1e-9) continue;
    const unit = unitOf(input);
    verdict.wrong.push(
      `${was.name} ${shown(now.value, unit)}, ${shown(was.value, unit)} before: ` +
        `${percent(by)} worse, at most ${input.worse_max} wanted`,
    );
  }
  const change = worst.by > 0 ? `${percent(worst.by)} worse` : 'none worse';
  verdict.fine.push(
    `${old.length} compared with the baseline, ${change}${worst.by > 0 ? ` (${worst.name})` : ''}, ` +
      `at most ${input.worse_max} wanted`,
  );
}

function unitOf({ values, scale, statistic }: BenchmarkInput): 'seconds' | 'number' {
  if (values === undefined) return statistic === 'ops' ? 'number' : 'seconds';
  return scale === 'number' ? 'number' : 'seconds';
}

function isNoTime({ value }: Figure, input: BenchmarkInput): boolean {
  return unitOf(input) === 'seconds' && value < 0;
}

function shown(value: number, unit: 'seconds' | 'number'): string {
  // Benchmarks measure below what a watch does.
  return unit === 'seconds' && value < 1e-3
    ? `${formatNumber(value * 1e6)} µs`
    : formatValue(value, unit);
}

function percent(share: number): string {
  return `${formatNumber(share * 100, 1)} %`;
}

function otherProcessor(
  now: readonly FiguresRead[],
  before: readonly FiguresRead[],
): readonly string[] {
  const [a, b] = [now[0]?.processor ?? null, before[0]?.processor ?? null];
  if (a === null || b === null || a === b) return [];
  return [`the baseline was measured on another processor: ${b}, now ${a}`];
}
