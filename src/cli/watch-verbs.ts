// The verbs that talk to a daemon. Each asks, prints, and gives an exit code.
import type { WatchEvent } from '../core/event.ts';
import { EXTENSION_MAX_MS } from '../http/requests.ts';
import { retry } from '../kit/retry.ts';
import {
  type Client,
  need,
  readDeliveries,
  readHold,
  readJournal,
  readList,
  readWatch,
  type WireWatch,
} from './client.ts';
import { EXIT, type ExitCode, usage } from './exit.ts';
import { follow } from './follow.ts';
import { reportToGithub } from './github.ts';
import type { CliIo, Output } from './output.ts';
import { callerOf, durationOf, parametersOf, runUrlOf, timeOf, wholeOf } from './parse.ts';
import { listText, signedLine, storyLine, verdictLine, watchText } from './story.ts';
import { violations } from './verify.ts';

export type Session = { readonly io: CliIo; readonly output: Output; readonly client: Client };

export type StartOptions = {
  readonly version: string;
  readonly environment?: string;
  readonly previousVersion?: string;
  readonly deployedAt?: string;
  readonly param?: readonly string[];
  readonly policy?: string;
  readonly observe?: boolean;
  readonly by?: string;
  readonly url?: string;
  readonly idempotencyKey?: string;
  readonly wait?: boolean;
  readonly timeout?: string;
};

/** Two to four seconds in all: a restart takes less. */
const START_ATTEMPTS = 4;
const START_FIRST_WAIT_MS = 250;

const pathOf = (id: string) => `/v1/watches/${encodeURIComponent(id)}`;

export async function start(
  session: Session,
  service: string,
  options: StartOptions,
): Promise<ExitCode> {
  const { io, output, client } = session;
  if (options.timeout !== undefined && options.wait !== true) {
    throw usage('--timeout: wanted together with --wait');
  }
  const timeoutMs = timeoutOf(options.timeout);
  const ask = {
    method: 'POST',
    path: '/v1/watches',
    body: startBody(service, options, io.env),
    headers:
      options.idempotencyKey === undefined ? {} : { 'idempotency-key': options.idempotencyKey },
    read: readWatch,
  } as const;
  // A daemon that restarts just now must not fail a pipeline; the same start twice is one watch.
  const reply = await retry(() => client.ask(ask), {
    isPassing: ({ kind }) => kind === 'unreachable',
    attempts: START_ATTEMPTS,
    firstWaitMs: START_FIRST_WAIT_MS,
    signal: io.signal,
  });
  const watch = need(reply, client);
  const created = reply.kind === 'ok' && reply.status === 201;
  const { id } = watch;
  output.line(
    `watch ${id} ${created ? 'started' : 'was started before'}: ${client.server}${pathOf(id)}`,
  );
  if (options.wait === true) return follow({ ...session, id, timeoutMs });
  if (output.isJson) output.json({ created, watch });
  reportStart(io, watch);
  return EXIT.passed;
}

/** Without --wait there is no verdict to report, but later steps need the watch's id. */
function reportStart(io: CliIo, watch: WireWatch): void {
  const { GITHUB_STEP_SUMMARY: _, ...env } = io.env;
  if (watch.phase !== 'watching') return;
  reportToGithub({ ...io, env }, watch, verdictLine(watch), []);
}

function startBody(service: string, options: StartOptions, env: CliIo['env']) {
  return {
    service,
    version: options.version,
    environment: options.environment,
    previous_version: options.previousVersion,
    deployed_at:
      options.deployedAt === undefined ? undefined : timeOf('--deployed-at', options.deployedAt),
    parameters: parametersOf(options.param ?? []),
    policy: options.policy,
    mode: options.observe === true ? 'observe' : undefined,
    by: callerOf(options.by, env),
    url: runUrlOf(options.url, env),
  };
}

function timeoutOf(text: string | undefined): number | null {
  return text === undefined ? null : durationOf('--timeout', text);
}

export function wait(session: Session, id: string, options: { timeout?: string }) {
  return follow({ ...session, id, timeoutMs: timeoutOf(options.timeout) });
}

export async function list(
  { output, client }: Session,
  options: {
    readonly service?: string;
    readonly phase?: string;
    readonly active?: boolean;
    readonly limit: string;
    readonly before?: string;
  },
): Promise<ExitCode> {
  const query = new URLSearchParams({ limit: String(wholeOf('--limit', options.limit, 200)) });
  if (options.service !== undefined) query.set('service', options.service);
  if (options.phase !== undefined) query.set('phase', options.phase);
  if (options.before !== undefined) query.set('before', options.before);
  if (options.active === true) query.set('active', 'true');
  const page = need(await client.ask({ path: `/v1/watches?${query}`, read: readList }), client);
  if (output.isJson) output.json(page);
  else output.line(listText(page.watches));
  if (!output.isJson && page.next_before !== null) {
    output.line(`more: --before ${page.next_before}`);
  }
  return EXIT.passed;
}

export async function show(session: Session, id: string): Promise<ExitCode> {
  return print(session, await watchOf(session.client, id));
}

async function watchOf(client: Client, id: string): Promise<WireWatch> {
  return need(await client.ask({ path: pathOf(id), read: readWatch }), client);
}

function print({ output }: Session, view: WireWatch): ExitCode {
  if (output.isJson) output.json(view);
  else output.line(watchText(view));
  return EXIT.passed;
}

