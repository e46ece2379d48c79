// Follows a watch to its verdict by polling: a line per change, and through a restart of the
// daemon, which must not fail a pipeline.
import { roughDuration } from '../core/quantity.ts';
import {
  type Client,
  need,
  readJournal,
  readWatch,
  unreachableText,
  type WireWatch,
} from './client.ts';
import { CliExit, EXIT, type ExitCode, exitCodeOf } from './exit.ts';
import { reportToGithub } from './github.ts';
import type { CliIo, Output } from './output.ts';
import { liveLine, storyLine, verdictLine } from './story.ts';

const POLL_MS = 1_000;
/** How long a daemon may be away: a restart with a migration fits. */
export const PATIENCE_MS = 120_000;
const EVENTS_PER_POLL = 500;

export type Follow = {
  readonly io: CliIo;
  readonly output: Output;
  readonly client: Client;
  readonly id: string;
  /** null: as long as the watch takes. */
  readonly timeoutMs: number | null;
};

/** Waits for the end of the watch and of its verification, reports, and gives the exit code. */
export async function follow(options: Follow): Promise<ExitCode> {
  const { io, output, client, timeoutMs } = options;
  const story: string[] = [];
  const startedAt = io.clock.monotonic();
  let view: WireWatch | null = null;
  let cursor = 0;
  let lostAt: number | null = null;

  while (!io.signal.aborted) {
    const now = io.clock.monotonic();
    const seen = await poll(options, cursor);
    if (seen.kind === 'lost') {
      if (io.signal.aborted) break;
      if (lostAt === null) {
        lostAt = now;
        output.line(`${unreachableText(client.server, seen.detail)}; trying for 2m`);
      }
      if (now - lostAt >= PATIENCE_MS) return lost(options, view, seen.detail);
    } else {
      if (lostAt !== null) output.line('canaryd is back');
      lostAt = null;
      view = seen.view;
      for (const event of seen.events) {
        const line = storyLine(event, view);
        story.push(line);
        output.line(line);
        cursor = event.seq;
      }
      output.live(liveLine(view, io.clock.now()));
      // A full page: there is more to tell before the end.
      if (seen.events.length === EVENTS_PER_POLL) continue;
      if (!view.active) return finish(options, view, story, verdictLine(view));
    }
    if (timeoutMs !== null && io.clock.monotonic() - startedAt >= timeoutMs) {
      return timedOut(options, view, story, timeoutMs);
    }
    await io.clock.sleep(POLL_MS, io.signal).catch(() => {});
  }
  throw new CliExit(EXIT.interrupted, `no longer waiting; watch ${options.id} goes on`);
}

async function poll({ client, id }: Follow, cursor: number) {
  const path = `/v1/watches/${encodeURIComponent(id)}`;
  // The watch first: what happens between the two requests is only told earlier.
  const watch = await client.ask({ path, read: readWatch });
  if (watch.kind === 'unreachable') return { kind: 'lost', detail: watch.detail } as const;
  const view = need(watch, client);
  const page = await client.ask({
    path: `${path}/journal?after=${cursor}&limit=${EVENTS_PER_POLL}`,
    read: readJournal,
  });
  if (page.kind === 'unreachable') return { kind: 'lost', detail: page.detail } as const;
  return { kind: 'seen', view, events: need(page, client).events } as const;
}

function finish(
  { io, output }: Follow,
  view: WireWatch,
  story: readonly string[],
  verdict: string,
): ExitCode {
  output.line(verdict);
  if (output.isJson) output.json(view);
  reportToGithub(io, view, verdict, story);
  return exitCodeOf(view.phase);
}

/** A stop is a verdict even when its verification is still under way. */
function timedOut(
  options: Follow,
  view: WireWatch | null,
  story: readonly string[],
  timeoutMs: number,
): ExitCode {
  const after = roughDuration(timeoutMs);
  if (view === null) {
    throw new CliExit(EXIT.unreachable, `${options.client.server}: no answer within ${after}`);
  }
  const verdict = `no end within ${after}: ${verdictLine(view)}`;
  return finish(options, view, story, verdict);
}

function lost(options: Follow, view: WireWatch | null, detail: string): ExitCode {
  const text = unreachableText(options.client.server, detail);
  if (view?.phase !== 'stopped') throw new CliExit(EXIT.unreachable, text);
  options.output.error(text);
  return finish(options, view, [], verdictLine(view));
}
