import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { GaugeIndicator, RatioIndicator, Selector } from '../../src/core/policy.ts';
import type { ReadRequest, SeriesIndicator } from '../../src/core/read.ts';
import type { Reading } from '../../src/core/sample.ts';
import type { Clock } from '../../src/kit/clock.ts';
import { createScrapeSource, type ScrapeOptions } from '../../src/source/scrape.ts';
import { SERIES_MAX } from '../../src/source/scrape-history.ts';
import { until } from '../support/until.ts';

const DEPLOY = 1_000;

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A service's `/metrics` on a real socket: it counts requests and answers as told last. */
class Service {
  answer: Answer = text('');
  requests: IncomingMessage[] = [];
  #server = createServer((request, response) => {
    this.requests.push(request);
    this.answer(request, response);
  });
  port = 0;

  async start(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/metrics`;
  }

  get instance(): string {
    return `127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    this.#server = createServer((request, response) => {
      this.requests.push(request);
      this.answer(request, response);
    });
  }
}

function text(body: string, contentType = 'text/plain; version=0.0.4'): Answer {
  return (_, response) => response.setHeader('content-type', contentType).end(body);
}

function status(code: number): Answer {
  return (_, response) => response.writeHead(code).end('no');
}

const services: Service[] = [];

async function service(answer: Answer = text('')): Promise<Service> {
  const one = await new Service().start();
  one.answer = answer;
  services.push(one);
  return one;
}

afterEach(async () => {
  await Promise.all(services.splice(0).map((one) => one.stop()));
});

/** A clock that stands still until it is set. */
function stoppedClock() {
  let nowMs = DEPLOY * 1_000;
  const clock: Clock = {
    now: () => nowMs,
    monotonic: () => nowMs,
    sleep: () => Promise.reject(new Error('nothing here sleeps')),
  };
  return { clock, set: (seconds: number) => (nowMs = seconds * 1_000) };
}

function scraping(targets: readonly Service[], more: Partial<ScrapeOptions> = {}) {
  const time = stoppedClock();
  const onRequest = vi.fn();
  const source = createScrapeSource({
    targets: targets.map(({ url }) => url),
    headers: {},
    timeoutMs: 5_000,
    clock: time.clock,
    onRequest,
    ...more,
  });
  const read = async (seconds: number, ...indicators: SeriesIndicator[]): Promise<Reading> => {
    time.set(seconds);
    const readings = await source.read(request(seconds, indicators));
    return readings[indicators[0]?.id ?? ''] ?? { kind: 'blind', reason: 'no_series', detail: '' };
  };
  const standBy = async (seconds: number) => {
    time.set(seconds);
    await source.standBy?.(new AbortController().signal);
  };
  return { source, read, standBy, set: time.set, onRequest };
}

function request(
  seconds: number,
  indicators: readonly SeriesIndicator[],
  more: Partial<ReadRequest> = {},
): ReadRequest {
  return {
    watchId: 'w_1',
    indicators,
    atMs: seconds * 1_000,
    deployedAtMs: DEPLOY * 1_000,
    staleAfterMs: 30_000,
    previous: {},
    signal: new AbortController().signal,
    ...more,
  };
}

function selector(metric: string): Selector {
  return { metric, matchers: [] };
}

const ratio: RatioIndicator = {
  id: 'fill_rate',
  title: 'Fill rate',
  unit: 'ratio',
  kind: 'ratio',
  part: 'good',
  numerator: selector('filled_total'),
  total: selector('orders_total'),
  overMs: 60_000,
  minTotal: 1,
  early: 'shorten',
};
const gauge: GaugeIndicator = {
  id: 'positions',
  title: 'Positions',
  unit: 'number',
  kind: 'gauge',
  metric: selector('positions'),
  aggregate: 'sum',
  negate: false,
};
const quantile: SeriesIndicator = {
  id: 'p50',
  title: 'P50',
  unit: 'seconds',
  kind: 'quantile',
  q: 0.5,
  histogram: selector('took'),
  overMs: 60_000,
  minTotal: 1,
  early: 'shorten',
};

function blind(reason: string, detail: string) {
  return { kind: 'blind', reason, detail: expect.stringContaining(detail) };
}

