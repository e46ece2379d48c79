import { SECRET_NAME } from '../../config/fields.ts';
import type { EnvInput } from '../../config/gate-checks/env.ts';
import { fill } from '../../core/template.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import { fail, pass, unknown } from '../result.ts';

const TIMEOUT_MS = 5_000;

export function envCheck(input: EnvInput, tools: MakeTools): MadeCheck {
  const { secrets, values } = tools;
  const required = [...new Set(input.required ?? [])];
  const equals = Object.entries(input.equals ?? {});
  const shown = equals.map(([name, wanted]) => `${name} = ${fill(wanted, values)}`);
  const count = required.length + equals.length;
  return {
    kind: 'env',
    wants: `environment: ${[...required.map((name) => `${name} set`), ...shown].join(', ')}`,
    timeoutMs: TIMEOUT_MS,
    run: async ({ env }) => {
      const wrong: string[] = required
        .filter((name) => !env[name])
        .map((name) => `${name} is not set`);
      for (const [name, written] of equals) {
        const isSecret = SECRET_NAME.test(written);
        const wanted = isSecret
          ? secrets.secret(written.slice(1)).current()
          : fill(written, values);
        if (wanted === null) return unknown(`the secret ${written} has no value; set it`);
        if (env[name] === wanted) continue;
        const what = env[name] ? 'has another value' : 'is not set';
        wrong.push(`${name} ${what}, ${isSecret ? `that of ${written}` : `"${wanted}"`} wanted`);
      }
      const [first = '', ...rest] = wrong;
      if (wrong.length === 0) return pass(`${count} of ${count} as wanted`);
      if (rest.length === 0) return fail(first);
      return fail(`${wrong.length} of ${count} are not as wanted: ${first}, …`, { details: wrong });
    },
  };
}
