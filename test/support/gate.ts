// Gates as they are written, and what was found, in a few words: for the scenarios of decisions.

import { createSecrets } from '../../src/config/secrets.ts';
import type { CheckRecord, Outcome, SignOff } from '../../src/core/gate-record.ts';
import { type Decided, decide } from '../../src/gate/decide.ts';
import { type GateFile, type GateResult, readGate } from '../../src/gate/read.ts';
import { T0 } from './build.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** One that is looked at by a machine; what is found is given by the scenario. */
export const line = (id: string, section = id) =>
  `{ id: ${id}, title: The line ${id}, section: ${section}, checks: [{ env: { required: [A] } }] }`;

export function readText(
  text: string,
  parameters: Record<string, number | string> = {},
  fileName = 'release',
) {
  return readGate(
    Buffer.from(text),
    fileName,
    { service: null, environment: 'testnet', version: '2.1.0', parameters },
    {
      secrets: createSecrets({ env: {}, dir: '/nowhere' }),
      sources: { find: () => null, names: () => [] },
    },
  );
}

export function gateFile(text: string): GateFile {
  const read = readText(text);
  if (read.kind === 'gate') return read;
  throw new Error(problemLines(read).join('\n'));
}

export function problemLines(read: GateResult): readonly string[] {
  if (read.kind === 'gate') return [];
  return read.problems.map(({ path, message }) => `${path}: ${message}`);
}

export function checkRecord(id: string, outcome: Outcome, text: string): CheckRecord {
  const rest = { details: [], tookMs: 5, exhibits: [] };
  return { id, kind: 'env', wants: 'environment: A set', outcome, text, ...rest };
}

export function signOff(
  criterion: string,
  role: string,
  name: string,
  more: Partial<SignOff> = {},
) {
  return {
    ...{ gate: 'release', criterion, role, name, environment: 'testnet', version: '2.1.0' },
    ...{ atMs: T0 - HOUR, note: null },
    ...more,
  };
}

export type Found = {
  /** By criterion; those that are not named pass. */
  readonly found?: Readonly<Record<string, Outcome>>;
  readonly signed?: readonly SignOff[];
};

/** Decides at T0. */
export function decided(text: string, { found = {}, signed = [] }: Found = {}): Decided {
  const { gate, deploy } = gateFile(text);
  const words = { pass: 'as wanted', fail: '88 %, at least 90 % wanted', unknown: 'no report' };
  const checks = new Map(
    gate.criteria.map(({ id, checks: own }) => {
      const outcome = found[id] ?? 'pass';
      return [id, own.map((check) => checkRecord(check.id, outcome, words[outcome]))];
    }),
  );
  return decide({ gate, deploy, checks, signOffs: signed, nowMs: T0 });
}
