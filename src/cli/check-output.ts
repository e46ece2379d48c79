// What `check` prints: text for people, JSON, and annotations for GitHub.
import { relative } from 'node:path';
import { countOf, type Finding } from '../check/finding.ts';
import type { LiveCondition, LiveReport } from '../check/live/look.ts';
import type { Subject } from '../check/subject.ts';
import { pathOf, problemsText } from '../config/problems.ts';
import { lineFinder } from '../config/yaml-file.ts';
import type { Policy } from '../core/policy.ts';
import { formatDuration, formatNumber, formatValue } from '../core/quantity.ts';
import { resolveIndicator } from '../core/read.ts';
import { conditionSentence } from '../core/wording.ts';
import type { Problem } from '../kit/errors.ts';
import { queryOf } from '../source/promql.ts';
import { escapeData } from './github.ts';
import { type Output, plain, table } from './output.ts';

export type CheckedPolicy = {
  readonly file: string;
  readonly subject: Subject;
  readonly findings: readonly Finding[];
  /** null: the source was not asked. */
  readonly live: LiveReport | null;
};

export type Checked = {
  readonly file: string;
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
  readonly policies: readonly CheckedPolicy[];
};

export function checkText(output: Output, checked: readonly Checked[]): void {
  for (const { file, problems, warnings, policies } of checked) {
    if (problems.length > 0) output.error(problemsText(file, problems));
    for (const policy of policies) {
      output.line(policyText(file, policy.subject.policy));
      if (policy.live !== null) output.line(liveText(policy.live));
      output.line(findingsText(policy));
    }
    for (const warning of warnings) output.error(`${file}: ${warning}`);
  }
}

function indicatorsOf(policy: Policy) {
  return Object.values(policy.indicators).map((indicator) => ({
    id: indicator.id,
    title: indicator.title,
    // Placeholders stay: no deploy is known yet.
    reads: queryOf(resolveIndicator(indicator, policy, {})),
  }));
}

function conditionsOf(policy: Policy) {
  const verify = policy.verify?.conditions ?? [];
  return [...policy.conditions, ...verify].map((condition) => ({
    id: condition.id,
    sentence: conditionSentence(condition, policy),
  }));
}

function policyText(file: string, policy: Policy): string {
  const { name, service, environment, source, intervalMs, mode } = policy;
  const where = environment === null ? 'any environment' : environment;
  const every = formatDuration(intervalMs);
  return [
    `${file}: policy ${name} is valid`,
    `  ${service} in ${where}, from ${source} every ${every}, ${mode}`,
    ...indicatorsOf(policy).flatMap(({ id, title, reads }) => [
      `  ${id} (${title})`,
      `    ${reads}`,
    ]),
    ...conditionsOf(policy).map(({ sentence }) => `  ${sentence}`),
    ...policy.actions.map((action) => `  Then ${action.name}, by ${action.via.kind}`),
  ].join('\n');
}

const NOT_LOOKED_AT = '-';

function liveText({ source, atMs, dead, conditions, tick }: LiveReport): string {
  const at = new Date(atMs).toISOString();
  if (dead !== null) return `Live: ${source} at ${at} cannot be asked: ${dead}`;
  const head = ['condition', 'now', 'limit', 'says', 'series', 'samples', 'ms'];
  const cost = tick === null ? '' : `; a tick costs ${costText(tick.ms, tick.samples)}`;
  return `Live: ${source} at ${at}${cost}\n${table([head, ...conditions.map(liveRow)])}`;
}

function costText(ms: number, samples: number | null): string {
  return samples === null ? `${ms} ms` : `${ms} ms and ${formatNumber(samples, 0)} samples`;
}

function liveRow(condition: LiveCondition): string[] {
  const { id, reading, verdict, unit, series, cost } = condition;
  const isHealth = verdict.limit === null && reading?.kind === 'value' && unit === 'number';
  const value = reading?.kind === 'value' ? formatValue(reading.value, unit) : NOT_LOOKED_AT;
  const says = saysOf(condition);
  return [
    id,
    isHealth && series === null ? (reading.value === 1 ? 'passing' : 'failing') : value,
    verdict.limit === null ? NOT_LOOKED_AT : formatValue(verdict.limit, unit),
    says,
    series === null ? NOT_LOOKED_AT : String(series),
    cost?.samples === null || cost === null ? NOT_LOOKED_AT : formatNumber(cost.samples, 0),
    cost === null ? NOT_LOOKED_AT : String(cost.ms),
  ];
}

function saysOf({ reading, verdict, role }: LiveCondition): string {
  if (reading === null) return 'not looked at';
  if (reading.kind === 'blind') return `blind: ${reading.reason}`;
  if (verdict.isMet === null) return 'limit not known';
  const isGood = role === 'pass' || role === 'verify';
  if (isGood) return verdict.isMet ? 'met' : 'not met';
  return verdict.isMet ? `would ${role}` : 'quiet';
}

