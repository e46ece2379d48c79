// `gate`: carries a gate out on this machine, decides, writes the evidence, and reports the decision
// when a daemon is asked for. Without evidence that could be written, or without the daemon that was
// asked for, there is no GO.

import { appendFileSync, existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type ConfigSources, loadConfigSources } from '../config/config-sources.ts';
import type { SourceConfig } from '../config/daemon-config.ts';
import { problemsText } from '../config/problems.ts';
import { createSecrets } from '../config/secrets.ts';
import type { GateDeploy, GateRecord } from '../core/gate-record.ts';
import { criterionJson, recordJson } from '../core/gate-record-json.ts';
import { prometheusOptions, scrapeOptions } from '../daemon/sources.ts';
import { headline, summaryText } from '../gate/decision-text.ts';
import { type WrittenEvidence, writeEvidence } from '../gate/evidence.ts';
import type { SignOffStore } from '../gate/gate.ts';
import { type Judged, judge } from '../gate/judge.ts';
import type { GateSource, GateSources } from '../gate/kinds.ts';
import {
  type AskedDeploy,
  type GateFile,
  type ReadTools,
  readGateFile,
  unknownIds,
} from '../gate/read.ts';
import { signOffFile } from '../gate/sign-off-file.ts';
import { messageOf } from '../kit/errors.ts';
import { cutEnd, printable } from '../kit/redact.ts';
import { EXIT, type ExitCode, usage } from './exit.ts';
import {
  type DaemonOptions,
  evidenceJson,
  type GateDaemon,
  gateDaemon,
  type Reported,
} from './gate-daemon.ts';
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
export type GatePlace = DaemonOptions & {
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
  const read = readGateFile(path, asked, readToolsOf(io, place.config));
  if (read.kind === 'gate') return read;
  if (output.isJson) output.json({ ok: false, file: path, problems: read.problems });
  output.error(problemsText(path, read.problems));
  return null;
}

/** The config is only read when a check names a source: many gates need none. */
function readToolsOf(io: CliIo, named: string | undefined): ReadTools {
  const revealed = new Set<string>();
  const given = { env: io.env, onRead: (value: string) => void revealed.add(value) };
  let loaded: ConfigSources | null = null;
  const all = () => {
    loaded ??= loadSources(named, given);
    return loaded;
  };
  const sources: GateSources = {
    find: (name) => sourceOf(all().find(name), io),
    names: () => all().names,
  };
  return { secrets: createSecrets(given), sources, revealed: () => [...revealed] };
}

type Given = Parameters<typeof loadConfigSources>[1];

function loadSources(named: string | undefined, given: Given): ConfigSources {
  if (named === undefined && !existsSync(DEFAULT_CONFIG)) return { names: [], find: () => null };
  return loadConfigSources(named ?? DEFAULT_CONFIG, given);
}

function sourceOf(source: SourceConfig | null, { clock }: CliIo): GateSource | null {
  if (source === null) return null;
  return source.kind === 'prometheus'
    ? { kind: 'prometheus', options: prometheusOptions(source, clock) }
    : { kind: 'scrape', options: scrapeOptions(source, clock) };
}

/** Of the daemon, when one is asked for; else the file. */
export function storeOf(
  daemon: GateDaemon | null,
  place: GatePlace,
  deploy: GateDeploy,
): SignOffStore {
  if (daemon !== null) return daemon.signOffs(deploy);
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
  demandWords(options);
  const daemon = gateDaemon(io, options);
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
  const store = storeOf(daemon, options, file.deploy);
  const judged = await judge(file, store, only === null ? run : { ...run, only });
  display.end();
  if (judged.kind === 'failed') return notJudged(output, judged);
  if (judged.kind === 'undecided') return undecided(output, judged);
  return finish(io, output, file, judged, { ...options, reportTo: daemon });
}

const WORD_CHARS_MAX = 200;

/** What names a deploy. An empty one, as from a variable that is not set, would name none. */
export function demandWords(given: Pick<GateOptions, 'version' | 'service' | 'environment'>): void {
  for (const name of ['version', 'service', 'environment'] as const) {
    const text = given[name];
    if (text === undefined) continue;
    const isWord = text.trim() !== '' && text.length <= WORD_CHARS_MAX && printable(text) === text;
    if (isWord) continue;
    const wanted = `1 to ${WORD_CHARS_MAX} printable characters, no blanks around them`;
    throw usage(`--${name}: found ${JSON.stringify(cutEnd(text, 50))}; wanted ${wanted}`);
  }
}

