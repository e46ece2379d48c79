// A small world for end-to-end tests: simulated services, a receiver and a policy for each, a fake
// Slack, and canaryd as a process of its own that reads the services' /metrics directly. The
// policy is short, so that a watch is armed at its first tick.
import { createServer } from 'node:http';
import { setTimeout as elapsed } from 'node:timers/promises';
import { vi } from 'vitest';
import { type Aurora, startAurora } from '../../src/demo/aurora.ts';
import { listen } from '../../src/demo/server.ts';
import { type Canaryd, startCanaryd } from './daemon.ts';
import { type FakeSlack, type SlackMessage, startFakeSlack } from './fake-slack.ts';
import { type ReceivedRequest, type Receiver, startReceiver } from './receiver.ts';

export const OLD = '2.0.0';
export const NEW = '2.1.0';
export const DISARM = '/disarm';
export const ROLLBACK = '/rollback';
const SECRET = 'a-secret-that-signs-in-tests';

/** What canaryd reads in place of the service's own /metrics, so that only these can fail. */
export type Gate = {
  readonly url: string;
  /** Cuts every connection until `up()`. */
  down(): void;
  /** Never answers until `up()`. */
  hang(): void;
  up(): void;
  /** So many so far. */
  requests(): number;
  /** Resolves at the next request. */
  asked(): Promise<void>;
  close(): Promise<void>;
};

export type Place = {
  readonly service: string;
  readonly aurora: Aurora;
  readonly gate: Gate;
  readonly receiver: Receiver;
};

type Fields = Readonly<Record<string, unknown>>;

export type PlaceSetup = {
  /** Fields of the policy in place of the usual ones. */
  readonly policy?: (place: Place) => Fields;
  /** Called when a request has been read, before it is answered. */
  readonly onRequest?: (request: ReceivedRequest) => void | Promise<void>;
  /** What happens to the service before canaryd starts. */
  readonly before?: (aurora: Aurora) => void;
  /** What an accepted rollback does; default: deploys the old version, armed. */
  readonly onRollback?: (aurora: Aurora) => void;
};

export type WireEvent = Readonly<Record<string, unknown>> & {
  readonly seq: number;
  readonly at_ms: number;
  readonly type: string;
};

export type WireDelivery = {
  readonly id: string;
  readonly state: string;
  readonly attempts: number;
  readonly last_reason: string | null;
  readonly content: {
    readonly kind: 'action' | 'message';
    readonly action?: string;
    readonly message?: {
      readonly kind: string;
      readonly severity: string;
      readonly headline: string;
      readonly lines: readonly string[];
      readonly next: string | null;
    };
  };
};

export type World = {
  readonly slack: FakeSlack;
  readonly canaryd: Canaryd;
  place(service: string): Place;
  /** The new version is there and its watch has started; the watch's id. */
  deploy(service: string, over?: Fields): Promise<string>;
  /** The same, and every stop condition has been seen. */
  armed(service: string, over?: Fields): Promise<string>;
  events(id: string): Promise<readonly WireEvent[]>;
  /** The newest event of the type; waits for it. */
  event(id: string, type: string, withinMs?: number): Promise<WireEvent>;
  deliveries(id: string): Promise<readonly WireDelivery[]>;
  /** Headlines of all messages that are planned or sent, with their lines and what is next. */
  messages(id: string): Promise<readonly string[]>;
  /** What Slack took about the service. */
  told(service: string, text?: string): readonly SlackMessage[];
  verified(id: string, verification: string, withinMs?: number): Promise<void>;
  close(): Promise<void>;
};