describe('A scrape source', () => {
  it('counts a restarted process from 0, because it knew the time before the deploy', async () => {
    const aurora = await service(text('orders_total 500\nfilled_total 490\n'));
    const { read, standBy } = scraping([aurora]);
    await standBy(990);
    aurora.answer = text('orders_total 40\nfilled_total 30\n');
    expect(await read(1005, ratio)).toEqual({
      kind: 'value',
      value: 0.75,
      rangeMs: 5_000,
      shortened: true,
      counts: { part: 30, total: 40 },
      sinceDeploy: { part: 30, total: 40 },
    });
  });

  it('counts a counter that is born after the deploy from 0', async () => {
    const aurora = await service(text('orders_total 500\n'));
    const { read, standBy } = scraping([aurora]);
    await standBy(990);
    await read(1001, ratio);
    aurora.answer = text('orders_total 510\nfilled_total 5\n');
    expect(await read(1005, ratio)).toMatchObject({ counts: { part: 5, total: 10 } });
  });

  it('knows that it looked, also when no counter of the policy was there', async () => {
    const aurora = await service(text('other 1\n'));
    const { read, standBy } = scraping([aurora]);
    await standBy(990);
    aurora.answer = text('orders_total 10\nfilled_total 5\n');
    expect(await read(1005, ratio)).toMatchObject({ counts: { part: 5, total: 10 } });
  });

  it('does not count what an unknown process had counted before', async () => {
    const aurora = await service(text('orders_total 500\nfilled_total 490\n'));
    const { read } = scraping([aurora]);
    expect(await read(1001, ratio)).toMatchObject({ reason: 'too_few' });
    aurora.answer = text('orders_total 510\nfilled_total 491\n');
    expect(await read(1006, ratio)).toMatchObject({ counts: { part: 1, total: 10 } });
  });

  it('reads histograms', async () => {
    const before = 'took_bucket{le="0.1"} 5\ntook_bucket{le="1"} 5\ntook_bucket{le="+Inf"} 5\n';
    const after = 'took_bucket{le="0.1"} 5\ntook_bucket{le="1"} 15\ntook_bucket{le="+Inf"} 15\n';
    const aurora = await service(text(before));
    const { read } = scraping([aurora]);
    await read(1000, quantile);
    aurora.answer = text(after);
    const reading = await read(1005, quantile);
    expect(reading).toMatchObject({ value: 0.55, counts: { part: 0, total: 10 } });
  });

  it('asks for OpenMetrics first and reads what it gets', async () => {
    const body = '# TYPE positions gauge\npositions 7.0\n# EOF\n';
    const aurora = await service(text(body, 'application/openmetrics-text; version=1.0.0'));
    const { read } = scraping([aurora], { headers: { Authorization: 'Bearer s3cret' } });
    expect(await read(1005, gauge)).toEqual({ kind: 'value', value: 7 });
    const { accept, authorization } = aurora.requests[0]?.headers ?? {};
    expect(accept).toMatch(/^application\/openmetrics-text;version=1.0.0;q=0.8,text\/plain/);
    expect(authorization).toBe('Bearer s3cret');
  });

  it('takes no sample as newer than the query time', async () => {
    const aurora = await service(text('positions 7 9999999999999\n'));
    const { source, set } = scraping([aurora]);
    set(1010);
    const readings = await source.read(request(1005, [gauge]));
    expect(readings).toEqual({ positions: { kind: 'value', value: 7 } });
  });

  it('believes a service that says its value is old', async () => {
    const aurora = await service(text('positions 7 950000\n'));
    const { read } = scraping([aurora]);
    expect(await read(1005, gauge)).toEqual(blind('stale', 'before the deploy'));
  });

  it('cannot read PromQL, and says what would', async () => {
    const aurora = await service(text('positions 7\n'));
    const { read } = scraping([aurora]);
    const promql = { id: 'q', title: 'Q', unit: 'number', kind: 'promql' } as const;
    const indicator = { ...promql, promql: 'up', overMs: null, waitMs: 0 };
    expect(await read(1005, indicator)).toEqual(blind('rejected', 'needs a Prometheus source'));
  });

  it('drops a series at once that a successful scrape no longer has', async () => {
    const aurora = await service(text('positions{book="a"} 7\npositions{book="b"} 1\n'));
    const { read } = scraping([aurora]);
    expect(await read(1005, gauge)).toMatchObject({ value: 8 });
    aurora.answer = text('positions{book="b"} 2\n');
    expect(await read(1006, gauge)).toMatchObject({ value: 2 });
    aurora.answer = text('positions{book="a"} 3\npositions{book="b"} 2\n');
    expect(await read(1007, gauge)).toMatchObject({ value: 5 });
    aurora.answer = text('other 1\n');
    expect(await read(1008, gauge)).toEqual(blind('stale', 'ended'));
  });

  it('goes on from the counts of the previous tick', async () => {
    const aurora = await service(text('orders_total 500\nfilled_total 490\n'));
    const { source, read, set } = scraping([aurora]);
    await read(1003, ratio);
    aurora.answer = text('orders_total 520\nfilled_total 500\n');
    set(1008);
    const previous = { fill_rate: { atMs: 1_003_000, counts: { part: 100, total: 1_000 } } };
    expect(await source.read(request(1008, [ratio], { previous }))).toMatchObject({
      fill_rate: { sinceDeploy: { part: 110, total: 1_020 } },
    });
  });

  it('refuses targets that are no URLs, without showing them', () => {
    const options = { headers: {}, timeoutMs: 1, clock: stoppedClock().clock };
    expect(() => createScrapeSource({ ...options, targets: ['user:s3cret@host'] })).toThrow(
      /^targets\[0\] of a scrape source is no http/,
    );
    const twice = ['http://a/metrics', 'http://a/metrics'];
    expect(() => createScrapeSource({ ...options, targets: twice })).toThrow('listed twice');
  });
});

