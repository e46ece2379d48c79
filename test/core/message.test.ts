import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EventBody, WatchEvent } from '../../src/core/event.ts';
import { tell } from '../../src/core/message.ts';
import { evolve, fold } from '../../src/core/watch.ts';
import {
  aCondition,
  aDeploy,
  aPolicy,
  someEvidence,
  started,
  stopped,
  T0,
} from '../support/build.ts';
import { everyEvent } from '../support/every-event.ts';
import { eventsOf } from '../support/states.ts';

const latency = {
  kind: 'quantile',
  id: 'latency',
  title: 'P99 submit latency',
  unit: 'seconds',
  q: 0.99,
  histogram: { metric: 'submit_seconds', matchers: [] },
  overMs: 60_000,
  minTotal: 20,
  early: 'shorten',
} as const;

const policy = aPolicy({
  indicators: { ...aPolicy().indicators, latency },
  conditions: [
    ...aPolicy().conditions,
    aCondition({
      id: 'immediate.stop.latency',
      indicator: 'latency',
      limit: { kind: 'compare', comparator: 'above', value: 2, of: null },
    }),
  ],
  verify: { withinMs: 600_000, conditions: [] },
  runbook: 'https://runbooks.example/shop',
});

function told(body: EventBody, first: EventBody = started()) {
  const [start, event] = eventsOf([0, first], [95, body]);
  const state = fold([start, event].filter((one): one is WatchEvent => one !== undefined));
  const context = { watchId: 'w_1', policy, state, publicUrl: 'https://canaryd.example' };
  return event === undefined ? null : tell(event, context);
}

/** As a person reads it, from top to bottom. */
function read(body: EventBody, first?: EventBody): string {
  const message = told(body, first);
  if (message === null) return 'nobody is told';
  const { severity, headline, lines, next, fields } = message;
  const rest = [...lines, ...(next === null ? [] : [`> ${next}`])];
  return [
    `(${severity}) ${headline}`,
    ...rest,
    fields.map((pair) => pair.join(': ')).join(' | '),
  ].join('\n');
}

const silent = ['watch.baselined', 'window.entered'];

describe('every message', () => {
  test.for(
    everyEvent
      .filter(({ type }) => !silent.includes(type))
      .map((body) => [body.type, body] as const),
  )('about %s has figures in it, a headline, and at most six fields', ([type, body]) => {
    const message = told(body);
    expect(message).toMatchObject({ kind: type, watchId: 'w_1', atMs: T0 + 95_000 });
    expect(message?.headline).toMatch(/shop 2\.0\.0/);
    expect([...(message?.headline ?? '')].length).toBeLessThanOrEqual(150);
    expect(JSON.stringify([message?.lines, message?.fields])).toMatch(/\d/);
    expect(message?.fields.length).toBeLessThanOrEqual(6);
    expect(JSON.stringify(message)).not.toMatch(/undefined|NaN|null ms|\[object/);
  });

  test.for(silent)('nobody is told of %s', (type) => {
    expect(everyEvent.filter((body) => body.type === type).map((body) => told(body))).toEqual([
      null,
    ]);
  });

  test('has a headline of 150 characters at most, whatever the names are', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(fc.constantFrom(...everyEvent), name, (body, text) => {
        const deploy = aDeploy({ service: text, version: text });
        const message = told(body, started({ deploy }));
        const headline = message?.headline ?? '';
        expect([...headline].length).toBeLessThanOrEqual(150);
        expect(headline.isWellFormed()).toBe(true);
      }),
    );
  });

  test('links to the watch and the runbook', () => {
    expect(told(stopped())?.links).toEqual([
      { label: 'Watch', url: 'https://canaryd.example/watches/w_1' },
      { label: 'Runbook', url: 'https://runbooks.example/shop' },
    ]);
  });
});

