// What a service may write at `/metrics`: valid text is read back as it was meant, anything else
// is refused with the line, in time that grows with the length only.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  LABEL_LENGTH_MAX,
  LABELS_MAX,
  LINES_MAX,
  type MetricSample,
  type ParsedMetrics,
  parseMetrics,
  TEXT_LENGTH_MAX,
} from '../../src/source/metrics-text.ts';
import { edited, edits } from './mutate.ts';
import { times } from './runs.ts';

const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0';

const name = fc.stringMatching(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,12}$/);
const label = fc.oneof(
  fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/),
  fc.constantFrom('__proto__', 'constructor', 'toString', 'instance', 'le'),
);
const value = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(Number.NaN, Infinity, -Infinity, -0, 1e308, 5e-324),
);
/** Above all the characters that mean something. */
const text = fc.string({
  unit: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(...'"\\\n\r\t {}=,#n1') },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }) },
  ),
  maxLength: 12,
});
/** With the type `unknown`, under which no name is left out. */
const sample: fc.Arbitrary<MetricSample> = fc.record({
  metric: name,
  labels: fc
    .array(fc.tuple(label, text), { maxLength: 5 })
    .map((pairs) => Object.fromEntries(pairs)),
  value,
  timestampMs: fc.option(fc.integer({ min: 0, max: 4e12 })),
});

type Layout = {
  readonly isOpen: boolean;
  readonly end: '\n' | '\r\n';
  readonly blank: string;
  readonly hasComma: boolean;
  readonly comment: string;
};
const layout: fc.Arbitrary<Layout> = fc.record({
  isOpen: fc.boolean(),
  end: fc.constantFrom('\n' as const, '\r\n' as const),
  blank: fc.constantFrom(' ', '  ', '\t'),
  hasComma: fc.boolean(),
  comment: fc.constantFrom('', '# HELP a b', '# TYPE other counter', '#', '# TYPE'),
});

function written(samples: readonly MetricSample[], how: Layout): string {
  const lines = samples.flatMap((one) => [lineOf(one, how), how.comment]);
  return [...lines.filter((line) => line !== ''), ...(how.isOpen ? ['# EOF'] : []), ''].join(
    how.end,
  );
}

function lineOf({ metric, labels, value: figure, timestampMs }: MetricSample, how: Layout): string {
  const pairs = Object.entries(labels).map(([key, of]) => `${key}="${escaped(of)}"`);
  const inside = pairs.length === 0 ? '' : `{${pairs.join(',')}${how.hasComma ? ',' : ''}}`;
  const time = timestampMs === null ? [] : [how.isOpen ? timestampMs / 1_000 : timestampMs];
  return [`${metric}${inside}`, number(figure), ...time].join(how.blank);
}

