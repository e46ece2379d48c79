// Findings about what a stop does, and how it is proven.
import { entriesOf, fieldOf, itemsOf, VERIFY } from '../config/policy-draft.ts';
import type { Path } from '../config/problems.ts';
import { isShareKind } from '../config/units.ts';
import { formatDuration } from '../core/quantity.ts';
import { type Finding, finding } from './finding.ts';
import { aboutCondition, holdOf, type Judged, type Subject, waitOf } from './subject.ts';

export function stepFindings(subject: Subject): Finding[] {
  const { policy } = subject;
  const names = policy.actions.map(({ name }) => name);
  const about = (path: Path, what: string) => ({ policy: policy.name, path, subject: what });
  const findings: Finding[] = [];
  if (names.length === 0) {
    if (policy.mode === 'observe') return [];
    const wanted = 'a rollback under on_stop, or "mode: observe"';
    return [finding('no-action', about(['on_stop'], 'on_stop'), 'stops that do nothing', wanted)];
  }
  if (!names.includes('rollback')) {
    const wanted = 'a rollback, too, where one can be automated';
    findings.push(
      finding('no-rollback', about(stepPath(subject, 'disarm'), 'disarm'), 'disarm alone', wanted),
    );
  }
  if (policy.mode === 'observe') {
    const wanted = 'act, when the trial is over; remove "mode"';
    const found = 'mode observe: a stop is told, and nothing is done';
    findings.push(finding('observes-only', about(['mode'], 'mode'), found, wanted));
  }
  if (policy.verify === null) {
    const wanted = 'a verify step that proves the rollback, such as health passing 3';
    const last = names.at(-1) ?? '';
    const found = `${names.join(' and ')} without verify`;
    findings.push(finding('no-verify', about(stepPath(subject, last), last), found, wanted));
  }
  const proofs = subject.judged.filter(({ condition }) => condition.role === 'verify');
  return [...findings, ...proofs.flatMap((judged) => verifyFindings(subject, judged))];
}

function stepPath({ raw }: Subject, name: string): Path {
  const steps = itemsOf(fieldOf(raw, 'on_stop'));
  const index = steps.findIndex((step) => entriesOf(step).some(([key]) => key === name));
  return index === -1 ? ['on_stop'] : ['on_stop', index, name];
}

function verifyFindings(subject: Subject, judged: Judged): Finding[] {
  const { policy } = subject;
  const { indicator, condition } = judged;
  const withinMs = policy.verify?.withinMs ?? 0;
  const neededMs = waitOf(indicator) + holdOf(judged, policy.intervalMs);
  if (neededMs >= withinMs) {
    const found = `${judged.text}, which takes at least ${formatDuration(neededMs)}`;
    const wanted = `less than ${VERIFY}.within, ${formatDuration(withinMs)}; lengthen it, or shorten the range or "for"`;
    return [finding('verify-too-short', aboutCondition(subject, judged), found, wanted)];
  }
  const isDisarmed = policy.actions.some(({ name }) => name === 'disarm');
  const { limit } = condition;
  const isCount = indicator.kind === 'rate' || indicator.kind === 'increase';
  const needsEvents =
    isCount &&
    limit.kind === 'compare' &&
    (limit.comparator === 'above' || (limit.comparator === 'at_least' && limit.value > 0));
  const isOfEvents = indicator.kind === 'quantile' || isShareKind(indicator.kind);
  const needsTraffic = isOfEvents || needsEvents;
  if (!isDisarmed || !needsTraffic) return [];
  const found = `${judged.text}, which needs traffic, after a disarm`;
  const wanted = 'proof without traffic, such as health, version or a gauge';
  return [finding('verify-without-traffic', aboutCondition(subject, judged), found, wanted)];
}
