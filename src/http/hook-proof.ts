// Who sent a hook: a signature over its bytes, a shared token, or a bearer token of the API. What
// was wrong goes to the log; the sender only learns that it was not enough.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { HookKind } from '../hooks/hook.ts';
import { isSignedBy, signingKeys } from '../kit/signature.ts';
import { authorize, type Token, tokenMatcher } from './auth.ts';
import type { HookSetup } from './hook-setup.ts';

/** A signature older or newer than this may have been kept and sent again. */
const TIMESTAMP_WITHIN_MS = 5 * 60_000;

export type HookRequest = {
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
};

export type Proof =
  /** Name of a token; null: nothing was asked for. */
  | { readonly kind: 'sender'; readonly name: string | null }
  /** For the log only. */
  | { readonly kind: 'refused'; readonly why: string };

type Check = string | null;

/** Throws what a bearer token lacks, where one is wanted. */
export function proofOf(
  kind: HookKind,
  request: HookRequest,
  options: {
    readonly setup: HookSetup;
    readonly tokens: readonly Token[];
    readonly nowMs: number;
  },
): Proof {
  const { setup, tokens, nowMs } = options;
  const secret = setup.secret?.() ?? null;
  const signedBy: Proof = { kind: 'sender', name: `${kind} hook` };
  const settle = (why: Check): Proof => (why === null ? signedBy : { kind: 'refused', why });
  if (kind === 'github' || kind === 'gitlab') {
    if (secret === null) return settle('no secret is configured');
    return settle(
      kind === 'github' ? githubProblem(secret, request) : gitlabProblem(secret, request, nowMs),
    );
  }
  const isSigned = request.headers['webhook-signature'] !== undefined;
  // Without tokens everybody on loopback may ask; a configured secret is asked for all the same.
  if (secret !== null && (isSigned || tokens.length === 0)) {
    return settle(standardProblem(secret, request, nowMs));
  }
  return { kind: 'sender', name: authorize(tokens, request.headers['authorization'], 'start') };
}

function githubProblem(secret: string, { headers, body }: HookRequest): Check {
  const header = headers['x-hub-signature-256'];
  if (header === undefined) return 'no x-hub-signature-256; set the secret at GitHub';
  const given = Buffer.from(/^sha256=([0-9a-f]{64})$/i.exec(header)?.[1] ?? '', 'hex');
  const matching = partsOf(secret).filter((key) => {
    const wanted = createHmac('sha256', key).update(body).digest();
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
  return matching.length > 0 ? null : 'x-hub-signature-256 was made with another secret';
}

function gitlabProblem(secret: string, request: HookRequest, nowMs: number): Check {
  const { headers } = request;
  const token = headers['x-gitlab-token'];
  const hasToken = token !== undefined && partsOf(secret).filter(matches(token)).length > 0;
  if (hasToken) return null;
  if (headers['webhook-signature'] !== undefined) return standardProblem(secret, request, nowMs);
  return token === undefined
    ? 'no x-gitlab-token; set the secret token at GitLab'
    : 'x-gitlab-token is another secret';
}

const matches = (given: string) => (secret: string) => tokenMatcher(secret)(given);

/** Several while one replaces another, separated by white space. */
function partsOf(secret: string): readonly string[] {
  return secret.split(/\s+/).filter((part) => part !== '');
}

function standardProblem(secret: string, { headers, body }: HookRequest, nowMs: number): Check {
  const { 'webhook-id': id, 'webhook-signature': signature } = headers;
  const timestamp = headers['webhook-timestamp'];
  if (id === undefined || signature === undefined || timestamp === undefined) {
    return 'not all of webhook-id, webhook-timestamp and webhook-signature are there';
  }
  if (!/^\d{1,12}$/.test(timestamp)) return 'webhook-timestamp is no time in seconds';
  const timestampSeconds = Number(timestamp);
  const keys = signingKeys(secret);
  if (keys === null) return 'the configured secret cannot sign';
  if (!isSignedBy(keys, { id, timestampSeconds, body }, signature)) {
    return 'webhook-signature was made with another secret';
  }
  // Said only of what is truly signed: then it is a clock, or a delivery sent again.
  const isFresh = Math.abs(nowMs - timestampSeconds * 1_000) <= TIMESTAMP_WITHIN_MS;
  return isFresh ? null : 'webhook-timestamp is more than 5 minutes away; check the clocks';
}