describe('The time before a deploy', () => {
  it('is never what a scrape shows now, also when the tick is read at the same time', async () => {
    const aurora = await service(text('positions 15\n'));
    const { source, set } = scraping([aurora]);
    set(1060);
    const tick = source.read(request(1060, [gauge]));
    const before = source.read(request(700, [gauge], { deployedAtMs: null }));
    expect(await before).toEqual({ positions: blind('no_series', 'no metric of this name') });
    expect(await tick).toEqual({ positions: { kind: 'value', value: 15 } });
    expect(aurora.requests).toHaveLength(1);
  });

  it('is what was scraped then, whether or not the service answers now', async () => {
    const aurora = await service(text('positions 7\n'));
    const { source, standBy, set } = scraping([aurora]);
    await standBy(995);
    aurora.answer = status(503);
    set(1001);
    const before = await source.read(request(1000, [gauge], { deployedAtMs: null }));
    expect(before).toEqual({ positions: { kind: 'value', value: 7 } });
  });
});

describe('Several watches', () => {
  it('share one scrape when they read at about the same time', async () => {
    const aurora = await service(text('positions 7\n'));
    const { source, set } = scraping([aurora]);
    set(1005);
    const read = (watchId: string, seconds: number) =>
      source.read(request(seconds, [gauge], { watchId }));
    const both = await Promise.all([read('w_1', 1005), read('w_2', 1005)]);
    expect(both).toEqual([
      { positions: { kind: 'value', value: 7 } },
      { positions: { kind: 'value', value: 7 } },
    ]);
    set(1005.2);
    await read('w_3', 1005.1);
    expect(aurora.requests).toHaveLength(1);
    set(1005.3);
    await read('w_4', 1005.3);
    expect(aurora.requests).toHaveLength(2);
  });

  it('of one tick share a scrape however long the tick takes', async () => {
    const aurora = await service(text('positions 7\n'));
    const { source, set } = scraping([aurora]);
    set(1005);
    await source.read(request(1005, [gauge]));
    set(1009);
    await source.read(request(1005, [gauge], { watchId: 'w_2' }));
    expect(aurora.requests).toHaveLength(1);
  });

  it('share a scrape that is under way, also when the tick of one was planned earlier', async () => {
    const aurora = await service(text('positions 7\n'));
    const { source, set } = scraping([aurora]);
    set(1005);
    const later = source.read(request(1005, [gauge]));
    const earlier = source.read(request(1004, [gauge], { watchId: 'w_2' }));
    expect(await earlier).toEqual({ positions: { kind: 'value', value: 7 } });
    expect(await later).toEqual({ positions: { kind: 'value', value: 7 } });
    expect(aurora.requests).toHaveLength(1);
  });

  it('are not disturbed when one of them is aborted or forgotten', async () => {
    const aurora = await service();
    let finish = () => {};
    aurora.answer = (_, response) => {
      finish = () => response.end('positions 7\n');
    };
    const { source, set } = scraping([aurora]);
    set(1005);
    const abort = new AbortController();
    const aborted = source.read(request(1005, [gauge], { signal: abort.signal }));
    const patient = source.read(request(1005, [gauge], { watchId: 'w_2' }));
    await until(() => expect(aurora.requests).toHaveLength(1));
    abort.abort();
    expect(await aborted).toEqual({ positions: blind('unreachable', 'tick ended') });
    source.forget('w_1');
    finish();
    expect(await patient).toEqual({ positions: { kind: 'value', value: 7 } });
  });
});

