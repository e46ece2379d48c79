// Files: there, fresh, with texts, a date, approvals, a hash or a signature. A file that is not there
// fails: that is what was asked. One that cannot be read is unknown.
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ms } from '../../config/fields.ts';
import { pathsOf } from '../../config/gate-checks/common.ts';
import type { FileInput } from '../../config/gate-checks/file.ts';
import { compileSearch } from '../../core/pattern.ts';
import { formatDuration, formatValue, parseQuantity } from '../../core/quantity.ts';
import { fill } from '../../core/template.ts';
import type { CheckResult, CheckTools } from '../check.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import { ageOf, ageText } from '../report/age.ts';
import { approvalOf, dayAfter } from '../report/document.ts';
import {
  decode,
  exhibitsOf,
  failureText,
  filledPath,
  findPaths,
  REPORT_BYTES_MAX,
  type ReportFile,
  readFileBounded,
} from '../report/read.ts';
import { verifySignature } from '../report/signature.ts';
import { fail, pass, unknown } from '../result.ts';

/** Dates have no zone: a day that has begun somewhere is not in the future. */
const ZONE_MS = 14 * 3_600_000;

/** Of signatures and keys. */
const KEY_BYTES_MAX = 1_000_000;

type Verdict = { readonly wrong: string[]; readonly unclear: string[]; readonly fine: string[] };
type Found = { readonly path: string; readonly modifiedMs: number; readonly size: number };

export function fileCheck(input: FileInput, { values }: MakeTools): MadeCheck {
  const listOf = (written: string | readonly string[] | undefined) =>
    (written === undefined ? [] : pathsOf(written)).map((one) => fill(one, values));
  const filled = {
    ...{ contains: listOf(input.contains), lacks: listOf(input.lacks) },
    matches: (input.matches === undefined ? [] : pathsOf(input.matches)).map((one) =>
      fill(one, values, literally),
    ),
  };
  return {
    kind: 'file',
    wants: wantsOf(input, filled),
    timeoutMs: ms(input.timeout),
    run: async (tools) => {
      const verdict: Verdict = { wrong: [], unclear: [], fine: [] };
      const paths = await findPaths(pathsOf(input.path), values, tools);
      if (paths.kind === 'refused') return unknown(paths.reason);
      const found = await stats(paths.paths, tools, verdict);
      const chosen = input.newest ? newestOf(found, input.files_min) : found;
      if (found.length < input.files_min && verdict.unclear.length === 0) {
        const none = paths.paths.length === 0 ? `no file matches ${pathsOf(input.path)}` : '';
        const few = `${filesText(found.length)}, at least ${input.files_min} wanted`;
        if (none !== '') verdict.wrong.push(none);
        else if (verdict.wrong.length === 0) verdict.wrong.push(few);
      }
      const read: ReportFile[] = [];
      for (const file of chosen) {
        judgeOutside(input, file, tools, verdict);
        if (!looksInside(input)) continue;
        const content = await readFileBounded(file.path, tools, REPORT_BYTES_MAX);
        if ('reason' in content) {
          verdict.unclear.push(content.reason);
          continue;
        }
        read.push(content);
        judgeInside(input, filled, content, tools, verdict);
        if (input.signed !== undefined) {
          await judgeSignature(input.signed, content, { values, tools, verdict });
        }
      }
      return concluded(verdict, chosen, read);
    },
  };
}

async function judgeSignature(
  signed: NonNullable<FileInput['signed']>,
  { path, bytes }: ReportFile,
  of: {
    readonly values: MakeTools['values'];
    readonly tools: CheckTools;
    readonly verdict: Verdict;
  },
): Promise<void> {
  const { wrong, unclear, fine } = of.verdict;
  const parts: Buffer[] = [];
  for (const one of [signed.signature, signed.key]) {
    const name = filledPath(one, of.values);
    const file =
      typeof name === 'string' ? await readFileBounded(name, of.tools, KEY_BYTES_MAX) : name;
    if ('reason' in file) unclear.push(file.reason);
    else parts.push(file.bytes);
  }
  const [signature, key] = parts;
  if (signature === undefined || key === undefined) return;
  const verified = verifySignature(bytes, { signature, key, namespace: signed.namespace });
  if (verified.kind === 'refused') unclear.push(`${path}: ${verified.reason}`);
  else if (verified.kind === 'valid') fine.push(`signed with ${verified.by}`);
  else wrong.push(`${path} is not what was signed, or not with this key (${verified.by})`);
}

type Filled = Readonly<Record<'contains' | 'lacks' | 'matches', readonly string[]>>;

function wantsOf(input: FileInput, { contains, lacks, matches }: Filled): string {
  const quoted = (texts: readonly string[]) => texts.map((one) => `"${one}"`).join(', ');
  const roles = (input.approved_by ?? []).map((one) => (typeof one === 'string' ? one : one.role));
  return [
    `${pathsOf(input.path).join(', ')} ${input.newest ? '(the newest) ' : ''}exists`,
    ...(input.max_age === undefined ? [] : [`at most ${input.max_age} old`]),
    ...(contains.length === 0 ? [] : [`with ${quoted(contains)}`]),
    ...(matches.length === 0 ? [] : [`matching ${matches.join(', ')}`]),
    ...(lacks.length === 0 ? [] : [`without ${quoted(lacks)}`]),
    ...(input.date === undefined ? [] : [`dated at most ${input.date.max_age} ago`]),
    ...(roles.length === 0 ? [] : [`approved by ${roles.join(', ')}`]),
    ...(input.sha256 === undefined ? [] : ['with the written sha256']),
    ...(input.signed === undefined ? [] : [`signed with ${input.signed.key}`]),
  ].join(', ');
}

