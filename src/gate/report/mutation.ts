// Mutation scores: Stryker and every tool that writes its schema, the counts of mutmut, or a score
// somewhere in any JSON.
import { isMapping, jsonAt } from '../../kit/json.ts';
import { countIn, entriesIn, field, listIn, numberOf, textIn } from './json.ts';
import { isInPackage } from './packages.ts';
import { type Refused, refused } from './read.ts';

export type Score = {
  readonly kind: 'score';
  /** From 0 to 1. */
  readonly value: number;
  /** "81 of 100 mutants found"; empty when only the score is known. */
  readonly text: string;
};

export type ScoreFormat = { readonly path: string | null; readonly scale: 'percent' | 'share' };

const DETECTED = new Set(['Killed', 'Timeout']);
const UNDETECTED = new Set(['Survived', 'NoCoverage']);
/** Mutants that are none: they did not compile, or were left out in writing. */
const LEFT_OUT = new Set(['CompileError', 'RuntimeError', 'Ignored']);

/** @param name of a package; null: the whole report */
export function scoreIn(
  report: unknown,
  name: string | null,
  format: ScoreFormat,
): Score | Refused {
  if (format.path !== null) return scoreAt(report, format.path, name, format.scale);
  if (isMapping(field(report, 'files'))) return strykerScore(field(report, 'files'), name);
  if (countIn(report, 'killed') !== null && countIn(report, 'total') !== null) {
    return name === null
      ? mutmutScore(report)
      : refused('has no packages, as mutmut counts the whole; leave packages out');
  }
  return refused('is no mutation report that is known here; write where the score stands as score');
}

function strykerScore(files: unknown, name: string | null): Score | Refused {
  let [found, missed, pending] = [0, 0, 0];
  for (const [path, file] of entriesIn(files)) {
    if (name !== null && !isInPackage(path, name)) continue;
    for (const mutant of listIn(file, 'mutants')) {
      const status = textIn(mutant, 'status') ?? '';
      if (DETECTED.has(status)) found += 1;
      else if (UNDETECTED.has(status)) missed += 1;
      else if (!LEFT_OUT.has(status)) pending += 1;
    }
  }
  if (pending > 0) return refused(`has ${pending} mutants without a result; let the run end`);
  return ofCounts(found, found + missed, name);
}

function mutmutScore(report: unknown): Score | Refused {
  if (field(report, 'check_was_interrupted_by_user') === true) {
    return refused('is of a run that was interrupted; let it end');
  }
  const count = (what: string) => countIn(report, what) ?? 0;
  if (count('check_was_interrupted_by_user') > 0) {
    return refused('is of a run that was interrupted; let it end');
  }
  const found = count('killed') + count('timeout') + count('segfault');
  return ofCounts(found, count('total') - count('skipped'), null);
}

function ofCounts(found: number, total: number, name: string | null): Score | Refused {
  if (total <= 0) return refused(`has no mutants${name === null ? '' : ` of ${name}`}`);
  if (found > total) return refused('counts more mutants found than there are; write it again');
  return { kind: 'score', value: found / total, text: ` (${found} of ${total} mutants found)` };
}

function scoreAt(
  report: unknown,
  path: string,
  name: string | null,
  scale: ScoreFormat['scale'],
): Score | Refused {
  const place = path.replaceAll('{package}', name ?? '');
  const number = numberOf(jsonAt(report, place));
  if (number === null) return refused(`has no number at ${place}`);
  const value = scale === 'percent' ? number / 100 : number;
  if (value < 0 || value > 1) {
    const other = scale === 'percent' ? 'from 0 to 100' : 'from 0 to 1 (or write scale: percent)';
    return refused(`has ${number} at ${place}; wanted a score ${other}`);
  }
  if (scale === 'percent' && number > 0 && number <= 1) {
    return refused(`has ${number} at ${place}, which may be a share; write scale: share`);
  }
  return { kind: 'score', value, text: '' };
}
