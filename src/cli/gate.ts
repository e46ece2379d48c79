// `gate`: carries a gate out on this machine, decides, and writes the evidence. Without evidence
// that could be written there is no GO.

import { appendFileSync, existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadConfig } from '../config/load.ts';
import { problemsText } from '../config/problems.ts';
import { createSecrets } from '../config/secrets.ts';
import type { GateRecord } from '../core/gate-record.ts';
import { criterionJson, recordJson } from '../core/gate-record-json.ts';
import { prometheusOptions, scrapeOptions } from '../daemon/sources.ts';
import { headline, summaryText } from '../gate/decision-text.ts';
import { type WrittenEvidence, writeEvidence } from '../gate/evidence.ts';
import { type Judged, judge } from '../gate/judge.ts';
import type { GateSource, GateSources } from '../gate/kinds.ts';
import { type AskedDeploy, type GateFile, readGateFile, unknownIds } from '../gate/read.ts';
import { signOffFile } from '../gate/sign-off-file.ts';
import { messageOf } from '../kit/errors.ts';
import { EXIT, type ExitCode, usage } from './exit.ts';
import {
  explainGate,
  gateJson,
  printCriteria,
  printRecord,
  progressDisplay,
} from './gate-output.ts';
import { escapeData } from './github.ts';
import { type CliIo, type Output, plain } from './output.ts';
import { DEFAULT_CONFIG, parametersOf } from './parse.ts';

export const DEFAULT_EVIDENCE = 'evidence';
const GATES_FOLDER = 'config/gates';

/** Where a gate and the signatures for it are found. */
export type GatePlace = {
  readonly config?: string;
  readonly evidence?: string;
  readonly signOffs?: string;
};

export type GateOptions = GatePlace & {
  readonly version?: string;
  readonly service?: string;
  readonly environment?: string;
  readonly param?: readonly string[];
  readonly only?: string;
  readonly explain?: boolean;
  readonly ascii?: boolean;
  readonly githubSummary?: boolean;
};

/** `aurora` is config/gates/aurora.yaml; anything that looks like a path is one. */
export function gatePath(named: string): string {
  const isPath = /[\\/]|\.ya?ml$/i.test(named);
  return isPath ? named : join(GATES_FOLDER, `${named}.yaml`);
}

/** null: it is not valid, and that has been said. */
export function readGateOf(
  io: CliIo,
  output: Output,
  named: string,
  asked: AskedDeploy,
  place: GatePlace,
): GateFile | null {
  const path = gatePath(named);
  const { sources, secrets } = sourcesOf(io, place.config);
  const read = readGateFile(path, asked, { sources, secrets });
  if (read.kind === 'gate') return read;
  if (output.isJson) output.json({ ok: false, file: path, problems: read.problems });
  output.error(problemsText(path, read.problems));
  return null;
}

/** The config is only read when a check names a source: many gates need none. */
function sourcesOf(io: CliIo, named: string | undefined) {
  const secrets = createSecrets({ env: io.env });
  let loaded: Readonly<Record<string, GateSource>> | null = null;
  const all = () => {
    loaded ??= loadSources(io, named);
    return loaded;
  };
  const sources: GateSources = {
    find: (name) => (Object.hasOwn(all(), name) ? (all()[name] ?? null) : null),
    names: () => Object.keys(all()),
  };
  return { secrets, sources };
}

function loadSources(io: CliIo, named: string | undefined): Readonly<Record<string, GateSource>> {
  if (named === undefined && !existsSync(DEFAULT_CONFIG)) return {};
  const { config } = loadConfig(named ?? DEFAULT_CONFIG, { env: io.env });
  return Object.fromEntries(
    Object.entries(config.sources).map(([name, source]): [string, GateSource] => [
      name,
      source.kind === 'prometheus'
        ? { kind: 'prometheus', options: prometheusOptions(source, io.clock) }
        : { kind: 'scrape', options: scrapeOptions(source, io.clock) },
    ]),
  );
}

export function storeOf(place: GatePlace) {
  const file = place.signOffs ?? join(place.evidence ?? DEFAULT_EVIDENCE, 'sign-offs.jsonl');
  return signOffFile(resolve(file));
}

