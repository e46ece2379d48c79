// What decides in a gate, from its file: rule, override, waivers and mitigations, and the mistakes
// that the schema cannot see. Works on what was written, so that all mistakes are told together.

import { ms } from '../config/fields.ts';
import type { GateInput } from '../config/gate-schema.ts';
import { entriesOf, fieldOf, itemsOf } from '../config/policy-draft.ts';
import { didYouMean, found, type Path, problem } from '../config/problems.ts';
import { type Exemption, LEVELS, type Level } from '../core/gate-record.ts';
import { placeholdersOf } from '../core/template.ts';
import type { Problem } from '../kit/errors.ts';
import { APPROVAL_IDS, type Approval, type DecisionRule, type Override } from './gate.ts';

const DAY = /^\d{4}-\d\d-\d\d$/;
const DAY_MS = 86_400_000;

export function ruleOf(decision: GateInput['decision']): DecisionRule {
  const { yellow_unmitigated_max: yellows, count, go, review } = decision;
  if (count === undefined || go === undefined) {
    const unmitigatedYellowsMax = yellows === 'any' || yellows === undefined ? null : yellows;
    return { kind: 'levels', unmitigatedYellowsMax };
  }
  return {
    ...{ kind: 'count', of: count, go },
    review: review === undefined ? null : { from: review.from, ...approvalsOf(review) },
  };
}

export function overrideOf(override: GateInput['override']): Override | null {
  return override === undefined ? null : approvalsOf(override);
}

function approvalsOf(input: {
  readonly approvals: Readonly<Record<string, number>>;
  readonly valid_for: string;
}): { readonly approvals: readonly Approval[]; readonly validForMs: number } {
  const approvals = Object.entries(input.approvals).map(([role, people]) => ({ role, people }));
  return { approvals, validForMs: ms(input.valid_for) };
}

export function exemptionsOf({ waivers = [], mitigations = [] }: GateInput): readonly Exemption[] {
  const all = [
    ...waivers.map((one) => ({ ...one, kind: 'waiver' as const })),
    ...mitigations.map((one) => ({ ...one, kind: 'mitigation' as const })),
  ];
  return all.map(({ until, ...rest }) => ({ ...rest, untilMs: untilOf(until) }));
}

/** A day ends with its last moment in UTC. */
function untilOf(written: string): number {
  return DAY.test(written) ? Date.parse(`${written}T00:00:00Z`) + DAY_MS : Date.parse(written);
}

type Written = { readonly id: string; readonly level: Level; readonly section: unknown };

/** What no single field shows. */
export function gateProblems(raw: unknown): Problem[] {
  const criteria: Written[] = [];
  const problems: Problem[] = [];
  const reserved: readonly string[] = Object.values(APPROVAL_IDS);
  for (const level of LEVELS) {
    const written = itemsOf(fieldOf(fieldOf(raw, 'criteria'), level));
    for (const [index, one] of written.entries()) {
      const id = fieldOf(one, 'id');
      if (typeof id !== 'string') continue;
      const path: Path = ['criteria', level, index, 'id'];
      if (reserved.includes(id)) {
        problems.push(problem(path, found(id), 'another id: this one names approvals; rename it'));
      } else if (criteria.some((other) => other.id === id)) {
        problems.push(problem(path, `${found(id)} a second time`, 'each id once; rename it'));
      }
      criteria.push({ id, level, section: fieldOf(one, 'section') });
    }
  }
  const hasAny = LEVELS.some((level) => fieldOf(fieldOf(raw, 'criteria'), level) !== undefined);
  if (fieldOf(raw, 'criteria') !== undefined && !hasAny) {
    problems.push(problem(['criteria'], 'no criteria', 'at least one, under green, yellow or red'));
  }
  return [
    ...problems,
    ...countProblems(fieldOf(raw, 'decision'), criteria),
    ...exemptionProblems(raw, 'waivers', 'green', criteria),
    ...exemptionProblems(raw, 'mitigations', 'yellow', criteria),
  ];
}

function countProblems(decision: unknown, criteria: readonly Written[]): Problem[] {
  const count = fieldOf(decision, 'count');
  const go = fieldOf(decision, 'go');
  if (count === undefined) {
    const alone = ['go', 'review'].filter((field) => fieldOf(decision, field) !== undefined);
    return alone.map((field) =>
      problem(['decision', field], 'it without count', 'it only with count; remove it'),
    );
  }
  const problems: Problem[] = [];
  if (go === undefined) {
    const wanted = 'how many are GO, because count is written; add it';
    problems.push(problem(['decision', 'go'], 'nothing', wanted));
  }
  const green = criteria.filter(({ level }) => level === 'green');
  const units =
    count === 'criteria'
      ? green.length
      : new Set(green.map(({ id, section }) => section ?? id)).size;
  if (typeof go === 'number' && go > units) {
    const wanted = `at most ${units}: there are no more green ${count}; correct it`;
    problems.push(problem(['decision', 'go'], found(go), wanted));
  }
  const least = fieldOf(fieldOf(decision, 'review'), 'from');
  if (typeof least === 'number' && typeof go === 'number' && least >= go) {
    const path = ['decision', 'review', 'from'];
    problems.push(problem(path, found(least), `less than go (${go}); correct it`));
  }
  return problems;
}

function exemptionProblems(
  raw: unknown,
  field: 'waivers' | 'mitigations',
  level: Level,
  criteria: readonly Written[],
): Problem[] {
  return itemsOf(fieldOf(raw, field)).flatMap((one, index) => {
    const id = fieldOf(one, 'criterion');
    if (typeof id !== 'string') return [];
    const path: Path = [field, index, 'criterion'];
    const meant = criteria.find((other) => other.id === id);
    const ids = criteria.filter((other) => other.level === level).map((other) => other.id);
    if (meant === undefined) {
      const wanted = `the id of a ${level} criterion (${[...new Set(ids)].join(', ') || 'there is none'})`;
      return [problem(path, found(id), `${wanted}${didYouMean(id, ids)}`)];
    }
    if (meant.level === level) return [];
    const advice =
      meant.level === 'red'
        ? 'nothing waives a red one; remove it'
        : `write it under ${meant.level === 'green' ? 'waivers' : 'mitigations'}`;
    return [problem(path, `${found(id)}, which is ${meant.level}`, `a ${level} one; ${advice}`)];
  });
}

/** Placeholders that nothing fills, in the checks and in the next step. */
export function placeholderProblems(raw: unknown, known: readonly string[]): Problem[] {
  const problems: Problem[] = [];
  const visit = (value: unknown, path: Path): void => {
    if (typeof value === 'string') {
      for (const name of placeholdersOf(value)) {
        // Of the indicator itself: its "over".
        const isRange = name === 'range' && path.at(-1) === 'promql';
        if (isRange || known.includes(name)) continue;
        const wanted = `one of ${known.join(', ')}; give it with --param ${name}=…, or correct it`;
        problems.push(problem(path, `the placeholder \${${name}}`, wanted));
      }
    } else if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) visit(item, [...path, index]);
    } else {
      for (const [key, item] of entriesOf(value)) visit(item, [...path, key]);
    }
  };
  for (const level of LEVELS) {
    const path: Path = ['criteria', level];
    for (const [index, one] of itemsOf(fieldOf(fieldOf(raw, 'criteria'), level)).entries()) {
      visit(fieldOf(one, 'checks'), [...path, index, 'checks']);
    }
  }
  visit(fieldOf(raw, 'next'), ['next']);
  return problems;
}
