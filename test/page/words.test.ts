// What stands on top of the page, at every moment of a watch.
import { describe, expect, it } from 'vitest';
import type { EventBody, WatchEvent } from '../../src/core/event.ts';
import type { WatchView } from '../../src/engine/control.ts';
import { commandsFor, holdCommand, signCommand } from '../../src/http/page/browser/commands.js';
import { knownOf, lineOf } from '../../src/http/page/browser/story.js';
import {
  deeds,
  headline,
  needsSomebody,
  phaseOf,
  signOffText,
  withoutAge,
} from '../../src/http/page/browser/words.js';
import { everyEvent } from '../support/every-event.ts';
import { aCondition, aState, aStop, aStopped, at, aView, T0 } from './sample.ts';

const NOW = T0 + 270_000;
const fresh = (over: Partial<WatchView> = {}) => aView({ lastTickAt: at(268_000), ...over });
const events = (...bodies: EventBody[]): readonly WatchEvent[] =>
  bodies.map((body, index) => ({ ...body, seq: index + 1, atMs: T0 + index * 1_000 }));
const HOLD = { by: 'bob', reason: 'maintenance', sinceMs: T0 };
const FILL_RATE = 'immediate.stop.fill_rate';
const worst = (state: 'pending' | 'firing' | 'blind', text: string) => {
  return { condition: FILL_RATE, state, text };
};

const anAction = (action: string, state: string) => ({ action, state, attempts: 3, detail: null });

describe('the headline', () => {
  it.each<[string, WatchView, string, string]>([
    ['all well', fresh(), 'Watching, all well', 'All 6 stop conditions are armed'],
    [
      'not armed yet',
      fresh({ armed: { seen: 4, total: 6 } }),
      'Watching, all well',
      '4 of 6 stop conditions are armed',
    ],
    ['nothing measured', aView({ lastTickAt: null }), 'Starting', 'Nothing has been measured'],
    [
      'out of its limit',
      fresh({
        worst: worst('pending', 'Order fill rate 72 %, must be at least 80 %'),
        conditions: [aCondition({ state: 'pending', stateSince: at(258_000) })],
      }),
      'Out of its limit for 12 s',
      'Order fill rate 72 %, must be at least 80 %',
    ],
    [
      'blind',
      fresh({ worst: worst('blind', 'Order fill rate blind: no_series (none)') }),
      'Blind on a condition',
      'Order fill rate blind: no series (none). Blindness never rolls back.',
    ],
    ['not judged', aView(), 'Not judged for 3 min 30 s', 'is it running?'],
    [
      'stopped',
      aStopped(),
      'Stopped 3 min ago, verifying the rollback',
      'Order fill rate 72.4 % (871 of 1,204 in 1m), must be at least 80 %, for 45s',
    ],
    [
      'a rollback that did not help',
      aStopped({ verification: 'not_confirmed' }),
      'Stopped 3 min ago, rollback NOT confirmed: act now',
      'Order fill rate',
    ],
    [
      'an action that was given up',
      aStopped({ verification: 'confirmed', actions: [anAction('disarm', 'gave_up')] }),
      'Stopped 3 min ago, disarm NOT DONE: act now',
      'Order fill rate',
    ],
    [
      'stopped by a person',
      aStopped({
        stop: aStop({ cause: 'human', by: 'alice', causes: [] }),
        reason: 'wrong prices',
      }),
      'Stopped 3 min ago, verifying the rollback',
      'By alice: wrong prices',
    ],
    [
      'only observed',
      aStopped({ stop: aStop({ mode: 'observe' }) }),
      'Would have stopped 3 min ago',
      'Order fill rate',
    ],
    ['passed', aView({ phase: 'passed', closedAt: at(0) }), 'Passed 4 min ago', 'held long enough'],
  ])('%s', (_, view, title, text) => {
    const found = headline(aState(view), NOW);
    expect(found.title).toBe(title);
    expect(found.text).toContain(text);
  });

  it.each<['inconclusive' | 'cancelled' | 'superseded', EventBody, string]>([
    [
      'inconclusive',
      { type: 'watch.inconclusive', reason: 'deadline', coverage: {}, because: ['no traffic'] },
      'No traffic.',
    ],
    ['cancelled', { type: 'watch.cancelled', by: 'al', reason: 'by hand' }, 'By al: by hand'],
    [
      'superseded',
      { type: 'watch.superseded', byWatch: 'w_2', version: '2.2.0' },
      'Version 2.2.0 was deployed.',
    ],
  ])('%s says why', (phase, event, text) => {
    const state = aState(aView({ phase, closedAt: at(0) }), { events: events(event) });
    expect(headline(state, NOW).text).toBe(text);
  });
});

