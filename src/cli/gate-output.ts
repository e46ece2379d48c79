// What `gate` prints: progress while checks run, the decision with its reasons, a gate in words.

import {
  type CriterionRecord,
  type GateRecord,
  LEVELS,
  type Outcome,
} from '../core/gate-record.ts';
import { exemptionJson } from '../core/gate-record-json.ts';
import { formatDuration } from '../core/quantity.ts';
import { DECISION_WORDS, headline, resultOf } from '../gate/decision-text.ts';
import type { Approvals, DecisionRule, Gate } from '../gate/gate.ts';
import type { Progress } from '../gate/run.ts';
import { timeText } from '../gate/signed.ts';
import type { CliIo, Output } from './output.ts';

const SIGNS: Readonly<Record<Outcome, readonly [string, string]>> = {
  pass: ['✓', 'ok  '],
  fail: ['✗', 'FAIL'],
  unknown: ['?', '??  '],
};
const RUNNING_SHOWN_MAX = 4;
const REDRAW_MS = 1_000;

export type ProgressDisplay = {
  readonly onProgress: (progress: Progress) => void;
  readonly end: () => void;
};

/** A line for each check that has ended; on a terminal also what runs now, and for how long. */
export function progressDisplay(io: CliIo, output: Output, isAscii: boolean): ProgressDisplay {
  const { clock } = io;
  const running = new Map<string, number>();
  let counts = '';
  const ended = new AbortController();
  const draw = () => {
    const names = [...running].map(([name, since]) => {
      return `${name} ${formatDuration(Math.round((clock.monotonic() - since) / 1_000) * 1_000)}`;
    });
    const more = names.length - RUNNING_SHOWN_MAX;
    const rest = more > 0 ? ` and ${more} more` : '';
    if (names.length > 0) {
      output.live(`${counts}running: ${names.slice(0, RUNNING_SHOWN_MAX).join(', ')}${rest}`);
    }
  };
  const redraw = async () => {
    while (!ended.signal.aborted) {
      await clock.sleep(REDRAW_MS, ended.signal);
      draw();
    }
  };
  const stream = output.isJson ? io.stderr : io.stdout;
  if (stream.isTTY === true) redraw().catch(() => {});
  return {
    onProgress(progress) {
      const name = `${progress.criterion}/${progress.check}`;
      if (progress.kind === 'begun') running.set(name, clock.monotonic());
      else {
        running.delete(name);
        counts = `${progress.done} of ${progress.total} done, `;
        const sign = SIGNS[progress.outcome][isAscii ? 1 : 0];
        const seconds = (progress.tookMs / 1_000).toFixed(1);
        output.line(`  ${sign} ${name}: ${progress.text} (${seconds} s)`);
      }
      draw();
    },
    end: () => ended.abort(),
  };
}

/** The decision, why, and what comes next. */
export function printRecord(output: Output, record: GateRecord): void {
  output.line('');
  output.line(headline(record));
  for (const reason of record.reasons) output.line(`  ${reason}`);
  const details = record.criteria.flatMap(({ id, checks }) =>
    checks.flatMap((check) =>
      check.outcome === 'pass' ? [] : check.details.map((line) => `${id}/${check.id}: ${line}`),
    ),
  );
  if (details.length > 0) {
    output.line('Details:');
    for (const line of details) output.line(`  ${line}`);
  }
  if (record.decision === 'go' && record.next !== null) output.line(`Next: ${record.next}`);
}

/** What an interrupted run, or one of some criteria, has found. */
export function printCriteria(output: Output, criteria: readonly CriterionRecord[]): void {
  for (const one of criteria) {
    output.line(`  ${one.level} ${one.id}: ${resultOf(one)}`);
    for (const { signed, text } of one.signOffs) if (signed === null) output.line(`    ${text}`);
  }
}

/** The gate in words: what is looked at, who signs, how it is decided. Nothing is carried out. */
export function explainGate(output: Output, gate: Gate, nowMs: number): void {
  output.line(`${gate.name}: ${gate.title}`);
  for (const level of LEVELS) {
    const criteria = gate.criteria.filter((one) => one.level === level);
    if (criteria.length > 0) output.line(`${level}:`);
    for (const { id, title, section, checks, signOffs } of criteria) {
      output.line(`  ${id}: ${title}${section === null ? '' : ` [${section}]`}`);
      for (const check of checks) {
        output.line(`    ${check.wants} (at most ${formatDuration(check.timeoutMs)})`);
      }
      for (const { role, statement, validForMs } of signOffs) {
        const valid = formatDuration(validForMs);
        output.line(`    signed by ${role}, valid ${valid}: ${statement}`);
      }
    }
  }
  output.line('decision:');
  for (const line of ruleLines(gate.rule)) output.line(`  ${line}`);
  if (gate.override !== null) {
    output.line(
      `  override of a NO-GO without red: ${approvalText(gate.override)}, with a written risk assessment`,
    );
  }
  for (const { kind, criterion, by, reason, untilMs } of gate.exemptions) {
    const state = untilMs > nowMs ? 'until' : 'EXPIRED on';
    output.line(`  ${kind} of ${criterion} by ${by} ${state} ${timeText(untilMs)}: ${reason}`);
  }
  if (gate.next !== null) output.line(`next: ${gate.next}`);
}

export function ruleLines(rule: DecisionRule): readonly string[] {
  const { go, no_go: noGo, review } = DECISION_WORDS;
  if (rule.kind === 'levels') {
    const max = rule.unmitigatedYellowsMax;
    const yellows =
      max === null ? 'yellows do not stop' : `at most ${max} yellow neither met nor mitigated`;
    return [`${go}: all green met, no red holds, ${yellows}; else ${noGo}`];
  }
  const lines = [`${go}: at least ${rule.go} green ${rule.of} met, and no red holds`];
  if (rule.review !== null) {
    const { from } = rule.review;
    lines.push(`${review}: from ${from}; ${go} with the approval of ${approvalText(rule.review)}`);
  }
  return [...lines, `else ${noGo}`];
}

function approvalText({ approvals, validForMs }: Approvals): string {
  const people = approvals.map(({ role, people: count }) => `${count} ${role}`).join(' and ');
  return `${people}, valid ${formatDuration(validForMs)}`;
}

/** `--explain --json` */
export function gateJson(gate: Gate) {
  return {
    name: gate.name,
    title: gate.title,
    criteria: gate.criteria.map(({ id, title, section, level, checks, signOffs }) => ({
      ...{ id, title, section, level },
      checks: checks.map((check) => ({
        ...{ id: check.id, kind: check.kind, wants: check.wants, timeout_ms: check.timeoutMs },
      })),
      sign_offs: signOffs.map(({ role, statement, validForMs }) => ({
        ...{ role, statement, valid_for_ms: validForMs },
      })),
    })),
    decision: ruleLines(gate.rule),
    override: gate.override === null ? null : approvalText(gate.override),
    exemptions: gate.exemptions.map(exemptionJson),
    next: gate.next,
    sha256: gate.hash,
  };
}
