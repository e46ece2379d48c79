// `gate sign`, `gate override` and `gate verify`: what people add to a gate, and whether evidence is
// still what it was.

import type { SignOff } from '../core/gate-record.ts';
import { signOffJson } from '../core/gate-record-json.ts';
import { isSamePlace, nameFlaw, standing } from '../core/signature.ts';
import { APPROVAL_IDS, type Gate, type SignOffStore } from '../gate/gate.ts';
import { verifyEvidence } from '../gate/manifest.ts';
import type { GateFile } from '../gate/read.ts';
import { printable } from '../kit/redact.ts';
import { CliExit, EXIT, type ExitCode, usage } from './exit.ts';
import { demandWords, type GatePlace, readGateOf, storeOf } from './gate.ts';
import { gateDaemon } from './gate-daemon.ts';
import type { CliIo, Output } from './output.ts';

const NAME_CHARS_MAX = 100;
const WORD_CHARS_MAX = 200;
const NOTE_CHARS_MAX = 2_000;

export type SignOptions = GatePlace & {
  readonly role: string;
  readonly name: string;
  readonly version: string;
  readonly service?: string;
  readonly environment?: string;
  readonly note?: string;
  /** Approval of a review: ids of the criteria that may be open, with commas. */
  readonly covers?: string;
  /** Takes back what this person has signed before. */
  readonly withdraw?: boolean;
};

export type OverrideOptions = Omit<SignOptions, 'note' | 'covers'> & { readonly risk?: string };

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
  const words = wordsOf(file.gate, criterion, options);
  return add(io, output, file, { criterion, note: options.note ?? null, ...words }, options);
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
  const { risk = '', withdraw = false } = options;
  if (risk.trim() === '' && !withdraw) {
    throw usage('--risk: found nothing, wanted the risk in words');
  }
  const note = risk.trim() === '' ? null : risk;
  return add(io, output, file, { criterion: APPROVAL_IDS.override, note }, options);
}

/** What is signed: kept with the signature, since the gate may say something else later. */
function wordsOf(
  gate: Gate,
  criterion: string,
  { role, covers, withdraw = false }: SignOptions,
): Pick<SignOff, 'statement' | 'covers'> {
  const isReview = criterion === APPROVAL_IDS.review;
  if (covers !== undefined && !isReview) throw usage('--covers: wanted with review only');
  if (withdraw) return {};
  if (!isReview) {
    const { signOffs = [] } = gate.criteria.find(({ id }) => id === criterion) ?? {};
    const statement = signOffs.find((one) => one.role === role)?.statement;
    return statement === undefined ? {} : { statement };
  }
  const ids = (covers ?? '').split(',').map((id) => id.trim());
  const known = gate.criteria.filter(({ level }) => level === 'green').map(({ id }) => id);
  const unknown = ids.find((id) => !known.includes(id));
  if (unknown === undefined) return { covers: ids };
  const found = unknown === '' ? 'nothing' : JSON.stringify(unknown);
  throw usage(`--covers: found ${found}, wanted the criteria that may be open, with commas`);
}

/** Placeholders need no values: nothing is carried out. */
function fileOf(
  io: CliIo,
  output: Output,
  named: string,
  options: GatePlace & Pick<SignOptions, 'version' | 'service' | 'environment'>,
): GateFile | null {
  demandWords(options);
  const { service = null, environment = null } = options;
  const asked = { version: null, service, environment, parameters: {} };
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
  io: CliIo,
  output: Output,
  { gate, deploy }: GateFile,
  { criterion, note, ...words }: Pick<SignOff, 'criterion' | 'note' | 'statement' | 'covers'>,
  options: Omit<SignOptions, 'note' | 'covers'>,
): Promise<ExitCode> {
  const { withdraw = false } = options;
  const signOff: SignOff = {
    ...{ gate: gate.name, criterion, role: options.role },
    name: nameOf(options),
    service: exact('--service', deploy.service),
    environment: exact('--environment', deploy.environment),
    version: exact('--version', options.version),
    atMs: io.clock.now(),
    note: note === null ? null : bounded('the note', note, NOTE_CHARS_MAX),
    ...words,
    ...(withdraw ? { isWithdrawn: true } : {}),
  };
  const daemon = gateDaemon(io, options);
  const store = storeOf(daemon, options, { ...deploy, version: signOff.version });
  // A daemon looks itself.
  if (withdraw && daemon === null) await demandSignature(store, signOff);
  const added = await store.add(signOff);
  if (added.kind === 'failed') {
    output.error(`not signed: ${added.reason}`);
    return added.isUnreachable === true ? EXIT.unreachable : EXIT.inconclusive;
  }
  if (output.isJson) output.json(signOffJson(added.signOff ?? signOff));
  const { name, role, version, environment } = signOff;
  const done = withdraw ? 'taken back' : 'signed';
  output.line(
    `${done}: ${criterion} of ${gate.name} ${version} (${environment}), ${name} as ${role}`,
  );
  return EXIT.passed;
}

/** A mistyped name would else leave the signature where it is, and say nothing. */
async function demandSignature(store: SignOffStore, withdrawal: SignOff): Promise<void> {
  const { gate, criterion, role, name, version, environment } = withdrawal;
  const found = await store.list(gate);
  if (found.kind === 'failed')
    throw new CliExit(EXIT.inconclusive, `not taken back: ${found.reason}`);
  const stand = standing(found.signOffs);
  if (stand.some((one) => isSamePlace(one, withdrawal))) return;
  const who = stand.filter((one) => one.criterion === criterion && one.version === version);
  const names = who.map((one) => `${one.name} (${one.role})`).join(', ') || 'nobody';
  throw usage(
    `--withdraw: ${name} has no signature as ${role} for ${criterion} of ${gate} ${version} (${environment}); signed have: ${names}`,
  );
}

function nameOf({ name: written }: Pick<SignOptions, 'name'>): string {
  const name = bounded('--name', written, NAME_CHARS_MAX);
  const flaw = nameFlaw(name);
  if (flaw !== null) throw usage(`--name: found ${JSON.stringify(name)}, which ${flaw}`);
  return name;
}

/** What is signed is taken as it is, or not at all: a signature for another version says nothing. */
function exact(what: string, written: string): string {
  const text = bounded(what, written, WORD_CHARS_MAX);
  if (text === written) return text;
  const found = JSON.stringify(written);
  throw usage(
    `${what}: found ${found}, wanted one line of printable text with single blanks inside`,
  );
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
