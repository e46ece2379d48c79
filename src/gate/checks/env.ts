// Variables of the environment. Their values are never shown: one may be a secret that somebody put
// into the wrong variable.
import { SECRET_NAME } from '../../config/fields.ts';
import type { EnvInput } from '../../config/gate-checks/env.ts';
import { fill } from '../../core/template.ts';
import { type Found, summedUp } from '../found.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import { missingSecret } from '../request.ts';

const TIMEOUT_MS = 5_000;

export function envCheck(input: EnvInput, tools: MakeTools): MadeCheck {
  const required = [...new Set(input.required ?? [])];
  const equals = Object.entries(input.equals ?? {});
  const notEquals = Object.entries(input.not_equals ?? {});
  const shown = [
    ...required.map((name) => `${name} set`),
    ...equals.map(([name, wanted]) => `${name} = ${fill(wanted, tools.values)}`),
    ...notEquals.map(([name, wanted]) => `${name} not ${fill(wanted, tools.values)}`),
  ];
  return {
    kind: 'env',
    wants: `environment: ${shown.join(', ')}`,
    timeoutMs: TIMEOUT_MS,
    run: async ({ env }) =>
      summedUp([
        ...required.map((name): Found => {
          if (env[name]?.trim()) return { kind: 'good', text: `${name} is set` };
          return { kind: 'bad', text: `${name} is not set` };
        }),
        ...equals.map(([name, written]) => equal(name, env[name], written, tools)),
        ...notEquals.map(([name, written]) => unequal(name, env[name], written, tools)),
      ]),
  };
}

/** What is written: a text, or the value of a `$NAME`, which is never shown. */
function wantedValue(written: string, { secrets, values }: MakeTools) {
  if (!SECRET_NAME.test(written)) {
    const value = fill(written, values);
    return { value, shown: `"${value}"` };
  }
  return { value: secrets.secret(written.slice(1)).current(), shown: `that of ${written}` };
}

function equal(name: string, value: string | undefined, written: string, tools: MakeTools): Found {
  const wanted = wantedValue(written, tools);
  if (wanted.value === null) return { kind: 'unknown', text: missingSecret(written) };
  if (value === wanted.value) return { kind: 'good', text: `${name} is ${wanted.shown}` };
  // Its own value may be a secret that somebody put into the wrong variable.
  const what = value ? 'has another value' : 'is not set';
  return { kind: 'bad', text: `${name} ${what}, ${wanted.shown} wanted` };
}

function unequal(
  name: string,
  value: string | undefined,
  written: string,
  tools: MakeTools,
): Found {
  const wanted = wantedValue(written, tools);
  if (wanted.value === null) return { kind: 'unknown', text: missingSecret(written) };
  if (value !== wanted.value) return { kind: 'good', text: `${name} is not ${wanted.shown}` };
  return { kind: 'bad', text: `${name} is ${wanted.shown}, any other is wanted` };
}