export type HumanOptions = { readonly reason: string; readonly by?: string };

/** stop, cancel, ack, resolve, extend: the daemon refuses what makes no sense. */
export async function command(
  session: Session,
  verb: 'stop' | 'cancel' | 'ack' | 'resolve' | 'extend',
  id: string,
  options: HumanOptions & { readonly byDuration?: string },
): Promise<ExitCode> {
  const { client, io, output } = session;
  const duration = options.byDuration;
  if (duration !== undefined && durationOf('--by-duration', duration) > EXTENSION_MAX_MS) {
    throw usage('--by-duration: wanted at most 7d');
  }
  const reply = await client.ask({
    method: 'POST',
    path: `${pathOf(id)}/${verb}`,
    body: { reason: options.reason, by: callerOf(options.by, io.env), by_duration: duration },
    read: readWatch,
  });
  const view = need(reply, client);
  if (output.isJson) output.json(view);
  else output.line(`${verb}: done; ${verdictLine(view)}`);
  return EXIT.passed;
}

export type SignOptions = {
  readonly role: string;
  readonly name: string;
  readonly note?: string;
  readonly by?: string;
};

export async function sign(
  { client, io, output }: Session,
  id: string,
  { role, name, note, by }: SignOptions,
): Promise<ExitCode> {
  const body = { role, name, note, by: callerOf(by, io.env) };
  const path = `${pathOf(id)}/sign`;
  const view = need(await client.ask({ method: 'POST', path, body, read: readWatch }), client);
  if (output.isJson) output.json(view);
  else output.line(signedLine(view, role));
  return EXIT.passed;
}

export async function hold(session: Session, options: HumanOptions): Promise<ExitCode> {
  const body = { reason: options.reason, by: callerOf(options.by, session.io.env) };
  return switched(session, { method: 'POST', path: '/v1/hold', body });
}

export async function release(session: Session, options: HumanOptions): Promise<ExitCode> {
  const query = new URLSearchParams({ reason: options.reason });
  const by = callerOf(options.by, session.io.env);
  if (by !== undefined) query.set('by', by);
  return switched(session, { method: 'DELETE', path: `/v1/hold?${query}` });
}

async function switched(
  { client, output }: Session,
  ask: { readonly method: 'POST' | 'DELETE'; readonly path: string; readonly body?: unknown },
): Promise<ExitCode> {
  const answer = need(await client.ask({ ...ask, read: readHold }), client);
  if (output.isJson) output.json(answer);
  else if (answer.hold === null) output.line('released: policies act again');
  else
    output.line(`hold fire, by ${answer.hold.by}: ${answer.hold.reason}; nothing is rolled back`);
  return EXIT.passed;
}

/** A watch has some hundred events; this bounds a broken server. */
const PAGES_MAX = 200;

async function eventsOf(client: Client, id: string): Promise<readonly WatchEvent[]> {
  const events: WatchEvent[] = [];
  let after: number | null = 0;
  for (let page = 0; page < PAGES_MAX && after !== null; page += 1) {
    const path = `${pathOf(id)}/journal?after=${after}`;
    const answer: NonNullable<ReturnType<typeof readJournal>> = need(
      await client.ask({ path, read: readJournal }),
      client,
    );
    events.push(...answer.events);
    after = answer.nextAfter;
  }
  return events;
}

export async function journal(
  session: Session,
  id: string,
  options: { readonly jsonl?: boolean; readonly verify?: boolean },
): Promise<ExitCode> {
  const { client, output } = session;
  if (options.jsonl === true) {
    const path = `${pathOf(id)}/journal?format=jsonl`;
    output.raw(need(await client.ask({ path, read: (body) => body }), client));
    return EXIT.passed;
  }
  if (options.verify === true) return verify(session, id);
  const view = await watchOf(client, id);
  const events = await eventsOf(client, id);
  if (output.isJson) output.json({ watch: view.id, events });
  else for (const event of events) output.line(storyLine(event, view));
  return EXIT.passed;
}

async function verify({ client, output }: Session, id: string): Promise<ExitCode> {
  const view = await watchOf(client, id);
  const events = await eventsOf(client, id);
  const path = `${pathOf(id)}/deliveries`;
  const { deliveries } = need(await client.ask({ path, read: readDeliveries }), client);
  // What happened after the first request would look like a difference.
  const shown = await watchOf(client, id);
  const isStill = shown.phase === view.phase;
  const found = violations({
    events,
    shown: isStill ? shown : view,
    deliveries: deliveries.map((delivery) => ({
      id: delivery.id,
      action: actionOf(delivery.content),
      state: delivery.state,
      attempts: delivery.attempts,
      attemptsMax: delivery.attempts_max,
    })),
  });
  if (output.isJson) {
    output.json({ ok: found.length === 0, events: events.length, violations: found });
  } else if (found.length === 0) {
    output.line(`journal of ${id}: ${events.length} events, no rule broken`);
  }
  for (const { rule, text } of output.isJson ? [] : found) output.error(`${rule}: ${text}`);
  return found.length === 0 ? EXIT.passed : EXIT.stopped;
}

function actionOf(content: { readonly kind: string; readonly [field: string]: unknown }) {
  return content.kind === 'action' ? String(content['action']) : null;
}
