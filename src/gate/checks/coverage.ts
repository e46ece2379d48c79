// Code coverage against limits, of the whole or of each named package. A report without branches
// says nothing about branches, and is unknown.
import { ms } from '../../config/fields.ts';
import { pathsOf } from '../../config/gate-checks/common.ts';
import type { CoverageInput } from '../../config/gate-checks/coverage.ts';
import { formatNumber } from '../../core/quantity.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import {
  type CoverageFiles,
  type CoverageRead,
  readCoverage,
  type Share,
  sumOf,
} from '../report/coverage.ts';
import { isInPackage } from '../report/packages.ts';
import { type Refused, type ReportFile, refused } from '../report/read.ts';
import { type Judgement, runReports } from '../report/run.ts';
import { type ShareLimit, shareLimitOf } from '../share-limit.ts';

const WHAT = ['lines', 'branches'] as const;
const WORST_MAX = 20;

export function coverageCheck(input: CoverageInput, { values }: MakeTools): MadeCheck {
  const limits = WHAT.flatMap((what) =>
    input[what] === undefined ? [] : [`${what} ${shareLimitOf(input[what]).words}`],
  );
  const of = input.packages === undefined ? '' : ` (each of ${input.packages.join(', ')})`;
  return {
    kind: 'coverage',
    wants: `coverage of ${pathsOf(input.report).join(', ')}${of}: ${limits.join(', ')}`,
    timeoutMs: ms(input.timeout),
    run: (tools) =>
      runReports(input, values, tools, (files) => judgeCoverage(input, files, tools.signal)),
  };
}

async function judgeCoverage(
  input: CoverageInput,
  reports: readonly ReportFile[],
  signal: AbortSignal,
): Promise<Judgement | Refused> {
  const files: CoverageFiles = new Map();
  const read: CoverageRead[] = [];
  for (const report of reports) {
    const one = await readCoverage(report, files, signal);
    if (one.kind === 'refused') return refused(`${report.path} ${one.reason}`);
    read.push(one);
  }
  const wrong: string[] = [];
  const unclear: string[] = [];
  const fine: string[] = [];
  for (const what of WHAT) {
    const written = input[what];
    if (written === undefined) continue;
    const limit = shareLimitOf(written);
    const whole = wholeOf(what, read, files);
    if (whole.total === 0) {
      unclear.push(`the report has no ${what}; measure ${what} with it`);
      continue;
    }
    if (whole.covered > whole.total) {
      unclear.push(`the report counts more ${what} covered than there are; write it again`);
      continue;
    }
    for (const { name, share } of partsOf(what, input, whole, files)) {
      if (share === null) unclear.push(`no file of ${name} in the report`);
      else judgeShare({ wrong, fine }, `${name}${what}`, share, limit);
    }
  }
  const details = wrong.length === 0 ? [] : worstFiles(input, files);
  const writtenMs = read.map((one) => one.writtenMs);
  const unclearOnce = [...new Set(unclear)];
  return { kind: 'judged', wrong, unclear: unclearOnce, fine, details, writtenMs };
}

type What = (typeof WHAT)[number];

/** The tool's own counts where there is one report: it knows what it leaves out. */
function wholeOf(what: What, read: readonly CoverageRead[], files: CoverageFiles): Share {
  const own = read.length === 1 ? read[0]?.[what] : null;
  return own ?? sumOf([...files.values()].map((file) => file[what]()));
}

function partsOf(
  what: What,
  { packages }: CoverageInput,
  whole: Share,
  files: CoverageFiles,
): readonly { readonly name: string; readonly share: Share | null }[] {
  if (packages === undefined) return [{ name: '', share: whole }];
  return packages.map((name) => {
    const mine = [...files.values()].filter((file) =>
      [...file.names].some((one) => isInPackage(one, name)),
    );
    const hasLines = sumOf(mine.map((file) => file.lines())).total > 0;
    const share = sumOf(mine.map((file) => file[what]()));
    return { name: hasLines ? `${name} ` : name, share: hasLines ? share : null };
  });
}

function judgeShare(
  { wrong, fine }: { readonly wrong: string[]; readonly fine: string[] },
  name: string,
  { covered, total }: Share,
  limit: ShareLimit,
): void {
  // A package without branches has none to cover.
  const value = total === 0 ? 1 : covered / total;
  const text = `${name} ${percent(value)} (${covered} of ${total}), ${limit.words} wanted`;
  if (limit.holds(value)) fine.push(text);
  else wrong.push(text);
}

/** Rounded down: what is shown as 90 % has reached 90 %. */
function percent(value: number): string {
  return `${formatNumber(Math.floor(value * 10_000 + 1e-7) / 100)} %`;
}

/** The files that miss most lines. */
function worstFiles({ packages }: CoverageInput, files: CoverageFiles): readonly string[] {
  return [...files]
    .filter(([, { names }]) =>
      (packages ?? ['']).some((one) => one === '' || [...names].some((n) => isInPackage(n, one))),
    )
    .map(([path, file]) => ({ path, lines: file.lines(), branches: file.branches() }))
    .map(({ path, lines, branches }) => {
      const missed = [lines.total - lines.covered, branches.total - branches.covered] as const;
      return { path, missed };
    })
    .filter(({ missed: [lines, branches] }) => lines + branches > 0)
    .sort((a, b) => b.missed[0] - a.missed[0] || b.missed[1] - a.missed[1])
    .slice(0, WORST_MAX)
    .map(({ path, missed: [lines, branches] }) => {
      return `${path}: ${lines} lines and ${branches} branches not covered`;
    });
}
