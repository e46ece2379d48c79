// The API on a fake Control: for `inject`, or listening on a free port of loopback.
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import type { Gates } from '../../src/engine/gate-desk.ts';
import type { Token } from '../../src/http/auth.ts';
import type { HookSetups } from '../../src/http/hook-setup.ts';
import { buildServer, SERVER_LIMITS, type ServerLimits } from '../../src/http/server.ts';
import type { SlackSetup } from '../../src/http/slack-setup.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { FakeControl } from './fake-control.ts';
import { NO_GATES } from './gate-desk.ts';

export type Api = ReturnType<typeof api>;

export function api(
  options: {
    readonly control?: FakeControl;
    readonly gates?: Gates;
    readonly tokens?: readonly Token[];
    readonly hooks?: HookSetups;
    readonly slack?: SlackSetup;
    readonly limits?: Partial<ServerLimits>;
  } = {},
) {
  const control = options.control ?? new FakeControl();
  const log: string[] = [];
  const app = buildServer(
    {
      control,
      gates: options.gates ?? NO_GATES,
      metricsText: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' }),
      tokens: options.tokens ?? [],
      ...(options.hooks === undefined ? {} : { hooks: options.hooks }),
      ...(options.slack === undefined ? {} : { slack: options.slack }),
      logger: pino({ level: 'info' }, { write: (line: string) => void log.push(line) }),
      version: '9.9.9',
      clock: systemClock,
    },
    { ...SERVER_LIMITS, ...options.limits },
  );
  onTestFinished(() => app.close());
  return { app, control, log };
}

/** Listens and says where. */
export async function listening(server: Api, port = 0): Promise<string> {
  return server.app.listen({ host: '127.0.0.1', port });
}