/** Grouped by what a finding is about. */
function findingsText({ file, subject, findings }: CheckedPolicy): string {
  const counts = summary(findings);
  if (findings.length === 0) return `Findings in ${subject.policy.name}: none`;
  const lineOf = lineFinder(file);
  const groups = Map.groupBy(findings, aboutOf);
  const lines = [...groups].flatMap(([about, own]) => [
    `  ${about}`,
    ...own.flatMap((one) => {
      const line = lineOf(one.path);
      const where = line === null ? '' : ` (line ${line})`;
      const label = one.waived === null ? one.level : 'waived';
      const said = [`    ${label} ${one.name}${where}: ${one.message}`];
      return one.waived === null ? said : [...said, `      waived: ${one.waived}`];
    }),
  ]);
  return [`Findings in ${subject.policy.name}: ${counts}`, ...lines].join('\n');
}

function aboutOf({ condition, indicator, subject }: Finding): string {
  return condition ?? indicator ?? subject ?? 'the policy';
}

function summary(findings: readonly Finding[]): string {
  const waived = findings.filter((one) => one.waived !== null).length;
  const parts = (['error', 'warning', 'note'] as const).flatMap((level) => {
    const count = countOf(findings, level);
    return count === 0 ? [] : [`${count} ${level}${count === 1 ? '' : 's'}`];
  });
  return [...parts, ...(waived === 0 ? [] : [`${waived} waived`])].join(', ');
}

/** `ok` as the exit code says; `valid`: whether the files can be used at all. */
export function reportJson(checked: readonly Checked[], ok: boolean) {
  const isValid = checked.every(({ problems }) => problems.length === 0);
  return { ok, valid: isValid, files: checked.map(fileJson) };
}

function fileJson({ file, problems, warnings, policies }: Checked) {
  return { file, problems, warnings, policies: policies.map(policyJson) };
}

function policyJson({ file, subject: { policy }, findings, live }: CheckedPolicy) {
  const lineOf = lineFinder(file);
  return {
    name: policy.name,
    file,
    service: policy.service,
    indicators: indicatorsOf(policy),
    conditions: conditionsOf(policy),
    findings: findings.map(({ path, ...one }) => ({ ...one, line: lineOf(path) })),
    live: live === null ? null : liveJson(live),
  };
}

function liveJson({ source, atMs, dead, tick, conditions }: LiveReport) {
  return {
    source,
    at: new Date(atMs).toISOString(),
    unreachable: dead,
    tick,
    conditions: conditions.map(({ id, reading, verdict, unit, series, cost }) => ({
      ...{ id, unit, series },
      value: reading?.kind === 'value' ? reading.value : null,
      limit: verdict.limit,
      met: verdict.isMet,
      blind: reading?.kind === 'blind' ? { reason: reading.reason, detail: reading.detail } : null,
      ms: cost?.ms ?? null,
      samples: cost?.samples ?? null,
    })),
  };
}

const ANNOTATIONS = { error: 'error', warning: 'warning', note: 'notice' } as const;

/** Workflow commands: GitHub shows each beside its line. Waived findings are not shown. */
export function githubText(checked: readonly Checked[]): string {
  const lines = checked.flatMap(({ file, problems, policies }) => [
    ...problems.map((problem) => problemAnnotation(file, problem)),
    ...policies.flatMap((policy) => {
      const lineOf = lineFinder(policy.file);
      return policy.findings
        .filter(({ waived }) => waived === null)
        .map((one) => {
          const title = `${one.name} (${aboutOf(one)})`;
          const at = { file: policy.file, line: lineOf(one.path) };
          return annotation(ANNOTATIONS[one.level], at, title, one.message);
        });
    }),
  ]);
  return lines.map((line) => `${line}\n`).join('');
}

/** A problem of a config names the file of a policy before its path. */
function problemAnnotation(given: string, { path, message }: Problem): string {
  const [, named, rest] = /^(.+\.(?:ya?ml|json))(?:: (.*))?$/.exec(path) ?? [];
  const [file, at] = named === undefined ? [given, path] : [named, rest ?? ''];
  const known = /^line (\d+)/.exec(at)?.[1];
  const line = known === undefined ? lineFinder(file)(pathOf(at)) : Number(known);
  return annotation(
    'error',
    { file, line },
    'not valid',
    at === '' ? message : `${at}: ${message}`,
  );
}

function annotation(
  kind: string,
  { file, line }: { readonly file: string; readonly line: number | null },
  title: string,
  message: string,
): string {
  // Annotations need the path inside of the repository.
  const shown = relative(process.cwd(), file) || file;
  const where = line === null ? '' : `,line=${line}`;
  const property = (text: string) =>
    escapeData(plain(text)).replace(/:/g, '%3A').replace(/,/g, '%2C');
  const start = `::${kind} file=${property(shown)}${where},title=${property(title)}`;
  return `${start}::${escapeData(plain(message))}`;
}
