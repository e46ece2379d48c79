// What a case says of the world: series, values, health answers, receivers. Each text is read by
// its own grammar; what cannot be read is told with its path, and left out.
import type { AnswersInput, CaseInput, CasesInput, CourseInput } from '../config/case-schema.ts';
import { SERIES_IN_CASE_MAX } from '../config/case-schema.ts';
import { didYouMean, found, type Path, problem } from '../config/problems.ts';
import type { ActionName, Indicator, Policy } from '../core/policy.ts';
import { parseQuantity } from '../core/quantity.ts';
import type { Problem } from '../kit/errors.ts';
import {
  type HealthCourse,
  healthCourseOf,
  type ReceiverWord,
  receiverWordsOf,
  WANTED_HEALTH,
  WANTED_RECEIVER,
} from './answers.ts';
import { type Course, type Era, readCourse } from './course.ts';
import {
  type CaseSeries,
  DEFAULT_BUCKETS,
  histogramsOf,
  joined,
  keyOf,
  metricsOf,
  parseSeriesName,
  readHistogram,
} from './series.ts';
import { parseTime } from './time.ts';

type Inputs = Pick<CaseInput, 'before' | 'series' | 'values' | 'health' | 'receivers'>;

/** What one level (the file or a case) says. */
export type World = {
  readonly before: ReadonlyMap<string, CaseSeries>;
  readonly series: ReadonlyMap<string, CaseSeries>;
  readonly valuesBefore: ReadonlyMap<string, Course>;
  readonly values: ReadonlyMap<string, Course>;
  readonly health: ReadonlyMap<string, HealthCourse>;
  readonly receivers: Readonly<Partial<Record<ActionName, readonly ReceiverWord[]>>>;
};

export type WorldContext = {
  readonly policy: Policy;
  readonly everyMs: number;
  readonly buckets: readonly number[];
  readonly path: Path;
  readonly problems: Problem[];
};

export function bucketsOf({ buckets }: Pick<CasesInput, 'buckets'>): readonly number[] {
  return buckets?.map((bound) => parseQuantity(bound)?.value ?? 0) ?? DEFAULT_BUCKETS;
}

export function readWorld(inputs: Inputs, context: WorldContext): World {
  const valued = idsOf(context.policy, 'promql', 'audit_log');
  const isValue = ([name]: readonly [string, CourseInput]) => valued.includes(name);
  const before = Object.entries(inputs.before ?? {});
  return {
    before: readSeries(
      before.filter((entry) => !isValue(entry)),
      'before',
      context,
    ),
    series: readSeries(Object.entries(inputs.series ?? {}), 'after', context),
    valuesBefore: readValues(before.filter(isValue), 'before', context),
    values: readValues(Object.entries(inputs.values ?? {}), 'after', context),
    health: readHealth(inputs.health, context),
    receivers: readReceivers(inputs.receivers, context),
  };
}

/** What a case says goes before what its file says, series by series. */
export function seriesOf(file: World, own: World): readonly CaseSeries[] {
  const before = new Map([...file.before, ...own.before]);
  const after = new Map([...file.series, ...own.series]);
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((key) => {
    const labels = (after.get(key) ?? before.get(key))?.labels;
    if (labels === undefined) return [];
    return [{ labels, course: joined(before.get(key)?.course, after.get(key)?.course) }];
  });
}

export function valuesOf(file: World, own: World): ReadonlyMap<string, Course> {
  const before = new Map([...file.valuesBefore, ...own.valuesBefore]);
  const after = new Map([...file.values, ...own.values]);
  const ids = [...new Set([...before.keys(), ...after.keys()])];
  return new Map(ids.map((id) => [id, joined(before.get(id), after.get(id))]));
}

export function idsOf(policy: Policy, ...kinds: readonly Indicator['kind'][]): readonly string[] {
  return Object.values(policy.indicators).flatMap(({ id, kind }) =>
    kinds.includes(kind) ? [id] : [],
  );
}

