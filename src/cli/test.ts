// `test`: plays the cases of policies offline and says which fail, with what canaryd did instead.

import type { CaseFile } from '../cases/case.ts';
import {
  type ConditionCoverage,
  type Covered,
  coverageOf,
  isBothWays,
  isComplete,
} from '../cases/coverage.ts';
import { drawingOf } from '../cases/drawing.ts';
import { playCase } from '../cases/play.ts';
import { readCaseFile } from '../cases/read.ts';
import type { CaseResult, Failure, PlayedWatch } from '../cases/result.ts';
import { problemsText } from '../config/problems.ts';
import type { WatchEvent } from '../core/event.ts';
import { formatDuration } from '../core/quantity.ts';
import { toWire } from '../http/wire.ts';
import type { Problem } from '../kit/errors.ts';
import { EXIT, type ExitCode, usage } from './exit.ts';
import type { CliIo, Output } from './output.ts';
import { storyLine } from './story.ts';

/** Events shown around a failure. */
const EVENTS_BEFORE = 3;
const EVENTS_AFTER = 2;

export type TestOptions = {
  readonly filter?: string;
  /** `true`: shown; `required`: an incomplete one fails. */
  readonly coverage?: string | boolean;
  readonly ascii?: boolean;
};

type Ran = { readonly file: CaseFile; readonly results: readonly CaseResult[] };
type Unread = { readonly file: string; readonly problems: readonly Problem[] };

export async function testFiles(
  io: CliIo,
  output: Output,
  files: readonly string[],
  options: TestOptions,
): Promise<ExitCode> {
  const { coverage: asked } = options;
  if (asked !== undefined && asked !== true && asked !== 'required') {
    throw usage(
      `--coverage: found ${JSON.stringify(asked)}, wanted nothing or "required"; files come before it`,
    );
  }
  const read = files.map((path) => ({ path, result: readCaseFile(path) }));
  const unread = read.flatMap(({ path: file, result }): Unread[] =>
    result.kind === 'problems' ? [{ file, problems: result.problems }] : [],
  );
  if (unread.length > 0) {
    if (output.isJson) output.json({ ok: false, invalid: unread, files: [] });
    for (const { file, problems } of unread) output.error(problemsText(file, problems));
    return EXIT.usage;
  }
  const wanted = read.flatMap(({ result }) =>
    result.kind === 'file' ? [filtered(result.file, options.filter)] : [],
  );
  if (wanted.every(({ cases }) => cases.length === 0)) {
    throw usage(`--filter: no case has ${JSON.stringify(options.filter)} in its name`);
  }
  const ran: Ran[] = [];
  for (const file of wanted) ran.push(await runFile(io, output, file, options));
  if (io.signal.aborted) return EXIT.interrupted;
  return finish(output, ran, asked);
}

function filtered(file: CaseFile, filter: string | undefined): CaseFile {
  if (filter === undefined) return file;
  const text = filter.toLowerCase();
  return { ...file, cases: file.cases.filter(({ name }) => name.toLowerCase().includes(text)) };
}

async function runFile(
  io: CliIo,
  output: Output,
  file: CaseFile,
  options: TestOptions,
): Promise<Ran> {
  const results: CaseResult[] = [];
  if (!output.isJson) output.line(`${file.file}: policy ${file.policy.name}`);
  for (const one of file.cases) {
    if (io.signal.aborted) break;
    output.live(`  … ${one.name}`);
    // A turn of the event loop lets the line be drawn and Ctrl-C be heard.
    await new Promise((resolve) => setImmediate(resolve));
    const monotonic = () => io.clock.monotonic();
    const result = await playCase(file, one, { monotonic, signal: io.signal });
    // Printed at once: the ticks of days are not kept.
    results.push({ ...result, watches: [] });
    if (!output.isJson)
      for (const line of caseLines(io, result, one.untilMs, options)) output.line(line);
  }
  return { file, results };
}

function caseLines(
  io: CliIo,
  result: CaseResult,
  untilMs: number,
  options: TestOptions,
): readonly string[] {
  const isAscii = options.ascii === true || Boolean(io.env['NO_UNICODE']);
  const isGood = result.failures.length === 0;
  const sign = isAscii ? (isGood ? 'ok  ' : 'FAIL') : isGood ? '✓' : '✗';
  const line = `  ${sign} ${result.name} (${(result.tookMs / 1_000).toFixed(1)} s)`;
  const shown = new Set<string>();
  const isFirst = (...parts: readonly (string | number | null)[]) => {
    const key = parts.join(' ');
    return shown.size < shown.add(key).size;
  };
  return [
    line,
    ...result.failures.flatMap((failure) => {
      const { watchId, indicator, foundMs } = failure;
      const tells = isFirst('events', watchId, foundMs);
      const draws = isFirst('drawing', watchId, indicator);
      return failureLines(result, failure, { untilMs, isAscii, tells, draws });
    }),
  ];
}