export async function startWorld(
  setups: Readonly<Record<string, PlaceSetup>>,
  config: Fields = {},
): Promise<World> {
  const slack = await startFakeSlack();
  const places = new Map<string, Place>();
  for (const [service, setup] of Object.entries(setups)) {
    places.set(service, await startPlace(service, setup));
  }
  const policies = [...places].map(([service, place]) => {
    const policy = { ...usualPolicy(place), ...setups[service]?.policy?.(place) };
    return [service, JSON.stringify(policy)] as const;
  });
  const sources = [...places].map(([service, { gate }]) => {
    return [service, { scrape: { targets: [gate.url], timeout: '1s' } }] as const;
  });
  const canaryd = await startCanaryd({
    config: { sources: Object.fromEntries(sources), slack: { webhook: '$SLACK' }, ...config },
    policies: Object.fromEntries(policies),
    env: { SLACK: slack.url, SECRET },
  });
  return worldOf(slack, canaryd, places);
}

function worldOf(slack: FakeSlack, canaryd: Canaryd, places: ReadonlyMap<string, Place>): World {
  function place(service: string): Place {
    const found = places.get(service);
    if (found === undefined) throw new Error(`there is no place ${service}`);
    return found;
  }
  async function deploy(service: string, over: Fields = {}): Promise<string> {
    const version = typeof over['version'] === 'string' ? over['version'] : NEW;
    place(service).aurora.deploy(version);
    const { status, body } = await canaryd.post('/v1/watches', aDeploy(service, over));
    if (status !== 201) throw new Error(`${service} did not start: ${JSON.stringify(body)}`);
    return String(body['id']);
  }
  async function events(id: string): Promise<readonly WireEvent[]> {
    const { body } = await canaryd.get(`/v1/watches/${id}/journal`);
    return body['events'] as readonly WireEvent[];
  }
  async function deliveries(id: string): Promise<readonly WireDelivery[]> {
    const { body } = await canaryd.get(`/v1/watches/${id}/deliveries`);
    return body['deliveries'] as readonly WireDelivery[];
  }
  const event = (id: string, type: string, withinMs = 20_000) =>
    vi.waitFor(
      async () => {
        const all = await events(id);
        const found = all.findLast((one) => one.type === type);
        const types = all.map((one) => one.type).join(', ');
        if (found === undefined) throw new Error(`${id} has no ${type}, only ${types}`);
        return found;
      },
      { timeout: withinMs, interval: 150 },
    );
  return {
    slack,
    canaryd,
    place,
    deploy,
    async armed(service, over) {
      const id = await deploy(service, over);
      await event(id, 'watch.armed');
      return id;
    },
    events,
    event,
    deliveries,
    async messages(id) {
      return (await deliveries(id)).flatMap(({ content: { message } }) =>
        message === undefined
          ? []
          : [[message.headline, ...message.lines, message.next].join('\n')],
      );
    },
    told: (service, text = '') =>
      slack.messages.filter(
        (one) => one.notification.includes(`${service} `) && one.text.includes(text),
      ),
    async verified(id, verification, withinMs = 25_000) {
      await vi.waitFor(
        async () => {
          const found = (await canaryd.watch(id)).verification;
          if (found !== verification) throw new Error(`${id} is ${found}, not ${verification}`);
        },
        { timeout: withinMs, interval: 150 },
      );
    },
    async close() {
      await canaryd.dispose();
      await slack.close();
      for (const { aurora, gate, receiver } of places.values()) {
        await receiver.close();
        await gate.close();
        await aurora.close();
      }
    },
  };
}

function rollBackAndTrade(aurora: Aurora): void {
  aurora.deploy(OLD);
  aurora.arm();
}

async function startPlace(service: string, setup: PlaceSetup): Promise<Place> {
  const aurora = await startAurora({ version: OLD, seed: 11 });
  setup.before?.(aurora);
  const done = new Set<string>();
  const rollBack = setup.onRollback ?? rollBackAndTrade;
  const receiver = await startReceiver({
    secret: SECRET,
    async onRequest(request) {
      await setup.onRequest?.(request);
      // As a good receiver does: each key once.
      if (!request.accepted || done.has(request.id)) return;
      done.add(request.id);
      if (request.path === DISARM) aurora.disarm();
      if (request.path === ROLLBACK) rollBack(aurora);
    },
  });
  return { service, aurora, receiver, gate: await startGate(`${aurora.url}/metrics`) };
}

