// Many messages as one: a storm (one source dies, and fifty watches are blind) and the digest of the
// quiet hours. Pure; what is put together stays countable in `merged`.
import type { Message, Severity } from './delivery.ts';
import { plural } from './message-draft.ts';

/**
 * Watches are judged at times of their own: of one outage the last one hears an interval later than
 * the first. Longer nobody waits.
 */
const GATHER_INTERVALS = 1.2;
export const GATHER_MIN_MS = 3_000;
export const GATHER_MAX_MS = 60_000;
/** After one message of a kind that comes in storms the next one of that kind waits so long. */
export const CALM_MS = 30_000;
/** Fewer are no storm, unless they are of one watch. */
export const STORM_MIN = 3;
/** Of one storm; what is beyond is the next message. */
export const MERGE_MAX = 200;
/** Of one night. */
export const DIGEST_MAX = 1_000;
export const DIGEST_KIND = 'quiet.digest';
/** Named one by one; the rest is counted. */
const NAMED_MAX = 10;
const NEWS_OF_A_WATCH_MAX = 3;
const HEADLINE_MAX = 150;
const CAUSE_MAX = 60;

/** How the headline of a storm begins, by the kinds that come in storms. No stop, no verdict. */
const STORMS: Readonly<Record<string, (watches: string, messages: number) => string>> = {
  'conditions.blinded': (watches) => `BLIND: ${watches}`,
  'conditions.sighted': (watches) => `Seen again: ${watches}`,
  'watch.unarmed': (watches) => `NOT ARMED: ${watches}`,
  'watch.resumed': (watches) => `canaryd was away: ${watches} watched again`,
  'condition.warned': (watches, messages) => `${plural(messages, 'warning')} of ${watches}`,
  'condition.recovered': (watches, messages) =>
    `${plural(messages, 'warning')} of ${watches} recovered`,
  'watch.held': (watches) => `HOLD FIRE: ${watches} only observed`,
  'watch.released': (watches) => `Hold fire released: ${watches} can act again`,
};
/** These come of one command, not of the watches' own ticks. */
const AT_ONCE: readonly string[] = ['watch.held', 'watch.released'];

export const MERGED_KINDS = Object.keys(STORMS);

export function isMerged({ kind, severity }: Pick<Message, 'kind' | 'severity'>): boolean {
  return severity !== 'critical' && MERGED_KINDS.includes(kind);
}

/** How long a message waits for others of its kind; 0: it goes at once. */
export function gatherMs(message: Pick<Message, 'kind' | 'severity'>, intervalMs: number): number {
  if (!isMerged(message)) return 0;
  if (AT_ONCE.includes(message.kind)) return GATHER_MIN_MS;
  return Math.min(GATHER_MAX_MS, Math.max(GATHER_MIN_MS, intervalMs * GATHER_INTERVALS));
}

/** Then `watchId` is only that of the first: nothing may be done to it on the strength of this. */
export function isOfSeveral({ merged = [], watchId }: Message): boolean {
  return merged.some((part) => part.watchId !== watchId);
}

/** @param messages of one kind, at least one */
export function mergeMessages(messages: readonly [Message, ...Message[]]): Message {
  const [first] = messages;
  if (messages.length === 1) return first;
  const watches = watchesText(messages);
  const cause = commonCause(messages);
  const storm = STORMS[first.kind]?.(watches, messages.length);
  const head = storm ?? `${plural(messages.length, 'message')} of ${watches}`;
  const why = cause === null ? '' : `: ${[cause.reason, cause.detail].filter(Boolean).join(', ')}`;
  const lines = [
    ...(cause === null ? [] : [`One cause for all${why}`]),
    ...named(messages.map((message) => (isSame(cause) ? message.headline : withReason(message)))),
  ];
  return together(messages, {
    kind: first.kind,
    headline: cut(`${head}${cut(why, CAUSE_MAX)}`, HEADLINE_MAX),
    lines,
    next: shared(messages.map(({ next }) => next)) ?? null,
    ...(cause === null ? {} : { cause }),
  });
}

/** One cause, to the last detail: nothing is left to say of the single watch. */
function isSame(cause: Message['cause'] | null): boolean {
  return cause !== null && cause !== undefined && cause.detail !== '';
}

function withReason({ headline, lines: [reason] }: Message): string {
  return reason === undefined ? headline : `${headline}; ${reason}`;
}

/**
 * What was held, by watch: first what is still open, then what is over again.
 * @param messages at least one, in the order in which it happened
 * @param isOpen whether something of the watch waits for a person when the digest is sent
 */