export async function gate(
  io: CliIo,
  output: Output,
  named: string,
  options: GateOptions,
): Promise<ExitCode> {
  const { version = null, service = null, environment = null } = options;
  if (version === null && options.explain !== true) {
    throw usage('--version: found nothing, wanted the version that is decided on');
  }
  const parameters = parametersOf(options.param ?? []);
  const asked: AskedDeploy = { version, service, environment, parameters };
  const file = readGateOf(io, output, named, asked, options);
  if (file === null) return EXIT.usage;
  const only = onlyOf(file, options.only);
  if (options.explain === true) {
    if (output.isJson) output.json(gateJson(file.gate));
    else explainGate(output, file.gate, io.clock.now());
    return EXIT.passed;
  }
  const isAscii = options.ascii === true || Boolean(io.env['NO_UNICODE']);
  const display = progressDisplay(io, output, isAscii);
  const { clock, env, signal } = io;
  const run = { clock, env, signal, folder: process.cwd(), onProgress: display.onProgress };
  output.line(`${file.gate.name}: ${file.gate.title}`);
  const judged = await judge(file, storeOf(options), only === null ? run : { ...run, only });
  display.end();
  return finish(io, output, file, judged, options);
}

function onlyOf({ gate: read }: GateFile, only: string | undefined): readonly string[] | null {
  if (only === undefined) return null;
  const ids = only.split(',').map((id) => id.trim());
  const [first] = unknownIds(read, ids);
  if (first !== undefined) throw usage(`${first.path}: ${first.message}`);
  return ids;
}

async function finish(
  io: CliIo,
  output: Output,
  file: GateFile,
  judged: Judged,
  options: GateOptions,
): Promise<ExitCode> {
  if (judged.kind === 'failed') {
    if (output.isJson) output.json({ decision: null, why: 'sign_offs', reason: judged.reason });
    output.error(`nothing decided: the sign-offs cannot be read: ${judged.reason}`);
    return EXIT.usage;
  }
  if (judged.kind === 'undecided') return undecided(output, judged);
  const { record, files, signOffs } = judged;
  const parent = resolve(options.evidence ?? DEFAULT_EVIDENCE);
  const evidence = await writeEvidence(parent, { record, source: file.source, signOffs, files });
  if (output.isJson) output.json({ ...recordJson(record), evidence: evidenceJson(evidence) });
  printRecord(output, record);
  if (evidence.kind === 'written') {
    output.line(`Evidence: ${evidence.folder}`);
    output.line(`Its hash: ${evidence.hash}`);
  } else {
    output.error(`the evidence cannot be written: ${evidence.reason}; without it nothing is GO`);
  }
  tellGithub(io, record, evidence, options.githubSummary === true);
  if (evidence.kind === 'failed' && record.decision === 'go') return EXIT.inconclusive;
  return record.decision === 'go' ? EXIT.passed : EXIT.stopped;
}

function undecided(
  output: Output,
  { why, criteria }: Extract<Judged, { kind: 'undecided' }>,
): ExitCode {
  if (output.isJson) output.json({ decision: null, why, criteria: criteria.map(criterionJson) });
  const said = why === 'interrupted' ? 'interrupted' : 'only a part of the gate was carried out';
  output.line(`Nothing decided: ${said}`);
  printCriteria(output, criteria);
  const isBad = criteria.some(({ outcome }) => outcome !== 'pass');
  return why === 'only' && isBad ? EXIT.stopped : EXIT.inconclusive;
}

function evidenceJson(evidence: WrittenEvidence) {
  return evidence.kind === 'written'
    ? { folder: evidence.folder, sha256: evidence.hash }
    : { folder: null, reason: evidence.reason };
}

/** What cannot be written is said, and changes no exit code. */
function tellGithub(
  io: CliIo,
  record: GateRecord,
  evidence: WrittenEvidence,
  isAsked: boolean,
): void {
  const inActions = Boolean(io.env['GITHUB_ACTIONS']);
  if (!inActions && !isAsked) return;
  const isWritten = evidence.kind === 'written';
  if (inActions) {
    const kind = record.decision === 'go' && isWritten ? 'notice' : 'error';
    const text = escapeData(plain(`${headline(record)}: ${record.reasons[0] ?? ''}`));
    io.stderr.write(`::${kind} title=canaryd gate::${text}\n`);
    const folder = isWritten ? `evidence=${plain(evidence.folder)}\n` : '';
    append(io, 'GITHUB_OUTPUT', `decision=${record.decision}\n${folder}`);
  }
  const where = isWritten ? `${evidence.folder}, sha256 ${evidence.hash}` : null;
  append(io, 'GITHUB_STEP_SUMMARY', summaryText(record, where));
}

function append(io: CliIo, variable: string, text: string): void {
  const path = io.env[variable];
  if (!path) {
    io.stderr.write(`not written: ${variable} is not set\n`);
    return;
  }
  try {
    appendFileSync(path, text);
  } catch (error) {
    io.stderr.write(`cannot write to the file of ${variable}: ${messageOf(error)}\n`);
  }
}
