// What names say: whether a figure is good or bad when it is high. Only hints: nothing here is
// sure, so what is concluded from it is never more than a warning.
import type { Indicator, Selector } from '../core/policy.ts';
import { selectorsOf } from '../core/select.ts';

export type Sign = 'good' | 'bad';

const BAD = new Set(
  (
    'error errors fail failed failing failure failures missing lost loss losses reject rejected ' +
    'rejects rejections drop dropped drops timeout timeouts latency duration lag delay exception ' +
    'exceptions panic panics crash crashes restart restarts retries backlog throttled aborted ' +
    'denied invalid stale vulnerabilities findings bad 5xx 4xx'
  ).split(' '),
);
const GOOD = new Set(
  (
    'success successes successful succeeded succeed filled available availability uptime ' +
    'coverage healthy delivered completed throughput apdex profit good ok 2xx'
  ).split(' '),
);
/** Words that turn the meaning of others around, or leave it open. */
const OPEN = new Set(
  'remaining budget left free headroom since age last until no without'.split(' '),
);
/** Figures that are times: never 0, so a share of their baseline means something. */
const TIMES = new Set('latency duration delay time seconds'.split(' '));
/** A time that somebody waits for … */
const WAITED = new Set(
  'latency duration delay lag wait waiting response request requests rtt handling'.split(' '),
);
/** … and one that somebody stays, which is good when it is long. */
const STAYED = new Set(
  'session sessions visit visits watch watched view viewing dwell play listening ttl uptime'.split(
    ' ',
  ),
);
/** Where a share or a percentage is meant. */
const SHARES = new Set(
  'ratio share percent percentage pct coverage utilization utilisation usage saturation'.split(' '),
);

export function wordsOf(text: string): readonly string[] {
  return text
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
}

/** null: nothing is said, or both. */
export function signOf(words: readonly string[]): Sign | null {
  if (words.some((word) => OPEN.has(word))) return null;
  const isStay = words.some((word) => STAYED.has(word));
  const isBad = words.some((word) => BAD.has(word) && !(isStay && WAITED.has(word)));
  const isGood = words.some((word) => GOOD.has(word));
  if (isBad === isGood) return null;
  return isBad ? 'bad' : 'good';
}

export function isTime(words: readonly string[]): boolean {
  return words.some((word) => TIMES.has(word));
}

/** A time of which less is surely better. */
export function isWaited(words: readonly string[]): boolean {
  return words.some((word) => WAITED.has(word)) && !words.some((word) => STAYED.has(word));
}

export function isShare(words: readonly string[]): boolean {
  return words.some((word) => SHARES.has(word));
}

/** Of its id, its title and its metrics. */
export function allWordsOf(indicator: Indicator): readonly string[] {
  const metrics =
    indicator.kind === 'promql'
      ? metricsIn(indicator.promql)
      : selectorsOf(indicator).map(({ metric }) => metric);
  return [indicator.id, indicator.title, ...metrics].flatMap(wordsOf);
}

/** What the indicator's own name says, else what its metric says. */
export function signOfIndicator(indicator: Indicator): Sign | null {
  const own = signOf([...wordsOf(indicator.id), ...wordsOf(indicator.title)]);
  if (own !== null) return own;
  const sign = signOf(selectorsOf(indicator).flatMap(({ metric }) => wordsOf(metric)));
  if (sign === null || indicator.kind !== 'gauge' || !indicator.negate) return sign;
  return sign === 'good' ? 'bad' : 'good';
}

const STATUS_LABEL = /status|code/;

/** What the part of a ratio counts, beyond what its total says, too. */
export function signOfPart(part: Selector, total: Selector): Sign | null {
  const common = new Set(wordsOf(total.metric));
  const words = wordsOf(part.metric).filter((word) => !common.has(word));
  const signs = [signOf(words)];
  for (const { label, op, value } of part.matchers) {
    const isStatus = STATUS_LABEL.test(label);
    const sign =
      isStatus && /^\(?[45]/.test(value)
        ? 'bad'
        : isStatus && /^\(?2/.test(value)
          ? 'good'
          : signOf(wordsOf(value));
    const turned = sign === 'good' ? 'bad' : 'good';
    signs.push(sign === null || !op.startsWith('!') ? sign : turned);
  }
  const said = new Set(signs.filter((sign) => sign !== null));
  return said.size === 1 ? ([...said][0] ?? null) : null;
}

const KEYWORDS = new Set(
  'and or unless bool offset inf nan start end atan2 by without on ignoring'.split(' '),
);

/** Names of metrics in a PromQL text, as far as a look at its words can tell. */
export function metricsIn(promql: string): readonly string[] {
  const bare = promql
    .replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`/g, '""')
    .replace(/#.*/g, '')
    .replace(/\{[^}]*\}|\[[^\]]*\]/g, ' ')
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/gi, ' ')
    .replace(/\boffset\s+-?\w+|@\s*[\w.()]+/g, ' ');
  const names = [...bare.matchAll(/(?<![\w.:])([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])/g)];
  const metrics = names.map(([, name = '']) => name);
  return [...new Set(metrics)].filter(
    (name) => !KEYWORDS.has(name.toLowerCase()) && !/^group_(left|right)$/.test(name),
  );
}
