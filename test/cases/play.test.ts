import { describe, expect, it } from 'vitest';
import { caseFile, HEALTHY, linesOf, playOne, readCases, SHOP } from '../support/case-file.ts';

const PASSES = { '1m': { watch: 'watching' }, '11m': { watch: 'passed' } };
const BAD = { failed_total: { '0s': 0, '2m': '+5/s' } };

/** The failures of one case; none: it passes. */
const failures = async (...args: Parameters<typeof playOne>) => linesOf(await playOne(...args));

describe('a case', () => {
  it('passes when canaryd does what it expects', async () => {
    expect(await failures({ expect: PASSES, never: { message: 'STOPPED' } })).toEqual([]);
  });

  it('fails with what was expected and what canaryd did instead', async () => {
    expect(await failures({ series: BAD, expect: PASSES })).toEqual([
      '11m watch: expected passed, got stopped',
    ]);
  });

  it('sees values as they round, with their state', async () => {
    const series = { failed_total: '+0.4/s' };
    const at = (errors: string) => ({ series, expect: { '3m': { errors } } });
    expect(await failures(at('inactive 4%'))).toEqual([]);
    expect(await failures(at('4.0%'))).toEqual([]);
    expect(await failures(at('5%'))).toEqual([
      '3m errors: expected 5%, got inactive 4 % (24 of 600 in 1m)',
    ]);
    expect(await failures(at('firing 4%'))).toHaveLength(1);
  });

  it('knows no share of 0.4 % as nothing', async () => {
    const series = { queue_length: 0.4 };
    expect(await failures({ series, expect: { '1m': { queue: 0 } } })).toHaveLength(1);
    expect(await failures({ series: { queue_length: 0 }, expect: { '1m': { queue: 0 } } })).toEqual(
      [],
    );
  });

  it('holds a time from-to at every tick between', async () => {
    const series = { queue_length: { '0s': 5, '2m': 60, '2m5s': 5 } };
    expect(await failures({ series, expect: { '0s-2m': { queue: 'inactive' } } })).toHaveLength(1);
    const after = { '10s-1m55s': { queue: 'inactive' }, '2m5s-4m': { queue: 'inactive' } };
    expect(await failures({ series, expect: after })).toEqual([]);
  });

  it('sees between two scrapes what the last one showed', async () => {
    const series = { queue_length: { '0s': 5, '2m1s': 60 } };
    const expected = { '2m10s': { queue: 'inactive 5' }, '2m15s': { queue: 'firing 60' } };
    for (const source of ['prometheus', 'scrape']) {
      const file = { interval: '15s', source };
      expect(await failures({ series, expect: expected }, file)).toEqual([]);
    }
    expect(await failures({ series, expect: expected })).toHaveLength(1);
  });

  it('finds at any tick what may never be', async () => {
    const series = { queue_length: { '0s': 5, '2m': 60, '2m5s': 5 } };
    const never = { queue: 'firing', message: ['Warning', 'STOPPED'], actions: ['rollback'] };
    const [queue, message, ...others] = await failures({ series, never, until: '4m' });
    expect(queue).toBe('never queue: expected not firing, got firing 60');
    expect(message).toContain(
      'never message: expected not [Warning, STOPPED], got "Warning shop 2.0.0',
    );
    expect(others).toEqual([]);
  });

  it('finds what may never be in the watch of any deploy', async () => {
    const own = {
      series: { failed_total: { '0s': 0, '3m': '+5/s' } },
      happens: { '2m': 'deploy 2.0.1' },
      until: '5m',
    };
    const never = { watch: 'stopped', actions: ['rollback'] };
    expect(await failures({ ...own, never })).toEqual([
      'never watch: expected not stopped, got stopped',
      'never actions: expected not [rollback], got rollback was sent',
    ]);
    expect(await failures({ ...own, never: { ...never, version: '2.0.0' } })).toEqual([]);
    expect(await failures({ ...own, never: { ...never, version: '2.0.1' } })).toHaveLength(2);
  });

  it('takes one action that stands as it may never stand for enough', async () => {
    const never = { actions: { disarm: 'gave_up', rollback: 'gave_up' } };
    const own = { health: 'HTTP 503', receivers: { disarm: 'refused' }, until: '1m', never };
    expect(await failures(own)).toEqual([
      'never actions: expected not disarm: gave_up, rollback: gave_up, got disarm: gave_up',
    ]);
  });

  it('begins late when the watch does', async () => {
    const deploy = { started: '5m' };
    const expected = { '5m': { watch: 'watching', errors: 'inactive 0%' } };
    expect(await failures({ deploy, expect: expected })).toEqual([]);
  });

  it('takes baselines from the time before', async () => {
    const [early, late] = SHOP.windows;
    const stop = { queue: { above: '150%', of: 'baseline' } };
    const policy = {
      ...SHOP,
      windows: [
        {
          ...early,
          stop,
          warn: { errors: { above: '5%' }, p90: { above: '1s' }, health: { failing: 3 } },
        },
        late,
      ],
    };
    const own = {
      before: { queue_length: 10 },
      series: { queue_length: { '0s': 14, '1m': 16 } },
      expect: { '55s': { queue: 'inactive 14' }, '1m': { queue: 'firing', watch: 'stopped' } },
    };
    expect(await failures(own, {}, policy)).toEqual([]);
  });
});

