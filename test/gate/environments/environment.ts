// Carries a shipped gate out in a world that a test makes: real servers, real processes, the very
// YAML that is shipped, with nothing but hosts, ports and pauses replaced. One run after the other.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../../src/config/load.ts';
import { createSecrets } from '../../../src/config/secrets.ts';
import type { GateRecord, SignOff } from '../../../src/core/gate-record.ts';
import { signOffJson } from '../../../src/core/gate-record-json.ts';
import { prometheusOptions } from '../../../src/daemon/sources.ts';
import { decide } from '../../../src/gate/decide.ts';
import { judge } from '../../../src/gate/judge.ts';
import type { GateSource } from '../../../src/gate/kinds.ts';
import { type GateFile, readGateFile } from '../../../src/gate/read.ts';
import { signOffFile } from '../../../src/gate/sign-off-file.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres.ts';
import { writePrograms } from './programs.ts';
import { type Site, startSite } from './sites.ts';
import { type Running, startTelemetry, type Telemetry } from './telemetry.ts';
import { type Change, changed, type Edit, type World, type Written } from './world.ts';

const SHIPPED = fileURLToPath(new URL('../../../config/gates/', import.meta.url));
const HOUR_MS = 3_600_000;
/** Signed that long before the run. */
const SIGNED_BEFORE_MS = 10 * 60_000;

/** A config has at least one. */
const POLICY = {
  service: 'other',
  source: 'other',
  indicators: { health: { http: { url: 'http://127.0.0.1:1/health' } } },
  windows: [{ name: 'all', until: '15m', stop: { health: { failing: 3 } } }],
};

/** A stand-in of a test's own, such as GitHub's API. */
export type Service = { stop(): Promise<void> };

export type Setup<Own extends Service = Service> = {
  /** `aurora-testnet` of config/gates. */
  readonly gate: string;
  readonly version: string;
  readonly parameters?: Readonly<Record<string, number | string>>;
  /** Names of the sites that are started. */
  readonly sites?: readonly string[];
  /** With settings of its own. */
  readonly postgres?: boolean | Readonly<Record<string, string>>;
  /** Started with everything else. */
  readonly own?: () => Promise<Own>;
  /** In which the gate says GO, signed by everybody. */
  readonly world: (at: Places<Own>) => World;
};

type Asked = Pick<Setup, 'gate' | 'version' | 'parameters'>;

export type Places<Own extends Service = Service> = {
  /** `127.0.0.1:40123` */
  readonly host: (site: string) => string;
  readonly postgres: PostgresServer;
  readonly own: Own;
};

/** What people have not done: by id of the criterion. */
export type People = {
  readonly unsigned?: readonly string[];
  readonly expired?: readonly string[];
  /** Approvals of a review or an override, besides. */
  readonly also?: readonly Also[];
};

export type Also = Pick<SignOff, 'criterion' | 'role' | 'name'> & {
  readonly note?: string;
  readonly hoursAgo?: number;
};

export type Prepared = {
  readonly folder: string;
  /** Of the copy of the gate. */
  readonly path: string;
  readonly config: string;
  readonly signOffs: string;
  readonly env: Readonly<Record<string, string>>;
  readonly file: GateFile;
};

export type Environment<Own extends Service = Service> = {
  readonly at: Places<Own>;
  /** Reads, carries out, decides. */
  run(change?: Change, people?: People): Promise<GateRecord>;
  /** Decides anew on what a run has found, with other signatures. */
  signed(found: GateRecord, people: People): Promise<GateRecord>;
  /** A folder with everything, for a process of its own; it is the caller's to remove. */
  prepare(change?: Change, people?: People): Promise<Prepared>;
  stop(): Promise<void>;
};

