// `gate --daemon` against a daemon as its operator runs it, and against one that is not there.
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { fitted } from '../../src/cli/gate-daemon.ts';
import { recordJson } from '../../src/core/gate-record-json.ts';
import { gateRecordBody } from '../../src/http/gate-bodies.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { cli } from '../support/cli.ts';
import { type Canaryd, startCanaryd } from '../support/daemon.ts';
import { aGateRecord, EVIDENCE_HASH } from '../support/gate-desk.ts';

const POLICY = `
service: aurora
source: direct
interval: 1s
indicators:
  queue: { title: Queue, gauge: { metric: queue_length, aggregate: sum } }
windows:
  - { name: immediate, until: 1h, stop: { queue: { above: 100 } } }
`;

const gateText = (name: string) => `
name: ${name}
title: Aurora testnet GO / NO-GO
service: aurora
environment: testnet
criteria:
  green:
    - id: variables
      title: Configuration
      checks: [{ env: { required: [AURORA_MODE] } }]
    - { id: review_done, title: Code review complete, sign_off: { role: engineering_lead } }
decision: { yellow_unmitigated_max: 2 }
override: { approvals: { cto: 1, senior_engineer: 1 } }
`;

const TOKENS = {
  pipeline: 'token-of-the-pipeline',
  oncall: 'token-of-on-call',
  reader: 'token-that-may-read',
};
const NOWHERE = 'http://127.0.0.1:1';

let canaryd: Canaryd;
beforeAll(async () => {
  canaryd = await startCanaryd({
    policies: { aurora: POLICY },
    config: {
      public_url: 'https://canaryd.example',
      sources: { direct: { scrape: { targets: ['http://127.0.0.1:9/metrics'] } } },
      tokens: [
        { name: 'pipeline', token: '$PIPELINE', scopes: ['read', 'start'] },
        { name: 'oncall', token: '$ONCALL', scopes: ['read', 'act'] },
        { name: 'reader', token: '$READER', scopes: ['read'] },
      ],
    },
    env: { PIPELINE: TOKENS.pipeline, ONCALL: TOKENS.oncall, READER: TOKENS.reader },
  });
}, 30_000);
afterAll(() => canaryd.dispose());

let folder = '';
let gate = '';
let count = 0;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'canaryd-gate-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  gate = join(folder, 'aurora.yaml');
  // A gate of its own: what others have signed and decided is not seen.
  writeFileSync(gate, gateText(`aurora-${++count}`));
});

type Setup = {
  readonly token?: keyof typeof TOKENS;
  readonly server?: string;
  readonly signal?: AbortSignal;
  readonly env?: Readonly<Record<string, string>>;
};

async function run(argv: readonly string[], setup: Setup = {}) {
  const { token = 'pipeline', server = canaryd.url, signal, env = {} } = setup;
  const one = cli({
    server,
    clock: systemClock,
    env: { AURORA_MODE: 'testnet', CANARYD_TOKEN: TOKENS[token], ...env },
    ...(signal === undefined ? {} : { signal }),
  });
  const code = await one.run('gate', ...argv, '--evidence', join(folder, 'evidence'));
  return { code, out: one.out(), err: one.err(), json: one.json };
}

const decide = (more: readonly string[] = [], setup: Setup = {}) =>
  run([gate, '--version', '2.1.0', '--daemon', ...more], setup);
const sign = (more: readonly string[] = [], setup: Setup = {}) =>
  run(
    [
      ...['sign', gate, 'review_done', '--role', 'engineering_lead', '--name', 'Ada'],
      ...['--version', '2.1.0', '--daemon', ...more],
    ],
    { token: 'oncall', ...setup },
  );

async function get(path: string) {
  const headers = { authorization: `Bearer ${TOKENS.reader}` };
  const answer = await fetch(`${canaryd.url}${path}`, { headers });
  return (await answer.json()) as Record<string, unknown>;
}
const decisions = async () => {
  const { gate_records: all } = await get(`/v1/gate-records?gate=aurora-${count}`);
  return (all as { decision: string }[]).map(({ decision }) => decision);
};
const evidence = () => {
  const [name = ''] = readdirSync(join(folder, 'evidence'));
  return join(folder, 'evidence', name);
};

type Between = (
  request: IncomingMessage,
  reply: ServerResponse,
  forwarded: () => Promise<{ readonly status: number; readonly text: string }>,
) => Promise<void>;