describe('what happens in a case', () => {
  it('an outage blinds, and health goes on', async () => {
    expect(
      await failures({
        happens: { '1m-4m': 'source down', '5m-6m': 'source rejects' },
        health: { '0s': 'ok', '3m': 'no answer' },
        expect: {
          '55s': { errors: 'inactive' },
          '2m': { errors: 'blind unreachable' },
          '3m10s': { watch: 'stopped', health: 'firing' },
        },
      }),
    ).toEqual([]);
    const expected = { '5m30s': { errors: 'blind rejected' }, '6m': { errors: 'inactive' } };
    expect(await failures({ happens: { '5m-6m': 'source rejects' }, expect: expected })).toEqual(
      [],
    );
  });

  it('canaryd is down, and nobody judges', async () => {
    const happens = { '1m-5m': 'canaryd down', '6m': 'canaryd restarts' };
    const expected = { '4m': { watch: 'watching' }, '5m10s': { watch: 'stopped' } };
    expect(await failures({ series: BAD, happens, expect: expected })).toEqual([]);
  });

  it('canaryd goes down while an answer is waited for, and sends it again', async () => {
    const own = { health: 'HTTP 503', receivers: { disarm: 'times out 2x, accepted' } };
    const happens = { '12s-1m': 'canaryd down' };
    const expected = { '30s': { watch: 'stopped' }, '2m': { actions: { disarm: 'accepted' } } };
    expect(await failures({ ...own, happens, expect: expected })).toEqual([]);
  });

  it('people command, and may be refused', async () => {
    const happens = {
      '1m': 'ann stops it (orders look wrong)',
      '2m': ['bob cancels (too late), refused', 'bob acknowledges'],
    };
    const expected = {
      '1m': { watch: 'stopped', actions: ['disarm', 'rollback'], message: 'orders look wrong' },
    };
    expect(await failures({ happens, expect: expected })).toEqual([]);
  });

  it('a command that is refused or done against expectation fails the case', async () => {
    const happens = {
      '1m': 'ann cancels',
      '2m': 'bob stops (too late)',
      '3m': 'bob acknowledges, refused',
    };
    const [stops, acknowledges] = await failures({
      happens,
      expect: { '1m': { watch: 'cancelled' } },
    });
    expect(stops).toContain('2m bob stops (too late): expected to be done, got refused: ');
    expect(acknowledges).toContain('3m bob acknowledges, refused: expected to be refused, got');
  });

  it('hold fire and observing keep from acting', async () => {
    const expected = { '4m': { watch: 'stopped', actions: [], message: 'WOULD STOP' } };
    const happens = { '1m': 'ann holds fire (maintenance)' };
    expect(await failures({ series: BAD, happens, expect: expected })).toEqual([]);
    expect(await failures({ series: BAD, deploy: { mode: 'observe' }, expect: expected })).toEqual(
      [],
    );
    const released = { ...happens, '90s': 'ann releases fire' };
    const acts = { '4m': { watch: 'stopped', actions: ['disarm', 'rollback'] } };
    expect(await failures({ series: BAD, happens: released, expect: acts })).toEqual([]);
  });

  it('an extension gives the last window more time', async () => {
    const own = { series: { failed_total: '+0.3/s' }, happens: { '20m': 'ann extends by 1h' } };
    expect(await failures({ ...own, expect: { '40m': { watch: 'watching' } } })).toEqual([]);
    const plain = { series: own.series, expect: { '30m': { watch: 'inconclusive' } } };
    expect(await failures(plain)).toEqual([]);
  });

  it('a newer deploy takes over, and can be asked by its version', async () => {
    const expected = {
      '2m': { watch: 'superseded' },
      '3m': { version: '2.0.1', watch: 'watching', window: 'early', armed: '2 of 2' },
    };
    expect(await failures({ happens: { '2m': 'deploy 2.0.1' }, expect: expected })).toEqual([]);
    const early = { '1m': { version: '2.0.1', watch: 'watching' } };
    expect(await failures({ happens: { '2m': 'deploy 2.0.1' }, expect: early })).toEqual([
      '1m watch: expected watching, got no such deploy was watched',
    ]);
  });

  it('receivers answer attempt by attempt', async () => {
    const own = {
      health: 'HTTP 503',
      receivers: { disarm: 'refused', rollback: 'times out 2x, accepted' },
    };
    const expected = {
      '12s': { actions: { disarm: 'gave_up', rollback: 'pending' } },
      '2m': { actions: { disarm: 'gave_up', rollback: 'accepted' } },
    };
    expect(await failures({ ...own, expect: expected })).toEqual([]);
  });

  it('health is slow up to its limit, and wants the right answer', async () => {
    const ticks = { '1m': { health: 'inactive' } };
    expect(await failures({ health: 'slow 1s', expect: ticks })).toEqual([]);
    const fires = { '1m': { health: 'firing', watch: 'stopped' } };
    expect(await failures({ health: 'ok 20s, slow 3s', expect: fires })).toEqual([]);
    const health = {
      title: 'Version',
      http: { url: 'http://shop/v', json: { pointer: '/v', equals: '${version}' } },
    };
    const policy = { ...SHOP, indicators: { ...SHOP.indicators, health } };
    const body = (v: string) => ({ health: { health: `HTTP 200 {"v":"${v}","x":1}` } });
    expect(await failures({ ...body('2.0.0'), expect: ticks }, {}, policy)).toEqual([]);
    expect(await failures({ ...body('1.0.0'), expect: fires }, {}, policy)).toEqual([]);
  });
});

