import { describe, expect, it } from 'vitest';
import { HEALTHY, problemsOf, readCases, SHOP } from '../support/case-file.ts';

const GOOD = { name: 'a case', expect: { '2m': { watch: 'watching' } } };

/** A file with one case that is right but for this. */
const withCase = (own: object) => ({
  policy: 'shop.yaml',
  series: HEALTHY,
  cases: [{ ...GOOD, ...own }],
});
const withFile = (own: object) => ({ ...withCase({}), ...own });

const PROMQL = {
  ...SHOP,
  indicators: { ...SHOP.indicators, queue: { title: 'Queue', promql: 'max(queue_length)' } },
};

describe('a file of cases', () => {
  it('is read with its policy, the file first and the case over it', () => {
    const file = readCases(withCase({ series: { queue_length: 9 }, health: 'ok 1m, HTTP 503' }));
    const [one] = file.cases;
    const queue = one?.series.find(({ labels }) => labels['__name__'] === 'queue_length');
    expect(file.policy.name).toBe('shop');
    expect(file.everyMs).toBe(5_000);
    expect(queue?.course.at(60_000)).toBe(9);
    expect(one?.series).toHaveLength(3 + 12);
    expect(one?.health.get('health')).toMatchObject([{ fromMs: 0 }, { fromMs: 60_000 }]);
    expect(one?.untilMs).toBe(120_000);
  });

  it('ends where it says, or at the last time it names', () => {
    const until = (own: object) => readCases(withCase(own)).cases[0]?.untilMs;
    expect(until({ until: '9m' })).toBe(540_000);
    expect(until({ happens: { '2m-5m': 'source down' } })).toBe(300_000);
  });

  it.each<[string, object, readonly string[]]>([
    [
      'a field that does not exist',
      withCase({ expects: {} }),
      ['cases[0].expects', 'did you mean expect'],
    ],
    ['no cases', { policy: 'shop.yaml', cases: [] }, ['cases', 'at least one case']],
    ['no policy there', withFile({ policy: 'other.yaml' }), ['policy', 'no readable file']],
    ['an interval that is too long', withFile({ interval: '6m' }), ['interval', '5m']],
    [
      'a series that nothing reads',
      withCase({ series: { requests_totl: 1 } }),
      ['cases[0].series.requests_totl', 'did you mean requests_total'],
    ],
    ['a name that is no series', withCase({ series: { 'a b': 1 } }), ['the name of a series']],
    [
      'a histogram without sizes',
      withCase({ series: { latency_seconds: '+5/s' } }),
      ['cases[0].series.latency_seconds', 'of 200ms'],
    ],
    [
      'values of what is computed',
      withCase({ values: { queue: 1 } }),
      ['the policy has no promql'],
    ],
    ['a health answer', withCase({ health: 'fine 3m' }), ['cases[0].health', 'no answer']],
    ['health of another', withCase({ health: { helth: 'ok' } }), ['did you mean health']],
    ['a receiver', withCase({ receivers: { rollback: 'explodes' } }), ['times out 2x']],
    ['what happens', withCase({ happens: { '2m': 'ann dances' } }), ['happens.2m', 'ann stops']],
    ['an outage without an end', withCase({ happens: { '2m': 'source down' } }), ['from-to']],
    ['a command that lasts', withCase({ happens: { '1m-2m': 'ann stops' } }), ['at a time']],
    ['a time', withCase({ expect: { later: { watch: 'stopped' } } }), ['expect.later', '45s']],
    ['a phase', withCase({ expect: { '1m': { watch: 'halted' } } }), ['one of watching']],
    ['a window', withCase({ expect: { '1m': { window: 'earl' } } }), ['did you mean early']],
    ['a name', withCase({ expect: { '1m': { erors: 'firing' } } }), ['did you mean errors']],
    ['a state', withCase({ expect: { '1m': { errors: 'on fire' } } }), ['inactive, pending']],
    ['a blind reason', withCase({ expect: { '1m': { errors: 'blind mole' } } }), ['too_few']],
    ['an action', withCase({ expect: { '1m': { actions: ['reboot'] } } }), ['disarm and rollback']],
    ['arming', withCase({ expect: { '1m': { armed: 'yes' } } }), ['such as 6 of 6']],
    [
      'a time at which nothing judges it',
      withCase({ expect: { '12m': { queue: 'firing' } } }),
      ['queue at 12m', 'early.warn.queue (0s-10m)'],
    ],
    ['no expectation', withCase({ expect: undefined }), ['expect or never']],
    [
      'only never, without an end',
      withCase({ expect: undefined, never: { watch: 'stopped' } }),
      ['until'],
    ],
    ['an expectation after the end', withCase({ until: '1m' }), ['the end of the case']],
    ['more than a day', withCase({ until: '25h' }), ['24h']],
    ['a parameter', withCase({ deploy: { parameters: { capitl: 1 } } }), ['did you mean capital']],
    ['a wall clock without offset', withCase({ deploy: { at: '2026-01-01' } }), ['with offset']],
    ['a time without an expectation', withCase({ expect: { '5m': {} } }), ['expect.5m', 'nothing']],
    [
      'an expectation of a version and nothing else',
      withCase({ expect: { '5m': { version: '2.0.0' } } }),
      ['expect.5m', 'only a version'],
    ],
    [
      'a never of a version and nothing else',
      withCase({ never: { version: '2.0.0' } }),
      ['cases[0].never', 'only a version'],
    ],
    ['an empty never', withCase({ never: {} }), ['cases[0].never', 'without it no case can fail']],
    ['no times in expect', withCase({ expect: {}, until: '5m' }), ['expect or never']],
    [
      'a part of each message',
      withCase({ expect: { '1m': { message: '' } } }),
      ['expect.1m.message', 'a part of a message'],
    ],
    ['a blank part', withCase({ never: { message: ['STOPPED', ' '] } }), ['never.message']],
    [
      'no action that stands somehow',
      withCase({ expect: { '1m': { actions: {} } } }),
      ['expect.1m.actions', 'disarm and rollback'],
    ],
    [
      'never no action',
      withCase({ never: { actions: [] } }),
      ['never.actions', 'list of 0', 'never sent'],
    ],
    [
      'a version that is not deployed',
      withCase({ expect: { '1m': { version: '9.9', watch: 'watching' } } }),
      ['expect.1m.version: found "9.9"', '2.0.0'],
    ],
    [
      'a never about a version that is not deployed',
      withCase({ happens: { '1m': 'deploy 2.0.1' }, never: { version: '9.9', watch: 'stopped' } }),
      ['never.version: found "9.9"', '2.0.0, 2.0.1'],
    ],
    [
      'an expectation before the watch starts',
      withCase({ deploy: { started: '1m' }, expect: { '10s-2m': { watch: 'stopped' } } }),
      ['expect.10s-2m', 'a time from 1m on', 'deploy.started'],
    ],
    [
      'a deed before the watch starts',
      withCase({ deploy: { started: '1m' }, happens: { '10s': 'ann stops' } }),
      ['happens.10s', 'a time from 1m on'],
    ],
    [
      'an outage that is over before the watch starts',
      withCase({ deploy: { started: '1m' }, happens: { '10s-20s': 'source down' } }),
      ['happens.10s-20s', 'a time from 1m on'],
    ],
    [
      'an end before the watch starts',
      withCase({
        deploy: { started: '5m' },
        expect: undefined,
        until: '1m',
        never: { watch: 'stopped' },
      }),
      ['until: found "1m"', 'at least 5m'],
    ],
    [
      'a condition that the case ends before',
      withCase({ never: { 'late.pass.errors': 'firing' } }),
      ['never["late.pass.errors"]', 'of the case (0s-2m)', '10m-30m'],
    ],
    [
      'an indicator that the watch starts after',
      withCase({
        deploy: { started: '10m' },
        expect: { '12m': { watch: 'passed' } },
        never: { queue: 'firing' },
      }),
      ['never.queue', 'of the case (10m-12m)', '0s-10m'],
    ],
    [
      'a window that the case ends before',
      withCase({ never: { window: 'late' } }),
      ['never.window', '10m-30m'],
    ],
    [
      'a verification of a policy that verifies nothing',
      withCase({ never: { verification: 'not_confirmed' } }),
      ['never.verification', 'on_stop has no verify'],
    ],
    [
      'a series twice, its labels in another order',
      withCase({
        series: {
          'requests_total{status="200",job="a"}': 1,
          'requests_total{ job="a", status="200", }': 2,
        },
      }),
      ['cases[0].series', 'requests_total{status="200",job="a"} a second time', 'each series once'],
    ],
    [
      'a histogram twice, by what it observes and by its bucket',
      withCase({
        series: { latency_seconds: '+5/s of 1s', 'latency_seconds_bucket{le="0.1"}': '+1/s' },
      }),
      ['the series of latency_seconds a second time'],
    ],
    ['a name twice', withFile({ cases: [GOOD, GOOD] }), ['cases[1].name', 'a second time']],
  ])('names %s, where it is and what is wanted', (_, file, words) => {
    const [problem, ...others] = problemsOf(file);
    for (const word of words) expect(problem).toContain(word);
    expect(others).toEqual([]);
  });

  it('asks for the values of each promql indicator', () => {
    const [problem] = problemsOf(
      { policy: 'shop.yaml', series: { requests_total: 1 }, cases: [GOOD] },
      PROMQL,
    );
    expect(problem).toContain('cases[0].values.queue: found nothing');
    expect(problem).toContain('promql cannot be computed offline');
  });

  it('asks for the id where several conditions judge an indicator', () => {
    const [early, late] = SHOP.windows;
    const always = { stop: { queue: { above: 90 } } };
    const policy = { ...SHOP, windows: [early, late], always };
    const file = withCase({ expect: { '1m': { queue: 'firing' } } });
    expect(problemsOf(file, policy)[0]).toContain('early.warn.queue, always.stop.queue');
  });

  it('tells every mistake at once, of the schema and of the texts', () => {
    const problems = problemsOf(
      withCase({
        color: 'red',
        until: 'soon',
        series: { requests_totl: 1 },
        expect: { '1m': { watch: 'halted', errors: 'on fire' } },
      }),
    );
    expect(problems.map((line) => line.split(':')[0])).toEqual([
      'cases[0].until',
      'cases[0].color',
      'cases[0].series.requests_totl',
      'cases[0].expect.1m.watch',
      'cases[0].expect.1m.errors',
    ]);
  });

  it('tells the mistakes below a wrong time as well', () => {
    const problems = problemsOf(
      withCase({
        happens: { soon: ['ann dances', 'ann stops'] },
        expect: { later: { watch: 'halted', erors: 'firing', queue: 'inactive' } },
        never: { 'late.pass.errors': 'fring' },
      }),
    );
    expect(problems.map((line) => line.split(': found')[0])).toEqual([
      'cases[0].happens.soon',
      'cases[0].happens.soon',
      'cases[0].expect.later',
      'cases[0].expect.later.watch',
      'cases[0].expect.later.erors',
      'cases[0].never["late.pass.errors"]',
    ]);
  });

  it('may have an outage of the source that began before the watch', () => {
    const own = { deploy: { started: '1m' }, happens: { '10s-90s': 'source down' } };
    expect(readCases(withCase(own)).cases[0]?.happens).toHaveLength(1);
  });

  it('refuses an action that the policy has not', () => {
    const policy = { ...SHOP, on_stop: SHOP.on_stop.slice(1) };
    const [problem] = problemsOf(withCase({ never: { actions: ['disarm'] } }), policy);
    expect(problem).toBe(
      'cases[0].never.actions: found disarm; wanted actions of the policy: rollback',
    );
  });

  it('tells the mistakes of its policy', () => {
    const problems = problemsOf(withCase({}), { ...SHOP, interval: 'often' });
    expect(problems[0]).toMatch(/^policy: .*shop\.yaml: interval: found "often"/);
  });

  it.each(['', '[]', 'cases: 5', '- 1', 'policy: [1]\ncases: {}', 'a: &a [*a]'])(
    'that is %j is refused, not thrown',
    (text) => {
      expect(problemsOf(text)).not.toEqual([]);
    },
  );
});