/** Stands between the CLI and the daemon, as a network does. */
async function between(handle: Between): Promise<string> {
  const server = createServer((request, reply) => {
    const { method = 'GET', url = '/' } = request;
    const forwarded = async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      const { authorization = '' } = request.headers;
      const headers = { authorization, 'content-type': 'application/json' };
      const init = method === 'GET' ? { headers } : { method, headers, body };
      const answer = await fetch(`${canaryd.url}${url}`, init);
      return { status: answer.status, text: await answer.text() };
    };
    handle(request, reply, forwarded).catch(() => reply.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('canaryd gate --daemon', () => {
  it('takes the signatures from the daemon, and reports NO-GO and GO to it', async () => {
    const without = await decide();
    expect([without.code, without.out]).toEqual([
      1,
      expect.stringContaining('nobody has signed as engineering_lead'),
    ]);
    expect(without.out).toMatch(/Reported: https:\/\/canaryd\.example\/gates\/g_/);
    expect((await sign()).code).toBe(0);
    const { code, out } = await decide();
    expect([code, out]).toEqual([0, expect.stringContaining('GO: aurora 2.1.0 (testnet)')]);
    expect(await decisions()).toEqual(['go', 'no_go']);
  });

  it('reports what it prints as JSON, with the hash of the evidence and the token', async () => {
    await sign();
    const { code, json } = await decide(['--json']);
    const { evidence: kept, daemon, ...record } = json();
    expect([code, daemon]).toEqual([
      0,
      { reported: true, url: `https://canaryd.example/gates/${record.id}` },
    ]);
    expect(await get(`/v1/gate-records/${record.id}`)).toMatchObject({
      ...record,
      evidence_sha256: kept.sha256,
      reported_by: 'pipeline',
      is_newest: true,
      signed_since: [],
    });
  });

  it('keeps in its evidence the signatures of the daemon, with the token they came by', async () => {
    await sign(['--note', 'looked at all']);
    await decide();
    const signed = JSON.parse(readFileSync(join(evidence(), 'sign-offs.json'), 'utf8'));
    expect(signed).toMatchObject([{ name: 'Ada', via: 'oncall', note: 'looked at all' }]);
    expect(readdirSync(join(folder, 'evidence'))).toHaveLength(1);
  });

  it('names a signature for another version as the reason', async () => {
    await sign();
    const { code, out } = await run([gate, '--version', '2.1.1', '--daemon']);
    expect(code).toBe(1);
    expect(out).toContain('Ada has signed version 2.1.0, not this one');
  });

  it('reports nothing that was not decided', async () => {
    const { code } = await decide(['--only', 'variables']);
    expect(code).toBe(3);
    expect((await decide([], { signal: AbortSignal.abort() })).code).not.toBe(0);
    expect(await decisions()).toEqual([]);
  });

  it('does not report a GO whose evidence could not be written', async () => {
    await sign();
    writeFileSync(join(folder, 'evidence'), '');
    const { code, err } = await decide();
    expect([code, err]).toEqual([3, expect.stringContaining('the evidence cannot be written')]);
    expect(err).toContain('not reported: without evidence there is no GO to report');
    expect(await decisions()).toEqual([]);
  });

  it('is 4 when the daemon cannot be reached, and says where it looked', async () => {
    const { code, err, json } = await decide(['--json'], { server: NOWHERE });
    expect(code).toBe(4);
    expect(err).toContain('nothing decided: the sign-offs cannot be read: canaryd at');
    expect(err).toContain(`${NOWHERE} is not reachable`);
    expect(json()).toMatchObject({ decision: null, why: 'sign_offs' });
  });

  it('is 2 when the daemon refuses the token', async () => {
    const { code, err } = await decide([], { env: { CANARYD_TOKEN: 'nobody-knows-it' } });
    expect([code, err]).toEqual([2, expect.stringContaining('the token is not known')]);
    expect(err).toContain('(--token-file, CANARYD_TOKEN)');
  });

  it('is no GO when the daemon does not take it: 3, with the reason', async () => {
    await sign();
    const { code, out, err } = await decide([], { token: 'reader' });
    expect(code).toBe(3);
    expect(out).toContain('GO: aurora 2.1.0 (testnet)');
    expect(err).toContain('the decision is not reported: canaryd at');
    expect(err).toContain('token reader has scope read; this needs start');
    expect(err).toContain('without that nothing is GO');
    const { json } = await decide(['--json'], { token: 'reader' });
    expect(json()).toMatchObject({ decision: 'go', daemon: { reported: false } });
    expect(await decisions()).toEqual([]);
  });

  it('stays NO-GO and 1 when the daemon does not take it, which is told', async () => {
    const { code, err } = await decide([], { token: 'reader' });
    expect([code, err]).toEqual([1, expect.stringContaining('the decision is not reported')]);
  });

  it('is tried again when the answer was lost: one decision, however often it comes', async () => {
    await sign();
    const posts: string[] = [];
    const server = await between(async (request, reply, forwarded) => {
      if (request.method === 'POST') posts.push(request.url ?? '');
      const answer = await forwarded();
      if (posts.length === 1) return void reply.destroy();
      reply.writeHead(answer.status, { 'content-type': 'application/json' });
      reply.end(answer.text);
    });
    const { code, out } = await decide([], { server });
    expect([code, out]).toEqual([0, expect.stringContaining('Reported: ')]);
    expect(posts).toEqual(['/v1/gate-records', '/v1/gate-records']);
    expect(await decisions()).toEqual(['go']);
  });

  it('is 4 and no GO when the daemon goes away before it has the decision', async () => {
    await sign();
    const server = await between(async (request, reply, forwarded) => {
      if (request.method === 'POST') return void reply.destroy();
      const answer = await forwarded();
      reply.writeHead(answer.status, { 'content-type': 'application/json' });
      reply.end(answer.text);
    });
    const { code, err } = await decide([], { server });
    expect([code, err]).toEqual([4, expect.stringContaining('the decision is not reported')]);
    expect(err).toContain('is not reachable');
    expect(await decisions()).toEqual([]);
  });

  it('tells GitHub that a GO does not count when it is not reported', async () => {
    await sign();
    const files = {
      GITHUB_STEP_SUMMARY: join(folder, 'summary.md'),
      GITHUB_OUTPUT: join(folder, 'output'),
    };
    const { err } = await decide([], {
      token: 'reader',
      env: { GITHUB_ACTIONS: 'true', ...files },
    });
    expect(err).toContain('::error title=canaryd gate::GO');
    expect(readFileSync(files.GITHUB_OUTPUT, 'utf8')).toContain('decision=undecided\n');
    expect(readFileSync(files.GITHUB_STEP_SUMMARY, 'utf8')).toContain('does not count');
  });

  it.each([
    [['--sign-offs', 'signed.jsonl', '--daemon'], '--sign-offs: with --daemon'],
    [['--server', 'http://127.0.0.1:1'], '--server: wanted together with --daemon'],
    [['--token-file', 'token'], '--token-file: wanted together with --daemon'],
    [['--daemon', '--server', 'nowhere'], '--server: found "nowhere"'],
  ])('refuses %j with 2', async (more, said) => {
    const { code, err } = await run([gate, '--version', '2.1.0', ...more]);
    expect([code, err]).toEqual([2, expect.stringContaining(said)]);
  });
});

describe('canaryd gate sign --daemon', () => {
  it('signs by the clock of the daemon, with the token, and leaves no file', async () => {
    const { code, json } = await sign(['--json']);
    expect([code, json()]).toMatchObject([
      0,
      { name: 'Ada', service: 'aurora', environment: 'testnet', version: '2.1.0', via: 'oncall' },
    ]);
    expect(readdirSync(folder)).toEqual(['aurora.yaml']);
  });

  it('takes a signature back, and the gate says so', async () => {
    await sign();
    const { code, out } = await sign(['--withdraw', '--note', 'found a bug']);
    expect([code, out]).toEqual([0, expect.stringContaining('taken back: review_done of')]);
    const decided = await decide();
    expect(decided.code).toBe(1);
    expect(decided.out).toContain('Ada has taken the signature back on');
    expect(decided.out).toContain('found a bug');
  });

  it.each([
    ['given', 1, []],
    ['taken back', 2, ['--withdraw']],
  ])('is %s once when the answer was lost', async (_, entries, more) => {
    await Promise.all(more.map(() => sign()));
    let posts = 0;
    const server = await between(async (_request, reply, forwarded) => {
      const answer = await forwarded();
      if (++posts === 1) return void reply.destroy();
      reply.writeHead(answer.status, { 'content-type': 'application/json' });
      reply.end(answer.text);
    });
    const { code, err } = await sign(more, { server });
    expect([code, err, posts]).toEqual([0, '', 2]);
    const { sign_offs: all } = await get(`/v1/sign-offs?gate=aurora-${count}`);
    expect(all).toHaveLength(entries);
  });

  it('says when there is nothing to take back: 3', async () => {
    const { code, err } = await sign(['--withdraw']);
    expect([code, err]).toEqual([3, expect.stringContaining('signed have: nobody')]);
  });

  it('is 4 without a daemon, and 3 without the right', async () => {
    const away = await sign([], { server: NOWHERE });
    expect([away.code, away.err]).toEqual([4, expect.stringContaining('is not reachable')]);
    const { code, err } = await sign([], { token: 'reader' });
    expect([code, err]).toEqual([3, expect.stringContaining('this needs act')]);
  });

  it('overrides a NO-GO together with others, each with the risk', async () => {
    const approve = (role: string, name: string, ...more: readonly string[]) =>
      run(
        [
          'override',
          gate,
          '--role',
          role,
          '--name',
          name,
          '--version',
          '2.1.0',
          '--daemon',
          ...more,
        ],
        { token: 'oncall' },
      );
    expect((await approve('cto', 'Grace', '--risk', 'small')).code).toBe(0);
    expect((await decide()).code).toBe(1);
    expect((await approve('senior_engineer', 'Bob', '--risk', 'I agree')).code).toBe(0);
    expect((await decide()).out).toContain('OVERRIDE by Grace (cto), Bob (senior_engineer)');
    expect((await approve('cto', 'Grace', '--withdraw')).code).toBe(0);
    const { code, out } = await decide();
    expect([code, out]).toEqual([1, expect.stringContaining('Grace has taken the signature back')]);
    const bare = await approve('cto', 'Grace');
    expect([bare.code, bare.err]).toEqual([2, expect.stringContaining('--risk: found nothing')]);
  });
});

describe('canaryd gate sign --withdraw in a file', () => {
  const inFile = (...more: readonly string[]) =>
    run([
      ...['sign', gate, 'review_done', '--role', 'engineering_lead', '--name', 'Ada'],
      ...['--version', '2.1.0', ...more],
    ]);

  it('takes a signature back', async () => {
    await inFile();
    expect((await run([gate, '--version', '2.1.0'])).code).toBe(0);
    expect((await inFile('--withdraw')).code).toBe(0);
    const { code, out } = await run([gate, '--version', '2.1.0']);
    expect([code, out]).toEqual([1, expect.stringContaining('Ada has taken the signature back')]);
  });

  it('refuses with 2 when there is none, and names who has signed', async () => {
    await inFile();
    const { code, err } = await inFile('--withdraw', '--name', 'Adda');
    expect([code, err]).toEqual([2, expect.stringContaining('signed have: Ada')]);
  });
});

describe('a daemon that is killed', () => {
  it('knows the decision and the signatures in its next life', async () => {
    await sign();
    await decide();
    await canaryd.kill9();
    const down = await decide();
    expect(down.code).toBe(4);
    await canaryd.start();
    expect(await decisions()).toEqual(['go']);
    expect((await decide()).code).toBe(0);
  });
});

describe('a decision that is larger than the daemon takes', () => {
  const large = (criteria: number) => {
    const record = aGateRecord();
    const [tests] = record.criteria;
    const details = Array.from({ length: 50 }, () => 'd'.repeat(300));
    const checks = (tests?.checks ?? []).map((check) => ({ ...check, details }));
    const all = Array.from({ length: criteria }, (_, index) => ({
      ...record.criteria[1],
      ...tests,
      id: `c${index}`,
      checks,
    }));
    const evidence = { folder: 'evidence', sha256: EVIDENCE_HASH };
    return { ...recordJson({ ...record, criteria: all as typeof record.criteria }), evidence };
  };

  it('loses its details, and nothing else', () => {
    const [small, big] = [large(10), large(300)];
    expect(fitted(small)).toBe(small);
    const fit = fitted(big);
    expect(Buffer.byteLength(JSON.stringify(fit))).toBeLessThan(1_000_000);
    expect(fit.criteria[299]?.checks[0]).toMatchObject({
      text: '88 %',
      details: ['50 lines: see the evidence'],
      exhibits: [{ sha256: 'e'.repeat(64) }],
    });
    expect(gateRecordBody.safeParse(fit).error).toBeUndefined();
  });
});
