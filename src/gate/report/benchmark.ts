// Figures of benchmarks: JSON of pytest-benchmark, or named places in the JSON of any other tool.
import type { SCALES, STATISTICS } from '../../config/gate-checks/benchmark.ts';
import { jsonAt } from '../../kit/json.ts';
import { writtenTime } from '../../kit/written-time.ts';
import { field, listIn, numberIn, numberOf, parseReport, textIn } from './json.ts';
import { type Refused, type ReportFile, refused } from './read.ts';

const FIGURES_MAX = 10_000;

export type Figure = {
  /** `test_fill[100]`, or the name in `values`. */
  readonly name: string;
  /** `tests/perf/test_fill.py::test_fill[100]`: which one, where two have a name. */
  readonly fullName: string;
  readonly value: number;
};

export type FiguresRead = {
  readonly kind: 'figures';
  readonly figures: readonly Figure[];
  /** What is there, but no number. */
  readonly missing: readonly string[];
  /** Of pytest-benchmark: figures of another processor do not compare well. */
  readonly processor: string | null;
  readonly writtenMs: number | null;
  readonly tools: Readonly<Record<string, string>>;
};

export type FigureFormat = {
  readonly values: Readonly<Record<string, string>> | undefined;
  readonly scale: (typeof SCALES)[number];
  readonly statistic: (typeof STATISTICS)[number];
};

const DIVISORS = { number: 1, s: 1, ms: 1e3, us: 1e6, ns: 1e9 };

export function readFigures(file: ReportFile, format: FigureFormat): FiguresRead | Refused {
  const parsed = parseReport(file);
  if (parsed.kind === 'refused') return parsed;
  const read =
    format.values === undefined
      ? pytestFigures(parsed.value, format.statistic)
      : figuresAt(parsed.value, format.values, format.scale);
  return read.kind === 'refused' ? refused(`${file.path} ${read.reason}`) : read;
}

function figuresAt(
  report: unknown,
  values: Readonly<Record<string, string>>,
  scale: FigureFormat['scale'],
): FiguresRead {
  const figures: Figure[] = [];
  const missing: string[] = [];
  for (const [name, place] of Object.entries(values)) {
    const number = numberOf(jsonAt(report, place));
    if (number === null) missing.push(`${name}: no number at ${place}`);
    else figures.push({ name, fullName: name, value: number / DIVISORS[scale] });
  }
  const writtenMs = writtenTime(field(report, 'timestamp'));
  return { kind: 'figures', figures, missing, processor: null, writtenMs, tools: {} };
}

function pytestFigures(
  report: unknown,
  statistic: FigureFormat['statistic'],
): FiguresRead | Refused {
  const benchmarks = listIn(report, 'benchmarks');
  if (!Array.isArray(field(report, 'benchmarks'))) {
    return refused('is no JSON of pytest-benchmark; write where the figures stand as values');
  }
  if (benchmarks.length > FIGURES_MAX) return refused(`has more than ${FIGURES_MAX} benchmarks`);
  const figures: Figure[] = [];
  const missing: string[] = [];
  for (const benchmark of benchmarks) {
    const name = textIn(benchmark, 'name') ?? '';
    const value = numberIn(field(benchmark, 'stats'), statistic);
    if (name === '' || value === null) missing.push(`${name || 'a benchmark'}: no ${statistic}`);
    else figures.push({ name, fullName: textIn(benchmark, 'fullname') ?? name, value });
  }
  const version = textIn(report, 'version');
  return {
    kind: 'figures',
    figures,
    missing,
    processor: textIn(field(field(report, 'machine_info'), 'cpu'), 'brand_raw'),
    writtenMs: writtenTime(field(report, 'datetime')),
    tools: version === null ? {} : { 'pytest-benchmark': version },
  };
}

/** `test_fill` names `test_fill`, its parameters `test_fill[100]`, and its full name. */
export function isNamed({ name, fullName }: Figure, wanted: string): boolean {
  return [name, fullName].some((one) => one === wanted || one.startsWith(`${wanted}[`));
}