function escaped(raw: string): string {
  return raw.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function number(figure: number): string {
  if (figure === Infinity) return '+Inf';
  return figure === -Infinity ? '-Inf' : Object.is(figure, -0) ? '-0' : String(figure);
}

function parsed(body: string, isOpen = false): ParsedMetrics {
  return parseMetrics(body, isOpen ? OPEN_METRICS : 'text/plain; version=0.0.4');
}

/** Samples with finite times and short parts, or one line that says what is wrong. */
function expectSound(result: ParsedMetrics): void {
  if (result.kind === 'bad') {
    expect(result.detail.length).toBeLessThan(600);
    expect(result.detail).toContain(`line ${result.line}: `);
    return;
  }
  const strange = result.samples.filter(({ metric, labels, timestampMs, value: figure }) => {
    const pairs = Object.entries(labels);
    return (
      metric === '' ||
      typeof figure !== 'number' ||
      pairs.length > LABELS_MAX ||
      pairs.some((pair) => pair.some((part) => part.length > LABEL_LENGTH_MAX)) ||
      !Number.isFinite(timestampMs ?? 0)
    );
  });
  expect(strange).toEqual([]);
}

const PIECES = [
  ...['{', '}', '"', '\\', '=', ',', ' ', '\t', '\n', '\r', '\r\n', '#', '# EOF\n', '# TYPE a '],
  ...['NaN', '+Inf', '1e999', '0x1p3', '1_000', '-', '\0', '\ufeff', '\u2028', '\ud800', 'ü', ':'],
  ...[
    '{"a"}',
    '{,}',
    'a{}',
    'a{b="',
    '} 1 2 3',
    ' # {a="b"} 1',
    '9'.repeat(400),
    'a'.repeat(5_000),
  ],
];

describe('the text of metrics', () => {
  test('is read back as it was meant', () => {
    const property = fc.property(fc.array(sample, { maxLength: 12 }), layout, (samples, how) => {
      const wanted = { kind: 'samples', samples };
      expect(parsed(written(samples, how), how.isOpen)).toEqual(wanted);
    });
    fc.assert(property, times(400));
  });

  test('that is spoiled is read or refused', () => {
    const property = fc.property(
      fc.array(sample, { minLength: 1, maxLength: 6 }),
      layout,
      edits(PIECES),
      (samples, how, changes) => {
        expectSound(parsed(edited(written(samples, how), changes), how.isOpen));
      },
    );
    fc.assert(property, times(600));
  });

  test('of any bytes is read or refused', () => {
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('utf8')),
      fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((parts) => parts.join('')),
    );
    const property = fc.property(bodies, fc.boolean(), (body, isOpen) => {
      expectSound(parsed(body, isOpen));
    });
    fc.assert(property, times(600));
  });

  test('that is cut anywhere in OpenMetrics is refused', () => {
    const property = fc.property(
      fc.array(sample, { minLength: 1, maxLength: 4 }),
      fc.nat(1_000),
      (samples, place) => {
        const plain = {
          isOpen: true,
          end: '\n',
          blank: ' ',
          hasComma: false,
          comment: '',
        } as const;
        const whole = written(samples, plain);
        const cut = whole.slice(0, place % (whole.length - 1));
        expect(parsed(cut, true).kind).toBe('bad');
      },
    );
    fc.assert(property, times(200));
  });

  const longest = (line: string) => line.repeat(Math.floor(TEXT_LENGTH_MAX / line.length));
  const wide = Array.from({ length: LABELS_MAX }, (_, index) => `l${index}="v"`).join(',');
  test.each([
    ['most lines', 'a 1\n'.repeat(LINES_MAX), 'samples'],
    ['one line more', 'a 1\n'.repeat(LINES_MAX + 1), 'bad'],
    ['only line ends', '\n'.repeat(TEXT_LENGTH_MAX), 'bad'],
    ['the widest lines', longest(`a{${wide}} 1\n`), 'samples'],
    ['the longest labels', longest(`a{b="${'x'.repeat(LABEL_LENGTH_MAX)}"} 1\n`), 'samples'],
    ['a label that is too long', `a{b="${'x'.repeat(LABEL_LENGTH_MAX + 1)}"} 1\n`, 'bad'],
    ['a label without end', `a{b="${'\\"'.repeat(TEXT_LENGTH_MAX / 2 - 10)}`, 'bad'],
    ['a line of blanks', ' '.repeat(TEXT_LENGTH_MAX), 'samples'],
    ['a comment without end', `# TYPE ${'a '.repeat(TEXT_LENGTH_MAX / 2 - 10)}`, 'samples'],
    ['types of many blanks', longest(`# TYPE a b${' '.repeat(8_000)}c\n`), 'samples'],
    ['a number without end', `a ${'9'.repeat(TEXT_LENGTH_MAX - 10)}`, 'bad'],
    ['one character more than is taken', 'x'.repeat(TEXT_LENGTH_MAX + 1), 'bad'],
  ])('of the largest size is read or refused: %s', (_, body, kind) => {
    expect(parsed(body).kind).toBe(kind);
  });
});