export async function startEnvironment<Own extends Service>(
  setup: Setup<Own>,
): Promise<Environment<Own>> {
  const started: Service[] = [];
  const stop = async () => {
    for (const one of started.splice(0).reverse()) await one.stop();
  };
  try {
    const { at, sites } = await startPlaces(setup, started);
    const world = setup.world(at);
    const sources = new Sources(world.telemetry);
    started.push(sources);
    const prepare = async (change: Change = {}, people: People = {}) => {
      const now = changed(world, change);
      for (const [name, site] of sites) site.set(now.sites[name] ?? {});
      return prepared(setup, now, await sources.of(now.telemetry), people);
    };
    await sources.of(world.telemetry);
    return {
      at,
      prepare,
      async run(change = {}, people = {}) {
        const { folder, file, env, signOffs } = await prepare(change, people);
        try {
          return await decided(file, folder, env, signOffs);
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      },
      async signed(found, people) {
        const { folder, file, signOffs } = await prepare({}, people);
        try {
          return await decidedAgain(file, found, signOffs);
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startPlaces<Own extends Service>(setup: Setup<Own>, started: Service[]) {
  const sites = new Map<string, Site>();
  for (const name of setup.sites ?? []) {
    const site = await startSite();
    started.push(site);
    sites.set(name, site);
  }
  const settings = setup.postgres === true ? {} : (setup.postgres ?? false);
  const postgres = settings ? await startPostgres({ fsync: 'off', ...settings }) : null;
  if (postgres !== null) started.push(postgres);
  const own = setup.own === undefined ? null : await setup.own();
  if (own !== null) started.push(own);
  const at: Places<Own> = {
    host: (name) => there(sites.get(name), `the site ${name}`).host,
    get postgres() {
      return there(postgres, 'postgres');
    },
    get own() {
      return there(own, 'a service of its own');
    },
  };
  return { at, sites };
}

function there<T>(one: T | null | undefined, name: string): T {
  if (one === null || one === undefined) throw new Error(`${name} is not part of this setup`);
  return one;
}

/** A Prometheus for each source, kept; those of a change live until the next run. */
class Sources {
  readonly #good: Readonly<Record<string, Telemetry>>;
  readonly #kept = new Map<string, Running>();
  #changed: Running[] = [];

  constructor(good: Readonly<Record<string, Telemetry>>) {
    this.#good = good;
  }

  async of(telemetry: Readonly<Record<string, Telemetry>>): Promise<Record<string, string>> {
    await Promise.all(this.#changed.splice(0).map((one) => one.stop()));
    const urls: Record<string, string> = {};
    for (const [name, one] of Object.entries(telemetry)) {
      const isGood = one === this.#good[name];
      const running = (isGood ? this.#kept.get(name) : undefined) ?? (await startTelemetry(one));
      if (isGood) this.#kept.set(name, running);
      else this.#changed.push(running);
      urls[name] = running.url;
    }
    return urls;
  }

  async stop(): Promise<void> {
    const all = [...this.#changed.splice(0), ...this.#kept.values()];
    this.#kept.clear();
    await Promise.all(all.map((one) => one.stop()));
  }
}

function prepared(
  setup: Asked,
  world: World,
  urls: Readonly<Record<string, string>>,
  people: People,
): Prepared {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-environment-'));
  for (const [path, written] of Object.entries(world.files)) write(folder, path, written);
  const bin = writePrograms(folder, world.programs);
  const env = { PATH: `${bin}:/usr/bin:/bin`, HOME: folder, ...world.env };
  write(folder, 'policy.yaml', JSON.stringify(POLICY));
  const config = write(folder, 'canaryd.yaml', JSON.stringify(configOf(urls)));
  const path = write(folder, `gate/${setup.gate}.yaml`, gateText(setup.gate, world.gate));
  const file = readCopy(setup, path, config, env);
  const signed = signOffsOf(file, people, Date.now());
  const lines = signed.map((one) => `${JSON.stringify(signOffJson(one))}\n`).join('');
  const signOffs = write(folder, 'sign-offs.jsonl', lines);
  return { folder, path, config, signOffs, env, file };
}

function configOf(urls: Readonly<Record<string, string>>) {
  const sources = Object.entries(urls).map(([name, url]) => [
    name,
    { prometheus: { url, timeout: '5s' } },
  ]);
  return {
    listen: { host: '127.0.0.1', port: 7767 },
    journal: { sqlite: { path: 'canaryd.db' } },
    policies: ['policy.yaml'],
    sources: {
      other: { prometheus: { url: 'http://127.0.0.1:1' } },
      ...Object.fromEntries(sources),
    },
  };
}

function write(folder: string, path: string, written: Written): string {
  const parts = typeof written === 'string' ? { body: written } : written;
  const { body, ageHours = 0 } = 'program' in parts ? { body: parts.program } : parts;
  const whole = join(folder, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, body, { mode: 'program' in parts ? 0o755 : 0o644 });
  const at = (Date.now() - ageHours * HOUR_MS) / 1_000;
  if (ageHours > 0) utimesSync(whole, at, at);
  return whole;
}

/** An edit that finds nothing is a mistake of the test: the gate has changed. */
function gateText(gate: string, edits: readonly Edit[]): string {
  let text = readFileSync(join(SHIPPED, `${gate}.yaml`), 'utf8');
  for (const [from, to] of edits) {
    if (!text.includes(from)) throw new Error(`${gate}.yaml has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

function readCopy(
  { version, parameters = {} }: Asked,
  path: string,
  config: string,
  env: Readonly<Record<string, string>>,
): GateFile {
  const loaded = loadConfig(config, { env }).config.sources;
  const find = (name: string): GateSource | null => {
    const source = loaded[name];
    if (source?.kind !== 'prometheus') return null;
    return { kind: 'prometheus', options: prometheusOptions(source, systemClock) };
  };
  const read = readGateFile(
    path,
    { service: null, environment: null, version, parameters },
    { secrets: createSecrets({ env }), sources: { find, names: () => Object.keys(loaded) } },
  );
  if (read.kind === 'gate') return read;
  throw new Error(read.problems.map(({ path: at, message }) => `${at}: ${message}`).join('\n'));
}

/** Everybody has signed everything, but for what the people have left undone. */
function signOffsOf({ gate, deploy }: GateFile, people: People, nowMs: number): readonly SignOff[] {
  const { unsigned = [], expired = [], also = [] } = people;
  const { environment, version } = deploy;
  const of = { gate: gate.name, environment, version };
  const more = also.map(({ note = null, hoursAgo = 0.1, ...one }) => {
    return { ...of, ...one, note, atMs: nowMs - hoursAgo * HOUR_MS };
  });
  const needed = gate.criteria
    .filter(({ id }) => !unsigned.includes(id))
    .flatMap(({ id, signOffs }) =>
      signOffs.map(({ role, validForMs }) => ({
        ...{ ...of, criterion: id, role, name: `Kim ${role}`, note: null },
        atMs: nowMs - (expired.includes(id) ? validForMs + HOUR_MS : SIGNED_BEFORE_MS),
      })),
    );
  return [...needed, ...more];
}

async function decided(
  file: GateFile,
  folder: string,
  env: Readonly<Record<string, string>>,
  signOffs: string,
): Promise<GateRecord> {
  const signal = new AbortController().signal;
  const judged = await judge(file, signOffFile(signOffs), {
    ...{ clock: systemClock, folder, env, signal },
  });
  if (judged.kind === 'decided') return judged.record;
  throw new Error(`nothing decided: ${judged.kind === 'failed' ? judged.reason : judged.why}`);
}

async function decidedAgain(
  { gate, deploy }: GateFile,
  found: GateRecord,
  path: string,
): Promise<GateRecord> {
  const listed = await signOffFile(path).list(gate.name);
  if (listed.kind === 'failed') throw new Error(listed.reason);
  const { signOffs } = listed;
  const checks = new Map(found.criteria.map((one) => [one.id, one.checks]));
  return { ...found, ...decide({ gate, deploy, checks, signOffs, nowMs: systemClock.now() }) };
}
