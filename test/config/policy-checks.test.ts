import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { problemsText } from '../../src/config/problems.ts';
import { readPolicy } from '../../src/config/to-policy.ts';
import type { Problem } from '../../src/kit/errors.ts';
import { changed, SAMPLE } from './sample-policy.ts';
import { WRONG } from './wrong-policies.ts';

function problemsOf(raw: unknown): readonly Problem[] {
  const result = readPolicy(raw, 'sample');
  return result.kind === 'problems' ? result.problems : [];
}

describe('a policy with a mistake', () => {
  test('the sample policy itself has none', () => {
    expect(problemsOf(changed())).toEqual([]);
  });

  test.each(WRONG)('is refused for %s', (_, changes, path, fragment) => {
    expect(problemsOf(changed(...changes))).toContainEqual({
      path,
      message: expect.stringContaining(fragment),
    });
  });

  test.each(WRONG)('says what was found and what is wanted: %s', (_, changes) => {
    const messages = problemsOf(changed(...changes)).map(({ message }) => message);
    expect(messages.filter((message) => !/^found .+; wanted .+/s.test(message))).toEqual([]);
  });

  test.each(WRONG)('never shows a literal secret: %s', (_, changes) => {
    expect(JSON.stringify(problemsOf(changed(...changes)))).not.toContain('hunter2');
  });
});

describe('many mistakes', () => {
  test('are told at once, those of shape and those of meaning', () => {
    const raw = changed(
      ['intervall', '5s'],
      ['windows.0.until', 15],
      ['windows.0.stop.fill_rate.below', '2s'],
      ['windows.0.stop.latency', { above: '2s', below: '1s', belov: 3 }],
      ['windows.0.stop.nobody', { above: 1 }],
      ['windows.1.for', '25h'],
      ['indicators.memory.gauge', { metrics: 'x' }],
      ['on_stop.0.disarm.webhook.secret', 'literal'],
      ['parameters.capital.type', 'money'],
    );
    expect(problemsOf(raw).map(({ path }) => path)).toEqual([
      'parameters.capital.type',
      'indicators.memory.gauge.metric',
      'indicators.memory.gauge.metrics',
      'windows[0].until',
      'windows[0].stop.latency.belov',
      'windows[0].stop.latency',
      'on_stop[0].disarm.webhook.secret',
      'intervall',
      'windows[0].stop.fill_rate.below',
      'windows[0].stop.nobody',
    ]);
  });

  test('are listed with the file and their number, up to a limit', () => {
    const problems = Array.from({ length: 120 }, (_, index) => ({
      path: `windows[${index}]`,
      message: 'found nothing; wanted something',
    }));
    const lines = problemsText('shop.yaml', problems).split('\n');
    expect(lines[0]).toBe('shop.yaml: 120 problems');
    expect(lines[1]).toBe('  windows[0]: found nothing; wanted something');
    expect(lines.at(-1)).toBe('  … and 20 more');
    expect(lines).toHaveLength(102);
  });

  test('100 indicators are the most', () => {
    const extra = Object.fromEntries(
      Array.from({ length: 101 }, (_, index) => [`i${index}`, { gauge: { metric: 'x' } }]),
    );
    expect(problemsOf(changed(['indicators', extra]))).toContainEqual({
      path: 'indicators',
      message: 'found a mapping; wanted at most 100 indicators; split the policy',
    });
  });

  test('500 conditions are the most', () => {
    const limits = Object.fromEntries(
      Array.from({ length: 99 }, (_, index) => [`i${index}`, { above: 1 }]),
    );
    const windows = Array.from({ length: 6 }, (_, index) => ({
      name: `w${index}`,
      until: `${index + 1}m`,
      stop: limits,
    }));
    expect(problemsOf(changed(['windows', windows]))).toContainEqual({
      path: 'windows',
      message: 'found 595 conditions; wanted at most 500; split the policy',
    });
  });
});

describe('twins that do not contradict each other', () => {
  test.each([
    [
      'a warning at the limit of a stop that holds longer',
      'windows.0',
      {
        ...SAMPLE.windows[0],
        stop: { ...SAMPLE.windows[0].stop, fill_rate: { below: '80%', for: '5m' } },
        warn: { fill_rate: { below: '80%' } },
      },
    ],
    [
      'a stop that is a share of the baseline next to an absolute one',
      'always',
      {
        stop: { fill_rate: { below: '90%', of: 'baseline' } },
      },
    ],
    ['a pass limit that touches its stop limit', 'windows.1.pass.fill_rate', { at_least: '90%' }],
    ['a warning looser than the stop of another window', 'windows.1.warn.latency', { above: '3s' }],
  ])('%s', (_, path, value) => {
    expect(problemsOf(changed([path, value]))).toEqual([]);
  });
});

describe('the validator', () => {
  const SECRET_LIKE = fc.constantFrom('', '80%', '${x}', '$NAME', '__proto__', 'http://a:b@c/');
  const anything = fc.object({
    maxDepth: 4,
    key: fc.oneof(fc.constantFrom(...keysOf(SAMPLE)), fc.string()),
    values: [fc.jsonValue(), SECRET_LIKE, fc.integer(), fc.constant(null), fc.double()],
  });

  test('never throws on arbitrary JSON', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), anything), (raw) => {
        expect(readPolicy(raw, 'x').kind).toBe('problems');
      }),
      { numRuns: 500 },
    );
  });

  test('never throws when any place of a correct policy holds anything', () => {
    const paths = pathsOf(SAMPLE);
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.oneof(fc.jsonValue(), anything), (path, value) => {
        const result = readPolicy(changed([path, value]), 'x');
        expect(['policy', 'problems']).toContain(result.kind);
      }),
      { numRuns: 1_000 },
    );
  });
});

function keysOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return [...new Set(Object.entries(value).flatMap(([key, item]) => [key, ...keysOf(item)]))];
}

function pathsOf(value: unknown, prefix = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    return [path, ...pathsOf(item, path)];
  });
}
