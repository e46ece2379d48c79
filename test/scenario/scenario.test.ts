// The rules of judgement as scenarios (*.yaml in this folder), played on virtual time. Everything that
// happens must be expected: the list is complete except for the routine of every watch.
import { describe, expect, test } from 'vitest';
import { fold } from '../../src/core/watch.ts';
import { play } from '../support/scenario.ts';
import { readScenarios, scenarioOf } from '../support/scenario-file.ts';

const scenarios = readScenarios();
const RULES = [...Array.from({ length: 13 }, (_, index) => `${index + 1}`), 'acting', 'telling'];

describe.for(RULES)('rule %s', (rule) => {
  const own = scenarios.filter((scenario) => scenario.rule === rule);

  test('has scenarios', () => {
    expect(own.length).toBeGreaterThan(0);
  });

  test.for(own.map((scenario) => [scenario.says, scenario] as const))('%s', ([, scenario]) => {
    const { lines, told, watches } = play(scenario);
    expect(`\n${lines.join('\n')}\n`, scenario.file).toBe(`\n${scenario.expect.join('\n')}\n`);
    for (const { atMs, text } of scenario.messages) {
      const then = told.filter((one) => one.atMs === atMs).map((one) => one.text);
      expect(then.join('\n---\n'), scenario.file).toContain(text);
    }
    for (const { events, state } of watches) expect(fold(events)).toEqual(state);
  });
});

test('every scenario belongs to a known rule', () => {
  const rules = new Set(scenarios.map(({ rule }) => rule));
  expect([...rules].filter((rule) => !RULES.includes(rule))).toEqual([]);
});

describe('the scenario runner', () => {
  const scenario = scenarioOf('inline', {
    rule: 'none',
    says: 'a stop',
    policy: { windows: [{ name: 'immediate', until: '15m', stop: { loss: { above: 500 } } }] },
    readings: { '0s': { loss: 0 }, '12s': { loss: 501 } },
    until: '1m',
  });

  test('reports what nobody expected', () => {
    expect(play(scenario).lines).toEqual([
      '0s: armed 1 of 1',
      '15s: watch.stopped [loss] actions [disarm, rollback]',
    ]);
  });

  test('refuses a policy that the program would refuse', () => {
    const policy = {
      windows: [{ name: 'immediate', until: '15m', stop: { fil_rate: { below: 1 } } }],
    };
    expect(() => scenarioOf('inline', { policy, until: '1m' })).toThrow(/fil_rate/);
  });
});
