// Programs that stand for the team's own: real processes, which give what the tools give to the
// arguments they know, and refuse all others.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type Said = {
  /** All arguments, joined by spaces. */
  readonly args: string;
  readonly out?: string;
  readonly err?: string;
  /** Default 0. */
  readonly exit?: number;
  /** How long it takes. */
  readonly seconds?: number;
};

/** Into `bin` of the folder, which is given back. */
export function writePrograms(
  folder: string,
  programs: Readonly<Record<string, readonly Said[]>>,
): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  for (const [name, said] of Object.entries(programs)) {
    const path = join(bin, name);
    writeFileSync(path, scriptOf(name, said));
    chmodSync(path, 0o755);
  }
  return bin;
}

function scriptOf(name: string, said: readonly Said[]): string {
  const cases = said.map(({ args, out = '', err = '', exit = 0, seconds }) =>
    [
      `${quoted(args)})`,
      ...(seconds === undefined ? [] : [`  sleep ${seconds}`]),
      `  printf '%s' ${quoted(out)}`,
      `  printf '%s' ${quoted(err)} >&2`,
      `  exit ${exit} ;;`,
    ].join('\n'),
  );
  const refuse = `*) printf '%s' "${name} was called with: $*" >&2; exit 64 ;;`;
  return ['#!/bin/sh', 'case "$*" in', ...cases, refuse, 'esac', ''].join('\n');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
