// What the demo and `canaryd simulate` do with a real daemon in their own process: start it, ask
// its API, and wait until it has told everything.
import { runDaemon } from '../daemon/daemon.ts';
import type { Clock } from '../kit/clock.ts';
import { send } from '../kit/http.ts';
import type { DemoFiles } from './demo-files.ts';
import type { WireWatch } from './screen.ts';

export async function startDaemon(files: DemoFiles, stack: AsyncDisposableStack) {
  const ending = new AbortController();
  const listening = Promise.withResolvers<string>();
  const running = runDaemon({
    configPath: files.configPath,
    env: files.env,
    signal: ending.signal,
    logPath: files.logPath,
    onListening: listening.resolve,
  });
  // A daemon that cannot start must not leave the demo waiting.
  running.then(() => listening.reject(new Error('the daemon ended')), listening.reject);
  stack.defer(async () => {
    ending.abort();
    await running;
  });
  return { url: await listening.promise };
}

export async function getWatch(url: string, id: string): Promise<WireWatch> {
  return (await request(`${url}/v1/watches/${id}`)) as WireWatch;
}

export async function request(url: string, body?: unknown): Promise<unknown> {
  const answer = await send({
    method: body === undefined ? 'GET' : 'POST',
    url,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    timeoutMs: 5_000,
    responseBytesMax: 5_000_000,
  });
  if (answer.kind === 'failed') throw new Error(`canaryd does not answer: ${answer.detail}`);
  if (answer.status >= 400) throw new Error(`canaryd answered ${answer.status}: ${answer.body}`);
  return JSON.parse(answer.body);
}

/** The last messages go out one a second: wait for them, so that the story is complete. */
export async function untilTold(
  url: string,
  id: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const until = clock.now() + 20_000;
  while (clock.now() < until) {
    const { deliveries } = (await request(`${url}/v1/watches/${id}/deliveries`)) as {
      deliveries: readonly { state: string }[];
    };
    if (deliveries.every(({ state }) => state !== 'pending')) return;
    await clock.sleep(200, signal);
  }
}