function onlyOf({ gate: read }: GateFile, only: string | undefined): readonly string[] | null {
  if (only === undefined) return null;
  const ids = only.split(',').map((id) => id.trim());
  const [first] = unknownIds(read, ids);
  if (first !== undefined) throw usage(`${first.path}: ${first.message}`);
  return ids;
}

function notJudged(
  output: Output,
  { reason, isUnreachable }: Extract<Judged, { kind: 'failed' }>,
): ExitCode {
  if (output.isJson) output.json({ decision: null, why: 'sign_offs', reason });
  output.error(`nothing decided: the sign-offs cannot be read: ${reason}`);
  return isUnreachable === true ? EXIT.unreachable : EXIT.usage;
}

async function finish(
  io: CliIo,
  output: Output,
  file: GateFile,
  { record, files, signOffs }: Extract<Judged, { kind: 'decided' }>,
  options: GateOptions & { readonly reportTo: GateDaemon | null },
): Promise<ExitCode> {
  const parent = resolve(options.evidence ?? DEFAULT_EVIDENCE);
  const evidence = await writeEvidence(parent, { record, source: file.source, signOffs, files });
  const reported = (await options.reportTo?.report(record, evidence)) ?? null;
  if (output.isJson) output.json(resultJson(record, evidence, reported));
  printRecord(output, record);
  if (evidence.kind === 'written') {
    output.line(`Evidence: ${evidence.folder}`);
    output.line(`Its hash: ${evidence.hash}`);
  } else {
    output.error(`the evidence cannot be written: ${evidence.reason}; without it nothing is GO`);
  }
  if (reported?.kind === 'reported') output.line(`Reported: ${reported.url}`);
  if (reported?.kind === 'failed') {
    output.error(`the decision is not reported: ${reported.reason}; without that nothing is GO`);
  }
  const exitCode = exitCodeOf(record, evidence, reported);
  tellGithub(io, record, { evidence, stands: exitCode <= EXIT.stopped }, options);
  return exitCode;
}

/** A GO is one when its evidence is kept, and the daemon that was asked for knows of it. */
function exitCodeOf(
  { decision }: GateRecord,
  evidence: WrittenEvidence,
  reported: Reported | null,
): ExitCode {
  if (decision !== 'go') return EXIT.stopped;
  if (evidence.kind === 'failed') return EXIT.inconclusive;
  return reported?.kind === 'failed' ? reported.exitCode : EXIT.passed;
}

function resultJson(record: GateRecord, evidence: WrittenEvidence, reported: Reported | null) {
  const json = { ...recordJson(record), evidence: evidenceJson(evidence) };
  if (reported === null) return json;
  const daemon =
    reported.kind === 'reported'
      ? { reported: true, url: reported.url }
      : { reported: false, reason: reported.reason };
  return { ...json, daemon };
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

/** What cannot be written is said, and changes no exit code. */
function tellGithub(
  io: CliIo,
  record: GateRecord,
  { evidence, stands }: { readonly evidence: WrittenEvidence; readonly stands: boolean },
  { githubSummary = false }: GateOptions,
): void {
  const inActions = Boolean(io.env['GITHUB_ACTIONS']);
  if (!inActions && !githubSummary) return;
  const isWritten = evidence.kind === 'written';
  if (inActions) {
    const kind = record.decision === 'go' && stands ? 'notice' : 'error';
    const text = escapeData(plain(`${headline(record)}: ${record.reasons[0] ?? ''}`));
    io.stderr.write(`::${kind} title=canaryd gate::${text}\n`);
    const folder = isWritten ? `evidence=${plain(evidence.folder)}\n` : '';
    append(io, 'GITHUB_OUTPUT', `decision=${stands ? record.decision : 'undecided'}\n${folder}`);
  }
  const where = isWritten ? `${evidence.folder}, sha256 ${evidence.hash}` : null;
  const told = stands ? '' : '\n**This GO does not count**: the log of the job says why.\n';
  append(io, 'GITHUB_STEP_SUMMARY', `${summaryText(record, where)}${told}`);
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