describe('the headline while this device has no connection', () => {
  const lost = { link: 'lost', heardAtMs: T0 + 268_000 } as const;

  it('does not say that canaryd is not running', () => {
    const state = aState(aView({ lastTickAt: at(228_000) }), lost);
    const { title, text } = headline(state, NOW);
    expect(title).toBe('No connection for 42 s');
    expect(text).toMatch(/the watch goes on\. At \d\d:\d\d it was: Watching, all well\.$/);
  });

  it('still says so when canaryd itself answers', () => {
    const state = aState(aView({ lastTickAt: at(228_000) }), { ...lost, link: 'polling' });
    expect(headline(state, NOW).title).toBe('Not judged for 42 s');
  });
});

describe('what needs somebody', () => {
  it.each<[string, WatchView, boolean]>([
    ['a stop that nobody has acknowledged', aStopped(), true],
    ['a stop that somebody looks after', aStopped({ acknowledgedBy: 'alice' }), false],
    [
      'a rollback that did not help, whoever looks after it',
      aStopped({ acknowledgedBy: 'alice', verification: 'not_confirmed' }),
      true,
    ],
    [
      'a rollback that did not help, and was resolved by hand',
      aStopped({ verification: 'not_confirmed', incident: 'none' }),
      false,
    ],
    [
      'an inconclusive end',
      aView({ phase: 'inconclusive', closedAt: at(0), incident: 'open' }),
      true,
    ],
    ['a pass', aView({ phase: 'passed', closedAt: at(0) }), false],
    ['what is watched', aView({ incident: 'open' }), false],
    ['a stop of last month', aStopped({ closedAt: at(-30 * 86_400_000) }), false],
  ])('%s', (_, view, needed) => {
    expect(needsSomebody(view, NOW)).toBe(needed);
  });
});

describe('a headline without its age', () => {
  it.each([
    [
      'Stopped 3 min ago, rollback NOT confirmed: act now',
      'Stopped, rollback NOT confirmed: act now',
    ],
    ['Stopped just now, rolling back', 'Stopped, rolling back'],
    ['Passed 2 h 5 min ago', 'Passed'],
    ['Out of its limit for 12 s', 'Out of its limit'],
    ['Blind on 3 conditions', 'Blind on 3 conditions'],
    ['Watching, all well', 'Watching, all well'],
  ])('%s', (title, wanted) => {
    expect(withoutAge(title)).toBe(wanted);
  });
});

