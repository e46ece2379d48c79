// The API on the real engine and a real journal: what a request changed, and whether its answer is
// one that the API may give. No clock runs: what changes, a request has changed.
import type { InjectOptions } from 'fastify';
import { pino } from 'pino';
import { expect, onTestFinished } from 'vitest';
import { SCOPES, tokenMatcher } from '../../src/http/auth.ts';
import type { HookSetup } from '../../src/http/hook-setup.ts';
import { PROBLEM_MEDIA_TYPE, PROBLEM_TYPE_PREFIX } from '../../src/http/problem.ts';
import { buildServer, SERVER_LIMITS, type ServerLimits } from '../../src/http/server.ts';
import { aPolicy } from '../support/build.ts';
import { anEngine } from '../support/engine.ts';
import { gateDesk } from '../support/gate-desk.ts';

/** Tokens and secrets, by what they are good for. None of them may be repeated by anybody. */
export const SECRETS = {
  read: 'planted-token-that-reads',
  start: 'planted-token-that-starts',
  act: 'planted-token-that-acts',
  all: 'planted-token-that-may-all',
  hook: 'planted-secret-of-the-hooks',
  signing: `whsec_${Buffer.from('planted key of twenty-four').toString('base64')}`,
} as const;

const setup = (secret: string): HookSetup => ({
  settings: { services: { aurora: 'shop' }, environments: null },
  secret: () => secret,
  parameters: {},
});

export type RealApi = Awaited<ReturnType<typeof realApi>>;

export async function realApi(limits: Partial<ServerLimits> = {}) {
  const engine = anEngine({ policies: [aPolicy({ match: { version: '${version}' } })] });
  const log: string[] = [];
  const token = (name: 'read' | 'start' | 'act' | 'all') => ({
    name: `may-${name}`,
    scopes: name === 'all' ? SCOPES : [name],
    matches: tokenMatcher(SECRETS[name]),
  });
  const app = buildServer(
    {
      control: engine.commands,
      gates: gateDesk({ store: engine.journal, clock: engine.clock }).desk,
      metricsText: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' }),
      tokens: [token('read'), token('start'), token('act'), token('all')],
      hooks: {
        kinds: {
          github: setup(SECRETS.hook),
          gitlab: setup(SECRETS.signing),
          cdevents: setup(SECRETS.signing),
          generic: setup(SECRETS.signing),
        },
        parametersOf: () => new Set<string>(),
      },
      logger: pino({ level: 'debug' }, { write: (line: string) => void log.push(line) }),
      version: '9.9.9',
      clock: engine.clock,
    },
    { ...SERVER_LIMITS, ...limits },
  );
  onTestFinished(() => app.close());
  const id = await engine.watch({ previousVersion: '1.0.0' });
  return {
    ...{ app, engine, log, id },
    /** Everything that a request may change. */
    async state(): Promise<string> {
      const { journal, appended } = engine;
      const limit = 10_000;
      const records = await journal.gateRecords({ limit });
      const signOffs = await journal.signOffs({ gate: 'release', limit });
      const counts = [appended.length, records.length, signOffs.length];
      return JSON.stringify([counts, await journal.hold()]);
    },
  };
}

export type Answer = {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
};

export async function ask({ app }: RealApi, request: object): Promise<Answer> {
  const { statusCode, headers, body } = await app.inject(request as InjectOptions);
  return { statusCode, headers, body };
}

/** A page, or a problem like all problems; and nobody's secret in it. */
export function expectAnswer({ statusCode, headers, body }: Answer, method = 'GET'): void {
  expect(statusCode, body).toBeLessThan(500);
  const text = `${JSON.stringify(headers)}${body}`;
  expect(Object.values(SECRETS).filter((secret) => text.includes(secret))).toEqual([]);
  if (statusCode < 400) return;
  expect(headers['content-type']).toBe(PROBLEM_MEDIA_TYPE);
  if (method === 'HEAD') return;
  expect(JSON.parse(body)).toEqual({
    type: expect.stringContaining(PROBLEM_TYPE_PREFIX),
    title: expect.any(String),
    status: statusCode,
    detail: expect.stringMatching(/./),
    instance: expect.any(String),
    errors: expect.any(Array),
  });
}

/** Errors are told to nobody but the log; there must be none. */
export function expectQuiet({ log, engine }: RealApi): void {
  expect(log.filter((line) => JSON.parse(line).level >= 50)).toEqual([]);
  expect(Object.values(SECRETS).filter((secret) => log.join('').includes(secret))).toEqual([]);
  expect(engine.errors).toEqual([]);
}