async function startGate(target: string): Promise<Gate> {
  let mode: 'up' | 'down' | 'hang' = 'up';
  let requests = 0;
  let onAsked = () => {};
  const server = createServer(async (request, response) => {
    requests += 1;
    onAsked();
    if (mode === 'hang') return;
    if (mode === 'down') return void request.socket.destroy();
    const answer = await fetch(target);
    const type = answer.headers.get('content-type') ?? 'text/plain';
    response.writeHead(answer.status, { 'content-type': type }).end(await answer.text());
  });
  const { url, close } = await listen(server, 0, '127.0.0.1');
  return {
    url: `${url}/metrics`,
    down: () => {
      mode = 'down';
    },
    hang: () => {
      mode = 'hang';
    },
    up: () => {
      mode = 'up';
    },
    requests: () => requests,
    asked: () =>
      new Promise((resolve) => {
        onAsked = resolve;
      }),
    close,
  };
}

/** Springs once, at the first request of the path after it was armed, before it is answered. */
export function trapOn(path: string, answersAfterMs = 0) {
  const sprung = Promise.withResolvers<void>();
  let spring: (() => void | Promise<void>) | null = null;
  return {
    sprung: sprung.promise,
    arm(act: () => void | Promise<void>) {
      spring = act;
    },
    async onRequest(request: ReceivedRequest) {
      if (request.path !== path || spring === null) return;
      const act = spring;
      spring = null;
      await act();
      sprung.resolve();
      await elapsed(answersAfterMs);
    },
  };
}

/** Two gauges and the health endpoint: each can stop the deploy alone. */
function usualPolicy({ service, aurora, receiver }: Place): Fields {
  return {
    service,
    source: service,
    interval: '1s',
    stale_after: '5s',
    blind: { after: '3s' },
    arm: { within: '10s' },
    parameters: { expected_positions: { type: 'number', at_least: 0 } },
    indicators: {
      open_positions: {
        title: 'Open positions',
        gauge: { metric: 'aurora_open_positions', aggregate: 'sum' },
      },
      realized_loss: {
        title: 'Realized loss',
        gauge: { metric: 'aurora_realized_pnl_usd', aggregate: 'sum', negate: true },
      },
      health: { title: 'Health endpoint', http: { url: `${aurora.url}/health`, timeout: '2s' } },
      running_version: {
        title: 'Running version',
        http: {
          url: `${aurora.url}/version`,
          timeout: '2s',
          json: { pointer: '/version', equals: '${previous_version}' },
        },
      },
    },
    windows: [
      {
        name: 'immediate',
        until: '15m',
        stop: {
          open_positions: { above: '120%', of: 'expected_positions' },
          realized_loss: { above: 500 },
          health: { failing: 3 },
        },
      },
    ],
    on_stop: onStop(receiver),
  };
}

/** Disarm, roll back, verify; with fields in place of the usual ones. */
export function onStop(
  { url }: Pick<Receiver, 'url'>,
  over: { readonly disarm?: Fields; readonly rollback?: Fields; readonly verify?: Fields } = {},
): readonly Fields[] {
  const webhook = (path: string) => ({ url: `${url}${path}`, secret: '$SECRET' });
  return [
    { disarm: { webhook: webhook(DISARM), ...over.disarm } },
    { rollback: { webhook: webhook(ROLLBACK), ...over.rollback } },
    {
      verify: {
        within: '20s',
        pass: {
          health: { passing: 2 },
          open_positions: { at_most: 12 },
          running_version: { passing: 1 },
        },
        ...over.verify,
      },
    },
  ];
}

/** The body that starts a watch. */
export function aDeploy(service: string, over: Fields = {}): Fields {
  return {
    service,
    version: NEW,
    previous_version: OLD,
    parameters: { expected_positions: 10 },
    ...over,
  };
}

/** Different idempotency keys of all requests, also of those that were refused. */
export function keysOf(requests: readonly ReceivedRequest[], path?: string): readonly string[] {
  const those = requests.filter((request) => path === undefined || request.path === path);
  return [...new Set(those.map(({ id }) => id))];
}
