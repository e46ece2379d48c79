// One daemon process and the world it sees: a simulated service with one figure per environment,
// receivers of its actions, a Slack. Needs no test runner. May not look into the journal's store:
// everything is judged from outside.
import { createServer } from 'node:http';
import { setTimeout as elapsed } from 'node:timers/promises';
import { listen } from '../../src/demo/server.ts';
import { type Canaryd, startCanaryd } from '../support/daemon.ts';
import { type FakeSlack, startFakeSlack } from '../support/fake-slack.ts';
import { type ReceivedRequest, type Receiver, startReceiver } from '../support/receiver.ts';

export const SERVICE = 'shop';
export const NEW = '2.1.0';
export const OLD = '2.0.0';
export const DISARM = '/disarm';
export const ROLLBACK = '/rollback';
/** Rounds with a rollback that does not help end this long after it was accepted. */
const VERIFY_WITHIN = '3s';
const SECRET = 'a-secret-that-signs-in-tests';

/** One deploy of the simulated service, as the world sees it. */
export type Site = {
  readonly environment: string;
  isBad: boolean;
  /** An accepted rollback makes it good. */
  heals: boolean;
  /** The receivers answer so much later. */
  slowMs: number;
  /** Called with each step of the deploy as the world sees it. */
  onStep: (step: Step) => void;
};
export type Step =
  | 'bad figure read'
  | 'disarm arrives'
  | 'disarm answered'
  | 'rollback arrives'
  | 'rollback answered';

export type Journaled = {
  /** The `journal` field of canaryd.yaml. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string>>;
};

export type Figures = {
  readonly url: string;
  /** Begins to serve the figure of an environment. */
  add(site: Site): void;
  /** No longer served: the page stays small. */
  drop(environment: string): void;
  site(environment: string): Site | undefined;
  close(): Promise<void>;
};

export type Lane = {
  readonly canaryd: Canaryd;
  readonly figures: Figures;
  readonly receiver: Receiver;
  readonly slack: FakeSlack;
  close(): Promise<void>;
};

/** What the policy's actions are signed with. */
export const SECRETS = { SECRET };

/** @param over fields of the policy in place of the usual ones */
export async function openLane(
  journaled: Journaled,
  over: Readonly<Record<string, unknown>> = {},
): Promise<Lane> {
  const figures = await startFigures();
  const receiver = await startActions(figures);
  const slack = await startFakeSlack();
  const canaryd = await startCanaryd({
    policies: { [SERVICE]: JSON.stringify(crashPolicy(receiver, over)) },
    env: { ...SECRETS, SLACK: slack.url, ...journaled.env },
    config: {
      ...figuresConfig(figures),
      slack: { webhook: '$SLACK' },
      journal: journaled.config,
    },
  });
  return {
    canaryd,
    figures,
    receiver,
    slack,
    async close() {
      await canaryd.dispose();
      await Promise.all([slack.close(), receiver.close(), figures.close()]);
    },
  };
}

export function figuresConfig({ url }: Figures): Readonly<Record<string, unknown>> {
  return { sources: { figures: { scrape: { targets: [`${url}/metrics`], timeout: '2s' } } } };
}

/** One page with the figures of all environments. */
export async function startFigures(): Promise<Figures> {
  const sites = new Map<string, Site>();
  const server = createServer((_request, response) => {
    const lines = [...sites.values()].map(({ environment, isBad }) => {
      return `shop_failures{deployed_to="${environment}"} ${isBad ? 1 : 0}\n`;
    });
    const page = `# TYPE shop_failures gauge\n${lines.join('')}`;
    const bad = [...sites.values()].filter(({ isBad }) => isBad);
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(page, () => {
      for (const site of bad) site.onStep('bad figure read');
    });
  });
  const { url, close } = await listen(server, 0, '127.0.0.1');
  return {
    url,
    add: (site) => sites.set(site.environment, site),
    drop: (environment) => sites.delete(environment),
    site: (environment) => sites.get(environment),
    close,
  };
}

/** The receivers of disarm and rollback, for all environments. */
export function startActions(figures: Figures): Promise<Receiver> {
  return startReceiver({
    secret: SECRET,
    async onRequest(request) {
      const site = figures.site(environmentOf(request));
      if (site === undefined) return;
      const name = request.path === DISARM ? 'disarm' : 'rollback';
      site.onStep(`${name} arrives`);
      // Doing it again does no harm: the key is the same.
      if (name === 'rollback' && request.accepted && site.heals) site.isBad = false;
      if (site.slowMs > 0) await elapsed(site.slowMs);
      // After the answer has left.
      setImmediate(() => site.onStep(`${name} answered`));
    },
  });
}

export function environmentOf({ json }: ReceivedRequest): string {
  const { data } = json as { readonly data: { readonly environment: string } };
  return data.environment;
}

/** A tick a second, one window, and a pass after four good seconds. */
export function crashPolicy(
  { url }: Pick<Receiver, 'url'>,
  over: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  const webhook = (path: string) => ({ url: `${url}${path}`, secret: '$SECRET' });
  return {
    service: SERVICE,
    source: 'figures',
    interval: '1s',
    stale_after: '5s',
    blind: { after: '3s' },
    arm: { within: '10s' },
    match: { deployed_to: '${environment}' },
    indicators: { failures: { title: 'Failures', gauge: { metric: 'shop_failures' } } },
    windows: [
      {
        name: 'immediate',
        until: '2m',
        stop: { failures: { above: 0 } },
        pass: { failures: { at_most: 0 } },
        for: '4s',
      },
    ],
    on_stop: [
      { disarm: { webhook: webhook(DISARM), timeout: '1s' } },
      { rollback: { webhook: webhook(ROLLBACK), timeout: '1s' } },
      { verify: { within: VERIFY_WITHIN, pass: { failures: { at_most: 0 } } } },
    ],
    ...over,
  };
}

export function aStart(environment: string): Readonly<Record<string, unknown>> {
  return { service: SERVICE, environment, version: NEW, previous_version: OLD };
}