async function stats(
  paths: readonly string[],
  { folder }: CheckTools,
  { wrong, unclear }: Verdict,
): Promise<readonly Found[]> {
  const found: Found[] = [];
  for (const path of paths) {
    try {
      const one = await stat(resolve(folder, path));
      if (one.isFile()) found.push({ path, modifiedMs: one.mtimeMs, size: one.size });
      else wrong.push(`${path} is no regular file`);
    } catch (error) {
      const code = (error as { code?: unknown } | null)?.code;
      if (code === 'ENOENT' || code === 'ENOTDIR') wrong.push(`${path} is missing`);
      else unclear.push(`${path} ${failureText(error)}`);
    }
  }
  return found;
}

function newestOf(found: readonly Found[], count: number): readonly Found[] {
  return found.toSorted((a, b) => b.modifiedMs - a.modifiedMs).slice(0, count);
}

function filesText(count: number): string {
  return `${count} ${count === 1 ? 'file' : 'files'}`;
}

/** A version in a pattern is its text: its dots are dots. */
function literally(value: string): string {
  return value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function judgeOutside(
  input: FileInput,
  { path, modifiedMs, size }: Found,
  { clock }: CheckTools,
  { wrong, unclear, fine }: Verdict,
): void {
  const least = input.size_min === undefined ? 0 : (parseQuantity(input.size_min)?.value ?? 0);
  if (input.size_min === undefined && size === 0) wrong.push(`${path} is empty`);
  if (size < least) {
    wrong.push(`${path} has ${formatValue(size, 'bytes')}, at least ${input.size_min} wanted`);
  }
  if (input.max_age === undefined) return;
  const age = ageOf([{ path, modifiedMs, writtenMs: null }], clock.now(), ms(input.max_age));
  if (age.kind === 'old') wrong.push(age.text);
  else if (age.kind === 'future') unclear.push(age.text);
  else fine.push(`${path} ${age.text}`);
}

function looksInside(input: FileInput): boolean {
  const { contains, lacks, matches, date, approved_by, sha256, signed } = input;
  return [contains, lacks, matches, date, approved_by, sha256, signed].some(
    (one) => one !== undefined,
  );
}

function judgeInside(
  input: FileInput,
  { contains, lacks, matches }: Filled,
  { path, bytes }: ReportFile,
  tools: CheckTools,
  verdict: Verdict,
): void {
  const { wrong, unclear, fine } = verdict;
  if (input.sha256 !== undefined) {
    const hash = createHash('sha256').update(bytes).digest('hex');
    if (hash === input.sha256.toLowerCase()) fine.push('the sha256 is as written');
    else wrong.push(`${path} has the sha256 ${hash}, another one is wanted`);
  }
  const roles = input.approved_by ?? [];
  const texts = [...contains, ...lacks, ...matches, ...roles];
  if (texts.length === 0 && input.date === undefined) return;
  const text = decode(bytes);
  if (text === null) {
    unclear.push(`${path} is no text in UTF-8 or UTF-16`);
    return;
  }
  for (const one of contains) if (!text.includes(one)) wrong.push(`${path} lacks "${one}"`);
  for (const one of lacks) if (text.includes(one)) wrong.push(`${path} contains "${one}"`);
  for (const one of matches) {
    if (compileSearch(one)?.last(text) == null) wrong.push(`${path} does not match ${one}`);
  }
  if (input.date !== undefined) judgeDate(input.date, path, text, tools, verdict);
  for (const one of roles) {
    const { role, name } = typeof one === 'string' ? { role: one, name: undefined } : one;
    switch (approvalOf(text, role, name)) {
      case 'approved':
        fine.push(`approved by ${role}`);
        break;
      case 'open':
        wrong.push(`${path}: the approval of ${role} is open`);
        break;
      case 'absent':
        wrong.push(`${path} has no approval of ${role}`);
        break;
      case 'other_name':
        wrong.push(`${path}: the approval of ${role} is not by ${name}`);
    }
  }
}

function judgeDate(
  { after, max_age: maxAge }: NonNullable<FileInput['date']>,
  path: string,
  text: string,
  { clock }: CheckTools,
  { wrong, unclear, fine }: Verdict,
): void {
  const day = dayAfter(text, after);
  if (day === null) {
    wrong.push(`${path} has no date behind "${after}"; write it as 2026-11-20`);
    return;
  }
  const nowMs = clock.now();
  const shown = new Date(day.startMs).toISOString().slice(0, 10);
  if (day.startMs > nowMs + ZONE_MS) unclear.push(`${path} is dated ${shown}, in the future`);
  else if (nowMs - day.endMs > ms(maxAge)) {
    const wanted = `at most ${formatDuration(ms(maxAge))} wanted`;
    wrong.push(`${path} is dated ${shown}, ${ageText(nowMs - day.startMs)} ago, ${wanted}`);
  } else fine.push(`dated ${shown}`);
}

function concluded(
  { wrong, unclear, fine }: Verdict,
  chosen: readonly Found[],
  read: readonly ReportFile[],
): CheckResult {
  const said = [...wrong, ...unclear];
  const parts = { details: said.length > 1 ? said : [], exhibits: exhibitsOf(read) };
  if (wrong.length > 0) return fail(wrong.join('; '), parts);
  if (unclear.length > 0) return unknown(unclear.join('; '), parts);
  const [first] = chosen;
  const there =
    chosen.length === 1 ? `${first?.path} is there` : `${chosen.length} files are there`;
  return pass([there, ...new Set(fine)].join('; '), parts);
}
