// Rules about the code itself: who imports whom, who may look at the clock, how long things get,
// and what may not be in the repository at all.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

function filesOf(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`)
    .sort();
}

const SOURCES = filesOf('src');
const TESTS = filesOf('test');

/** Import specifiers of a file: static, dynamic and re-exported. */
function importsOf(path: string): readonly string[] {
  const text = read(path);
  const found = text.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)'([^']+)'/g);
  return [...found].map(([, specifier = '']) => specifier);
}

/** `src/core/decide.ts` → `core`; `src/main.ts` → `main.ts` */
const folderOf = (path: string) => path.split('/')[1] ?? '';

type Rule = { readonly folders: readonly string[]; readonly files?: readonly string[] };

/** What each folder may import of ours, besides itself. The same table is in src/README.md. */
const MAY_IMPORT: Readonly<Record<string, Rule>> = {
  core: { folders: [] },
  kit: { folders: [] },
  source: { folders: ['core', 'kit'] },
  request: { folders: ['core', 'kit'] },
  act: { folders: ['core', 'kit', 'request'] },
  notify: { folders: ['core', 'kit', 'request'] },
  hooks: { folders: ['core', 'kit'] },
  journal: { folders: ['core', 'kit'] },
  metrics: { folders: ['core'] },
  config: { folders: ['core', 'kit'] },
  engine: {
    folders: ['core', 'kit', 'metrics'],
    files: ['src/journal/journal.ts', 'src/journal/gate-store.ts'],
  },
  http: { folders: ['core', 'kit', 'engine', 'hooks'], files: ['src/journal/journal.ts'] },
  cli: {
    folders: [
      ...['core', 'kit', 'config', 'daemon', 'demo', 'engine', 'http', 'journal', 'source'],
      ...['backtest', 'cases', 'check', 'gate', 'simulate'],
    ],
    files: ['package.json'],
  },
  daemon: {
    folders: [
      ...['core', 'kit', 'source', 'act', 'notify', 'hooks'],
      ...['journal', 'metrics', 'config', 'engine', 'http'],
    ],
  },
  replay: { folders: ['core', 'kit', 'config', 'engine', 'journal'] },
  check: { folders: ['core', 'kit', 'config', 'source'] },
  gate: { folders: ['core', 'kit', 'config', 'source', 'act'] },
  cases: { folders: ['core', 'kit', 'config', 'engine', 'replay', 'source'] },
  backtest: { folders: ['core', 'kit', 'config', 'engine', 'replay', 'source'] },
  demo: { folders: ['kit', 'daemon'] },
  simulate: { folders: ['core', 'kit', 'config', 'demo'] },
  'main.ts': { folders: ['cli'] },
};

function forbiddenImports(path: string): readonly string[] {
  const own = folderOf(path);
  const rule = MAY_IMPORT[own] ?? { folders: [] };
  return importsOf(path)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => normalize(join(dirname(path), specifier)))
    .filter((to) => {
      const isOwn = to.startsWith('src/') && folderOf(to) === own;
      return !isOwn && !rule.folders.includes(folderOf(to)) && !rule.files?.includes(to);
    })
    .map((to) => `${path} imports ${to}`);
}

describe('the folders of src', () => {
  const folders = [...new Set(SOURCES.map(folderOf))].sort();

  it.each(folders)('%s imports only what it may', (folder) => {
    expect(MAY_IMPORT[folder]).toBeDefined();
    const own = SOURCES.filter((path) => folderOf(path) === folder);
    expect(own.flatMap(forbiddenImports)).toEqual([]);
  });

  it('are all on the map, with what they may import', () => {
    const map = read('src/README.md');
    const named = [...map.matchAll(/^\| `src\/(\w+)\/` \|/gm)].map(([, name = '']) => name);
    const inSrc = folders.filter((folder) => !folder.endsWith('.ts'));
    expect(named.toSorted()).toEqual(inSrc);
  });

  it.each(
    Object.entries(MAY_IMPORT).filter(([folder]) => !/^(?:cli|daemon|main\.ts)$/.test(folder)),
  )('%s has the same words on the map', (folder, { folders: allowed, files }) => {
    const row = new RegExp(`^\\| \`src/${folder}/\` \\|[^|]*\\|([^|]*)\\|`, 'm');
    const words: readonly string[] = row.exec(read('src/README.md'))?.[1]?.match(/\w+/g) ?? [];
    const named = folders.filter((name) => words.includes(name) && name !== folder);
    const wanted = new Set([...allowed, ...(files ?? []).map(folderOf)]);
    expect(named).toEqual([...wanted].filter((name) => name !== folder).toSorted());
  });

  it('core and kit are leaves: core knows no Node and one package, kit nothing of ours', () => {
    const core = SOURCES.filter((path) => folderOf(path) === 'core').flatMap(importsOf);
    // RE2 is pure, too.
    const packages = core.filter((specifier) => !specifier.startsWith('./'));
    expect(packages).toEqual(['re2js']);
  });

  it('import with the extension, and files that exist', () => {
    const wrong = SOURCES.flatMap((path) =>
      importsOf(path)
        .filter((specifier) => specifier.startsWith('.'))
        .filter((specifier) => !existsSync(join(root, dirname(path), specifier)))
        .map((specifier) => `${path}: ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });
});

/** Where each library may be used: one door, so that it can be replaced or bounded in one place. */
const DOORS: Readonly<Record<string, RegExp>> = {
  axios: /^src\/kit\/http\.ts$/,
  pino: /^src\/kit\/logger\.ts$/,
  'node-cron': /^src\/daemon\/housekeeping\.ts$/,
  'prom-client': /^src\/(?:metrics|demo)\//,
  '@slack/webhook': /^src\/notify\/slack\.ts$/,
  nodemailer: /^src\/notify\/email\.ts$/,
  'node:sqlite': /^src\/journal\/sqlite\//,
  pg: /^src\/(?:journal\/postgres\/|gate\/checks\/postgres-session\.ts$)/,
  fastify: /^src\/http\//,
  re2js: /^src\/core\/pattern\.ts$/,
  uplot: /^src\/http\/page\/browser\/uplot\.d\.ts$/,
  commander: /^src\/cli\/(?:cli|author-verbs|gate-program)\.ts$/,
  yaml: /^src\/(?:config\/yaml-file|demo\/demo-files)\.ts$/,
  zod: /^src\/(?:config|http|journal|cli)\//,
  'p-retry': /^src\/kit\/retry\.ts$/,
  sax: /^src\/gate\/report\/xml\.ts$/,
  ajv: /^src\/source\/audit-log\/json-schema\.ts$/,
  'ajv-formats': /^src\/source\/audit-log\/json-schema\.ts$/,
};

/** `ajv/dist/2020.js` → `ajv` */
const packageOf = (specifier: string) => /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;

describe('a library has one door', () => {
  it.each(Object.entries(DOORS))('%s', (library, door) => {
    const users = SOURCES.filter((path) => importsOf(path).map(packageOf).includes(library));
    expect(users.filter((path) => !door.test(path))).toEqual([]);
  });

  it('no package is used that has no door, or is not a dependency', () => {
    const { dependencies } = JSON.parse(read('package.json')) as {
      dependencies: Readonly<Record<string, string>>;
    };
    const packages = SOURCES.flatMap(importsOf)
      .filter((name) => !/^(?:\.|node:)/.test(name))
      .map(packageOf);
    expect([...new Set(packages)].filter((name) => DOORS[name] === undefined)).toEqual([]);
    expect([...new Set(packages)].filter((name) => dependencies[name] === undefined)).toEqual([]);
  });
});

/** Code without comments and texts, so that words in them are no findings. */
function bare(text: string): string {
  return text
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/(^|\s)\/\/.*$/gm, '$1')
    .replaceAll(/'(?:[^'\\\n]|\\.)*'/g, "''");
}

function uses(paths: readonly string[], pattern: RegExp): readonly string[] {
  return paths.filter((path) => pattern.test(bare(read(path))));
}

describe('clock and dice', () => {
  it('the time of day is read in kit/clock.ts only', () => {
    expect(uses(SOURCES, /\bDate\.now\b|\bnew Date\(\)/)).toEqual(['src/kit/clock.ts']);
  });

  it('dice are rolled in kit/random.ts only', () => {
    expect(uses(SOURCES, /\bMath\.random\b|\brandomBytes\b|\brandomUUID\b/)).toEqual(
      expect.arrayContaining(['src/kit/random.ts']),
    );
    expect(uses(SOURCES, /\bMath\.random\b/)).toEqual(['src/kit/random.ts']);
  });

  it('spans are measured in leaves of I/O only', () => {
    const measuring = uses(SOURCES, /\bperformance\.now\b/);
    const allowed = [
      'src/act/command.ts',
      'src/demo/screen.ts',
      'src/kit/clock.ts',
      'src/kit/http.ts',
    ];
    expect(measuring.filter((path) => !allowed.includes(path))).toEqual([]);
  });

  it('core has neither, nor anything of a process', () => {
    const core = SOURCES.filter((path) => folderOf(path) === 'core');
    expect(uses(core, /\bsetTimeout\b|\bsetInterval\b|\bprocess\.|\bfetch\(|\bconsole\./)).toEqual(
      [],
    );
  });

  it('nothing repeats but kit/loop.ts', () => {
    expect(uses(SOURCES, /\bsetInterval\b/)).toEqual([]);
  });
});

describe('what only one file may do', () => {
  it('the process is ended in main.ts', () => {
    expect(uses(SOURCES, /\bprocess\.exit\b|\bprocess\.exitCode\b/)).toEqual(['src/main.ts']);
  });

  it('nothing is printed but through what the caller hands in', () => {
    expect(uses(SOURCES, /\bconsole\.\w/)).toEqual([]);
  });
});

/** Longer than the rule allows, each with its own limit: they may shrink, and not grow. */
const LONG_FILES: Readonly<Record<string, number>> = {
  'test/config/wrong-policies.ts': 650,
  'test/core/measure.test.ts': 680,
  'test/engine/deliveries.test.ts': 560,
  'test/journal/contract.ts': 900,
  'test/source/prometheus.test.ts': 620,
  'test/source/scrape.test.ts': 540,
};
/** Likewise for functions: one `switch` over all events, and parts joined by hand. */
const LONG_FUNCTIONS: Readonly<Record<string, number>> = {
  'src/core/watch.ts': 125,
  'src/daemon/daemon.ts': 115,
  'src/http/routes/events.ts': 80,
};
const FILE_LINES_MAX = { src: 400, test: 500 };
const FUNCTION_LINES_MAX = 60;
const HEADER_FROM_LINES = 60;
const COLUMNS_MAX = 120;

/** Functions and methods at the margin or in a class, by their first and last line. */
function longFunctions(path: string): readonly string[] {
  const lines = read(path).split('\n');
  return lines.flatMap((line, index) => {
    const start = /^( {0,2})(?:export )?(?:async )?(?:static )?(?:function\b|[#\w]+\(.*\{$)/.exec(
      line,
    );
    if (start === null || /^\s*(?:if|for|while|switch|return|describe|test|it)\b/.test(line))
      return [];
    const end = lines.findIndex((other, at) => at > index && other === `${start[1]}}`);
    const length = end - index + 1;
    return length > (LONG_FUNCTIONS[path] ?? FUNCTION_LINES_MAX)
      ? [`${path}:${index + 1} has ${length} lines`]
      : [];
  });
}

describe('sizes', () => {
  it(`files have at most ${FILE_LINES_MAX.src} lines, tests ${FILE_LINES_MAX.test}`, () => {
    const long = [...SOURCES, ...TESTS].flatMap((path) => {
      const lines = read(path).trimEnd().split('\n').length;
      const max = path.startsWith('src/') ? FILE_LINES_MAX.src : FILE_LINES_MAX.test;
      return lines > (LONG_FILES[path] ?? max) ? [`${path} has ${lines}`] : [];
    });
    expect(long).toEqual([]);
  });

  it(`functions of src have at most ${FUNCTION_LINES_MAX} lines`, () => {
    expect(SOURCES.flatMap(longFunctions)).toEqual([]);
  });

  it(`a file of more than ${HEADER_FROM_LINES} lines says first what it is for`, () => {
    const silent = SOURCES.filter((path) => {
      const text = read(path);
      return text.split('\n').length > HEADER_FROM_LINES && !/^(?:#!.*\n)?(?:\/\/|\/\*)/.test(text);
    });
    expect(silent).toEqual([]);
  });

  it(`lines are readable: texts apart, at most ${COLUMNS_MAX} columns`, () => {
    const wide = SOURCES.flatMap((path) =>
      read(path)
        .split('\n')
        .map((line, index) => ({ line, at: `${path}:${index + 1}` }))
        .filter(({ line }) => line.length > COLUMNS_MAX && !/['"`]/.test(line))
        .map(({ at }) => at),
    );
    expect(wide).toEqual([]);
  });
});

