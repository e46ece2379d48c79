// `--daemon`: signatures of a gate come from a daemon, and the decision is reported to it. What the
// daemon does not answer or not take is told with its reason; it never turns into GO.
import { z } from 'zod';
import type { GateDeploy, GateRecord, SignOff } from '../core/gate-record.ts';
import { type RecordJson, recordJson, signOffJson } from '../core/gate-record-json.ts';
import type { WrittenEvidence } from '../gate/evidence.ts';
import type { SignOffStore, SignOffsResult } from '../gate/gate.ts';
import { GATE_BODY_BYTES_MAX, signOffOf } from '../http/gate-bodies.ts';
import { SCHEMAS } from '../http/schemas.ts';
import { retry } from '../kit/retry.ts';
import {
  type Ask,
  type Client,
  createClient,
  type Reply,
  readBy,
  serverOf,
  tokenOf,
  unreachableText,
} from './client.ts';
import { EXIT, usage } from './exit.ts';
import type { CliIo } from './output.ts';

export type DaemonOptions = {
  readonly daemon?: boolean;
  readonly server?: string;
  readonly tokenFile?: string;
};

/** Two to four seconds in all: a restart takes less. */
const ATTEMPTS = 4;
const FIRST_WAIT_MS = 250;
/** Of this version; of other versions a few, so that they can be named. */
const SIGN_OFFS_MAX = 1_000;
const OTHERS_MAX = 100;
/** The head of the request, and what the daemon may count otherwise. */
const BODY_BYTES_MAX = GATE_BODY_BYTES_MAX - 1_000;

export type Reported =
  | { readonly kind: 'reported'; readonly id: string; readonly url: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly exitCode: 3 | 4 };

export type GateDaemon = {
  readonly server: string;
  signOffs(deploy: GateDeploy): SignOffStore;
  /** The same decision twice is one: it is tried again when no answer comes. */
  report(record: GateRecord, evidence: WrittenEvidence): Promise<Reported>;
};

/** null: none is asked for. */
export function gateDaemon(
  io: CliIo,
  options: DaemonOptions & { readonly signOffs?: string },
): GateDaemon | null {
  if (options.daemon !== true) {
    const [stray] = Object.entries({
      '--server': options.server,
      '--token-file': options.tokenFile,
    })
      .filter(([, given]) => given !== undefined)
      .map(([name]) => name);
    if (stray !== undefined) throw usage(`${stray}: wanted together with --daemon`);
    return null;
  }
  if (options.signOffs !== undefined) {
    throw usage(
      '--sign-offs: with --daemon the signatures are the daemon’s; leave one of them out',
    );
  }
  const server = serverOf(options.server, io.env);
  const token = tokenOf(options.tokenFile, io.env);
  const client = createClient({ server, token, signal: io.signal });
  return {
    server,
    signOffs: (deploy) => remoteSignOffs(io, client, deploy),
    report: (record, evidence) => report(io, client, record, evidence),
  };
}

