// What a backtest says on a terminal: a table of deploys, what was wrong and why, and the sums. The
// words are those of the report.
import { type Pair, pairsOf } from '../backtest/report-pairs.ts';
import {
  afterText,
  headline,
  scoreWords,
  summaryRows,
  timeText,
  verdictWords,
} from '../backtest/report-words.ts';
import type { BacktestResult, DeployResult } from '../backtest/result.ts';
import { roughDuration } from '../core/quantity.ts';
import { table } from './output.ts';

/** Deploys whose causes are printed below the table; all of them are in the report. */
const CAUSES_MAX = 10;
/** Of a deploy, and of the conditions in one cell. */
const CAUSES_EACH_MAX = 4;
const CONDITIONS_SHOWN = 2;
const BAR_CELLS = 24;

export function resultText(results: readonly BacktestResult[]): string {
  const [first, second] = results;
  if (first === undefined) return '';
  const pairs = pairsOf(results);
  const rows = second === undefined ? singleRows(pairs) : doubleRows(pairs);
  const parts = [table(rows), causesText(pairs, second !== undefined), sumsText(results)];
  const notes = new Set(results.flatMap((one) => one.leftOut ?? []));
  for (const [index, { blind = [] }] of results.entries()) {
    const side = second === undefined ? '' : `${'AB'[index] ?? ''}: `;
    for (const text of blind) notes.add(`${side}${text}`);
  }
  parts.push([...notes].map((text) => `Note: ${text}`).join('\n'));
  return parts.filter((part) => part !== '').join('\n\n');
}

function singleRows(pairs: readonly Pair[]): readonly (readonly string[])[] {
  const header = ['deploy', 'deployed at', 'verdict', 'after', 'condition', 'blind', 'label', ''];
  const rows = pairs.map(({ sides: [one] }) => {
    if (one === null) return [];
    const { deploy, verdict, afterMs, by, blindMs, score } = one;
    return [
      `${deploy.service} ${deploy.version}`,
      timeText(deploy.deployedAtMs),
      verdictWords(verdict).text,
      afterText(afterMs),
      conditionsText(verdict === 'stopped' ? by : []),
      blindMs === 0 ? '-' : roughDuration(blindMs),
      deploy.label ?? '-',
      score === null ? '' : scoreWords(score).text,
    ];
  });
  return [header, ...rows];
}

function doubleRows(pairs: readonly Pair[]): readonly (readonly string[])[] {
  const header = ['deploy', 'deployed at', 'difference', 'A', 'B', 'label'];
  const rows = pairs.map(({ sides: [a, b], difference }) => {
    const deploy = (a ?? b)?.deploy;
    return [
      `${deploy?.service} ${deploy?.version}`,
      timeText(deploy?.deployedAtMs ?? Number.NaN),
      difference.text,
      sideText(a),
      sideText(b),
      deploy?.label ?? '-',
    ];
  });
  return [header, ...rows];
}

function sideText(side: DeployResult | null): string {
  if (side === null) return '-';
  const { verdict, afterMs, by, score } = side;
  const when = afterMs === null ? '' : ` after ${afterText(afterMs)}`;
  const why = verdict === 'stopped' ? ` by ${conditionsText(by)}` : '';
  return `${verdictWords(verdict).text}${when}${why}${score === null ? '' : `, ${scoreWords(score).text}`}`;
}

function conditionsText(by: readonly string[]): string {
  if (by.length === 0) return '-';
  const more = by.length > CONDITIONS_SHOWN ? ` +${by.length - CONDITIONS_SHOWN}` : '';
  return `${by.slice(0, CONDITIONS_SHOWN).join(', ')}${more}`;
}

/** Of what was judged wrong, not judged at all, could not be replayed, or differs. */
function causesText(pairs: readonly Pair[], isPair: boolean): string {
  const told = pairs.flatMap(({ sides, difference }) =>
    sides.flatMap((side, index) => {
      if (side === null) return [];
      const isUnjudged = side.verdict === 'failed' || side.verdict === 'inconclusive';
      const isWrong = isUnjudged || (side.score !== null && side.score !== 'right');
      if (!isWrong && !(isPair && difference.rank < 2)) return [];
      return [{ side, name: isPair ? ` (${index === 0 ? 'A' : 'B'})` : '' }];
    }),
  );
  const lines = told.slice(0, CAUSES_MAX).flatMap(({ side, name }) => {
    const { deploy, verdict, because } = side;
    const causes = because.slice(0, CAUSES_EACH_MAX).map((text) => `  ${text}`);
    const further = because.length - causes.length;
    if (further > 0) causes.push(`  and ${further} more (--report or --json has all)`);
    return [`${deploy.version}${name} ${verdictWords(verdict).text}:`, ...causes];
  });
  if (told.length > CAUSES_MAX) {
    lines.push(`… and ${told.length - CAUSES_MAX} more (--report or --json has all)`);
  }
  return lines.join('\n');
}

function sumsText(results: readonly BacktestResult[]): string {
  const columns = results.map((one) => summaryRows(one, results.length > 1));
  const names = results.map(({ policy }, index) => `${'AB'[index] ?? ''}: ${policy.file}`);
  const header = results.length > 1 ? [['', ...names]] : [];
  const rows = (columns[0] ?? []).map(([name], row) => [
    name,
    ...columns.map((column) => column[row]?.[1] ?? ''),
  ]);
  const titles = results.map((one) => `${one.policy.name}: ${headline(one).title}`);
  return `${titles.join('\n')}\n${table([...header, ...rows])}`;
}

/** "[#####···] 12 of 50". */
export function barText(done: number, total: number): string {
  const filled = total === 0 ? 0 : Math.floor((done / total) * BAR_CELLS);
  return `[${'#'.repeat(filled)}${'·'.repeat(BAR_CELLS - filled)}] ${done} of ${total}`;
}

export function doneText({ deploy, verdict, afterMs, by, because }: DeployResult): string {
  const when = afterMs === null ? '' : ` after ${afterText(afterMs)}`;
  const why = verdict === 'stopped' ? `: ${conditionsText(by)}` : '';
  const cause = verdict === 'failed' ? `: ${because[0] ?? ''}` : '';
  return `${deploy.service} ${deploy.version}: ${verdictWords(verdict).text}${when}${why}${cause}`;
}