function readSeries(
  entries: readonly (readonly [string, CourseInput])[],
  era: Era,
  { policy, everyMs, buckets, path, problems }: WorldContext,
): ReadonlyMap<string, CaseSeries> {
  const series = new Map<string, CaseSeries>();
  const namesByKey = new Map<string, string>();
  const histograms = histogramsOf(policy);
  const known = [...metricsOf(policy), ...[...histograms].map((name) => `${name}_bucket`)];
  for (const [name, written] of entries) {
    const at = [...path, era === 'before' ? 'before' : 'series', name];
    const labels = parseSeriesName(name);
    const metric = labels?.['__name__'] ?? '';
    if (labels === null) {
      const wanted = 'the name of a series such as http_requests_total{status="500"}';
      problems.push(problem(at, found(name), wanted));
    } else if (!known.includes(metric)) {
      const wanted = `one of ${known.join(', ')}${didYouMean(metric, known)}`;
      problems.push(problem(at, 'a series that no indicator of the policy reads', wanted));
    } else {
      const read = histograms.has(metric)
        ? readHistogram(labels, written, buckets, era)
        : one(labels, readCourse(written, everyMs, era));
      if (read.kind === 'problem') problems.push(problem(at, read.found, read.wanted));
      else {
        const twice = read.course.find((item) => series.has(keyOf(item.labels)));
        if (twice !== undefined) {
          const before = namesByKey.get(keyOf(twice.labels));
          problems.push(problem(at, `the series of ${before} a second time`, 'each series once'));
          continue;
        }
        for (const item of read.course) {
          series.set(keyOf(item.labels), item);
          namesByKey.set(keyOf(item.labels), name);
        }
      }
    }
  }
  if (series.size > SERIES_IN_CASE_MAX) {
    const wanted = `at most ${SERIES_IN_CASE_MAX}; a case needs only series that matter`;
    problems.push(problem([...path, 'series'], `${series.size} series`, wanted));
  }
  return series;
}

function one(labels: CaseSeries['labels'], read: ReturnType<typeof readCourse>) {
  if (read.kind === 'problem') return read;
  return { kind: 'course', course: [{ labels, course: read.course }] } as const;
}

function readValues(
  entries: readonly (readonly [string, CourseInput])[],
  era: Era,
  { policy, everyMs, path, problems }: WorldContext,
): ReadonlyMap<string, Course> {
  const values = new Map<string, Course>();
  const known = idsOf(policy, 'promql', 'audit_log');
  for (const [id, written] of entries) {
    const at = [...path, era === 'before' ? 'before' : 'values', id];
    if (!known.includes(id)) {
      const none = 'none: the policy has no promql and no audit_log';
      const names = known.length === 0 ? none : known.join(', ');
      const wanted = `a promql or audit_log indicator (${names})${didYouMean(id, known)}; the others are computed from series`;
      problems.push(problem(at, 'a name that is none', wanted));
      continue;
    }
    const read = readCourse(written, everyMs, era);
    if (read.kind === 'problem') problems.push(problem(at, read.found, read.wanted));
    else values.set(id, read.course);
  }
  return values;
}

function readHealth(
  input: AnswersInput | undefined,
  { policy, path, problems }: WorldContext,
): ReadonlyMap<string, HealthCourse> {
  const known = idsOf(policy, 'http');
  const courses = new Map<string, HealthCourse>();
  const read = (at: Path, ids: readonly string[], written: unknown) => {
    const course = isAnswers(written) ? healthCourseOf(written) : null;
    if (course === null) problems.push(problem(at, found(written), WANTED_HEALTH));
    else for (const id of ids) courses.set(id, course);
  };
  const at = [...path, 'health'];
  if (input === undefined) return courses;
  const isForAll =
    typeof input === 'string' || Object.keys(input).every((key) => parseTime(key) !== null);
  if (known.length === 0) {
    problems.push(problem(at, 'answers', 'none: the policy has no http indicator; remove them'));
  } else if (isForAll) {
    read(at, known, input);
  } else {
    for (const [id, written] of Object.entries(input)) {
      if (known.includes(id)) read([...at, id], [id], written);
      else {
        const wanted = `a time, or an http indicator: ${known.join(', ')}${didYouMean(id, known)}`;
        problems.push(problem([...at, id], found(id), wanted));
      }
    }
  }
  return courses;
}

function isAnswers(written: unknown): written is string | Readonly<Record<string, string>> {
  if (typeof written === 'string') return true;
  if (typeof written !== 'object' || written === null) return false;
  return Object.values(written).every((answer) => typeof answer === 'string');
}

function readReceivers(
  input: Inputs['receivers'],
  { policy, path, problems }: WorldContext,
): World['receivers'] {
  const receivers: Partial<Record<ActionName, readonly ReceiverWord[]>> = {};
  for (const action of ['disarm', 'rollback'] as const) {
    const text = input?.[action];
    if (text === undefined) continue;
    const at = [...path, 'receivers', action];
    const words = receiverWordsOf(text);
    if (words === null) problems.push(problem(at, found(text), WANTED_RECEIVER));
    else if (!policy.actions.some(({ name }) => name === action)) {
      problems.push(problem(at, found(text), `none: the policy has no ${action}; remove it`));
    } else receivers[action] = words;
  }
  return receivers;
}
