// The parameters of a deploy: what the policy asks for against what the deploy brought.
import type { ParameterSpec, Policy } from '../core/policy.ts';
import { PLACEHOLDERS } from '../core/template.ts';
import type { Problem } from '../kit/errors.ts';
import type { ParameterInput } from './policy-schema.ts';
import { didYouMean, found, problem } from './problems.ts';

const TEXT_CHARS_MAX = 200;
const GIVEN_MAX = 100;
/** Names that mean something else in a policy. */
const RESERVED: readonly string[] = [...PLACEHOLDERS, 'baseline', 'range'];

export type ParametersResult =
  | { readonly kind: 'values'; readonly values: Readonly<Record<string, number | string>> }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

type Bounds = Pick<ParameterSpec, 'type' | 'above' | 'atLeast'>;

/** What a parameter must be, in words. */
function wantedText({ type, above, atLeast }: Bounds): string {
  if (type === 'string') return `a text of 1 to ${TEXT_CHARS_MAX} characters on one line`;
  const bounds = [
    ...(above === null ? [] : [`above ${above}`]),
    ...(atLeast === null ? [] : [`at least ${atLeast}`]),
  ];
  return ['a number', ...bounds].join(' ');
}

/** The value in the parameter's type, or null. A command line brings numbers as text. */
function typedValue(given: unknown, { type, above, atLeast }: Bounds): number | string | null {
  if (type === 'string') {
    const text = typeof given === 'number' ? String(given) : given;
    if (typeof text !== 'string' || text === '' || text.length > TEXT_CHARS_MAX) return null;
    return [...text].some((char) => char < ' ' || char === '\u007f') ? null : text;
  }
  const isNumberText = typeof given === 'string' && /^-?\d+(\.\d+)?$/.test(given.trim());
  const value = isNumberText ? Number(given) : given;
  if (typeof value !== 'number' || !Number.isFinite(value)) return null;
  if (above !== null && value <= above) return null;
  return atLeast !== null && value < atLeast ? null : value;
}

/** All mistakes at once, or every parameter with its value, defaults filled in. */
export function checkParameters(
  policy: Pick<Policy, 'parameters'>,
  given: Readonly<Record<string, unknown>>,
): ParametersResult {
  const problems: Problem[] = [];
  const values: Record<string, number | string> = {};
  const known = Object.keys(policy.parameters);
  for (const [name, spec] of Object.entries(policy.parameters)) {
    const written = Object.hasOwn(given, name) ? given[name] : undefined;
    const value = written === undefined ? spec.default : typedValue(written, spec);
    if (value !== null) {
      values[name] = value;
      continue;
    }
    const wanted = `${wantedText(spec)}${spec.unit === 'number' ? '' : ` (${spec.unit})`}`;
    const advice = written === undefined ? `; give it with --param ${name}=…` : '; correct it';
    problems.push(problem(['parameters', name], found(written), `${wanted}${advice}`));
  }
  for (const name of Object.keys(given).slice(0, GIVEN_MAX)) {
    if (known.includes(name)) continue;
    const list = known.length === 0 ? 'no parameters' : `only ${known.join(', ')}`;
    const what = 'a parameter that the policy does not know';
    problems.push(problem(['parameters', name], what, `${list}${didYouMean(name, known)}`));
  }
  return problems.length > 0 ? { kind: 'problems', problems } : { kind: 'values', values };
}

/** The specification of a parameter as the core knows it. */
export function parameterSpec(input: ParameterInput): ParameterSpec {
  return {
    type: input.type,
    above: input.above ?? null,
    atLeast: input.at_least ?? null,
    unit: input.unit ?? 'number',
    default: input.default ?? null,
  };
}

/** Mistakes in the definitions themselves. */
export function parameterProblems(
  parameters: ReadonlyMap<string, ParameterInput | null>,
): Problem[] {
  const problems: Problem[] = [];
  for (const [name, input] of parameters) {
    const path = ['parameters', name];
    if (RESERVED.includes(name)) {
      const wanted = `a name other than ${RESERVED.join(', ')}; rename it`;
      problems.push(problem(path, `the name ${name}`, wanted));
    }
    if (input === null) continue;
    for (const field of ['above', 'at_least'] as const) {
      if (input.type === 'number' || input[field] === undefined) continue;
      const wanted = 'it only on numbers; remove it, or set "type: number"';
      problems.push(problem([...path, field], `${field} on a text`, wanted));
    }
    const spec = parameterSpec(input);
    const isRight = spec.default === null || typeof spec.default === spec.type;
    if (isRight && (spec.default === null || typedValue(spec.default, spec) !== null)) continue;
    problems.push(problem([...path, 'default'], found(spec.default), wantedText(spec)));
  }
  return problems;
}
