// What each finding means, why it matters and how to mend it: for `check --list-findings` and the
// table in docs/check.md.
import type { FindingName } from '../config/finding-names.ts';

/** `error`: the policy does harm or cannot work. `warning`: most likely a mistake. */
export type Level = 'error' | 'warning' | 'note';

export type Entry = {
  readonly level: Level;
  readonly what: string;
  readonly why: string;
  readonly fix: string;
};

export const CATALOGUE: Readonly<Record<FindingName, Entry>> = {
  'no-traffic-guard': {
    level: 'error',
    what: 'A ratio or quantile with `min_total` below 5.',
    why: 'At night one failed request of two is an error rate of 50 %, and rolls back.',
    fix: 'Raise it, or remove it: the default of 20 is safe for limits of 5 % and more.',
  },
  'one-event-decides': {
    level: 'warning',
    what: 'With the least traffic that is judged, a single event crosses the limit.',
    why: 'With 20, the default, one error is 5 %: a limit of 1 % stops a good deploy.',
    fix: 'Raise `min_total` until several events are needed.',
  },
  'unguarded-promql': {
    level: 'warning',
    what: 'A `promql` indicator divides, or takes a quantile, without asking for traffic.',
    why: 'Such a figure of three requests decides like one of three thousand.',
    fix: 'Use `ratio` or `quantile`, or end the PromQL with `and sum(increase(…)) > 20`.',
  },
  'alert-expression': {
    level: 'warning',
    what: 'A `promql` indicator ends with a comparison, as the rule of an alert does.',
    why: 'While all is well it gives no series: the condition is blind, and no deploy can pass.',
    fix: 'Cut the comparison off, and write the limit in the policy.',
  },
  'upside-down-limit': {
    level: 'error',
    what: 'The limit points away from what is bad: few errors or a low latency stop, or many pass.',
    why: 'It rolls back good deploys and lets bad ones pass.',
    fix: 'Turn the comparison around, or the `good` and `bad` of the ratio.',
  },
  'suspicious-direction': {
    level: 'warning',
    what: 'The name of the figure says that the limit points the wrong way.',
    why: 'A limit that is upside down rolls back good deploys.',
    fix: 'Turn the comparison around, or rename the indicator to what it measures.',
  },
  'good-bad-swapped': {
    level: 'warning',
    what: '`good` counts something that sounds bad, or `bad` something that sounds good.',
    why: 'The share is then the opposite of what the limits mean.',
    fix: 'Write `bad:` in place of `good:`, or the other way round.',
  },
  'ratio-of-itself': {
    level: 'error',
    what: 'Part and total of a ratio are the same series.',
    why: 'The share is always 100 %: the condition watches nothing.',
    fix: 'Name the counter, or the labels, of the part.',
  },
  'part-outside-total': {
    level: 'warning',
    what: 'The total of a ratio is narrowed by a label that the part is not.',
    why: 'The part counts events that the total does not: the share can exceed 100 %.',
    fix: 'Give part and total the same labels, besides the one that makes the part.',
  },
  'regex-in-equals': {
    level: 'warning',
    what: 'A label is compared by `=` with what looks like a regular expression, or by `=~` with `5xx`.',
    why: '`status="5.."` matches only the text 5.., `=~"5xx"` only 5xx: no error is ever counted.',
    fix: 'Write `=~"5.."`; `=` for a text that is meant as it is.',
  },
  'counter-as-gauge': {
    level: 'warning',
    what: 'A gauge, or PromQL without `rate`, reads what by its name is a counter. With `--live`: an error when the source says so, too; nothing when it says gauge.',
    why: 'A counter only grows and begins anew with each restart: its value says nothing.',
    fix: 'Use `rate` or `increase`.',
  },
  'several-hosts': {
    level: 'warning',
    what: 'The health endpoints of the policy are on different hosts.',
    why: 'A deploy is rolled back for the failures of another service, and not for its own.',
    fix: 'Ask the service that is deployed; waive it when it really has several hosts.',
  },
  'short-range': {
    level: 'warning',
    what: 'A range is shorter than four intervals of the policy.',
    why: 'One late or lost sample leaves a range in which nothing can be counted.',
    fix: 'Lengthen `over`, or shorten `interval`.',
  },
  'unit-doubt': {
    level: 'warning',
    what: 'Limit and figure seem to be in different units, such as seconds and milliseconds.',
    why: 'A limit in the wrong unit fires at once, or never.',
    fix: 'Write the limit in the unit of the metric, or set `unit` on the indicator.',
  },
  'always-holds': {
    level: 'error',
    what: 'A limit that holds for every value the figure can have.',
    why: 'A stop stops every deploy; a pass proves nothing.',
    fix: 'Set a limit that the figure can cross.',
  },
  'never-holds': {
    level: 'error',
    what: 'A limit that holds for no value the figure can have.',
    why: 'A stop protects from nothing; a pass can never be met.',
    fix: 'Set a limit that the figure can cross.',
  },
  'warn-looser-than-stop': {
    level: 'warning',
    what: 'A warning in one window is looser than a stop on the same figure in another window.',
    why: 'What stopped the deploy a minute ago is then not even worth a warning.',
    fix: 'Make the warning stricter than the stop.',
  },
  'pass-inside-stop': {
    level: 'warning',
    what: 'A pass holds for values for which another indicator of the same series stops.',
    why: 'The policy calls the same state good and bad.',
    fix: 'Make the pass stricter, or judge by one indicator.',
  },
  'unchanged-value-fires': {
    level: 'error',
    what: 'A limit of the baseline that a deploy breaches which changes nothing.',
    why: '`above: 20%, of: baseline` means a fifth of it, not a fifth more: every deploy stops.',
    fix: 'Write 120% for a fifth more, 80% for a fifth less.',
  },
  'zero-baseline': {
    level: 'warning',
    what: 'A stop above a share of the baseline of something that may be 0 before a deploy.',
    why: '200 % of 0 is 0: the first error after a quiet hour rolls back.',
    fix: 'Use an absolute limit; write one beside it if growth matters, too.',
  },
  'no-baseline': {
    level: 'error',
    what: 'A share of the baseline of a count since the deploy.',
    why: 'Before a deploy there is no count since it: the condition stays blind.',
    fix: 'Set `over` on the indicator, or use an absolute limit.',
  },
  'zero-parameter': {
    level: 'warning',
    what: 'A limit is a share of a parameter that may be 0 or less.',
    why: '120 % of 0 is 0: a deploy that brings 0 is stopped by the first sample.',
    fix: 'Set `above: 0` on the parameter.',
  },
  'single-check-stops': {
    level: 'warning',
    what: 'One failed health check stops the deploy.',
    why: 'A restart or one lost packet rolls back.',
    fix: 'Write `failing: 3`.',
  },
  'no-early-stop': {
    level: 'warning',
    what: 'No stop condition is judged in the first window.',
    why: 'A bad deploy does harm for a whole window before anything can stop it.',
    fix: 'Give the first window a stop condition, or write one under `always`.',
  },
  'window-too-short': {
    level: 'warning',
    what: 'A window with fewer than four ticks.',
    why: 'Its conditions are judged so seldom that one late tick hides them.',
    fix: 'Lengthen the window, or shorten `interval`.',
  },
  'long-wait': {
    level: 'warning',
    what: 'A stop condition is blind for at least half of its window, until its range is full.',
    why: 'The window promises a protection that mostly is not there.',
    fix: 'Shorten the range, set `early: shorten`, or write `${range}` in PromQL.',
  },
  'no-time-to-fire': {
    level: 'error',
    what: 'A stop or warning can hold for its `for` only after its window has ended.',
    why: 'It never fires.',
    fix: 'Shorten `for` or the range, or lengthen the window.',
  },
  'no-time-to-pass': {
    level: 'error',
    what: 'The pass conditions can hold together for long enough only after the window has ended.',
    why: 'No deploy ever passes.',
    fix: 'Shorten `for` or the ranges, or lengthen the window.',
  },
  'low-coverage': {
    level: 'warning',
    what: '`coverage` is below 10 %.',
    why: 'A deploy passes of which almost nothing was seen.',
    fix: 'Remove `coverage` (the default is 50%), or raise it.',
  },
  'no-action': {
    level: 'warning',
    what: 'Stop conditions, but no `disarm` and no `rollback`.',
    why: 'A stop only tells on-call; the bad version keeps running.',
    fix: 'Add a rollback under `on_stop`, or write `mode: observe`.',
  },
  'no-rollback': {
    level: 'note',
    what: '`disarm` without `rollback`.',
    why: 'The bad version stays; a person has to replace it.',
    fix: 'Add a rollback, if there is a way to automate it.',
  },
  'no-verify': {
    level: 'warning',
    what: 'Actions without `verify`.',
    why: 'A rollback that was accepted but did not work looks like one that did.',
    fix: 'Add a `verify` step, at least with the health endpoint.',
  },
  'verify-too-short': {
    level: 'error',
    what: 'A verify condition can hold for long enough only after `within` has ended.',
    why: 'No rollback is ever confirmed: each ends with the loudest alert.',
    fix: 'Lengthen `within`, or shorten `for`, the range, or the number of checks.',
  },
  'verify-without-traffic': {
    level: 'warning',
    what: 'A verify condition needs traffic, after a `disarm` that ends traffic.',
    why: 'Too few events: the condition stays blind and the rollback unconfirmed.',
    fix: 'Verify by health, version or a gauge; waive it when the rollback arms again.',
  },
  'observes-only': {
    level: 'note',
    what: '`mode: observe` in a policy that has actions.',
    why: 'Right for a trial; it must not be forgotten.',
    fix: 'Remove `mode` when the trial is over.',
  },
  'unused-waiver': {
    level: 'note',
    what: 'A waiver of something that is not found (any more).',
    why: 'It would hide the finding when it comes back for another reason.',
    fix: 'Remove the waiver.',
  },
  'source-unreachable': {
    level: 'error',
    what: 'The source does not answer, or refuses every question.',
    why: 'Every condition is blind. Exit code 4; it cannot be waived.',
    fix: 'Check url, credentials and network of the source in the config.',
  },
  'source-empty': {
    level: 'error',
    what: 'The source answers, but had no metric at all in the last hour.',
    why: 'Every condition is blind.',
    fix: 'Check url and tenant of the source, and whether it scrapes the service.',
  },
  'query-rejected': {
    level: 'error',
    what: 'The source refuses the query of an indicator.',
    why: 'Its conditions are blind.',
    fix: 'Mend the query as the message says.',
  },
  'unknown-metric': {
    level: 'error',
    what: 'The source has no metric of that name.',
    why: 'Its conditions are blind; a part of a ratio that does not exist counts as 0.',
    fix: 'Correct the name; the nearest ones are named.',
  },
  'no-matching-series': {
    level: 'error',
    what: 'The metric exists, but no series has the labels that are asked for.',
    why: 'Its conditions are blind; a part of a ratio that does not exist counts as 0.',
    fix: 'Correct the label or its value; those that exist are named.',
  },
  'part-not-seen': {
    level: 'warning',
    what: 'The part of a ratio, or of PromQL that gives a value without it, has no series.',
    why: 'It counts as 0: right when no such event has happened yet, else a limit that sees nothing.',
    fix: 'Compare name and labels with those that exist; waive it when it only has not happened yet.',
  },
  'several-series': {
    level: 'error',
    what: 'Several series where one is meant.',
    why: 'None of them is known to be meant: the conditions are blind.',
    fix: 'Set `aggregate`, or add labels; in PromQL aggregate with `sum` or `max`.',
  },
  'gauge-as-counter': {
    level: 'error',
    what: 'A rate, increase or ratio counts a metric that the source calls a gauge.',
    why: 'Each fall of a gauge looks like a restart: the count is made up.',
    fix: 'Use `gauge`, or name the counter.',
  },
  'no-bucket-at-limit': {
    level: 'warning',
    what: 'The histogram has no bucket edge at the limit of its quantile.',
    why: 'The quantile is interpolated across the limit: it may be wrong by a whole bucket.',
    fix: 'Move the limit to an edge (the nearest are named), or add a bucket to the service.',
  },
  'limit-beyond-buckets': {
    level: 'error',
    what: 'The limit is not below the largest finite bucket edge.',
    why: 'A quantile is never above that edge: the condition cannot fire.',
    fix: 'Lower the limit, or add larger buckets to the service.',
  },
  'range-under-four-scrapes': {
    level: 'warning',
    what: 'A range is shorter than four scrapes of the metric.',
    why: 'One lost scrape leaves too few samples to count anything.',
    fix: 'Lengthen `over`, or scrape more often.',
  },
  'stale-before-scrape': {
    level: 'warning',
    what: '`stale_after` is shorter than two scrapes of the metric.',
    why: 'One lost scrape blinds the condition.',
    fix: 'Raise `stale_after`, or scrape more often.',
  },
  'would-stop-now': {
    level: 'error',
    what: 'A stop condition is met right now, without a deploy.',
    why: 'Either the service is in trouble or the limit is wrong.',
    fix: 'Look at the service; then correct the limit.',
  },
  'would-warn-now': {
    level: 'warning',
    what: 'A warning is met right now, without a deploy.',
    why: 'A warning that is always on is read by nobody.',
    fix: 'Look at the service; then correct the limit.',
  },
  'pass-not-met-now': {
    level: 'note',
    what: 'A pass or verify condition is not met by the version that runs now.',
    why: 'A deploy that changes nothing would not pass.',
    fix: 'Look at the service; then correct the limit.',
  },
  'blind-now': {
    level: 'warning',
    what: 'A condition cannot be seen right now.',
    why: 'After a deploy it would protect from nothing.',
    fix: 'As the reason says: more traffic, a lower `min_total`, a longer range.',
  },
  'far-limit': {
    level: 'warning',
    what: 'A time, a size or a share differs from its limit by a factor of 200; of 50 for a share and a percentage.',
    why: 'Most often a wrong unit: the condition never fires.',
    fix: 'Compare the units of metric and limit.',
  },
  'slow-query': {
    level: 'warning',
    what: 'The answer took longer than half of the interval, or than 2 seconds.',
    why: 'Ticks come late, and the source suffers while it may be needed most.',
    fix: 'Narrow the labels, shorten the range, or use a recording rule.',
  },
  'expensive-query': {
    level: 'warning',
    what: 'The query reads more than a million samples or 2,000 series.',
    why: 'It is asked at every tick of every watch.',
    fix: 'Narrow the labels, shorten the range, or use a recording rule.',
  },
  'source-warns': {
    level: 'note',
    what: 'The source answers, and warns of its own answer.',
    why: 'Mostly a part of the data is missing: what is not seen may still be there.',
    fix: 'Check again when the source is whole.',
  },
  'value-needed': {
    level: 'warning',
    what: 'An indicator needs a value that a deploy brings. An error when no condition at all was looked at; a note when only a limit needs it.',
    why: 'The condition was not looked at.',
    fix: 'Give it: `--version 1.4.0`, `--param name=value`.',
  },
};