function failureLines(
  { watches }: CaseResult,
  failure: Failure,
  how: {
    readonly untilMs: number;
    readonly isAscii: boolean;
    /** The same events and drawings are shown once. */
    readonly tells: boolean;
    readonly draws: boolean;
  },
): readonly string[] {
  const { at, field, expected, got, foundMs, indicator } = failure;
  const when = at === 'never' || at.includes('-') ? ` at ${formatDuration(foundMs)}` : '';
  const lines = [
    `      ${at} ${field}`,
    `        expected  ${expected}`,
    `        got       ${got}${when}`,
  ];
  const watch = watches.find(({ id }) => id === failure.watchId);
  if (watch === undefined) return lines;
  if (how.tells) {
    const view = toWire(watch.view);
    const near = eventsNear(watch, foundMs).map((event) => `          ${storyLine(event, view)}`);
    lines.push('        canaryd said', ...near);
  }
  if (indicator !== null && how.draws) {
    const drawn = drawingOf(watch, { ...how, indicator, hereMs: foundMs });
    lines.push(...drawn.map((line) => `        ${line}`));
  }
  return lines;
}

/** A few events before and after; and the one that ended the watch, which explains most. */
function eventsNear({ events, deployedAtMs }: PlayedWatch, foundMs: number): readonly WatchEvent[] {
  const next = events.findIndex(({ atMs }) => atMs - deployedAtMs > foundMs);
  const middle = next === -1 ? events.length : next;
  return events.filter(
    ({ type }, index) =>
      (index >= middle - EVENTS_BEFORE && index < middle + EVENTS_AFTER) || CLOSING.test(type),
  );
}

const CLOSING = /^watch\.(?:stopped|passed|inconclusive|cancelled|superseded)$/;

function finish(output: Output, ran: readonly Ran[], asked: TestOptions['coverage']): ExitCode {
  const results = ran.flatMap((one) => one.results);
  const failed = results.filter(({ failures }) => failures.length > 0).length;
  const coverages = asked === undefined ? [] : coverageByPolicy(ran);
  const isCovered = coverages.every(({ conditions }) => isComplete(conditions));
  const isGood = failed === 0 && (asked !== 'required' || isCovered);
  if (output.isJson) {
    output.json({ ok: isGood, invalid: [], files: ran.map(ranJson), coverage: coverages });
  } else {
    for (const { policy, conditions } of coverages) {
      for (const line of coverageLines(policy, conditions)) output.line(line);
    }
    const tookMs = results.reduce((sum, one) => sum + one.tookMs, 0);
    const seconds = (tookMs / 1_000).toFixed(1);
    output.line(`${results.length - failed} passed, ${failed} failed, ${seconds} s`);
  }
  return isGood ? EXIT.passed : EXIT.stopped;
}

type PolicyCoverage = {
  readonly policy: string;
  readonly conditions: readonly ConditionCoverage[];
};

/** Several files may test one policy. */
function coverageByPolicy(ran: readonly Ran[]): readonly PolicyCoverage[] {
  const byPolicy = Map.groupBy(ran, ({ file }) => file.policyFile);
  return [...byPolicy.values()].flatMap((group): PolicyCoverage[] => {
    const [first] = group;
    if (first === undefined) return [];
    const { policy } = first.file;
    const conditions = coverageOf(
      policy,
      group.flatMap(({ results }) => results),
    );
    return [{ policy: policy.name, conditions }];
  });
}

function coverageLines(
  policy: string,
  conditions: readonly ConditionCoverage[],
): readonly string[] {
  const both = conditions.filter(isBothWays).length;
  const are = (which: 'fired' | 'held', covered: Covered) =>
    conditions.filter((one) => one[which] === covered);
  const list = (what: string, some: readonly ConditionCoverage[]) =>
    some.length === 0
      ? []
      : [`  ${what}`, ...some.map(({ condition, sentence }) => `    ${condition}: ${sentence}`)];
  return [
    `Coverage of ${policy}: ${both} of ${conditions.length} conditions both ways`,
    ...list('No case makes these fire:', are('fired', 'never')),
    ...list('No case judges these without firing:', are('held', 'never')),
    ...list('These fired, but no case expects it:', are('fired', 'seen')),
    ...list('These were judged without firing, but no case expects it:', are('held', 'seen')),
  ];
}

function ranJson({ file, results }: Ran) {
  return {
    file: file.file,
    policy: file.policy.name,
    cases: results.map(({ name, failures, tookMs }) => ({
      name,
      ok: failures.length === 0,
      took_ms: Math.round(tookMs),
      failures: failures.map(({ at, foundMs, field, expected, got }) => ({
        at,
        found_at: formatDuration(foundMs),
        field,
        expected,
        got,
      })),
    })),
  };
}
