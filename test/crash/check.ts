// What is held against a daemon after its crashes, from outside: what receivers and Slack got, and
// what the API and `canaryd journal --verify` say. Uses nothing of the code that decides.

import { cli } from '../support/cli.ts';
import type { SlackMessage } from '../support/fake-slack.ts';
import type { ReceivedRequest } from '../support/receiver.ts';
import { DISARM, environmentOf, type Lane, ROLLBACK } from './lane.ts';

/** The rollback may pass a disarm that gets no answer after this long. */
const DISARM_FIRST_MS = 3_000;
const REPEAT_MARKS = /was restarted while sending this|got no answer: you may have seen it/;
const CONTENT_MAX = 200;

export type Expected = {
  readonly environment: string;
  readonly isBad: boolean;
  readonly heals: boolean;
  /** What the first answer to the start said; null when the client never read one. */
  readonly acknowledged: string | null;
};

export type Found = {
  readonly problems: readonly string[];
  /** Requests beyond the first under one key. */
  readonly repeats: number;
  readonly verdict: string;
};

type Wire = {
  readonly id: string;
  readonly phase: string;
  readonly active: boolean;
  readonly verification: string;
};
type Event = Readonly<Record<string, unknown>> & { readonly type: string };
export type Reach = Pick<Lane, 'receiver'> & {
  readonly url: string;
  readonly slack: { readonly messages: readonly SlackMessage[] };
};

async function read<T>(url: string): Promise<T> {
  const answer = await fetch(url);
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`);
  return (await answer.json()) as T;
}

/** All watches of an environment. */
export async function watchesOf(url: string, environment: string): Promise<readonly Wire[]> {
  const query = `environment=${environment}&limit=10`;
  return (await read<{ watches: readonly Wire[] }>(`${url}/v1/watches?${query}`)).watches;
}

/** Nothing more is decided for it. */
export function hasEnded({ phase, active }: Wire): boolean {
  return phase !== 'watching' && !active;
}

export async function check(reach: Reach, expected: Expected): Promise<Found> {
  const { environment, acknowledged } = expected;
  const watches = await watchesOf(reach.url, environment);
  const [watch] = watches;
  const problems: string[] = [];
  if (watches.length !== 1) problems.push(`${watches.length} watches, not one`);
  if (acknowledged !== null && !watches.some(({ id }) => id === acknowledged)) {
    problems.push(`LOST: ${acknowledged} was acknowledged and is not there`);
  }
  if (watch === undefined) return { problems, repeats: 0, verdict: 'none' };
  const requests = reach.receiver.requests.filter((one) => environmentOf(one) === environment);
  problems.push(...verdictProblems(expected, watch, await eventsOf(reach.url, watch.id)));
  problems.push(...requestProblems(expected, watch.id, requests));
  problems.push(...(await journalProblems(reach.url, watch.id)));
  problems.push(...(await toldProblems(reach, environment, watch.id)));
  const keys = new Set(requests.map(({ id }) => id));
  return { problems, repeats: requests.length - keys.size, verdict: verdictOf(watch) };
}

function verdictOf({ phase, verification }: Wire): string {
  return phase === 'stopped' ? `stopped, ${verification}` : phase;
}

async function eventsOf(url: string, id: string): Promise<readonly Event[]> {
  return (await read<{ events: readonly Event[] }>(`${url}/v1/watches/${id}/journal`)).events;
}

function verdictProblems({ isBad, heals }: Expected, watch: Wire, events: readonly Event[]) {
  const verdict = verdictOf(watch);
  if (isBad) {
    const wanted = heals ? 'stopped, confirmed' : 'stopped, not_confirmed';
    return verdict === wanted ? [] : [`${verdict}, not ${wanted}`];
  }
  if (verdict === 'passed') return [];
  // Only what nobody saw excuses it.
  const end = events.find(({ type }) => type === 'watch.inconclusive');
  if (end !== undefined && /judged in \d+ %|judged in its window/.test(JSON.stringify(end))) {
    return [];
  }
  return [`${verdict}, not passed: ${JSON.stringify(end ?? null).slice(0, CONTENT_MAX)}`];
}

/** Exactly one idempotency key per action, signed, disarm first; none at all for a good deploy. */
function requestProblems(
  { isBad }: Expected,
  id: string,
  requests: readonly ReceivedRequest[],
): string[] {
  const problems: string[] = [];
  for (const { path, key } of [
    { path: DISARM, key: `${id}-disarm` },
    { path: ROLLBACK, key: `${id}-rollback` },
  ]) {
    const own = requests.filter((request) => request.path === path);
    const keys = [...new Set(own.map((request) => request.id))].join();
    const wanted = isBad ? key : '';
    if (keys !== wanted) problems.push(`${path} got the keys [${keys}], not [${wanted}]`);
    const attempts = own.map(({ headers }) => headers['canaryd-attempt']);
    if (new Set(attempts).size !== own.length) {
      problems.push(`${path} got an attempt twice: ${attempts.join()}`);
    }
  }
  for (const { valid, headers, id: key } of requests) {
    if (!valid) problems.push(`the signature of ${key} does not fit`);
    if (headers['webhook-id'] !== key) problems.push(`webhook-id ${headers['webhook-id']}`);
  }
  const first = (path: string) => requests.find((one) => one.path === path)?.atMs ?? 0;
  if (isBad && first(DISARM) > first(ROLLBACK) + DISARM_FIRST_MS) {
    problems.push(`the disarm came ${first(DISARM) - first(ROLLBACK)} ms after the rollback`);
  }
  return problems;
}

async function journalProblems(url: string, id: string): Promise<readonly string[]> {
  const verb = cli({ server: url });
  const code = await verb.run('journal', id, '--verify');
  return code === 0 ? [] : [`journal --verify ended with ${code}: ${verb.out()}${verb.err()}`];
}

type WireDelivery = {
  readonly id: string;
  readonly content: { readonly message?: { readonly headline: string } };
};

/** Each planned message reached Slack once at most, unless it says that it may be a repetition. */
async function toldProblems(
  { url, slack }: Reach,
  environment: string,
  id: string,
): Promise<readonly string[]> {
  const path = `${url}/v1/watches/${id}/deliveries`;
  const { deliveries } = await read<{ deliveries: readonly WireDelivery[] }>(path);
  const headlines = deliveries.flatMap(({ content }) => content.message?.headline ?? []);
  const told = slack.messages.filter(
    (one) => one.notification.includes(`(${environment})`) && !REPEAT_MARKS.test(one.text),
  );
  return [...new Set(headlines)].flatMap((headline) => {
    const planned = headlines.filter((one) => one === headline).length;
    const heard = told.filter((one: SlackMessage) => one.text.includes(headline)).length;
    return heard > planned ? [`told ${heard} times, planned ${planned}: ${headline}`] : [];
  });
}
