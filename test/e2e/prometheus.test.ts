// What a real Prometheus shows in the moments that decide trust: nothing, too little, too much,
// figures that were red before, and no answer at all. None of them may become a wrong verdict.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Aurora, startAurora } from '../../src/demo/aurora.ts';
import {
  type AuroraPolicy,
  aStart,
  auroraPolicy,
  type Canaryd,
  startCanaryd,
} from '../support/daemon.ts';
import { type FakeSlack, startFakeSlack } from '../support/fake-slack.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { until, untilScraped } from '../support/until.ts';

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const needs = '(needs the `prometheus` binary)';

/** One service with a policy of its own: the shipped one with these changes. */
type Case = { readonly service: string; readonly set: NonNullable<AuroraPolicy['set']> };

const CASES: readonly Case[] = [
  { service: 'quiet', set: [] },
  { service: 'failing', set: [] },
  { service: 'red-before', set: [] },
  {
    service: 'misspelt',
    set: [[['indicators', 'fill_rate', 'ratio', 'total'], 'aurora_orders_submited_total']],
  },
  {
    service: 'two-series',
    set: [
      [['indicators', 'line_coverage', 'gauge', 'metric'], 'aurora_test_coverage'],
      [['indicators', 'line_coverage', 'gauge', 'aggregate'], 'one'],
    ],
  },
  {
    service: 'bad-promql',
    set: [
      [['indicators', 'open_positions'], { promql: 'sum(aurora_open_positions{' }],
      [['indicators', 'memory'], { promql: 'max(process_resident_memory_bytes)' }],
    ],
  },
];

