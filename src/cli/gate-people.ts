// `gate sign`, `gate override` and `gate verify`: what people add to a gate, and whether evidence is
// still what it was.

import type { SignOff } from '../core/gate-record.ts';
import { signOffJson } from '../core/gate-record-json.ts';
import { APPROVAL_IDS, type Gate } from '../gate/gate.ts';
import { verifyEvidence } from '../gate/manifest.ts';
import type { GateFile } from '../gate/read.ts';
import { printable } from '../kit/redact.ts';
import { EXIT, type ExitCode, usage } from './exit.ts';
import { type GatePlace, readGateOf, storeOf } from './gate.ts';
import type { CliIo, Output } from './output.ts';

const NAME_CHARS_MAX = 100;
const NOTE_CHARS_MAX = 2_000;

export type SignOptions = GatePlace & {
  readonly role: string;
  readonly name: string;
  readonly version: string;
  readonly environment?: string;
  readonly note?: string;
};

export type OverrideOptions = Omit<SignOptions, 'note'> & { readonly risk: string };

export async function gateSign(
  io: CliIo,
  output: Output,
  named: string,
  criterion: string,
  options: SignOptions,
): Promise<ExitCode> {
  const file = fileOf(io, output, named, options);
  if (file === null) return EXIT.usage;
  if (criterion === APPROVAL_IDS.override) {
    throw usage('found the criterion override; wanted `canaryd gate override`, with --risk');
  }
  needRole(rolesFor(file.gate, criterion), criterion, options.role);
  return add(io, output, file, criterion, options, options.note ?? null);
}

export async function gateOverride(
  io: CliIo,
  output: Output,
  named: string,
  options: OverrideOptions,
): Promise<ExitCode> {
  const file = fileOf(io, output, named, options);
  if (file === null) return EXIT.usage;
  const { override } = file.gate;
  if (override === null) throw usage(`the gate ${file.gate.name} has no override`);
  const roles = override.approvals.map(({ role }) => role);
  needRole(roles, APPROVAL_IDS.override, options.role);
  if (options.risk.trim() === '') throw usage('--risk: found nothing, wanted the risk in words');
  return add(io, output, file, APPROVAL_IDS.override, options, options.risk);
}

/** Placeholders need no values: nothing is carried out. */
function fileOf(
  io: CliIo,
  output: Output,
  named: string,
  options: GatePlace & { readonly environment?: string },
): GateFile | null {
  const { environment = null } = options;
  const asked = { version: null, service: null, environment, parameters: {} };
  return readGateOf(io, output, named, asked, options);
}

function rolesFor(gate: Gate, criterion: string): readonly string[] {
  if (criterion === APPROVAL_IDS.review) {
    const review = gate.rule.kind === 'count' ? gate.rule.review : null;
    if (review === null) throw usage(`the gate ${gate.name} has no review`);
    return review.approvals.map(({ role }) => role);
  }
  const signable = gate.criteria.filter(({ signOffs }) => signOffs.length > 0);
  const meant = signable.find(({ id }) => id === criterion);
  if (meant !== undefined) return meant.signOffs.map(({ role }) => role);
  const ids = signable.map(({ id }) => id).join(', ') || 'none of this gate';
  throw usage(
    `found the criterion ${JSON.stringify(criterion)}, wanted one that is signed: ${ids}`,
  );
}

function needRole(roles: readonly string[], criterion: string, role: string): void {
  if (roles.includes(role)) return;
  const found = JSON.stringify(role);
  throw usage(`--role: found ${found}, wanted one that signs ${criterion}: ${roles.join(', ')}`);
}

async function add(
  { clock }: CliIo,
  output: Output,
  { gate, deploy }: GateFile,
  criterion: string,
  options: GatePlace & { readonly role: string; readonly name: string; readonly version: string },
  note: string | null,
): Promise<ExitCode> {
  const signOff: SignOff = {
    ...{ gate: gate.name, criterion, role: options.role },
    name: bounded('--name', options.name, NAME_CHARS_MAX),
    environment: deploy.environment,
    version: bounded('--version', options.version, NAME_CHARS_MAX),
    atMs: clock.now(),
    note: note === null ? null : bounded('the note', note, NOTE_CHARS_MAX),
  };
  const added = await storeOf(options).add(signOff);
  if (added.kind === 'failed') {
    output.error(`not signed: ${added.reason}`);
    return EXIT.inconclusive;
  }
  if (output.isJson) output.json(signOffJson(signOff));
  const { name, role, version, environment } = signOff;
  output.line(
    `signed: ${criterion} of ${gate.name} ${version} (${environment}), ${name} as ${role}`,
  );
  return EXIT.passed;
}

function bounded(what: string, written: string, max: number): string {
  const text = printable(written);
  if (text !== '' && [...text].length <= max) return text;
  throw usage(`${what}: found ${[...text].length} characters, wanted 1 to ${max}`);
}

export async function gateVerify(
  output: Output,
  folder: string,
  { hash = null }: { readonly hash?: string | null },
): Promise<ExitCode> {
  if (hash !== null && !/^[0-9a-f]{64}$/i.test(hash)) {
    throw usage('--hash: wanted the 64 hexadecimal digits that gate printed');
  }
  const { flaws, hash: is, files } = await verifyEvidence(folder, hash);
  if (output.isJson) output.json({ ok: flaws.length === 0, files, sha256: is, flaws });
  for (const { file, kind, text } of flaws) output.error(`${kind}: ${file} ${text}`);
  if (flaws.length > 0) return EXIT.stopped;
  output.line(`${files} files are as they were written; sha256 ${is}`);
  if (hash === null) output.line('Give the hash that gate printed with --hash to be sure of it.');
  return EXIT.passed;
}
