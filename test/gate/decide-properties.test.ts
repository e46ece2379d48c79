// What holds of every decision, whatever was found: for the rules of all checklists.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Decision, Outcome } from '../../src/core/gate-record.ts';
import { decided, line } from '../support/gate.ts';

const GREEN = ['g1', 'g2', 'g3', 'g4'];
const YELLOW = ['y1', 'y2', 'y3'];
const RED = ['r1', 'r2'];
const gate = (decision: string) => `
title: Any
criteria:
  green: [${GREEN.map((id) => line(id)).join(', ')}]
  yellow: [${YELLOW.map((id) => line(id)).join(', ')}]
  red: [${RED.map((id) => line(id)).join(', ')}]
decision: ${decision}
`;
const RULES = {
  'at most 2 yellows': gate('{ yellow_unmitigated_max: 2 }'),
  'yellows do not stop': gate('{ yellow_unmitigated_max: any }'),
  'all sections, or a review': gate(
    '{ count: sections, go: 4, review: { from: 3, approvals: { cto: 1 } } }',
  ),
};

type Found = Readonly<Record<string, Outcome>>;
const ids = [...GREEN, ...YELLOW, ...RED];
const outcome = fc.constantFrom<Outcome>('pass', 'fail', 'unknown');
const anyFound = fc.record(Object.fromEntries(ids.map((id) => [id, outcome])));
const RANK: Readonly<Record<Decision, number>> = { no_go: 0, review: 1, go: 2 };
const rankOf = (text: string, found: Found) => RANK[decided(text, { found }).decision];

describe.each(Object.entries(RULES))('with the rule "%s"', (_, text) => {
  it('GO needs every green and red to pass: unknown is never GO', () => {
    const isClear = (found: Found) => [...GREEN, ...RED].every((id) => found[id] === 'pass');
    fc.assert(
      fc.property(anyFound, (found) => {
        const isGo = decided(text, { found }).decision === 'go';
        expect(isGo && !isClear(found)).toBe(false);
      }),
    );
  });

  it('nothing that gets worse makes the decision better', () => {
    fc.assert(
      fc.property(
        ...[anyFound, fc.constantFrom(...ids), fc.constantFrom<Outcome>('fail', 'unknown')],
        (found, id, worse) => {
          const better = rankOf(text, { ...found, [id]: 'pass' });
          expect(rankOf(text, { ...found, [id]: worse })).toBeLessThanOrEqual(better);
        },
      ),
    );
  });

  it('unknown decides as failing does', () => {
    fc.assert(
      fc.property(anyFound, (found) => {
        const failing = Object.entries(found).map(([id, is]) => [id, is === 'pass' ? is : 'fail']);
        expect(rankOf(text, found)).toBe(rankOf(text, Object.fromEntries(failing)));
      }),
    );
  });

  it('every criterion that does not pass is a reason', () => {
    fc.assert(
      fc.property(anyFound, (found) => {
        const { reasons } = decided(text, { found });
        const named = reasons
          .slice(1)
          .flatMap((reason) => /^\w+ (\w+) (?:is|holds)/.exec(reason)?.[1] ?? []);
        expect(named.toSorted()).toEqual(ids.filter((id) => found[id] !== 'pass').toSorted());
      }),
    );
  });
});