describe('values of promql indicators', () => {
  const policy = {
    ...SHOP,
    indicators: {
      ...SHOP.indicators,
      queue: { title: 'Queue', promql: 'max(queue_length)' },
      p90: {
        title: 'P90',
        promql: 'histogram_quantile(0.9, rate(x[${range}]))',
        over: '1m',
        unit: 'seconds',
      },
    },
  };
  const series = { queue_length: undefined, latency_seconds: undefined };

  it('are what the case says, side by side with what is computed', async () => {
    const own = {
      series,
      values: { queue: { '0s': 5, '2m': 60, '4m': 'gone' }, p90: 0.2 },
      expect: {
        '1m': { queue: 'inactive 5', p90: 'inactive 200ms', errors: 'inactive' },
        '2m': { queue: 'firing 60' },
        '4m': { queue: 'blind no_series', p90: 'inactive' },
      },
    };
    expect(await failures(own, {}, policy)).toEqual([]);
  });
});

describe('a scraped service', () => {
  const own = {
    series: { ...BAD, latency_seconds: { '0s': '+10/s of 80ms', '1m': '+10/s of 3s' } },
    expect: {
      '1m': { queue: 'inactive 5', errors: 'inactive 0%', p90: 'inactive' },
      '1m55s': { p90: 'firing' },
      '2m30s': { errors: 'firing', watch: 'stopped' },
    },
  };

  it('gives the same as a Prometheus', async () => {
    expect(await failures(own, { source: 'scrape' })).toEqual([]);
    expect(await failures(own, { source: 'prometheus' })).toEqual([]);
  });

  it('has a time before the deploy, and outages', async () => {
    const happens = { '1m-3m': 'source down', '4m-5m': 'source rejects' };
    const expected = {
      '2m': { errors: 'blind unreachable' },
      '4m30s': { errors: 'blind rejected' },
    };
    const before = { queue_length: 80 };
    const again = { ...expected, '5m30s': { queue: 'firing' } };
    const series = { queue_length: 80 };
    expect(
      await failures({ happens, before, series, expect: again }, { source: 'scrape' }),
    ).toEqual([]);
  });
});

describe('what a case costs', () => {
  it('a day of samples is not kept before it is asked for', () => {
    const values = `0+1x17280 ${'5 '.repeat(100)}`;
    const file = { policy: 'shop.yaml', series: { ...HEALTHY, queue_length: values } };
    const cases = Array.from({ length: 200 }, (_, index) => ({
      name: `case ${index}`,
      expect: { '24h': { watch: 'inconclusive' } },
    }));
    expect(readCases({ ...file, cases }).cases).toHaveLength(200);
    expect(caseFile({ ...file, cases })).toContain('shop.test.yaml');
  });
});