// One Slack webhook takes a message a second: the last of six services is told late.
describe.skipIf(!hasPrometheus())(
  `a watch over a real Prometheus ${needs}`,
  { timeout: 90_000 },
  () => {
    const auroras = new Map<string, Aurora>();
    const ids = new Map<string, string>();
    let prometheus: PrometheusServer;
    let slack: FakeSlack;
    let receiver: Receiver;
    let canaryd: Canaryd;

    const auroraOf = (service: string) => auroras.get(service) as Aurora;
    const watchOf = (service: string) => canaryd.watch(ids.get(service) as string);
    // Several watches may be told of in one message; it names each of them.
    const told = (service: string, words: string) =>
      slack.messages.filter(({ text }) => text.includes(service) && text.includes(words));
    const requestsFor = (service: string) =>
      receiver.requests.filter(({ path }) => path.startsWith(`/${service}/`));
    async function conditionOf(service: string, condition: string) {
      const { conditions } = await watchOf(service);
      return conditions.find((one) => one.condition === condition);
    }

    beforeAll(async () => {
      slack = await startFakeSlack();
      receiver = await startReceiver({ secret: SECRET });
      for (const { service } of CASES) {
        auroras.set(service, await startAurora({ version: '2.0.0', seed: 11 }));
      }
      const targets = [...auroras.values()].map(({ url }) => new URL(url).host);
      prometheus = await startPrometheus({ targets, scrapeInterval: '1s' });
      const policies = CASES.map(({ service, set }) => {
        const { url } = auroraOf(service);
        const text = auroraPolicy({
          service,
          auroraUrl: url,
          disarmUrl: `${receiver.url}/${service}/disarm`,
          rollbackUrl: `${receiver.url}/${service}/rollback`,
          set: [
            [['match'], { instance: new URL(url).host }],
            [['indicators', 'xai_trace_missing', 'min_total'], 20],
            ...set,
          ],
        });
        return [service, text] as const;
      });
      canaryd = await startCanaryd({
        config: {
          sources: { aurora: { prometheus: { url: prometheus.url } } },
          slack: { webhook: '$SLACK' },
        },
        policies: Object.fromEntries(policies),
        env: { SLACK: slack.url, AURORA_DISARM_SECRET: SECRET, AURORA_ROLLBACK_SECRET: SECRET },
      });
      auroraOf('red-before').fault('loss');
      await untilScraped(prometheus.url, targets.length);
      await until(async () => {
        // Old trouble is what was there a while before the deploy, too.
        const long = 'max_over_time(aurora_realized_pnl_usd[13s]) < -600';
        const query = encodeURIComponent(
          `${long} and count_over_time(aurora_realized_pnl_usd[13s]) > 11`,
        );
        const answer = await fetch(`${prometheus.url}/api/v1/query?query=${query}`);
        expect(await answer.text()).toContain('"value"');
      });
      for (const [service, aurora] of auroras) {
        aurora.deploy('2.1.0');
        if (service === 'quiet') aurora.fault('no_traffic');
        if (service === 'failing') aurora.fault('all_orders_fail');
        if (service === 'red-before') aurora.fault('loss');
        const { body } = await canaryd.post('/v1/watches', aStart(service));
        ids.set(service, body['id'] as string);
      }
    }, 90_000);

    afterAll(async () => {
      await canaryd?.dispose();
      await prometheus?.stop();
      await slack?.close();
      await receiver?.close();
      for (const aurora of auroras.values()) await aurora.close();
    });

    it('stops when every order fails from the first second: that is 0 %, not "no data"', async () => {
      await until(async () => expect((await watchOf('failing')).phase).toBe('stopped'));
      expect((await watchOf('failing')).reason).toMatch(/Order fill rate 0 % \(0 of \d+/);
      await until(() =>
        expect(requestsFor('failing').map(({ path }) => path)).toEqual([
          '/failing/disarm',
          '/failing/rollback',
        ]),
      );
    });

    it('says "too few" without traffic, and neither stops nor passes', async () => {
      await until(async () => {
        const condition = await conditionOf('quiet', 'immediate.stop.fill_rate');
        expect(condition).toMatchObject({ state: 'blind', blind_reason: 'too_few' });
      });
      await until(() => expect(told('quiet', 'too_few')).not.toEqual([]), 60_000);
      expect((await watchOf('quiet')).phase).toBe('watching');
      expect(requestsFor('quiet')).toEqual([]);
    });

    it('names a condition that never armed because its metric is misspelt', async () => {
      await until(() => expect(told('misspelt', 'NOT ARMED')).toHaveLength(1), 60_000);
      const [message] = told('misspelt', 'NOT ARMED');
      expect(message?.text).toContain('12 of 13');
      expect(message?.text).toMatch(/Order fill rate .*no_series.*aurora_orders_submited_total/);
      expect((await watchOf('misspelt')).phase).toBe('watching');
      expect(requestsFor('misspelt')).toEqual([]);
    });

    it('is blind with "many series" where one is meant, never takes the first', async () => {
      await until(async () => {
        const condition = await conditionOf('two-series', 'always.stop.line_coverage');
        expect(condition).toMatchObject({ state: 'blind', blind_reason: 'many_series' });
      });
      await until(() => expect(told('two-series', 'many_series')).not.toEqual([]));
      expect(requestsFor('two-series')).toEqual([]);
    });

    it('rejects one bad expression and judges all others', async () => {
      await until(async () => {
        const bad = await conditionOf('bad-promql', 'immediate.stop.open_positions');
        expect(bad).toMatchObject({ state: 'blind', blind_reason: 'rejected' });
        const good = await conditionOf('bad-promql', 'immediate.stop.fill_rate');
        expect(good).toMatchObject({ state: 'inactive' });
      });
      expect((await watchOf('bad-promql')).armed).toEqual({ seen: 12, total: 13 });
    });

    it('tells of what was red before the deploy, and does not roll this deploy back for it', async () => {
      await until(() =>
        expect(told('red-before', 'Already bad before the deploy')).toHaveLength(1),
      );
      expect(await conditionOf('red-before', 'immediate.stop.realized_loss')).toMatchObject({
        state: 'firing',
        pre_existing: true,
      });
      expect((await watchOf('red-before')).phase).toBe('watching');
      expect(requestsFor('red-before')).toEqual([]);
    });

    it('is blind while Prometheus is away, says why, and goes on afterwards', async () => {
      const before = requestsFor('quiet').length + requestsFor('two-series').length;
      await prometheus.halt();
      await until(() => expect(told('bad-promql', 'unreachable')).not.toEqual([]));
      expect(await conditionOf('bad-promql', 'immediate.stop.fill_rate')).toMatchObject({
        state: 'blind',
        blind_reason: 'unreachable',
      });
      // Health is asked directly: it is still judged.
      expect(await conditionOf('bad-promql', 'immediate.stop.health')).toMatchObject({
        state: 'inactive',
      });
      await prometheus.restart();
      await until(async () => {
        const back = await conditionOf('bad-promql', 'immediate.stop.fill_rate');
        expect(back).toMatchObject({ state: 'inactive' });
      });
      await until(() => expect(told('bad-promql', 'Seen again')).not.toEqual([]), 60_000);
      for (const service of ['quiet', 'two-series', 'misspelt', 'red-before', 'bad-promql']) {
        expect((await watchOf(service)).phase).toBe('watching');
      }
      expect(requestsFor('quiet').length + requestsFor('two-series').length).toBe(before);
    });
  },
);
