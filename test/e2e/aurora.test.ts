// The main job against a real Prometheus: each stop condition of the Aurora checklist, tripped
// alone, and a healthy deploy beside them. Real processes, real HTTP, the shipped policy.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Aurora, startAurora } from '../../src/demo/aurora.ts';
import type { Fault } from '../../src/demo/faults.ts';
import { type Ops, startOps } from '../../src/demo/ops.ts';
import { aStart, auroraPolicy, type Canaryd, startCanaryd } from '../support/daemon.ts';
import { type FakeSlack, startFakeSlack } from '../support/fake-slack.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';
import { until, untilScraped } from '../support/until.ts';

const CASES: readonly {
  readonly fault: Fault;
  readonly condition: string;
  /** How the figure reads in the message. */
  readonly says: RegExp;
}[] = [
  {
    fault: 'fill_rate',
    condition: 'immediate.stop.fill_rate',
    says: /Order fill rate 7\d(\.\d+)? % \(\d+ of \d+ in \d+s.*\), limit: below 80 %/,
  },
  {
    fault: 'latency',
    condition: 'immediate.stop.submit_latency_p99',
    says: /P99 submit latency [2-5](\.\d+)? s \(\d+ observations.*\), limit: above 2 s/,
  },
  {
    fault: 'loss',
    condition: 'immediate.stop.realized_loss',
    says: /Realized loss \d+(\.\d+)? USD, limit: above 0\.5 % of deploy_capital \(500 USD\)/,
  },
  {
    fault: 'positions',
    condition: 'immediate.stop.open_positions',
    says: /Open positions 15, limit: above 120 % of expected_positions \(12\)/,
  },
  {
    fault: 'xai',
    condition: 'immediate.stop.xai_trace_missing',
    says: /XAI events without a trace \d(\.\d+)? % \(\d+ of \d+ in \d+s.*\), limit: above 1 %/,
  },
  {
    fault: 'health',
    condition: 'immediate.stop.health',
    says: /Health endpoint failing, \d+ checks in a row: HTTP 503/,
  },
];
const HEALTHY = 'aurora-healthy';
const serviceOf = (fault: Fault) => `aurora-${fault.replaceAll('_', '-')}`;

type Place = { readonly aurora: Aurora; readonly ops: Ops };

describe.skipIf(!hasPrometheus())(
  'a deploy of Aurora over a real Prometheus (needs the `prometheus` binary)',
  () => {
    const places = new Map<string, Place>();
    const ids = new Map<string, string>();
    let prometheus: PrometheusServer;
    let slack: FakeSlack;
    let canaryd: Canaryd;

    const placeOf = (service: string) => places.get(service) as Place;
    const idOf = (service: string) => ids.get(service) as string;

    beforeAll(async () => {
      for (const service of [...CASES.map(({ fault }) => serviceOf(fault)), HEALTHY]) {
        const aurora = await startAurora({ version: '2.0.0', seed: 7 });
        places.set(service, { aurora, ops: await startOps({ aurora }) });
      }
      slack = await startFakeSlack();
      const targets = [...places.values()].map(({ aurora }) => new URL(aurora.url).host);
      prometheus = await startPrometheus({ targets, scrapeInterval: '1s' });
      const policies = [...places].map(([service, { aurora, ops }]) => {
        const windows = [
          [['windows', 0, 'until'], '15s'],
          [['windows', 1, 'until'], '18s'],
          [['windows', 2, 'until'], '5m'],
          [['windows', 2, 'for'], '3s'],
        ] as const;
        const text = auroraPolicy({
          service,
          auroraUrl: aurora.url,
          disarmUrl: ops.disarmUrl,
          rollbackUrl: ops.rollbackUrl,
          set: [
            [['match'], { instance: new URL(aurora.url).host }],
            [['indicators', 'xai_trace_missing', 'min_total'], 20],
            [['arm'], { within: '30s' }],
            [['on_stop', 0, 'disarm', 'webhook', 'secret'], `$${secretName(service)}`],
            [['on_stop', 1, 'rollback', 'webhook', 'secret'], `$${secretName(service)}`],
            ...(service === HEALTHY ? windows : []),
          ],
        });
        return [service, text] as const;
      });
      const secrets = [...places].map(([service, { ops }]) => [secretName(service), ops.secret]);
      canaryd = await startCanaryd({
        config: {
          sources: { aurora: { prometheus: { url: prometheus.url } } },
          slack: { webhook: '$SLACK' },
        },
        policies: Object.fromEntries(policies),
        env: { SLACK: slack.url, ...Object.fromEntries(secrets) },
      });
      await untilScraped(prometheus.url, targets.length);
      for (const [service, { aurora }] of places) {
        aurora.deploy('2.1.0');
        const { body } = await canaryd.post('/v1/watches', aStart(service));
        ids.set(service, body['id'] as string);
      }
      for (const [service, { aurora }] of places) {
        await until(async () => {
          const { armed } = await canaryd.watch(idOf(service));
          expect(armed).toEqual({ seen: 13, total: 13 });
        });
        aurora.fault(CASES.find(({ fault }) => serviceOf(fault) === service)?.fault ?? null);
      }
    }, 120_000);

    afterAll(async () => {
      await canaryd?.dispose();
      await prometheus?.stop();
      await slack?.close();
      for (const { aurora, ops } of places.values()) {
        await ops.close();
        await aurora.close();
      }
    });

    it.for(CASES)(
      'stops on $fault, once, and proves the rollback',
      { timeout: 130_000 },
      async ({ fault, condition, says }) => {
        const service = serviceOf(fault);
        const { ops } = placeOf(service);
        await expect
          .poll(async () => (await canaryd.watch(idOf(service))).verification, { timeout: 60_000 })
          .toBe('confirmed');
        const received = ops.actions.map(({ action, webhookId }) => [action, webhookId]);
        expect(received).toEqual([
          ['disarm', `${idOf(service)}-disarm`],
          ['rollback', `${idOf(service)}-rollback`],
        ]);
        expect(ops.refused).toBe(0);
        expect(ops.actions[1]?.body).toMatchObject({
          type: 'canaryd.rollback',
          data: {
            service,
            version: '2.1.0',
            previous_version: '2.0.0',
            conditions: [{ condition }],
          },
        });
        const stopped = () => slack.messages.filter((m) => isStop(m.notification, service));
        await expect.poll(() => stopped().length, { timeout: 60_000 }).toBe(1);
        expect(stopped()[0]?.text).toMatch(says);
      },
    );

    it('passes the healthy deploy beside them, and sends it nothing', async () => {
      await expect
        .poll(async () => (await canaryd.watch(idOf(HEALTHY))).phase, { timeout: 60_000 })
        .toBe('passed');
      expect(placeOf(HEALTHY).ops.actions).toEqual([]);
      expect(await canaryd.journal(idOf(HEALTHY))).toEqual([
        'watch.started',
        'watch.baselined',
        'window.entered',
        'watch.armed',
        'window.entered',
        'window.entered',
        'watch.passed',
      ]);
    }, 70_000);
  },
);

function secretName(service: string): string {
  return `SECRET_${service.replaceAll('-', '_').toUpperCase()}`;
}

function isStop(notification: string, service: string): boolean {
  return notification.includes(`STOPPED ${service} 2.1.0`);
}
