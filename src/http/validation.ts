// What a schema refused, in our words: every mistake at once, each with its path.
import type { z } from 'zod';
import type { Problem } from '../kit/errors.ts';

export function problemsOf(schema: z.ZodObject, error: z.ZodError): readonly Problem[] {
  return error.issues.flatMap((issue) => {
    const path = pathText(issue.path);
    if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
    const wanted = Object.keys(schema.shape).join(', ');
    return issue.keys.map((key) => ({
      path: pathText([...issue.path, key]),
      message: `unknown field; known are ${wanted}`,
    }));
  });
}

export function problemsText(problems: readonly Problem[]): string {
  return problems.map(({ path, message }) => `${path || 'body'}: ${message}`).join('; ');
}

/** `parameters["a b"][0]` → `parameters.a b[0]`. */
function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      return index === 0 ? String(part) : `.${String(part)}`;
    })
    .join('')
    .slice(0, 200);
}
