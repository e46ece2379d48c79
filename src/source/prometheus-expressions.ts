// The `promql` indicators of one watch. All of a tick are asked together, and with those of other
// watches. When that is refused, each is asked alone, so that one bad expression does not blind the
// others; the bad one stays out of the combined query and is asked again now and then.
import type { PromqlIndicator } from '../core/policy.ts';
import { formatDuration } from '../core/quantity.ts';
import type { ReadRequest } from '../core/read.ts';
import type { Blind, BlindReason, Reading } from '../core/sample.ts';
import { cut, type QueryAnswer } from './prometheus-api.ts';
import type { Labels, VectorElement } from './prometheus-result.ts';
import { type Expression, fillRange, INDICATOR_LABEL, RANGE_PLACEHOLDER } from './promql.ts';
import type { ExpressionQuery } from './shared-expressions.ts';
import { type Answered, PROBES } from './shared-query.ts';

/** A refused expression is asked again after so many ticks: its data or a rule may have changed. */
export const REFUSED_ASKED_AGAIN_TICKS = 12;
/** The combined query was refused though each expression alone is fine: tried again after this. */
export const COMBINED_ASKED_AGAIN_TICKS = 60;
/** Expressions asked alone at the same time. */
export const ALONE_AT_ONCE_MAX = 4;
/** While nothing is answered in time, it is tried ever more seldom which expression is heavy. */
const PARTED_AGAIN_TICKS_MAX = 60;
/** An expression may be asked with those of ticks that began so much earlier. */
const EARLIER_MS_MAX = 250;
/** Label sets named when several series came where one is meant. */
const NAMED_SERIES_MAX = 3;

type Asked = Expression & {
  /** Remembers the expression across ticks; the range in its text changes. */
  readonly key: string;
  /** Asked at an earlier time it would look at the time before the deploy. */
  readonly fromMs: number;
  readonly range: { readonly rangeMs: number; readonly shortened: boolean } | null;
};

type One = { readonly asked: Asked; readonly answer: QueryAnswer };
type When = Pick<ReadRequest, 'atMs' | 'signal'>;

export class ExpressionReader {
  readonly #query: ExpressionQuery;
  readonly #scalars = new Set<string>();
  readonly #setAside = new Map<string, { blind: Blind; againAtTick: number }>();
  /** Were answered before: only these may be asked with those of other watches. */
  readonly #proven = new Set<string>();
  #tick = 0;
  #aloneUntilTick = 0;
  /** When it is looked for the heavy one, and after how many ticks the next time. */
  #partedAtTick: number | null = null;
  #partedAfterTicks = 1;
  #partings = 0;

  constructor(query: ExpressionQuery) {
    this.#query = query;
  }

  async read(
    indicators: readonly PromqlIndicator[],
    request: Pick<ReadRequest, 'atMs' | 'deployedAtMs' | 'signal'>,
  ): Promise<ReadonlyMap<string, Reading>> {
    this.#tick += 1;
    const readings = new Map<string, Reading>();
    const together: Asked[] = [];
    const alone: Asked[] = [];
    for (const indicator of indicators) {
      const asked = this.#asked(indicator, request);
      if ('kind' in asked) {
        readings.set(indicator.id, asked);
        continue;
      }
      const aside = this.#setAside.get(asked.key);
      if (aside === undefined) together.push(asked);
      else if (this.#tick >= aside.againAtTick) alone.push(asked);
      else readings.set(asked.id, aside.blind);
    }
    const [fromTogether, fromAlone] = await Promise.all([
      this.#askTogether(together, request),
      this.#askEachAlone(alone, request),
    ]);
    for (const [id, reading] of [...fromTogether, ...fromAlone]) readings.set(id, reading);
    return readings;
  }

  #asked(
    indicator: PromqlIndicator,
    { atMs, deployedAtMs }: Pick<ReadRequest, 'atMs' | 'deployedAtMs'>,
  ): Asked | Blind {
    const { id, overMs, waitMs } = indicator;
    const sinceDeployMs = deployedAtMs === null ? null : Math.max(0, atMs - deployedAtMs);
    if (sinceDeployMs !== null && waitMs > sinceDeployMs) {
      const wait = formatDuration(waitMs);
      const since = formatDuration(Math.floor(sinceDeployMs / 1_000) * 1_000);
      return blind('too_early', `looks back ${wait}, the deploy is ${since} old`);
    }
    const promql = fillRange(indicator, sinceDeployMs);
    if (promql === null) {
      return blind(
        'too_early',
        sinceDeployMs === null
          ? 'its range counts from the deploy, which is still to come'
          : 'the deploy is less than 1s old',
      );
    }
    const hasRange = indicator.promql.includes(RANGE_PLACEHOLDER);
    const rangeMs = Math.min(overMs ?? Infinity, sinceDeployMs ?? Infinity);
    const key = JSON.stringify([id, indicator.promql]);
    // The text has whole seconds.
    const filledMs = hasRange ? Math.floor(rangeMs / 1_000) * 1_000 : 0;
    return {
      id,
      key,
      promql,
      isScalar: this.#scalars.has(key),
      fromMs: deployedAtMs === null ? atMs : deployedAtMs + Math.max(waitMs, filledMs),
      range: hasRange ? { rangeMs, shortened: overMs !== null && rangeMs < overMs } : null,
    };
  }

