// What the page is shown in: simulated services that can go bad, receivers that roll them back, and
// canaryd as a process of its own with the shipped policy at a test's pace. Needs no test runner.
import { type Aurora, startAurora } from '../../src/demo/aurora.ts';
import { type Ops, startOps } from '../../src/demo/ops.ts';
import { aStart, auroraPolicy, type Canaryd, startCanaryd } from '../support/daemon.ts';

export type Place = { readonly aurora: Aurora; readonly ops: Ops };

export type PageWorld = {
  readonly canaryd: Canaryd;
  place(service: string): Place;
  /** Deploys the new version and starts its watch; the watch's id. */
  deploy(service: string, over?: Readonly<Record<string, unknown>>): Promise<string>;
  close(): Promise<void>;
};

export async function startPageWorld(
  services: readonly string[],
  config: Readonly<Record<string, unknown>> = {},
  token?: string,
): Promise<PageWorld> {
  const places = new Map<string, Place>();
  for (const service of services) {
    const aurora = await startAurora({ version: '2.0.0', seed: 7 });
    places.set(service, { aurora, ops: await startOps({ aurora, secret: SECRET, rearms: true }) });
  }
  const policies = [...places].map(([service, { aurora, ops }]) => {
    const { disarmUrl, rollbackUrl } = ops;
    const set = [
      [['source'], service],
      [['indicators', 'xai_trace_missing', 'min_total'], 20],
      [['on_stop', 2, 'verify', 'within'], '1m'],
    ] as const;
    const urls = { auroraUrl: aurora.url, disarmUrl, rollbackUrl };
    return [service, auroraPolicy({ service, ...urls, set })] as const;
  });
  const sources = [...places].map(([service, { aurora }]) => {
    return [service, { scrape: { targets: [`${aurora.url}/metrics`] } }] as const;
  });
  const canaryd = await startCanaryd({
    config: { sources: Object.fromEntries(sources), ...config },
    policies: Object.fromEntries(policies),
    env: { AURORA_DISARM_SECRET: SECRET, AURORA_ROLLBACK_SECRET: SECRET, PAGE_TOKEN: token ?? '' },
  });
  function place(service: string): Place {
    const found = places.get(service);
    if (found === undefined) throw new Error(`there is no service ${service}`);
    return found;
  }
  return {
    canaryd,
    place,
    async deploy(service, over = {}) {
      place(service).aurora.deploy('2.1.0');
      const proof = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const { status, body } = await canaryd.post('/v1/watches', aStart(service, over), proof);
      if (status !== 201) throw new Error(`${service} did not start: ${JSON.stringify(body)}`);
      return String(body['id']);
    },
    async close() {
      await canaryd.dispose();
      for (const { aurora, ops } of places.values()) {
        await ops.close();
        await aurora.close();
      }
    },
  };
}

const SECRET = 'a-secret-that-signs-in-tests';