describe('what canaryd did and does next', () => {
  it('counts down to the stop while a stop condition is out of its limit', () => {
    const pending = aCondition({ state: 'pending', firesAt: at(281_000) });
    const { next } = deeds(aState(fresh({ conditions: [pending] })), NOW);
    expect(next).toBe('Disarms, then rolls back in 11 s, unless it recovers.');
  });

  it('does not count down to a warning', () => {
    const warning = aCondition({ role: 'warn', state: 'pending', firesAt: at(281_000) });
    expect(deeds(aState(fresh({ conditions: [warning] })), NOW).next).toMatch(/^Watches until/);
  });

  it('names every condition that fired', () => {
    const causes = [
      ...aStop().causes,
      { condition: 'x', text: 'Open positions 14, must be at most 12' },
    ];
    const { did } = deeds(aState(aStopped({ stop: aStop({ causes }) })), NOW);
    expect(did).toEqual(['Also: Open positions 14, must be at most 12']);
  });

  it('names who looks after it, and since when', () => {
    const acknowledged = { type: 'watch.acknowledged', by: 'alice', reason: 'on it' } as const;
    const state = aState(aStopped({ acknowledgedBy: 'alice' }), { events: events(acknowledged) });
    expect(deeds(state, NOW).did).toEqual(['Acknowledged by alice 4 min ago: on it']);
  });

  it('knows from the journal that the rollback was accepted, before the watch says so', () => {
    const how = { attempts: 1, detail: 'HTTP 202', afterMs: 70 } as const;
    const accepted = events({ type: 'action.accepted', action: 'rollback', ...how });
    const state = aState(aStopped({ verification: 'waiting' }), { events: accepted });
    expect(deeds(state, NOW).next).toBe('Verifies the rollback.');
  });

  it('is told with its times while the rollback is verified', () => {
    const accepted = { type: 'action.accepted', attempts: 1, detail: 'HTTP 202' } as const;
    const verify = aCondition({
      role: 'verify',
      title: 'Health',
      must: 'must pass',
      state: 'pending',
    });
    const state = aState(aStopped({ conditions: [verify] }), {
      events: events(
        { ...accepted, action: 'disarm', afterMs: 120 },
        { ...accepted, action: 'rollback', afterMs: 300, attempts: 3 },
      ),
    });
    const { did, next } = deeds(state, NOW);
    expect(did).toEqual([
      'Disarm accepted after 0.1 s',
      'Rollback accepted after 0.3 s, at attempt 3',
    ]);
    expect(next).toMatch(/^Verifies the rollback until \d\d:\d\d: Health must pass\.$/);
  });

  it.each<[string, WatchView, Parameters<typeof aState>[1], RegExp]>([
    ['watching', fresh(), {}, /when a stop condition holds, canaryd disarms, then rolls back\.$/],
    ['observing', fresh({ mode: 'observe' }), {}, /^Nothing but watch.*observe mode\.$/],
    ['held', fresh(), { hold: HOLD }, /^Nothing but watch.*hold fire is on\.$/],
    ['not accepted', aStopped({ verification: 'waiting' }), {}, /^Repeats the rollback/],
    ['confirmed', aStopped({ verification: 'confirmed' }), {}, /^Nothing: the rollback helped/],
    ['not confirmed', aStopped({ verification: 'not_confirmed' }), {}, /Look at the service now/],
    [
      'observed a stop',
      aStopped({ stop: aStop({ mode: 'observe' }) }),
      {},
      /^Nothing: observe mode/,
    ],
    ['passed', aView({ phase: 'passed' }), {}, /the watch is over/],
  ])('%s', (_, view, over, next) => {
    expect(deeds(aState(view, over), NOW).next).toMatch(next);
  });
});

describe('the phase in a list', () => {
  it.each<[WatchView, string]>([
    [aView(), 'Watching'],
    [aView({ worst: worst('pending', '') }), 'Watching, not well'],
    [aView({ worst: worst('blind', '') }), 'Watching, blind'],
    [aStopped(), 'Stopped, verifying the rollback'],
    [aStopped({ verification: 'not_confirmed' }), 'Stopped, rollback NOT confirmed'],
    [aStopped({ verification: 'none' }), 'Stopped'],
    [aView({ phase: 'superseded' }), 'Superseded'],
  ])('%#', (view, text) => {
    expect(phaseOf(view).text).toBe(text);
  });
});