  async #askTogether(asked: readonly Asked[], when: When): Promise<ReadonlyMap<string, Reading>> {
    const [first, second] = asked;
    if (first === undefined) return new Map();
    if (second === undefined) return this.#askEachAlone(asked, when, this.#isUnproven(asked));
    if (this.#tick < this.#aloneUntilTick) return this.#askEachAlone(asked, when);
    if (this.#partedAtTick === this.#tick) return this.#askParted(asked, when);
    const answer = await this.#ask(asked, when, this.#isUnproven(asked));
    if (answer.kind === 'answered') {
      this.#partedAtTick = null;
      this.#partedAfterTicks = 1;
      for (const { key } of asked) this.#proven.add(key);
      return shareOut(asked, answer);
    }
    switch (answer.fault) {
      case 'server':
        return sameForAll(asked, blind(answer.reason, answer.detail));
      case 'slow':
        // One heavy expression may hold up the rest: it is looked for in a later tick.
        this.#partedAtTick ??= this.#tick + this.#partedAfterTicks;
        return sameForAll(asked, blind(answer.reason, answer.detail));
      case 'query':
      case 'size': {
        const knownBefore = this.#scalars.size + this.#setAside.size;
        const readings = await this.#askEachAlone(asked, when);
        const isExplained = this.#scalars.size + this.#setAside.size > knownBefore;
        if (!isExplained) this.#aloneUntilTick = this.#tick + COMBINED_ASKED_AGAIN_TICKS;
        return readings;
      }
      default:
        return answer.fault satisfies never;
    }
  }

  /** Each alone, when some are answered: a server that answers nothing in time is not asked more. */
  async #askParted(asked: readonly Asked[], when: When): Promise<ReadonlyMap<string, Reading>> {
    const begin = (this.#partings * PROBES) % asked.length;
    const inTurn = [...asked.slice(begin), ...asked.slice(0, begin)];
    this.#partings += 1;
    this.#partedAtTick = null;
    const found = await this.#answersOf(inTurn.slice(0, PROBES), when);
    const others = inTurn.slice(PROBES);
    const failure = found.find(({ answer }) => answer.kind === 'failed')?.answer;
    if (failure?.kind === 'failed' && found.every(({ answer }) => answer.kind === 'failed')) {
      this.#partedAfterTicks = Math.min(2 * this.#partedAfterTicks, PARTED_AGAIN_TICKS_MAX);
      found.push(...others.map((one) => ({ asked: one, answer: failure })));
    } else {
      this.#partedAfterTicks = 1;
      found.push(...(await this.#answersOf(others, when)));
    }
    return this.#judgeEach(found);
  }

  async #askEachAlone(
    asked: readonly Asked[],
    when: When,
    isApart = true,
  ): Promise<ReadonlyMap<string, Reading>> {
    return this.#judgeEach(await this.#answersOf(asked, when, isApart));
  }

  async #answersOf(asked: readonly Asked[], when: When, isApart = true): Promise<One[]> {
    const answers: One[] = [];
    const waiting = [...asked];
    const lane = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        answers.push({ asked: next, answer: await this.#ask([next], when, isApart) });
      }
    };
    await Promise.all(Array.from({ length: Math.min(ALONE_AT_ONCE_MAX, asked.length) }, lane));
    return answers;
  }

  #ask(expressions: readonly Asked[], { atMs, signal }: When, isApart: boolean) {
    const fromMs = Math.max(atMs - EARLIER_MS_MAX, ...expressions.map((one) => one.fromMs));
    return this.#query({ expressions, atMs, fromMs, isApart }, signal);
  }