export function digestOf(
  messages: readonly [Message, ...Message[]],
  atMs: number,
  isOpen: (watchId: string) => boolean,
): Message {
  const [first] = messages;
  if (messages.length === 1) return heldAlone(first, isOpen(first.watchId));
  const byWatch = new Map<string, Message[]>();
  for (const message of messages) {
    const known = byWatch.get(message.watchId);
    if (known === undefined) byWatch.set(message.watchId, [message]);
    else known.push(message);
  }
  const stories = [...byWatch].map(([watchId, news]) => {
    return { news, state: stateOf(news, isOpen(watchId)) };
  });
  const count = (wanted: Story) => stories.filter(({ state }) => state === wanted).length;
  const open = stories.filter(({ state }) => state === 'open').flatMap(({ news }) => news);
  const lines = (['open', 'resolved', 'told'] as const).flatMap((wanted) =>
    stories.filter(({ state }) => state === wanted).map(({ news }) => storyLine(wanted, news)),
  );
  const figures = [
    `${plural(messages.length, 'message')} of ${watchesText(messages)}`,
    `${count('open')} open`,
    `${count('resolved')} resolved meanwhile`,
  ];
  // What each watch did to its incident is in `merged`; of all of them there is no one step.
  const { incident: _, ...digest } = together(messages, {
    kind: DIGEST_KIND,
    headline: cut(`Held in the quiet hours: ${figures.join(', ')}`, HEADLINE_MAX),
    lines: named(lines),
    next: open.length === 0 ? null : 'Look at what is open: none of it was critical.',
  });
  return { ...digest, severity: highest(open), atMs };
}

type Story = 'open' | 'resolved' | 'told';

/** What was told since, without a sound or elsewhere, counts as well: the journal knows. */
function stateOf(news: readonly Message[], isOpen: boolean): Story {
  if (isOpen) return 'open';
  return news.some(({ incident }) => incident === 'opens') ? 'resolved' : 'told';
}

function heldAlone(message: Message, isOpen: boolean): Message {
  const line = `Held in the quiet hours; it happened at ${utc(message.atMs)}.`;
  if (message.incident !== 'opens' || isOpen) {
    return { ...message, lines: [...message.lines, line] };
  }
  const { incident: _, ...told } = message;
  const lines = [...message.lines, `${line} It is over by now.`];
  return { ...told, severity: 'info', lines, next: null };
}

const STORY_WORDS = { open: 'OPEN', resolved: 'Resolved', told: 'Also' } as const;

function storyLine(state: Story, news: readonly Message[]): string {
  const last = news.slice(-NEWS_OF_A_WATCH_MAX);
  const before = news.length - last.length;
  const words = last.map(({ atMs, headline }) => `${utc(atMs)} ${headline}`);
  const more = before === 0 ? '' : `(${before} earlier) `;
  return `${STORY_WORDS[state]}: ${more}${words.join('; ')}`;
}

function together(
  messages: readonly [Message, ...Message[]],
  own: Pick<Message, 'kind' | 'headline' | 'lines' | 'next' | 'cause'>,
): Message {
  const [first] = messages;
  const ids = new Set(messages.map(({ watchId }) => watchId));
  const isOfOne = ids.size === 1;
  const steps = messages.flatMap(({ incident }) => (incident === undefined ? [] : [incident]));
  // Of several watches only "something is open" can be said with one word.
  const step = isOfOne ? steps.at(-1) : steps.find((candidate) => candidate === 'opens');
  return {
    ...own,
    severity: highest(messages),
    fields: isOfOne ? first.fields : [],
    links: first.links.filter(({ url }) =>
      messages.every(({ links }) => links.some((other) => other.url === url)),
    ),
    watchId: first.watchId,
    atMs: Math.max(...messages.map(({ atMs }) => atMs)),
    merged: messages.map(({ kind, watchId, atMs, headline, incident, deploy }) => ({
      ...{ kind, watchId, atMs, headline },
      ...(incident === undefined ? {} : { incident }),
      ...(deploy === undefined ? {} : { deploy }),
    })),
    ...(isOfOne && first.deploy !== undefined ? { deploy: first.deploy } : {}),
    ...(step === undefined ? {} : { incident: step }),
    ...(messages.every(({ isSilent }) => isSilent === true) ? { isSilent: true } : {}),
  };
}

/** "50 watches", or the one by its name. */
function watchesText(messages: readonly [Message, ...Message[]]): string {
  const [{ deploy }] = messages;
  const watches = new Set(messages.map(({ watchId }) => watchId)).size;
  if (watches > 1) return `${watches} watches`;
  if (deploy === undefined) return '1 watch';
  return `${deploy.service} ${deploy.version} (${deploy.environment})`;
}

function commonCause(messages: readonly Message[]): NonNullable<Message['cause']> | null {
  const reason = shared(messages.map(({ cause }) => cause?.reason));
  if (reason === undefined) return null;
  return { reason, detail: shared(messages.map(({ cause }) => cause?.detail)) ?? '' };
}

/** What all are; undefined when they differ. */
function shared<T>(values: readonly T[]): T | undefined {
  return values.every((value) => value === values[0]) ? values[0] : undefined;
}

function named(lines: readonly string[]): readonly string[] {
  const rest = lines.length - NAMED_MAX;
  return rest <= 0 ? lines : [...lines.slice(0, NAMED_MAX), `… and ${rest} more`];
}

function highest(messages: readonly Message[]): Severity {
  const has = (severity: Severity) => messages.some((message) => message.severity === severity);
  return has('critical') ? 'critical' : has('warning') ? 'warning' : 'info';
}

function cut(text: string, max: number): string {
  const points = [...text];
  return points.length <= max ? text : `${points.slice(0, max - 1).join('')}…`;
}

function utc(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(11, 16)} UTC`;
}