describe('Several targets', () => {
  it('are told apart by instance and added up', async () => {
    const a = await service(text('positions 7\n'));
    const b = await service(text('positions{instance="mine"} 4\n'));
    const { read } = scraping([a, b]);
    expect(await read(1005, gauge)).toEqual({ kind: 'value', value: 11 });
    const one = { label: 'instance', op: '=', value: b.instance } as const;
    const onlyB = { ...gauge, metric: { metric: 'positions', matchers: [one] } };
    expect(await read(1006, onlyB)).toEqual({ kind: 'value', value: 4 });
    const mine = { label: 'exported_instance', op: '=', value: 'mine' } as const;
    const onlyMine = { ...gauge, metric: { metric: 'positions', matchers: [mine] } };
    expect(await read(1007, onlyMine)).toEqual({ kind: 'value', value: 4 });
  });

  it('are judged without the one that cannot be reached, and the reading says so', async () => {
    const a = await service(text('positions 7\n'));
    const b = await service(text('positions 4\n'));
    const c = await service(status(503));
    const { read } = scraping([a, b, c]);
    expect(await read(1005, gauge)).toEqual({
      kind: 'value',
      value: 11,
      detail: `1 of 3 targets unreachable (${c.instance}: HTTP 503)`,
    });
    expect(await read(1006, ratio)).toEqual(blind('no_series', '; 1 of 3 targets unreachable'));
  });
});

