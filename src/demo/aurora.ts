// The simulated trading service as a real HTTP server: `/metrics`, `/health`, `/version`. It
// trades on a timer; tests let time pass with `step` instead. With `controls`, anyone who can
// reach it can break it: for demos only, never in front of anything that matters.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Clock, systemClock } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import { startLoop } from '../kit/loop.ts';
import { FAULTS, type Fault, isFault } from './faults.ts';
import { listen } from './server.ts';
import { AuroraSimulation } from './simulation.ts';

const TRADE_EVERY_MS = 100;

export type AuroraOptions = {
  readonly port?: number;
  /** Default: loopback. */
  readonly host?: string;
  readonly version: string;
  readonly seed?: number;
  readonly clock?: Clock;
  /** USD that profits and losses are shares of; default 100,000. */
  readonly deployCapital?: number;
  /** Default 10. */
  readonly expectedPositions?: number;
  /** `POST /fault/<name>` (or `none`), `POST /deploy/<version>` and `POST /arm`. */
  readonly controls?: boolean;
};

export interface Aurora {
  readonly url: string;
  readonly port: number;
  readonly version: string;
  readonly previousVersion: string | null;
  readonly activeFault: Fault | null;
  /** Orders are being sent. */
  readonly trading: boolean;
  /** A restart: counters from zero, faults gone, the same port. */
  deploy(version: string): void;
  fault(name: Fault | null): void;
  /** No orders until `arm`, also after a deploy. */
  disarm(): void;
  arm(): void;
  /** Lets that much time pass at once, besides the timer. */
  step(ms: number): void;
  close(): Promise<void>;
}

export async function startAurora(options: AuroraOptions): Promise<Aurora> {
  const simulation = new AuroraSimulation(options);
  const server = createServer((request, response) => {
    answer(simulation, options.controls ?? false, request, response).catch((error: unknown) => {
      send(response, 500, { error: messageOf(error) });
    });
  });
  const listening = await listen(server, options.port ?? 0, options.host ?? '127.0.0.1');
  const loop = startLoop({
    clock: options.clock ?? systemClock,
    everyMs: TRADE_EVERY_MS,
    work: async () => {
      simulation.step(TRADE_EVERY_MS);
      return undefined;
    },
    onError: (error) => {
      throw error;
    },
  });
  return {
    url: listening.url,
    port: listening.port,
    get version() {
      return simulation.version;
    },
    get previousVersion() {
      return simulation.previousVersion;
    },
    get activeFault() {
      return simulation.activeFault;
    },
    get trading() {
      return simulation.trading;
    },
    deploy: (version) => simulation.deploy(version),
    fault: (name) => simulation.fault(name),
    disarm: () => simulation.disarm(),
    arm: () => simulation.arm(),
    step: (ms) => simulation.step(ms),
    async close() {
      await loop.stop();
      await listening.close();
    },
  };
}

async function answer(
  simulation: AuroraSimulation,
  controls: boolean,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = new URL(request.url ?? '/', 'http://aurora').pathname;
  request.resume();
  if (controls && request.method === 'POST') return control(simulation, path, response);
  if (request.method !== 'GET') return send(response, 405, { error: 'only GET' });
  switch (path) {
    case '/metrics': {
      const text = await simulation.exposition();
      response.writeHead(200, { 'content-type': simulation.contentType }).end(text);
      return;
    }
    case '/health': {
      // Hanging: no answer, ever. The caller's own time limit ends it.
      if (simulation.health === 'hanging') return;
      const isOk = simulation.health === 'ok';
      const status = isOk ? 'ok' : 'failing';
      return send(response, isOk ? 200 : 503, { status, version: simulation.version });
    }
    case '/version':
      return send(response, 200, { version: simulation.version });
    default:
      return send(response, 404, { error: 'no such path' });
  }
}

function control(simulation: AuroraSimulation, path: string, response: ServerResponse): void {
  const [, verb, name = ''] = path.split('/');
  if (verb === 'fault' && (name === 'none' || isFault(name))) {
    simulation.fault(name === 'none' ? null : name);
    send(response, 200, { fault: simulation.activeFault, version: simulation.version });
  } else if (verb === 'fault') {
    send(response, 404, { error: `unknown fault, wanted none or ${FAULTS.join(', ')}` });
  } else if (verb === 'deploy' && /^[\w.+-]{1,64}$/.test(name)) {
    simulation.deploy(name);
    send(response, 200, { version: simulation.version });
  } else if (path === '/arm') {
    simulation.arm();
    send(response, 200, { trading: simulation.trading });
  } else {
    send(response, 404, { error: 'wanted POST /fault/<name>, /deploy/<version> or /arm' });
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent) return;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
