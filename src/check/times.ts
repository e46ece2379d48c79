// Findings about windows and times: what comes too late to be of use.
import type { Window } from '../core/policy.ts';
import { ALWAYS } from '../core/policy.ts';
import { formatDuration } from '../core/quantity.ts';
import { type About, type Finding, finding } from './finding.ts';
import { aboutCondition, holdOf, isAlarm, type Judged, type Subject, waitOf } from './subject.ts';

/** A window of fewer ticks hides what one late tick misses. */
const TICKS_IN_WINDOW_MIN = 4;
const COVERAGE_MIN = 0.1;

export function timeFindings(subject: Subject): Finding[] {
  const { policy, judged } = subject;
  const findings = judged.flatMap((one) => fireFindings(subject, one));
  for (const [index, window] of policy.windows.entries()) {
    if (window.name === ALWAYS) continue;
    const about = { policy: policy.name, path: ['windows', index], subject: window.name };
    findings.push(...windowFindings(subject, window, about));
  }
  const [first] = policy.windows;
  const isEarly = judged.some(
    ({ condition: { role, window } }) =>
      role === 'stop' && (window === first?.name || window === ALWAYS),
  );
  if (first !== undefined && !isEarly) {
    const about = { policy: policy.name, path: ['windows', 0], subject: first.name };
    const until = formatDuration(first.untilMs);
    const found = `${first.name} without a stop condition: until ${until} nothing stops a deploy`;
    const wanted = 'a stop condition from the deploy on; add one here or under always';
    findings.push(finding('no-early-stop', about, found, wanted));
  }
  if (policy.coverage < COVERAGE_MIN) {
    const about = { policy: policy.name, path: ['coverage'], subject: 'coverage' };
    const wanted = 'at least 10%, better the default of 50%; remove it';
    findings.push(finding('low-coverage', about, `${policy.coverage * 100}%`, wanted));
  }
  return findings;
}

function fireFindings(subject: Subject, judged: Judged): Finding[] {
  const { condition, indicator, span } = judged;
  if (span === null || !isAlarm(condition.role)) return [];
  const { fromMs, untilMs } = span;
  const startMs = Math.max(fromMs, waitOf(indicator));
  const holdMs = holdOf(judged, subject.policy.intervalMs);
  const about = aboutCondition(subject, judged);
  if (startMs + holdMs >= untilMs) {
    const found = `${judged.text}, which has its first value at ${formatDuration(startMs)} and must hold ${formatDuration(holdMs)}`;
    const wanted = `both before the window ends at ${formatDuration(untilMs)}; shorten one`;
    return [finding('no-time-to-fire', about, found, wanted)];
  }
  if (condition.role !== 'stop' || startMs - fromMs < (untilMs - fromMs) / 2) return [];
  const blind = formatDuration(startMs - fromMs);
  const found = `${judged.text}, blind for the first ${blind} of ${formatDuration(untilMs - fromMs)}`;
  const wanted = 'sight for most of the window; shorten the range, or set "early: shorten"';
  return [finding('long-wait', about, found, wanted)];
}

function windowFindings(subject: Subject, window: Window, about: About): Finding[] {
  const { policy, judged } = subject;
  const lengthMs = window.untilMs - window.fromMs;
  const leastMs = TICKS_IN_WINDOW_MIN * policy.intervalMs;
  if (lengthMs < leastMs) {
    const found = `${window.name} of ${formatDuration(lengthMs)} at an interval of ${formatDuration(policy.intervalMs)}`;
    const wanted = `at least ${formatDuration(leastMs)}; lengthen it or shorten "interval"`;
    return [finding('window-too-short', about, found, wanted)];
  }
  const passes = judged.filter(
    ({ condition: { role, window: name } }) => role === 'pass' && name === window.name,
  );
  if (passes.length === 0) return [];
  const metAtMs = Math.max(
    ...passes.map(
      (pass) => Math.max(window.fromMs, waitOf(pass.indicator)) + holdOf(pass, policy.intervalMs),
    ),
  );
  const heldAtMs = metAtMs + window.passForMs;
  if (heldAtMs < window.untilMs) return [];
  const found = `pass conditions that can have held long enough at ${formatDuration(heldAtMs)} at the earliest`;
  const wanted = `a time before ${formatDuration(window.untilMs)}, where ${window.name} ends; shorten "for" or the ranges`;
  return [finding('no-time-to-pass', about, found, wanted)];
}
