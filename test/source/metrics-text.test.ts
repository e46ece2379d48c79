import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  LABEL_LENGTH_MAX,
  LABELS_MAX,
  LINES_MAX,
  type MetricSample,
  parseMetrics,
  TEXT_LENGTH_MAX,
} from '../../src/source/metrics-text.ts';

const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
const PLAIN = 'text/plain; version=0.0.4';

function samplesOf(text: string, contentType: string | undefined = PLAIN): readonly MetricSample[] {
  const parsed = parseMetrics(text, contentType);
  return parsed.kind === 'samples' ? parsed.samples : [];
}

function sample(metric: string, labels: Record<string, string>, value: number): MetricSample {
  return { metric, labels, value, timestampMs: null };
}

describe('Prometheus text 0.0.4', () => {
  it('gives names, labels, values and times in ms', () => {
    const text = [
      '# HELP http_requests_total Requests, with "quotes" and {braces}',
      '# TYPE http_requests_total counter',
      'http_requests_total{method="post",code="200"} 1027 1395066363000',
      '# just a comment',
      '',
      'up 1',
    ].join('\n');
    expect(samplesOf(text)).toEqual([
      {
        metric: 'http_requests_total',
        labels: { method: 'post', code: '200' },
        value: 1027,
        timestampMs: 1395066363000,
      },
      sample('up', {}, 1),
    ]);
  });

  it.each([
    ['+Inf', Number.POSITIVE_INFINITY],
    ['Inf', Number.POSITIVE_INFINITY],
    ['-Inf', Number.NEGATIVE_INFINITY],
    ['NaN', Number.NaN],
    ['1.5e-3', 0.0015],
    ['-.5', -0.5],
    ['+7.', 7],
  ])('reads the value %s', (text, value) => {
    expect(samplesOf(`a ${text}\n`)).toEqual([sample('a', {}, value)]);
  });

  it('takes back the escapes in label values', () => {
    const text = String.raw`a{path="C:\\DIR\\",text="line\nbreak \"quoted\" } , # \t"} 1`;
    expect(samplesOf(text)).toEqual([
      sample('a', { path: 'C:\\DIR\\', text: 'line\nbreak "quoted" } , # \\t' }, 1),
    ]);
  });

  it('allows spaces, tabs, a trailing comma and Windows line ends', () => {
    const text = '  a { x = "1" , y="2", }\t 3 \r\n\tb\t4\r\n';
    expect(samplesOf(text)).toEqual([sample('a', { x: '1', y: '2' }, 3), sample('b', {}, 4)]);
  });

  it('reads quoted UTF-8 names', () => {
    expect(samplesOf('{"my.metric","my.label"="x"} 1')).toEqual([
      sample('my.metric', { 'my.label': 'x' }, 1),
    ]);
  });

  it('treats a label named like an object property as data', () => {
    const [one] = samplesOf('a{__proto__="x",constructor="y"} 1');
    expect(Object.entries(one?.labels ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });

  it('leaves out the creation times of counters, but not a figure of that name', () => {
    const text = [
      '# TYPE a_total counter',
      'a_total 1',
      'a_created 1.7e9',
      '# TYPE orders_created gauge',
      'orders_created 5',
    ].join('\n');
    expect(samplesOf(text).map(({ metric }) => metric)).toEqual(['a_total', 'orders_created']);
  });
});

describe('OpenMetrics 1.0', () => {
  const text = [
    '# TYPE orders counter',
    '# UNIT orders orders',
    '# HELP orders Orders.',
    'orders_total{side="buy"} 17.0 1520879607.789 # {trace_id="KOO5S4vxi0o"} 0.67 1520879607.1',
    'orders_created{side="buy"} 1520872607.123',
    '# TYPE took histogram',
    'took_bucket{le="0.1"} 8 # {trace_id="x # y"} 0.054',
    'took_bucket{le="+Inf"} 9',
    'took_created 1520872607.1',
    '# EOF',
    '',
  ].join('\n');

  it('gives times in ms, without exemplars and creation times', () => {
    expect(samplesOf(text, OPEN_METRICS)).toEqual([
      {
        metric: 'orders_total',
        labels: { side: 'buy' },
        value: 17,
        timestampMs: 1520879607789,
      },
      sample('took_bucket', { le: '0.1' }, 8),
      sample('took_bucket', { le: '+Inf' }, 9),
    ]);
  });

  it('is refused without "# EOF", because the text is cut', () => {
    expect(parseMetrics('a 1\n', OPEN_METRICS)).toMatchObject({
      kind: 'bad',
      detail: expect.stringContaining('the text is cut'),
    });
  });

  it('is refused with text after "# EOF"', () => {
    expect(parseMetrics('a 1\n# EOF\nb 1\n', OPEN_METRICS)).toMatchObject({ kind: 'bad', line: 3 });
  });
});

describe('A bad line', () => {
  it.each([
    ['a', 'no number where the value is wanted'],
    ['a b', 'no number where the value is wanted'],
    ['a 1 2 3', 'text after the sample'],
    ['a 1 x', 'no number where the time is wanted'],
    ['a 1 # {x="1"} 2', 'text after the sample'],
    ['a{x="1" 1', '"," or "}" wanted after a label'],
    ['a{x="1', 'quoted label value wanted'],
    ['a{x=1} 1', 'quoted label value wanted'],
    ['a{x} 1', '"=" wanted after a label name'],
    ['a{="1"} 1', 'label name wanted'],
    ['a{x="1",x="2"} 1', 'the same label twice'],
    ['{x="1"} 1', 'no metric name'],
    ['<!DOCTYPE html>', 'no metric name'],
    ['9a 1', 'no metric name'],
    ['a 0x10', 'no number where the value is wanted'],
  ])('%s rejects the scrape with line and cause', (line, cause) => {
    expect(parseMetrics(`ok 1\n${line}\nok 2\n`, PLAIN)).toEqual({
      kind: 'bad',
      line: 2,
      detail: `line 2: ${cause}: ${JSON.stringify(line)}`,
    });
  });

  it('is shown cut', () => {
    const parsed = parseMetrics(`secret ${'x'.repeat(10_000)}`, undefined);
    expect(JSON.stringify(parsed).length).toBeLessThan(200);
  });
});

describe('A hostile body', () => {
  const labels = Array.from({ length: LABELS_MAX + 1 }, (_, index) => `l${index}="x"`);

  it.each([
    ['too many labels', `a{${labels.join(',')}} 1`],
    ['a label value too long', `a{x="${'y'.repeat(LABEL_LENGTH_MAX + 1)}"} 1`],
    ['a name too long', `${'a'.repeat(LABEL_LENGTH_MAX + 1)} 1`],
    ['too many lines', '\n'.repeat(LINES_MAX + 1)],
    ['too much text', ' '.repeat(TEXT_LENGTH_MAX + 1)],
    ['one endless line of quotes', `a{x="${'\\"'.repeat(2_000_000)}`],
    ['one endless line of braces', '{'.repeat(4_000_000)],
    ['one endless number', `a ${'1'.repeat(4_000_000)}`],
    ['one endless type', `# TYPE ${'a '.repeat(2_000_000)}\nx`],
    ['binary', '\u0000\u0001\ufffd'],
  ])('with %s is refused', (_, text) => {
    expect(parseMetrics(text, undefined).kind).toBe('bad');
  });

  it('never throws', () => {
    const piece = fc.constantFrom(
      'a',
      '{',
      '}',
      '"',
      '\\',
      ',',
      '=',
      ' ',
      '#',
      '\n',
      '1',
      'NaN',
      '.',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), fc.boolean(), (pieces, isOpen) => {
        const parsed = parseMetrics(pieces.join(''), isOpen ? OPEN_METRICS : PLAIN);
        expect(['samples', 'bad']).toContain(parsed.kind);
      }),
      { numRuns: 2_000 },
    );
  });

  it('cannot smuggle a label value that does not come back as it was', () => {
    const escaped = (value: string) => value.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (value) => {
        const parsed = samplesOf(`a{x="${escaped(value)}"} 1\n`);
        expect(parsed).toEqual([sample('a', { x: value }, 1)]);
      }),
    );
  });
});
