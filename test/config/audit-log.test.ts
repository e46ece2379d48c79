import { describe, expect, test } from 'vitest';
import { readPolicy } from '../../src/config/to-policy.ts';
import { changed } from './sample-policy.ts';

const LOG = {
  report: '/logs/${version}/events.jsonl',
  bad: 'untraced',
  trace: { id: 'trace_id' },
  time: '/ts',
};

function read(log: object, more: object = {}, limit: object = { above: '1%' }) {
  return readPolicy(
    changed(['indicators.trail', { audit_log: log, ...more }], ['windows.0.stop.trail', limit]),
    'shop',
  );
}

describe('an audit log in a policy', () => {
  test('is a share, with the defaults of a ratio', () => {
    const result = read(LOG);
    expect(result.kind === 'policy' && result.policy.indicators['trail']).toEqual({
      ...{ id: 'trail', title: 'Trail', unit: 'ratio', kind: 'audit_log' },
      ...{ report: '/logs/${version}/events.jsonl', bad: 'untraced', time: '/ts' },
      trace: { id: 'trace_id', type: 'event_type', of: null },
      ...{ schema: null, numbers: [], maxAgeMs: null },
      ...{ overMs: 60_000, minTotal: 20, early: 'shorten' },
    });
  });

  test('takes the words of the gate', () => {
    const { trace: _, ...rest } = LOG;
    const invalid = { ...rest, bad: 'invalid', schema: '/s.json', numbers: ['qty'], max_age: '2m' };
    const result = read(invalid, { over: '5m', min_total: 300, early: 'wait' });
    expect(result.kind === 'policy' && result.policy.indicators['trail']).toMatchObject({
      ...{ bad: 'invalid', schema: '/s.json', numbers: ['qty'], maxAgeMs: 120_000, trace: null },
      ...{ overMs: 300_000, minTotal: 300, early: 'wait' },
    });
  });

  test.each([
    ['no time', { ...LOG, time: undefined }, 'audit_log.time', 'a field of the events'],
    ['another word for bad', { ...LOG, bad: 'missing' }, 'audit_log.bad', 'untraced, invalid'],
    [
      'untraced without a trace',
      { ...LOG, trace: undefined },
      'audit_log.bad',
      'found untraced without a trace to look for; wanted trace with it, such as { id: trace_id }',
    ],
    [
      'a schema for traces',
      { ...LOG, schema: 's.json' },
      'audit_log.schema',
      'found schema with bad: untraced; wanted it only with bad: invalid',
    ],
    [
      'a trace for validity',
      { ...LOG, bad: 'invalid' },
      'audit_log.trace',
      'wanted it only with bad: untraced',
    ],
    ['an unknown field', { ...LOG, path: '/x' }, 'audit_log.path', 'report, bad, trace, time'],
    [
      'a placeholder in a field',
      { ...LOG, time: '${version}' },
      'audit_log.time',
      'a text without placeholders',
    ],
    [
      'an unknown placeholder',
      { ...LOG, report: '/logs/${versoin}' },
      'audit_log.report',
      'wanted one of service',
    ],
  ])('is refused for %s', (_, log, path, words) => {
    const result = read(JSON.parse(JSON.stringify(log)) as object);
    expect(result.kind === 'problems' && result.problems).toContainEqual({
      path: `indicators.trail.${path}`,
      message: expect.stringContaining(words),
    });
  });

  test.each([
    [{ above: '120%' }, 'above', 'a share from 0% to 100%'],
    [{ at_least: 0 }, 'at_least', 'which always holds'],
    [{ failing: 3 }, 'failing', 'failing on an indicator of kind audit_log'],
  ])('has limits of a share: %j', (limit, word, words) => {
    const result = read(LOG, {}, limit);
    expect(result.kind === 'problems' && result.problems).toContainEqual({
      path: expect.stringMatching(`^windows\\[0\\]\\.stop\\.trail\\.?${word}?`),
      message: expect.stringContaining(words),
    });
  });
});
