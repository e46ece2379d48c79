// Reads indicators from a Prometheus-compatible API. At most two requests per tick, whatever the
// number of indicators, and for watches that tick together as for one: raw samples for all
// structured indicators, one combined query for all `promql` ones.
// May not judge by `rate()` or `increase()` (see promql.ts), and may not let one bad indicator
// blind the others.
import type { MeasuredIndicator } from '../core/measure.ts';
import type { PromqlIndicator } from '../core/policy.ts';
import type { Source } from '../core/read.ts';
import type { Clock } from '../kit/clock.ts';
import { createQuery, type PrometheusOptions, type Query } from './prometheus-api.ts';
import { ExpressionReader } from './prometheus-expressions.ts';
import { RawReader } from './raw-reader.ts';
import {
  type ExpressionQuery,
  expressionsAloneOn,
  expressionsSharedOn,
} from './shared-expressions.ts';
import { aloneOn, type RawQuery, sharedOn } from './shared-raw.ts';

/** Histories kept; beyond it the one read longest ago goes, and is fetched again when asked. */
const WATCHES_KEPT_MAX = 5_000;

type PerWatch = { readonly raw: RawReader; readonly expressions: ExpressionReader };

/** How raw samples and expressions are asked for. */
export type Asks = { readonly raw: RawQuery; readonly expressions: ExpressionQuery };

export function createPrometheusSource(options: PrometheusOptions): Source {
  const query = createQuery(options);
  return sourceOn(query, sharedAsks(query, options.clock));
}

/** Watches that tick together ask together. */
export function sharedAsks(query: Query, clock: Clock): Asks {
  return { raw: sharedOn(query, clock), expressions: expressionsSharedOn(query, clock) };
}

/**
 * The same on any way to ask: the fault simulation answers by itself.
 * @param asks default: each watch by itself
 */
export function sourceOn(
  query: Query,
  asks: Asks = { raw: aloneOn(query), expressions: expressionsAloneOn(query) },
): Source {
  const watches = new Map<string, PerWatch>();

  function create(): PerWatch {
    return { raw: new RawReader(asks.raw), expressions: new ExpressionReader(asks.expressions) };
  }

  function perWatch(watchId: string): PerWatch {
    const found = watches.get(watchId) ?? create();
    // A Map keeps the order of insertion: the first one was read longest ago.
    watches.delete(watchId);
    watches.set(watchId, found);
    const [oldest] = watches.keys();
    if (watches.size > WATCHES_KEPT_MAX && oldest !== undefined) watches.delete(oldest);
    return found;
  }

  return {
    async read(request) {
      const measured: MeasuredIndicator[] = [];
      const promql: PromqlIndicator[] = [];
      for (const indicator of request.indicators) {
        if (indicator.kind === 'promql') promql.push(indicator);
        else measured.push(indicator);
      }
      // A look at the time before the deploy comes beside a tick and must not disturb its history.
      const isBefore = request.deployedAtMs === null;
      const { raw, expressions } = isBefore ? create() : perWatch(request.watchId);
      const [fromRaw, fromExpressions] = await Promise.all([
        raw.read(measured, request),
        expressions.read(promql, request),
      ]);
      return Object.fromEntries([...fromRaw, ...fromExpressions]);
    },
    forget(watchId) {
      watches.delete(watchId);
    },
  };
}