  #isUnproven(asked: readonly Asked[]): boolean {
    return asked.some(({ key }) => !this.#proven.has(key));
  }

  #judgeEach(answers: readonly One[]): ReadonlyMap<string, Reading> {
    // When all are slow the server is to blame, not an expression.
    const blamesSlow = answers.some(({ answer }) => answer.kind === 'answered');
    return new Map(answers.map((one) => [one.asked.id, this.#judgeAlone(one, blamesSlow)]));
  }

  #judgeAlone({ asked, answer }: One, blamesSlow: boolean): Reading {
    if (answer.kind === 'failed') {
      const reading = blind(answer.reason, answer.detail);
      const { fault } = answer;
      const isToBlame = fault === 'query' || fault === 'size' || (fault === 'slow' && blamesSlow);
      if (isToBlame) this.#putAside(asked, reading);
      return reading;
    }
    const { result, warnings } = answer;
    switch (result.type) {
      case 'vector':
        this.#known(asked, result.elements);
        return readingOf(result.elements, asked, warnings);
      case 'scalar':
        this.#known(asked, []);
        this.#scalars.add(asked.key);
        return readingOf([{ labels: {}, value: result.value }], asked, warnings);
      default: {
        const reading = blind(
          'rejected',
          `the expression gives a ${result.type}, one number per series is wanted`,
        );
        this.#putAside(asked, reading);
        return reading;
      }
    }
  }

  #known({ key }: Asked, elements: readonly VectorElement[]): void {
    this.#setAside.delete(key);
    // Series that only this label tells apart would be the same ones in a combined query.
    const isMarked = elements.some(({ labels }) => Object.hasOwn(labels, INDICATOR_LABEL));
    if (!isMarked) this.#proven.add(key);
  }

  #putAside({ key }: Asked, reading: Blind): void {
    const againAtTick = this.#tick + REFUSED_ASKED_AGAIN_TICKS;
    this.#setAside.set(key, { blind: reading, againAtTick });
  }
}

function shareOut(
  asked: readonly Asked[],
  { result, warnings }: Answered,
): ReadonlyMap<string, Reading> {
  if (result.type !== 'vector') {
    return sameForAll(asked, blind('rejected', `a ${result.type} came where a vector was asked`));
  }
  const elements = Map.groupBy(result.elements, ({ labels }) => labels[INDICATOR_LABEL]);
  return new Map(
    asked.map((one) => [one.id, readingOf(elements.get(one.id) ?? [], one, warnings)]),
  );
}

function sameForAll(asked: readonly Asked[], reading: Blind): ReadonlyMap<string, Reading> {
  return new Map(asked.map(({ id }) => [id, reading]));
}

function readingOf(
  elements: readonly VectorElement[],
  { range }: Asked,
  warnings: readonly string[],
): Reading {
  const [first] = elements;
  const note = warnings.length === 0 ? null : `Prometheus warns: ${warnings.join('; ')}`;
  if (first === undefined) return blind('no_series', 'the expression gives no series', note);
  if (elements.length > 1) {
    const named = elements.slice(0, NAMED_SERIES_MAX).map(({ labels }) => labelText(labels));
    const more = elements.length > named.length ? ', ...' : '';
    return blind('many_series', `${elements.length} series: ${named.join(', ')}${more}`, note);
  }
  if (first.value === null) {
    return blind('rejected', 'a native histogram is no number: use histogram_quantile()', note);
  }
  if (!Number.isFinite(first.value)) {
    return blind('not_finite', `the expression gives ${first.value}`, note);
  }
  return {
    kind: 'value',
    value: first.value,
    ...(range ?? {}),
    ...(note === null ? {} : { detail: cut(note) }),
  };
}

function blind(reason: BlindReason, detail: string, note: string | null = null): Blind {
  return { kind: 'blind', reason, detail: cut(note === null ? detail : `${detail}; ${note}`) };
}

function labelText(labels: Labels): string {
  const { __name__: name = '', ...rest } = labels;
  const pairs = Object.entries(rest)
    .filter(([label]) => label !== INDICATOR_LABEL)
    .map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return `${name}{${pairs.join(', ')}}`;
}
