// Runs docs/author.md from its first command to its last, as a new author would: with the policy it
// names, a Prometheus that holds the deploys it lists, and a service that answers.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { listen } from '../../src/demo/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { cli } from '../support/cli.ts';
import { pastApi } from '../support/past-api.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';
import { fencesOf, read, root } from './markdown.ts';

const fences = fencesOf('docs/author.md');
/** Each command, with what the document shows of its output. */
const commands = fences.flatMap(({ language, text }, index) => {
  if (language !== 'sh') return [];
  const lines = text.trim().split('\n');
  const next = fences[index + 1];
  const shown = next?.language === 'text' ? next.text.trim().split('\n') : [];
  return lines.map((command, at) => ({
    command,
    shown: at === lines.length - 1 ? shown : [],
  }));
});
const deploys = fences.find(({ text }) => text.startsWith('# deploys.yaml'))?.text ?? '';
const EXAMPLE = 'config/policies/examples/http-api';

/** What was wrong with the deploys that are labelled bad. */
const FAULTS = [null, 'errors', 'latency', null] as const;
const HOUR = 3_600_000;
const listed = parse(deploys) as readonly { version: string; deployed_at: string }[];
const versions = listed.map((one, index) => ({
  version: one.version,
  atMs: Date.parse(one.deployed_at),
  fault: FAULTS[index] ?? null,
}));
const firstMs = versions[0]?.atMs ?? 0;
const endMs = firstMs + listed.length * HOUR;
const before = { version: '1.0.0', atMs: firstMs - HOUR, fault: null };
const needs = '(needs the `prometheus` and `promtool` binaries)';
const LONG_MS = 120_000;

describe('docs/author.md', () => {
  it('has every step: check, check at the source, test, simulate, backtest', () => {
    const verbs = commands.map(({ command }) => command.split(' ').slice(0, 2).join(' '));
    expect(new Set(verbs)).toEqual(
      new Set(['check', 'test', 'simulate', 'backtest'].map((verb) => `canaryd ${verb}`)),
    );
    expect(commands.filter(({ shown }) => shown.length > 0)).toHaveLength(5);
  });

  it('shows a part of the policy as it is', () => {
    const shown = fences.find(({ text }) => text.includes('match: { job: checkout }'))?.text ?? '';
    expect(read(`${EXAMPLE}.yaml`)).toContain(shown);
  });

  it('is about a policy that canaryd does not load by itself', () => {
    const { policies } = loadConfig(join(root, 'config/canaryd.yaml'), { env: {} });
    expect(policies.map(({ name }) => name)).toEqual(['aurora']);
  });
});

describe.skipIf(!hasPrometheus())(`the steps of docs/author.md ${needs}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-author-'));
  let prometheus: PrometheusServer;
  let service: { readonly url: string; close(): Promise<void> };
  beforeAll(async () => {
    prometheus = await startPrometheus({ history: pastApi([before, ...versions], endMs) });
    const answers = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"version":"1.4.0"}');
    });
    service = await listen(answers, 0, '127.0.0.1');
    const policy = readFileSync(join(root, `${EXAMPLE}.yaml`), 'utf8');
    const asked = policy.replaceAll('http://127.0.0.1:8080', service.url);
    writeFileSync(join(folder, 'http-api.yaml'), asked);
    copyFileSync(join(root, `${EXAMPLE}.test.yaml`), join(folder, 'http-api.test.yaml'));
    writeFileSync(join(folder, 'deploys.yaml'), deploys);
  }, LONG_MS);
  afterAll(async () => {
    await prometheus.stop();
    await service.close();
    rmSync(folder, { recursive: true });
  });

  /** The command as it is written, in places of this test. */
  async function run(command: string) {
    const words = command
      .replace(/^canaryd /, '')
      .replaceAll(EXAMPLE, join(folder, 'http-api'))
      .replace('http://127.0.0.1:9090', prometheus.url)
      .replace(/(deploys\.yaml|report\.html)/g, `${folder}/$1`)
      .split(' ');
    // The history ends in the past.
    const clock = { ...systemClock, now: () => endMs };
    const isOfPast = /prometheus/.test(command);
    const shell = cli({ server: 'http://127.0.0.1:1', clock: isOfPast ? clock : systemClock });
    const code = await shell.run(...words);
    return { code, said: shell.out(), complaints: shell.err() };
  }

  it.each(commands)(
    '$command',
    async ({ command, shown }) => {
      const { code, said, complaints } = await run(command);
      expect({ code, complaints }).toEqual({ code: 0, complaints: '' });
      expect(notIn(said, shown)).toEqual([]);
    },
    LONG_MS,
  );
});

/** Lines that are not said in this order. The document may leave out lines, and ends of lines. */
function notIn(said: string, shown: readonly string[]): readonly string[] {
  const lines = said.split('\n').map(spaced);
  let from = 0;
  return shown.filter((line) => {
    const at = lines.findIndex((own, index) => index >= from && own.startsWith(spaced(line)));
    if (at === -1) return true;
    from = at + 1;
    return false;
  });
}

const spaced = (line: string) => line.trim().replaceAll(/\s+/g, ' ');