/** Never rejects because of an interruption: that is a failure like any other. */
async function asked<T>({ signal }: CliIo, client: Client, ask: Ask<T>): Promise<Reply<T>> {
  try {
    return await retry(() => client.ask(ask), {
      isPassing: ({ kind }) => kind === 'unreachable',
      attempts: ATTEMPTS,
      firstWaitMs: FIRST_WAIT_MS,
      signal,
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    return { kind: 'unreachable', detail: 'interrupted' };
  }
}

function remoteSignOffs(io: CliIo, client: Client, deploy: GateDeploy): SignOffStore {
  const { environment, version } = deploy;
  const listed = (query: Readonly<Record<string, string>>) =>
    asked(io, client, {
      path: `/v1/sign-offs?${new URLSearchParams(query)}`,
      read: readBy(SCHEMAS.SignOffs, ({ sign_offs }) => sign_offs.map(signOffOf)),
    });
  return {
    async list(gate) {
      const own = await listed({ gate, environment, version, limit: String(SIGN_OFFS_MAX) });
      if (own.kind !== 'ok') return failed(client, own);
      const all = await listed({ gate, limit: String(OTHERS_MAX) });
      if (all.kind !== 'ok') return failed(client, all);
      const isOther = (one: SignOff) => one.environment !== environment || one.version !== version;
      // Those of this version in the order in which the daemon took them.
      return { kind: 'sign_offs', signOffs: [...all.value.filter(isOther), ...own.value] };
    },
    async add(signOff) {
      const { at: _, via: __, note, ...entry } = signOffJson(signOff);
      const reply = await asked(io, client, {
        method: 'POST',
        path: '/v1/sign-offs',
        body: { ...entry, ...(note === null ? {} : { note }) },
        read: readBy(SCHEMAS.SignOff, signOffOf),
      });
      return reply.kind === 'ok' ? { kind: 'added', signOff: reply.value } : failed(client, reply);
    },
  };
}

type NoAnswer = Exclude<Reply<unknown>, { kind: 'ok' }>;

function failed(client: Client, reply: NoAnswer): Extract<SignOffsResult, { kind: 'failed' }> {
  const { reason, exitCode } = failure(client, reply);
  return { kind: 'failed', reason, ...(exitCode === 4 ? { isUnreachable: true } : {}) };
}

function failure({ server }: Client, reply: NoAnswer): Extract<Reported, { kind: 'failed' }> {
  if (reply.kind === 'refused' && reply.problem !== 'internal') {
    const isToken = reply.problem === 'unauthorized' || reply.problem === 'forbidden';
    const hint = isToken ? ' (--token-file, CANARYD_TOKEN)' : '';
    const reason = `canaryd at ${server} refuses: ${reply.detail}${hint}`;
    return { kind: 'failed', reason, exitCode: EXIT.inconclusive };
  }
  const reason = unreachableText(server, reply.detail);
  return { kind: 'failed', reason, exitCode: EXIT.unreachable };
}

const KEPT = z.object({ id: z.string(), url: z.string().nullable() });

async function report(
  io: CliIo,
  client: Client,
  record: GateRecord,
  evidence: WrittenEvidence,
): Promise<Reported> {
  if (evidence.kind === 'failed' && record.decision === 'go') {
    const reason = 'without evidence there is no GO to report';
    return { kind: 'failed', reason, exitCode: EXIT.inconclusive };
  }
  const body = fitted({ ...recordJson(record), evidence: evidenceJson(evidence) });
  const reply = await asked(io, client, {
    method: 'POST',
    path: '/v1/gate-records',
    body,
    read: readBy(KEPT, (kept) => kept),
  });
  if (reply.kind !== 'ok') return failure(client, reply);
  const { id, url } = reply.value;
  return { kind: 'reported', id, url: url ?? `${client.server}/gates/${id}` };
}

export function evidenceJson(evidence: WrittenEvidence) {
  return evidence.kind === 'written'
    ? { folder: evidence.folder, sha256: evidence.hash }
    : { folder: null, reason: evidence.reason };
}

type CheckJson = RecordJson['criteria'][number]['checks'][number];

/** What the daemon takes; what is left out is in the evidence, whose hash it has. */
export function fitted<Body extends RecordJson>(body: Body): Body {
  const isFit = (one: Body) => Buffer.byteLength(JSON.stringify(one)) <= BODY_BYTES_MAX;
  const changed = (change: (check: CheckJson) => CheckJson): Body => ({
    ...body,
    criteria: body.criteria.map((one) => ({ ...one, checks: one.checks.map(change) })),
  });
  if (isFit(body)) return body;
  const left = ({ details }: CheckJson) =>
    details.length === 0 ? [] : [`${details.length} lines: see the evidence`];
  const short = changed((check) => ({ ...check, details: left(check) }));
  if (isFit(short)) return short;
  return changed((check) => ({ ...check, details: left(check), exhibits: [] }));
}
