// A trail on disk, canaryd as a process of its own, killed in between: one rollback by what the trail
// says, with no metric of it anywhere.
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Canaryd, startCanaryd } from '../support/daemon.ts';
import { startReceiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';

const SECRET = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;

/** In YAML, as an operator writes it. */
const policy = (folder: string, rollbackUrl: string) => `
service: aurora
source: direct
interval: 1s
indicators:
  trail:
    title: XAI events without a trace
    audit_log:
      report: ${folder}/session_*/aurora_events.jsonl
      bad: untraced
      trace: { id: trace_id, of: [ORDER] }
      time: ts
    over: 5m
    min_total: 20
windows:
  - name: immediate
    until: 15m
    stop: { trail: { above: 1% } }
on_stop:
  - rollback: { webhook: { url: "${rollbackUrl}", secret: $ROLLBACK_SECRET } }
`;

function trailIn(folder: string) {
  const session = join(folder, 'session_7');
  mkdirSync(session);
  const path = join(session, 'aurora_events.jsonl');
  const write = (trace: string | null, count: number) => {
    const event = { ts: new Date().toISOString(), event_type: 'ORDER', trace_id: trace };
    appendFileSync(path, `${JSON.stringify(event)}\n`.repeat(count));
  };
  return { path, write };
}

/** The condition reads so. */
function shows(canaryd: Canaryd, id: string, words: string): Promise<void> {
  return until(async () => {
    const { conditions } = await canaryd.watch(id);
    expect(conditions.map(({ text }) => text).join()).toContain(words);
  });
}

it('is stopped by its trail, through a rotation and a kill -9, exactly once', async () => {
  const receiver = await startReceiver({ secret: SECRET });
  onTestFinished(() => receiver.close());
  const logs = mkdtempSync(join(tmpdir(), 'canaryd-trail-'));
  onTestFinished(() => rmSync(logs, { recursive: true, force: true }));
  const trail = trailIn(logs);
  const canaryd = await startCanaryd({
    config: { sources: { direct: { scrape: { targets: ['http://127.0.0.1:9/metrics'] } } } },
    policies: { aurora: policy(logs, `${receiver.url}/rollback`) },
    env: { ROLLBACK_SECRET: SECRET },
  });
  onTestFinished(() => canaryd.dispose());
  trail.write(null, 500);
  const { body } = await canaryd.post('/v1/watches', {
    ...{ service: 'aurora', version: '2.0.0', environment: 'testnet' },
    deployed_at: new Date(Date.now() + 1).toISOString(),
  });
  const id = String(body['id']);
  await shows(canaryd, id, 'before the deploy');
  trail.write('a', 100);
  await shows(canaryd, id, '0 of 100 in');
  renameSync(trail.path, `${trail.path}.1`);
  trail.write('b', 50);
  await shows(canaryd, id, '0 of 150 in');
  await canaryd.kill9();
  trail.write(null, 10);
  await canaryd.start();
  await until(async () => expect((await canaryd.watch(id)).phase).toBe('stopped'));
  await until(() => expect(receiver.keys('/rollback')).toHaveLength(1));
  expect(receiver.requests.every(({ valid }) => valid)).toBe(true);
  // 10 of 60: a new process sees what is in the file now, and not what was rotated away before.
  expect(JSON.stringify(receiver.requests.map(({ json }) => json))).toContain('0.1666');
  expect(canaryd.log()).not.toContain('trace_id');
});
