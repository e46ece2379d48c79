// Coverage reports, file by file: Cobertura XML, lcov, the json-summary of Istanbul and the JSON of
// coverage.py. Counts, not rounded percentages: 89.996 % is not 90 %.
import { isMapping } from '../../kit/json.ts';
import { writtenTime } from '../../kit/written-time.ts';
import { countIn, entriesIn, field, parseReport } from './json.ts';
import { decode, type Refused, type ReportFile, refused } from './read.ts';
import { type Element, visitXml } from './xml.ts';

export type Share = { readonly covered: number; readonly total: number };

/** What of a file was covered. Lines by number, so that reports of the same file can be joined. */
export class FileCoverage {
  readonly names: ReadonlySet<string>;
  readonly #lines = new Map<string, boolean>();
  readonly #branches = new Map<string, Share>();

  constructor(names: readonly string[]) {
    this.names = new Set(names);
  }

  line(key: string, isCovered: boolean): void {
    this.#lines.set(key, isCovered || this.#lines.get(key) === true);
  }

  branch(key: string, share: Share): void {
    const before = this.#branches.get(key);
    const covered = Math.max(share.covered, before?.covered ?? 0);
    this.#branches.set(key, { covered, total: Math.max(share.total, before?.total ?? 0) });
  }

  /** A report that has only the counts. */
  counts(lines: Share, branches: Share): void {
    this.#counted.push({ lines, branches });
  }

  readonly #counted: { readonly lines: Share; readonly branches: Share }[] = [];

