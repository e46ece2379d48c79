// Texts made to be slow, and everything of ours that reads foreign text, with the most that its limit
// lets in.
import { fixedRangeMs } from '../../src/config/promql.ts';
import { parseSelector } from '../../src/config/selector.ts';
import { readPolicy } from '../../src/config/to-policy.ts';
import { parseYaml } from '../../src/config/yaml-file.ts';
import { parseDuration, parseQuantity } from '../../src/core/quantity.ts';
import { readCdevents } from '../../src/hooks/cdevents.ts';
import { readGithub } from '../../src/hooks/github.ts';
import { readGitlab } from '../../src/hooks/gitlab.ts';
import { authorize, idempotencyKeyOf, isLoopbackHost } from '../../src/http/auth.ts';
import { extendBody, humanBody, startBody } from '../../src/http/requests.ts';
import { retryAfterMs } from '../../src/kit/http.ts';
import { printable, redact } from '../../src/kit/redact.ts';
import { isSignedBy } from '../../src/kit/signature.ts';
import { parseResult } from '../../src/source/prometheus-result.ts';
import { ANY, CDEVENT, changed, GITHUB, GITLAB } from '../hooks/payloads.ts';

const HEADER = 16_384;
const BODY = 65_536;
const HOOK = 262_144;
const FILE = 1_000_000;

/** Beginnings that a pattern follows for long, and ends at which it fails. */
const SHAPES = [
  ...['a', ' ', '0', '9.', '1s', '\\a', '"', '\\"', '${', '${a', '[1m', '((', '\u001b]', '\u001b['],
  ...['/', 'a:', '/0123456789abcdef', '1.2.3-', '%', '@', '-', '.', '\r', '\n', '\t ', '\ud800'],
  ...['{a="b",', 'by(', "'", '`', '#', 'http://', 'Bearer ', '127.', ':1', 'é', '\u{1f600}'],
] as const;
const STARTS = ['', '"', '1', 'v1.2.3-', 'up{a="', 'pkg:a@', 'http://', '2026-03-01T12:00:00.'];

export function texts(length: number): readonly string[] {
  return STARTS.flatMap((start) =>
    SHAPES.map((shape) => `${start}${shape.repeat(Math.floor(length / shape.length))}!`),
  );
}

/** Readers of foreign text, with the most that they are given. */
export const READERS: readonly (readonly [string, number, (text: string) => unknown])[] = [
  ['a selector', FILE, parseSelector],
  ['a duration', FILE, parseDuration],
  ['a quantity', FILE, parseQuantity],
  ['the ranges of a PromQL text', 5_000, fixedRangeMs],
  ['a policy', FILE / 10, (text) => readPolicy(spoiledPolicy(text), 'x').kind],
  ['YAML', FILE / 20, (text) => parseYaml(`a: ${text}`).kind],
  ['the body of a start', BODY, (text) => startBody.safeParse(spoiledStart(text)).success],
  ['a command', BODY, (text) => humanBody.safeParse({ reason: text, by: text }).success],
  ['an extension', BODY, (text) => extendBody.safeParse({ by_duration: text }).success],
  ['a token', HEADER, (text) => caught(() => authorize([NOBODY], `Bearer ${text}`, 'act'))],
  ['a key', HEADER, (text) => caught(() => idempotencyKeyOf(text))],
  ['a host', HEADER, isLoopbackHost],
  ['a signature', HEADER, (text) => isSignedBy([Buffer.from('k')], SIGNED, text)],
  ['a time to wait', HEADER, (text) => retryAfterMs({ 'retry-after': text }, 0)],
  ['a text for people', HOOK, (text) => printable(text, { keepLines: true })],
  ['a text with secrets', HOOK, (text) => redact(text, ['secret', 'a'.repeat(50)])],
  ['a GitHub event', HOOK, (text) => readGithub(spoiledGithub(text), ANY).kind],
  ['a GitLab event', HOOK, (text) => readGitlab(spoiledGitlab(text), ANY).kind],
  ['a CDEvent', HOOK, (text) => readCdevents(spoiledCdevent(text), ANY).kind],
  ['a figure', HOOK, (text) => parseResult({ resultType: 'scalar', result: [1, text] })],
];

const NOBODY = { name: 'x', scopes: ['act'], matches: () => false } as const;
const SIGNED = { id: 'x', timestampSeconds: 1, body: Buffer.from('x') };

function caught(run: () => unknown): boolean {
  try {
    run();
    return true;
  } catch {
    return false;
  }
}

function spoiledPolicy(text: string): unknown {
  const window = {
    name: text,
    until: text,
    stop: { [text.slice(0, 99)]: { above: text, of: text } },
  };
  return {
    ...{ service: text, source: text, interval: text, match: { a: text }, runbook: text },
    parameters: { a: { type: text, default: text } },
    indicators: {
      a: { promql: text, unit: text, title: text, over: text },
      b: { gauge: { metric: text, aggregate: text } },
      c: { http: { url: text, timeout: text, headers: { a: text } } },
    },
    windows: [window],
    on_stop: [{ rollback: { webhook: { url: text, secret: text }, timeout: text } }],
  };
}

function spoiledStart(text: string): unknown {
  return { service: text, version: text, deployed_at: text, url: text, parameters: { a: text } };
}

function spoiledGithub(text: string) {
  const over = {
    'deployment.ref': text,
    'deployment.payload': text,
    'deployment.creator.login': text,
    'deployment_status.log_url': text,
    'deployment_status.created_at': text,
    'repository.full_name': text,
  };
  const headers = { 'x-github-event': 'deployment_status', 'x-github-delivery': text };
  return { headers, body: changed(GITHUB, over) };
}

function spoiledGitlab(text: string) {
  const over = {
    ...{ ref: text, commit_url: text, status_changed_at: text, deployable_url: text },
    'user.username': text,
    'project.path_with_namespace': text,
  };
  return { headers: { 'webhook-id': text }, body: changed(GITLAB, over) };
}

function spoiledCdevent(text: string) {
  const over = { 'context.type': `dev.cdevents.service.deployed.0.3.0-${text}` };
  const more = { 'subject.content.artifactId': text, 'subject.id': text, customData: text };
  return { headers: {}, body: changed(CDEVENT, { ...over, ...more }) };
}
