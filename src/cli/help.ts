// Parts of the help texts that all verbs share.

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  canaryd ${line}`).join('\n')}`;
}

/** An option that may be repeated. */
export function collect(one: string, before: readonly string[] = []): readonly string[] {
  return [...before, one];
}