describe('tests', () => {
  const own = 'test/tidy.test.ts';
  const others = TESTS.filter((path) => path !== own);
  const bodies = others.filter((path) => path.endsWith('.test.ts'));

  it('leave none out by accident', () => {
    expect(uses(others, /\.only\(|\.todo\(|\bxit\(|\bfdescribe\(/)).toEqual([]);
  });

  it('wait for something, not for a time', () => {
    // Under fake timers no time passes.
    const realTime = bodies.filter((path) => !read(path).includes('useFakeTimers'));
    const waiting = uses(
      realTime,
      /(?<!\.)\bsetTimeout\(|(?<![\w.])(?:sleep|delay)\(\d|\bsystemClock\.sleep\([1-9]/,
    );
    expect(waiting).toEqual([]);
  });
});

/** Files of the repository; without git (in an image) those of the folders we know. */
function trackedFiles(): readonly string[] {
  const { status, stdout } = spawnSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' });
  const all = status === 0 ? stdout.split('\n').filter(Boolean) : [...SOURCES, ...TESTS];
  return all.filter((path) => existsSync(join(root, path)));
}

describe('the repository', () => {
  const files = trackedFiles().filter((path) => /\.(?:[a-z]+)$|Dockerfile|run$/.test(path));
  const containing = (pattern: RegExp) => files.filter((path) => pattern.test(read(path)));

  it('names no machine, no private folder and no host of a registry', () => {
    expect(containing(new RegExp(['/wo' + 'rk/', '/home/\\w', '/Users/\\w'].join('|')))).toEqual(
      [],
    );
    const hosts = 'registry\\.npm' + 'js|npm\\.pkg\\.|registry\\.ya' + 'rnpkg|jsr\\.io';
    expect(containing(new RegExp(hosts))).toEqual([]);
  });

  it('has a lock file that any registry can serve', () => {
    expect(read('package-lock.json')).not.toContain('"resolved"');
    expect(read('package-lock.json')).toContain('"integrity"');
  });

  it('pins every dependency exactly', () => {
    const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
    const sections = ['dependencies', 'devDependencies', 'optionalDependencies'];
    const versions = sections.flatMap((section) => Object.entries(manifest[section] ?? {}));
    const exact = /^\d+\.\d+\.\d+(-beta\.\d+)?$/;
    expect(versions.filter(([, version]) => !exact.test(version))).toEqual([]);
  });

  it('has no secret that looks like a real one', () => {
    const shapes = [
      'xox[bap]-\\d',
      'AKIA[0-9A-Z]{16}',
      'ghp_\\w{36}',
      '-----BEGIN \\w* ?PRIV' + 'ATE',
    ];
    expect(containing(new RegExp(shapes.join('|')))).toEqual([]);
  });

  it('has a license and a list of changes with the present version', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect(read('LICENSE')).toContain('canaryd authors');
    expect(read('CHANGELOG.md')).toContain(`## ${version}`);
  });
});