describe('read aloud', () => {
  const slow = someEvidence({
    condition: 'immediate.stop.latency',
    indicator: 'latency',
    value: 2.31,
    limit: 2,
    baseline: 0.412,
    counts: { part: 0, total: 1_204 },
    rangeMs: 60_000,
  });
  const blind = {
    condition: 'immediate.stop.latency',
    indicator: 'latency',
    reason: 'no_series',
    detail:
      'no series matches submit_seconds_bucket: no metric of this name is known, perhaps it is misspelt',
    sinceMs: T0,
  } as const;

  test('a critical stop says what, how bad, whether it is this deploy, and what happens now', () => {
    const fill = someEvidence({ rangeMs: 60_000, baseline: 0.984 });
    expect(read(stopped({ conditions: [fill, slow], verifies: true }))).toMatchInlineSnapshot(`
      "(critical) STOPPED shop 2.0.0 (production): Order fill rate 72 % (867 of 1,204 in 1m), limit: below 80 % (+1 more)
      Order fill rate 72 % (867 of 1,204 in 1m), limit: below 80 %; since 00:00:30 UTC, 3 samples; before the deploy: 98.4 %
      P99 submit latency 2.31 s (1,204 observations in 1m), limit: above 2 s; since 00:00:30 UTC, 3 samples; before the deploy: 412 ms
      > canaryd now does: disarm, then rollback. Confirmation is expected within 10m of its acceptance. To stop what was not sent yet: canaryd hold --reason "...". Details: canaryd show w_1
      Version: 1.9.0 → 2.0.0 | Since the deploy: 1m35s | Policy: shop"
    `);
  });

  test('a stop of observe mode says what would have been done', () => {
    const evidence = someEvidence({ rangeMs: 40_000, shortened: true });
    const body = stopped({ mode: 'observe', actions: [], conditions: [evidence] });
    expect(read(body, started({ mode: 'observe' }))).toMatchInlineSnapshot(`
      "(critical) WOULD STOP shop 2.0.0 (production): Order fill rate 72 % (867 of 1,204 in 40s, since the deploy), limit: below 80 %
      Order fill rate 72 % (867 of 1,204 in 40s, since the deploy), limit: below 80 %; since 00:00:30 UTC, 3 samples; before the deploy: not known
      > Observe mode: nothing was sent. canaryd would have done: disarm, then rollback.
      Version: 1.9.0 → 2.0.0 | Since the deploy: 1m35s | Policy: shop"
    `);
  });

  test('a rollback that is not confirmed is the loudest', () => {
    const because = [
      'Order fill rate 61 % (122 of 200 in 1m), wanted: above 80 %',
      'Health endpoint failing: HTTP 503',
    ];
    const body = {
      type: 'rollback.not_confirmed',
      action: 'rollback',
      reason: 'not_verified',
      because,
    } as const;
    expect(read(body)).toMatchInlineSnapshot(`
      "(critical) ROLLBACK NOT CONFIRMED: accepted, but shop 2.0.0 (production) may still run bad
      Order fill rate 61 % (122 of 200 in 1m), wanted: above 80 %
      Health endpoint failing: HTTP 503
      > Look at the service: canaryd does nothing more. Do the rollback by hand if it has not happened.
      Version: 1.9.0 → 2.0.0 | Since the deploy: 1m35s | Policy: shop"
    `);
  });

  test('a disarm that is not confirmed is not called a rollback', () => {
    const body = {
      type: 'rollback.not_confirmed',
      action: 'disarm',
      reason: 'not_accepted',
      because: ['HTTP 404'],
    } as const;
    expect(told(body)).toMatchObject({
      headline: 'DISARM NOT CONFIRMED: it was not accepted, shop 2.0.0 (production) still runs',
      next: 'canaryd does nothing more. Do the disarm by hand now.',
    });
  });

  test('blindness names what cannot be seen, and why', () => {
    expect(read({ type: 'conditions.blinded', conditions: [blind] })).toMatchInlineSnapshot(`
      "(warning) BLIND shop 2.0.0 (production): cannot judge latency
      P99 submit latency (immediate.stop.latency): no_series, no series matches submit_seconds_bucket: no metric of this name is known, perhaps it is misspelt
      > Blind is no verdict: nothing is rolled back or passed on the strength of it. The rest is still watched.
      Version: 1.9.0 → 2.0.0 | Since the deploy: 1m35s | Policy: shop"
    `);
  });

  test('not armed names what is missing', () => {
    const body = { type: 'watch.unarmed', armed: 2, total: 3, conditions: [blind] } as const;
    expect(read(body)).toMatchInlineSnapshot(`
      "(warning) NOT ARMED shop 2.0.0 (production): only 2 of 3 stop conditions have data
      P99 submit latency (immediate.stop.latency): no_series, no series matches submit_seconds_bucket: no metric of this name is known, perhaps it is misspelt
      > These cannot stop this deploy while they have no data. A misspelt metric looks like this.
      Version: 1.9.0 → 2.0.0 | Since the deploy: 1m35s | Policy: shop"
    `);
  });

  test('inconclusive says what stood in the way', () => {
    const because = [
      'immediate.stop.fill_rate was judged in 31 % of its window, at least 80 % is wanted',
    ];
    const body = { type: 'watch.inconclusive', reason: 'coverage', coverage: {}, because } as const;
    expect(read(body)).toMatchInlineSnapshot(`
      "(warning) INCONCLUSIVE shop 2.0.0 (production): conditions were not seen for long enough
      immediate.stop.fill_rate was judged in 31 % of its window, at least 80 % is wanted
      > Not passed: check by hand whether this deploy is good.
      Version: 1.9.0 → 2.0.0 | Since the deploy: 1m35s | Policy: shop"
    `);
  });

  test('the start says the windows, and what a stop does', () => {
    const late = started({ lateMs: 720_000, deploy: aDeploy({ by: 'ann' }) });
    const [event] = eventsOf([720, late]);
    const events = event === undefined ? [] : [event];
    const context = { watchId: 'w_1', policy, state: fold(events), publicUrl: null };
    const texts = events
      .map((one) => tell(one, context))
      .map((message) => [message?.headline, ...(message?.lines ?? []), message?.next]);
    expect(texts.flat().join('\n')).toMatchInlineSnapshot(`
      "Watching shop 2.0.0 (production)
      Windows: immediate 0s-15m, success 15m-1d. 2 stop conditions, judged every 5s.
      The watch started 12m after the deploy: windows count from the deploy, that time was not seen.
      On a stop canaryd does: disarm, then rollback."
    `);
  });

  test('the third warning of a condition says that it is the last', () => {
    const warned: EventBody = { type: 'condition.warned', evidence: someEvidence() };
    const events = eventsOf([0, started()], [5, warned], [10, warned], [15, warned]);
    let state = fold([]);
    const nexts = events.map((event) => {
      state = evolve(state, event);
      return tell(event, { watchId: 'w_1', policy, state, publicUrl: null })?.next;
    });
    expect(nexts.slice(1)).toEqual([null, null, expect.stringContaining('further warnings')]);
  });
});