describe('the story', () => {
  it.each(everyEvent.map((body) => [body.type, body] as const))(
    'has a sentence for %s',
    (_, body) => {
      const line = lineOf({ ...body, seq: 1, atMs: T0 }, knownOf([aCondition()]));
      expect(line.title).toMatch(/^[A-Z]/);
      expect(`${line.title} ${line.text}`).not.toMatch(/undefined|NaN|\[object/);
    },
  );

  it('tells figures and limit of a stop', () => {
    const stop = everyEvent.find(({ type }) => type === 'watch.stopped') as EventBody;
    const line = lineOf({ ...stop, seq: 1, atMs: T0 }, knownOf([aCondition()]));
    expect(line.text).toMatch(/^Order fill rate .* %.*, must be at least 80 %; /);
  });

  it('has a bare word for an event of a newer canaryd', () => {
    const future = { type: 'watch.dreamt', seq: 1, atMs: T0 } as unknown as WatchEvent;
    expect(lineOf(future, new Map()).title).toBe('watch.dreamt');
  });
});

const aSignOff = (over: Partial<WatchView['signOffs'][number]> = {}) => {
  const statement = 'Audit trail validated';
  return { role: 'qa_lead', statement, dueAt: at(900_000), signed: null, ...over };
};
const SIGNED = { name: 'Ada', by: 'ada', at: at(960_000), note: null };

describe('a signature', () => {
  it.each([
    ['later', aSignOff(), T0, 'Due at '],
    ['now', aSignOff(), T0 + 900_000, 'Due since '],
    ['given', aSignOff({ signed: SIGNED }), T0 + 960_000, 'Signed by Ada at '],
  ])('is said to be %s', (_, signOff, nowMs, text) => {
    expect(signOffText(signOff, nowMs)).toContain(text);
  });

  it('is shown with its note', () => {
    const signOff = aSignOff({ signed: { ...SIGNED, note: 'all 1,204 events' } });
    expect(signOffText(signOff, T0 + 960_000)).toMatch(/: all 1,204 events$/);
  });
});

describe('commands', () => {
  const all = { token: 'oncall', scopes: ['read', 'act'] };
  const verbs = (view: WatchView) => commandsFor(view, null, all).map(({ verb }) => verb);
  const refused = (view: WatchView, hold = null as typeof HOLD | null, me = all) =>
    Object.fromEntries(commandsFor(view, hold, me).map((one) => [one.verb, one.refused]));

  it('are those that make sense in the phase', () => {
    expect(verbs(aView())).toEqual(['ack', 'stop', 'hold', 'extend', 'cancel']);
    expect(verbs(aStopped({ incident: 'none' }))).toEqual(['ack', 'hold']);
    expect(verbs(aStopped({ incident: 'critical' }))).toEqual(['ack', 'resolve', 'hold']);
    expect(verbs(aView({ incident: 'open' }))).not.toContain('resolve');
    expect(verbs(aView({ phase: 'passed' }))).toEqual(['hold']);
  });

  it('say why they are not possible', () => {
    expect(refused(aView({ mode: 'observe' }))['stop']).toBe('it only observes: roll back by hand');
    const held = refused(aView(), HOLD);
    expect(held['stop']).toBe('hold fire is on: release it first');
    expect(held).toMatchObject({ release: null, ack: null });
    const viewer = refused(aView(), null, { token: 'viewer', scopes: ['read'] });
    expect(new Set(Object.values(viewer))).toEqual(new Set(['the token viewer may only read']));
  });

  it('let people sign what is missing, while that says something', () => {
    const command = (view: WatchView, over = {}, me = all) => signCommand(view, aSignOff(over), me);
    expect(command(aView())).toMatchObject({
      ...{ verb: 'sign', role: 'qa_lead', label: 'Sign as qa_lead', refused: null },
      happens: [
        'Audit trail validated: you say so for aurora 2.1.0 in production.',
        'Everybody is told. What canaryd judges stays as it is.',
      ],
    });
    expect(command(aView({ phase: 'passed' }))).not.toBeNull();
    expect(command(aStopped())).toBeNull();
    expect(command(aView(), { signed: SIGNED })).toBeNull();
    const viewer = { token: 'viewer', scopes: ['read'] };
    expect(command(aView(), {}, viewer)?.refused).toBe('the token viewer may only read');
  });

  it('say what will happen, with versions', () => {
    const stop = commandsFor(aView(), null, all).find(({ verb }) => verb === 'stop');
    expect(stop?.happens.join(' ')).toContain(
      'At once the service is disarmed, then 2.1.0 is rolled back to 2.0.0.',
    );
    expect(stop?.confirm).toBe('Stop aurora 2.1.0 now');
    expect(holdCommand(null, all).happens[0]).toContain('ALL services');
  });
});