describe('A target', () => {
  it('that is down is unreachable, and back again it goes on from where it was', async () => {
    const aurora = await service(text('orders_total 500\nfilled_total 490\n'));
    const { read, onRequest } = scraping([aurora]);
    await read(1001, ratio);
    await aurora.stop();
    expect(await read(1006, ratio)).toEqual(blind('unreachable', 'connection refused'));
    await aurora.start(aurora.port);
    aurora.answer = text('orders_total 520\nfilled_total 500\n');
    expect(await read(1011, ratio)).toMatchObject({
      value: 0.5,
      counts: { part: 10, total: 20 },
    });
    expect(onRequest.mock.calls.map(([outcome]) => outcome)).toEqual([
      'ok',
      'refused_connection',
      'ok',
    ]);
  });

  it('that closes a kept-alive connection under a request is asked once more', async () => {
    const aurora = await service();
    const drop: Answer = (_, response) => {
      response.destroy();
    };
    aurora.answer = (incoming, response) => {
      aurora.answer = text('positions 7\n');
      drop(incoming, response);
    };
    const { read } = scraping([aurora]);
    expect(await read(1005, gauge)).toEqual({ kind: 'value', value: 7 });
    aurora.answer = drop;
    expect(await read(1006, gauge)).toMatchObject({ reason: 'unreachable' });
    expect(aurora.requests).toHaveLength(4);
  });

  it('that does not answer in time is unreachable', async () => {
    const aurora = await service(() => {});
    const { read } = scraping([aurora], { timeoutMs: 50 });
    expect(await read(1005, gauge)).toEqual(blind('unreachable', 'no answer within 50 ms'));
  });

  it('that is slow is left out of the figure of the others', async () => {
    const slow = await service(() => {});
    const quick = await service(text('positions 7\n'));
    const { read } = scraping([slow, quick], { timeoutMs: 100 });
    expect(await read(1005, gauge)).toMatchObject({
      value: 7,
      detail: expect.stringContaining('1 of 2 targets unreachable'),
    });
  });

  it.each([
    ['an error', status(503), 'HTTP 503', 'http_status'],
    ['a page', text('<!DOCTYPE html>\n', 'text/html'), 'line 1: no metric name', 'bad_text'],
    ['a cut answer', text('a 1\n', 'application/openmetrics-text'), 'the text is cut', 'bad_text'],
    ['too much', text(' '.repeat(17 * 2 ** 20)), 'larger than', 'too_large'],
  ])('that answers with %s is rejected, with the cause', async (_, answer, detail, outcome) => {
    const aurora = await service(answer);
    const { read, onRequest } = scraping([aurora]);
    expect(await read(1005, gauge)).toEqual(blind('rejected', detail));
    expect(onRequest).toHaveBeenCalledWith(outcome, expect.any(Number));
  });

  it('that echoes a header gives nothing of it away', async () => {
    const aurora = await service((request, response) =>
      response.end(`"${'-'.repeat(40)}${request.headers.authorization}"\n`),
    );
    const { read } = scraping([aurora], { headers: { Authorization: 'Bearer hunter2-hunter2' } });
    const reading = await read(1005, gauge);
    expect(aurora.requests[0]?.headers.authorization).toBe('Bearer hunter2-hunter2');
    expect(reading).toMatchObject({ detail: expect.stringContaining('line 1') });
    expect(reading?.detail).not.toContain('hunter');
  });

  it('that follows a redirect elsewhere is not followed', async () => {
    const aurora = await service((_, response) =>
      response.writeHead(302, { location: '/elsewhere' }).end(),
    );
    const { read } = scraping([aurora]);
    expect(await read(1005, gauge)).toEqual(blind('rejected', 'HTTP 302'));
    expect(aurora.requests).toHaveLength(1);
  });
});

describe('A service with more series than are kept', () => {
  const flood = Array.from({ length: SERIES_MAX + 10 }, (_, index) => `flood{i="${index}"} 1`);

  it('is read all the same: metrics that a watch asks for go first', async () => {
    const aurora = await service(text(`${flood.join('\n')}\npositions 7\n`));
    const { read, standBy } = scraping([aurora]);
    await standBy(990);
    expect(await read(1005, gauge)).toEqual({ kind: 'value', value: 7 });
  });

  it('takes a series back that had to make room', async () => {
    const aurora = await service(text(`${flood.join('\n')}\npositions 7\n`));
    const { read } = scraping([aurora]);
    await read(1005, gauge);
    aurora.answer = text('flood{i="0"} 3\npositions 7\n');
    const flooded = { ...gauge, metric: selector('flood') };
    expect(await read(1006, flooded)).toEqual({ kind: 'value', value: 3 });
  });

  it('does not mistake a counter that found no place for a new one', async () => {
    const figures = 'orders_total 500\nfilled_total 490\n';
    const aurora = await service(text(`${flood.join('\n')}\n${figures}`));
    const { read, standBy } = scraping([aurora]);
    await standBy(990);
    expect(await read(1005, ratio)).toMatchObject({ reason: 'too_few', counts: { total: 0 } });
  });
});

describe('A long watch', () => {
  async function everySecond(source: ReturnType<typeof scraping>, from: number, to: number) {
    for (let second = from; second <= to; second += 1) await source.read(second, ratio);
  }

  it('keeps its figures right though old points are thinned and dropped', async () => {
    const aurora = await service();
    let orders = 0;
    aurora.answer = (_, response) => {
      orders += 10;
      response.end(`orders_total ${orders}\nfilled_total ${orders / 2}\n`);
    };
    const source = scraping([aurora]);
    await everySecond(source, 1_000, 2_500);
    expect(await source.read(2_501, ratio)).toMatchObject({
      value: 0.5,
      counts: { part: 300, total: 600 },
    });
  });
});
