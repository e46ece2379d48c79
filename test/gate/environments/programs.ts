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
  /** Another program does it, with the same arguments. */
  readonly exec?: readonly string[];
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
  const cases = said.map(({ args, out = '', err = '', exit = 0, exec, seconds }) =>
    [
      `${quoted(args)})`,
      ...(seconds === undefined ? [] : [`  sleep ${seconds}`]),
      ...(exec === undefined ? [] : [`  exec ${exec.map(quoted).join(' ')} "$@"`]),
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

/** What `systemctl show` tells of units that are active and enabled, or as written. */
export function systemctl(units: readonly string[], states: Readonly<Record<string, string>> = {}) {
  const shown = 'show --property=Id,LoadState,ActiveState,SubState,UnitFileState --';
  const blocks = units.map((unit) => {
    const [active = 'active', file = 'enabled'] = states[unit]?.split(' ') ?? [];
    return [
      `Id=${unit}`,
      `LoadState=${active === 'missing' ? 'not-found' : 'loaded'}`,
      `ActiveState=${active === 'missing' ? 'inactive' : active}`,
      `SubState=${active === 'active' ? 'running' : 'dead'}`,
      `UnitFileState=${active === 'missing' ? '' : file}`,
      '',
    ].join('\n');
  });
  return { args: `${shown} ${units.join(' ')}`, out: blocks.join('\n') };
}
