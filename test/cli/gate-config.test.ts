// What `canaryd gate -c` and `canaryd backtest -c` need of a config: the source that is named.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { cli } from '../support/cli.ts';

const GATE = `
title: Release
service: aurora
criteria:
  green:
    - id: rules
      title: Alerting rules
      checks: [{ prometheus_rules: { source: metrics, at_least: 1 } }]
decision: { yellow_unmitigated_max: 0 }
`;
const CONFIG = `
journal: { sqlite: { path: canaryd.db } }
policies: [nowhere/*.yaml]
sources:
  metrics: { prometheus: { url: "http://127.0.0.1:1" } }
  other: { prometheus: { url: "http://127.0.0.1:1", bearer_token: $OTHER_TOKEN } }
channels:
  ops: { slack: { webhook: $SLACK_WEBHOOK_URL } }
tokens: [{ name: ci, token: $CI_TOKEN, scopes: [start] }]
`;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'canaryd-gate-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

async function gate(config: string, text = GATE) {
  writeFileSync(join(folder, 'release.yaml'), text);
  writeFileSync(join(folder, 'canaryd.yaml'), config);
  const one = cli({ server: 'http://127.0.0.1:1', clock: systemClock });
  const code = await one.run(
    ...['gate', join(folder, 'release.yaml'), '--version', '2.1.0'],
    ...['-c', join(folder, 'canaryd.yaml'), '--evidence', join(folder, 'evidence')],
  );
  return { code, out: one.out(), err: one.err() };
}

describe('canaryd gate -c', () => {
  it('needs no secret of channels, tokens or other sources, and no policy', async () => {
    const { code, out, err } = await gate(CONFIG);
    expect([code, err]).toEqual([1, '']);
    expect(out).toContain('green rules is unknown: 127.0.0.1:1: ');
  });

  it('names the secret that the source needs', async () => {
    const { code, err } = await gate(CONFIG, GATE.replace('metrics', 'other'));
    expect(code).toBe(2);
    expect(err).toContain('sources.other.prometheus.bearer_token');
    expect(err).toContain('OTHER_TOKEN');
    expect(err).not.toContain('SLACK');
  });

  it('names the sources that there are', async () => {
    const { code, err } = await gate(CONFIG, GATE.replace('metrics', 'metric'));
    expect(code).toBe(2);
    expect(err).toMatch(/metrics/);
  });

  it('says what is wrong with a source that is written wrong', async () => {
    const { code, err } = await gate(CONFIG.replace('http://127.0.0.1:1" } }', 'nowhere" } }'));
    expect(code).toBe(2);
    expect(err).toContain('sources.metrics.prometheus.url');
  });
});
