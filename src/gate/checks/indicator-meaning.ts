// What a check of an indicator means, in the words of the policy language: the same reader as for
// policies finds its mistakes and its units, so that a figure is the same in a gate and in a watch.
import {
  FIGURE_FIELDS,
  type IndicatorCheckInput,
  LIMIT_WORDS,
} from '../../config/gate-checks/indicator.ts';
import { checkPolicyFile } from '../../config/load.ts';
import { pathOf } from '../../config/problems.ts';
import { readPolicy } from '../../config/to-policy.ts';
import { limitNumber } from '../../config/units.ts';
import type { CompareLimit } from '../../core/limit.ts';
import type { Policy } from '../../core/policy.ts';
import { isSeries, type SeriesIndicator } from '../../core/read.ts';
import { PLACEHOLDERS, placeholdersOf } from '../../core/template.ts';
import type { MakeTools } from '../kinds.ts';

export type Meaning = {
  readonly indicator: SeriesIndicator;
  readonly limit: CompareLimit;
  /** For the labels that are added. */
  readonly policy: Policy;
};

export type Meant =
  | { readonly kind: 'meant'; readonly meaning: Meaning }
  | { readonly kind: 'unusable'; readonly text: string };

const ID = 'figure';
const AT_INDICATOR = ['indicators', ID];
const AT_LIMIT = ['windows', 0, 'stop', ID];

/** `below 200ms of deploy_capital` */
export function limitWords(input: IndicatorCheckInput): string {
  const comparator = LIMIT_WORDS.find((one) => input[one] !== undefined) ?? 'above';
  const of = input.of === undefined ? '' : ` of ${input.of}`;
  return `${comparator.replace('_', ' ')} ${input[comparator]}${of}`;
}

function limitInput(input: IndicatorCheckInput) {
  const pairs = [...LIMIT_WORDS, 'of' as const].map((word) => [word, input[word]] as const);
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
}

/** What is written in the check itself; null: there are mistakes, which are reported. */
export function writtenHere(input: IndicatorCheckInput, make: MakeTools): Meaning | null {
  const figure = Object.fromEntries(
    FIGURE_FIELDS.map((field) => [field, input[field]] as const).filter(
      ([, value]) => value !== undefined,
    ),
  );
  const names = placeholdersOf(JSON.stringify([figure, input.match ?? {}]))
    .filter((name) => !PLACEHOLDERS.includes(name) && name !== 'range')
    .map((name) => [name, { type: 'string' }] as const);
  const result = readPolicy(
    {
      service: 'gate',
      source: input.source,
      parameters: {
        ...Object.fromEntries(names),
        ...(input.of === undefined ? {} : { [input.of]: { type: 'number' } }),
      },
      match: input.match ?? {},
      indicators: { [ID]: figure },
      windows: [{ name: 'now', until: '1m', stop: { [ID]: limitInput(input) } }],
    },
    'gate',
  );
  if (result.kind === 'problems') {
    for (const { path, message } of result.problems) {
      const [, found = message, wanted = ''] = /^found (.*?); wanted (.*)$/s.exec(message) ?? [];
      make.report(ownPath(path), found, wanted);
    }
    return null;
  }
  const { policy } = result;
  const indicator = policy.indicators[ID];
  const limit = policy.conditions[0]?.limit;
  if (indicator === undefined || !isSeries(indicator) || limit?.kind !== 'compare') {
    throw new Error('an indicator without a limit passed the checks');
  }
  return { indicator, limit, policy };
}

/** In the check's own fields. */
function ownPath(text: string): readonly (string | number)[] {
  const path = pathOf(text);
  const above = [AT_INDICATOR, AT_LIMIT].find((one) =>
    one.every((part, index) => path[index] === part),
  );
  if (above !== undefined) return path.slice(above.length);
  return path[0] === 'parameters' ? ['of'] : path;
}

/** An indicator of a policy's file. */
export function ofPolicy(input: IndicatorCheckInput, file: string): Meant {
  const unusable = (text: string): Meant => ({ kind: 'unusable', text });
  const { name = '' } = input;
  const result = checkPolicyFile(file);
  if (result.kind === 'problems') {
    const [first] = result.problems;
    const at = first === undefined || first.path === '' ? '' : `${first.path}: `;
    return unusable(`${input.policy}: ${at}${first?.message ?? 'cannot be read'}`);
  }
  const { policy } = result;
  const indicator = Object.hasOwn(policy.indicators, name) ? policy.indicators[name] : undefined;
  if (indicator === undefined) {
    const names = Object.keys(policy.indicators).join(', ');
    return unusable(`${input.policy} has no indicator ${name}; it has ${names}`);
  }
  if (indicator.kind === 'http') {
    return unusable(`${name} is a health endpoint; write it as a check of kind http`);
  }
  if (indicator.kind === 'audit_log') {
    return unusable(`${name} is an audit log; write it as a check of kind audit_log`);
  }
  const comparator = LIMIT_WORDS.find((one) => input[one] !== undefined);
  const written = comparator === undefined ? undefined : input[comparator];
  if (comparator === undefined || written === undefined) throw new Error('no limit was checked');
  const of = input.of ?? null;
  const value = limitNumber(written, indicator, of);
  if (value.kind === 'wrong')
    return unusable(`${comparator}: found ${written}; wanted ${value.wanted}`);
  const limit: CompareLimit = { kind: 'compare', comparator, value: value.value, of };
  const matched = input.match === undefined ? policy : { ...policy, match: input.match };
  return { kind: 'meant', meaning: { indicator, limit, policy: matched } };
}