  lines(): Share {
    const covered = [...this.#lines.values()].filter(Boolean).length;
    const own = { covered, total: this.#lines.size };
    return sumOf([own, ...this.#counted.map(({ lines }) => lines)]);
  }

  branches(): Share {
    return sumOf([...this.#branches.values(), ...this.#counted.map(({ branches }) => branches)]);
  }
}

export function sumOf(shares: readonly Share[]): Share {
  let [covered, total] = [0, 0];
  for (const share of shares) {
    covered += share.covered;
    total += share.total;
  }
  return { covered, total };
}

export type CoverageFiles = Map<string, FileCoverage>;

export type CoverageRead = {
  readonly kind: 'coverage';
  readonly format: 'Cobertura' | 'lcov' | 'Istanbul' | 'coverage.py';
  /** As the tool counts them; null: it does not. */
  readonly lines: Share | null;
  readonly branches: Share | null;
  readonly writtenMs: number | null;
};

const WANTED = 'wanted Cobertura XML, lcov, Istanbul json-summary or coverage.py JSON';

function fileOf(files: CoverageFiles, name: string, other: readonly string[] = []): FileCoverage {
  const known = files.get(name);
  if (known !== undefined) return known;
  const made = new FileCoverage([name, ...other]);
  files.set(name, made);
  return made;
}

export async function readCoverage(
  report: ReportFile,
  files: CoverageFiles,
  signal: AbortSignal,
): Promise<CoverageRead | Refused> {
  const text = decode(report.bytes);
  if (text === null) return refused('is not in the encoding that it names');
  const start = text.trimStart();
  if (start === '') return refused('is empty; the tool wrote nothing');
  if (start.startsWith('<')) return readCobertura(text, files, signal);
  if (/^(?:TN|SF):/.test(start)) return readLcov(text, files, signal);
  if (!start.startsWith('{')) return refused(`is no coverage report that is known here; ${WANTED}`);
  const json = parseReport(report);
  if (json.kind === 'refused') return refused(json.reason.replace(`${report.path} `, ''));
  return readJson(json.value, files);
}

async function readCobertura(
  text: string,
  files: CoverageFiles,
  signal: AbortSignal,
): Promise<CoverageRead | Refused> {
  let root: Element | null = null;
  let packageName = '';
  let file: FileCoverage | null = null;
  const problem = await visitXml(
    text,
    {
      open: (element) => {
        root ??= element;
        const { name, around, attribute } = element;
        if (name === 'package') packageName = attribute('name') ?? '';
        if (name === 'class') {
          const path = attribute('filename') ?? attribute('name') ?? '';
          file = fileOf(files, path, [packageName]);
        }
        // Those of methods stand in the class once more.
        if (name === 'line' && around.at(-2) === 'class' && file !== null) line(file, element);
      },
      close: (name) => {
        if (name === 'class') file = null;
      },
    },
    signal,
  );
  if (problem !== null) return problem;
  // Set in a callback, which the compiler does not follow.
  const first = root as Element | null;
  if (first?.name !== 'coverage') {
    return refused(
      `is no Cobertura report: it begins with <${first?.name.slice(0, 40)}>; ${WANTED}`,
    );
  }
  return {
    kind: 'coverage',
    format: 'Cobertura',
    lines: declared(first, 'lines'),
    branches: declared(first, 'branches'),
    writtenMs: writtenTime(first.attribute('timestamp')),
  };
}

function line(file: FileCoverage, { attribute }: Element): void {
  const number = attribute('number') ?? '';
  file.line(number, Number(attribute('hits')) > 0);
  const counts = /\((\d{1,9})\/(\d{1,9})\)/.exec(attribute('condition-coverage') ?? '');
  if (attribute('branch')?.toLowerCase() !== 'true' || counts === null) return;
  file.branch(number, { covered: Number(counts[1]), total: Number(counts[2]) });
}

function declared({ attribute }: Element, what: string): Share | null {
  const covered = wholeOf(attribute(`${what}-covered`));
  const total = wholeOf(attribute(`${what}-valid`));
  return covered === null || total === null ? null : { covered, total };
}

function wholeOf(text: string | null): number | null {
  return text !== null && /^\d{1,12}$/.test(text) ? Number(text) : null;
}

const LINES_AT_ONCE = 100_000;

async function readLcov(
  text: string,
  files: CoverageFiles,
  signal: AbortSignal,
): Promise<CoverageRead | Refused> {
  let file: FileCoverage | null = null;
  let count = 0;
  let at = 0;
  while (at < text.length) {
    const end = text.indexOf('\n', at);
    const next = end === -1 ? text.length : end;
    const written = text.slice(at, next).trim();
    at = next + 1;
    count += 1;
    if (count % LINES_AT_ONCE === 0) {
      if (signal.aborted) return refused('was not read to its end: cut off');
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (written.startsWith('SF:')) file = fileOf(files, written.slice(3));
    else if (written === 'end_of_record') file = null;
    else if (file !== null) lcovLine(file, written);
  }
  if (file !== null) return refused('is truncated: its last record has no end; write it again');
  return { kind: 'coverage', format: 'lcov', lines: null, branches: null, writtenMs: null };
}

function lcovLine(file: FileCoverage, written: string): void {
  const [, kind, rest = ''] = /^(DA|BRDA):(.*)$/.exec(written) ?? [];
  if (kind === 'DA') {
    const [number = '', hits = ''] = rest.split(',');
    file.line(number, Number(hits) > 0);
  }
  if (kind !== 'BRDA') return;
  // The name of a branch may hold commas; what was taken stands last.
  const comma = rest.lastIndexOf(',');
  const taken = Number(rest.slice(comma + 1)) > 0;
  file.branch(rest.slice(0, comma), { covered: taken ? 1 : 0, total: 1 });
}

function readJson(value: unknown, files: CoverageFiles): CoverageRead | Refused {
  const total = field(value, 'total');
  if (isMapping(field(total, 'lines'))) {
    for (const [path, of] of entriesIn(value)) {
      const [lines, branches] = [istanbul(of, 'lines'), istanbul(of, 'branches')];
      if (path === 'total' || lines === null) continue;
      fileOf(files, path).counts(lines, branches ?? { covered: 0, total: 0 });
    }
    const [lines, branches] = [istanbul(total, 'lines'), istanbul(total, 'branches')];
    return { kind: 'coverage', format: 'Istanbul', lines, branches, writtenMs: null };
  }
  const totals = field(value, 'totals');
  if (isMapping(totals) && isMapping(field(value, 'meta'))) {
    for (const [path, of] of entriesIn(field(value, 'files'))) {
      const { lines, branches } = coveragePy(field(of, 'summary'));
      if (lines !== null) {
        fileOf(files, path).counts(lines, branches ?? { covered: 0, total: 0 });
      }
    }
    const writtenMs = writtenTime(field(field(value, 'meta'), 'timestamp'));
    return { kind: 'coverage', format: 'coverage.py', ...coveragePy(totals), writtenMs };
  }
  const isFinal = entriesIn(value).some(([, of]) => isMapping(field(of, 'statementMap')));
  return isFinal
    ? refused('is the detailed report of Istanbul; write the reporter json-summary')
    : refused(`is no coverage report that is known here; ${WANTED}`);
}

function istanbul(value: unknown, what: string): Share | null {
  const of = field(value, what);
  return shareOf(countIn(of, 'covered'), countIn(of, 'total'));
}

function coveragePy(value: unknown): { lines: Share | null; branches: Share | null } {
  return {
    lines: shareOf(countIn(value, 'covered_lines'), countIn(value, 'num_statements')),
    branches: shareOf(countIn(value, 'covered_branches'), countIn(value, 'num_branches')),
  };
}

function shareOf(covered: number | null, total: number | null): Share | null {
  return covered === null || total === null ? null : { covered, total };
}
