// A disk that is really full, for the process: the size of its files is limited from outside.
// On-call hears of it although nothing can be written, and when there is room again.
import { spawnSync } from 'node:child_process';
import { describe, it } from 'vitest';
import { startCanaryd } from '../support/daemon.ts';
import { startFakeSlack } from '../support/fake-slack.ts';
import { startReceiver } from '../support/receiver.ts';

const POLICY = `
service: shop
source: direct
interval: 1s
indicators:
  queue: { title: Queue, gauge: { metric: queue_length, aggregate: sum } }
windows:
  - name: immediate
    until: 1h
    stop:
      queue: { above: 100 }
`;
const hasPrlimit = spawnSync('prlimit', ['--version'], { stdio: 'ignore' }).status === 0;

function limitFiles(pid: number, limit: string): void {
  const { status, stderr } = spawnSync('prlimit', [
    '--pid',
    String(pid),
    `--fsize=${limit}:unlimited`,
  ]);
  if (status !== 0) throw new Error(`prlimit failed: ${stderr.toString()}`);
}

describe.skipIf(!hasPrlimit)('canaryd on a full disk (needs prlimit of util-linux)', () => {
  it('tells on-call directly, is alive but not ready, pings no monitor, and recovers', {
    timeout: 120_000,
  }, async ({ expect, onTestFinished }) => {
    const slack = await startFakeSlack();
    const monitor = await startReceiver();
    onTestFinished(() => Promise.all([slack.close(), monitor.close()]).then(() => undefined));
    const canaryd = await startCanaryd({
      config: {
        sources: { direct: { scrape: { targets: ['http://127.0.0.1:9/metrics'] } } },
        slack: { webhook: '$SLACK' },
        dead_man: { url: '$DEAD_MAN_URL', every: '10s' },
      },
      policies: { shop: POLICY },
      env: { SLACK: slack.url, DEAD_MAN_URL: `${monitor.url}/ping` },
    });
    onTestFinished(() => canaryd.dispose());
    const probe = async (path: string) => {
      const answer = await fetch(`${canaryd.url}${path}?verbose`);
      return { status: answer.status, text: await answer.text() };
    };
    await canaryd.post('/v1/watches', { service: 'shop', version: '2', mode: 'observe' });
    await expect.poll(() => monitor.requests.length, { timeout: 20_000 }).toBeGreaterThan(0);
    limitFiles(canaryd.pid, '1');
    const told = () => slack.messages.map((message) => JSON.stringify(message));
    await expect
      .poll(() => told().filter((text) => text.includes('cannot write its journal')), {
        timeout: 60_000,
      })
      .toHaveLength(1);
    expect(await probe('/livez')).toMatchObject({ status: 200 });
    expect(await probe('/readyz')).toMatchObject({ status: 503 });
    expect(canaryd.log()).toContain('withheld: the journal takes no writes');
    limitFiles(canaryd.pid, 'unlimited');
    await expect
      .poll(() => told().filter((text) => text.includes('writes its journal again')), {
        timeout: 30_000,
      })
      .toHaveLength(1);
    await expect.poll(async () => (await probe('/readyz')).status, { timeout: 10_000 }).toBe(200);
    const pings = monitor.requests.length;
    await expect.poll(() => monitor.requests.length, { timeout: 20_000 }).toBeGreaterThan(pings);
  });
});
